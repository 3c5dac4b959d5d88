//! Where the database is and with what tokens are verified: the settings that hold secrets.

use jsonwebtoken::Algorithm;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;

use crate::auth::{self, Key, check_secret};

use super::Reader;

/// Reads where the database is: `DATABASE_URL`, or the five `DB_` variables.
pub fn database(reader: &mut Reader<'_>) -> Option<PgConnectOptions> {
    let url = reader.text("DATABASE_URL");
    let [name, user, password, host] =
        ["DB_NAME", "DB_USER", "DB_PASSWORD", "DB_HOST"].map(|name| (name, reader.text(name)));
    let port = reader.number("DB_PORT", 1..=65535);
    if let Some(url) = url {
        // The driver reads any scheme.
        let is_postgres = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| url.starts_with(scheme));
        return match url.parse() {
            Ok(options) if is_postgres => Some(options),
            _ => {
                reader.fault(
                    "DATABASE_URL",
                    "must look like postgres://user:password@host:port/name",
                );
                None
            }
        };
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

/// Reads the key that tokens are verified with.
pub(super) fn verification_key(reader: &mut Reader<'_>) -> Option<Key> {
    let has_secret = reader.text("SECRET_KEY").is_some();
    let secret = token_key(reader);
    let pem = reader.text("JWT_PUBLIC_KEY");
    let algorithm = reader.value("JWT_ALGORITHM", |text| match text {
        "RS256" => Ok(Algorithm::RS256),
        "ES256" => Ok(Algorithm::ES256),
        "EdDSA" => Ok(Algorithm::EdDSA),
        "HS256" if has_secret => Ok(Algorithm::HS256),
        _ => Err("must be RS256, ES256 or EdDSA".to_owned()),
    });
    match (has_secret, pem) {
        (true, Some(_)) => {
            reader.fault("JWT_PUBLIC_KEY", "and SECRET_KEY are both set; keep one");
            None
        }
        (false, None) => {
            reader.fault("SECRET_KEY", "is not set, nor is JWT_PUBLIC_KEY");
            None
        }
        (true, None) => secret.map(Key::Secret),
        (false, Some(pem)) => public_key(reader, pem, algorithm?),
    }
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
