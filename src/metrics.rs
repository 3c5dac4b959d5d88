//! What Prometheus scrapes. Every label has a small, fixed set of values: methods, route templates,
//! statuses, steps, never a number of an order or a text from outside.

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

/// Why requests are turned away, each with the code of its problem.
const REFUSALS: [&str; 4] = ["body-too-slow", "overloaded", "rate-limited", "timed-out"];
/// Why connections end.
const CONNECTION_ENDS: [&str; 5] = [
    "header_timeout",
    "idle",
    "not_accepted",
    "refused",
    "stalled",
];

/// A connection of a client, while it is there.
#[derive(Debug)]
pub struct OpenConnection(IntGauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Every metric of the service, in a registry of its own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Orders that were accepted.
    pub orders_placed: IntCounter,
    /// Orders that were called off, by reason.
    pub orders_cancelled: IntCounterVec,
    /// Charges that Payment declined.
    pub payments_failed: IntCounter,
    /// Orders that Inventory could not reserve.
    pub stockouts: IntCounter,
    /// How long Inventory takes to reserve, in milliseconds.
    pub inventory_reserve_latency_ms: Histogram,
    /// Requests by method, route and status.
    pub http_requests: IntCounterVec,
    /// How long requests take, in seconds, by method, route and status.
    pub http_request_duration: HistogramVec,
    /// Requests that are being answered.
    pub http_requests_in_flight: IntGauge,
    /// Requests that were turned away unanswered, by reason.
    http_refused: IntCounterVec,
    /// Connections of clients.
    http_connections: IntGauge,
    /// Connections that the service ended, or did not begin, by reason.
    http_connections_ended: IntCounterVec,
    /// How long calls to peers take, in seconds, by peer, operation and outcome.
    pub peer_calls: HistogramVec,
    /// Peers that are left alone after many failures in a row: 1, else 0.
    pub breakers_open: IntGaugeVec,
    /// Attempts at steps of fulfilment, by step, direction and outcome.
    pub saga_steps: IntCounterVec,
    /// Fulfilments that are open, by phase and age.
    pub sagas_open: IntGaugeVec,
    /// Fulfilments that wait for a person, by age.
    pub sagas_stuck: IntGaugeVec,
    /// For how many seconds the fulfilment that has been due longest waits to be claimed.
    pub sagas_due_lag: IntGauge,
    /// What the last reconciliation found, by kind.
    pub reconciliation_findings: IntGaugeVec,
    /// When reconciliation last came to its end, as a Unix time.
    pub reconciliation_last_run: IntGauge,
    /// Those who follow an order live.
    pub live_listeners: IntGauge,
    /// Events that were sent to them.
    pub live_events_sent: IntCounter,
    /// Those who were dropped because they did not read.
    pub live_listeners_dropped: IntCounter,
    /// Keys that tokens are verified with.
    pub token_keys: IntGauge,
    /// When those that their issuer publishes were last fetched, as a Unix time.
    pub token_keys_fetched: IntGauge,
    /// Connections to the database, by state.
    pub pool_connections: IntGaugeVec,
    /// Callers that wait for a connection to the database.
    pub pool_waiting: IntGauge,
    /// Pieces of work with the database that were done again, by reason: `conflict`, `lost` or `standby`.
    pub db_repeats: IntCounterVec,
    /// Spans of traces, by result: `sent`, `failed` or `dropped`.
    pub trace_spans: IntCounterVec,
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> Result<Self, prometheus::Error> {
        let new = Registering(Registry::new());
        let metrics = Self {
            orders_placed: new.counter("orders_placed_total", "Orders that were accepted.")?,
            orders_cancelled: new.counters(
                "orders_cancelled_total",
                "Orders that were called off, by reason.",
                &["reason"],
            )?,
            payments_failed: new
                .counter("payments_failed_total", "Charges that Payment declined.")?,
            stockouts: new.counter(
                "stockouts_total",
                "Orders that Inventory could not reserve.",
            )?,
            inventory_reserve_latency_ms: new.histogram(
                "inventory_reserve_latency_ms",
                "How long Inventory takes to reserve, in milliseconds.",
                MILLISECONDS,
            )?,
            http_requests: new.counters(
                "http_requests_total",
                "Requests by method, route template and status.",
                &["method", "route", "status"],
            )?,
            http_request_duration: new.histograms(
                "http_request_duration_seconds",
                "How long requests take, by method, route template and status.",
                &["method", "route", "status"],
            )?,
            http_requests_in_flight: new.gauge(
                "http_requests_in_flight",
                "Requests that are being answered.",
            )?,
            http_refused: new.counters(
                "http_refused_total",
                "Requests that were turned away, by reason.",
                &["reason"],
            )?,
            http_connections: new.gauge("http_connections", "Connections of clients.")?,
            http_connections_ended: new.counters(
                "http_connections_ended_total",
                "Connections that the service ended, or did not begin, by reason.",
                &["reason"],
            )?,
            peer_calls: new.histograms(
                "peer_call_duration_seconds",
                "How long calls to peers take, by peer, operation and outcome.",
                &["peer", "operation", "outcome"],
            )?,
            breakers_open: new.gauges(
                "peer_breaker_open",
                "Whether a peer is left alone after many failures in a row.",
                &["peer"],
            )?,
            saga_steps: new.counters(
                "saga_steps_total",
                "Attempts at steps of fulfilment, by step, direction and outcome.",
                &["step", "direction", "outcome"],
            )?,
            sagas_open: new.gauges(
                "sagas_open",
                "Fulfilments that are under way, by phase and how long they have stood there.",
                &["phase", "age"],
            )?,
            sagas_stuck: new.gauges(
                "sagas_stuck",
                "Fulfilments that wait for a person, by how long they have waited.",
                &["age"],
            )?,
            sagas_due_lag: new.gauge(
                "sagas_due_lag_seconds",
                "For how long the fulfilment that has been due longest waits to be claimed; 0 if none is due.",
            )?,
            reconciliation_findings: new.gauges(
                "reconciliation_findings",
                "Discrepancies between orders and the peers' ledgers at the last reconciliation, by kind.",
                &["kind"],
            )?,
            reconciliation_last_run: new.gauge(
                "reconciliation_last_run_timestamp_seconds",
                "When reconciliation last came to its end; 0 if it never did.",
            )?,
            live_listeners: new.gauge("live_listeners", "Those who follow an order live.")?,
            live_events_sent: new.counter(
                "live_events_sent_total",
                "Events that were sent to those who follow an order live.",
            )?,
            live_listeners_dropped: new.counter(
                "live_listeners_dropped_total",
                "Those who followed an order live and did not read what they were sent.",
            )?,
            token_keys: new.gauge("jwt_keys", "Keys that tokens are verified with.")?,
            token_keys_fetched: new.gauge(
                "jwt_keys_fetched_timestamp_seconds",
                "When the published keys of tokens were last fetched; 0 if they never were.",
            )?,
            pool_connections: new.gauges(
                "db_pool_connections",
                "Connections to the database, by state.",
                &["state"],
            )?,
            pool_waiting: new.gauge(
                "db_pool_waiting",
                "Callers that wait for a connection to the database.",
            )?,
            db_repeats: new.counters(
                "db_repeats_total",
                "Pieces of work with the database that were done again: conflict, lost connection, or a standby in trouble.",
                &["reason"],
            )?,
            trace_spans: new.counters(
                "trace_spans_total",
                "Spans of traces: sent, failed to be sent, or dropped because too many waited.",
                &["result"],
            )?,
            registry: new.0,
        };
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

    /// The text that Prometheus reads.
    pub fn encode(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Notes that a connection has begun; it ends when what is returned is dropped.
    pub fn connection_opened(&self) -> OpenConnection {
        self.http_connections.inc();
        OpenConnection(self.http_connections.clone())
    }

    /// Notes that the service has ended a connection, or has not begun it.
    pub fn connection_ended(&self, reason: &str) {
        self.http_connections_ended
            .with_label_values(&[reason])
            .inc();
    }

    /// Notes that a request was turned away.
    pub fn request_refused(&self, reason: &str) {
        self.http_refused.with_label_values(&[reason]).inc();
    }

    /// Notes that a call to a peer has ended.
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
            Opts::new("build_info", "Always 1; the labels tell what runs.")
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

/// Makes metrics and registers them.
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
