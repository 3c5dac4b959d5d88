//! Traces of the real binary, as a collector receives them.

mod disabled;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use order_service::config::Environment;
use reqwest::Method;
use sandbox::Sandbox;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::app::{TestApp, environment};
use crate::support::client::{Client, cart};
use crate::support::collector::{Collector, Gateway, Span};
use crate::support::database::TestDatabase;
use crate::support::proxy::Proxy;
use crate::support::service::{Service, eventually};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// The environment of a traced service.
struct TracedService {
    database: TestDatabase,
    _sandbox: Sandbox,
    payment: Gateway,
    environment: Environment,
}

impl TracedService {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let sandbox = TestApp::sandbox().await;
        let payment = Gateway::start(&sandbox.urls().payment).await;
        let mut environment = environment(&database, &sandbox);
        environment.set("PAYMENT_SERVICE_URL", payment.url.as_str());
        // A service name alone does not enable tracing.
        environment.set("OTEL_SERVICE_NAME", "shop-orders");
        Self {
            database,
            _sandbox: sandbox,
            payment,
            environment,
        }
    }

    async fn sending_to(url: &str) -> Self {
        let mut fixture = Self::new().await;
        fixture.environment.set("OTEL_EXPORTER_OTLP_ENDPOINT", url);
        fixture
    }

    async fn identity(&self, order_id: i64) -> String {
        let identity: Uuid =
            sqlx::query_scalar("select identity from fulfilments where order_id = $1")
                .bind(order_id)
                .fetch_one(&mut self.database.connection().await)
                .await
                .unwrap();
        identity.simple().to_string()
    }
}

