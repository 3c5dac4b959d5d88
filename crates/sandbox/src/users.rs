//! The UserService stand-in. It signs customers and staff in with the routes of simplejwt.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;

use super::hub::Hub;
use super::incoming::Incoming;
use super::reply::{Answer, Refusal, Reply};
use super::tokens::User;

/// The routes `/token` and `/token/refresh`.
pub(super) fn routes() -> Router<Hub> {
    Router::new()
        .route("/token", post(sign_in))
        .route("/token/refresh", post(refresh))
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

async fn sign_in(State(hub): State<Hub>, incoming: Incoming) -> Reply {
    let Credentials { username, password } = incoming.read()?;
    let user = User::sign_in(&username, &password)
        .ok_or_else(|| unauthorized("No active account found with the given credentials"))?;
    let access = hub.tokens().access(user).map_err(unsigned)?;
    let refresh = hub.tokens().refresh(user).map_err(unsigned)?;
    Ok(Answer::ok(json!({ "access": access, "refresh": refresh })))
}

#[derive(Deserialize)]
struct RefreshRequest {
    refresh: String,
}

async fn refresh(State(hub): State<Hub>, incoming: Incoming) -> Reply {
    let RefreshRequest { refresh } = incoming.read()?;
    let user = hub
        .tokens()
        .refreshed(&refresh)
        .ok_or_else(|| unauthorized("Token is invalid or expired"))?;
    let access = hub.tokens().access(user).map_err(unsigned)?;
    Ok(Answer::ok(json!({ "access": access })))
}

fn unauthorized(detail: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, detail)
}

fn unsigned(error: jsonwebtoken::errors::Error) -> Refusal {
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        format!("no token can be signed: {error}"),
    )
}
