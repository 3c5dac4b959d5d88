//! Every variable that is read: the manual of the configuration, and the source of its defaults.

/// A variable of the environment or of `.env`.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The value if it is not set.
    pub default: Option<&'static str>,
    /// Its meaning, as `--help` prints it.
    pub meaning: &'static str,
}

const fn with_default(
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Variable {
    Variable {
        name,
        default: Some(default),
        meaning,
    }
}

const fn without(name: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        default: None,
        meaning,
    }
}

/// All variables, in the order of the manual.
pub const VARIABLES: &[Variable] = &[
    without(
        "DATABASE_URL",
        "PostgreSQL, as postgres://user:password@host:port/name; takes precedence over the DB_ variables",
    ),
    without(
        "DB_NAME",
        "name of the database, unless DATABASE_URL is set",
    ),
    without("DB_USER", "user that connects to it"),
    without("DB_PASSWORD", "password of that user"),
    without("DB_HOST", "host of the database"),
    with_default("DB_PORT", "5432", "port of the database"),
    without(
        "DATABASE_READ_URL",
        "standby for lists, in the form of DATABASE_URL; by default the primary",
    ),
    with_default(
        "DATABASE_MAX_CONNECTIONS",
        "16",
        "maximum number of connections of one process",
    ),
    with_default(
        "DATABASE_WAIT_MS",
        "3000",
        "milliseconds to wait for a free connection, and to open a new one; at most 10000",
    ),
    with_default(
        "DATABASE_POOLER",
        "none",
        "none, or transaction behind a pooler in transaction mode, such as PgBouncer",
    ),
    with_default("HOST", "0.0.0.0", "IP address to listen on"),
    with_default("PORT", "8001", "port to listen on; 0 selects a free one"),
    without(
        "PUBLIC_URL",
        "URL by which clients reach the service, for the links in lists; by default each request's Host",
    ),
    with_default(
        "MAX_CONNECTIONS",
        "10000",
        "maximum number of client connections of one process; each takes a file descriptor",
    ),
    with_default(
        "HEADER_TIMEOUT_MS",
        "10000",
        "milliseconds within which the head of a request must arrive",
    ),
    with_default(
        "BODY_TIMEOUT_MS",
        "10000",
        "milliseconds within which the body of a request must arrive",
    ),
    with_default(
        "KEEP_ALIVE_MS",
        "75000",
        "milliseconds for which an idle connection is kept; longer than the proxies keep theirs",
    ),
    with_default(
        "WRITE_TIMEOUT_MS",
        "30000",
        "milliseconds within which a client must read 64 KiB of its response",
    ),
    with_default(
        "REQUEST_TIMEOUT_MS",
        "30000",
        "milliseconds within which a response must begin; more than SETTLE_WAIT_MS",
    ),
    with_default(
        "MAX_REQUESTS",
        "1000",
        "maximum number of concurrent requests of one process; 503 beyond, except health and metrics",
    ),
    with_default(
        "RATE_LIMIT_PER_S",
        "50",
        "rate limiter: requests per second of one caller, ten times as many for staff and peers; 0: no limit",
    ),
    with_default(
        "RATE_LIMIT_BURST",
        "200",
        "rate limiter: size of the token bucket, which is the number of requests at once",
    ),
    with_default(
        "SIGN_IN_LIMIT_PER_MIN",
        "10",
        "sign-in attempts per minute with one name from one address; 0: no limit",
    ),
    without(
        "TRUSTED_PROXIES",
        "proxies whose X-Forwarded-For is trusted: addresses and networks, comma-separated; by default none",
    ),
    without(
        "CORS_ORIGINS",
        "other origins whose scripts may read responses, comma-separated; by default none",
    ),
    without(
        "SECRET_KEY",
        "secret of at least 32 bytes with which UserService signs tokens (HS256); or JWT_PUBLIC_KEY, or JWT_JWKS_URL",
    ),
    without(
        "JWT_PUBLIC_KEY",
        "public key of UserService: PEM with \\n for line breaks, or the path of a PEM file",
    ),
    without(
        "JWT_JWKS_URL",
        "URL of UserService's public keys, a JSON Web Key Set; use https outside a trusted network",
    ),
    with_default(
        "JWT_JWKS_REFRESH_S",
        "300",
        "seconds between two fetches of the published keys",
    ),
    with_default(
        "JWT_JWKS_STALE_S",
        "86400",
        "seconds for which published keys stay valid after that while they cannot be fetched",
    ),
    with_default(
        "JWT_ALGORITHM",
        "RS256",
        "algorithm of public keys: RS256, ES256 or EdDSA; tokens and keys with another one are rejected",
    ),
    without(
        "JWT_ISSUER",
        "required iss of tokens; by default any value is accepted",
    ),
    without(
        "JWT_AUDIENCE",
        "required aud of tokens; by default any value is accepted",
    ),
    with_default(
        "JWT_LEEWAY_S",
        "10",
        "seconds by which UserService's clock may differ",
    ),
    with_default(
        "JWT_STAFF_CLAIM",
        "is_staff",
        "claim that is true for staff",
    ),
    with_default(
        "JWT_ROLE_CLAIM",
        "role",
        "claim of a role, or of a list of roles",
    ),
    with_default(
        "JWT_SCOPE_CLAIM",
        "scope",
        "claim of scopes: words separated by spaces, or a list",
    ),
    with_default(
        "JWT_STAFF_ROLES",
        "staff,admin,orders:staff",
        "roles and scopes of staff, comma-separated",
    ),
    with_default(
        "JWT_SERVICE_ROLES",
        "service,orders:service",
        "roles and scopes of peer services, comma-separated",
    ),
    without(
        "CURSOR_KEY",
        "secret of at least 32 bytes that signs the cursors of lists, the same for all replicas; by default the key of tokens",
    ),
    with_default(
        "USER_SERVICE_URL",
        "http://localhost:8000",
        "URL of UserService, which verifies names and passwords at sign-in",
    ),
    with_default(
        "INVENTORY_SERVICE_URL",
        "http://localhost:8002",
        "URL of InventoryService",
    ),
    with_default(
        "PAYMENT_SERVICE_URL",
        "http://localhost:8003",
        "URL of PaymentService",
    ),
    with_default(
        "SHIPPING_SERVICE_URL",
        "http://localhost:8004",
        "URL of ShippingService",
    ),
    with_default(
        "PEER_TIMEOUT_MS",
        "5000",
        "outbound timeout: milliseconds for one HTTP round trip to a peer",
    ),
    with_default(
        "PEER_CONNECT_TIMEOUT_MS",
        "1000",
        "outbound timeout: milliseconds for connecting to a peer",
    ),
    with_default(
        "PEER_MAX_CALLS",
        "32",
        "bulkhead: concurrent calls of one process to one peer; a quarter is reserved for compensation",
    ),
    with_default(
        "PEER_BREAKER_REST_MS",
        "5000",
        "circuit breaker: milliseconds of cooldown after ten consecutive failures; doubles while probes fail",
    ),
    with_default("CURRENCY", "USD", "ISO 4217 code of every order's currency"),
    with_default(
        "TAX_RATE",
        "0",
        "tax as a share of the subtotal: 0.18 is 18 %",
    ),
    with_default(
        "SHIPPING_FEE",
        "0",
        "fee for shipping, added to every order",
    ),
    with_default("CARRIER", "DHL", "carrier that ShippingService is to use"),
    with_default(
        "SETTLE_WAIT_MS",
        "5000",
        "milliseconds for which placing and cancelling wait for the order to settle before they answer 202",
    ),
    with_default(
        "IDEMPOTENCY_KEY_DAYS",
        "30",
        "days for which an Idempotency-Key is remembered",
    ),
    with_default(
        "LEASE_S",
        "30",
        "seconds of a saga's lease; after it expires, another process claims the saga; at least 6 × PEER_TIMEOUT_MS",
    ),
    with_default(
        "PROGRESS_DELAY_MS",
        "50",
        "write-behind: longest delay of a progress update in milliseconds; 0 writes each at once",
    ),
    with_default(
        "RETRY_BASE_MS",
        "500",
        "milliseconds of the first retry delay after an unclear answer; doubles up to 20 s",
    ),
    with_default(
        "FOLLOW_INTERVAL_MS",
        "30000",
        "milliseconds between two queries for a parcel's status (tracking); longer without news",
    ),
    with_default(
        "SWEEP_AFTER_MS",
        "120000",
        "milliseconds between a cancellation and its late-arrival check",
    ),
    with_default(
        "POLL_INTERVAL_MS",
        "500",
        "milliseconds between two polls for due sagas",
    ),
    with_default(
        "MAX_SAGAS",
        "64",
        "maximum number of sagas that one process executes concurrently",
    ),
    with_default(
        "RECONCILE_EVERY_HOURS",
        "24",
        "hours between two reconciliations with the peers' ledgers; 0: only by command",
    ),
    with_default(
        "RECONCILE_DAYS",
        "7",
        "days of orders that a reconciliation covers",
    ),
    with_default(
        "LIVE_POLL_MS",
        "500",
        "milliseconds between two polls for the events of live streams",
    ),
    with_default(
        "LIVE_HEARTBEAT_MS",
        "15000",
        "milliseconds between two heartbeats of an idle event stream",
    ),
    with_default(
        "LIVE_MAX_AGE_S",
        "3600",
        "seconds after which an event stream ends, and its client reconnects",
    ),
    with_default(
        "LIVE_MAX_LISTENERS",
        "5000",
        "maximum number of event streams of one process; each takes a file descriptor",
    ),
    with_default(
        "LIVE_MAX_PER_CALLER",
        "20",
        "maximum number of event streams of one caller",
    ),
    with_default(
        "SHUTDOWN_DRAIN_MS",
        "0",
        "milliseconds for which a shutdown still accepts requests while readiness fails, for load balancers",
    ),
    with_default(
        "SHUTDOWN_GRACE_S",
        "25",
        "seconds for which a shutdown waits for open requests and sagas",
    ),
    without(
        "METRICS_PORT",
        "port of its own for /metrics and health; by default /metrics is at PORT",
    ),
    without(
        "METRICS_TOKEN",
        "bearer token that /metrics requires; by default none",
    ),
    with_default(
        "RUST_LOG",
        "info",
        "log level, or levels by module such as info,order_service=debug",
    ),
    with_default("LOG_FORMAT", "pretty", "log format: json or pretty"),
    without(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "URL of the OpenTelemetry collector for traces, by HTTP; by default traces are not exported",
    ),
    without(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "headers for the collector: name=value pairs, comma-separated, values percent-encoded",
    ),
    with_default(
        "OTEL_SERVICE_NAME",
        "order-service",
        "name of the service in traces",
    ),
    with_default(
        "OTEL_TRACES_SAMPLER",
        "parentbased_always_on",
        "trace sampler: always_on, always_off, traceidratio, or one of these behind parentbased_",
    ),
    with_default(
        "OTEL_TRACES_SAMPLER_ARG",
        "1",
        "share of traces that traceidratio keeps, from 0 to 1",
    ),
];
