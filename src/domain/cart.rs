//! A validated cart, ready to become an order.

use super::ids::CustomerId;
use super::money::Money;
use super::order::Totals;

/// The most lines of an order.
pub const MAX_LINES: usize = 100;
/// The largest quantity of a line.
pub const MAX_QUANTITY: u32 = 10_000;
/// The longest SKU, in characters.
pub const MAX_SKU_CHARS: usize = 100;
/// The longest product name, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// The longest shipping address, in characters.
pub const MAX_ADDRESS_CHARS: usize = 500;
/// The longest name of a payment method, in characters.
pub const MAX_METHOD_CHARS: usize = 40;

/// A line of a cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CartLine {
    /// The product id, if the client sent one.
    pub product_id: Option<i64>,
    /// The stock keeping unit.
    pub sku: String,
    /// The product name, if the client sent one.
    pub name: Option<String>,
    /// The quantity, from 1 to [`MAX_QUANTITY`].
    pub quantity: u32,
    /// The price of one unit.
    pub unit_price: Money,
    /// `quantity × unit_price`.
    pub line_total: Money,
}

/// A valid cart: at least one line, no repeated SKU, totals within bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cart {
    /// The customer who buys.
    pub customer_id: CustomerId,
    /// The lines.
    pub lines: Vec<CartLine>,
    /// The totals of the lines.
    pub totals: Totals,
    /// The payment method, as PaymentService names it.
    pub payment_method: Option<String>,
    /// The shipping address.
    pub shipping_address: Option<String>,
}
