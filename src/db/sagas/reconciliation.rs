//! What reconciliation compares with the peers' ledgers, and how it claims a settled saga for a repair.

use std::time::Duration;

use rust_decimal::Decimal;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Error;
use crate::db::change::change_order;
use crate::db::events::Columns;
use crate::db::rows::{currency, status};
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::ids::OrderId;
use crate::domain::money::Money;
use crate::domain::saga::plan::Plan;
use crate::domain::saga::{Claim, Phase};
use crate::domain::status::{PaymentStatus, ShippingStatus};
use crate::domain::step::Step;

use super::load::{PlanColumns, phase};

/// An order as its peers' ledgers should show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSnapshot {
    /// The order.
    pub order_id: OrderId,
    /// When it was accepted.
    pub created_at: OffsetDateTime,
    /// What was to be charged.
    pub order_total: Money,
    /// Where the money is, by this service's records.
    pub payment_status: PaymentStatus,
    /// Where the parcel is, by this service's records.
    pub shipping_status: ShippingStatus,
    /// The sequence number of its latest event.
    pub version: i32,
    /// Its saga; imported orders have none.
    pub saga: Option<SagaSnapshot>,
}

/// The saga of an order that is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SagaSnapshot {
    /// The identity from which the keys of its calls derive.
    pub identity: Uuid,
    /// The phase.
    pub phase: Phase,
    /// How many reservations have expired at Inventory.
    pub lapsed: i16,
    /// Payment's id of the charge.
    pub payment_id: Option<String>,
    /// Shipping's id of the parcel.
    pub shipment_id: Option<String>,
    /// Since when it is at its step.
    pub since: OffsetDateTime,
    /// Whether work other than tracking is left: a cancel request is open, or the late-arrival check is
    /// due.
    pub has_open_work: bool,
    /// Whether staff have resolved it manually, which the peers' ledgers may not show.
    pub is_manually_resolved: bool,
}

impl OrderSnapshot {
    /// The phase of its saga.
    pub fn phase(&self) -> Option<Phase> {
        self.saga.as_ref().map(|saga| saga.phase)
    }
}

struct SnapshotRow {
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
    is_manually_resolved: Option<bool>,
}

