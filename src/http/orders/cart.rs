//! Reads the body of a placement into a cart, with every fault that it has.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, RefOr, Schema};

use crate::domain::cart::{
    Cart, CartLine, MAX_ADDRESS_CHARS, MAX_LINES, MAX_METHOD_CHARS, MAX_NAME_CHARS, MAX_QUANTITY,
    MAX_SKU_CHARS,
};
use crate::domain::ids::CustomerId;
use crate::domain::money::{MAX_AMOUNT, Money, MoneyError};
use crate::domain::order::{PricingRules, Totals};
use crate::http::body::{Faults, Object, type_name};

/// What is to be ordered. Fields that are not named here are ignored.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes what is read by hand, so that all faults are told at once"
)]
pub struct CreateOrder {
    /// Whose order it is: the caller's own when left out. Staff name the customer.
    #[schema(example = 5, minimum = 1)]
    customer_id: Option<i64>,
    /// What is bought; no SKU twice.
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<CreateItem>,
    /// The shop's currency; may be left out.
    #[schema(example = "USD", min_length = 3, max_length = 3)]
    currency: Option<String>,
    /// How the customer pays, in PaymentService's words.
    #[schema(example = "CARD", min_length = 1, max_length = 40)]
    payment_method: Option<String>,
    /// Where the parcel goes.
    #[schema(
        example = "1 Main Street, Springfield",
        min_length = 1,
        max_length = 500
    )]
    shipping_address: Option<String>,
}

/// A line of what is to be ordered.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes what is read by hand, so that all faults are told at once"
)]
pub struct CreateItem {
    /// The product's number.
    #[schema(example = 17, minimum = 1)]
    product_id: Option<i64>,
    /// The stock keeping unit.
    #[schema(example = "SKU123", min_length = 1, max_length = 100)]
    sku: String,
    /// What it is called, as the customer is to see it.
    #[schema(example = "Walnut Lamp", min_length = 1, max_length = 200)]
    name: Option<String>,
    /// How many.
    #[schema(example = 2, minimum = 1, maximum = 10000)]
    quantity: u32,
    #[schema(schema_with = price_schema)]
    unit_price: Value,
}

/// A price on the way in: a number, or a text.
fn price_schema() -> impl Into<RefOr<Schema>> {
    let number = ObjectBuilder::new()
        .schema_type(Type::Number)
        .exclusive_minimum(Some(0))
        .maximum(Some(MAX_AMOUNT));
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(r"^(0\.(0[1-9]|[1-9]\d?)|[1-9]\d{0,8}(\.\d{1,2})?)$"));
    OneOfBuilder::new()
        .description(Some(
            "The price of one, exact: no more decimals than the currency has.",
        ))
        .item(number)
        .item(text)
        .examples([serde_json::json!(100.0), serde_json::json!("100.00")])
}

/// A cart whose owner is not decided.
pub struct Draft {
    /// Whose it is to be, if the body says.
    pub customer_id: Option<CustomerId>,
    lines: Vec<CartLine>,
    totals: Totals,
    payment_method: Option<String>,
    shipping_address: Option<String>,
}

impl Draft {
    /// The cart of `customer_id`.
    pub fn of(self, customer_id: CustomerId) -> Cart {
        Cart {
            customer_id,
            lines: self.lines,
            totals: self.totals,
            payment_method: self.payment_method,
            shipping_address: self.shipping_address,
        }
    }
}

/// Reads a body. `None` when there is a fault that leaves no cart.
pub fn read(body: &Value, pricing: &PricingRules, faults: &mut Faults) -> Option<Draft> {
    let order = Object::at(body, "", faults)?;
    let customer_id = order
        .optional("customer_id")
        .and_then(|value| order.number("customer_id", value, 1..=i64::MAX, faults));
    if let Some(value) = order.optional("currency")
        && let Some(currency) = order.text("currency", value, 3, faults)
        && currency != pricing.currency.code()
    {
        let expected = format!("must be {}, or left out", pricing.currency.code());
        faults.add(order.pointer("currency"), "unknown_value", expected);
    }
    let payment_method = order
        .optional("payment_method")
        .and_then(|value| order.text("payment_method", value, MAX_METHOD_CHARS, faults));
    let shipping_address = order
        .optional("shipping_address")
        .and_then(|value| order.text("shipping_address", value, MAX_ADDRESS_CHARS, faults));
    let lines = lines(&order, pricing, faults)?;
    let totals = totals(&lines, pricing);
    if totals.is_none() {
        let detail = format!("must come to at most {MAX_AMOUNT} in all");
        faults.add(order.pointer("items"), "too_large", detail);
    }
    Some(Draft {
        customer_id: customer_id.map(CustomerId),
        lines,
        totals: totals?,
        payment_method,
        shipping_address,
    })
}

