//! UserService: exchanges a name and a password for a token.

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::auth::{SignIn, SignInCredentials, SignInError};

use super::call::{CallContext, PeerClient, operation};
use super::json::text;
use super::outcome::{CallFailure, CallOutcome};

/// The client of UserService.
#[derive(Clone)]
pub struct UserService {
    peer: PeerClient,
}

impl UserService {
    pub(super) fn new(peer: PeerClient) -> Self {
        Self { peer }
    }
}

impl SignIn for UserService {
    fn sign_in<'a>(
        &'a self,
        credentials: &'a SignInCredentials,
    ) -> BoxFuture<'a, Result<SecretString, SignInError>> {
        Box::pin(async move {
            match self.token(credentials).await {
                CallOutcome::Success(token) => Ok(token),
                CallOutcome::Rejected(_) => Err(SignInError::Wrong),
                CallOutcome::Retryable(failure) => Err(SignInError::Unavailable(failure.reason)),
                CallOutcome::Mismatched(rejection) => {
                    Err(SignInError::Unavailable(rejection.reason))
                }
            }
        })
    }
}

impl UserService {
    async fn token(&self, credentials: &SignInCredentials) -> CallOutcome<SecretString> {
        let trace_id = Uuid::new_v4();
        let request_id = trace_id.to_string();
        let context = CallContext::without_order(trace_id, &request_id);
        let body = json!({
            "username": credentials.username,
            "password": credentials.password.expose_secret(),
        });
        let work = async {
            let response = self
                .peer
                .post_with_slash(&context, &["token"], &body)
                .await?;
            match response.status {
                200 | 201 => read(&response.json()?).map(CallOutcome::Success),
                400 | 401 | 403 | 422 => Ok(CallOutcome::Rejected(response.rejection())),
                _ => Err(response.failure()),
            }
        };
        self.peer
            .call(operation!(NoSaga, "user", "sign_in"), &context, work)
            .await
    }
}

fn read(body: &Value) -> Result<SecretString, CallFailure> {
    let token = body.get("access").and_then(text);
    let token = token.ok_or_else(|| CallFailure::new("answered without an access token"))?;
    Ok(SecretString::from(token))
}
