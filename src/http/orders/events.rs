//! The events of an order, as a list or as a live stream (server-sent events).

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use utoipa::IntoParams;

use crate::clock;
use crate::domain::ids::OrderId;
use crate::domain::principal::Principal;
use crate::http::body::Violations;
use crate::http::caller::{Caller, TokenExpiry};
use crate::http::etag::{EntityTag, Representation, not_modified};
use crate::http::extract::PathOrder;
use crate::http::headers::{LAST_EVENT_ID, X_ACCEL_BUFFERING};
use crate::http::links::RequestLinks;
use crate::http::media_type::accepts_event_stream;
use crate::http::problem::{Problem, ProblemSchema};
use crate::http::query::QueryParameters;
use crate::http::state::HttpState;
use crate::orders::{EventPage, LiveEvents};

use super::views::{EventList, EventView};

/// The reconnection delay of clients whose stream has ended, in milliseconds. It is random, to spread the
/// reconnects (jitter).
const RETRY_MS: std::ops::RangeInclusive<u64> = 1_000..=5_000;
/// The maximum number of events on a page.
pub const MAX_EVENTS: u32 = 500;
/// The default number of events on a page.
const DEFAULT_EVENTS: u32 = 100;

/// The query parameters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the parameters; the handler parses by hand"
)]
pub struct EventParams {
    /// Only events after the event with this number.
    #[param(minimum = 0, maximum = 2_147_483_647, default = 0, example = 0)]
    after: Option<u32>,
    /// The maximum number of events of a list. A stream ignores it.
    #[param(minimum = 1, default = 100, example = 100)]
    limit: Option<u32>,
}

struct EventQuery {
    after: i32,
    limit: u32,
}

/// List the events of an order, or stream them.
///
/// With `Accept: text/event-stream` the response is a live stream (server-sent events): `id` is the number
/// of the event, `event` its code, and `data` the event as in the list. A stream ends when no more events
/// are expected, when the token expires, after `LIVE_MAX_AGE_S`, or when the process stops. The client
/// reconnects with the last `id` as `Last-Event-ID` and misses no event; `204` then means that no more
/// events are expected. `429` and `503` say in `Retry-After` when to reconnect.
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}/events/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The id of the order", minimum = 1), EventParams,
        ("Last-Event-ID" = Option<String>, Header, description = "For streams; takes precedence over `after`"),
        ("If-None-Match" = Option<String>, Header, description = "For lists: the ETag of a cached response")),
    responses(
        (status = 200, description = "Events, oldest first",
            content((EventList = "application/json"), (String = "text/event-stream")),
            headers(("ETag" = Option<String>, description = "For lists: the entity tag"))),
        (status = 204, description = "For streams: no more events are expected"),
        (status = 304, description = "The cached response is current"),
        (status = 429, description = "`too-many-listeners`: the caller has reached its limit of streams",
            body = ProblemSchema, content_type = "application/problem+json"),
    ),
    security(("bearer" = []), ("session" = []))
)]
pub async fn order_events(
    State(state): State<HttpState>,
    Caller(caller): Caller,
    Extension(expiry): Extension<TokenExpiry>,
    PathOrder(order_id): PathOrder,
    links: RequestLinks,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let is_stream = accepts_event_stream(&headers);
    let last_id = headers.get(LAST_EVENT_ID).filter(|_| is_stream);
    let query = read(query.as_deref(), last_id)?;
    let mut response = if is_stream {
        stream_events(&state, &caller, order_id, &query, expiry).await?
    } else {
        list_events(&state, &caller, order_id, &query, &links, &headers).await?
    };
    let vary = HeaderValue::from_static("accept");
    response.headers_mut().insert(VARY, vary);
    Ok(response)
}

fn read(query: Option<&str>, last_id: Option<&HeaderValue>) -> Result<EventQuery, Problem> {
    let mut parameters = QueryParameters::read(query, &["after", "limit"]);
    let mut after = parameters.integer("after", 0..=i32::MAX.unsigned_abs(), 0);
    let limit = parameters.integer("limit", 1..=MAX_EVENTS, DEFAULT_EVENTS);
    let mut violations = Violations::default();
    if let Some(last_id) = last_id {
        let seq = last_id.to_str().ok().and_then(|text| text.parse().ok());
        match seq.filter(|&seq| seq <= i32::MAX.unsigned_abs()) {
            Some(seq) => after = seq,
            None => {
                violations.add_header("Last-Event-ID", "malformed", "must be an event's number");
            }
        }
    }
    parameters.add(violations);
    let after = i32::try_from(after).unwrap_or(i32::MAX);
    parameters.finish(EventQuery { after, limit })
}

async fn list_events(
    state: &HttpState,
    caller: &Principal,
    order_id: OrderId,
    query: &EventQuery,
    links: &RequestLinks,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let orders = &state.orders;
    let representation = Representation::Events;
    if let Some(response) = not_modified(orders, caller, order_id, representation, headers).await? {
        return Ok(response);
    }
    let EventPage {
        version, events, ..
    } = orders
        .timeline(caller, order_id, query.after, query.limit)
        .await?;
    let last = events.last().map(|event| event.seq);
    let page = EventList {
        order_id: order_id.0,
        version,
        next: last
            .filter(|&seq| seq < version)
            .map(|seq| links.after(seq)),
        results: events
            .iter()
            .map(|event| EventView::new(event, caller))
            .collect(),
    };
    let mut response = Json(page).into_response();
    EntityTag::new(representation, order_id, version, caller).add_to(response.headers_mut());
    Ok(response)
}

async fn stream_events(
    state: &HttpState,
    caller: &Principal,
    order_id: OrderId,
    query: &EventQuery,
    TokenExpiry(expires_at): TokenExpiry,
) -> Result<Response, Problem> {
    let left = expires_at.saturating_sub(clock::now().unix_timestamp());
    let left = Duration::from_secs(u64::try_from(left).unwrap_or_default());
    let live = state.orders.subscribe(caller, order_id, query.after, left);
    let Some(live) = live.await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let retry = Duration::from_millis(rand::random_range(RETRY_MS));
    let first = SseEvent::default().retry(retry);
    let parts = (Some(first), live, caller.clone());
    let sent = stream::unfold(parts, |(first, mut live, caller)| async move {
        let sent = match first {
            Some(first) => first,
            None => next(&mut live, &caller).await?,
        };
        Some((Ok::<_, Infallible>(sent), (None, live, caller)))
    });
    let heartbeat = KeepAlive::new().interval(state.heartbeat);
    let mut response = Sse::new(sent).keep_alive(heartbeat).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// The next event. If it cannot be encoded, the stream ends, and the client reconnects.
async fn next(live: &mut LiveEvents, caller: &Principal) -> Option<SseEvent> {
    let event = live.next().await?;
    let sent = SseEvent::default()
        .id(event.seq.to_string())
        .event(&event.code);
    sent.json_data(EventView::new(&event, caller)).ok()
}
