//! `order-service token`.

use clap::Parser;
use secrecy::SecretString;
use serde_json::json;

use crate::auth::{TokenClaims, sign};
use crate::{clock, config};

use super::{Environment, Result, say};

/// The default id of staff.
pub const STAFF_ID: i64 = 1000;

#[derive(Parser)]
pub struct TokenArgs {
    /// The customer id; optional for staff
    #[arg(long, required_unless_present = "staff", value_parser = clap::value_parser!(i64).range(1..))]
    customer: Option<i64>,
    /// Make a token of staff, who see every order
    #[arg(long)]
    staff: bool,
    /// The lifetime, in seconds
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(i64).range(1..=31_536_000))]
    ttl: i64,
}

pub fn run(args: &TokenArgs, environment: &Environment) -> Result {
    let key = environment.or_dev().read(|reader| {
        let key = config::token_key(reader);
        if key.is_none() {
            reader.reject(
                "SECRET_KEY",
                "is needed to sign a token; set it, or run 'order-service dev' from this folder once",
            );
        }
        key
    })?;
    let user_id = args.customer.unwrap_or(STAFF_ID);
    say(&make(user_id, args.staff, args.ttl, &key)?);
    Ok(())
}

/// An access token in the form of UserService.
pub fn make(user_id: i64, staff: bool, ttl_s: i64, key: &SecretString) -> Result<String> {
    let now = clock::now().unix_timestamp();
    let claims = TokenClaims {
        exp: now.saturating_add(ttl_s),
        iat: Some(json!(now)),
        token_type: Some(json!("access")),
        user_id: Some(json!(user_id)),
        is_staff: staff.then_some(json!(true)),
        ..TokenClaims::default()
    };
    Ok(sign(&claims, key)?)
}
