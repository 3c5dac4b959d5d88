//! Protection against cross-site request forgery (CSRF) for the routes that accept the session cookie.
//!
//! `tower_http::csrf` compares the headers that browsers set themselves: a form is accepted if
//! `Sec-Fetch-Site` is `same-origin` or `none`, or if `Origin` is the requested host or the origin of
//! `PUBLIC_URL`. Every browser sends one of these headers with a form. A request without either comes
//! from another kind of client, which holds no cookie that another site could abuse. In addition, the
//! cookie is `SameSite=Strict`.
//!
//! The library compares hosts without their scheme. Where `PUBLIC_URL` is an `https` URL, a request whose
//! `Origin` is not `https` is rejected as well, because anybody on the network can serve that host by `http`.
//!
//! Routes that only accept a bearer token need no protection, because browsers never add it by themselves.

use axum::extract::{Request, State};
use axum::http::header::ORIGIN;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower_http::csrf::{CsrfLayer, ProtectionError};
use url::Url;

use super::problem::{Problem, ProblemKind};
use super::state::HttpState;

/// The CSRF middleware. It rejects cross-origin requests with a problem.
pub fn csrf_layer(public_url: Option<&Url>) -> CsrfLayer<fn(ProtectionError) -> Response> {
    let trusting = match public_url.map(|url| url.origin().ascii_serialization()) {
        None => CsrfLayer::new(),
        Some(origin) => CsrfLayer::new()
            .add_trusted_origin(origin)
            .unwrap_or_else(|error| {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "origin of PUBLIC_URL not trusted"
                );
                CsrfLayer::new()
            }),
    };
    trusting.with_rejection_response(cross_origin)
}

/// Rejects forms from pages that were not loaded by `https`, if the service is reached by it.
pub async fn require_secure_origin(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    let is_insecure = |origin: &[u8]| !origin.starts_with(b"https://");
    let origin = request.headers().get(ORIGIN);
    if state.is_https()
        && !request.method().is_safe()
        && origin.is_some_and(|origin| is_insecure(origin.as_bytes()))
    {
        return rejection();
    }
    next.run(request).await
}

fn cross_origin(_: ProtectionError) -> Response {
    rejection()
}

fn rejection() -> Response {
    Problem::new(
        ProblemKind::Forbidden,
        "the form was sent by another site; open the page here and send it again",
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::http::header::HOST;
    use axum::http::{HeaderName, StatusCode};
    use tower::{Layer as _, ServiceExt as _, service_fn};

    use super::*;

    const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

    async fn status(sent: &[(HeaderName, &str)], public_url: Option<&str>) -> StatusCode {
        let public_url = public_url.map(|url| Url::parse(url).unwrap());
        let service = csrf_layer(public_url.as_ref()).layer(service_fn(async |_: Request| {
            Ok::<_, Infallible>(StatusCode::OK.into_response())
        }));
        let mut request = Request::post("/sign-out/").header(HOST, "shop.example:8001");
        for (name, value) in sent {
            request = request.header(name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        service.oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn forms_are_accepted_from_the_same_site_only() {
        const PUBLIC: Option<&str> = Some("https://public.example/");
        for (sent, public_url, is_accepted) in [
            (&[][..], None, true),
            (&[(ORIGIN, "http://shop.example:8001")], None, true),
            (&[(ORIGIN, "https://shop.example:8001")], None, true),
            (&[(ORIGIN, "http://shop.example")], None, false),
            (&[(ORIGIN, "http://evil.example:8001")], None, false),
            (&[(ORIGIN, "null")], None, false),
            (&[(SEC_FETCH_SITE, "same-origin")], None, true),
            (&[(SEC_FETCH_SITE, "none")], None, true),
            (&[(SEC_FETCH_SITE, "same-site")], None, false),
            (&[(SEC_FETCH_SITE, "cross-site")], None, false),
            (
                &[
                    (SEC_FETCH_SITE, "cross-site"),
                    (ORIGIN, "http://shop.example:8001"),
                ],
                None,
                false,
            ),
            (&[(ORIGIN, "https://public.example")], PUBLIC, true),
            (
                &[
                    (SEC_FETCH_SITE, "same-origin"),
                    (ORIGIN, "https://public.example"),
                ],
                PUBLIC,
                true,
            ),
            (&[(ORIGIN, "http://public.example")], PUBLIC, false),
            (&[(ORIGIN, "https://public.example:8443")], PUBLIC, false),
            (&[(ORIGIN, "https://evil.example")], PUBLIC, false),
        ] {
            let status = status(sent, public_url).await;
            let expected = match is_accepted {
                true => StatusCode::OK,
                false => StatusCode::FORBIDDEN,
            };
            assert_eq!(status, expected, "{sent:?} {public_url:?}");
        }
    }
}
