//! The OpenAPI document, generated from the routes, and the Swagger UI that shows it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use utoipa::Modify;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, OpenApi, Ref, RefOr, Response as Described, ResponseBuilder,
};
use utoipa_swagger_ui::Config;

use super::pages;
use super::problem::{Problem, ProblemKind, ProblemSchema, no_such_route};
use super::session;
use super::state::HttpState;

mod constraints;

/// The media type of problems.
const PROBLEM: &str = "application/problem+json";

/// The parts of the OpenAPI document that belong to no route.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Order Service",
        description = "Accepts a shop's orders, fulfils them through Inventory, Payment and Shipping, reports \
            on them and cancels them.\n\nEvery route except health and this page requires an access token of \
            UserService: `Authorization: Bearer <token>`. Browsers, which prefer HTML, get pages of a \
            customer's history and of an order. Paths match with and without a trailing slash. Errors are \
            problem details (RFC 9457) with a stable `code`; the response lists all violations of a request. \
            A caller that exceeds its rate limit gets `429`; the `RateLimit` header of earlier responses \
            announces the limit. Amounts are exact decimals in strings, times are UTC.",
    ),
    components(schemas(ProblemSchema)),
    tags(
        (name = "orders", description = "Place, read, follow and cancel orders"),
        (name = "operations", description = "For operators and their tools"),
    ),
    modifiers(&SecuritySchemes),
)]
pub struct ApiDocument;

struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut OpenApi) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.bearer_format = Some("JWT".to_owned());
        bearer.description = Some("An access token of UserService".to_owned());
        let session = ApiKeyValue::with_description(
            session::COOKIE_NAME,
            "The same token in the browser's cookie after sign-in; for pages and the reads of their scripts",
        );
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let session = SecurityScheme::ApiKey(ApiKey::Cookie(session));
        components.add_security_scheme("session", session);
    }
}

/// Completes the document with what applies to all routes: common problems, constraints, and aliases. An
/// alias is a pair of a documented path and a second path of the same operations.
pub fn complete(mut document: OpenApi, aliases: &[(&str, &str)]) -> OpenApi {
    constraints::constrain_bodies(&mut document);
    for (path, item) in &mut document.paths.paths {
        for (operation, has_body) in operations(item) {
            add_problems(path, operation, has_body);
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    constraints::constrain_parameter(parameter);
                }
            }
        }
        if let Some(operation) = item.get.as_mut().filter(|_| pages::is_negotiated(path)) {
            add_page(operation);
        }
    }
    for (path, alias) in aliases {
        let Some(mut item) = document.paths.paths.get(*path).cloned() else {
            continue;
        };
        for (operation, _) in operations(&mut item) {
            describe_alias(operation, path, alias);
        }
        match document.paths.paths.get_mut(*alias) {
            Some(known) => known.merge_operations(item),
            None => {
                document.paths.paths.insert((*alias).to_owned(), item);
            }
        }
    }
    document
}

/// Gives the operation of an alias an id of its own, such as `create_order_at_orders`.
fn describe_alias(operation: &mut Operation, path: &str, alias: &str) {
    let suffix = alias
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let suffix = suffix.trim_matches(['{', '}']);
    operation.operation_id = operation
        .operation_id
        .take()
        .map(|id| format!("{id}_at_{suffix}"));
    operation.description = Some(format!("The same as `{path}`."));
}

/// The operations of a path, and whether each has a request body.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&mut Operation, bool)> {
    let without = [item.get.as_mut()]
        .into_iter()
        .flatten()
        .map(|operation| (operation, false));
    let with = [item.post.as_mut(), item.patch.as_mut()]
        .into_iter()
        .flatten();
    without.chain(with.map(|operation| {
        let has_body = operation.request_body.is_some();
        (operation, has_body)
    }))
}

fn add_problems(path: &str, operation: &mut Operation, has_body: bool) {
    let mut kinds = vec![ProblemKind::Internal];
    if operation.security.is_some() {
        kinds.extend([
            ProblemKind::InvalidRequest,
            ProblemKind::Unauthenticated,
            ProblemKind::Forbidden,
            ProblemKind::RateLimited,
            ProblemKind::Unavailable,
            ProblemKind::Overloaded,
            ProblemKind::TimedOut,
        ]);
        if path.contains('{') {
            kinds.push(ProblemKind::NotFound);
        }
    }
    if path == "/metrics/" {
        kinds.push(ProblemKind::Unauthenticated);
    }
    kinds.extend([ProblemKind::BodyTooLarge, ProblemKind::BodyTooSlow]);
    if has_body {
        kinds.push(ProblemKind::UnsupportedMediaType);
    }
    for kind in kinds {
        add_problem(operation, kind);
    }
    if operation.security.is_some() {
        add_headers(operation);
    }
}

