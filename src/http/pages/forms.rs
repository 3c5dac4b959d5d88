//! The fields of a submitted HTML form. The CSRF middleware has accepted the request before.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use url::form_urlencoded;

use crate::http::media_type::content_type;
use crate::http::problem::{Problem, ProblemKind};

/// The fields of a form, as an extractor.
#[derive(Debug)]
pub struct FormFields(Vec<(String, String)>);

impl FormFields {
    /// The value of a field, trimmed; empty if the form lacks it.
    pub fn get(&self, name: &str) -> &str {
        self.exact(name).trim()
    }

    /// The value of a field as it was sent; empty if the form lacks it.
    pub fn exact(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }
}

impl<S: Send + Sync> FromRequest<S> for FormFields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if content_type(request.headers()) != Some("application/x-www-form-urlencoded") {
            let expected = "send the form as a browser does";
            return Err(Problem::new(ProblemKind::UnsupportedMediaType, expected));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|_| {
            let detail = "the form could not be read to its end";
            Problem::new(ProblemKind::MalformedBody, detail)
        })?;
        Ok(Self(form_urlencoded::parse(&bytes).into_owned().collect()))
    }
}
