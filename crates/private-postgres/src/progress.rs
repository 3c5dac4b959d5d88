//! A line each second for whoever waits.

use std::pin::pin;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);

/// Passes on at most one line each second, the first after a second.
pub(super) struct Ticker<'a, F> {
    progress: &'a F,
    started: Instant,
    told: Instant,
}

impl<'a, F: Fn(&str)> Ticker<'a, F> {
    pub(super) fn new(progress: &'a F) -> Self {
        let started = Instant::now();
        Self {
            progress,
            started,
            told: started,
        }
    }

    /// Says what is being waited for, unless it is too soon to say so.
    pub(super) fn tell(&mut self, what: &str) {
        if self.told.elapsed() < INTERVAL {
            return;
        }
        self.told = Instant::now();
        (self.progress)(&format!("{what} ({} s)", self.started.elapsed().as_secs()));
    }
}

/// Awaits `future` and says each second that it does.
pub(super) async fn while_waiting<T>(
    progress: &impl Fn(&str),
    what: &str,
    future: impl Future<Output = T>,
) -> T {
    let mut ticker = Ticker::new(progress);
    let mut future = pin!(future);
    loop {
        match tokio::time::timeout(INTERVAL, future.as_mut()).await {
            Ok(output) => return output,
            Err(_) => ticker.tell(what),
        }
    }
}
