//! Who looks at a page: the token of UserService, in a cookie that no script can read and no other site
//! can make a browser send. It counts for pages, and for what their script reads; nothing that changes
//! something in the API takes it.

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use url::form_urlencoded;

use crate::auth::{Access, Rejection};
use crate::clock;
use crate::domain::principal::{Principal, Role};
use crate::http::Shared;
use crate::http::caller::{Known, bearer};
use crate::http::edge::rate;
use crate::http::problem::Problem;

use super::redirect;

/// The cookie's name.
pub const COOKIE_NAME: &str = "order_session";
/// Its name over TLS, with the prefix by which browsers keep other hosts from setting it.
const SECURE_COOKIE_NAME: &str = "__Host-order_session";
/// What the script of a page reads by itself.
const READ_BY_SCRIPT: &str = "/v1/orders/{order_id}/events/";

/// Somebody who looks at a page.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Who it is.
    pub principal: Principal,
    /// What proves that a form was made for this visitor.
    pub proof: String,
}

impl Visitor {
    /// Where it begins.
    pub fn home(&self) -> String {
        match (self.principal.role, self.principal.customer_id) {
            (Role::Customer, Some(customer_id)) => format!("/v1/orders/my-orders/{customer_id}/"),
            _ => "/desk/".to_owned(),
        }
    }

    /// How it is called on pages.
    pub fn name(&self) -> String {
        match self.principal.role {
            Role::Customer => format!("Customer {}", self.principal.name),
            Role::Staff => format!("Staff {}", self.principal.name),
            Role::Service => format!("Service {}", self.principal.name),
        }
    }

    /// Whether it is of the shop.
    pub fn is_staff(&self) -> bool {
        self.principal.role == Role::Staff
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let visitor = parts.extensions.get::<Self>().cloned();
        visitor.ok_or_else(|| Rejection::Missing.into())
    }
}

/// Lets nobody in who is not signed in; the layer of pages.
pub async fn require(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    admit(&shared, request, async |request| next.run(request).await).await
}

/// Goes on with whoever is signed in, and leads others to where they can. A token in the header of the API
/// does as well.
pub async fn admit(
    shared: &Shared,
    mut request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let headers = request.headers();
    let has_header = headers.contains_key(AUTHORIZATION);
    let token = match cookie(headers) {
        _ if has_header => bearer(headers),
        Some(token) => Ok(token),
        None => return ask(shared, &request, false),
    };
    let visitor = match visitor(shared, token).await {
        Ok(visitor) => visitor,
        // The token may be as good as ever.
        Err(rejection) if has_header || rejection == Rejection::NoKeys => {
            let address = shared.client_of(request.extensions(), headers);
            return rate::rejected(shared, address, rejection).await;
        }
        Err(_) => return ask(shared, &request, true),
    };
    let known = Known(visitor.principal.actor().as_str().to_owned());
    let principal = visitor.principal.clone();
    request.extensions_mut().insert(visitor);
    let mut response = rate::of_principal(shared, &principal, next(request)).await;
    response.extensions_mut().insert(known);
    response
}

async fn visitor(shared: &Shared, token: Result<&str, Rejection>) -> Result<Visitor, Rejection> {
    let token = token?;
    let Access { principal, .. } = shared.verifier.verify(token).await?;
    let proof = shared.forms.proof(token);
    Ok(Visitor { principal, proof })
}

/// Whether a browser has sent a token that still stands for somebody.
pub async fn is_signed_in(shared: &Shared, headers: &HeaderMap) -> bool {
    match cookie(headers) {
        Some(token) => shared.verifier.verify(token).await.is_ok(),
        None => false,
    }
}

fn ask(shared: &Shared, request: &Request, is_stale: bool) -> Response {
    let asked = request.uri().path_and_query();
    let next = asked.map_or("/", |asked| asked.as_str());
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    let mut response = redirect(&format!("/sign-in/?next={next}"));
    if is_stale {
        end(shared, response.headers_mut());
    }
    response
}

/// The cookie's token, where it stands for a bearer token: on reads of the pages' script.
pub fn for_reading(request: &Request) -> Option<&str> {
    let path = request.extensions().get::<MatchedPath>()?;
    let is_read = request.method() == Method::GET && path.as_str() == READ_BY_SCRIPT;
    let headers = request.headers();
    (is_read && !headers.contains_key(AUTHORIZATION))
        .then(|| cookie(headers))
        .flatten()
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let names = [SECURE_COOKIE_NAME, COOKIE_NAME];
    let token = pairs.find(|(name, _)| names.contains(name));
    token.map(|(_, token)| token)
}

/// Has the browser keep a token until that moment, in seconds since 1970.
pub fn begin(shared: &Shared, headers: &mut HeaderMap, token: &str, until: i64) {
    let seconds = until.saturating_sub(clock::now().unix_timestamp());
    set(shared, headers, token, seconds.max(0));
}

/// Has the browser forget its token.
pub fn end(shared: &Shared, headers: &mut HeaderMap) {
    set(shared, headers, "", 0);
}

fn set(shared: &Shared, headers: &mut HeaderMap, token: &str, seconds: i64) {
    let is_secure = shared
        .public_url
        .as_deref()
        .is_some_and(|url| url.scheme() == "https");
    let (name, secure) = match is_secure {
        true => (SECURE_COOKIE_NAME, "; Secure"),
        false => (COOKIE_NAME, ""),
    };
    let cookie =
        format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.append(SET_COOKIE, cookie);
    }
}
