//! Invalid configurations, which prevent the service from starting, and their messages.

use order_service::config::{Config, Environment, VARIABLES};

const SECRET: &str = "a-secret-for-tests-of-at-least-32-bytes";
/// A secret value that must never appear in a message.
const MARK: &str = "hunter2";

fn sound() -> Environment {
    let mut environment = Environment::default();
    environment.set("DATABASE_URL", "postgres://orders@127.0.0.1/orders");
    environment.set("SECRET_KEY", SECRET);
    environment
}

/// The message about these settings, added to a valid configuration.
fn faults(settings: &[(&str, &str)]) -> String {
    let mut environment = sound();
    for (name, value) in settings {
        environment.set(name, *value);
    }
    match environment.read(Config::read) {
        Ok(_) => panic!("{settings:?} were taken"),
        Err(faults) => faults.to_string(),
    }
}

#[test]
fn two_settings_suffice() {
    assert!(sound().read(Config::read).is_ok());
}

#[test]
fn an_empty_environment_reports_every_required_setting() {
    let Err(faults) = Environment::default().read(Config::read) else {
        panic!("started with nothing");
    };
    let text = faults.to_string();
    assert!(text.contains("DATABASE_URL is not set"), "{text}");
    assert!(
        text.contains("SECRET_KEY is not set, nor is JWT_PUBLIC_KEY"),
        "{text}"
    );
    assert!(
        text.starts_with("the configuration has 2 error(s)"),
        "{text}"
    );
}

#[test]
fn all_config_errors_are_reported_without_their_values() {
    let names = [
        "DATABASE_URL",
        "DB_PORT",
        "DATABASE_MAX_CONNECTIONS",
        "DATABASE_WAIT_MS",
        "DATABASE_POOLER",
        "HOST",
        "PORT",
        "PUBLIC_URL",
        "SECRET_KEY",
        "JWT_ALGORITHM",
        "JWT_LEEWAY_S",
        "JWT_JWKS_REFRESH_S",
        "JWT_JWKS_STALE_S",
        "USER_SERVICE_URL",
        "INVENTORY_SERVICE_URL",
        "PAYMENT_SERVICE_URL",
        "SHIPPING_SERVICE_URL",
        "PEER_TIMEOUT_MS",
        "PEER_CONNECT_TIMEOUT_MS",
        "CURRENCY",
        "TAX_RATE",
        "SHIPPING_FEE",
        "SETTLE_WAIT_MS",
        "LEASE_S",
        "RETRY_BASE_MS",
        "FOLLOW_INTERVAL_MS",
        "POLL_INTERVAL_MS",
        "MAX_SAGAS",
        "SHUTDOWN_GRACE_S",
        "MAX_CONNECTIONS",
        "HEADER_TIMEOUT_MS",
        "BODY_TIMEOUT_MS",
        "KEEP_ALIVE_MS",
        "WRITE_TIMEOUT_MS",
        "REQUEST_TIMEOUT_MS",
        "MAX_REQUESTS",
        "RATE_LIMIT_PER_S",
        "RATE_LIMIT_BURST",
        "SIGN_IN_LIMIT_PER_MIN",
        "TRUSTED_PROXIES",
        "CORS_ORIGINS",
        "METRICS_PORT",
    ];
    let text = faults(&names.map(|name| (name, MARK)));
    for name in names {
        let told = text
            .lines()
            .filter(|line| line.starts_with(&format!("  - {name} ")));
        assert_eq!(told.count(), 1, "{name} in {text}");
    }
    assert!(
        text.contains(&format!("{} error(s)", names.len())),
        "{text}"
    );
    assert!(!text.contains(MARK), "{text}");
}

