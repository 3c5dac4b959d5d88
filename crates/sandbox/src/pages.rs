//! Offset pagination of lists, newest first.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::reply::{Answer, Refusal};

/// Default and maximum number of rows on a page.
const MAX_PAGE_SIZE: usize = 100;

/// The requested page.
#[derive(Debug)]
pub(super) struct PageRequest {
    /// Counts from 1.
    number: usize,
    size: usize,
}

#[derive(Deserialize)]
struct PageQuery {
    page: Option<usize>,
    page_size: Option<usize>,
}

impl<S: Send + Sync> FromRequestParts<S> for PageRequest {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let Query(query) = Query::<PageQuery>::try_from_uri(&parts.uri)
            .map_err(|rejection| Refusal::bad(rejection.body_text()))?;
        Ok(Self {
            number: query.page.unwrap_or(1).max(1),
            size: query
                .page_size
                .unwrap_or(MAX_PAGE_SIZE)
                .clamp(1, MAX_PAGE_SIZE),
        })
    }
}

impl PageRequest {
    /// The page of `rows`, given oldest first, of the list at `path`.
    pub fn of<T: Serialize>(&self, path: &str, mut rows: Vec<&T>) -> Answer {
        let count = rows.len();
        rows.reverse();
        let from = (self.number - 1).saturating_mul(self.size).min(count);
        let to = from.saturating_add(self.size).min(count);
        let (next, size) = (self.number + 1, self.size);
        let next = (to < count).then(|| format!("{path}?page={next}&page_size={size}"));
        Answer::ok(json!({ "count": count, "next": next, "items": &rows[from..to] }))
    }
}
