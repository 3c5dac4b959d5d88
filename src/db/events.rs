//! The table `order_events`: append-only, numbered per order, written by the statement that causes
//! the event.

use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::event::{Actor, Event, Fact};
use crate::domain::ids::OrderId;

use super::Error;

/// Facts as the columns of the rows that record them.
pub(super) struct Columns {
    pub codes: Vec<String>,
    pub actors: Vec<String>,
    pub data: Vec<Value>,
}

impl Columns {
    pub fn new(facts: &[Fact], actor: &Actor) -> Self {
        Self {
            codes: facts.iter().map(|fact| fact.code().to_owned()).collect(),
            actors: facts.iter().map(|_| actor.as_str().to_owned()).collect(),
            data: facts.iter().map(data).collect(),
        }
    }
}

/// The details of a fact, as they are stored.
fn data(fact: &Fact) -> Value {
    match fact {
        Fact::OrderPlaced
        | Fact::OrderImported
        | Fact::OrderConfirmed
        | Fact::OrderShipped
        | Fact::OrderDelivered
        | Fact::StockReleased
        | Fact::OrderCancelled => json!({}),
        Fact::StockReserved { reservation_id } => json!({ "reservation_id": reservation_id }),
        Fact::StockRefused { reason }
        | Fact::PaymentDeclined { reason }
        | Fact::ShipmentRefused { reason }
        | Fact::StockCommitRefused { reason }
        | Fact::CancelRefused { reason } => json!({ "reason": reason }),
        Fact::PaymentTaken {
            payment_id,
            reference,
        } => {
            json!({ "payment_id": payment_id, "reference": reference })
        }
        Fact::ShipmentCreated {
            shipment_id,
            carrier,
            tracking_no,
        } => {
            json!({ "shipment_id": shipment_id, "carrier": carrier, "tracking_no": tracking_no })
        }
        Fact::ParcelMoved { to, carrier_status } => {
            json!({ "shipping_status": to.to_string(), "carrier_status": carrier_status })
        }
        Fact::PaymentMoved { to } => json!({ "payment_status": to.to_string() }),
        Fact::CancelRequested { reason } | Fact::CallingOff { reason } => {
            json!({ "reason": reason.as_str() })
        }
        Fact::ShipmentCancelled { shipment_id } | Fact::SurplusCancelled { shipment_id } => {
            json!({ "shipment_id": shipment_id })
        }
        Fact::PaymentRefunded { payment_id } | Fact::SurplusRefunded { payment_id } => {
            json!({ "payment_id": payment_id })
        }
        Fact::DiscrepancyFound { findings, reason } => {
            json!({ "findings": findings, "reason": reason })
        }
        Fact::PersonDecided { decision, reason } => {
            json!({ "decision": decision, "reason": reason })
        }
        Fact::PersonNeeded { step, reason } => json!({ "step": step.as_str(), "reason": reason }),
    }
}

/// Whether this is the event of that number in the history of an order.
#[tracing::instrument(name = "db.events.stands", skip_all)]
pub async fn stands(
    conn: &mut PgConnection,
    order_id: OrderId,
    seq: i32,
    fact: &Fact,
    actor: &Actor,
) -> Result<bool, Error> {
    let stands = sqlx::query_scalar!(
        r#"
        select exists (select from order_events
            where order_id = $1 and seq = $2 and code = $3 and actor = $4 and data = $5) as "stands!"
        "#,
        order_id.0,
        seq,
        fact.code(),
        actor.as_str(),
        data(fact),
    )
    .fetch_one(conn)
    .await?;
    Ok(stands)
}

struct EventRow {
    seq: i32,
    code: String,
    actor: String,
    carrier_status: Option<String>,
    at: OffsetDateTime,
}

/// The history of an order, oldest first.
#[tracing::instrument(name = "db.events.of_order", skip_all)]
pub async fn of_order(conn: &mut PgConnection, order_id: OrderId) -> Result<Vec<Event>, Error> {
    let rows = sqlx::query_as!(
        EventRow,
        r#"
        select seq, code, actor, data ->> 'carrier_status' as carrier_status, at
        from order_events where order_id = $1 order by seq
        "#,
        order_id.0,
    )
    .fetch_all(conn)
    .await?;
    let events = rows.into_iter().map(|row| Event {
        seq: row.seq,
        code: row.code,
        actor: row.actor,
        carrier_status: row.carrier_status,
        at: row.at,
    });
    Ok(events.collect())
}
