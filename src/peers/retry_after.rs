//! Parses `Retry-After`.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Caps the delay.
const MAX_DELAY: Duration = Duration::from_secs(3600);

/// The delay in a `Retry-After` header: seconds or an HTTP date (RFC 9110, 10.2.3), at most an hour. A
/// date in the past means no delay.
pub(super) fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if value.is_empty() {
        return None;
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit stand for a very long time.
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(MAX_DELAY));
    }
    let at = SystemTime::from(OffsetDateTime::parse(value, &Rfc2822).ok()?);
    Some(at.duration_since(now).unwrap_or_default().min(MAX_DELAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    #[test]
    fn seconds_and_dates_are_parsed_and_capped_at_an_hour() {
        for (value, seconds) in [
            ("0", 0),
            (" 7 ", 7),
            ("86400", 3600),
            ("99999999999999999999999999", 3600),
            ("Sun, 06 Nov 1994 08:49:49 GMT", 12),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("Sat, 05 Nov 1994 08:49:37 GMT", 0),
            ("Sun, 06 Nov 2044 08:49:37 GMT", 3600),
        ] {
            let expected = Some(Duration::from_secs(seconds));
            assert_eq!(parse(value, now()), expected, "{value}");
        }
    }

    #[test]
    fn an_unparsable_retry_after_is_ignored() {
        for value in ["", "soon", "-5", "1.5", "1994-11-06T08:49:37Z", "é"] {
            assert_eq!(parse(value, now()), None, "{value}");
        }
    }
}
