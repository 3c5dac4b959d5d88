//! What a peer says back must be what it was sent.

use serde_json::Value;

use crate::domain::ids::OrderId;
use crate::domain::money::{Currency, Money, parse_decimal};

use super::answer::PeerRejection;
use super::json;

/// What was sent and may come back.
pub(super) struct Sent {
    pub order_id: OrderId,
    pub amount: Option<Money>,
    pub currency: Option<Currency>,
}

impl Sent {
    /// Where nothing but the order's number can be compared.
    pub fn order(order_id: OrderId) -> Self {
        Self {
            order_id,
            amount: None,
            currency: None,
        }
    }

    /// The first difference in any layer of a reply. What is missing is no difference.
    pub fn differs_from(&self, layers: &[&Value]) -> Option<PeerRejection> {
        layers.iter().find_map(|layer| self.differs(layer))
    }

    fn differs(&self, layer: &Value) -> Option<PeerRejection> {
        if let Some(echo) = echo(layer, "order_id")
            && !is_order(echo, self.order_id)
        {
            return Some(difference("order", echo, self.order_id));
        }
        if let (Some(sent), Some(echo)) = (self.amount, echo(layer, "amount"))
            && parse_decimal(echo) != Ok(sent.decimal())
        {
            return Some(difference("amount", echo, sent));
        }
        if let (Some(sent), Some(echo)) = (self.currency, echo(layer, "currency"))
            && !echo.eq_ignore_ascii_case(sent.code())
        {
            return Some(difference("currency", echo, sent.code()));
        }
        None
    }
}

/// Whether `record` is of this order, or does not say.
pub(super) fn may_be_of(record: &Value, order_id: OrderId) -> bool {
    echo(record, "order_id").is_none_or(|echo| is_order(echo, order_id))
}

fn echo<'a>(layer: &'a Value, key: &str) -> Option<&'a str> {
    json::text(layer.get(key)?)
}

fn is_order(echo: &str, order_id: OrderId) -> bool {
    parse_decimal(echo) == Ok(order_id.0.into())
}

fn difference(what: &str, echo: &str, sent: impl std::fmt::Display) -> PeerRejection {
    PeerRejection::new(format!("answered for {what} {echo}, but was sent {sent}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn verification_compares_by_value_and_allows_missing_fields() {
        let currency = Currency::from_code("USD").unwrap();
        let sent = Sent {
            order_id: OrderId(42),
            amount: Some(Money::parse_price("100.00", currency).unwrap()),
            currency: Some(currency),
        };
        for (reply, same) in [
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
            assert_eq!(sent.differs_from(&[&reply]).is_none(), same, "{reply}");
        }
    }
}
