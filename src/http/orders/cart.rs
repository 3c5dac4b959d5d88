//! Parses the body of a placement into a cart, and collects all violations.

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
use crate::http::body::{JsonObject, Violations, type_name};

/// The length of a currency code (ISO 4217), in characters.
pub const CURRENCY_CHARS: usize = 3;

/// The request to place an order. Unknown fields are ignored.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the schema; the handler parses by hand, to report all violations"
)]
pub struct CreateOrder {
    /// The owner of the order; by default the caller. Required for staff.
    #[schema(example = 5, minimum = 1)]
    customer_id: Option<i64>,
    /// The items; each SKU at most once.
    #[schema(min_items = 1)]
    items: Vec<CreateItem>,
    /// The shop's currency; optional.
    #[schema(example = "USD")]
    currency: Option<String>,
    /// The payment method, as PaymentService names it.
    #[schema(example = "CARD")]
    payment_method: Option<String>,
    /// The delivery address.
    #[schema(example = "1 Main Street, Springfield")]
    shipping_address: Option<String>,
}

/// An item of a new order.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the schema; the handler parses by hand, to report all violations"
)]
pub struct CreateItem {
    /// The id of the product.
    #[schema(example = 17, minimum = 1)]
    product_id: Option<i64>,
    /// The stock keeping unit.
    #[schema(example = "SKU123")]
    sku: String,
    /// The name that the customer sees.
    #[schema(example = "Walnut Lamp")]
    name: Option<String>,
    /// The quantity.
    #[schema(example = 2, minimum = 1)]
    quantity: u32,
    #[schema(schema_with = price_schema)]
    unit_price: Value,
}

/// The schema of a price: a number or a string.
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
            "The exact price of one unit, with at most the decimals of the currency.",
        ))
        .item(number)
        .item(text)
        .examples([serde_json::json!(100.0), serde_json::json!("100.00")])
}

/// A cart without an owner.
pub struct UnownedCart {
    /// The owner that the body names.
    pub customer_id: Option<CustomerId>,
    lines: Vec<CartLine>,
    totals: Totals,
    payment_method: Option<String>,
    shipping_address: Option<String>,
}

impl UnownedCart {
    /// The cart of `customer_id`.
    pub fn owned_by(self, customer_id: CustomerId) -> Cart {
        Cart {
            customer_id,
            lines: self.lines,
            totals: self.totals,
            payment_method: self.payment_method,
            shipping_address: self.shipping_address,
        }
    }
}

/// Parses a body; `None` if its violations leave no cart.
pub fn read(
    body: &Value,
    pricing: &PricingRules,
    violations: &mut Violations,
) -> Option<UnownedCart> {
    let order = JsonObject::at(body, "", violations)?;
    let customer_id = order
        .optional("customer_id")
        .and_then(|value| order.integer("customer_id", value, 1..=i64::MAX, violations));
    if let Some(value) = order.optional("currency")
        && let Some(currency) = order.text("currency", value, CURRENCY_CHARS, violations)
        && currency != pricing.currency.code()
    {
        let expected = format!("must be {}, or left out", pricing.currency.code());
        violations.add(order.pointer("currency"), "unknown_value", expected);
    }
    let payment_method = order
        .optional("payment_method")
        .and_then(|value| order.text("payment_method", value, MAX_METHOD_CHARS, violations));
    let shipping_address = order
        .optional("shipping_address")
        .and_then(|value| order.text("shipping_address", value, MAX_ADDRESS_CHARS, violations));
    let lines = lines(&order, pricing, violations)?;
    let totals = totals(&lines, pricing);
    if totals.is_none() {
        let detail = format!("must be at most {MAX_AMOUNT} in total");
        violations.add(order.pointer("items"), "too_large", detail);
    }
    Some(UnownedCart {
        customer_id: customer_id.map(CustomerId),
        lines,
        totals: totals?,
        payment_method,
        shipping_address,
    })
}

/// The items; `None` if one of them has a violation.
fn lines(
    order: &JsonObject<'_>,
    pricing: &PricingRules,
    violations: &mut Violations,
) -> Option<Vec<CartLine>> {
    let pointer = order.pointer("items");
    let Value::Array(values) = order.required("items", violations)? else {
        let found = order.optional("items").map_or("nothing", type_name);
        violations.add(
            pointer,
            "wrong_type",
            format!("must be a list, not {found}"),
        );
        return None;
    };
    if values.is_empty() || values.len() > MAX_LINES {
        violations.add(
            pointer,
            "out_of_range",
            format!("must have 1 to {MAX_LINES} lines"),
        );
        return None;
    }
    let lines: Vec<_> = (0..)
        .zip(values)
        .map(|(index, value)| line(value, &format!("{pointer}/{index}"), pricing, violations))
        .collect();
    refuse_duplicates(values, &pointer, violations);
    lines.into_iter().collect()
}

/// Reports repeated SKUs. It compares the raw values, so that items with other violations count as well.
fn refuse_duplicates(values: &[Value], pointer: &str, violations: &mut Violations) {
    let skus: Vec<_> = values
        .iter()
        .map(|value| value.get("sku")?.as_str().map(str::trim))
        .map(|sku| sku.filter(|sku| !sku.is_empty()))
        .collect();
    for (index, sku) in skus.iter().enumerate() {
        let first = skus[..index].iter().position(|earlier| earlier == sku);
        if let (Some(first), Some(_)) = (first, sku) {
            let detail = format!("is the SKU of line {first} as well; order it once, with the sum");
            violations.add(format!("{pointer}/{index}/sku"), "duplicate", detail);
        }
    }
}

fn line(
    value: &Value,
    pointer: &str,
    pricing: &PricingRules,
    violations: &mut Violations,
) -> Option<CartLine> {
    let line = JsonObject::at(value, pointer, violations)?;
    let product_id = line
        .optional("product_id")
        .map(|value| line.integer("product_id", value, 1..=i64::MAX, violations));
    let sku = line
        .required("sku", violations)
        .and_then(|value| line.text("sku", value, MAX_SKU_CHARS, violations));
    let name = line
        .optional("name")
        .map(|value| line.text("name", value, MAX_NAME_CHARS, violations));
    let quantity = line
        .required("quantity", violations)
        .and_then(|value| line.integer("quantity", value, 1..=i64::from(MAX_QUANTITY), violations));
    let unit_price = line
        .required("unit_price", violations)
        .and_then(|value| price(&line, value, pricing, violations));
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
    line: &JsonObject<'_>,
    value: &Value,
    pricing: &PricingRules,
    violations: &mut Violations,
) -> Option<Money> {
    let text = match value {
        Value::Number(number) => number.as_str(),
        Value::String(text) => text,
        other => {
            let detail = format!(
                "must be a decimal number such as 100.00, not {}",
                type_name(other)
            );
            violations.add(line.pointer("unit_price"), "wrong_type", detail);
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
            violations.add(line.pointer("unit_price"), code, error.to_string());
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
