//! What was measured, and what is made of it.

use std::time::Duration;

/// The requests of one stretch of time.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// How long each took, in microseconds; sorted.
    latencies: Vec<u32>,
    /// How long the stretch was, in seconds.
    seconds: f64,
    /// How much processor time they took, in seconds, where that is known.
    cpu: Option<f64>,
}

impl Sample {
    /// Of latencies in microseconds.
    pub fn new(mut latencies: Vec<u32>, time: Duration) -> Self {
        latencies.sort_unstable();
        Self {
            latencies,
            seconds: time.as_secs_f64(),
            cpu: None,
        }
    }

    /// With the processor time that was used meanwhile.
    pub fn with_cpu(self, seconds: f64) -> Self {
        Self {
            cpu: Some(seconds),
            ..self
        }
    }

    /// Adds another stretch.
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

    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    /// Which part of all were as fast or faster: 0.5 for the median. In milliseconds.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.latencies
            .get(at)
            .map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }

    /// Processor time of one request, in microseconds.
    pub fn cpu_us(&self) -> Option<f64> {
        self.cpu
            .map(|seconds| seconds * 1e6 / self.latencies.len() as f64)
    }
}
