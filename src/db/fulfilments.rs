//! The table `fulfilments`: where each order's fulfilment stands, and who is at it.
//!
//! Whoever claims a row raises its epoch; every later write names that epoch, and a write that
//! meets another one does nothing. A lease that was not given back means that its holder died, and
//! that what it was doing may have been sent. The clock is the database's.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::event::{Actor, Fact};
use crate::domain::ids::OrderId;
use crate::domain::order::{CancelReason, Order, State};
use crate::domain::plan::{Plan, Step};

use super::Error;
use super::events::Columns;
use super::rows::cancel_reason;

mod counts;

pub use counts::{OpenCounts, count_open};

/// The right to drive an order's fulfilment, until the lease ends or somebody else claims it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which order.
    pub order_id: OrderId,
    /// The number of this claim; later ones are higher.
    pub epoch: i64,
}

/// A fulfilment as it was last read or written.
#[derive(Clone, Debug)]
pub struct Fulfilment {
    /// The claim under which it is driven.
    pub claim: Claim,
    /// The random identity from which the keys sent to peers derive.
    pub identity: Uuid,
    /// Where it stands.
    pub plan: Plan,
    /// Attempts at the current step that led nowhere.
    pub attempts: i32,
    /// For whom the order is to be called off, if somebody asked.
    pub cancel: Option<CancelReason>,
    /// Payment's number for the charge.
    pub payment_id: Option<String>,
    /// Shipping's number for the parcel.
    pub shipment_id: Option<String>,
    /// The order itself.
    pub order: Order,
}

impl Fulfilment {
    /// The fulfilment of an order that this process has just placed and holds the lease of.
    pub fn begun(order: Order, identity: Uuid) -> Self {
        Self {
            claim: Claim {
                order_id: order.order_id,
                epoch: 1,
            },
            identity,
            plan: Plan::START,
            attempts: 0,
            cancel: None,
            payment_id: None,
            shipment_id: None,
            order,
        }
    }
}

/// Claims up to `limit` fulfilments that are due, and those whose holder let the lease run out.
#[tracing::instrument(name = "db.fulfilments.claim_due", skip_all)]
pub async fn claim_due(
    conn: &mut PgConnection,
    limit: i64,
    lease: Duration,
) -> Result<Vec<Claim>, Error> {
    let rows = sqlx::query!(
        r#"
        with due as (
            select order_id from fulfilments
            where due_at <= now()
            order by due_at limit $1
            for update skip locked
        )
        update fulfilments f set epoch = f.epoch + 1, leased = true,
            flag = f.flag or (f.leased and f.phase = 'doing'),
            due_at = now() + make_interval(secs => $2)
        from due where f.order_id = due.order_id
        returning f.order_id, f.epoch
        "#,
        limit,
        lease.as_secs_f64(),
    )
    .fetch_all(conn)
    .await?;
    let claims = rows.into_iter().map(|row| Claim {
        order_id: OrderId(row.order_id),
        epoch: row.epoch,
    });
    Ok(claims.collect())
}

/// Claims one fulfilment that waits for its turn; `None` while somebody else is at it.
#[tracing::instrument(name = "db.fulfilments.claim_one", skip_all)]
pub async fn claim_one(
    conn: &mut PgConnection,
    order_id: OrderId,
    lease: Duration,
) -> Result<Option<Claim>, Error> {
    let row = sqlx::query!(
        r#"
        update fulfilments set epoch = epoch + 1, leased = true,
            due_at = now() + make_interval(secs => $2)
        where order_id = $1 and not leased and due_at is not null
        returning epoch
        "#,
        order_id.0,
        lease.as_secs_f64(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Claim {
        order_id,
        epoch: row.epoch,
    }))
}