impl SnapshotRow {
    fn read(self) -> Result<OrderSnapshot, Error> {
        let order_id = self.order_id;
        let saga = match (self.identity, self.phase, self.since) {
            (Some(identity), Some(phase_name), Some(since)) => Some(SagaSnapshot {
                identity,
                phase: phase(&phase_name, order_id)?,
                lapsed: self.lapsed.unwrap_or_default(),
                payment_id: self.payment_id,
                shipment_id: self.shipment_id,
                since,
                has_open_work: self.has_open_work.unwrap_or_default(),
                is_manually_resolved: self.is_manually_resolved.unwrap_or_default(),
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

/// Selects orders with their sagas; the rest of the query begins with its condition.
///
/// The manual resolution is a lateral join with a limit: PostgreSQL answers `exists` by a scan of all events.
macro_rules! snapshots {
    ($condition:literal, $($bound:expr),*) => {
        sqlx::query_as!(
            SnapshotRow,
            r#"
            select o.order_id as "order_id!", o.created_at as "created_at!", o.currency as "currency!",
                o.order_total as "order_total!", o.payment_status as "payment_status!", o.shipping_status as "shipping_status!",
                o.version as "version!", f.identity as "identity?", f.phase as "phase?",
                f.lapsed as "lapsed?", f.payment_id, f.shipment_id, f.since as "since?",
                f.cancel_reason is not null or f.phase = 'undone' and f.due_at is not null as has_open_work,
                manual.found is not null as is_manually_resolved
            from orders o
            left join fulfilments f on f.order_id = o.order_id
            left join lateral (select true as found from order_events e where e.order_id = o.order_id
                and e.code = 'person_decided' and e.data ->> 'decision' <> 'retry' limit 1) manual on true
            "#
                + $condition,
            $($bound),*
        )
    };
}

/// The database's clock.
#[tracing::instrument(name = "db.fulfilments.clock", skip_all)]
pub async fn clock(conn: &mut PgConnection) -> Result<OffsetDateTime, Error> {
    Ok(sqlx::query_scalar!(r#"select now() as "now!""#)
        .fetch_one(conn)
        .await?)
}

/// Orders after `after` and accepted before `until`, in the order of acceptance (keyset pagination).
#[tracing::instrument(name = "db.fulfilments.compared_after", skip_all)]
pub async fn order_snapshots_after(
    conn: &mut PgConnection,
    after: (OffsetDateTime, OrderId),
    until: OffsetDateTime,
    limit: i64,
) -> Result<Vec<OrderSnapshot>, Error> {
    let rows = snapshots!(
        "where (o.created_at, o.order_id) > ($1, $2) and o.created_at < $3
         order by o.created_at, o.order_id
         limit $4",
        after.0,
        after.1.0,
        until,
        limit
    );
    let rows = rows.fetch_all(conn).await?;
    rows.into_iter().map(SnapshotRow::read).collect()
}

/// The orders with these ids; ids of no order are left out.
#[tracing::instrument(name = "db.fulfilments.compared_of", skip_all)]
pub async fn order_snapshots(
    conn: &mut PgConnection,
    order_ids: &[OrderId],
) -> Result<Vec<OrderSnapshot>, Error> {
    let order_ids: Vec<i64> = order_ids.iter().map(|order_id| order_id.0).collect();
    let rows = snapshots!("where o.order_id = any($1)", &order_ids);
    let rows = rows.fetch_all(conn).await?;
    rows.into_iter().map(SnapshotRow::read).collect()
}

/// Claims the saga of a settled order, whether it is due or not, and records the finding. `None`: the order
/// has changed since the comparison, or another worker holds the lease.
#[tracing::instrument(name = "db.fulfilments.take_in_hand", skip_all)]
pub async fn claim_settled(
    conn: &mut PgConnection,
    order: &OrderSnapshot,
    finding: OrderEvent,
    lease: Duration,
) -> Result<Option<Claim>, Error> {
    let events = Columns::new(&[finding], &Actor::reconciliation());
    let claimed = change_order!(
        guard: "guard as (
                select from fulfilments
                where order_id = $1 and phase = $6 and not leased and cancel_reason is null
                for update
            )",
        set: "",
        saga: ", saga as (
                update fulfilments set epoch = epoch + 1, leased = true, attempts = 0,
                    due_at = now() + make_interval(secs => $7)
                where order_id = $1 and exists (select from changed)
                returning epoch
            )",
        select: "select epoch from saga",
        order.order_id.0,
        order.version,
        events,
        order.phase().map(Phase::as_str),
        lease.as_secs_f64(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(claimed.map(|row| Claim {
        order_id: order.order_id,
        epoch: row.epoch,
    }))
}

/// Makes the saga of a settled order stuck, so that staff decide, and records the finding. `false`: the
/// order has changed since the comparison, or another worker holds the lease.
#[tracing::instrument(name = "db.fulfilments.leave_to_person", skip_all)]
pub async fn mark_stuck(
    conn: &mut PgConnection,
    order: &OrderSnapshot,
    finding: OrderEvent,
    step: Step,
    reason: &str,
) -> Result<bool, Error> {
    let undoing = order.phase() == Some(Phase::Undone);
    let plan = PlanColumns::of(Plan::Stuck { step, undoing });
    let needed = OrderEvent::InterventionRequired {
        step,
        reason: reason.to_owned(),
    };
    let events = Columns::new(&[finding, needed], &Actor::reconciliation());
    let changed = change_order!(
        guard: "guard as (
                select from fulfilments
                where order_id = $1 and phase = $6 and not leased and cancel_reason is null
                for update
            )",
        set: "",
        saga: ", saga as (
                update fulfilments set phase = $7, step = $8, flag = $9, epoch = epoch + 1, attempts = 0,
                    due_at = null, last_answer = $10, changed_at = now(), since = now()
                where order_id = $1 and exists (select from changed)
            )",
        select: "select version from changed",
        order.order_id.0,
        order.version,
        events,
        order.phase().map(Phase::as_str),
        plan.phase,
        plan.step,
        plan.flag,
        reason,
    )
    .fetch_optional(conn)
    .await?;
    Ok(changed.is_some())
}
