//! Which claims give a token the role of staff or of a peer service.

use serde_json::{Map, Value};

use crate::domain::principal::Role;

/// The claims that give a role. A token with neither role is a customer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// The claim that is exactly `true` for staff.
    pub staff_claim: String,
    /// The claim of one role, or of a list of roles.
    pub role_claim: String,
    /// The claim of scopes, space-separated or as a list.
    pub scope_claim: String,
    /// The roles and scopes of staff, compared exactly.
    pub staff: Vec<String>,
    /// The roles and scopes of peer services, compared exactly.
    pub service: Vec<String>,
}

impl Roles {
    /// The role of a token with these claims.
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

/// The words of a string claim, or the strings of a list claim.
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
