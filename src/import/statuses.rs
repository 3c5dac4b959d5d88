//! What the earlier shop's statuses become here: the one table of it.
//!
//! | the file's order status | payment status | here: order, payment, shipping |
//! |---|---|---|
//! | `CREATED`, `PENDING`, `CONFIRMED` | `SUCCESS`, `PAID` | `CONFIRMED`, `PAID`, `UNKNOWN` |
//! | | `FAILED` | `CANCELLED` (`payment_declined`), `FAILED`, `CANCELLED` |
//! | | `REFUNDED` | `CANCELLED` (`imported`), `REFUNDED`, `CANCELLED` |
//! | | `PENDING` | not taken over |
//! | `SHIPPED` | any | `SHIPPED`, as it is, `SHIPPED` |
//! | `DELIVERED` | any | `DELIVERED`, as it is, `DELIVERED` |
//! | `CANCELLING`, `CANCELLED` | any | `CANCELLED` (`imported`), as it is, `CANCELLED` |
//!
//! Nothing works on an imported order any more, so none may look as if something did: no `PENDING`
//! and no `CANCELLING`. What follows from that:
//!
//! - An order whose payment was refused would wait for ever, so it is called off, as it would have
//!   been here.
//! - An order that was paid stands. Where its parcel is nobody can say.
//! - An order that still waits for its money is neither, and calling it off or confirming it would
//!   be a guess about somebody's purchase. It is rejected: it can be settled where it was placed
//!   and be imported then, since a second run brings what is new.
//! - A cancelled order that was paid keeps `PAID`. Whether the money went back is not known, and
//!   `PAID` beside `CANCELLED` is what makes a person look.
//! - A delivered order whose payment failed is odd, but history.

use crate::domain::cancel_reason::CancelReason;
use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};

/// The statuses with which an order is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Statuses {
    /// How far the order has come.
    pub order: OrderStatus,
    /// Where the money is.
    pub payment: PaymentStatus,
    /// Where the parcel is.
    pub shipping: ShippingStatus,
    /// Why it was called off, if it was.
    pub cancel_reason: Option<CancelReason>,
}

/// Reads an order status, in the earlier shop's words or in ours.
pub(super) fn order(text: &str) -> Result<OrderStatus, String> {
    named("CREATED", OrderStatus::Pending, text)
}

/// Reads a payment status, in the earlier shop's words or in ours.
pub(super) fn payment(text: &str) -> Result<PaymentStatus, String> {
    named("SUCCESS", PaymentStatus::Paid, text)
}

/// Reads a name of ours, or `theirs`, which means `ours`.
fn named<S: Status>(theirs: &str, ours: S, text: &str) -> Result<S, String> {
    if text.eq_ignore_ascii_case(theirs) {
        return Ok(ours);
    }
    S::from_name(text).ok_or_else(|| {
        let names: Vec<_> = S::ALL.iter().map(|status| status.as_str()).collect();
        format!("must be one of {theirs}, {}", names.join(", "))
    })
}

/// What becomes of an order; the error is about its payment status.
pub(super) fn taken_over(
    order: OrderStatus,
    payment: PaymentStatus,
) -> Result<Statuses, &'static str> {
    let (order, shipping, cancel_reason) = match (order, payment) {
        (OrderStatus::Pending | OrderStatus::Confirmed, payment) => match payment {
            PaymentStatus::Paid => (OrderStatus::Confirmed, ShippingStatus::Unknown, None),
            PaymentStatus::Failed => called_off(CancelReason::PaymentDeclined),
            PaymentStatus::Refunded => called_off(CancelReason::Imported),
            PaymentStatus::Pending => {
                return Err("must be settled before the order can be taken over");
            }
        },
        (OrderStatus::Shipped, _) => (OrderStatus::Shipped, ShippingStatus::Shipped, None),
        (OrderStatus::Delivered, _) => (OrderStatus::Delivered, ShippingStatus::Delivered, None),
        (OrderStatus::Cancelling | OrderStatus::Cancelled, _) => called_off(CancelReason::Imported),
    };
    Ok(Statuses {
        order,
        payment,
        shipping,
        cancel_reason,
    })
}

fn called_off(reason: CancelReason) -> (OrderStatus, ShippingStatus, Option<CancelReason>) {
    (
        OrderStatus::Cancelled,
        ShippingStatus::Cancelled,
        Some(reason),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn becomes(order_status: &str, payment_status: &str) -> String {
        let order = order(order_status).unwrap();
        let payment = payment(payment_status).unwrap();
        match taken_over(order, payment) {
            Ok(taken) => format!(
                "{}/{}/{} {}",
                taken.order,
                taken.payment,
                taken.shipping,
                taken.cancel_reason.map_or("-", CancelReason::as_str)
            ),
            Err(problem) => problem.to_owned(),
        }
    }

    #[test]
    fn statuses_of_the_old_shop_are_mapped_to_ours() {
        for (order, payment, here) in [
            ("CREATED", "SUCCESS", "CONFIRMED/PAID/UNKNOWN -"),
            (
                "created",
                "failed",
                "CANCELLED/FAILED/CANCELLED payment_declined",
            ),
            ("CANCELLED", "SUCCESS", "CANCELLED/PAID/CANCELLED imported"),
            ("CANCELLED", "FAILED", "CANCELLED/FAILED/CANCELLED imported"),
            ("DELIVERED", "SUCCESS", "DELIVERED/PAID/DELIVERED -"),
            ("DELIVERED", "FAILED", "DELIVERED/FAILED/DELIVERED -"),
            ("Confirmed", "Paid", "CONFIRMED/PAID/UNKNOWN -"),
            ("SHIPPED", "PENDING", "SHIPPED/PENDING/SHIPPED -"),
            (
                "PENDING",
                "REFUNDED",
                "CANCELLED/REFUNDED/CANCELLED imported",
            ),
            (
                "PENDING",
                "PENDING",
                "must be settled before the order can be taken over",
            ),
        ] {
            assert_eq!(becomes(order, payment), here, "{order} {payment}");
        }
    }

    #[test]
    fn imported_orders_are_never_in_progress() {
        for &order in OrderStatus::ALL {
            for &payment in PaymentStatus::ALL {
                let Ok(taken) = taken_over(order, payment) else {
                    continue;
                };
                assert!(!matches!(
                    taken.order,
                    OrderStatus::Pending | OrderStatus::Cancelling
                ));
                assert_eq!(
                    taken.cancel_reason.is_some(),
                    taken.order == OrderStatus::Cancelled
                );
            }
        }
    }

    #[test]
    fn an_unknown_status_is_reported_with_the_known_ones() {
        assert_eq!(
            payment("STOLEN").unwrap_err(),
            "must be one of SUCCESS, PENDING, PAID, FAILED, REFUNDED"
        );
    }
}
