//! Samples of latencies and their statistics.

use std::time::Duration;

/// The requests of one interval.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Latencies in microseconds, sorted.
    latencies: Vec<u32>,
    /// Length of the interval, in seconds.
    seconds: f64,
    /// CPU time used, in seconds, if known.
    cpu: Option<f64>,
}

impl Sample {
    /// A sample of latencies in microseconds.
    pub fn new(mut latencies: Vec<u32>, time: Duration) -> Self {
        latencies.sort_unstable();
        Self {
            latencies,
            seconds: time.as_secs_f64(),
            cpu: None,
        }
    }

    /// The same sample with the CPU time of its interval.
    pub fn with_cpu(self, seconds: f64) -> Self {
        Self {
            cpu: Some(seconds),
            ..self
        }
    }

    /// Adds the requests of another interval.
    pub fn add(&mut self, other: Self) {
        self.cpu = match (self.cpu, other.cpu) {
            (Some(this), Some(other)) => Some(this + other),
            (None, other) if self.latencies.is_empty() => other,
            _ => None,
        };
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
        self.seconds += other.seconds;
    }

    /// Requests per second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    /// The quantile of the latency, in milliseconds; 0.5 is the median.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into the latencies"
    )]
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.latencies
            .get(at)
            .map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }

    /// CPU time per request, in microseconds.
    pub fn cpu_us(&self) -> Option<f64> {
        self.cpu
            .map(|seconds| seconds * 1e6 / self.latencies.len() as f64)
    }
}
