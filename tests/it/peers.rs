//! The peer clients against a scripted server: every response that they must handle.

mod calls;
mod charge;
mod commit;
mod errors;
mod faults;
mod look_up;
mod pagination;
mod redirects;
mod refund;
mod release;
mod reserve;
mod shipments;
mod users;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use order_service::domain::ids::{CustomerId, OrderId};
use order_service::domain::money::{Currency, Money};
use order_service::domain::order::Item;
use order_service::peers::{
    CallContext, CallObserver, CallOutcome, ChargeRequest, PeerLimits, PeerSettings, Peers,
    ShipmentRequest,
};
use url::Url;
use uuid::Uuid;

use crate::support::scripted_server::{Scripted, ScriptedReply};

const ORDER: OrderId = OrderId(42);
const TAG: CallContext<'_> = CallContext {
    idempotency_key: "f00d-charge_payment",
    trace_id: Uuid::from_u128(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c),
    request_id: "req-1",
    is_retry: false,
};

/// Records the observed calls.
#[derive(Default)]
struct ObservedCalls(Mutex<Vec<(&'static str, &'static str, &'static str)>>);

impl CallObserver for ObservedCalls {
    fn breaker_is(&self, _: &'static str, _: bool) {}

    fn call_ended(
        &self,
        peer: &'static str,
        operation: &'static str,
        outcome: &'static str,
        _took: Duration,
    ) {
        self.0.lock().unwrap().push((peer, operation, outcome));
    }
}

/// The three peers, served by one scripted server.
struct PeersFixture {
    server: Scripted,
    peers: Peers,
    ended: Arc<ObservedCalls>,
}

impl PeersFixture {
    async fn new(script: impl IntoIterator<Item = ScriptedReply>) -> Self {
        Self::patient(script, Duration::from_secs(20)).await
    }

    async fn patient(script: impl IntoIterator<Item = ScriptedReply>, timeout: Duration) -> Self {
        let server = Scripted::start(script).await;
        let ended = Arc::new(ObservedCalls::default());
        let peers = peers_at(&server.url(), timeout, ended.clone());
        Self {
            server,
            peers,
            ended,
        }
    }

    fn ended(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        self.ended.0.lock().unwrap().clone()
    }
}

fn peers_at(url: &Url, timeout: Duration, observer: Arc<ObservedCalls>) -> Peers {
    let settings = PeerSettings {
        inventory: url.clone(),
        payment: url.clone(),
        shipping: url.clone(),
        timeout,
        connect_timeout: Duration::from_secs(5),
        limits: LIMITS,
    };
    Peers::new(settings, observer).unwrap()
}

/// Limits that no test here reaches.
const LIMITS: PeerLimits = PeerLimits {
    max_concurrent_calls: 32,
    breaker_failures: u32::MAX,
    breaker_cooldown: Duration::from_secs(5),
    queue_timeout: Duration::from_secs(5),
};

fn usd() -> Currency {
    Currency::from_code("USD").unwrap()
}

fn money(text: &str) -> Money {
    Money::parse_price(text, usd()).unwrap()
}

fn charge() -> ChargeRequest<'static> {
    ChargeRequest {
        order_id: ORDER,
        customer_id: CustomerId(5),
        amount: money("100.10"),
        currency: usd(),
        method: Some("UPI"),
    }
}

fn parcel() -> ShipmentRequest<'static> {
    ShipmentRequest {
        order_id: ORDER,
        carrier: "DHL",
        address: Some("1 Main Street"),
    }
}

fn items() -> Vec<Item> {
    let item = |product_id, sku: &str, quantity| Item {
        order_item_id: 1,
        product_id,
        sku: sku.to_owned(),
        name: None,
        quantity,
        unit_price: money("1"),
        line_total: money("1"),
    };
    vec![item(Some(7), "SKU0007", 3), item(None, "SKU0008", 1)]
}

/// The operator's reason in an outcome, which must be one clean line.
fn reason<T>(answer: &CallOutcome<T>) -> &str {
    let reason = match answer {
        CallOutcome::Success(_) => "",
        CallOutcome::Rejected(rejection) | CallOutcome::Mismatched(rejection) => &rejection.reason,
        CallOutcome::Retryable(failure) => &failure.reason,
    };
    assert!(reason.chars().count() <= 200, "{reason}");
    assert!(!reason.contains(char::is_control), "{reason}");
    reason
}
