//! Sign-in and sign-out.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Position, Url, form_urlencoded};

use crate::auth::{SignInCredentials, SignInError};
use crate::http::edge::rate_limit;
use crate::http::extract::ClientAddress;
use crate::http::session;
use crate::http::state::HttpState;

use super::assets;
use super::forms::FormFields;
use super::render::{page, redirect};
use super::visitor::Visitor;

/// The maximum length of a user name.
const MAX_NAME_CHARS: usize = 254;
/// The maximum length of a password, in bytes.
const MAX_PASSWORD_BYTES: usize = 4096;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    visitor: Option<Visitor>,
    next: &'a str,
    username: &'a str,
    error: Option<&'a str>,
}

/// Shows the sign-in form. A visitor with a valid session is redirected at once.
pub async fn form(
    State(state): State<HttpState>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let next = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next");
    let next = next.and_then(|(_, next)| local_path(&next));
    let next = next.as_deref().unwrap_or("/");
    if session::is_signed_in(&state, &headers).await {
        return redirect(next);
    }
    page(&SignInPage {
        visitor: None,
        next,
        username: "",
        error: None,
    })
}

/// Signs a user in at UserService and begins the session.
pub async fn sign_in(
    State(state): State<HttpState>,
    ClientAddress(address): ClientAddress,
    fields: FormFields,
) -> Response {
    let next = local_path(fields.get("next"));
    let next = next.as_deref().unwrap_or("/");
    let username = fields.get("username");
    if let Err(limited) = rate_limit::sign_in(&state.edge, address, username) {
        return *limited;
    }
    let credentials = SignInCredentials {
        username: username.to_owned(),
        password: SecretString::from(fields.exact("password")),
    };
    match verified_token(&state, &credentials).await {
        Ok((token, expires_at)) => {
            let mut response = redirect(next);
            let headers = response.headers_mut();
            session::begin(&state, headers, token.expose_secret(), expires_at);
            response
        }
        Err(error) => failed(&error, next, username),
    }
}

/// Shows the form again, with the reason.
fn failed(error: &SignInError, next: &str, username: &str) -> Response {
    let (status, words, header, value) = match error {
        SignInError::Wrong => (
            StatusCode::UNAUTHORIZED,
            "The name or the password is wrong.",
            WWW_AUTHENTICATE,
            "Bearer",
        ),
        SignInError::Unavailable(why) => {
            tracing::warn!(why, "sign-in unavailable");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "Sign-in is not available at the moment. Please try again in a minute.",
                RETRY_AFTER,
                "30",
            )
        }
    };
    let mut response = page(&SignInPage {
        visitor: None,
        next,
        username,
        error: Some(words),
    });
    *response.status_mut() = status;
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(header, value);
    response
}

/// Exchanges credentials for a token that the service accepts, and the end of its validity.
async fn verified_token(
    state: &HttpState,
    credentials: &SignInCredentials,
) -> Result<(SecretString, i64), SignInError> {
    let fits = (1..=MAX_NAME_CHARS).contains(&credentials.username.chars().count())
        && (1..=MAX_PASSWORD_BYTES).contains(&credentials.password.expose_secret().len());
    if !fits {
        return Err(SignInError::Wrong);
    }
    let token = state.users.sign_in(credentials).await?;
    let access = state.verifier.verify(token.expose_secret()).await;
    let access = access.map_err(|rejection| {
        SignInError::Unavailable(format!("gave a token that is not accepted: {rejection}"))
    })?;
    Ok((token, access.until))
}

/// Ends the session.
pub async fn sign_out(State(state): State<HttpState>, _: FormFields) -> Response {
    let mut response = redirect("/sign-in/");
    session::end(&state, response.headers_mut());
    response
}

/// The path, if it stays on this site. `None` for any text that a browser could read as another site
/// (open redirect).
fn local_path(next: &str) -> Option<String> {
    let is_plain = !next.contains('\\') && !next.contains(char::is_control);
    let here = Url::parse("http://here.invalid/").ok()?;
    let target = here
        .join(next)
        .ok()
        .filter(|_| is_plain && next.starts_with('/'))?;
    let path = &target[Position::BeforePath..Position::AfterQuery];
    let stays = target.origin() == here.origin() && !path.starts_with("//");
    stays.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn sign_in_never_redirects_to_another_site() {
        for next in [
            "/",
            "/v1/orders/5/details/",
            "/v1/orders/my-orders/5/?search=a%2Fb&page=2",
            "/desk/?next=//evil.example",
        ] {
            assert_eq!(local_path(next).as_deref(), Some(next));
        }
        for next in [
            "",
            "desk",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/.//evil.example",
            "/x/..//evil.example",
            "/%2e//evil.example",
            "https://evil.example",
            "http://here.invalid/",
            "javascript:alert(1)",
            "/\r\nSet-Cookie: a=b",
            " //evil.example",
        ] {
            assert_eq!(local_path(next), None, "{next:?}");
        }
    }
}
