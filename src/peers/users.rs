//! UserService: signs people in.

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::auth::{Credentials, NotSignedIn, SignIn};

use super::answer::{CallFailure, CallOutcome};
use super::call::{CallContext, Peer, operation};
use super::json::text;

/// The client of UserService.
#[derive(Clone)]
pub struct Users {
    peer: Peer,
}

impl Users {
    pub(super) fn new(peer: Peer) -> Self {
        Self { peer }
    }
}

impl SignIn for Users {
    fn sign_in<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> BoxFuture<'a, Result<SecretString, NotSignedIn>> {
        Box::pin(async move {
            match self.token(credentials).await {
                CallOutcome::Success(token) => Ok(token),
                CallOutcome::Rejected(_) => Err(NotSignedIn::Wrong),
                CallOutcome::Retryable(trouble) => Err(NotSignedIn::Unavailable(trouble.reason)),
                CallOutcome::Mismatched(refusal) => Err(NotSignedIn::Unavailable(refusal.reason)),
            }
        })
    }
}

impl Users {
    async fn token(&self, credentials: &Credentials) -> CallOutcome<SecretString> {
        let trace_id = Uuid::new_v4();
        let request_id = trace_id.to_string();
        let tag = CallContext::of_no_order(trace_id, &request_id);
        let body = json!({
            "username": credentials.username,
            "password": credentials.password.expose_secret(),
        });
        let work = async {
            let reply = self.peer.post_with_slash(&tag, &["token"], &body).await?;
            match reply.status {
                200 | 201 => read(&reply.json()?).map(CallOutcome::Success),
                400 | 401 | 403 | 422 => Ok(CallOutcome::Rejected(reply.refusal())),
                _ => Err(reply.trouble()),
            }
        };
        self.peer
            .call(operation!("user", "sign_in"), &tag, work)
            .await
    }
}

fn read(body: &Value) -> Result<SecretString, CallFailure> {
    let token = body.get("access").and_then(text);
    let token = token.ok_or_else(|| CallFailure::new("answered without an access token"))?;
    Ok(SecretString::from(token))
}