#[test]
fn short_secrets_are_refused_and_not_shown() {
    for secret in [MARK, "0123456789012345678901234567890", "ñññññññññññññññ"] {
        let text = faults(&[("SECRET_KEY", secret)]);
        assert!(
            text.contains("SECRET_KEY must be at least 32 bytes"),
            "{text}"
        );
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_secret_and_a_public_key_are_mutually_exclusive() {
    let pem = "-----BEGIN PUBLIC KEY-----\nhunter2\n-----END PUBLIC KEY-----";
    let text = faults(&[("JWT_PUBLIC_KEY", pem)]);
    assert!(
        text.contains("JWT_PUBLIC_KEY and SECRET_KEY are both set"),
        "{text}"
    );
    for key in [pem, "/nowhere/hunter2.pem", "hunter2"] {
        for algorithm in ["RS256", "ES256", "EdDSA"] {
            let settings = [
                ("SECRET_KEY", ""),
                ("JWT_PUBLIC_KEY", key),
                ("JWT_ALGORITHM", algorithm),
            ];
            let text = faults(&settings);
            assert!(text.contains("JWT_PUBLIC_KEY is n"), "{text}");
            assert!(!text.contains(MARK), "{text}");
        }
    }
    for algorithm in ["HS256", "none", "PS256", "rs256"] {
        let settings = [
            ("SECRET_KEY", ""),
            ("JWT_PUBLIC_KEY", pem),
            ("JWT_ALGORITHM", algorithm),
        ];
        let text = faults(&settings);
        assert!(
            text.contains("JWT_ALGORITHM must be RS256, ES256 or EdDSA"),
            "{text}"
        );
    }
}

#[test]
fn a_jwks_url_excludes_a_configured_key() {
    let url = ("JWT_JWKS_URL", "https://users.example/keys");
    let text = faults(&[url]);
    assert!(
        text.contains("JWT_JWKS_URL and SECRET_KEY are both set"),
        "{text}"
    );
    let text = faults(&[url, ("SECRET_KEY", ""), ("JWT_PUBLIC_KEY", MARK)]);
    assert!(
        text.contains("JWT_JWKS_URL and JWT_PUBLIC_KEY are both set"),
        "{text}"
    );
    for wrong in [MARK, "ftp://hunter2/keys", "/hunter2/keys.json"] {
        let text = faults(&[("SECRET_KEY", ""), ("JWT_JWKS_URL", wrong)]);
        assert!(text.contains("JWT_JWKS_URL must be a URL"), "{text}");
        assert!(!text.contains(MARK), "{text}");
    }
    for algorithm in ["HS256", "none", "PS256", "rs256"] {
        let text = faults(&[url, ("SECRET_KEY", ""), ("JWT_ALGORITHM", algorithm)]);
        assert!(text.contains("JWT_ALGORITHM must be"), "{text}");
    }
}

#[test]
fn ambiguous_role_settings_are_refused() {
    for (settings, expected) in [
        (
            &[("JWT_STAFF_ROLES", ",")][..],
            "JWT_STAFF_ROLES must be one or several names",
        ),
        (
            &[("JWT_STAFF_ROLES", "staff,,admin")],
            "JWT_STAFF_ROLES must be one or",
        ),
        (
            &[("JWT_SERVICE_ROLES", "peer service")],
            "JWT_SERVICE_ROLES must be one or",
        ),
        (
            &[("JWT_STAFF_ROLES", "staff, service")],
            "JWT_STAFF_ROLES and JWT_SERVICE_ROLES have a name in common",
        ),
        (
            &[("JWT_ROLE_CLAIM", "is_staff")],
            "JWT_STAFF_CLAIM and JWT_ROLE_CLAIM name the same claim",
        ),
        (
            &[("JWT_SCOPE_CLAIM", "is_staff")],
            "JWT_STAFF_CLAIM and JWT_SCOPE_CLAIM name the same claim",
        ),
        (
            &[("JWT_SCOPE_CLAIM", "role")],
            "JWT_ROLE_CLAIM and JWT_SCOPE_CLAIM name the same claim",
        ),
        // An end user could choose this role name.
        (
            &[("JWT_ROLE_CLAIM", "sub")],
            "JWT_ROLE_CLAIM is a claim with another meaning",
        ),
        (
            &[("JWT_STAFF_CLAIM", "user_id")],
            "JWT_STAFF_CLAIM is a claim with another meaning",
        ),
    ] {
        let text = faults(settings);
        assert!(text.contains(expected), "{text}");
        assert!(text.contains(" 1 error(s)"), "{text}");
    }
}

#[test]
fn out_of_range_settings_are_refused() {
    for (name, value) in [
        ("DATABASE_URL", "mysql://hunter2@localhost/orders"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("DATABASE_MAX_CONNECTIONS", "1"),
        ("HOST", "localhost"),
        ("PUBLIC_URL", "ftp://shop.example"),
        ("PAYMENT_SERVICE_URL", "localhost:8003"),
        ("PAYMENT_SERVICE_URL", "file:///etc/passwd"),
        ("CURRENCY", "usd"),
        ("CURRENCY", "XAU"),
        ("TAX_RATE", "18"),
        ("TAX_RATE", "-0.1"),
        ("TAX_RATE", "NaN"),
        ("SHIPPING_FEE", "4.999"),
        ("SHIPPING_FEE", "-1"),
        ("LEASE_S", "0"),
        ("LEASE_S", "14"),
        ("REQUEST_TIMEOUT_MS", "5000"),
        ("MAX_CONNECTIONS", "0"),
        ("RATE_LIMIT_BURST", "0"),
        ("METRICS_PORT", "65536"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "10.0.0.1, proxy.example"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://shop.example/"),
        ("CORS_ORIGINS", "https://shop.example:443"),
        ("CORS_ORIGINS", "https://shop.example, shop.example"),
        ("LOG_FORMAT", "xml"),
    ] {
        if name == "LOG_FORMAT" {
            let mut environment = sound();
            environment.set(name, value);
            assert!(environment.read(order_service::config::telemetry).is_err());
            continue;
        }
        let text = faults(&[(name, value)]);
        assert!(text.contains(&format!("- {name} ")), "{text}");
    }
}

#[test]
fn incomplete_database_settings_name_the_missing_ones() {
    let mut environment = Environment::default();
    environment.set("SECRET_KEY", SECRET);
    environment.set("DB_HOST", "db");
    environment.set("DB_PASSWORD", MARK);
    let Err(faults) = environment.read(Config::read) else {
        panic!("started without a user");
    };
    let text = faults.to_string();
    assert!(
        text.contains("DB_NAME is not set") && text.contains("DB_USER is not set"),
        "{text}"
    );
    assert!(!text.contains(MARK), "{text}");
}

#[test]
fn every_variable_is_documented_once_with_a_valid_default() {
    let mut environment = sound();
    for variable in VARIABLES {
        let others = VARIABLES.iter().filter(|other| other.name == variable.name);
        assert_eq!(others.count(), 1, "{}", variable.name);
        if let Some(default) = variable
            .default
            .filter(|_| variable.name != "JWT_ALGORITHM")
        {
            environment.set(variable.name, default);
        }
    }
    assert!(environment.read(Config::read).is_ok());
}
