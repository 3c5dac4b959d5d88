//! Signing people in: what is asked of UserService, whoever asks it.

use futures_util::future::BoxFuture;
use secrecy::SecretString;

/// What somebody signs in with.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSignedIn {
    /// Name and password do not belong together.
    #[error("the name or the password is wrong")]
    Wrong,
    /// UserService is away, or says what nobody understands.
    #[error("UserService {0}")]
    Unavailable(String),
}

/// Exchanges a name and a password for an access token.
pub trait SignIn: Send + Sync {
    /// The token of whoever has these credentials. It is verified like any other.
    fn sign_in<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> BoxFuture<'a, Result<SecretString, NotSignedIn>>;
}