/// Adds a problem. Problems of the same status share a response.
fn add_problem(operation: &mut Operation, kind: ProblemKind) {
    let status = kind.status().as_u16().to_string();
    let words = format!("`{}`: {}", kind.code(), kind.title());
    match operation.responses.responses.get_mut(&status) {
        Some(RefOr::T(known)) if known.content.contains_key(PROBLEM) => {
            if !known.description.contains(&format!("`{}`", kind.code())) {
                known.description = format!("{}; {words}", known.description);
            }
        }
        Some(_) => {}
        None => {
            let described = RefOr::T(described(words));
            operation.responses.responses.insert(status, described);
        }
    }
}

/// Adds the headers of the rate limiter, and `Retry-After`.
fn add_headers(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        let mut add = |name: &str, meaning: &str| {
            let header = HeaderBuilder::new()
                .schema(Some(utoipa::schema!(String)))
                .description(Some(meaning));
            response
                .headers
                .insert(name.to_owned(), RefOr::T(header.build()));
        };
        add(
            "RateLimit-Policy",
            "The burst of requests that the caller may send (`q`), and the seconds in which it is replenished (`w`)",
        );
        add(
            "RateLimit",
            "The remaining requests (`r`), and the seconds until more are available (`t`)",
        );
        if matches!(status.as_str(), "429" | "503") {
            add("Retry-After", "Seconds until the next attempt");
        }
    }
}

/// Adds what browsers get: an HTML page, or a redirect to the sign-in page.
fn add_page(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(described) = response
            && !described.content.is_empty()
        {
            let page = ContentBuilder::new()
                .schema(Some(utoipa::schema!(String)))
                .build();
            described
                .content
                .insert("text/html".to_owned(), RefOr::T(page));
        }
    }
    let elsewhere = ResponseBuilder::new()
        .description("For browsers without a session: the sign-in page")
        .build();
    let responses = &mut operation.responses.responses;
    responses.insert("303".to_owned(), RefOr::T(elsewhere));
    allow_session(operation);
}

/// Documents the session cookie as an alternative to the bearer token.
fn allow_session(operation: &mut Operation) {
    let session = SecurityRequirement::new("session", Vec::<String>::new());
    operation.security.get_or_insert_default().push(session);
}

fn described(words: String) -> Described {
    let schema = Ref::from_schema_name("Problem");
    ResponseBuilder::new()
        .description(words)
        .content(PROBLEM, ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

/// The routes of the document and of Swagger UI. They are public.
pub fn routes(document: &OpenApi) -> Router<HttpState> {
    let document = Bytes::from(document.to_json().unwrap_or_default());
    let config = Arc::new(Config::from("/orders-doc/openapi.json").persist_authorization(true));
    Router::new()
        .route("/orders-doc/", get(page))
        .route(
            "/orders-doc/openapi.json/",
            get(|| async move { ([(CONTENT_TYPE, "application/json")], document) }),
        )
        .route("/orders-doc/{file}/", get(asset).with_state(config))
        .route("/problems/{code}/", get(problem))
}

/// The page of Swagger UI. Its links are absolute, so that it works with and without a trailing slash.
async fn page() -> Html<&'static str> {
    Html(include_str!("docs/index.html"))
}

/// A file of Swagger UI, embedded in the binary.
async fn asset(
    State(config): State<Arc<Config<'static>>>,
    Path(file): Path<String>,
) -> Result<Response, Problem> {
    let found = utoipa_swagger_ui::serve(&file, config).map_err(|error| {
        Problem::new(
            ProblemKind::Internal,
            format!("the page cannot be served: {error}"),
        )
    })?;
    let Some(found) = found.filter(|_| file != "index.html") else {
        return Err(no_such_route().await);
    };
    // Static bytes are shared, so that slow clients hold no copies.
    let bytes = match found.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    if let Ok(content_type) = found.content_type.parse() {
        headers.insert(CONTENT_TYPE, content_type);
    }
    if found.gzpipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// The description of a problem; the target of its `type`.
async fn problem(Path(code): Path<String>) -> Result<Response, Problem> {
    let Some(kind) = ProblemKind::ALL.iter().find(|kind| kind.code() == code) else {
        return Err(no_such_route().await);
    };
    let described = serde_json::json!({
        "type": kind.type_uri(),
        "title": kind.title(),
        "status": kind.status().as_u16(),
        "code": kind.code(),
    });
    Ok(Json(described).into_response())
}
