//! The OpenAPI document, made from the routes, and the Swagger page that shows it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use serde::Serialize;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, OpenApi, Ref, RefOr, Response as Described, ResponseBuilder,
};
use utoipa::{Modify, ToSchema};
use utoipa_swagger_ui::Config;

use super::Shared;
use super::orders::ALIASES;
use super::pages::{self, session};
use super::problem::{Fault, Kind, Problem, no_such_route};

mod shapes;

/// The media type of problems.
const PROBLEM: &str = "application/problem+json";

/// What the document says beside the routes.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Order Service",
        description = "Takes a shop's orders, has them fulfilled by Inventory, Payment and Shipping, answers \
            for them and calls them off.\n\nEvery route but health and this page wants a token that \
            UserService has issued: `Authorization: Bearer <token>`. Browsers, which prefer HTML, get pages \
            of a customer's history and of an order. Paths answer with and without the \
            slash at their end. Errors are problem details (RFC 9457) with a stable `code`; all faults of a \
            request are told at once. Who asks too often gets `429`, and the `RateLimit` header tells before \
            how often that is. Amounts are exact decimals as texts, times are UTC.",
    ),
    components(schemas(ProblemSchema)),
    tags(
        (name = "orders", description = "Place, read, follow and cancel orders"),
        (name = "operations", description = "For operators and their machines"),
    ),
    modifiers(&Bearer),
)]
pub struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.bearer_format = Some("JWT".to_owned());
        bearer.description = Some("An access token of UserService".to_owned());
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let session = ApiKeyValue::with_description(
            session::COOKIE_NAME,
            "The same token, as browsers keep it once they are signed in; for pages, and for what their \
                script reads",
        );
        let session = SecurityScheme::ApiKey(ApiKey::Cookie(session));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("session", session);
    }
}

/// What went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemSchema {
    /// Where this kind of problem is described.
    #[schema(example = "/problems/invalid-request")]
    r#type: String,
    /// The kind of problem, in words.
    #[schema(example = "The request has faults")]
    title: String,
    /// The status of the response.
    #[schema(example = 400, minimum = 400, maximum = 599)]
    status: u16,
    /// The kind of problem, for machines.
    #[schema(example = "invalid-request")]
    code: String,
    /// What is wrong in this case and how to mend it.
    #[schema(example = "items/0/quantity must be a whole number from 1 to 10000")]
    detail: String,
    /// What to name when asking for help.
    #[schema(example = "0b6a7a3c-5d5c-4b9e-9d0a-6f3f7f1f2c11")]
    request_id: String,
    /// The faults of the request, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Fault>>,
    /// The order that was called off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    order_id: Option<i64>,
    /// The order as it now stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<super::orders::OrderView>)]
    order: Option<serde_json::Value>,
    /// The version of an order that has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 7, minimum = 1)]
    current_version: Option<i32>,
}

/// Adds what holds for all routes: the problems that any of them may answer, the shapes of texts, and
/// the aliases.
pub fn complete(mut document: OpenApi) -> OpenApi {
    shapes::shape_bodies(&mut document);
    for (path, item) in &mut document.paths.paths {
        for (operation, has_body) in operations(item) {
            add_problems(path, operation, has_body);
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    shapes::shape_parameter(parameter);
                }
            }
        }
        if let Some(operation) = item.get.as_mut().filter(|_| pages::is_negotiated(path)) {
            add_page(operation);
        }
    }
    for (path, alias) in ALIASES {
        let Some(mut item) = document.paths.paths.get(path).cloned() else {
            continue;
        };
        for (operation, _) in operations(&mut item) {
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
        match document.paths.paths.get_mut(alias) {
            Some(known) => known.merge_operations(item),
            None => {
                document.paths.paths.insert(alias.to_owned(), item);
            }
        }
    }
    document
}

/// The operations of a path, each with whether it takes a body.
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
    let mut kinds = vec![Kind::Internal];
    if operation.security.is_some() {
        kinds.extend([
            Kind::InvalidRequest,
            Kind::Unauthenticated,
            Kind::Forbidden,
            Kind::RateLimited,
            Kind::Unavailable,
            Kind::Overloaded,
            Kind::TimedOut,
        ]);
        if path.contains('{') {
            kinds.push(Kind::NotFound);
        }
    }
    if path == "/metrics/" {
        kinds.push(Kind::Unauthenticated);
    }
    kinds.extend([Kind::BodyTooLarge, Kind::BodyTooSlow]);
    if has_body {
        kinds.push(Kind::UnsupportedMediaType);
    }
    for kind in kinds {
        add_problem(operation, kind);
    }
    if operation.security.is_some() {
        add_headers(operation);
    }
}

/// Adds a problem; beside others of the same status, if there are any.
fn add_problem(operation: &mut Operation, kind: Kind) {
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

/// Adds the headers that tell callers how often they may ask, and when to come again.
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
            "How many requests the caller may send at once (`q`), and in how many seconds as many more (`w`)",
        );
        add(
            "RateLimit",
            "How many of these are left (`r`), and in how many seconds there are more (`t`)",
        );
        if matches!(status.as_str(), "429" | "503") {
            add("Retry-After", "In how many seconds to try again");
        }
    }
}

/// Adds what browsers get, which prefer HTML: a page, whatever is told, or the way to sign in.
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
        .description("For browsers that are not signed in: where to do that")
        .build();
    let responses = &mut operation.responses.responses;
    responses.insert("303".to_owned(), RefOr::T(elsewhere));
    allow_session(operation);
}

/// Lets the cookie of the pages do as well.
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

/// The document and the page, for anyone.
pub fn routes(document: &OpenApi) -> Router<Shared> {
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

/// The page itself. Its links start at the root, so that it works with and without the slash at the
/// end of its path.
async fn page() -> Html<&'static str> {
    Html(include_str!("docs/index.html"))
}

/// What the page is made of, from the binary.
async fn asset(
    State(config): State<Arc<Config<'static>>>,
    Path(file): Path<String>,
) -> Result<Response, Problem> {
    let found = utoipa_swagger_ui::serve(&file, config).map_err(|error| {
        Problem::new(
            Kind::Internal,
            format!("the page cannot be served: {error}"),
        )
    })?;
    let Some(found) = found.filter(|_| file != "index.html") else {
        return Err(no_such_route().await);
    };
    // What everybody gets is there once, however many take it slowly.
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
        headers.insert(
            CONTENT_ENCODING,
            axum::http::HeaderValue::from_static("gzip"),
        );
    }
    Ok(response)
}

/// What a problem's `type` leads to.
async fn problem(Path(code): Path<String>) -> Result<Response, Problem> {
    let Some(kind) = Kind::ALL.iter().find(|kind| kind.code() == code) else {
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
