//! The settings that hold secrets: databases and keys.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;

use crate::auth::{self, KeyRefreshPolicy, VerificationKey, check_secret};

use super::{SettingsReader, parse_url, seconds};

/// The least time between two fetches of published keys that are caused by unknown key ids.
const MIN_INTERVAL: Duration = Duration::from_secs(30);
/// How long a request waits for published keys.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Reads the standby that lists are read from. `Some(None)`: not configured.
pub fn database_read(reader: &mut SettingsReader<'_>) -> Option<Option<PgConnectOptions>> {
    let name = "DATABASE_READ_URL";
    match reader.text(name) {
        None => Some(None),
        Some(url) => parse_database(reader, name, &url).map(Some),
    }
}

fn parse_database(
    reader: &mut SettingsReader<'_>,
    name: &'static str,
    url: &str,
) -> Option<PgConnectOptions> {
    // The driver reads any scheme.
    let is_postgres = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    match url.parse() {
        Ok(options) if is_postgres => Some(options),
        _ => {
            reader.reject(
                name,
                "must look like postgres://user:password@host:port/name",
            );
            None
        }
    }
}

/// Reads the database connection: `DATABASE_URL`, or the five `DB_` variables.
pub fn database(reader: &mut SettingsReader<'_>) -> Option<PgConnectOptions> {
    let url = reader.text("DATABASE_URL");
    let [name, user, password, host] =
        ["DB_NAME", "DB_USER", "DB_PASSWORD", "DB_HOST"].map(|name| (name, reader.text(name)));
    let port = reader.number("DB_PORT", 1..=65535);
    if let Some(url) = url {
        return parse_database(reader, "DATABASE_URL", &url);
    }
    if [&name, &user, &password, &host]
        .iter()
        .all(|(_, value)| value.is_none())
    {
        reader.reject(
            "DATABASE_URL",
            "is not set, nor are DB_NAME, DB_USER, DB_PASSWORD and DB_HOST",
        );
        return None;
    }
    for (name, value) in [&name, &user, &password, &host] {
        if value.is_none() {
            reader.reject(name, "is not set");
        }
    }
    Some(
        PgConnectOptions::new_without_pgpass()
            .database(&name.1?)
            .username(&user.1?)
            .password(&password.1?)
            .host(&host.1?)
            .port(u16::try_from(port?).ok()?),
    )
}

/// Reads the key that tokens are signed with, if there is one.
pub fn token_key(reader: &mut SettingsReader<'_>) -> Option<SecretString> {
    let secret = SecretString::from(reader.text("SECRET_KEY")?);
    match check_secret(&secret) {
        Ok(()) => Some(secret),
        Err(error) => {
            reader.reject("SECRET_KEY", error);
            None
        }
    }
}

/// Reads the key that verifies tokens: a secret, a public key, or the URL of published keys.
pub(super) fn verification_key(reader: &mut SettingsReader<'_>) -> Option<VerificationKey> {
    let has_secret = reader.text("SECRET_KEY").is_some();
    let secret = token_key(reader);
    let pem = reader.text("JWT_PUBLIC_KEY");
    let url = reader.text("JWT_JWKS_URL");
    let policy = key_refresh_policy(reader);
    let algorithm = reader.value("JWT_ALGORITHM", |text| match text {
        "RS256" => Ok(Algorithm::RS256),
        "ES256" => Ok(Algorithm::ES256),
        "EdDSA" => Ok(Algorithm::EdDSA),
        "HS256" if has_secret => Ok(Algorithm::HS256),
        _ => Err("must be RS256, ES256 or EdDSA".to_owned()),
    });
    match (has_secret, pem, url) {
        (true, None, None) => secret.map(VerificationKey::Secret),
        (false, Some(pem), None) => public_key(reader, pem, algorithm?),
        (false, None, Some(url)) => {
            let url = parse_url(&url).map_err(|fault| reader.reject("JWT_JWKS_URL", fault));
            Some(VerificationKey::Published {
                url: url.ok()?,
                algorithm: algorithm?,
                policy: policy?,
            })
        }
        (false, None, None) => {
            reader.reject(
                "SECRET_KEY",
                "is not set, nor is JWT_PUBLIC_KEY, nor JWT_JWKS_URL",
            );
            None
        }
        (true, Some(_), _) => {
            reader.reject("JWT_PUBLIC_KEY", "and SECRET_KEY are both set; keep one");
            None
        }
        (_, _, Some(_)) => {
            let other = if has_secret {
                "SECRET_KEY"
            } else {
                "JWT_PUBLIC_KEY"
            };
            reader.reject(
                "JWT_JWKS_URL",
                format!("and {other} are both set; keep one"),
            );
            None
        }
    }
}

fn key_refresh_policy(reader: &mut SettingsReader<'_>) -> Option<KeyRefreshPolicy> {
    let refresh_every = seconds(reader, "JWT_JWKS_REFRESH_S", 1..=86_400);
    let stale_for = seconds(reader, "JWT_JWKS_STALE_S", 0..=2_592_000);
    Some(KeyRefreshPolicy {
        refresh_every: refresh_every?,
        stale_for: stale_for?,
        min_interval: MIN_INTERVAL,
        max_wait: MAX_WAIT,
    })
}

/// Reads the key that signs cursors. Without `CURSOR_KEY` it is the verification key, which all replicas
/// share. With a public key that only detects accidental changes; a forged cursor gives no access to data
/// that its caller could not request anyway.
pub(super) fn cursor_key(
    reader: &mut SettingsReader<'_>,
    auth: Option<&auth::AuthSettings>,
) -> Option<SecretString> {
    if let Some(text) = reader.text("CURSOR_KEY") {
        let secret = SecretString::from(text);
        return match check_secret(&secret) {
            Ok(()) => Some(secret),
            Err(error) => {
                reader.reject("CURSOR_KEY", error);
                None
            }
        };
    }
    match &auth?.key {
        VerificationKey::Secret(secret) => Some(secret.clone()),
        VerificationKey::Public { pem, .. } => Some(SecretString::from(pem.clone())),
        // The published keys change, their URL does not.
        VerificationKey::Published { url, .. } => Some(SecretString::from(url.as_str())),
    }
}

fn public_key(
    reader: &mut SettingsReader<'_>,
    pem: String,
    algorithm: Algorithm,
) -> Option<VerificationKey> {
    let pem = if pem.starts_with("-----BEGIN") {
        // Values in a .env file have no line breaks.
        pem.replace("\\n", "\n")
    } else {
        match std::fs::read_to_string(&pem) {
            Ok(pem) => pem,
            Err(_) => {
                reader.reject(
                    "JWT_PUBLIC_KEY",
                    "is neither PEM nor the path of a readable file",
                );
                return None;
            }
        }
    };
    let key = VerificationKey::Public { pem, algorithm };
    match crate::auth::check_key(&key) {
        Ok(()) => Some(key),
        Err(error) => {
            reader.reject("JWT_PUBLIC_KEY", error);
            None
        }
    }
}