/// Reads what a claim is about; `None` when it has been superseded.
#[tracing::instrument(name = "db.fulfilments.load", skip_all)]
pub async fn load(conn: &mut PgConnection, claim: Claim) -> Result<Option<Fulfilment>, Error> {
    let row = sqlx::query!(
        r#"
        select identity, phase, step, flag, attempts, cancel_reason, payment_id, shipment_id
        from fulfilments where order_id = $1 and epoch = $2
        "#,
        claim.order_id.0,
        claim.epoch,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // The order second: what changes in between raises its version, and a write that names the
    // older one does nothing.
    let Some(order) = super::orders::find(conn, None, claim.order_id).await? else {
        return Ok(None);
    };
    Ok(Some(Fulfilment {
        claim,
        identity: row.identity,
        plan: read_plan(&row.phase, row.step.as_deref(), row.flag, claim.order_id)?,
        attempts: row.attempts,
        cancel: cancel_reason(row.cancel_reason.as_deref(), claim.order_id.0)?,
        payment_id: row.payment_id,
        shipment_id: row.shipment_id,
        order,
    }))
}

/// Lets a claim's lease start anew; `false` when it has been superseded.
#[tracing::instrument(name = "db.fulfilments.renew", skip_all)]
pub async fn renew(conn: &mut PgConnection, claim: Claim, lease: Duration) -> Result<bool, Error> {
    let renewed = sqlx::query!(
        r#"
        update fulfilments set due_at = now() + make_interval(secs => $3)
        where order_id = $1 and epoch = $2 and leased
        "#,
        claim.order_id.0,
        claim.epoch,
        lease.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(renewed.rows_affected() > 0)
}

/// When a fulfilment is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once, by the same holder, whose lease goes on as it is.
    Now,
    /// After some time, by anybody: the lease is given back.
    After(Duration),
    /// Never, unless somebody asks.
    Never,
}

/// What a turn has led to.
#[derive(Debug)]
pub struct Mark<'a> {
    /// Where the fulfilment now stands.
    pub plan: Plan,
    /// Attempts at the current step that led nowhere.
    pub attempts: i32,
    /// When it is looked at again.
    pub next: Next,
    /// Payment's number for the charge, if it is known by now.
    pub payment_id: Option<&'a str>,
    /// Shipping's number for the parcel, if it is known by now.
    pub shipment_id: Option<&'a str>,
    /// What the peer last said, for the operator.
    pub last_answer: Option<&'a str>,
    /// Whether the wish to cancel has been decided.
    pub cancel_decided: bool,
    /// The order's new state.
    pub state: &'a State,
    /// What led to it.
    pub facts: &'a [Fact],
    /// Whether the mark may be lost with the database's memory: the step would then be repeated,
    /// which is safe. The acknowledgement, refusals and the final state must not be lost.
    pub lazy: bool,
}

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It stands; this is the order's version now.
    Yes(i32),
    /// The order has changed since it was read, as by a wish to cancel: read again, decide again.
    Changed,
    /// Somebody else has claimed the fulfilment: stop.
    Superseded,
}

/// Writes a mark, the order's new state and its events in one statement, if the claim still holds
/// and the order is still at the version at which it was read.
#[tracing::instrument(name = "db.fulfilments.record", skip_all)]
pub async fn record(
    conn: &mut PgConnection,
    fulfilment: &Fulfilment,
    mark: &Mark<'_>,
) -> Result<Written, Error> {
    let (phase, step, flag) = plan_columns(mark.plan);
    let (leased, due_in, due_known) = next_columns(mark.next);
    let events = Columns::new(mark.facts, &Actor::saga());
    let state = mark.state;
    let row = sqlx::query!(
        r#"
        with held as (
            select order_id from fulfilments where order_id = $1 and epoch = $2 for update
        ), moved as (
            update orders set order_status = $4, payment_status = $5, shipping_status = $6,
                cancel_reason = $7, carrier = $8, tracking_no = $9,
                cancel_requested = cancel_requested and not $10,
                version = version + cardinality($11::text[]), updated_at = now()
            where order_id = $1 and version = $3 and exists (select from held)
            returning version
        ), marked as (
            update fulfilments set phase = $14, step = $15, flag = $16, attempts = $17,
                leased = $18,
                due_at = case when $20 then due_at else now() + make_interval(secs => $19) end,
                cancel_reason = case when $10 then null else cancel_reason end,
                payment_id = coalesce($21, payment_id), shipment_id = coalesce($22, shipment_id),
                last_answer = $23, changed_at = now()
            where order_id = $1 and exists (select from moved)
        ), written as (
            insert into order_events (order_id, seq, code, actor, data)
            select $1, $3 + event.place, event.code, event.actor, event.data
            from moved, unnest($11::text[], $12::text[], $13::jsonb[])
                with ordinality as event (code, actor, data, place)
        )
        select exists (select from held) as "held!", (select version from moved) as version,
            case when $24 then set_config('synchronous_commit', 'off', true) end as lazy
        "#,
        fulfilment.claim.order_id.0,
        fulfilment.claim.epoch,
        fulfilment.order.version,
        state.order_status.to_string(),
        state.payment_status.to_string(),
        state.shipping_status.to_string(),
        state.cancel_reason.map(|reason| reason.as_str()),
        state.carrier,
        state.tracking_no,
        mark.cancel_decided,
        &events.codes,
        &events.actors,
        &events.data,
        phase,
        step,
        flag,
        mark.attempts,
        leased,
        due_in,
        due_known,
        mark.payment_id,
        mark.shipment_id,
        mark.last_answer,
        mark.lazy,
    )
    .fetch_one(conn)
    .await?;
    Ok(match (row.held, row.version) {
        (true, Some(version)) => Written::Yes(version),
        (true, None) => Written::Changed,
        (false, _) => Written::Superseded,
    })
}

