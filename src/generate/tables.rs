//! The rows of made-up orders, in the text format of COPY.

use std::fmt::Write as _;

use super::shop::{Moment, Shop};
use super::story::Story;

/// A table and how its rows of one order are written.
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// How rows are added.
    pub copy: &'static str,
    /// How rows are written to a table that is new in this transaction.
    pub copy_frozen: &'static str,
    /// Appends the rows of the order of that number.
    pub write: fn(&mut String, &mut Shop, u64),
}

macro_rules! table {
    ($name:literal, $columns:literal, $write:ident) => {
        Table {
            name: $name,
            copy: concat!("copy ", $name, " (", $columns, ") from stdin"),
            copy_frozen: concat!("copy ", $name, " (", $columns, ") from stdin with (freeze)"),
            write: $write,
        }
    };
}

/// Every table, the orders first.
pub static TABLES: &[Table] = &[
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

fn order(rows: &mut String, shop: &mut Shop, number: u64) {
    let story = Story::new(shop, number);
    let Story {
        order_id,
        customer,
        fate,
        shipping_fee,
        placed_at,
        ..
    } = story;
    let [order, payment, shipping] = fate.statuses();
    let subtotal = story.subtotal();
    let _ = write!(
        rows,
        "{order_id}\t{customer}\t{order}\t{payment}\t{shipping}\t{}\t{}\t{}\t0\t{}\t{}\tCARD\t{} Main Street, Springfield\t",
        fate.cancel_reason(),
        shop.currency(),
        shop.amount(subtotal),
        shop.amount(shipping_fee),
        shop.amount(subtotal + shipping_fee),
        customer % 400 + 1,
    );
    let _ = match fate.has_parcel() {
        true => write!(rows, "DHL\tTRK{:09}", 100_000_000 + order_id),
        false => write!(rows, "\\N\t\\N"),
    };
    let version = fate.steps().len();
    let _ = writeln!(
        rows,
        "\t{version}\t{}\t{}",
        Moment(placed_at),
        Moment(story.changed_at())
    );
}

fn items(rows: &mut String, shop: &mut Shop, number: u64) {
    let story = Story::new(shop, number);
    for line in &story.lines {
        let _ = writeln!(
            rows,
            "{}\t{}\t{}\tSKU{:05}\t{}\t{}\t{}\t{}",
            story.order_id,
            shop.next_item(),
            line.product,
            line.product,
            line.name,
            line.quantity,
            shop.amount(line.price),
            shop.amount(line.price * line.quantity),
        );
    }
}

fn events(rows: &mut String, shop: &mut Shop, number: u64) {
    let story = Story::new(shop, number);
    for (seq, (code, after_s, data)) in (1..).zip(story.fate.steps()) {
        let _ = write!(rows, "{}\t{seq}\t{code}\t", story.order_id);
        let _ = match *code {
            "order_placed" | "cancel_requested" => write!(rows, "customer:{}", story.customer),
            _ => write!(rows, "saga"),
        };
        let _ = writeln!(rows, "\t{data}\t{}", Moment(story.placed_at + after_s));
    }
}

fn fulfilment(rows: &mut String, shop: &mut Shop, number: u64) {
    let mut story = Story::new(shop, number);
    let Story { order_id, fate, .. } = story;
    let (phase, step) = fate.plan();
    let (high, low) = (story.chance.next(), story.chance.next());
    let identity =
        uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
            .into_uuid();
    let changed_at = Moment(story.changed_at());
    let _ = write!(rows, "{order_id}\t{identity}\t{phase}\t{step}\t");
    // What is under way is due at once; what is settled is not looked at again.
    let _ = match phase {
        "doing" => write!(rows, "0\t{changed_at}"),
        "stuck" => write!(rows, "1\t\\N"),
        _ => write!(rows, "0\t\\N"),
    };
    let _ = match fate.has_payment() {
        true => write!(rows, "\t{}", 500_000_000 + order_id),
        false => write!(rows, "\t\\N"),
    };
    let _ = match fate.has_parcel() {
        true => write!(rows, "\t{}", 700_000_000 + order_id),
        false => write!(rows, "\t\\N"),
    };
    let last_answer = match phase {
        "stuck" => "charged another amount",
        _ => "\\N",
    };
    let _ = writeln!(rows, "\t{last_answer}\t{changed_at}\t{changed_at}");
}
