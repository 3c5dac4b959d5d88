//! Links in answers, ready to follow: absolute, as the client reached the service.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use url::{Url, form_urlencoded};

use super::Shared;

/// The parameters that name a place in a list.
const PLACES: [&str; 3] = ["after", "cursor", "page"];

/// Where a request was sent to.
#[derive(Clone, Debug)]
pub struct Here {
    base: String,
    path: String,
    query: Vec<(String, String)>,
}

impl FromRequestParts<Shared> for Here {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Shared,
    ) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self {
            base: base(parts, shared.public_url.as_ref()),
            path: parts.uri.path().to_owned(),
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        })
    }
}

impl Here {
    /// The same, with links that start at the root, as pages have them.
    pub fn rooted(mut self) -> Self {
        self.base.clear();
        self
    }

    /// This list, at another page.
    pub fn page(&self, page: u32) -> String {
        self.at("page", &page.to_string())
    }

    /// This list, from its beginning.
    pub fn first(&self) -> String {
        self.link(None)
    }

    /// This list, at the place that a parameter names.
    pub fn at(&self, name: &str, value: &str) -> String {
        self.link(Some((name, value)))
    }

    /// This list of events, after that one.
    pub fn after(&self, seq: i32) -> String {
        self.at("after", &seq.to_string())
    }

    fn link(&self, place: Option<(&str, &str)>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = self.query.iter();
        for (name, value) in kept.filter(|(name, _)| !PLACES.contains(&name.as_str())) {
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

/// Scheme and host; nothing where the client sent no usable host, which leaves a link that starts at
/// the root.
fn base(parts: &Parts, public_url: Option<&Arc<Url>>) -> String {
    if let Some(url) = public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let host = parts
        .uri
        .authority()
        .cloned()
        .or_else(|| header(HOST.as_str()).and_then(|host| host.parse::<Authority>().ok()))
        .filter(|host| !host.as_str().contains('@'));
    let scheme = match header("x-forwarded-proto") {
        Some("https") => "https",
        _ => "http",
    };
    host.map(|host| format!("{scheme}://{host}"))
        .unwrap_or_default()
}
