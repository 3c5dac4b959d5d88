//! Sign-in with UserService.

use futures_util::future::BoxFuture;
use secrecy::SecretString;

/// A username and a password.
#[derive(Clone, Debug)]
pub struct SignInCredentials {
    /// The username.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// Why a sign-in failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The username or the password is wrong.
    #[error("the name or the password is wrong")]
    Wrong,
    /// UserService is unavailable, or its response is invalid.
    #[error("UserService {0}")]
    Unavailable(String),
}

/// Exchanges credentials for an access token.
pub trait SignIn: Send + Sync {
    /// Returns an access token, which the caller verifies like any other.
    fn sign_in<'a>(
        &'a self,
        credentials: &'a SignInCredentials,
    ) -> BoxFuture<'a, Result<SecretString, SignInError>>;
}
