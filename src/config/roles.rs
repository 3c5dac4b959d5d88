//! The settings about the roles that claims give.

use crate::auth::Roles;

use super::SettingsReader;

/// Claims with another meaning. A user who may choose their own name must not become staff by it.
const TAKEN: [&str; 9] = [
    "aud",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "sub",
    "token_type",
    "user_id",
];

/// Reads the claims and names that give a role.
pub(super) fn roles(reader: &mut SettingsReader<'_>) -> Option<Roles> {
    let staff_claim = reader.value("JWT_STAFF_CLAIM", claim);
    let role_claim = reader.value("JWT_ROLE_CLAIM", claim);
    let scope_claim = reader.value("JWT_SCOPE_CLAIM", claim);
    let staff = reader.value("JWT_STAFF_ROLES", names);
    let service = reader.value("JWT_SERVICE_ROLES", names);
    let (staff_claim, role_claim, scope_claim) = (staff_claim?, role_claim?, scope_claim?);
    let (staff, service) = (staff?, service?);
    let claims = [
        ("JWT_STAFF_CLAIM", &staff_claim),
        ("JWT_ROLE_CLAIM", &role_claim),
        ("JWT_SCOPE_CLAIM", &scope_claim),
    ];
    for (at, (name, claim)) in claims.iter().enumerate() {
        for (other, _) in claims[at + 1..].iter().filter(|(_, other)| other == claim) {
            reader.reject(name, format!("and {other} name the same claim"));
        }
    }
    if staff.iter().any(|name| service.contains(name)) {
        reader.reject(
            "JWT_STAFF_ROLES",
            "and JWT_SERVICE_ROLES have a name in common; a name may be in one of them only",
        );
    }
    Some(Roles {
        staff_claim,
        role_claim,
        scope_claim,
        staff,
        service,
    })
}

fn claim(text: &str) -> Result<String, String> {
    if TAKEN.contains(&text) {
        return Err("is a claim with another meaning".to_owned());
    }
    Ok(text.to_owned())
}

/// Comma-separated names.
fn names(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    let is_name = |name: &&str| !name.is_empty() && !name.contains(char::is_whitespace);
    if !names.iter().all(is_name) {
        return Err("must be one or several names, separated by comma".to_owned());
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}
