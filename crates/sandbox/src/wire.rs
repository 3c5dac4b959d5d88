//! Numbers in JSON: amounts are exact; amounts and integers may be numbers or strings.

use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The largest accepted amount: far above any order, and small enough that sums do not overflow.
const MAX_AMOUNT: Decimal = Decimal::from_parts(u32::MAX, 0xFFFF, 0, false, 2);

/// An integer, given as a number or a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Integer(pub i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        text_of(&value)
            .and_then(|text| text.parse().ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom("expected a whole number"))
    }
}

/// `#[serde(with = "amount")]`: reads a number or a string, writes a string with two decimal places.
pub(super) mod amount {
    use super::{Decimal, Deserialize, Deserializer, Value, exact, text_of};
    use serde::Serializer;
    use serde::de::Error as _;

    pub fn serialize<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{amount:.2}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let value = Value::deserialize(deserializer)?;
        text_of(&value).and_then(exact).ok_or_else(|| {
            D::Error::custom("expected an amount with at most two decimal places, such as 12.50")
        })
    }
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Number(number) => Some(number.as_str()),
        Value::String(text) => Some(text.trim()),
        _ => None,
    }
}

/// Accepts plain decimals only: with exponents, `1e-7` would round to zero.
fn exact(text: &str) -> Option<Decimal> {
    let plain = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    if !text.chars().all(plain) {
        return None;
    }
    let mut amount = Decimal::from_str_exact(text).ok()?.normalize();
    if amount.scale() > 2 || amount.abs() > MAX_AMOUNT {
        return None;
    }
    amount.rescale(2);
    Some(amount)
}

#[cfg(test)]
mod tests {
    use super::exact;

    #[test]
    fn an_amount_has_two_decimals_and_stays_exact() {
        for (text, kept) in [
            ("5", "5.00"),
            ("402.0", "402.00"),
            ("12.50", "12.50"),
            ("1.000", "1.00"),
        ] {
            assert_eq!(exact(text).map(|a| a.to_string()).as_deref(), Some(kept));
        }
    }

    #[test]
    fn an_amount_changed_by_rounding_is_refused() {
        for text in [
            "1.005",
            "1e-7",
            "1e2",
            "",
            ".",
            "NaN",
            "1_000",
            "99999999999999999999999999",
        ] {
            assert_eq!(exact(text), None, "{text}");
        }
    }
}
