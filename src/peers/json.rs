//! Reading JSON that others write: numbers as text, text as numbers, one more level around it.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::domain::money::parse_decimal;

use super::reason;

/// How long an id may be; longer ones are none.
const MAX_ID_CHARS: usize = 200;
/// How long a status word may be kept.
const MAX_WORD_CHARS: usize = 40;

/// What `key` holds, unless that is `null`.
pub(super) fn present<'a>(body: &'a Value, key: &str) -> Option<&'a Value> {
    body.get(key).filter(|value| !value.is_null())
}

/// The text of a string or number, without the space around it; an empty one is none.
pub(super) fn text(value: &Value) -> Option<&str> {
    let text = match value {
        Value::String(text) => text.trim(),
        Value::Number(number) => number.as_str(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The text that `key` holds as one clean line.
pub(super) fn line(body: &Value, key: &str) -> Option<String> {
    let line = reason::clean(text(body.get(key)?)?);
    (!line.is_empty()).then_some(line)
}

/// An id that can be stored and asked for again.
pub(super) fn id(body: &Value, key: &str) -> Option<String> {
    let id = text(body.get(key)?)?;
    let fits = !matches!(id, "." | "..")
        && id.chars().count() <= MAX_ID_CHARS
        && !id.contains(char::is_control);
    fits.then(|| id.to_owned())
}

/// An exact number.
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

/// A status word in capitals; `true` and `false` are `TRUE` and `FALSE`.
pub(super) fn word(body: &Value, key: &str) -> Option<String> {
    let value = body.get(key)?;
    if let Some(flag) = value.as_bool() {
        return Some(flag.to_string().to_uppercase());
    }
    let word = reason::clean(text(value)?).to_uppercase();
    let word: String = word.chars().take(MAX_WORD_CHARS).collect();
    (!word.is_empty()).then_some(word)
}

/// What `success` says, where the peer uses it.
pub(super) fn success(body: &Value) -> Option<bool> {
    match word(body, "success")?.as_str() {
        "TRUE" => Some(true),
        "FALSE" => Some(false),
        _ => None,
    }
}

/// A time; one without a zone is UTC.
pub(super) fn time(value: &Value) -> Option<OffsetDateTime> {
    let mut text = text(value)?.replacen(' ', "T", 1);
    let clock = text.get(10..)?;
    if !clock.contains(['Z', 'z', '+', '-']) {
        text.push('Z');
    }
    OffsetDateTime::parse(&text, &Rfc3339).ok()
}

/// The reply and what it wraps under `wrappers`, from the outside in.
pub(super) fn layers<'a>(body: &'a Value, wrappers: &[&str]) -> Vec<&'a Value> {
    const DEEPEST: usize = 8;
    let mut layers = vec![body];
    let mut at = 0;
    while let Some(&layer) = layers.get(at) {
        let inner = wrappers.iter().filter_map(|wrapper| layer.get(wrapper));
        layers.extend(inner.filter(|value| value.is_object()).take(DEEPEST - at));
        at += 1;
        if at == DEEPEST {
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
