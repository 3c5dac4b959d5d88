//! The metrics that Prometheus scrapes. Every label has a small, fixed set of values, such as methods, route
//! templates, statuses and steps: never an order id or a text from outside.

use std::time::Duration;

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::domain::cancel_reason::CancelReason;

/// Buckets for requests and peer calls, in seconds.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// Buckets for the reservation, in milliseconds.
const MILLISECONDS: &[f64] = &[
    1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0,
];

/// Why requests are rejected: the code of the problem that the client receives.
const REFUSALS: [&str; 4] = ["body-too-slow", "overloaded", "rate-limited", "timed-out"];
/// Why the service closes connections.
const CONNECTION_ENDS: [&str; 5] = [
    "header_timeout",
    "idle",
    "not_accepted",
    "refused",
    "stalled",
];

/// An open connection of a client; counted until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(IntGauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Declares the metrics and their registration in one table. The doc comment of a field is the help text
/// of its metric.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+
        $access:vis $field:ident: $type:ty = $kind:ident($name:literal $(, $argument:expr)*);)+) => {
        /// Every metric of the service, in a registry of its own.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $($(#[doc = $help])+ $access $field: $type,)+
        }

        impl Metrics {
            fn register(new: Registering) -> Result<Self, prometheus::Error> {
                Ok(Self {
                    $($field: new.$kind($name, concat!($($help),+).trim_start() $(, $argument)*)?,)+
                    registry: new.0,
                })
            }
        }
    };
}

metrics! {
    /// Orders that were accepted.
    pub orders_placed: IntCounter = counter("orders_placed_total");
    /// Orders that were cancelled, by reason.
    pub orders_cancelled: IntCounterVec = counters("orders_cancelled_total", &["reason"]);
    /// Charges that Payment declined.
    pub payments_failed: IntCounter = counter("payments_failed_total");
    /// Orders that Inventory could not reserve.
    pub stockouts: IntCounter = counter("stockouts_total");
    /// How long Inventory takes to reserve, in milliseconds.
    pub inventory_reserve_latency_ms: Histogram =
        histogram("inventory_reserve_latency_ms", MILLISECONDS);
    /// Requests by method, route template and status.
    pub http_requests: IntCounterVec =
        counters("http_requests_total", &["method", "route", "status"]);
    /// How long requests take, in seconds, by method, route template and status.
    pub http_request_duration: HistogramVec =
        histograms("http_request_duration_seconds", &["method", "route", "status"]);
    /// Requests that are being answered.
    pub http_requests_in_flight: IntGauge = gauge("http_requests_in_flight");
    /// Requests that were rejected without being processed, by reason.
    http_refused: IntCounterVec = counters("http_refused_total", &["reason"]);
    /// Open connections of clients.
    http_connections: IntGauge = gauge("http_connections");
    /// Connections that the service closed or did not accept, by reason.
    http_connections_ended: IntCounterVec =
        counters("http_connections_ended_total", &["reason"]);
    /// How long calls to peers take, in seconds, by peer, operation and outcome.
    pub peer_calls: HistogramVec =
        histograms("peer_call_duration_seconds", &["peer", "operation", "outcome"]);
    /// Whether the circuit breaker of a peer is open: 1, otherwise 0.
    pub breakers_open: IntGaugeVec = gauges("peer_breaker_open", &["peer"]);
    /// Attempts at saga steps, by step, direction and outcome.
    pub saga_steps: IntCounterVec =
        counters("saga_steps_total", &["step", "direction", "outcome"]);
    /// Sagas in progress, by phase and by time at the current step.
    pub sagas_open: IntGaugeVec = gauges("sagas_open", &["phase", "age"]);
    /// Stuck sagas, which wait for a decision by staff, by how long they have waited.
    pub sagas_stuck: IntGaugeVec = gauges("sagas_stuck", &["age"]);
    /// How long the saga that has been due longest waits to be claimed, in seconds; 0 if none is due.
    pub sagas_due_lag: IntGauge = gauge("sagas_due_lag_seconds");
    /// Findings of the last reconciliation, by kind.
    pub reconciliation_findings: IntGaugeVec = gauges("reconciliation_findings", &["kind"]);
    /// When a reconciliation last completed, as a Unix time; 0 if none did.
    pub reconciliation_last_run: IntGauge = gauge("reconciliation_last_run_timestamp_seconds");
    /// Open live streams of order events.
    pub live_listeners: IntGauge = gauge("live_listeners");
    /// Events sent to live streams.
    pub live_events_sent: IntCounter = counter("live_events_sent_total");
    /// Live streams that were closed because the client did not read.
    pub live_listeners_dropped: IntCounter = counter("live_listeners_dropped_total");
    /// Keys that tokens are verified with.
    pub token_keys: IntGauge = gauge("jwt_keys");
    /// When the issuer's published keys were last fetched, as a Unix time; 0 if they never were.
    pub token_keys_fetched: IntGauge = gauge("jwt_keys_fetched_timestamp_seconds");
    /// Connections to the database, by state.
    pub pool_connections: IntGaugeVec = gauges("db_pool_connections", &["state"]);
    /// Callers that wait for a connection to the database.
    pub pool_waiting: IntGauge = gauge("db_pool_waiting");
    /// Units of database work that were repeated after a conflict, a lost connection or a standby's error.
    pub db_repeats: IntCounterVec = counters("db_repeats_total", &["reason"]);
    /// Spans that were sent, failed to be sent, or were dropped because the queue was full.
    pub trace_spans: IntCounterVec = counters("trace_spans_total", &["result"]);
}

