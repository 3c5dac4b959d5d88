//! Health checks and metrics, for operators and their tools.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{KeysState, TokenError};

use super::caller::bearer;
use super::problem::{Problem, ProblemKind};
use super::state::HttpState;

/// The timeout of the database check.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Every route, with its documentation.
pub fn routes() -> OpenApiRouter<HttpState> {
    health_routes().routes(routes!(metrics))
}

/// The health checks.
pub fn health_routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(live))
        .routes(routes!(ready))
}

/// The health of the service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, `stopping` or `unavailable`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The running version.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The dependencies.
    components: HealthComponents,
}

/// The dependencies of the service.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Components)]
pub struct HealthComponents {
    /// PostgreSQL.
    database: Component,
    /// The keys that verify access tokens.
    token_keys: TokenKeys,
}

/// The keys that verify access tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenKeys {
    /// `ok`; `stale` if the last refresh failed, and tokens are verified with the earlier keys;
    /// `unavailable` if there are no keys, and all tokens are rejected.
    #[schema(example = "ok")]
    status: &'static str,
}

/// A dependency.
#[derive(Debug, Serialize, ToSchema)]
pub struct Component {
    /// `ok` or `unavailable`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The time of the check, in milliseconds.
    #[schema(example = 0.4, minimum = 0)]
    latency_ms: f64,
}

/// The health of the service and its dependencies.
#[utoipa::path(get, path = "/health/", tag = "operations", responses(
    (status = 200, description = "The service accepts orders", body = Health),
    (status = 503, description = "The service cannot accept orders", body = Health),
))]
async fn health(State(state): State<HttpState>) -> (StatusCode, Json<Health>) {
    let started = Instant::now();
    let checked = timeout(DATABASE_TIMEOUT, state.orders.check_database()).await;
    let database_ok = matches!(checked, Ok(Ok(())));
    let database = Component {
        status: if database_ok { "ok" } else { "unavailable" },
        latency_ms: (started.elapsed().as_secs_f64() * 100_000.0).round() / 100.0,
    };
    let keys = state.verifier.keys_state();
    let token_keys = TokenKeys {
        status: match keys {
            KeysState::Ok => "ok",
            KeysState::Stale => "stale",
            KeysState::Missing => "unavailable",
        },
    };
    let is_able = database_ok && keys != KeysState::Missing;
    let (code, status) = match (*state.stopping.borrow(), is_able) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        (false, true) => (StatusCode::OK, "ok"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let health = Health {
        status,
        version: env!("CARGO_PKG_VERSION"),
        components: HealthComponents {
            database,
            token_keys,
        },
    };
    (code, Json(health))
}

/// Whether the process runs. It does not check the database, because a restart would not repair it.
#[utoipa::path(get, path = "/health/live/", tag = "operations",
    responses((status = 200, description = "The process runs", body = String, example = "ok")))]
async fn live() -> &'static str {
    "ok"
}

/// Whether the process accepts requests.
#[utoipa::path(get, path = "/health/ready/", tag = "operations", responses(
    (status = 200, description = "The process accepts requests", body = Health),
    (status = 503, description = "The process stops, or the database or the token keys are unavailable", body = Health),
))]
async fn ready(state: State<HttpState>) -> (StatusCode, Json<Health>) {
    health(state).await
}

/// The metrics, for Prometheus. `METRICS_PORT` moves them to a port of their own.
#[utoipa::path(get, path = "/metrics/", tag = "operations",
    responses((status = 200, description = "Metrics as text", body = String, content_type = "text/plain")))]
async fn metrics(State(state): State<HttpState>, request: Request) -> Result<Response, Problem> {
    if let Some(expected) = &state.metrics_token {
        let sent = bearer(request.headers())?;
        // Compares in constant time.
        let equal = aws_lc_rs::constant_time::verify_slices_are_equal(
            sent.as_bytes(),
            expected.expose_secret().as_bytes(),
        );
        equal.map_err(|_| TokenError::Invalid)?;
    }
    state.orders.measure_pool();
    let text = state.metrics.encode().map_err(|error| {
        Problem::new(
            ProblemKind::Internal,
            format!("the metrics cannot be written: {error}"),
        )
    })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
