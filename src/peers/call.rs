//! The one client: how every call to a peer is tagged, traced and counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Client;
use tracing::{Instrument, Span};
use url::Url;
use uuid::Uuid;

use super::answer::{CallFailure, CallOutcome};
use super::gate::{Gate, Limits};
use crate::failpoints;
use crate::metrics::Metrics;
use crate::telemetry;

/// Idle connections are given up sooner than common servers do (5 s), so that a call seldom meets
/// one that is just being closed and gets no answer for it.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// Where the peers are and how long they may take. No `Debug`: a URL may carry a password.
#[derive(Clone)]
pub struct Settings {
    /// InventoryService; a path is a prefix of every call.
    pub inventory: Url,
    /// PaymentService; a path is a prefix of every call.
    pub payment: Url,
    /// ShippingService; a path is a prefix of every call.
    pub shipping: Url,
    /// How long one exchange may take, from the first byte sent to the last byte read.
    pub timeout: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How many calls at a time, and what becomes of a peer that fails.
    pub limits: Limits,
}

/// What marks a request, whatever it asks for.
#[derive(Clone, Copy, Debug)]
pub struct CallContext<'a> {
    /// `Idempotency-Key`: the same for every attempt at the same thing.
    pub idempotency_key: &'a str,
    /// The trace that the call belongs to, for `traceparent`, where this process keeps no traces itself.
    pub trace_id: Uuid,
    /// `X-Request-ID`.
    pub request_id: &'a str,
    /// Whether the same was tried before and led nowhere.
    pub is_retry: bool,
}

impl<'a> CallContext<'a> {
    /// Of a request that belongs to no order, and is made once.
    pub fn of_no_order(trace_id: Uuid, request_id: &'a str) -> Self {
        Self {
            idempotency_key: request_id,
            trace_id,
            request_id,
            is_retry: false,
        }
    }
}

/// Hears of every call once it has ended.
pub trait Observer: Send + Sync {
    /// `peer` is left alone for a while, or is not.
    fn breaker_is(&self, peer: &'static str, open: bool);

    /// `operation` of `peer` ended with `outcome` (`yes`, `no`, `unclear`, `not_sent` or `wrong`).
    fn call_ended(
        &self,
        peer: &'static str,
        operation: &'static str,
        outcome: &'static str,
        took: Duration,
    );
}

impl Observer for Metrics {
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
    /// The HTTP client refuses, as it does where no certificate authorities are installed.
    #[error("cannot build the HTTP client")]
    Client(#[source] reqwest::Error),
}

/// The HTTP client that all peers share.
pub(super) fn client(settings: &Settings) -> Result<Client, Error> {
    Client::builder()
        .user_agent(concat!("order-service/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(POOL_IDLE)
        // Followed in `exchange`, which knows the method; a policy of the client does not.
        .redirect(reqwest::redirect::Policy::none())
        // The default sends a request again after some protocol errors: only the saga may.
        .retry(reqwest::retry::never())
        // A stray HTTP_PROXY must not see charges.
        .no_proxy()
        .build()
        .map_err(Error::Client)
}

/// What a call is called, and its span.
pub(super) struct Operation {
    pub name: &'static str,
    pub span: Span,
}

impl Operation {
    /// Whether it takes an order forward; the others undo, or look.
    fn is_forward(&self) -> bool {
        matches!(self.name, "reserve" | "charge" | "create" | "commit")
    }
}

/// `operation!("payment", "charge")`: the span is named `peer.payment.charge`. A macro, because
/// the name of a span is a constant.
macro_rules! operation {
    ($peer:literal, $name:literal) => {
        $crate::peers::call::Operation {
            name: $name,
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

/// One peer: its name, where it is and how it is reached.
#[derive(Clone)]
pub(super) struct Peer {
    pub name: &'static str,
    pub base: Url,
    pub client: Client,
    pub timeout: Duration,
    observer: Arc<dyn Observer>,
    gate: Arc<Gate>,
}

impl Peer {
    pub fn new(
        name: &'static str,
        base: Url,
        client: Client,
        timeout: Duration,
        observer: Arc<dyn Observer>,
        limits: Limits,
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
            gate: Arc::new(Gate::new(limits)),
        })
    }

    /// Runs a whole call inside its span and reports how it ended, once.
    pub async fn call<T>(
        &self,
        operation: Operation,
        tag: &CallContext<'_>,
        work: impl Future<Output = Result<CallOutcome<T>, CallFailure>>,
    ) -> CallOutcome<T> {
        let started = Instant::now();
        telemetry::call(&operation.span, self.name);
        let entered = self.gate.enter(operation.is_forward(), tag.is_retry).await;
        let answer = match entered {
            Ok(pass) => {
                self.pass_point(&operation, "before_call");
                let answer = work.instrument(operation.span.clone()).await;
                self.pass_point(&operation, "after_call");
                let answer = answer.unwrap_or_else(CallOutcome::Retryable);
                drop(pass);
                let is_open = self
                    .gate
                    .leave(!matches!(answer, CallOutcome::Retryable(_)));
                self.observer.breaker_is(self.name, is_open);
                answer
            }
            Err(trouble) => CallOutcome::Retryable(trouble),
        };
        let outcome = answer.outcome();
        operation.span.record("outcome", outcome);
        if !matches!(answer, CallOutcome::Success(_) | CallOutcome::Rejected(_)) {
            telemetry::went_wrong(&operation.span, outcome);
        }
        self.observer
            .call_ended(self.name, operation.name, outcome, started.elapsed());
        answer
    }

    /// Reading a list or keys, or signing somebody in, is no point of any order's way: nothing hangs on it.
    fn pass_point(&self, operation: &Operation, when: &str) {
        if !matches!(operation.name, "list" | "sign_in" | "keys") {
            failpoints::pass(&["peers", self.name, operation.name, when]);
        }
    }
}
