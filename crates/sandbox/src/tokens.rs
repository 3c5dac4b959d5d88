//! Users and their tokens.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

const ACCESS_LASTS: Duration = Duration::hours(1);
const REFRESH_LASTS: Duration = Duration::days(1);

/// A user account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User {
    id: u64,
    is_staff: bool,
    is_service: bool,
}

impl User {
    const STAFF: Self = Self {
        id: 1000,
        is_staff: true,
        is_service: false,
    };

    /// The account of peer services.
    pub const SERVICE: Self = Self {
        id: 2000,
        is_staff: false,
        is_service: true,
    };

    /// Accepts `customerN` and `staff`, each with the user name as password.
    pub fn sign_in(name: &str, password: &str) -> Option<Self> {
        if name != password {
            return None;
        }
        if name == "staff" {
            return Some(Self::STAFF);
        }
        let digits = name.strip_prefix("customer")?;
        // Each user has one spelling: `customer+5` and `customer05` are not customer 5.
        let spelled = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        let id = digits.parse::<u32>().ok().filter(|_| spelled)?;
        Some(Self {
            id: id.into(),
            is_staff: false,
            is_service: false,
        })
    }
}

/// Signs tokens and verifies its own refresh tokens.
#[derive(Clone)]
pub(super) struct Tokens {
    signing: EncodingKey,
    reading: DecodingKey,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    token_type: String,
    exp: i64,
    iat: i64,
    jti: String,
    user_id: u64,
    is_staff: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
}

impl Tokens {
    /// A signer with this secret.
    pub fn new(secret: &SecretString) -> Self {
        let secret = secret.expose_secret().as_bytes();
        Self {
            signing: EncodingKey::from_secret(secret),
            reading: DecodingKey::from_secret(secret),
        }
    }

    /// A token for calls to services.
    pub fn access(&self, user: User) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign("access", user, ACCESS_LASTS)
    }

    /// A token that can be exchanged for access tokens.
    pub fn refresh(&self, user: User) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign("refresh", user, REFRESH_LASTS)
    }

    /// The user of a valid refresh token.
    pub fn refreshed(&self, token: &str) -> Option<User> {
        let claims = decode::<Claims>(token, &self.reading, &Validation::new(Algorithm::HS256))
            .ok()?
            .claims;
        (claims.token_type == "refresh").then_some(User {
            id: claims.user_id,
            is_staff: claims.is_staff,
            is_service: false,
        })
    }

    fn sign(
        &self,
        token_type: &str,
        user: User,
        lasts: Duration,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let now = crate::clock::now();
        let claims = Claims {
            token_type: token_type.to_owned(),
            exp: now.saturating_add(lasts).unix_timestamp(),
            iat: now.unix_timestamp(),
            jti: Uuid::new_v4().simple().to_string(),
            user_id: user.id,
            is_staff: user.is_staff,
            role: user.is_service.then(|| "service".to_owned()),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }
}

impl std::fmt::Debug for Tokens {
    /// Keeps the keys out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

#[cfg(test)]
mod tests {
    use super::User;

    #[test]
    fn the_password_is_the_name_in_its_canonical_spelling() {
        assert_eq!(User::sign_in("staff", "staff"), Some(User::STAFF));
        let five = User {
            id: 5,
            is_staff: false,
            is_service: false,
        };
        assert_eq!(User::sign_in("customer5", "customer5"), Some(five));
        for name in [
            "customer",
            "customer0",
            "customer05",
            "customer+5",
            "customer-5",
            "Staff",
            "",
        ] {
            assert_eq!(User::sign_in(name, name), None, "{name}");
        }
        assert_eq!(User::sign_in("customer5", "customer6"), None);
    }
}
