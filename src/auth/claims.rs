//! What a token says about its holder, in the shapes that issuers use.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::domain::ids::CustomerId;
use crate::domain::principal::{Principal, Role};

use super::{Rejection, Roles};

/// The claims of a token that is made here, as UserService makes them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Claims {
    /// Until when the token is valid, in seconds since 1970.
    pub exp: i64,
    /// Who issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<Value>,
    /// Since when, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<Value>,
    /// `access`, where the issuer tells kinds of tokens apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<Value>,
    /// The customer: a number, or one in a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Value>,
    /// The customer, or the name of staff or service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<Value>,
    /// `true` for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_staff: Option<Value>,
    /// `staff`, `admin` or `service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Value>,
    /// Words, or a list of them, with `orders:staff` or `orders:service` among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Value>,
}

/// The claims of a token that came, each of them once. Their types are checked where they are read, since
/// a claim of an unexpected type, or null, must never pass for a missing one.
pub(super) struct Payload {
    exp: i64,
    claims: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let claims = deserializer.deserialize_map(Once)?;
        let exp = claims.get("exp").and_then(Value::as_i64);
        let exp = exp.ok_or_else(|| D::Error::custom("exp is no whole number"))?;
        Ok(Self { exp, claims })
    }
}

/// Takes an object in which no name occurs twice: who reads the first and who reads the last would not
/// agree on what was signed.
struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut claims = Map::new();
        while let Some((name, value)) = entries.next_entry()? {
            if claims.insert(name, value).is_some() {
                return Err(A::Error::custom("a claim occurs twice"));
            }
        }
        Ok(claims)
    }
}

impl Payload {
    /// Until when the token is valid, in seconds since 1970.
    pub fn expires(&self) -> i64 {
        self.exp
    }

    /// Whether it names an issuer, and not several.
    pub fn has_one_issuer(&self) -> bool {
        self.claims.get("iss").is_some_and(Value::is_string)
    }

    /// The caller that these claims describe.
    pub fn principal(&self, roles: &Roles) -> Result<Principal, Rejection> {
        let kind = self.claims.get("token_type");
        if kind.is_some_and(|kind| kind != "access") {
            return Err(Rejection::NotAccess);
        }
        let role = roles.role(&self.claims);
        let (user_id, sub) = (self.claims.get("user_id"), self.claims.get("sub"));
        let customer_id = user_id.or(sub).and_then(number);
        let subject = sub.and_then(Value::as_str).filter(|sub| is_name(sub));
        let name = match (customer_id, subject) {
            (Some(id), _) => id.to_string(),
            (None, Some(subject)) if role != Role::Customer => subject.to_owned(),
            (None, None) if role != Role::Customer && user_id.is_none() && sub.is_none() => {
                role.as_str().to_owned()
            }
            _ => return Err(Rejection::Nobody),
        };
        Ok(Principal {
            role,
            customer_id,
            name,
        })
    }
}

/// A positive number, plain or in a text.
fn number(value: &Value) -> Option<CustomerId> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    number.filter(|&number| number > 0).map(CustomerId)
}

/// Whether a subject is fit for logs and events.
fn is_name(subject: &str) -> bool {
    (1..=64).contains(&subject.len())
        && subject
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte))
}
