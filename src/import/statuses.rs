//! Maps the statuses of the earlier shop to ours. This table is the only place that defines the mapping.
//!
//! | order status in the file | payment status in the file | imported as: order, payment, shipping |
//! |---|---|---|
//! | `CREATED`, `PENDING`, `CONFIRMED` | `SUCCESS`, `PAID` | `CONFIRMED`, `PAID`, `UNKNOWN` |
//! | | `FAILED` | `CANCELLED` (`payment_declined`), `FAILED`, `CANCELLED` |
//! | | `REFUNDED` | `CANCELLED` (`imported`), `REFUNDED`, `CANCELLED` |
//! | | `PENDING` | rejected |
//! | `SHIPPED` | any | `SHIPPED`, unchanged, `SHIPPED` |
//! | `DELIVERED` | any | `DELIVERED`, unchanged, `DELIVERED` |
//! | `CANCELLING`, `CANCELLED` | any | `CANCELLED` (`imported`), unchanged, `CANCELLED` |
//!
//! Imported orders have no fulfilment, so none may have a status of an order in progress (`PENDING`,
//! `CANCELLING`). Therefore:
//!
//! - An order with a failed payment is cancelled, as this service would have done. It would otherwise stay
//!   open for ever.
//! - A paid order is confirmed. The location of its parcel is unknown.
//! - An order with a pending payment is rejected: to cancel or to confirm it would be a guess about a
//!   purchase. Settle it in the earlier shop, then run the import again.
//! - A cancelled order with a payment keeps `PAID`, because the files do not tell whether it was refunded.
//!   `PAID` beside `CANCELLED` shows staff what to check.
//! - A delivered order with a failed payment is imported unchanged, as history.

use crate::domain::cancel_reason::CancelReason;
use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};

/// The statuses of an imported order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ImportedStatuses {
    /// The order status.
    pub order: OrderStatus,
    /// The payment status.
    pub payment: PaymentStatus,
    /// The shipping status.
    pub shipping: ShippingStatus,
    /// Why the order was cancelled; `None` if it was not.
    pub cancel_reason: Option<CancelReason>,
}

/// Parses an order status of the earlier shop or of this service.
pub(super) fn order(text: &str) -> Result<OrderStatus, String> {
    named("CREATED", OrderStatus::Pending, text)
}

/// Parses a payment status of the earlier shop or of this service.
pub(super) fn payment(text: &str) -> Result<PaymentStatus, String> {
    named("SUCCESS", PaymentStatus::Paid, text)
}

/// Parses the name of a status, or `theirs` as an alias of `ours`.
fn named<S: Status>(theirs: &str, ours: S, text: &str) -> Result<S, String> {
    if text.eq_ignore_ascii_case(theirs) {
        return Ok(ours);
    }
    S::from_name(text).ok_or_else(|| {
        let names: Vec<_> = S::ALL.iter().map(|status| status.as_str()).collect();
        format!("must be one of {theirs}, {}", names.join(", "))
    })
}

/// The statuses with which an order is imported. The error is a violation of its payment status.
pub(super) fn imported(
    order: OrderStatus,
    payment: PaymentStatus,
) -> Result<ImportedStatuses, &'static str> {
    let (order, shipping, cancel_reason) = match (order, payment) {
        (OrderStatus::Pending | OrderStatus::Confirmed, payment) => match payment {
            PaymentStatus::Paid => (OrderStatus::Confirmed, ShippingStatus::Unknown, None),
            PaymentStatus::Failed => cancelled(CancelReason::PaymentDeclined),
            PaymentStatus::Refunded => cancelled(CancelReason::Imported),
            PaymentStatus::Pending => {
                return Err("must be settled before the order can be imported");
            }
        },
        (OrderStatus::Shipped, _) => (OrderStatus::Shipped, ShippingStatus::Shipped, None),
        (OrderStatus::Delivered, _) => (OrderStatus::Delivered, ShippingStatus::Delivered, None),
        (OrderStatus::Cancelling | OrderStatus::Cancelled, _) => cancelled(CancelReason::Imported),
    };
    Ok(ImportedStatuses {
        order,
        payment,
        shipping,
        cancel_reason,
    })
}

fn cancelled(reason: CancelReason) -> (OrderStatus, ShippingStatus, Option<CancelReason>) {
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
        match imported(order, payment) {
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
                "must be settled before the order can be imported",
            ),
        ] {
            assert_eq!(becomes(order, payment), here, "{order} {payment}");
        }
    }

    #[test]
    fn imported_orders_are_never_in_progress() {
        for &order in OrderStatus::ALL {
            for &payment in PaymentStatus::ALL {
                let Ok(taken) = imported(order, payment) else {
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
