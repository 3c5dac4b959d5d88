//! What operators and their machines ask: health and metrics.

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

use crate::auth::{KeysState, Rejection};

use super::Shared;
use super::caller::bearer;
use super::problem::{Kind, Problem};

/// How long the database may take to answer that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// Every route, with its documentation.
pub fn routes() -> OpenApiRouter<Shared> {
    health_routes().routes(routes!(metrics))
}

/// Those that say how the service is.
pub fn health_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(live))
        .routes(routes!(ready))
}

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, `stopping` or `unavailable`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The version that runs.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// What it depends on.
    components: Components,
}

/// What the service depends on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Components {
    /// PostgreSQL.
    database: Component,
    /// The keys that tokens are verified with.
    token_keys: TokenKeys,
}

/// The keys that tokens are verified with.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenKeys {
    /// `ok`; `stale` when their issuer could not be asked again, which does no harm for a while;
    /// `unavailable` when there are none, so that nobody can be let in.
    #[schema(example = "ok")]
    status: &'static str,
}

/// One dependency.
#[derive(Debug, Serialize, ToSchema)]
pub struct Component {
    /// `ok` or `unavailable`.
    #[schema(example = "ok")]
    status: &'static str,
    /// How long it took to answer.
    #[schema(example = 0.4, minimum = 0)]
    latency_ms: f64,
}

/// How the service and what it depends on are.
#[utoipa::path(get, path = "/health/", tag = "operations", responses(
    (status = 200, description = "Orders can be taken", body = Health),
    (status = 503, description = "They cannot", body = Health),
))]
async fn health(State(shared): State<Shared>) -> (StatusCode, Json<Health>) {
    let asked = Instant::now();
    let answer = timeout(PATIENCE, shared.orders.check_database()).await;
    let database_ok = matches!(answer, Ok(Ok(())));
    let keys = shared.verifier.keys_state();
    let is_able = database_ok && keys != KeysState::Missing;
    let status = match (*shared.stopping.borrow(), is_able) {
        (true, _) => "stopping",
        (false, true) => "ok",
        (false, false) => "unavailable",
    };
    let database = Component {
        status: if database_ok { "ok" } else { "unavailable" },
        latency_ms: (asked.elapsed().as_secs_f64() * 100_000.0).round() / 100.0,
    };
    let token_keys = TokenKeys {
        status: match keys {
            KeysState::Ok => "ok",
            KeysState::Stale => "stale",
            KeysState::Missing => "unavailable",
        },
    };
    let code = if status == "ok" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let components = Components {
        database,
        token_keys,
    };
    (
        code,
        Json(Health {
            status,
            version: env!("CARGO_PKG_VERSION"),
            components,
        }),
    )
}

/// Whether the process runs. Says nothing of the database, which a restart would not mend.
#[utoipa::path(get, path = "/health/live/", tag = "operations",
    responses((status = 200, description = "It runs", body = String, example = "ok")))]
async fn live() -> &'static str {
    "ok"
}

/// Whether requests should be sent here.
#[utoipa::path(get, path = "/health/ready/", tag = "operations", responses(
    (status = 200, description = "Send requests", body = Health),
    (status = 503, description = "Stopping, or the database or the keys of tokens are away", body = Health),
))]
async fn ready(state: State<Shared>) -> (StatusCode, Json<Health>) {
    health(state).await
}

/// What Prometheus scrapes; at a port of its own where `METRICS_PORT` names one.
#[utoipa::path(get, path = "/metrics/", tag = "operations",
    responses((status = 200, description = "Metrics as text", body = String, content_type = "text/plain")))]
async fn metrics(State(shared): State<Shared>, request: Request) -> Result<Response, Problem> {
    if let Some(expected) = &shared.metrics_token {
        let sent = bearer(request.headers())?;
        // Compares in constant time.
        let equal = aws_lc_rs::constant_time::verify_slices_are_equal(
            sent.as_bytes(),
            expected.expose_secret().as_bytes(),
        );
        equal.map_err(|_| Rejection::Invalid)?;
    }
    shared.orders.measure_pool();
    let text = shared.metrics.encode().map_err(|error| {
        Problem::new(
            Kind::Internal,
            format!("the metrics cannot be written: {error}"),
        )
    })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
