//! Which claims make staff, and which a peer service.

use serde_json::{Map, Value};

use crate::domain::principal::Role;

/// What in a token makes staff, and what a peer service; who is neither is a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// The claim that is `true` for staff, and nothing else but `true`.
    pub staff_claim: String,
    /// The claim of one role, or of a list of roles.
    pub role_claim: String,
    /// The claim of scopes: words separated by spaces, or a list of words.
    pub scope_claim: String,
    /// The roles and scopes that stand for staff, exactly so.
    pub staff: Vec<String>,
    /// The roles and scopes that stand for a peer service.
    pub service: Vec<String>,
}

impl Roles {
    /// The role of whoever holds a token with these claims.
    pub(super) fn role(&self, claims: &Map<String, Value>) -> Role {
        let role = words(claims.get(&self.role_claim), |role| vec![role]);
        let scopes = words(claims.get(&self.scope_claim), |scopes| {
            scopes.split_ascii_whitespace().collect()
        });
        let said = |known: &[String]| {
            let mut words = role.iter().chain(&scopes);
            words.any(|word| known.iter().any(|known| known == word))
        };
        if claims.get(&self.staff_claim) == Some(&Value::Bool(true)) || said(&self.staff) {
            Role::Staff
        } else if said(&self.service) {
            Role::Service
        } else {
            Role::Customer
        }
    }
}

/// The words of a claim; of a list those that are texts, each as it is.
fn words<'a>(
    claim: Option<&'a Value>,
    split: impl FnOnce(&'a str) -> Vec<&'a str>,
) -> Vec<&'a str> {
    match claim {
        Some(Value::String(text)) => split(text),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
