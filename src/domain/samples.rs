//! Orders for unit tests.

use time::OffsetDateTime;

use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::{Order, OrderState, Totals};

/// An order that was just placed.
pub(crate) fn order() -> Order {
    let currency = Currency::from_code("USD").unwrap();
    let zero = Money::zero(currency);
    Order {
        order_id: OrderId(1),
        customer_id: CustomerId(1),
        currency,
        totals: Totals {
            subtotal: zero,
            tax: zero,
            shipping_fee: zero,
            order_total: zero,
        },
        items: Vec::new(),
        payment_method: None,
        shipping_address: None,
        state: OrderState::placed(),
        cancel_requested: false,
        version: 1,
        created_at: OffsetDateTime::UNIX_EPOCH,
        updated_at: OffsetDateTime::UNIX_EPOCH,
    }
}
