//! Orders in the words of the pages.

use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

use crate::domain::cancel_reason::CancelReason;
use crate::domain::money::{Currency, Money};
use crate::domain::order::{Item, Order};
use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};

const DAY: StaticFormatDescription =
    format_description!("[weekday], [day padding:none] [month repr:long] [year]");
const MOMENT: StaticFormatDescription =
    format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
const MACHINE: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// The day of a point in time, in UTC.
pub fn day(at: OffsetDateTime) -> String {
    at.format(DAY).unwrap_or_default()
}

/// A point in time, for people and for the `datetime` attribute.
#[derive(Clone, Debug)]
pub struct DisplayTime {
    /// The text, in UTC.
    pub shown: String,
    /// RFC 3339.
    pub machine: String,
}

impl From<OffsetDateTime> for DisplayTime {
    fn from(at: OffsetDateTime) -> Self {
        let at = at.to_offset(time::UtcOffset::UTC);
        Self {
            shown: at.format(MOMENT).unwrap_or_default(),
            machine: at.format(MACHINE).unwrap_or_default(),
        }
    }
}

/// A duration in its largest unit.
pub fn duration_text(duration: time::Duration) -> String {
    let (count, unit) = match duration {
        long if long.whole_days() > 1 => (long.whole_days(), "days"),
        long if long.whole_hours() > 1 => (long.whole_hours(), "hours"),
        long if long.whole_minutes() > 1 => (long.whole_minutes(), "minutes"),
        short => (short.whole_seconds().max(0), "seconds"),
    };
    format!("{count} {unit}")
}

/// An amount with its currency.
pub fn amount(money: Money, currency: Currency) -> String {
    format!("{money} {}", currency.code())
}

/// A status as a page shows it.
#[derive(Clone, Copy, Debug)]
pub struct StatusBadge {
    /// The label: `Order`, `Payment` or `Shipping`.
    pub of: &'static str,
    /// The name of the status.
    pub word: &'static str,
    /// The CSS class: `good`, `open`, `bad` or `still`.
    pub tone: &'static str,
}

/// The three statuses of an order.
pub fn badges(order: &Order) -> [StatusBadge; 3] {
    let state = &order.state;
    let order = match state.order_status {
        OrderStatus::Pending | OrderStatus::Cancelling => "open",
        OrderStatus::Confirmed | OrderStatus::Shipped | OrderStatus::Delivered => "good",
        OrderStatus::Cancelled => "still",
    };
    let payment = match state.payment_status {
        PaymentStatus::Pending => "open",
        PaymentStatus::Paid => "good",
        PaymentStatus::Failed => "bad",
        PaymentStatus::Refunded => "still",
    };
    let shipping = match state.shipping_status {
        ShippingStatus::Pending | ShippingStatus::Unknown => "open",
        ShippingStatus::Shipped | ShippingStatus::Delivered => "good",
        ShippingStatus::Failed => "bad",
        ShippingStatus::Cancelled | ShippingStatus::Returned => "still",
    };
    [
        badge("Order", state.order_status, order),
        badge("Payment", state.payment_status, payment),
        badge("Shipping", state.shipping_status, shipping),
    ]
}

fn badge<S: Status>(of: &'static str, status: S, tone: &'static str) -> StatusBadge {
    let word = status_name(status.as_str());
    StatusBadge { of, word, tone }
}

/// The name of a status.
pub fn status_name(status: &'static str) -> &'static str {
    match status {
        "PENDING" => "Pending",
        "CONFIRMED" => "Confirmed",
        "SHIPPED" => "Shipped",
        "DELIVERED" => "Delivered",
        "CANCELLING" => "Being cancelled",
        "CANCELLED" => "Cancelled",
        "PAID" => "Paid",
        "FAILED" => "Failed",
        "REFUNDED" => "Refunded",
        "RETURNED" => "Returned",
        "UNKNOWN" => "Unknown",
        other => other,
    }
}

/// The reason of a cancellation, as a sentence.
pub fn cancel_reason(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::CustomerRequest => "Reason for the cancellation: the customer asked for it.",
        CancelReason::Staff => "Reason for the cancellation: the shop cancelled it.",
        CancelReason::OutOfStock => "Reason for the cancellation: an item is not in stock.",
        CancelReason::PaymentDeclined => "Reason for the cancellation: the payment was declined.",
        CancelReason::PeerRefused => "Reason for the cancellation: it could not be shipped.",
        CancelReason::Imported => "It was cancelled in our earlier shop.",
    }
}

/// The name of an item, or its SKU if it has none.
pub fn item_name(item: &Item) -> &str {
    item.name.as_deref().unwrap_or(&item.sku)
}
