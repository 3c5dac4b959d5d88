//! Decides which redirects the client follows: those that repeat the same request to the same server,
//! such as one that adds a trailing slash.

use reqwest::header::LOCATION;
use reqwest::{Method, Response};
use url::Url;

use super::outcome::CallFailure;

/// The redirects that the client follows in a row.
const MAX_HOPS: u32 = 3;

/// The next URL, or why the client does not follow the redirect. `hops` includes this redirect.
pub(super) fn next(
    method: &Method,
    from: &Url,
    response: &Response,
    hops: u32,
) -> Result<Url, CallFailure> {
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION);
    let target = location
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        .and_then(|value| from.join(value).ok());
    let Some(mut target) = target else {
        return Err(CallFailure::new(format!(
            "answered {status} without a location that can be read"
        )));
    };
    // By custom a 301 or 302 turns a POST into a GET, so the server does not ask for the body again.
    let keeps_method =
        matches!(status, 307 | 308) || (method == Method::GET && matches!(status, 301 | 302));
    let refused = if !keeps_method {
        Some(format!("which is not followed on {method}"))
    } else if target.origin() != from.origin() {
        Some("which is not followed to another server".to_owned())
    } else if hops > MAX_HOPS {
        Some(format!("after {MAX_HOPS} redirects already"))
    } else {
        None
    };
    if let Some(refused) = refused {
        let origin = target.origin().ascii_serialization();
        let path = target.path();
        return Err(CallFailure::new(format!(
            "answered {status} to {origin}{path}, {refused}"
        )));
    }
    // The credentials of the base URL go with the request, not those that the redirect may name.
    let kept = target
        .set_username(from.username())
        .and_then(|()| target.set_password(from.password()));
    kept.map(|()| target).map_err(|()| {
        CallFailure::new(format!(
            "answered {status}, a redirect to a URL without a host"
        ))
    })
}
