//! Optimistic concurrency: read, decide, and write only if the version is still the one that was read.
//! No lock is held in between. If another writer was faster, the attempt starts again.

/// How many attempts are made before the caller gets the conflict.
const MAX_ATTEMPTS: usize = 5;

/// Repeats an attempt until it ends with a result. An attempt reads the current version, decides, and
/// returns `None` when its write found a newer version. Returns `None` when every attempt did.
pub async fn retry<T, E, F>(mut attempt: impl FnMut() -> F) -> Result<Option<T>, E>
where
    F: Future<Output = Result<Option<T>, E>>,
{
    for _ in 0..MAX_ATTEMPTS {
        if let Some(result) = attempt().await? {
            return Ok(Some(result));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn attempts_until(end: impl Fn(usize) -> Result<Option<usize>, ()>) -> usize {
        let mut attempts = 0;
        let _ = retry(|| {
            attempts += 1;
            std::future::ready(end(attempts))
        })
        .await;
        attempts
    }

    #[tokio::test]
    async fn a_conflict_is_retried_until_the_write_succeeds() {
        let second = |attempt| Ok((attempt == 2).then_some(attempt));
        assert_eq!(attempts_until(second).await, 2);
    }

    #[tokio::test]
    async fn an_error_is_not_retried() {
        assert_eq!(attempts_until(|_| Err(())).await, 1);
    }

    #[tokio::test]
    async fn retries_are_bounded() {
        assert_eq!(attempts_until(|_| Ok(None)).await, MAX_ATTEMPTS);
        let result: Result<Option<()>, ()> = retry(|| std::future::ready(Ok(None))).await;
        assert_eq!(result, Ok(None));
    }
}
