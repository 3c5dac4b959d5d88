//! Parsing of untrusted JSON. Refuses two kinds of documents that `serde_json` accepts.
//!
//! Private tokens: with the features `arbitrary_precision` and `raw_value`, `serde_json` represents numbers and raw
//! values as objects whose only key is a private token (`$serde_json::private::…`). A client can send such an
//! object. Its text then parses again as JSON and resets the recursion limit, so nested texts overflow the
//! stack and abort the process.
//!
//! Duplicate keys: `serde_json` takes the last of two equal keys. RFC 8259 leaves the choice open and RFC 7493
//! (I-JSON, section 2.3) forbids duplicates. To choose between two prices would be a guess about money.

use std::collections::HashSet;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;

/// The common prefix of the private tokens of `serde_json`.
const PRIVATE_TOKEN: &str = "$serde_json::private::";
/// How much of a duplicate key an error shows, in characters.
const SHOWN_CHARS: usize = 100;

/// Parses a document.
///
/// # Errors
///
/// Refuses invalid JSON, and a document that contains a private token of `serde_json` anywhere.
pub fn read<T: DeserializeOwned>(document: &[u8]) -> Result<T, serde_json::Error> {
    if contains_private_token(document) {
        let message = format!("the text \"{PRIVATE_TOKEN}\" must not be in it");
        return Err(Error::custom(message));
    }
    serde_json::from_slice(document)
}

/// Parses a document without duplicate keys.
///
/// # Errors
///
/// Refuses what [`read`] refuses, and duplicate keys. The error names the key and its position.
pub fn read_unambiguous(document: &[u8]) -> Result<Value, serde_json::Error> {
    let UniqueKeys = read(document)?;
    serde_json::from_slice(document)
}

/// Whether the document contains the prefix of a private token, with or without `\u00XX` escapes. The search
/// ignores the structure of the document: it may refuse a harmless text, but misses no token.
fn contains_private_token(document: &[u8]) -> bool {
    let mut plain = Vec::with_capacity(document.len());
    let mut rest = document;
    while let [first, after @ ..] = rest {
        let escaped = rest
            .strip_prefix(b"\\u00")
            .and_then(|code| code.split_at_checked(2))
            .and_then(|(digits, after)| Some((hex_byte(digits)?, after)));
        let (byte, after) = escaped.unwrap_or((*first, after));
        plain.push(byte);
        rest = after;
    }
    plain
        .windows(PRIVATE_TOKEN.len())
        .any(|window| window == PRIVATE_TOKEN.as_bytes())
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Deserializes from any document without duplicate keys, and drops its content.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        while let Some(Self) = values.next_element()? {}
        Ok(self)
    }

    /// Visits an object, or a number: with `arbitrary_precision` a number arrives as an object with a private token.
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some((key, Self)) = fields.next_entry::<String, Self>()? {
            if let Some(key) = keys.replace(key) {
                let shown: String = key.chars().take(SHOWN_CHARS).collect();
                let message = format!("\"{shown}\" is named twice in one object");
                return Err(A::Error::custom(message));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_jsons_private_keys_are_refused_in_every_spelling() {
        for document in [
            r#"{"$serde_json::private::RawValue": "1"}"#,
            r#"{"$serde_json::private::Number": "1"}"#,
            r#"[{"x": {"\u0024serde_json::private::RawValue": "{}"}}]"#,
            r#"{"$serde_json\u003A\u003a\u0070rivate::RawValue": "1"}"#,
        ] {
            assert!(read::<Value>(document.as_bytes()).is_err(), "{document}");
            assert!(read_unambiguous(document.as_bytes()).is_err(), "{document}");
        }
        for document in [
            r#"{"$serde_json": 1.50, "\u0024": "\u00e4\\u00"}"#,
            "1e400",
            r#""\u00"#,
        ] {
            let expected = serde_json::from_str::<Value>(document).ok();
            assert_eq!(read(document.as_bytes()).ok(), expected, "{document}");
        }
    }
}
