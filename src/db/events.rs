//! The table `order_events`: append-only, numbered per order, written by the statement that causes
//! the event.

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::event::{Actor, OrderEvent, RecordedEvent};
use crate::domain::ids::{CustomerId, OrderId};

use super::Error;

/// Events as the columns of the rows that store them.
pub(super) struct Columns {
    pub codes: Vec<String>,
    pub actors: Vec<String>,
    pub data: Vec<Value>,
}

impl Columns {
    pub fn new(events: &[OrderEvent], actor: &Actor) -> Self {
        Self {
            codes: events.iter().map(|event| event.code().to_owned()).collect(),
            actors: events.iter().map(|_| actor.as_str().to_owned()).collect(),
            data: events.iter().map(OrderEvent::data).collect(),
        }
    }
}

/// Whether the order's history holds this event with this number.
#[tracing::instrument(name = "db.events.stands", skip_all)]
pub async fn is_recorded(
    conn: &mut PgConnection,
    order_id: OrderId,
    seq: i32,
    event: &OrderEvent,
    actor: &Actor,
) -> Result<bool, Error> {
    let is_recorded = sqlx::query_scalar!(
        r#"
        select exists (select from order_events
            where order_id = $1 and seq = $2 and code = $3 and actor = $4 and data = $5) as "stands!"
        "#,
        order_id.0,
        seq,
        event.code(),
        actor.as_str(),
        event.data(),
    )
    .fetch_one(conn)
    .await?;
    Ok(is_recorded)
}

struct EventRow {
    order_id: i64,
    seq: i32,
    code: String,
    actor: String,
    data: Value,
    at: OffsetDateTime,
}

impl From<EventRow> for RecordedEvent {
    fn from(row: EventRow) -> Self {
        Self {
            seq: row.seq,
            code: row.code,
            actor: row.actor,
            data: row.data,
            at: row.at,
        }
    }
}

/// The history of an order, oldest first.
#[tracing::instrument(name = "db.events.of_order", skip_all)]
pub async fn of_order(
    conn: &mut PgConnection,
    order_id: OrderId,
) -> Result<Vec<RecordedEvent>, Error> {
    let rows = sqlx::query_as!(
        EventRow,
        r#"
        select order_id, seq, code, actor, data, at
        from order_events where order_id = $1 order by seq
        "#,
        order_id.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(RecordedEvent::from).collect())
}

/// A page of an order's history.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The order's version: the number of its latest event.
    pub version: i32,
    /// Whether the order is quiescent, see [`quiescent`].
    pub is_quiescent: bool,
    /// The events, oldest first.
    pub events: Vec<RecordedEvent>,
}

/// At most `limit` events of an order with numbers above `after`; `None` when the order does not exist or
/// is not `owner`'s.
#[tracing::instrument(name = "db.events.part", skip_all)]
pub async fn page(
    conn: &mut PgConnection,
    owner: Option<CustomerId>,
    order_id: OrderId,
    after: i32,
    limit: i64,
) -> Result<Option<EventPage>, Error> {
    let rows = sqlx::query!(
        r#"
        select o.version, e.seq as "seq?", e.code as "code?", e.actor as "actor?", e.data as "data?",
            e.at as "at?",
            not exists (
                select from fulfilments f
                where f.order_id = o.order_id and (f.due_at is not null or f.phase = 'stuck')
            ) as "is_over!"
        from orders o
        left join lateral (
            select seq, code, actor, data, at from order_events
            where order_id = o.order_id and seq > $3 order by seq limit $4
        ) e on true
        where o.order_id = $1 and ($2::bigint is null or o.customer_id = $2)
        order by e.seq
        "#,
        order_id.0,
        owner.map(|owner| owner.0),
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let (version, is_quiescent) = (first.version, first.is_over);
    let events = rows.into_iter().filter_map(|row| {
        Some(RecordedEvent {
            seq: row.seq?,
            code: row.code?,
            actor: row.actor?,
            data: row.data?,
            at: row.at?,
        })
    });
    Ok(Some(EventPage {
        version,
        is_quiescent,
        events: events.collect(),
    }))
}

/// The events of these orders with numbers above the last `seen` of each, oldest first, at most `each` per
/// order. Costs one index lookup per order.
#[tracing::instrument(name = "db.events.news", skip_all)]
pub async fn newer_than(
    conn: &mut PgConnection,
    orders: &[i64],
    seen: &[i32],
    each: i64,
) -> Result<Vec<(OrderId, RecordedEvent)>, Error> {
    let rows = sqlx::query_as!(
        EventRow,
        r#"
        select e.order_id, e.seq, e.code, e.actor, e.data, e.at
        from unnest($1::bigint[], $2::integer[]) as w (order_id, seen)
        cross join lateral (
            select order_id, seq, code, actor, data, at from order_events
            where order_id = w.order_id and seq > w.seen order by seq limit $3
        ) e
        order by e.order_id, e.seq
        "#,
        orders,
        seen,
        each,
    )
    .fetch_all(conn)
    .await?;
    let events = rows
        .into_iter()
        .map(|row| (OrderId(row.order_id), RecordedEvent::from(row)));
    Ok(events.collect())
}

/// Those of these orders that are quiescent: no further event happens without a request, because their
/// sagas are neither due nor stuck.
#[tracing::instrument(name = "db.events.over", skip_all)]
pub async fn quiescent(conn: &mut PgConnection, orders: &[i64]) -> Result<Vec<OrderId>, Error> {
    let rows = sqlx::query_scalar!(
        r#"
        select w.order_id as "order_id!" from unnest($1::bigint[]) as w (order_id)
        where not exists (
            select from fulfilments f
            where f.order_id = w.order_id and (f.due_at is not null or f.phase = 'stuck')
        )
        "#,
        orders,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(OrderId).collect())
}
