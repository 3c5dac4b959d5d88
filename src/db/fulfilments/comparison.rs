//! What reconciliation compares with the peers' ledgers, and how it takes an order in hand.

use std::time::Duration;

use rust_decimal::Decimal;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Error;
use crate::db::events::Columns;
use crate::db::rows::{currency, status};
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::ids::OrderId;
use crate::domain::money::Money;
use crate::domain::plan::{Plan, Step};
use crate::domain::status::{PaymentStatus, ShippingStatus};

use super::{Claim, PlanColumns};

/// An order as its peers' ledgers should show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSnapshot {
    /// Its number.
    pub order_id: OrderId,
    /// When it was accepted.
    pub created_at: OffsetDateTime,
    /// What was to be charged.
    pub order_total: Money,
    /// Where the money is, by our book.
    pub payment_status: PaymentStatus,
    /// Where the parcel is, by our book.
    pub shipping_status: ShippingStatus,
    /// The number of its latest event.
    pub version: i32,
    /// Its fulfilment; orders that were taken over from elsewhere have none.
    pub saga: Option<SagaSnapshot>,
}

/// Where the fulfilment of a compared order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SagaSnapshot {
    /// From which the keys derive.
    pub identity: Uuid,
    /// `doing`, `recalling`, `undoing`, `completed`, `undone` or `stuck`.
    pub phase: String,
    /// How many reservations have lapsed.
    pub lapsed: i16,
    /// Payment's number for the charge.
    pub payment_id: Option<String>,
    /// Shipping's number for the parcel.
    pub shipment_id: Option<String>,
    /// Since when it stands where it stands.
    pub since: OffsetDateTime,
    /// Whether something is still to be done: it is due some time, and not only to be followed, or a
    /// cancel was asked for.
    pub has_open_work: bool,
    /// Whether a person has settled it by hand, of which the peers may know nothing.
    pub settled_by_hand: bool,
}

struct Row {
    order_id: i64,
    created_at: OffsetDateTime,
    currency: String,
    order_total: Decimal,
    payment_status: String,
    shipping_status: String,
    version: i32,
    identity: Option<Uuid>,
    phase: Option<String>,
    lapsed: Option<i16>,
    payment_id: Option<String>,
    shipment_id: Option<String>,
    since: Option<OffsetDateTime>,
    has_open_work: Option<bool>,
    settled_by_hand: Option<bool>,
}

impl Row {
    fn read(self) -> Result<OrderSnapshot, Error> {
        let order_id = self.order_id;
        let saga = match (self.identity, self.phase, self.since) {
            (Some(identity), Some(phase), Some(since)) => Some(SagaSnapshot {
                identity,
                phase,
                lapsed: self.lapsed.unwrap_or_default(),
                payment_id: self.payment_id,
                shipment_id: self.shipment_id,
                since,
                has_open_work: self.has_open_work.unwrap_or_default(),
                settled_by_hand: self.settled_by_hand.unwrap_or_default(),
            }),
            _ => None,
        };
        Ok(OrderSnapshot {
            order_id: OrderId(order_id),
            created_at: self.created_at,
            order_total: Money::round(self.order_total, currency(&self.currency, order_id)?),
            payment_status: status("payment_status", &self.payment_status, order_id)?,
            shipping_status: status("shipping_status", &self.shipping_status, order_id)?,
            version: self.version,
            saga,
        })
    }
}

/// Orders with where their fulfilments stand, of which a condition tells which.
///
/// Lateral, with a limit: as `exists`, it would be answered by a scan of all events.
macro_rules! compared {
    ($condition:literal, $($bound:expr),*) => {
        sqlx::query_as!(
            Row,
            r#"
            select o.order_id as "order_id!", o.created_at as "created_at!", o.currency as "currency!",
                o.order_total as "order_total!", o.payment_status as "payment_status!", o.shipping_status as "shipping_status!",
                o.version as "version!", f.identity as "identity?", f.phase as "phase?",
                f.lapsed as "lapsed?", f.payment_id, f.shipment_id, f.since as "since?",
                f.cancel_reason is not null or f.phase = 'undone' and f.due_at is not null as has_open_work,
                by_hand.yes is not null as settled_by_hand
            from orders o
            left join fulfilments f on f.order_id = o.order_id
            left join lateral (select true as yes from order_events e where e.order_id = o.order_id
                and e.code = 'person_decided' and e.data ->> 'decision' <> 'retry' limit 1) by_hand on true
            "#
                + $condition,
            $($bound),*
        )
    };
}

