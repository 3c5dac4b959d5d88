//! The claims of tokens, in the forms that issuers use.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::domain::ids::CustomerId;
use crate::domain::principal::{Principal, Role};

use super::roles::Roles;
use super::token_error::TokenError;

/// The claims of a token that this program signs, in the form of UserService.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TokenClaims {
    /// When the token expires, in seconds since 1970.
    pub exp: i64,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<Value>,
    /// When the token was issued, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<Value>,
    /// `access`, if the issuer distinguishes kinds of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<Value>,
    /// The customer id, as a number or a numeric string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Value>,
    /// The customer id, or the name of a staff member or a service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<Value>,
    /// `true` for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_staff: Option<Value>,
    /// `staff`, `admin` or `service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Value>,
    /// Scopes, space-separated or as a list, such as `orders:staff` or `orders:service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Value>,
}

/// The claims of a received token. Types are checked where a claim is read, because a claim of an
/// unexpected type, or null, must not count as missing.
pub(super) struct TokenPayload {
    exp: i64,
    claims: Map<String, Value>,
}

impl<'de> Deserialize<'de> for TokenPayload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let claims = deserializer.deserialize_map(UniqueNames)?;
        let exp = claims.get("exp").and_then(Value::as_i64);
        let exp = exp.ok_or_else(|| D::Error::custom("exp is not a whole number"))?;
        Ok(Self { exp, claims })
    }
}

/// Reads an object and rejects duplicate names: parsers that keep the first value and parsers that keep the
/// last one would disagree on what was signed.
struct UniqueNames;

impl<'de> Visitor<'de> for UniqueNames {
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

impl TokenPayload {
    /// When the token expires, in seconds since 1970.
    pub fn expires(&self) -> i64 {
        self.exp
    }

    /// Whether `iss` is a single string.
    pub fn has_one_issuer(&self) -> bool {
        self.claims.get("iss").is_some_and(Value::is_string)
    }

    /// The caller that the claims identify: the role, and the customer id or name.
    pub fn principal(&self, roles: &Roles) -> Result<Principal, TokenError> {
        let kind = self.claims.get("token_type");
        if kind.is_some_and(|kind| kind != "access") {
            return Err(TokenError::NotAccess);
        }
        let role = roles.role(&self.claims);
        let (user_id, sub) = (self.claims.get("user_id"), self.claims.get("sub"));
        let customer_id = user_id.or(sub).and_then(customer_id_of);
        let subject = sub.and_then(Value::as_str).filter(|sub| is_name(sub));
        let name = match (customer_id, subject) {
            (Some(id), _) => id.to_string(),
            (None, Some(subject)) if role != Role::Customer => subject.to_owned(),
            (None, None) if role != Role::Customer && user_id.is_none() && sub.is_none() => {
                role.as_str().to_owned()
            }
            _ => return Err(TokenError::NoCustomer),
        };
        Ok(Principal {
            role,
            customer_id,
            name,
        })
    }
}

/// A positive id, as a number or a numeric string.
fn customer_id_of(value: &Value) -> Option<CustomerId> {
    let id = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    id.filter(|&id| id > 0).map(CustomerId)
}

/// Whether a subject is short and plain enough for logs and events.
fn is_name(subject: &str) -> bool {
    (1..=64).contains(&subject.len())
        && subject
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte))
}
