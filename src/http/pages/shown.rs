//! Problems as pages, for browsers.

use askama::Template;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;

use crate::http::problem::Problem;

use super::session::Visitor;
use super::{assets, guard};

#[derive(Template)]
#[template(path = "problem.html")]
struct Page<'a> {
    visitor: Option<Visitor>,
    status: u16,
    title: &'a str,
    detail: &'a str,
    faults: Vec<String>,
    request_id: &'a str,
}

/// Writes a problem as a page into its answer.
pub fn problem(problem: &Problem, request_id: &str, response: &mut Response) {
    let status = response.status();
    let title = match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::FORBIDDEN => "This is not for you",
        StatusCode::SERVICE_UNAVAILABLE => "We cannot answer at the moment",
        _ => problem.title(),
    };
    let page = Page {
        visitor: None,
        status: status.as_u16(),
        title,
        detail: problem.detail(),
        faults: problem.faults(),
        request_id,
    };
    if let Ok(text) = page.render() {
        *response.body_mut() = Body::from(text);
        guard(response.headers_mut());
    }
}
