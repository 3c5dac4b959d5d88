//! Reads the JSON of peers leniently: a number may be a string and the reverse, and an envelope may wrap
//! the record.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::domain::money::parse_decimal;

use super::one_line::one_line;

/// The longest accepted id.
const MAX_ID_CHARS: usize = 200;
/// Longer status words are cut.
const MAX_STATUS_CHARS: usize = 40;

/// The value of `key`, unless it is `null`.
pub(super) fn present<'a>(body: &'a Value, key: &str) -> Option<&'a Value> {
    body.get(key).filter(|value| !value.is_null())
}

/// The trimmed text of a string or number; `None` if it is empty or of another type.
pub(super) fn text(value: &Value) -> Option<&str> {
    let text = match value {
        Value::String(text) => text.trim(),
        Value::Number(number) => number.as_str(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The text of `key` as one clean line.
pub(super) fn line(body: &Value, key: &str) -> Option<String> {
    let line = one_line(text(body.get(key)?)?);
    (!line.is_empty()).then_some(line)
}

/// The text of `key`, if it can be stored and used in a URL path.
pub(super) fn id(body: &Value, key: &str) -> Option<String> {
    let id = text(body.get(key)?)?;
    let fits = !matches!(id, "." | "..")
        && id.chars().count() <= MAX_ID_CHARS
        && !id.contains(char::is_control);
    fits.then(|| id.to_owned())
}

/// An exact decimal number.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    parse_decimal(text(value)?).ok()
}

/// A whole number from 0.
pub(super) fn count(value: &Value) -> Option<u64> {
    decimal(value)?
        .normalize()
        .to_u64()
        .filter(|_| decimal(value).is_some_and(|number| number.is_integer()))
}

/// The text of `key` in capitals; `true` and `false` become `TRUE` and `FALSE`.
pub(super) fn status_word(body: &Value, key: &str) -> Option<String> {
    let value = body.get(key)?;
    if let Some(flag) = value.as_bool() {
        return Some(flag.to_string().to_uppercase());
    }
    let word = one_line(text(value)?).to_uppercase();
    let word: String = word.chars().take(MAX_STATUS_CHARS).collect();
    (!word.is_empty()).then_some(word)
}

/// The flag `success`, if there is one.
pub(super) fn success(body: &Value) -> Option<bool> {
    match status_word(body, "success")?.as_str() {
        "TRUE" => Some(true),
        "FALSE" => Some(false),
        _ => None,
    }
}

/// A time in RFC 3339, or with a space for the `T`. Without a zone it is UTC.
pub(super) fn time(value: &Value) -> Option<OffsetDateTime> {
    let mut text = text(value)?.replacen(' ', "T", 1);
    let clock = text.get(10..)?;
    if !clock.contains(['Z', 'z', '+', '-']) {
        text.push('Z');
    }
    OffsetDateTime::parse(&text, &Rfc3339).ok()
}

/// The body and the objects that it nests under `wrappers`, from the outside in.
pub(super) fn layers<'a>(body: &'a Value, wrappers: &[&str]) -> Vec<&'a Value> {
    const MAX_LAYERS: usize = 8;
    let mut layers = vec![body];
    let mut at = 0;
    while let Some(&layer) = layers.get(at) {
        let inner = wrappers.iter().filter_map(|wrapper| layer.get(wrapper));
        layers.extend(
            inner
                .filter(|value| value.is_object())
                .take(MAX_LAYERS - at),
        );
        at += 1;
        if at == MAX_LAYERS {
            break;
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_count_is_an_integer_in_any_notation() {
        for (value, expected) in [
            (json!(3), Some(3)),
            (json!("3"), Some(3)),
            (json!("3.0"), Some(3)),
            (json!(3.5), None),
            (json!(-1), None),
            (json!(true), None),
            (json!("99999999999999999999999"), None),
        ] {
            assert_eq!(count(&value), expected, "{value}");
        }
    }

    #[test]
    fn times_without_a_zone_are_utc() {
        let expected = time::macros::datetime!(2025-02-07 05:28:54 UTC);
        for text in [
            "2025-02-07 05:28:54",
            "2025-02-07T05:28:54",
            "2025-02-07T05:28:54Z",
            "2025-02-07T10:58:54+05:30",
            "2025-02-07 05:28:54.000",
        ] {
            assert_eq!(super::time(&json!(text)), Some(expected), "{text}");
        }
        for text in ["yesterday", "", "2025-02-0é 1", "ééééééé"] {
            assert_eq!(super::time(&json!(text)), None, "{text}");
        }
    }

    #[test]
    fn ids_that_would_change_the_path_are_refused() {
        let body = json!({"a": "..", "b": "x\u{0}y", "c": "x".repeat(201), "d": " ", "e": 7});
        for key in ["a", "b", "c", "d", "f"] {
            assert_eq!(id(&body, key), None, "{key}");
        }
        assert_eq!(id(&body, "e").as_deref(), Some("7"));
    }

    #[test]
    fn layers_are_found_from_the_outside_in() {
        let body = json!({"n": 1, "data": {"n": 2, "payment": {"n": 3}}, "payment": [4]});
        let found: Vec<_> = layers(&body, &["payment", "data"])
            .into_iter()
            .map(|layer| layer["n"].clone())
            .collect();
        assert_eq!(found, [json!(1), json!(2), json!(3)]);
    }
}
