//! Why a token is rejected.

/// Why a token is rejected. The messages help the client and reveal nothing about keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The request has no token.
    #[error("send a token as 'Authorization: Bearer <token>'")]
    Missing,
    /// It is not a JWT, or its signature is not valid.
    #[error("the token is malformed, or was not signed by the expected issuer's key")]
    Invalid,
    /// It has expired, or is not valid yet.
    #[error("the token has expired or is not valid yet")]
    Expired,
    /// A required claim is missing or has another value.
    #[error(
        "the token was issued for another audience, by another issuer, or lacks a required claim"
    )]
    Claims,
    /// It is a refresh token or another kind than an access token.
    #[error("this is not an access token")]
    NotAccess,
    /// It identifies no customer.
    #[error("the token names no customer: it needs a numeric user_id or sub")]
    NoCustomer,
    /// The issuer's keys are not available, so the token cannot be verified.
    #[error("the keys that tokens are verified with are not available; try again")]
    NoKeys,
}
