//! The HTTP client of all peers: admission, tracing and metrics of each call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Client;
use tracing::{Instrument, Span};
use url::Url;
use uuid::Uuid;

use super::call_admission::{Admission, PeerLimits};
use super::outcome::{CallFailure, CallOutcome};
use crate::failpoints;
use crate::metrics::Metrics;
use crate::telemetry;

/// Idle connections are closed earlier than common servers close them (5 s), so that a call rarely uses
/// a connection that the server is closing.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The settings of the peer clients. They have no `Debug`, because a URL may carry a password.
#[derive(Clone)]
pub struct PeerSettings {
    /// The base URL of InventoryService; its path is a prefix of every call.
    pub inventory: Url,
    /// The base URL of PaymentService; its path is a prefix of every call.
    pub payment: Url,
    /// The base URL of ShippingService; its path is a prefix of every call.
    pub shipping: Url,
    /// The outbound timeout of one HTTP round trip, from connecting to the last byte read.
    pub timeout: Duration,
    /// The outbound timeout of connecting, a part of `timeout`.
    pub connect_timeout: Duration,
    /// Bulkhead, circuit breaker and retry budget of each peer.
    pub limits: PeerLimits,
}

/// Identifies a call to the peer and in traces.
#[derive(Clone, Copy, Debug)]
pub struct CallContext<'a> {
    /// The idempotency key, for the header `Idempotency-Key`. Every attempt at an operation sends the same
    /// key, so that the peer performs the operation once.
    pub idempotency_key: &'a str,
    /// The trace id for `traceparent` when this process exports no traces itself.
    pub trace_id: Uuid,
    /// The header `X-Request-ID`.
    pub request_id: &'a str,
    /// Whether an earlier attempt at the same operation failed; the retry budget counts it.
    pub is_retry: bool,
}

impl<'a> CallContext<'a> {
    /// The context of a call that belongs to no order and is never retried.
    pub fn without_order(trace_id: Uuid, request_id: &'a str) -> Self {
        Self {
            idempotency_key: request_id,
            trace_id,
            request_id,
            is_retry: false,
        }
    }
}

/// Observes every call when it ends.
pub trait CallObserver: Send + Sync {
    /// Whether the circuit breaker of `peer` is open now.
    fn breaker_is(&self, peer: &'static str, open: bool);

    /// `operation` of `peer` ended with `outcome`, a label of [`CallOutcome::label`].
    fn call_ended(
        &self,
        peer: &'static str,
        operation: &'static str,
        outcome: &'static str,
        took: Duration,
    );
}

impl CallObserver for Metrics {
    fn call_ended(
        &self,
        peer: &'static str,
        operation: &'static str,
        outcome: &'static str,
        took: Duration,
    ) {
        self.peer_call_ended(peer, operation, outcome, took);
    }

    fn breaker_is(&self, peer: &'static str, open: bool) {
        self.breakers_open
            .with_label_values(&[peer])
            .set(open.into());
    }
}

/// Why the clients cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A base URL is not `http` or `https`, or has a query or fragment.
    #[error("the URL of the {0} service must be http or https, without a query")]
    BaseUrl(&'static str),
    /// The HTTP client cannot be built, for example because no certificate authorities are installed.
    #[error("cannot build the HTTP client")]
    Client(#[source] reqwest::Error),
}

/// The HTTP client that all peers share. The outbound timeout of a whole call is set in `round_trip`.
pub(super) fn http_client(settings: &PeerSettings) -> Result<Client, Error> {
    Client::builder()
        .user_agent(concat!("order-service/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        // `round_trip` follows redirects, because it knows the method; a policy of reqwest does not.
        .redirect(reqwest::redirect::Policy::none())
        // By default reqwest resends after some protocol errors. Only the saga decides about retries.
        .retry(reqwest::retry::never())
        // A stray HTTP_PROXY must not receive charges.
        .no_proxy()
        .build()
        .map_err(Error::Client)
}

/// The purpose of an operation. The bulkhead reserves permits for every purpose except [`Self::Forward`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallPurpose {
    /// Executes a step of a saga.
    Forward,
    /// Undoes a step.
    Compensation,
    /// Finds the result of an earlier call of a saga.
    Lookup,
    /// Belongs to no saga, such as a sign-in.
    NoSaga,
}

/// The name and purpose of an operation, and the span of one call.
pub(super) struct PeerOperation {
    pub name: &'static str,
    pub purpose: CallPurpose,
    pub span: Span,
}

/// `operation!(Forward, "payment", "charge")` has a span named `peer.payment.charge`. It is a macro, because
/// the name of a span is a constant.
macro_rules! operation {
    ($purpose:ident, $peer:literal, $name:literal) => {
        $crate::peers::call::PeerOperation {
            name: $name,
            purpose: $crate::peers::call::CallPurpose::$purpose,
            span: tracing::info_span!(
                concat!("peer.", $peer, ".", $name),
                otel.kind = tracing::field::Empty,
                status = tracing::field::Empty,
                outcome = tracing::field::Empty
            ),
        }
    };
}
pub(super) use operation;

/// The HTTP client of one peer.
#[derive(Clone)]
pub(super) struct PeerClient {
    pub name: &'static str,
    pub base: Url,
    pub client: Client,
    pub timeout: Duration,
    observer: Arc<dyn CallObserver>,
    admission: Arc<Admission>,
}

impl PeerClient {
    pub fn new(
        name: &'static str,
        base: Url,
        client: Client,
        timeout: Duration,
        observer: Arc<dyn CallObserver>,
        limits: PeerLimits,
    ) -> Result<Self, Error> {
        let plain = base.query().is_none() && base.fragment().is_none();
        if !plain || !matches!(base.scheme(), "http" | "https") {
            return Err(Error::BaseUrl(name));
        }
        Ok(Self {
            name,
            base,
            client,
            timeout,
            observer,
            admission: Arc::new(Admission::new(limits)),
        })
    }

    /// Runs a call within its span, and reports its outcome once to metrics and circuit breaker.
    pub async fn call<T>(
        &self,
        operation: PeerOperation,
        context: &CallContext<'_>,
        work: impl Future<Output = Result<CallOutcome<T>, CallFailure>>,
    ) -> CallOutcome<T> {
        let started = Instant::now();
        telemetry::start_client_span(&operation.span, self.name);
        let admitted = self
            .admission
            .admit(operation.purpose == CallPurpose::Forward, context.is_retry)
            .await;
        let result = match admitted {
            Ok(permit) => {
                self.pass_failpoint(&operation, "before_call");
                let result = work.instrument(operation.span.clone()).await;
                self.pass_failpoint(&operation, "after_call");
                let result = result.unwrap_or_else(CallOutcome::Retryable);
                drop(permit);
                let succeeded = !matches!(result, CallOutcome::Retryable(_));
                let is_open = self.admission.record(succeeded);
                self.observer.breaker_is(self.name, is_open);
                result
            }
            Err(failure) => CallOutcome::Retryable(failure),
        };
        let outcome = result.label();
        operation.span.record("outcome", outcome);
        if !matches!(result, CallOutcome::Success(_) | CallOutcome::Rejected(_)) {
            telemetry::record_error(&operation.span, outcome);
        }
        self.observer
            .call_ended(self.name, operation.name, outcome, started.elapsed());
        result
    }

    /// Operations outside a saga have no failpoint.
    fn pass_failpoint(&self, operation: &PeerOperation, when: &str) {
        if operation.purpose != CallPurpose::NoSaga {
            failpoints::pass(&["peers", self.name, operation.name, when]);
        }
    }
}
