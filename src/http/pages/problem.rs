//! Problems as pages, for browsers.

use askama::Template;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;

use crate::http::problem::Problem;

use super::assets;
use super::render::add_page_headers;
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    visitor: Option<Visitor>,
    status: u16,
    title: &'a str,
    detail: &'a str,
    violations: Vec<String>,
    request_id: &'a str,
}

/// Replaces the body of an error response by a page.
pub fn render_problem(problem: &Problem, request_id: &str, response: &mut Response) {
    let status = response.status();
    let title = match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::FORBIDDEN => "This is not for you",
        StatusCode::SERVICE_UNAVAILABLE => "We cannot answer at the moment",
        _ => problem.title(),
    };
    let page = ProblemPage {
        visitor: None,
        status: status.as_u16(),
        title,
        detail: problem.detail(),
        violations: problem.violations(),
        request_id,
    };
    if let Ok(text) = page.render() {
        *response.body_mut() = Body::from(text);
        add_page_headers(response.headers_mut());
    }
}
