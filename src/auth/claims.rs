//! What a token says about its holder, in the shapes that issuers use.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::domain::ids::CustomerId;
use crate::domain::principal::{Principal, Role};

use super::Rejection;

/// The roles and scopes that stand for staff.
const STAFF: [&str; 3] = ["staff", "admin", "orders:staff"];
/// The roles and scopes that stand for a peer service.
const SERVICE: [&str; 2] = ["service", "orders:service"];

/// The claims that matter here. Their types are checked where they are read, since a claim of an
/// unexpected type must never pass for a missing one.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Claims {
    /// Until when the token is valid, in seconds since 1970.
    pub exp: i64,
    /// Who issued it.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub iss: Option<Value>,
    /// Since when, in seconds since 1970.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub iat: Option<Value>,
    /// `access`, where the issuer tells kinds of tokens apart.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub token_type: Option<Value>,
    /// The customer: a number, or one in a text.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub user_id: Option<Value>,
    /// The customer, or the name of staff or service.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub sub: Option<Value>,
    /// `true` for staff.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub is_staff: Option<Value>,
    /// `staff`, `admin` or `service`.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub role: Option<Value>,
    /// Words, or a list of them, with `orders:staff` or `orders:service` among them.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub scope: Option<Value>,
}

/// A claim that is null is given: what it was to say is not known, which is not nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Claims {
    /// Whether it names an issuer, and not several.
    pub(super) fn has_one_issuer(&self) -> bool {
        self.iss.as_ref().is_some_and(Value::is_string)
    }

    /// The caller that these claims describe.
    pub(super) fn principal(&self) -> Result<Principal, Rejection> {
        if self
            .token_type
            .as_ref()
            .is_some_and(|kind| kind != "access")
        {
            return Err(Rejection::NotAccess);
        }
        let role = self.role();
        let customer_id = match self.user_id.as_ref().or(self.sub.as_ref()) {
            Some(id) => number(id),
            None => None,
        };
        let subject = self
            .sub
            .as_ref()
            .and_then(Value::as_str)
            .filter(|sub| is_name(sub));
        let name = match (customer_id, subject) {
            (Some(id), _) => id.to_string(),
            (None, Some(subject)) if role != Role::Customer => subject.to_owned(),
            (None, None)
                if role != Role::Customer && self.user_id.is_none() && self.sub.is_none() =>
            {
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

    fn role(&self) -> Role {
        let said = |words: &[&str]| {
            let role = self.role.as_ref().and_then(Value::as_str);
            role.into_iter()
                .chain(self.scopes())
                .any(|word| words.contains(&word))
        };
        if self.is_staff == Some(Value::Bool(true)) || said(&STAFF) {
            Role::Staff
        } else if said(&SERVICE) {
            Role::Service
        } else {
            Role::Customer
        }
    }

    fn scopes(&self) -> Vec<&str> {
        match &self.scope {
            Some(Value::String(words)) => words.split_ascii_whitespace().collect(),
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
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
