//! Response verification: the order, amount and currency that a response repeats must be those of the
//! request.

use serde_json::Value;

use crate::domain::ids::OrderId;
use crate::domain::money::{Currency, Money, parse_decimal};

use super::json;
use super::outcome::PeerRejection;

/// The fields of a request that its response may repeat.
pub(super) struct SentFields {
    pub order_id: OrderId,
    pub amount: Option<Money>,
    pub currency: Option<Currency>,
}

impl SentFields {
    /// The fields of a request that has neither amount nor currency.
    pub fn order(order_id: OrderId) -> Self {
        Self {
            order_id,
            amount: None,
            currency: None,
        }
    }

    /// The first field that differs, in any layer of a response. A missing field is accepted.
    pub fn mismatch_in(&self, layers: &[&Value]) -> Option<PeerRejection> {
        layers.iter().find_map(|layer| self.mismatch(layer))
    }

    fn mismatch(&self, layer: &Value) -> Option<PeerRejection> {
        if let Some(returned) = returned(layer, "order_id")
            && !is_order(returned, self.order_id)
        {
            return Some(mismatch("order", returned, self.order_id));
        }
        if let (Some(sent), Some(returned)) = (self.amount, returned(layer, "amount"))
            && parse_decimal(returned) != Ok(sent.decimal())
        {
            return Some(mismatch("amount", returned, sent));
        }
        if let (Some(sent), Some(returned)) = (self.currency, returned(layer, "currency"))
            && !returned.eq_ignore_ascii_case(sent.code())
        {
            return Some(mismatch("currency", returned, sent.code()));
        }
        None
    }
}

/// Whether `record` names this order, or no order.
pub(super) fn may_be_of(record: &Value, order_id: OrderId) -> bool {
    returned(record, "order_id").is_none_or(|returned| is_order(returned, order_id))
}

fn returned<'a>(layer: &'a Value, key: &str) -> Option<&'a str> {
    json::text(layer.get(key)?)
}

fn is_order(returned: &str, order_id: OrderId) -> bool {
    parse_decimal(returned) == Ok(order_id.0.into())
}

fn mismatch(field: &str, returned: &str, sent: impl std::fmt::Display) -> PeerRejection {
    PeerRejection::new(format!(
        "answered for {field} {returned}, but was sent {sent}"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn verification_compares_by_value_and_allows_missing_fields() {
        let currency = Currency::from_code("USD").unwrap();
        let sent = SentFields {
            order_id: OrderId(42),
            amount: Some(Money::parse_price("100.00", currency).unwrap()),
            currency: Some(currency),
        };
        for (response, same) in [
            (json!({}), true),
            (json!({"order_id": null, "amount": null}), true),
            (
                json!({"order_id": 42, "amount": 100, "currency": "usd"}),
                true,
            ),
            (
                json!({"order_id": "42", "amount": "100.0", "currency": "USD"}),
                true,
            ),
            (json!({"amount": 1e2}), true),
            (json!({"order_id": 43}), false),
            (json!({"order_id": "ORD-42"}), false),
            (json!({"amount": 100.01}), false),
            (json!({"amount": "a hundred"}), false),
            (
                json!({"amount": "100.0000000000000000000000000000001"}),
                false,
            ),
            (json!({"currency": "EUR"}), false),
        ] {
            assert_eq!(sent.mismatch_in(&[&response]).is_none(), same, "{response}");
        }
    }
}