/// The database's time.
#[tracing::instrument(name = "db.fulfilments.clock", skip_all)]
pub async fn clock(conn: &mut PgConnection) -> Result<OffsetDateTime, Error> {
    Ok(sqlx::query_scalar!(r#"select now() as "now!""#)
        .fetch_one(conn)
        .await?)
}

/// Orders in the order in which they were accepted, those after `after` and before `until`.
#[tracing::instrument(name = "db.fulfilments.compared_after", skip_all)]
pub async fn order_snapshots_after(
    conn: &mut PgConnection,
    after: (OffsetDateTime, OrderId),
    until: OffsetDateTime,
    limit: i64,
) -> Result<Vec<OrderSnapshot>, Error> {
    let rows = compared!(
        "where (o.created_at, o.order_id) > ($1, $2) and o.created_at < $3
         order by o.created_at, o.order_id
         limit $4",
        after.0,
        after.1.0,
        until,
        limit
    );
    let rows = rows.fetch_all(conn).await?;
    rows.into_iter().map(Row::read).collect()
}

/// The orders of these numbers, as far as there are such.
#[tracing::instrument(name = "db.fulfilments.compared_of", skip_all)]
pub async fn order_snapshots(
    conn: &mut PgConnection,
    order_ids: &[OrderId],
) -> Result<Vec<OrderSnapshot>, Error> {
    let order_ids: Vec<i64> = order_ids.iter().map(|order_id| order_id.0).collect();
    let rows = compared!("where o.order_id = any($1)", &order_ids);
    let rows = rows.fetch_all(conn).await?;
    rows.into_iter().map(Row::read).collect()
}

/// Claims the fulfilment of an order at rest, whether it is due or not, and writes down why. `None`:
/// it is not as it was compared any more, or somebody is at it.
#[tracing::instrument(name = "db.fulfilments.take_in_hand", skip_all)]
pub async fn take_in_hand(
    conn: &mut PgConnection,
    compared: &OrderSnapshot,
    found: OrderEvent,
    lease: Duration,
) -> Result<Option<Claim>, Error> {
    let phase = compared.saga.as_ref().map(|saga| &*saga.phase);
    let events = Columns::new(&[found], &Actor::reconciliation());
    let epoch = sqlx::query_scalar!(
        r#"
        with held as (
            select order_id from fulfilments
            where order_id = $1 and phase = $3 and not leased and cancel_reason is null
            for update
        ), moved as (
            update orders set version = version + 1, updated_at = now()
            where order_id = $1 and version = $2 and exists (select from held)
            returning version
        ), written as (
            insert into order_events (order_id, seq, code, actor, data)
            select $1, moved.version, event.code, event.actor, event.data
            from moved, unnest($4::text[], $5::text[], $6::jsonb[]) as event (code, actor, data)
        )
        update fulfilments set epoch = epoch + 1, leased = true, attempts = 0,
            due_at = now() + make_interval(secs => $7)
        where order_id = $1 and exists (select from moved)
        returning epoch
        "#,
        compared.order_id.0,
        compared.version,
        phase,
        &events.codes,
        &events.actors,
        &events.data,
        lease.as_secs_f64(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(epoch.map(|epoch| Claim {
        order_id: compared.order_id,
        epoch,
    }))
}

/// Leaves the fulfilment of an order at rest to a person, and writes down why. `false`: it is not as
/// it was compared any more, or somebody is at it.
#[tracing::instrument(name = "db.fulfilments.leave_to_person", skip_all)]
pub async fn leave_to_person(
    conn: &mut PgConnection,
    compared: &OrderSnapshot,
    found: OrderEvent,
    step: Step,
    reason: &str,
) -> Result<bool, Error> {
    let phase = compared.saga.as_ref().map(|saga| &*saga.phase);
    let undoing = phase == Some("undone");
    let plan = PlanColumns::of(Plan::Stuck { step, undoing });
    let needed = OrderEvent::InterventionRequired {
        step,
        reason: reason.to_owned(),
    };
    let events = Columns::new(&[found, needed], &Actor::reconciliation());
    let written = sqlx::query!(
        r#"
        with held as (
            select order_id from fulfilments
            where order_id = $1 and phase = $3 and not leased and cancel_reason is null
            for update
        ), moved as (
            update orders set version = version + cardinality($4::text[]), updated_at = now()
            where order_id = $1 and version = $2 and exists (select from held)
            returning version
        ), marked as (
            update fulfilments set phase = $7, step = $8, flag = $9, epoch = epoch + 1, attempts = 0,
                due_at = null, last_answer = $10, changed_at = now(), since = now()
            where order_id = $1 and exists (select from moved)
        )
        insert into order_events (order_id, seq, code, actor, data)
        select $1, $2 + event.place, event.code, event.actor, event.data
        from moved, unnest($4::text[], $5::text[], $6::jsonb[])
            with ordinality as event (code, actor, data, place)
        "#,
        compared.order_id.0,
        compared.version,
        phase,
        &events.codes,
        &events.actors,
        &events.data,
        plan.phase,
        plan.step,
        plan.flag,
        reason,
    )
    .execute(conn)
    .await?;
    Ok(written.rows_affected() > 0)
}