/// Asks the holder, or whoever comes next, to call the order off. `false`: the order has changed
/// since it was read, or its fulfilment takes no such wish any more.
#[tracing::instrument(name = "db.fulfilments.request_cancel", skip_all)]
pub async fn request_cancel(
    conn: &mut PgConnection,
    order: &Order,
    reason: CancelReason,
    actor: &Actor,
) -> Result<bool, Error> {
    let events = Columns::new(&[Fact::CancelRequested { reason }], actor);
    let written = sqlx::query!(
        r#"
        with held as (
            select order_id from fulfilments
            where order_id = $1 and cancel_reason is null and phase in ('doing', 'completed')
                and due_at is not null
            for update
        ), moved as (
            update orders set cancel_requested = true, version = version + 1, updated_at = now()
            where order_id = $1 and version = $2 and exists (select from held)
            returning version
        ), marked as (
            update fulfilments set cancel_reason = $3,
                due_at = case when leased then due_at else now() end
            where order_id = $1 and exists (select from moved)
        )
        insert into order_events (order_id, seq, code, actor, data)
        select $1, moved.version, event.code, event.actor, event.data
        from moved, unnest($4::text[], $5::text[], $6::jsonb[]) as event (code, actor, data)
        "#,
        order.order_id.0,
        order.version,
        reason.as_str(),
        &events.codes,
        &events.actors,
        &events.data,
    )
    .execute(conn)
    .await?;
    Ok(written.rows_affected() > 0)
}

/// Lets a fulfilment that waits for its turn be looked at now.
#[tracing::instrument(name = "db.fulfilments.hasten", skip_all)]
pub async fn hasten(conn: &mut PgConnection, order_id: OrderId) -> Result<(), Error> {
    sqlx::query!(
        "update fulfilments set due_at = now() where order_id = $1 and not leased and due_at > now()",
        order_id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives leases back at a graceful stop, between two steps, so that others need not wait for their
/// end.
#[tracing::instrument(name = "db.fulfilments.give_back", skip_all)]
pub async fn give_back(conn: &mut PgConnection, claim: Claim) -> Result<(), Error> {
    sqlx::query!(
        "update fulfilments set leased = false, due_at = now() where order_id = $1 and epoch = $2 and leased",
        claim.order_id.0,
        claim.epoch,
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn plan_columns(plan: Plan) -> (&'static str, Option<&'static str>, bool) {
    match plan {
        Plan::Doing { step, unsure } => ("doing", Some(step.as_str()), unsure),
        Plan::Recalling { committed } => ("recalling", None, committed),
        Plan::Undoing(step) => ("undoing", Some(step.as_str()), false),
        Plan::Completed => ("completed", None, false),
        Plan::Undone => ("undone", None, false),
        Plan::Stuck { step, undoing } => ("stuck", Some(step.as_str()), undoing),
    }
}

fn read_plan(
    phase: &str,
    step: Option<&str>,
    flag: bool,
    order_id: OrderId,
) -> Result<Plan, Error> {
    let unreadable = |column| Error::Unreadable {
        column,
        order_id: order_id.0,
    };
    let step = || step.and_then(Step::from_name).ok_or(unreadable("step"));
    Ok(match phase {
        "doing" => Plan::Doing {
            step: step()?,
            unsure: flag,
        },
        "recalling" => Plan::Recalling { committed: flag },
        "undoing" => Plan::Undoing(step()?),
        "completed" => Plan::Completed,
        "undone" => Plan::Undone,
        "stuck" => Plan::Stuck {
            step: step()?,
            undoing: flag,
        },
        _ => return Err(unreadable("phase")),
    })
}

/// `leased`, seconds until due (`None`: never), and whether `due_at` stays as it is.
fn next_columns(next: Next) -> (bool, Option<f64>, bool) {
    match next {
        Next::Now => (true, None, true),
        Next::After(delay) => (false, Some(delay.as_secs_f64()), false),
        Next::Never => (false, None, false),
    }
}