/// Places an order with these headers and waits until it is confirmed.
async fn place(service: &Service, headers: &[(&'static str, &str)]) -> i64 {
    let mut body = cart("SKU0001", 1, "10.00");
    body["shipping_address"] = json!("221B Baker Street");
    let mut request = Client::customer(&service.base, 5)
        .request(Method::POST, "/v1/orders/create/?from=secret-shelf")
        .json(&body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let order: Value = answer.json().await.unwrap();
    assert_eq!(order["order_status"], "CONFIRMED");
    order["order_id"].as_i64().unwrap()
}

/// The only span with this name.
#[track_caller]
fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {spans:#?}");
    found[0]
}

const PLACING: &str = "POST /v1/orders/create/";

#[tokio::test]
async fn a_placement_joins_its_callers_trace_and_starts_another() {
    let collector = Collector::start().await;
    let mut fixture = TracedService::sending_to(&collector.url).await;
    let headers = "authorization=Bearer%20of%20the%20collector";
    fixture
        .environment
        .set("OTEL_EXPORTER_OTLP_HEADERS", headers);
    fixture.environment.set("FOLLOW_INTERVAL_MS", "3600000");
    let mut service = Service::start(&fixture.environment).await;
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let told = [
        ("traceparent", traceparent.as_str()),
        ("tracestate", "shop=shelf-7"),
        ("x-request-id", "request-1"),
    ];
    let order_id = place(&service, &told).await;
    let identity = fixture.identity(order_id).await;
    service.stop().await;
    let spans = collector.spans();

    let request = one(&spans, PLACING);
    assert_eq!(request.kind, SpanKind::Server);
    assert_eq!((&*request.trace_id, &*request.parent), (TRACE, CALLER));
    assert_eq!(request.trace_state, "shop=shelf-7");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/v1/orders/create/"),
        ("http.response.status_code", "201"),
        ("url.path", "/v1/orders/create/"),
        ("request_id", "request-1"),
    ] {
        assert_eq!(request.attributes[name], value);
    }
    assert!(!request.failed);
    let written = one(&spans, "db.orders.place");
    assert_eq!(written.trace_id, TRACE);
    assert_eq!(written.parent, request.span_id);
    assert_eq!(written.attributes["db.system.name"], "postgresql");

    let first = one(&spans, "fulfilment.drive");
    assert_eq!((&*first.trace_id, &*first.parent), (&*identity, ""));
    let id = |span: &Span| (span.trace_id.clone(), span.span_id.clone());
    assert_eq!(first.links, [id(request)]);
    assert_eq!(request.links, [id(first)]);
    for name in [
        "peer.inventory.reserve",
        "peer.payment.charge",
        "peer.shipping.create",
        "peer.inventory.commit",
    ] {
        let call = one(&spans, name);
        assert_eq!(call.kind, SpanKind::Client);
        assert_eq!(call.trace_id, identity);
        assert_eq!(call.parent, first.span_id);
        assert_eq!(call.attributes["outcome"], "yes");
        assert!(call.attributes.contains_key("server.port"), "{call:?}");
    }
    let charge = one(&spans, "peer.payment.charge");
    let expected = format!("00-{identity}-{}-01", charge.span_id);
    assert_eq!(fixture.payment.traceparents(), [expected]);
    let recorded: Vec<&Span> = spans
        .iter()
        .filter(|span| span.name == "db.fulfilments.record")
        .collect();
    assert!(!recorded.is_empty());
    assert!(recorded.iter().all(|span| span.parent == first.span_id));

    assert!(spans.iter().all(|span| span.events == 0));
    // Queries of background loops start no traces.
    let alone = spans
        .iter()
        .find(|span| span.parent.is_empty() && span.name.starts_with("db."));
    assert!(alone.is_none(), "{alone:?}");
    assert_eq!(first.resource["service.name"], "shop-orders");
    let text = collector.text();
    for secret in ["Bearer", "Baker", "secret-shelf", "eyJ", "collector"] {
        assert!(!text.contains(secret), "{secret} is in the traces");
    }
    for headers in collector.headers() {
        assert_eq!(headers["authorization"], "Bearer of the collector");
    }
    let log = service.log();
    let line = log
        .iter()
        .find(|line| line["message"] == "request" && line["request_id"] == "request-1");
    assert_eq!(line.unwrap()["trace_id"], TRACE);
}

#[tokio::test]
async fn another_process_continues_the_trace_of_the_saga() {
    let collector = Collector::start().await;
    let fixture = TracedService::sending_to(&collector.url).await;
    let mut service = Service::start(&fixture.environment).await;
    let order_id = place(&service, &[]).await;
    let identity = fixture.identity(order_id).await;
    service.stop().await;
    let of_order = |span: &Span| span.trace_id == identity && span.name == "fulfilment.drive";
    let before: Vec<Span> = collector.spans().into_iter().filter(of_order).collect();
    let first = before.iter().find(|span| span.parent.is_empty()).unwrap();
    let instance = &first.resource["service.instance.id"];

    let mut other = Service::start(&fixture.environment).await;
    let asked = fixture.payment.traceparents().len();
    eventually("the parcel is tracked", async || {
        let spans = collector.spans();
        let theirs = spans.into_iter().filter(of_order);
        let mut theirs = theirs.filter(|it| &it.resource["service.instance.id"] != instance);
        theirs
            .next()
            .map(|span| assert_eq!(span.parent, first.span_id))
    })
    .await;
    other.stop().await;
    assert_eq!(fixture.payment.traceparents().len(), asked);
}

#[tokio::test]
async fn a_cancel_links_to_the_saga_that_it_started() {
    let collector = Collector::start().await;
    let mut fixture = TracedService::sending_to(&collector.url).await;
    fixture.environment.set("FOLLOW_INTERVAL_MS", "3600000");
    // A poll would continue the saga as well, without a link to the cancel.
    fixture.environment.set("POLL_INTERVAL_MS", "60000");
    let mut service = Service::start(&fixture.environment).await;
    let order_id = place(&service, &[]).await;
    let cancel = Client::customer(&service.base, 5).cancel(order_id).await;
    assert_eq!(cancel.status, 200);
    let identity = fixture.identity(order_id).await;
    service.stop().await;
    let spans = collector.spans();
    let request = one(&spans, "POST /v1/orders/{order_id}/cancel/");
    let [(trace_id, span_id)] = &request.links[..] else {
        panic!("{request:?}");
    };
    assert_eq!(trace_id, &identity);
    let driven = spans.iter().find(|span| &span.span_id == span_id).unwrap();
    let link = (request.trace_id.clone(), request.span_id.clone());
    assert_eq!(driven.links, [link]);
    let first = spans
        .iter()
        .find(|it| it.trace_id == identity && it.parent.is_empty());
    assert_eq!(driven.parent, first.unwrap().span_id);
}

#[tokio::test]
async fn a_valid_traceparent_is_honoured() {
    let collector = Collector::start().await;
    let fixture = TracedService::sending_to(&collector.url).await;
    let mut service = Service::start(&fixture.environment).await;
    let customer = Client::customer(&service.base, 5);
    let ask = async |id: &str, traceparent: &str| {
        let request = customer
            .request(Method::GET, "/v1/orders/")
            .header("x-request-id", id)
            .header("traceparent", traceparent);
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    ask("kept", &format!("00-{TRACE}-{CALLER}-01")).await;
    ask("not kept", &format!("00-{TRACE}-{CALLER}-00")).await;
    for bad in [
        "",
        "00",
        "nonsense",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        ask("bad", bad).await;
    }
    let gone = customer.get("/v1/nowhere/").await;
    assert_eq!(gone.status, 404);
    service.stop().await;
    let spans = collector.spans();
    let of = |id: &str| -> Vec<Span> {
        let mine = |span: &&Span| span.attributes.get("request_id").is_some_and(|it| it == id);
        spans.iter().filter(mine).cloned().collect()
    };
    assert_eq!(of("kept")[0].parent, CALLER);
    assert!(of("not kept").is_empty());
    assert_eq!(of("bad").len(), 6);
    for span in of("bad") {
        assert!(span.parent.is_empty() && span.trace_id != TRACE, "{span:?}");
    }
    let nowhere = one(&spans, "GET");
    assert!(!nowhere.failed, "a client's fault is none of ours");
}

#[tokio::test]
async fn a_server_error_marks_its_span_as_failed() {
    let collector = Collector::start().await;
    let mut fixture = TracedService::sending_to(&collector.url).await;
    let proxy = Proxy::start(&fixture.database.options).await;
    fixture.environment.set("DATABASE_URL", proxy.url());
    // `RUST_LOG` filters logs, not spans.
    fixture
        .environment
        .set("RUST_LOG", "error,order_service::cli=info");
    let mut service = Service::start(&fixture.environment).await;
    proxy.go_away();
    let answer = Client::customer(&service.base, 5).get("/v1/orders/").await;
    assert_eq!(answer.status, 503);
    service.stop().await;
    let spans = collector.spans();
    let request = one(&spans, "GET /v1/orders/");
    assert!(request.failed);
    assert_eq!(request.attributes["http.response.status_code"], "503");
    assert_eq!(request.attributes["error.type"], answer.body["code"]);
}
