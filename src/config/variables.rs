//! Every variable that is read: the manual of the configuration, and the source of its defaults.

/// A variable of the environment or of `.env`.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What holds when it is not set.
    pub default: Option<&'static str>,
    /// What it is for.
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
        "PostgreSQL, as postgres://user:password@host:port/name; goes before the DB_ variables",
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
        "a standby, in the form of DATABASE_URL, that lists are read from; else the primary",
    ),
    with_default(
        "DATABASE_MAX_CONNECTIONS",
        "16",
        "how many connections one process opens at most",
    ),
    with_default(
        "DATABASE_WAIT_MS",
        "3000",
        "milliseconds that work waits for a free connection, and for a new one to be made; at most 10000",
    ),
    with_default(
        "DATABASE_POOLER",
        "none",
        "none, or transaction behind a pooler in transaction mode, such as PgBouncer",
    ),
    with_default("HOST", "0.0.0.0", "IP address to listen on"),
    with_default(
        "PORT",
        "8001",
        "port to listen on; 0 takes any that is free",
    ),
    without(
        "PUBLIC_URL",
        "URL by which clients reach the service, for the links in lists; else each request's Host",
    ),
    with_default(
        "MAX_CONNECTIONS",
        "10000",
        "how many connections of clients one process has; each takes a file descriptor",
    ),
    with_default(
        "HEADER_TIMEOUT_MS",
        "10000",
        "milliseconds that the head of a request may take to arrive",
    ),
    with_default(
        "BODY_TIMEOUT_MS",
        "10000",
        "milliseconds that its body may take to arrive",
    ),
    with_default(
        "KEEP_ALIVE_MS",
        "75000",
        "milliseconds that a connection is kept without a request; more than proxies keep theirs",
    ),
    with_default(
        "WRITE_TIMEOUT_MS",
        "30000",
        "milliseconds that a client may take for 64 KiB of its answer",
    ),
    with_default(
        "REQUEST_TIMEOUT_MS",
        "30000",
        "milliseconds until an answer must begin; more than SETTLE_WAIT_MS",
    ),
    with_default(
        "MAX_REQUESTS",
        "1000",
        "how many requests one process answers at a time; 503 beyond, but for health and metrics",
    ),
    with_default(
        "RATE_LIMIT_PER_S",
        "50",
        "requests per second of one caller, ten times as many of staff and peers; 0: no limit",
    ),
    with_default("RATE_LIMIT_BURST", "200", "how many of them at once"),
    with_default(
        "SIGN_IN_LIMIT_PER_MIN",
        "10",
        "attempts per minute to sign in with one name from one address; 0: no limit",
    ),
    without(
        "TRUSTED_PROXIES",
        "addresses and networks whose X-Forwarded-For is believed, by commas; else that of nobody",
    ),
    without(
        "CORS_ORIGINS",
        "origins whose scripts may read answers, by commas; else none but our own",
    ),
    without(
        "SECRET_KEY",
        "secret of at least 32 bytes that UserService signs tokens with (HS256); or JWT_PUBLIC_KEY, or JWT_JWKS_URL",
    ),
    without(
        "JWT_PUBLIC_KEY",
        "public key of UserService: PEM with \\n for line breaks, or the path of a PEM file",
    ),
    without(
        "JWT_JWKS_URL",
        "where UserService publishes its public keys, as a JSON Web Key Set; use https outside of a trusted network",
    ),
    with_default(
        "JWT_JWKS_REFRESH_S",
        "300",
        "seconds after which published keys are fetched again",
    ),
    with_default(
        "JWT_JWKS_STALE_S",
        "86400",
        "seconds that published keys are used for after that, while they cannot be fetched",
    ),
    with_default(
        "JWT_ALGORITHM",
        "RS256",
        "how public keys verify: RS256, ES256 or EdDSA; tokens and keys of others are refused",
    ),
    without(
        "JWT_ISSUER",
        "the iss that every token must have; else any will do",
    ),
    without(
        "JWT_AUDIENCE",
        "the aud that every token must have; else any will do",
    ),
    with_default(
        "JWT_LEEWAY_S",
        "10",
        "by how many seconds the clock of UserService may differ",
    ),
    with_default(
        "JWT_STAFF_CLAIM",
        "is_staff",
        "the claim that is true for staff",
    ),
    with_default(
        "JWT_ROLE_CLAIM",
        "role",
        "the claim of a role, or of a list of roles",
    ),
    with_default(
        "JWT_SCOPE_CLAIM",
        "scope",
        "the claim of scopes: words separated by spaces, or a list",
    ),
    with_default(
        "JWT_STAFF_ROLES",
        "staff,admin,orders:staff",
        "roles and scopes that stand for staff, separated by comma",
    ),
    with_default(
        "JWT_SERVICE_ROLES",
        "service,orders:service",
        "roles and scopes that stand for a peer service, separated by comma",
    ),
    without(
        "CURSOR_KEY",
        "secret of at least 32 bytes, the same for all replicas, that cursors of lists are signed with; else the key of tokens",
    ),
    with_default(
        "USER_SERVICE_URL",
        "http://localhost:8000",
        "URL of UserService, which signs people in",
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
        "how long a call to a peer may take in all, in milliseconds",
    ),
    with_default(
        "PEER_CONNECT_TIMEOUT_MS",
        "1000",
        "how long connecting to a peer may take, in milliseconds",
    ),
    with_default(
        "PEER_MAX_CALLS",
        "32",
        "how many calls to one peer one process makes at a time; a quarter is kept for undoing",
    ),
    with_default(
        "PEER_BREAKER_REST_MS",
        "5000",
        "milliseconds that a peer is left alone after ten failures in a row; longer if they go on",
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
    with_default(
        "CARRIER",
        "DHL",
        "carrier that ShippingService is asked to use",
    ),
    with_default(
        "SETTLE_WAIT_MS",
        "5000",
        "milliseconds that placing and cancelling wait for the order to settle before they answer 202",
    ),
    with_default(
        "IDEMPOTENCY_KEY_DAYS",
        "30",
        "how many days an Idempotency-Key is remembered",
    ),
    with_default(
        "LEASE_S",
        "30",
        "seconds after which another process takes over from a dead one; at least 6 × PEER_TIMEOUT_MS",
    ),
    with_default(
        "PROGRESS_DELAY_MS",
        "50",
        "milliseconds in which steps that were done may be written together; 0 writes each at once",
    ),
    with_default(
        "RETRY_BASE_MS",
        "500",
        "milliseconds before a peer without a clear answer is asked again; doubles up to 20 s",
    ),
    with_default(
        "FOLLOW_INTERVAL_MS",
        "30000",
        "milliseconds between two questions after a parcel; more when there is no news",
    ),
    with_default(
        "SWEEP_AFTER_MS",
        "120000",
        "milliseconds after which the peers of a cancelled order are asked for what came late",
    ),
    with_default(
        "POLL_INTERVAL_MS",
        "500",
        "milliseconds between two looks for orders whose fulfilment is due",
    ),
    with_default(
        "MAX_SAGAS",
        "64",
        "how many orders one process fulfils at the same time",
    ),
    with_default(
        "RECONCILE_EVERY_HOURS",
        "24",
        "hours between two comparisons of the orders with the peers' ledgers; 0: only by command",
    ),
    with_default(
        "RECONCILE_DAYS",
        "7",
        "how many days back orders are compared with the peers' ledgers",
    ),
    with_default(
        "LIVE_POLL_MS",
        "500",
        "milliseconds between two looks for events of the orders that somebody follows live",
    ),
    with_default(
        "LIVE_HEARTBEAT_MS",
        "15000",
        "milliseconds after which a silent stream of events sends a sign of life",
    ),
    with_default(
        "LIVE_MAX_AGE_S",
        "3600",
        "seconds after which a stream of events ends, for its client to come again",
    ),
    with_default(
        "LIVE_MAX_LISTENERS",
        "5000",
        "how many streams of events one process serves; each takes a file descriptor",
    ),
    with_default(
        "LIVE_MAX_PER_CALLER",
        "20",
        "how many of them may be of one caller",
    ),
    with_default(
        "SHUTDOWN_DRAIN_MS",
        "0",
        "milliseconds that a stop still takes requests while readiness fails already, for load balancers",
    ),
    with_default(
        "SHUTDOWN_GRACE_S",
        "25",
        "seconds that a stop waits for requests and fulfilments under way",
    ),
    without(
        "METRICS_PORT",
        "port for /metrics and health alone; else /metrics is at PORT",
    ),
    without(
        "METRICS_TOKEN",
        "bearer token that /metrics asks for; else it is open",
    ),
    with_default(
        "RUST_LOG",
        "info",
        "what is logged: a level, or levels by module such as info,order_service=debug",
    ),
    with_default("LOG_FORMAT", "pretty", "how it is logged: json or pretty"),
    without(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "URL of the OpenTelemetry collector that traces go to, by HTTP; else there are none",
    ),
    without(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "headers for the collector, as name=value pairs separated by commas, values percent-encoded",
    ),
    with_default(
        "OTEL_SERVICE_NAME",
        "order-service",
        "what the service is called in traces",
    ),
    with_default(
        "OTEL_TRACES_SAMPLER",
        "parentbased_always_on",
        "which traces are kept: always_on, always_off, traceidratio, or one of these behind parentbased_",
    ),
    with_default(
        "OTEL_TRACES_SAMPLER_ARG",
        "1",
        "which share of them traceidratio keeps, from 0 to 1",
    ),
];
