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
        "PostgreSQL, as postgres://user:password@host:port/name; or the five DB_ variables",
    ),
    without("DB_NAME", "name of the database"),
    without("DB_USER", "user of the database"),
    without("DB_PASSWORD", "password of that user"),
    without("DB_HOST", "host of the database"),
    with_default("DB_PORT", "5432", "port of the database"),
    with_default(
        "DATABASE_MAX_CONNECTIONS",
        "16",
        "how many connections a process opens at most",
    ),
    with_default("HOST", "0.0.0.0", "address to listen on"),
    with_default("PORT", "8001", "port to listen on"),
    without(
        "PUBLIC_URL",
        "how clients reach the service, for the links in lists; else taken from each request's Host",
    ),
    without(
        "SECRET_KEY",
        "secret of at least 32 bytes that tokens are signed with (HS256); or JWT_PUBLIC_KEY",
    ),
    without(
        "JWT_PUBLIC_KEY",
        "public key in PEM, or the path of a file with one",
    ),
    with_default(
        "JWT_ALGORITHM",
        "RS256",
        "with JWT_PUBLIC_KEY: RS256, ES256 or EdDSA",
    ),
    without("JWT_ISSUER", "the iss that a token must have, if any"),
    without("JWT_AUDIENCE", "the aud that a token must have, if any"),
    with_default(
        "JWT_LEEWAY_S",
        "10",
        "by how many seconds clocks may differ",
    ),
    with_default(
        "USER_SERVICE_URL",
        "http://localhost:8000",
        "UserService, which signs people in",
    ),
    with_default(
        "INVENTORY_SERVICE_URL",
        "http://localhost:8002",
        "InventoryService",
    ),
    with_default(
        "PAYMENT_SERVICE_URL",
        "http://localhost:8003",
        "PaymentService",
    ),
    with_default(
        "SHIPPING_SERVICE_URL",
        "http://localhost:8004",
        "ShippingService",
    ),
    with_default(
        "PEER_TIMEOUT_MS",
        "5000",
        "how long a call to a peer may take in all",
    ),
    with_default(
        "PEER_CONNECT_TIMEOUT_MS",
        "1000",
        "how long connecting to a peer may take",
    ),
    with_default(
        "PEER_MAX_CALLS",
        "32",
        "how many calls to one peer are made at a time; a quarter is kept for undoing",
    ),
    with_default(
        "PEER_BREAKER_REST_MS",
        "5000",
        "how long a peer is left alone after ten failures in a row; longer if it goes on",
    ),
    with_default("CURRENCY", "USD", "ISO 4217 code of every order's currency"),
    with_default(
        "TAX_RATE",
        "0",
        "tax as a share of the subtotal, 0.18 for 18 %",
    ),
    with_default("SHIPPING_FEE", "0", "flat fee added to every order"),
    with_default("CARRIER", "DHL", "carrier that parcels are given to"),
    with_default(
        "SETTLE_WAIT_MS",
        "5000",
        "how long a placement or a cancel waits before it answers 202",
    ),
    with_default(
        "LEASE_S",
        "30",
        "how long a process keeps an order's fulfilment to itself",
    ),
    with_default(
        "RETRY_BASE_MS",
        "500",
        "first delay after an unclear answer of a peer; doubles up to 20 s",
    ),
    with_default(
        "FOLLOW_INTERVAL_MS",
        "30000",
        "how often a parcel is asked after while there is news",
    ),
    with_default(
        "SWEEP_AFTER_MS",
        "120000",
        "how long after an order was called off its peers are asked once more for what came late",
    ),
    with_default(
        "POLL_INTERVAL_MS",
        "500",
        "how often fulfilments that are due are looked for",
    ),
    with_default(
        "MAX_SAGAS",
        "64",
        "how many orders a process fulfils at the same time",
    ),
    with_default(
        "SHUTDOWN_GRACE_S",
        "25",
        "how long a stop waits for requests and fulfilments",
    ),
    without(
        "METRICS_TOKEN",
        "bearer token that /metrics asks for, if any",
    ),
    with_default(
        "RUST_LOG",
        "info",
        "what is logged, such as info,order_service=debug",
    ),
    with_default("LOG_FORMAT", "pretty", "json or pretty"),
];

/// The manual, for `--help`.
pub fn manual() -> String {
    use std::fmt::Write as _;
    let mut text = String::from("Configuration, from the environment and from .env:\n");
    for Variable {
        name,
        default,
        meaning,
    } in VARIABLES
    {
        let _ = write!(text, "  {name:<26}{meaning}");
        if let Some(default) = default {
            let _ = write!(text, " [{default}]");
        }
        text.push('\n');
    }
    text
}
