//! Signing in and out.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Position, Url, form_urlencoded};

use crate::auth::{Credentials, NotSignedIn};
use crate::http::Shared;
use crate::http::edge::client::ClientAddress;
use crate::http::edge::rate;
use crate::http::problem::Problem;

use super::forms::{Form, OpenForm};
use super::session::{self, Visitor};
use super::{assets, page, redirect};

/// The longest name that anybody has.
const MAX_NAME_CHARS: usize = 254;
/// The longest password that is passed on, in bytes.
const MAX_PASSWORD_BYTES: usize = 4096;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page<'a> {
    visitor: Option<Visitor>,
    next: &'a str,
    username: &'a str,
    trouble: Option<&'a str>,
}

/// Asks for name and password.
pub async fn ask(
    State(shared): State<Shared>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let next = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next");
    let next = next.and_then(|(_, next)| local(&next));
    let next = next.as_deref().unwrap_or("/");
    if session::is_signed_in(&shared, &headers).await {
        return redirect(next);
    }
    page(&Page {
        visitor: None,
        next,
        username: "",
        trouble: None,
    })
}

/// Signs somebody in by UserService.
pub async fn sign_in(
    State(shared): State<Shared>,
    ClientAddress(address): ClientAddress,
    OpenForm(fields): OpenForm,
) -> Response {
    let next = local(fields.get("next"));
    let next = next.as_deref().unwrap_or("/");
    let username = fields.get("username");
    if let Err(refusal) = rate::sign_in(&shared, address, username) {
        return *refusal;
    }
    let credentials = Credentials {
        username: username.to_owned(),
        password: SecretString::from(fields.exact("password")),
    };
    let trouble = match token(&shared, &credentials).await {
        Ok((token, until)) => {
            let mut response = redirect(next);
            session::begin(
                &shared,
                response.headers_mut(),
                token.expose_secret(),
                until,
            );
            return response;
        }
        Err(trouble) => trouble,
    };
    let (status, words) = match &trouble {
        NotSignedIn::Wrong => (
            StatusCode::UNAUTHORIZED,
            "This name and this password do not belong together.",
        ),
        NotSignedIn::Unavailable(why) => {
            tracing::warn!(why, "nobody can sign in");
            let words = "Nobody can sign in at the moment. Please try again in a minute.";
            (StatusCode::SERVICE_UNAVAILABLE, words)
        }
    };
    let mut response = page(&Page {
        visitor: None,
        next,
        username,
        trouble: Some(words),
    });
    *response.status_mut() = status;
    let (name, value) = match trouble {
        NotSignedIn::Wrong => (WWW_AUTHENTICATE, "Bearer"),
        NotSignedIn::Unavailable(_) => (RETRY_AFTER, "30"),
    };
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(name, value);
    response
}

/// The token of whoever has these credentials, and until when it is accepted.
async fn token(
    shared: &Shared,
    credentials: &Credentials,
) -> Result<(SecretString, i64), NotSignedIn> {
    let fits = (1..=MAX_NAME_CHARS).contains(&credentials.username.chars().count())
        && (1..=MAX_PASSWORD_BYTES).contains(&credentials.password.expose_secret().len());
    if !fits {
        return Err(NotSignedIn::Wrong);
    }
    let token = shared.users.sign_in(credentials).await?;
    let access = shared.verifier.verify(token.expose_secret()).await;
    let access = access.map_err(|rejection| {
        NotSignedIn::Unavailable(format!("gave a token that is not accepted: {rejection}"))
    })?;
    Ok((token, access.until))
}

/// Forgets who it was.
pub async fn sign_out(State(shared): State<Shared>, _: Form) -> Result<Response, Problem> {
    let mut response = redirect("/sign-in/");
    session::end(&shared, response.headers_mut());
    Ok(response)
}

/// A path of this site, as it is; nothing for what leads, or could be read to lead, anywhere else.
fn local(next: &str) -> Option<String> {
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
    use super::local;

    #[test]
    fn sign_in_never_redirects_to_another_site() {
        for next in [
            "/",
            "/v1/orders/5/details/",
            "/v1/orders/my-orders/5/?search=a%2Fb&page=2",
            "/desk/?next=//evil.example",
        ] {
            assert_eq!(local(next).as_deref(), Some(next));
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
            assert_eq!(local(next), None, "{next:?}");
        }
    }
}
