//! Checks every response of every test against the service's own OpenAPI document.

use std::sync::LazyLock;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(order_service::http::openapi()).unwrap());

/// Fails if a documented operation sends a response that its documentation lacks.
pub fn assert_documented(method: &Method, path: &str, status: u16, headers: &HeaderMap) {
    let Some(template) = template(path) else {
        return;
    };
    let operation = &DOCUMENT["paths"][template][method.as_str().to_lowercase()];
    if operation.is_null() {
        return;
    }
    let response = &operation["responses"][status.to_string()];
    assert!(
        response.is_object(),
        "{method} {template} does not document {status}"
    );
    let sent = headers
        .get(CONTENT_TYPE)
        .map_or("", |value| value.to_str().unwrap());
    let essence = sent.split(';').next().unwrap_or_default();
    if essence.is_empty() {
        assert!(
            response["content"].is_null(),
            "{method} {template} documents {status} with a body"
        );
        return;
    }
    assert!(
        response["content"][essence].is_object(),
        "{method} {template} does not document {status} as {essence}"
    );
}

/// The documented path template that matches this path; literal segments take precedence over
/// parameters.
fn template(path: &str) -> Option<&'static str> {
    let asked: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let templates = DOCUMENT["paths"].as_object().unwrap().keys();
    let matching = templates.filter(|template| {
        let known: Vec<&str> = template.trim_end_matches('/').split('/').collect();
        let same = |(known, asked): (&&str, &&str)| known == asked || known.starts_with('{');
        known.len() == asked.len() && known.iter().zip(&asked).all(same)
    });
    matching
        .min_by_key(|template| template.matches('{').count())
        .map(String::as_str)
}