/// `None` when there is a fault in them.
fn lines(order: &Object<'_>, pricing: &PricingRules, faults: &mut Faults) -> Option<Vec<CartLine>> {
    let pointer = order.pointer("items");
    let Value::Array(values) = order.required("items", faults)? else {
        let found = order.optional("items").map_or("nothing", type_name);
        faults.add(
            pointer,
            "wrong_type",
            format!("must be a list, not {found}"),
        );
        return None;
    };
    if values.is_empty() || values.len() > MAX_LINES {
        faults.add(
            pointer,
            "out_of_range",
            format!("must have 1 to {MAX_LINES} lines"),
        );
        return None;
    }
    let lines: Vec<_> = (0..)
        .zip(values)
        .map(|(index, value)| line(value, &format!("{pointer}/{index}"), pricing, faults))
        .collect();
    refuse_duplicates(values, &pointer, faults);
    lines.into_iter().collect()
}

/// Looks at what was sent, so that a line with another fault is compared as well.
fn refuse_duplicates(values: &[Value], pointer: &str, faults: &mut Faults) {
    let skus: Vec<_> = values
        .iter()
        .map(|value| value.get("sku")?.as_str().map(str::trim))
        .map(|sku| sku.filter(|sku| !sku.is_empty()))
        .collect();
    for (index, sku) in skus.iter().enumerate() {
        let first = skus[..index].iter().position(|earlier| earlier == sku);
        if let (Some(first), Some(_)) = (first, sku) {
            let detail = format!("is the SKU of line {first} as well; order it once, with the sum");
            faults.add(format!("{pointer}/{index}/sku"), "duplicate", detail);
        }
    }
}

fn line(
    value: &Value,
    pointer: &str,
    pricing: &PricingRules,
    faults: &mut Faults,
) -> Option<CartLine> {
    let line = Object::at(value, pointer, faults)?;
    let product_id = line
        .optional("product_id")
        .map(|value| line.number("product_id", value, 1..=i64::MAX, faults));
    let sku = line
        .required("sku", faults)
        .and_then(|value| line.text("sku", value, MAX_SKU_CHARS, faults));
    let name = line
        .optional("name")
        .map(|value| line.text("name", value, MAX_NAME_CHARS, faults));
    let quantity = line
        .required("quantity", faults)
        .and_then(|value| line.number("quantity", value, 1..=i64::from(MAX_QUANTITY), faults));
    let unit_price = line
        .required("unit_price", faults)
        .and_then(|value| price(&line, value, pricing, faults));
    if product_id == Some(None) || name == Some(None) {
        return None;
    }
    let quantity = u32::try_from(quantity?).ok()?;
    let unit_price = unit_price?;
    Some(CartLine {
        product_id: product_id.flatten(),
        sku: sku?,
        name: name.flatten(),
        quantity,
        unit_price,
        line_total: unit_price.times(quantity)?,
    })
}

fn price(
    line: &Object<'_>,
    value: &Value,
    pricing: &PricingRules,
    faults: &mut Faults,
) -> Option<Money> {
    let text = match value {
        Value::Number(number) => number.as_str(),
        Value::String(text) => text,
        other => {
            let detail = format!(
                "must be a decimal number such as 100.00, not {}",
                type_name(other)
            );
            faults.add(line.pointer("unit_price"), "wrong_type", detail);
            return None;
        }
    };
    match Money::parse_price(text, pricing.currency) {
        Ok(price) => Some(price),
        Err(error) => {
            let code = match error {
                MoneyError::NotANumber => "not_a_number",
                MoneyError::TooManyDecimals(_) => "too_many_decimals",
                MoneyError::NotPositive | MoneyError::TooLarge => "out_of_range",
            };
            faults.add(line.pointer("unit_price"), code, error.to_string());
            None
        }
    }
}

fn totals(lines: &[CartLine], pricing: &PricingRules) -> Option<Totals> {
    let mut subtotal = Money::zero(pricing.currency);
    for line in lines {
        subtotal = subtotal.plus(line.line_total)?;
    }
    pricing.totals(subtotal)
}
