//! An OTLP receiver that keeps the spans it gets, and a gateway before a peer that records the
//! trace headers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1 as proto;
use prost::Message as _;
use tokio::net::TcpListener;
use url::Url;

/// A received span, with ids in hexadecimal digits.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: String,
    pub kind: proto::span::SpanKind,
    pub trace_id: String,
    pub span_id: String,
    /// Empty for a root span.
    pub parent: String,
    pub trace_state: String,
    pub attributes: BTreeMap<String, String>,
    /// Linked trace and span ids.
    pub links: Vec<(String, String)>,
    pub failed: bool,
    pub events: usize,
    /// The resource attributes of the sender.
    pub resource: BTreeMap<String, String>,
}

/// Everything received.
#[derive(Default)]
struct Arrived {
    spans: Vec<Span>,
    bodies: Vec<u8>,
    headers: Vec<HeaderMap>,
}

/// A receiver on its own port.
pub struct Collector {
    pub url: String,
    arrived: Arc<Mutex<Arrived>>,
}

impl Collector {
    pub async fn start() -> Self {
        let arrived = Arc::<Mutex<Arrived>>::default();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(arrived.clone());
        let url = serve(router).await;
        Self { url, arrived }
    }

    /// A receiver that accepts requests and never responds.
    pub async fn silent() -> Self {
        let never = post(async || {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        });
        let url = serve(Router::new().route("/v1/traces", never)).await;
        let arrived = Arc::default();
        Self { url, arrived }
    }

    pub fn spans(&self) -> Vec<Span> {
        self.arrived.lock().unwrap().spans.clone()
    }

    /// The headers of each request.
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.arrived.lock().unwrap().headers.clone()
    }

    /// All received bytes as text, where they are text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.arrived.lock().unwrap().bodies).into_owned()
    }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn take(State(arrived): State<Arc<Mutex<Arrived>>>, headers: HeaderMap, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
    let mut arrived = arrived.lock().unwrap();
    for part in request.resource_spans {
        let resource = texts(&part.resource.unwrap().attributes);
        let spans = part.scope_spans.into_iter().flat_map(|scope| scope.spans);
        arrived
            .spans
            .extend(spans.map(|span| read(span, &resource)));
    }
    arrived.bodies.extend_from_slice(&body);
    arrived.headers.push(headers);
}

fn read(span: proto::Span, resource: &BTreeMap<String, String>) -> Span {
    let link = |link: &proto::span::Link| (hex(&link.trace_id), hex(&link.span_id));
    Span {
        kind: span.kind(),
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        attributes: texts(&span.attributes),
        links: span.links.iter().map(link).collect(),
        failed: span
            .status
            .is_some_and(|status| status.code() == proto::status::StatusCode::Error),
        events: span.events.len(),
        name: span.name,
        trace_state: span.trace_state,
        resource: resource.clone(),
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| {
        let value = match attribute.value.clone().and_then(|value| value.value) {
            Some(any_value::Value::StringValue(text)) => text,
            Some(any_value::Value::IntValue(number)) => number.to_string(),
            other => format!("{other:?}"),
        };
        (attribute.key.clone(), value)
    };
    attributes.iter().map(text).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A gateway that forwards every request to a peer.
#[derive(Clone)]
pub struct Gateway {
    pub url: String,
    peer: Url,
    told: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Gateway {
    /// Starts a gateway in front of a peer.
    pub async fn start(peer: &Url) -> Self {
        let mut gateway = Self {
            url: String::new(),
            peer: peer.clone(),
            told: Arc::default(),
        };
        let router = Router::new().fallback(pass).with_state(gateway.clone());
        gateway.url = serve(router).await;
        gateway
    }

    /// The `traceparent` of each request, in order.
    pub fn traceparents(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        assert!(told.iter().all(|it| !it.contains_key("tracestate")));
        let parent = |headers: &HeaderMap| headers["traceparent"].to_str().unwrap().to_owned();
        told.iter().map(parent).collect()
    }
}

async fn pass(State(gateway): State<Gateway>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    gateway.told.lock().unwrap().push(parts.headers.clone());
    let path = parts.uri.path_and_query().unwrap().as_str();
    let url = gateway.peer.join(path).unwrap();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut headers = parts.headers;
    headers.remove("host");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = client
        .request(parts.method, url)
        .headers(headers)
        .body(body)
        .send();
    let answer = sent.await.unwrap();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    *response.body_mut() = Body::from(answer.bytes().await.unwrap());
    response
}
