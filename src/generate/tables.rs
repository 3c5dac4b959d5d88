//! The rows of generated orders, in the text format of COPY.

use std::fmt::Write as _;

use super::orders::GeneratedOrder;
use super::population::{CopyTimestamp, Population};

/// A table, and the function that writes its rows of one order.
pub struct CopyTable {
    /// The name of the table.
    pub name: &'static str,
    /// The COPY statement that adds rows.
    pub copy: &'static str,
    /// The COPY statement that adds frozen rows, for a table truncated in this transaction.
    pub copy_frozen: &'static str,
    /// Appends the rows of the order with this index.
    pub write: fn(&mut String, &mut Population, u64),
}

macro_rules! table {
    ($name:literal, $columns:literal, $write:ident) => {
        CopyTable {
            name: $name,
            copy: concat!("copy ", $name, " (", $columns, ") from stdin"),
            copy_frozen: concat!("copy ", $name, " (", $columns, ") from stdin with (freeze)"),
            write: $write,
        }
    };
}

/// Every table, the orders first.
pub static TABLES: &[CopyTable] = &[
    table!(
        "orders",
        "order_id, customer_id, order_status, payment_status, shipping_status, cancel_reason, currency, \
         subtotal, tax, shipping_fee, order_total, payment_method, shipping_address, carrier, tracking_no, \
         version, created_at, updated_at",
        order
    ),
    table!(
        "order_items",
        "order_id, order_item_id, product_id, sku, name, quantity, unit_price, line_total",
        items
    ),
    table!(
        "order_events",
        "order_id, seq, code, actor, data, at",
        events
    ),
    table!(
        "fulfilments",
        "order_id, identity, phase, step, attempts, due_at, payment_id, shipment_id, last_answer, since, \
         changed_at",
        fulfilment
    ),
];

fn order(rows: &mut String, population: &mut Population, index: u64) {
    let order = GeneratedOrder::new(population, index);
    let GeneratedOrder {
        order_id,
        customer_id,
        scenario,
        shipping_fee,
        placed_at,
        ..
    } = order;
    let [order_status, payment_status, shipping_status] = scenario.statuses();
    let subtotal = order.subtotal();
    let _ = write!(
        rows,
        "{order_id}\t{customer_id}\t{order_status}\t{payment_status}\t{shipping_status}\t{}\t{}\t{}\t0\t{}\t{}\tCARD\t{} Main Street, Springfield\t",
        scenario.cancel_reason(),
        population.currency(),
        population.amount(subtotal),
        population.amount(shipping_fee),
        population.amount(subtotal + shipping_fee),
        customer_id % 400 + 1,
    );
    let _ = match scenario.has_parcel() {
        true => write!(rows, "DHL\tTRK{:09}", 100_000_000 + order_id),
        false => write!(rows, "\\N\t\\N"),
    };
    let version = scenario.events().len();
    let _ = writeln!(
        rows,
        "\t{version}\t{}\t{}",
        CopyTimestamp(placed_at),
        CopyTimestamp(order.changed_at())
    );
}

fn items(rows: &mut String, population: &mut Population, index: u64) {
    let order = GeneratedOrder::new(population, index);
    for item in &order.items {
        let _ = writeln!(
            rows,
            "{}\t{}\t{}\tSKU{:05}\t{}\t{}\t{}\t{}",
            order.order_id,
            population.next_item_id(),
            item.product_id,
            item.product_id,
            item.name,
            item.quantity,
            population.amount(item.unit_price),
            population.amount(item.unit_price * item.quantity),
        );
    }
}

fn events(rows: &mut String, population: &mut Population, index: u64) {
    let order = GeneratedOrder::new(population, index);
    for (seq, (code, after_s, data)) in (1..).zip(order.scenario.events()) {
        let _ = write!(rows, "{}\t{seq}\t{code}\t", order.order_id);
        let _ = match *code {
            "order_placed" | "cancel_requested" => write!(rows, "customer:{}", order.customer_id),
            _ => write!(rows, "saga"),
        };
        let _ = writeln!(
            rows,
            "\t{data}\t{}",
            CopyTimestamp(order.placed_at + after_s)
        );
    }
}

fn fulfilment(rows: &mut String, population: &mut Population, index: u64) {
    let mut order = GeneratedOrder::new(population, index);
    let GeneratedOrder {
        order_id, scenario, ..
    } = order;
    let (phase, step) = scenario.plan();
    let (high, low) = (order.random.next(), order.random.next());
    let identity =
        uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
            .into_uuid();
    let changed_at = CopyTimestamp(order.changed_at());
    let _ = write!(rows, "{order_id}\t{identity}\t{phase}\t{step}\t");
    // A fulfilment in progress is due at once; a settled one never again.
    let _ = match phase {
        "doing" => write!(rows, "0\t{changed_at}"),
        "stuck" => write!(rows, "1\t\\N"),
        _ => write!(rows, "0\t\\N"),
    };
    let _ = match scenario.has_payment() {
        true => write!(rows, "\t{}", 500_000_000 + order_id),
        false => write!(rows, "\t\\N"),
    };
    let _ = match scenario.has_parcel() {
        true => write!(rows, "\t{}", 700_000_000 + order_id),
        false => write!(rows, "\t\\N"),
    };
    let last_answer = match phase {
        "stuck" => "charged another amount",
        _ => "\\N",
    };
    let _ = writeln!(rows, "\t{last_answer}\t{changed_at}\t{changed_at}");
}
