//! The visitor: the signed-in person who looks at a page.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use url::form_urlencoded;

use crate::auth::TokenError;
use crate::domain::principal::{Principal, Role};
use crate::http::caller::bearer;
use crate::http::edge::rate_limit;
use crate::http::log_fields::LoggedCaller;
use crate::http::problem::Problem;
use crate::http::session;
use crate::http::state::HttpState;
use crate::orders;

use super::render::redirect;

/// The visitor of a page. The session middleware inserts it into the request's extensions.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The principal of the visitor's token.
    pub principal: Principal,
}

impl Visitor {
    /// The path of the visitor's home page.
    pub fn home(&self) -> String {
        match (self.principal.role, self.principal.customer_id) {
            (Role::Customer, Some(customer_id)) => format!("/v1/orders/my-orders/{customer_id}/"),
            _ => "/desk/".to_owned(),
        }
    }

    /// The name that pages show.
    pub fn name(&self) -> String {
        match self.principal.role {
            Role::Customer => format!("Customer {}", self.principal.name),
            Role::Staff => format!("Staff {}", self.principal.name),
            Role::Service => format!("Service {}", self.principal.name),
        }
    }

    /// Whether the visitor is staff.
    pub fn is_staff(&self) -> bool {
        self.principal.role == Role::Staff
    }

    /// Rejects visitors who are not staff.
    ///
    /// # Errors
    /// `Forbidden` for customers and peer services.
    pub fn require_staff(&self) -> Result<(), orders::Error> {
        match self.is_staff() {
            true => Ok(()),
            false => Err(orders::Error::Forbidden("the desk is for staff")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let visitor = parts.extensions.get::<Self>().cloned();
        visitor.ok_or_else(|| TokenError::Missing.into())
    }
}

/// The session middleware of pages: redirects browsers without a valid session to the sign-in page.
pub async fn require_visitor(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    admit(&state, request, async |request| next.run(request).await).await
}

/// Runs `next` for a visitor with a valid session, under the visitor's rate limit, and redirects others to
/// the sign-in page. A bearer token takes precedence over the cookie.
pub async fn admit(
    state: &HttpState,
    mut request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let headers = request.headers();
    let has_header = headers.contains_key(AUTHORIZATION);
    let token = match session::token(headers) {
        _ if has_header => bearer(headers),
        Some(token) => Ok(token),
        None => return redirect_to_sign_in(state, &request, false),
    };
    let verified = match token {
        Ok(token) => state.verifier.verify(token).await,
        Err(rejection) => Err(rejection),
    };
    let principal = match verified {
        Ok(access) => access.principal,
        // Without keys the service cannot tell whether the session is valid, so the cookie stays.
        Err(rejection) if has_header || rejection == TokenError::NoKeys => {
            let address = state.client_address(request.extensions(), headers);
            return rate_limit::unauthenticated(&state.edge, address, rejection).await;
        }
        Err(_) => return redirect_to_sign_in(state, &request, true),
    };
    let logged = LoggedCaller(principal.actor().as_str().to_owned());
    request.extensions_mut().insert(Visitor {
        principal: principal.clone(),
    });
    let mut response = rate_limit::by_principal(&state.edge, &principal, next(request)).await;
    response.extensions_mut().insert(logged);
    response
}

/// Redirects to the sign-in page, which leads back to the requested path. Deletes a stale cookie.
fn redirect_to_sign_in(state: &HttpState, request: &Request, is_stale: bool) -> Response {
    let requested = request.uri().path_and_query();
    let next = requested.map_or("/", |requested| requested.as_str());
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    let mut response = redirect(&format!("/sign-in/?next={next}"));
    if is_stale {
        session::end(state, response.headers_mut());
    }
    response
}
