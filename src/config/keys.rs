//! Where the database is and with what tokens are verified: the settings that hold secrets.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;

use crate::auth::{self, Key, Pace, check_secret};

use super::{Reader, parse_url, seconds};

/// At least so long lies between two fetches of published keys for tokens that name unknown ones.
const REST: Duration = Duration::from_secs(30);
/// So long at most a request waits for published keys.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a standby is that lists are read from, if there is one.
pub fn database_read(reader: &mut Reader<'_>) -> Option<Option<PgConnectOptions>> {
    let name = "DATABASE_READ_URL";
    match reader.text(name) {
        None => Some(None),
        Some(url) => parse_database(reader, name, &url).map(Some),
    }
}

fn parse_database(
    reader: &mut Reader<'_>,
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
            reader.fault(
                name,
                "must look like postgres://user:password@host:port/name",
            );
            None
        }
    }
}

/// Reads where the database is: `DATABASE_URL`, or the five `DB_` variables.
pub fn database(reader: &mut Reader<'_>) -> Option<PgConnectOptions> {
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
        reader.fault(
            "DATABASE_URL",
            "is not set, nor are DB_NAME, DB_USER, DB_PASSWORD and DB_HOST",
        );
        return None;
    }
    for (name, value) in [&name, &user, &password, &host] {
        if value.is_none() {
            reader.fault(name, "is not set");
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
pub fn token_key(reader: &mut Reader<'_>) -> Option<SecretString> {
    let secret = SecretString::from(reader.text("SECRET_KEY")?);
    match check_secret(&secret) {
        Ok(()) => Some(secret),
        Err(error) => {
            reader.fault("SECRET_KEY", error);
            None
        }
    }
}

/// Reads what tokens are verified with: a secret, a public key, or where public keys are published.
pub(super) fn verification_key(reader: &mut Reader<'_>) -> Option<Key> {
    let has_secret = reader.text("SECRET_KEY").is_some();
    let secret = token_key(reader);
    let pem = reader.text("JWT_PUBLIC_KEY");
    let url = reader.text("JWT_JWKS_URL");
    let pace = pace(reader);
    let algorithm = reader.value("JWT_ALGORITHM", |text| match text {
        "RS256" => Ok(Algorithm::RS256),
        "ES256" => Ok(Algorithm::ES256),
        "EdDSA" => Ok(Algorithm::EdDSA),
        "HS256" if has_secret => Ok(Algorithm::HS256),
        _ => Err("must be RS256, ES256 or EdDSA".to_owned()),
    });
    match (has_secret, pem, url) {
        (true, None, None) => secret.map(Key::Secret),
        (false, Some(pem), None) => public_key(reader, pem, algorithm?),
        (false, None, Some(url)) => {
            let url = parse_url(&url).map_err(|fault| reader.fault("JWT_JWKS_URL", fault));
            Some(Key::Published {
                url: url.ok()?,
                algorithm: algorithm?,
                pace: pace?,
            })
        }
        (false, None, None) => {
            reader.fault(
                "SECRET_KEY",
                "is not set, nor is JWT_PUBLIC_KEY, nor JWT_JWKS_URL",
            );
            None
        }
        (true, Some(_), _) => {
            reader.fault("JWT_PUBLIC_KEY", "and SECRET_KEY are both set; keep one");
            None
        }
        (_, _, Some(_)) => {
            let other = if has_secret {
                "SECRET_KEY"
            } else {
                "JWT_PUBLIC_KEY"
            };
            reader.fault(
                "JWT_JWKS_URL",
                format!("and {other} are both set; keep one"),
            );
            None
        }
    }
}

fn pace(reader: &mut Reader<'_>) -> Option<Pace> {
    let refresh_every = seconds(reader, "JWT_JWKS_REFRESH_S", 1..=86_400);
    let stale_for = seconds(reader, "JWT_JWKS_STALE_S", 0..=2_592_000);
    Some(Pace {
        refresh_every: refresh_every?,
        stale_for: stale_for?,
        rest: REST,
        patience: PATIENCE,
    })
}

/// Reads the key that cursors are signed with: one of its own, or what tokens are verified with, which
/// all replicas have as well. With a public key cursors are safe from slips, not from forgers; there is
/// nothing in one that its caller could not ask for.
pub(super) fn cursor_key(
    reader: &mut Reader<'_>,
    auth: Option<&auth::Settings>,
) -> Option<SecretString> {
    if let Some(text) = reader.text("CURSOR_KEY") {
        let secret = SecretString::from(text);
        return match check_secret(&secret) {
            Ok(()) => Some(secret),
            Err(error) => {
                reader.fault("CURSOR_KEY", error);
                None
            }
        };
    }
    match &auth?.key {
        Key::Secret(secret) => Some(secret.clone()),
        Key::Public { pem, .. } => Some(SecretString::from(pem.clone())),
        // The keys themselves change.
        Key::Published { url, .. } => Some(SecretString::from(url.as_str())),
    }
}

fn public_key(reader: &mut Reader<'_>, pem: String, algorithm: Algorithm) -> Option<Key> {
    let pem = if pem.starts_with("-----BEGIN") {
        // A .env file has no line breaks.
        pem.replace("\\n", "\n")
    } else {
        match std::fs::read_to_string(&pem) {
            Ok(pem) => pem,
            Err(_) => {
                reader.fault(
                    "JWT_PUBLIC_KEY",
                    "is neither PEM nor the path of a readable file",
                );
                return None;
            }
        }
    };
    let key = Key::Public { pem, algorithm };
    match crate::auth::check_key(&key) {
        Ok(()) => Some(key),
        Err(error) => {
            reader.fault("JWT_PUBLIC_KEY", error);
            None
        }
    }
}
