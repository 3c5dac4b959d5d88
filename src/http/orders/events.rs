//! What has happened to an order, as a list or as it happens.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use utoipa::IntoParams;

use crate::clock;
use crate::domain::ids::OrderId;
use crate::domain::principal::Principal;
use crate::http::Shared;
use crate::http::body::Faults;
use crate::http::caller::{AcceptedUntil, Caller};
use crate::http::docs::ProblemSchema;
use crate::http::etag::{Representation, Tag, not_modified};
use crate::http::extract::PathOrder;
use crate::http::links::Here;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::orders::{EventPage, LiveEvents};

use super::views::{EventList, EventView};

/// The event that a client heard last; it comes with every new connection of a browser.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells proxies of the kind of nginx to pass on each event at once.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// After how many milliseconds a client whose stream has ended should come again; by chance, so that not
/// all of them come at once.
const RETRY_MS: std::ops::RangeInclusive<u64> = 1_000..=5_000;
/// How many events a page has at most.
const MAX_LIMIT: u32 = 500;

/// Which events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by hand")]
pub struct EventParams {
    /// The number of an event: those after it.
    #[param(minimum = 0, maximum = 2_147_483_647, default = 0, example = 0)]
    after: Option<u32>,
    /// How many at most; of a list, not of a stream.
    #[param(minimum = 1, maximum = 500, default = 100, example = 100)]
    limit: Option<u32>,
}

struct Asked {
    after: i32,
    limit: u32,
}

/// What has happened to an order, as a list or as it happens.
///
/// With `Accept: text/event-stream` the events come as they happen (server-sent events): `id` is the
/// event's number, `event` its code, `data` the event as in the list. A stream ends when nothing more
/// happens by itself, at the end of the token's validity, after `LIVE_MAX_AGE_S`, or when the process
/// stops; the client comes again with the last `id` as `Last-Event-ID`, and misses nothing. `204` then says
/// that nothing more comes. `429` and `503` tell when there is a place again by `Retry-After`.
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}/events/",
    tag = "orders",
    params(("order_id" = i64, Path, description = "The order's number", minimum = 1), EventParams,
        ("Last-Event-ID" = Option<String>, Header, description = "Of a stream: goes before `after`"),
        ("If-None-Match" = Option<String>, Header, description = "Of a list: a tag that is known already")),
    responses(
        (status = 200, description = "Events, oldest first",
            content((EventList = "application/json"), (String = "text/event-stream")),
            headers(("ETag" = Option<String>, description = "Of a list: changes with the order"))),
        (status = 204, description = "Of a stream: there is nothing more to come"),
        (status = 304, description = "As it was"),
        (status = 429, description = "`too-many-listeners`: the caller has as many streams as it may have",
            body = ProblemSchema, content_type = "application/problem+json"),
    ),
    security(("bearer" = []), ("session" = []))
)]
pub async fn order_events(
    State(shared): State<Shared>,
    Caller(caller): Caller,
    Extension(until): Extension<AcceptedUntil>,
    PathOrder(order_id): PathOrder,
    here: Here,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let streams = wants_stream(&headers);
    let asked = read(
        query.as_deref(),
        headers.get(LAST_EVENT_ID).filter(|_| streams),
    )?;
    let mut response = if streams {
        follow(&shared, &caller, order_id, &asked, until).await?
    } else {
        list(&shared, &caller, order_id, &asked, &here, &headers).await?
    };
    let vary = HeaderValue::from_static("accept");
    response.headers_mut().insert(VARY, vary);
    Ok(response)
}

/// Whether the client names event streams among what it takes.
fn wants_stream(headers: &HeaderMap) -> bool {
    let named = headers.get_all(ACCEPT).iter();
    let named = named.filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_stream = parts
            .next()
            .is_some_and(|essence| essence.eq_ignore_ascii_case("text/event-stream"));
        is_stream && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn read(query: Option<&str>, last: Option<&HeaderValue>) -> Result<Asked, Problem> {
    let mut parameters = Parameters::read(query, &["after", "limit"]);
    let mut after = parameters.number("after", 0..=i32::MAX.unsigned_abs(), 0);
    let limit = parameters.number("limit", 1..=MAX_LIMIT, 100);
    let mut faults = Faults::default();
    if let Some(last) = last {
        let number = last.to_str().ok().and_then(|text| text.parse().ok());
        match number.filter(|&number| number <= i32::MAX.unsigned_abs()) {
            Some(number) => after = number,
            None => faults.add_header("Last-Event-ID", "malformed", "must be an event's number"),
        }
    }
    parameters.add(faults);
    let after = i32::try_from(after).unwrap_or(i32::MAX);
    parameters.finish(Asked { after, limit })
}

async fn list(
    shared: &Shared,
    caller: &Principal,
    order_id: OrderId,
    asked: &Asked,
    here: &Here,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let orders = &shared.orders;
    let representation = Representation::Events;
    if let Some(same) = not_modified(orders, caller, order_id, representation, headers).await? {
        return Ok(same);
    }
    let EventPage {
        version, events, ..
    } = orders
        .timeline(caller, order_id, asked.after, asked.limit)
        .await?;
    let last = events.last().map(|event| event.seq);
    let page = EventList {
        order_id: order_id.0,
        version,
        next: last.filter(|&seq| seq < version).map(|seq| here.after(seq)),
        results: events
            .iter()
            .map(|event| EventView::new(event, caller))
            .collect(),
    };
    let mut response = Json(page).into_response();
    Tag::new(representation, order_id, version, caller).mark(response.headers_mut());
    Ok(response)
}

async fn follow(
    shared: &Shared,
    caller: &Principal,
    order_id: OrderId,
    asked: &Asked,
    AcceptedUntil(until): AcceptedUntil,
) -> Result<Response, Problem> {
    let left = until.saturating_sub(clock::now().unix_timestamp());
    let left = Duration::from_secs(u64::try_from(left).unwrap_or_default());
    let listening = shared.orders.subscribe(caller, order_id, asked.after, left);
    let Some(listening) = listening.await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let retry = Duration::from_millis(rand::random_range(RETRY_MS));
    let first = Sent::default().retry(retry);
    let state = (Some(first), listening, caller.clone());
    let sent = stream::unfold(state, |(first, mut listening, caller)| async move {
        let sent = match first {
            Some(first) => first,
            None => next(&mut listening, &caller).await?,
        };
        Some((Ok::<_, Infallible>(sent), (None, listening, caller)))
    });
    let heartbeat = KeepAlive::new().interval(shared.heartbeat);
    let mut response = Sse::new(sent).keep_alive(heartbeat).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// The next event on the wire; a stream that cannot write one ends, and its client comes again.
async fn next(listening: &mut LiveEvents, caller: &Principal) -> Option<Sent> {
    let event = listening.next().await?;
    let sent = Sent::default().id(event.seq.to_string()).event(&event.code);
    sent.json_data(EventView::new(&event, caller)).ok()
}
