//! The tables `orders` and `order_items`.

use std::collections::HashMap;

use rust_decimal::Decimal;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::cart::{Cart, CartLine};
use crate::domain::event::{Actor, OrderEvent};
use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::money::Currency;
use crate::domain::order::{Item, Order, OrderState};
use crate::domain::saga::first_epoch;
use crate::domain::status::Status;

use super::Error;
use super::change::change_order;
use super::events::Columns;
use super::idempotency::IdempotencyKey;
use super::rows::{collect_orders, joined};

/// An order to place.
pub struct Placement<'a> {
    /// The cart.
    pub cart: &'a Cart,
    /// The currency of its amounts.
    pub currency: Currency,
    /// The originator of the first event.
    pub actor: &'a Actor,
    /// The caller's idempotency key, if there is one.
    pub key: Option<&'a IdempotencyKey>,
    /// The random identity of the saga, from which its idempotency keys at the peers derive.
    pub identity: Uuid,
    /// The lease of this process on the saga; `None` leaves the saga to the next claim.
    pub lease: Option<std::time::Duration>,
}

struct PlacedRow {
    order_id: i64,
    created_at: OffsetDateTime,
    order_item_id: i64,
    sku: String,
}

/// The lines of a cart as columns.
struct LineColumns {
    product_ids: Vec<Option<i64>>,
    skus: Vec<String>,
    names: Vec<Option<String>>,
    quantities: Vec<i32>,
    unit_prices: Vec<Decimal>,
    line_totals: Vec<Decimal>,
}

impl LineColumns {
    fn new(lines: &[CartLine]) -> Self {
        Self {
            product_ids: lines.iter().map(|line| line.product_id).collect(),
            skus: lines.iter().map(|line| line.sku.clone()).collect(),
            names: lines.iter().map(|line| line.name.clone()).collect(),
            quantities: lines
                .iter()
                .map(|line| line.quantity.cast_signed())
                .collect(),
            unit_prices: lines.iter().map(|line| line.unit_price.decimal()).collect(),
            line_totals: lines.iter().map(|line| line.line_total.decimal()).collect(),
        }
    }
}

/// The unique index on the saga's identity.
const IDENTITY_KEY: &str = "fulfilments_identity_key";

