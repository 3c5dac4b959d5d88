//! The links in responses: absolute URLs, with the host that the client used.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use url::{Url, form_urlencoded};

use super::headers::X_FORWARDED_PROTO;
use super::state::HttpState;

/// The parameters that name a position in a list.
const POSITIONS: [&str; 3] = ["after", "cursor", "page"];

/// Creates links to other positions of the requested list.
#[derive(Clone, Debug)]
pub struct RequestLinks {
    base: String,
    path: String,
    query: Vec<(String, String)>,
}

impl FromRequestParts<HttpState> for RequestLinks {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &HttpState,
    ) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self {
            base: base(parts, state.public_url.as_ref()),
            path: parts.uri.path().to_owned(),
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        })
    }
}

impl RequestLinks {
    /// Makes the links relative to the host, as pages use them.
    pub fn relative(mut self) -> Self {
        self.base.clear();
        self
    }

    /// The list at another page.
    pub fn page(&self, page: u32) -> String {
        self.at("page", &page.to_string())
    }

    /// The list from its beginning.
    pub fn first(&self) -> String {
        self.link(None)
    }

    /// The list at the position that a parameter names.
    pub fn at(&self, name: &str, value: &str) -> String {
        self.link(Some((name, value)))
    }

    /// The list of events after the given one.
    pub fn after(&self, seq: i32) -> String {
        self.at("after", &seq.to_string())
    }

    fn link(&self, place: Option<(&str, &str)>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = self.query.iter();
        for (name, value) in kept.filter(|(name, _)| !POSITIONS.contains(&name.as_str())) {
            query.append_pair(name, value);
        }
        if let Some((name, value)) = place {
            query.append_pair(name, value);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{}{mark}{query}", self.base, self.path)
    }
}

/// Scheme and host; empty without a valid host, so that the link is relative to the host.
fn base(parts: &Parts, public_url: Option<&Arc<Url>>) -> String {
    if let Some(url) = public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let header = |name: &HeaderName| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let host = parts
        .uri
        .authority()
        .cloned()
        .or_else(|| header(&HOST).and_then(|host| host.parse::<Authority>().ok()))
        .filter(|host| !host.as_str().contains('@'));
    let scheme = match header(&X_FORWARDED_PROTO) {
        Some("https") => "https",
        _ => "http",
    };
    host.map(|host| format!("{scheme}://{host}"))
        .unwrap_or_default()
}
