//! Progress messages, one per second.

use std::pin::pin;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);

/// Forwards at most one message per second, the first one after a second.
pub(super) struct ProgressReporter<'a, F> {
    progress: &'a F,
    started: Instant,
    last_report: Instant,
}

impl<'a, F: Fn(&str)> ProgressReporter<'a, F> {
    pub(super) fn new(progress: &'a F) -> Self {
        let started = Instant::now();
        Self {
            progress,
            started,
            last_report: started,
        }
    }

    /// Reports the current step, unless the last message is less than a second old.
    pub(super) fn report(&mut self, what: &str) {
        if self.last_report.elapsed() < INTERVAL {
            return;
        }
        self.last_report = Instant::now();
        (self.progress)(&format!("{what} ({} s)", self.started.elapsed().as_secs()));
    }
}

/// Awaits `future` and reports once per second.
pub(super) async fn while_waiting<T>(
    progress: &impl Fn(&str),
    what: &str,
    future: impl Future<Output = T>,
) -> T {
    let mut reporter = ProgressReporter::new(progress);
    let mut future = pin!(future);
    loop {
        match tokio::time::timeout(INTERVAL, future.as_mut()).await {
            Ok(output) => return output,
            Err(_) => reporter.report(what),
        }
    }
}