/// Commits an order, its lines, first event, idempotency key and saga in one statement. Writes nothing and
/// returns `None` when the key was used before or the identity was placed before.
#[tracing::instrument(name = "db.orders.place", skip_all)]
pub async fn place(
    conn: &mut PgConnection,
    placement: &Placement<'_>,
) -> Result<Option<Order>, Error> {
    let Placement {
        cart,
        currency,
        actor,
        key,
        identity,
        lease,
    } = *placement;
    let lines = LineColumns::new(&cart.lines);
    let state = OrderState::placed();
    let rows = sqlx::query_file_as!(
        PlacedRow,
        "src/db/orders/place.sql",
        key.map(|key| key.scope.as_str()),
        key.map(|key| key.operation),
        key.map(|key| key.key.as_str()),
        key.map(|key| key.fingerprint.as_slice()),
        cart.customer_id.0,
        state.order_status.as_str(),
        state.payment_status.as_str(),
        state.shipping_status.as_str(),
        currency.code(),
        cart.totals.subtotal.decimal(),
        cart.totals.tax.decimal(),
        cart.totals.shipping_fee.decimal(),
        cart.totals.order_total.decimal(),
        cart.payment_method,
        cart.shipping_address,
        &lines.product_ids as &[Option<i64>],
        &lines.skus,
        &lines.quantities,
        &lines.unit_prices,
        &lines.line_totals,
        OrderEvent::OrderPlaced.code(),
        actor.as_str(),
        identity,
        lease.map(|lease| lease.as_secs_f64()),
        &lines.names as &[Option<String>],
        first_epoch(identity),
    )
    .fetch_all(conn)
    .await;
    match rows {
        Ok(rows) => Ok(placed_order(cart, currency, state, &rows)),
        Err(sqlx::Error::Database(cause)) if cause.constraint() == Some(IDENTITY_KEY) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The placed order. A SKU occurs once in a cart, so it identifies its line.
fn placed_order(
    cart: &Cart,
    currency: Currency,
    state: OrderState,
    rows: &[PlacedRow],
) -> Option<Order> {
    let first = rows.first()?;
    let items = rows.iter().filter_map(|row| {
        let line = cart.lines.iter().find(|line| line.sku == row.sku)?;
        Some(Item {
            order_item_id: row.order_item_id,
            product_id: line.product_id,
            sku: line.sku.clone(),
            name: line.name.clone(),
            quantity: line.quantity,
            unit_price: line.unit_price,
            line_total: line.line_total,
        })
    });
    Some(Order {
        order_id: OrderId(first.order_id),
        customer_id: cart.customer_id,
        currency,
        totals: cart.totals,
        items: items.collect(),
        payment_method: cart.payment_method.clone(),
        shipping_address: cart.shipping_address.clone(),
        state,
        cancel_requested: false,
        version: 1,
        created_at: first.created_at,
        updated_at: first.created_at,
    })
}

/// An order with its lines; `None` when it does not exist or is not `owner`'s.
#[tracing::instrument(name = "db.orders.find", skip_all)]
pub async fn find(
    conn: &mut PgConnection,
    owner: Option<CustomerId>,
    order_id: OrderId,
) -> Result<Option<Order>, Error> {
    let found = find_many(conn, &[order_id.0]).await?.pop();
    Ok(found.filter(|order| owned_by(order, owner)))
}

/// Whether the order belongs to `owner`; `None` may read every order.
pub(super) fn owned_by(order: &Order, owner: Option<CustomerId>) -> bool {
    owner.is_none_or(|owner| order.customer_id == owner)
}

/// The orders with these ids, in the same sequence.
///
/// A subquery hides the array length from the planner. Otherwise it would plan anew for each short array,
/// with the same result.
pub async fn find_many(conn: &mut PgConnection, ids: &[i64]) -> Result<Vec<Order>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = joined!(
        r#"null::bigint as "place?", null::bigint as "count?""#,
        "
        from orders o
        left join order_items i on i.order_id = o.order_id
        where o.order_id = any((select $1::bigint[])::bigint[])
        order by o.order_id, i.order_item_id
        ",
        ids
    )
    .fetch(conn);
    let orders = collect_orders(rows).await?;
    let mut orders: HashMap<i64, Order> = orders
        .into_iter()
        .map(|order| (order.order_id.0, order))
        .collect();
    Ok(ids.iter().filter_map(|id| orders.remove(id)).collect())
}

/// The version of an order; `None` when it does not exist or is not `owner`'s.
#[tracing::instrument(name = "db.orders.version", skip_all)]
pub async fn version(
    conn: &mut PgConnection,
    owner: Option<CustomerId>,
    order_id: OrderId,
) -> Result<Option<i32>, Error> {
    let version = sqlx::query_scalar!(
        r#"
        select version from orders
        where order_id = $1 and ($2::bigint is null or customer_id = $2)
        "#,
        order_id.0,
        owner.map(|owner| owner.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(version)
}

/// Writes a new state and its events, if the order is still at the version that was read (optimistic
/// concurrency); otherwise writes nothing and returns `false`.
#[tracing::instrument(name = "db.orders.advance", skip_all)]
pub async fn advance(
    conn: &mut PgConnection,
    order: &Order,
    state: &OrderState,
    events: &[OrderEvent],
    actor: &Actor,
) -> Result<bool, Error> {
    let columns = Columns::new(events, actor);
    let changed = change_order!(
        guard: "guard as (select 1)",
        set: "order_status = $6, payment_status = $7, shipping_status = $8, cancel_reason = $9,
            carrier = $10, tracking_no = $11,",
        saga: "",
        select: "select version from changed",
        order.order_id.0,
        order.version,
        columns,
        state.order_status.as_str(),
        state.payment_status.as_str(),
        state.shipping_status.as_str(),
        state.cancel_reason.map(|reason| reason.as_str()),
        state.carrier,
        state.tracking_no,
    )
    .fetch_optional(conn)
    .await?;
    Ok(changed.is_some())
}
