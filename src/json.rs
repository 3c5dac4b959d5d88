//! JSON that others have written, with two things in it refused that `serde_json` lets through.
//!
//! Its private names: an object whose first name is one of these is read as a number, or as what a text in it
//! holds, with a limit of depth of its own. Who nests such texts exhausts the stack, which ends the process.
//!
//! An object that names something twice. RFC 8259 leaves open which of two prices would count, RFC 7493
//! (section 2.3) forbids them; taking either would be a guess about money.

use std::collections::HashSet;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;

/// How the names begin by which `serde_json` tells itself what a value was.
const PRIVATE: &str = "$serde_json::private::";
/// How much of a name is told.
const TOLD_CHARS: usize = 100;

/// Reads a document that has no private names.
pub fn read<T: DeserializeOwned>(document: &[u8]) -> Result<T, serde_json::Error> {
    if mentions_private(document) {
        let fault = format!("the text \"{PRIVATE}\" must not be in it");
        return Err(Error::custom(fault));
    }
    serde_json::from_slice(document)
}

/// The same, if no object in it names something twice; an error tells what and where.
pub fn read_unambiguous(document: &[u8]) -> Result<Value, serde_json::Error> {
    let Unambiguous = read(document)?;
    serde_json::from_slice(document)
}

/// Whether the beginning of a private name is anywhere, with or without escapes.
fn mentions_private(document: &[u8]) -> bool {
    let mut plain = Vec::with_capacity(document.len());
    let mut rest = document;
    while let [first, after @ ..] = rest {
        let escaped = rest
            .strip_prefix(b"\\u00")
            .and_then(|code| code.split_at_checked(2))
            .and_then(|(digits, after)| Some((ascii(digits)?, after)));
        let (byte, after) = escaped.unwrap_or((*first, after));
        plain.push(byte);
        rest = after;
    }
    plain
        .windows(PRIVATE.len())
        .any(|window| window == PRIVATE.as_bytes())
}

fn ascii(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Any document without its contents, if no object in it names something twice.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
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

    /// A number as well: one that is to be kept exact is shown as an object.
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some((name, Self)) = fields.next_entry::<String, Self>()? {
            if let Some(name) = names.replace(name) {
                let told: String = name.chars().take(TOLD_CHARS).collect();
                let fault = format!("\"{told}\" is named twice in one object");
                return Err(A::Error::custom(fault));
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