impl Metrics {
    /// Registers all metrics. Label values that are known in advance start at zero.
    pub fn new() -> Result<Self, prometheus::Error> {
        let metrics = Self::register(Registering(Registry::new()))?;
        for reason in CancelReason::ALL {
            metrics
                .orders_cancelled
                .with_label_values(&[reason.as_str()]);
        }
        for reason in REFUSALS {
            metrics.http_refused.with_label_values(&[reason]);
        }
        for reason in CONNECTION_ENDS {
            metrics.http_connections_ended.with_label_values(&[reason]);
        }
        for reason in ["conflict", "lost"] {
            metrics.db_repeats.with_label_values(&[reason]);
        }
        for result in ["sent", "failed", "dropped"] {
            metrics.trace_spans.with_label_values(&[result]);
        }
        metrics.register_process()?;
        Ok(metrics)
    }

    /// All metrics in the text format of Prometheus.
    pub fn encode(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Counts an open connection until the returned guard is dropped.
    pub fn connection_opened(&self) -> OpenConnection {
        self.http_connections.inc();
        OpenConnection(self.http_connections.clone())
    }

    /// Counts a connection that the service closed or did not accept.
    pub fn connection_ended(&self, reason: &str) {
        self.http_connections_ended
            .with_label_values(&[reason])
            .inc();
    }

    /// Counts a rejected request.
    pub fn request_refused(&self, reason: &str) {
        self.http_refused.with_label_values(&[reason]).inc();
    }

    /// Records the duration of a call to a peer.
    pub fn peer_call_ended(&self, peer: &str, operation: &str, outcome: &str, took: Duration) {
        self.peer_calls
            .with_label_values(&[peer, operation, outcome])
            .observe(took.as_secs_f64());
        if (peer, operation) == ("inventory", "reserve") {
            self.inventory_reserve_latency_ms
                .observe(took.as_secs_f64() * 1000.0);
        }
    }

    fn register_process(&self) -> Result<(), prometheus::Error> {
        let build = IntGauge::with_opts(
            Opts::new("build_info", "Always 1; the label is the running version.")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        )?;
        build.set(1);
        self.registry.register(Box::new(build))?;
        #[cfg(target_os = "linux")]
        self.registry.register(Box::new(
            prometheus::process_collector::ProcessCollector::for_self(),
        ))?;
        Ok(())
    }
}

/// Creates metrics and registers them.
struct Registering(Registry);

impl Registering {
    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        let counter = IntCounter::new(name, help)?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let gauge = IntGauge::new(name, help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, prometheus::Error> {
        let histogram =
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
        self.0.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<HistogramVec, prometheus::Error> {
        let histograms = HistogramVec::new(
            HistogramOpts::new(name, help).buckets(SECONDS.to_vec()),
            labels,
        )?;
        self.0.register(Box::new(histograms.clone()))?;
        Ok(histograms)
    }
}
