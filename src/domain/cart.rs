//! What a client wants to order, once it has been read and found to be in order.

use super::ids::CustomerId;
use super::money::Money;
use super::order::Totals;

/// How many lines an order may have.
pub const MAX_LINES: usize = 100;
/// How many of one SKU may be ordered.
pub const MAX_QUANTITY: u32 = 10_000;
/// How long a SKU may be, in characters.
pub const MAX_SKU_CHARS: usize = 100;
/// How long the name of what is bought may be, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// How long an address may be, in characters.
pub const MAX_ADDRESS_CHARS: usize = 500;
/// How long the name of a payment method may be, in characters.
pub const MAX_METHOD_CHARS: usize = 40;

/// One line of a cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CartLine {
    /// The product's number, where the client names it.
    pub product_id: Option<i64>,
    /// The stock keeping unit.
    pub sku: String,
    /// What it is called, where the client says.
    pub name: Option<String>,
    /// How many, from 1 to [`MAX_QUANTITY`].
    pub quantity: u32,
    /// The price of one.
    pub unit_price: Money,
    /// `quantity × unit_price`.
    pub line_total: Money,
}

/// A cart that can be ordered: at least one line, no SKU twice, totals within bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cart {
    /// Who buys.
    pub customer_id: CustomerId,
    /// What is bought.
    pub lines: Vec<CartLine>,
    /// What it comes to.
    pub totals: Totals,
    /// How the customer wants to pay, in PaymentService's words.
    pub payment_method: Option<String>,
    /// Where the parcel goes.
    pub shipping_address: Option<String>,
}
