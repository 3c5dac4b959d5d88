//! Property tests of tokens.

use std::sync::LazyLock;

use futures_util::FutureExt as _;
use order_service::auth::{TokenError, VerifiedToken, Verifier};
use order_service::clock;
use order_service::domain::principal::Role;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::client::SECRET;
use crate::support::issuer::{Issuer, base64, customer, verifier};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| verifier(&[("SECRET_KEY", SECRET)]));
static ISSUER: LazyLock<Issuer> = LazyLock::new(Issuer::hs256);

fn verify(token: &str) -> Result<VerifiedToken, TokenError> {
    let verified = VERIFIER.verify(token).now_or_never();
    verified.expect("a key that does not change is not waited for")
}

/// Any JSON value of a claim.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (1..100_i64).prop_map(Value::from),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,9})?(e[0-9]{1,3})?"
            .prop_map(|text| serde_json::from_str(&text).unwrap()),
        any::<String>().prop_map(Value::from),
        "[0-9]{1,20}".prop_map(Value::from),
        prop::sample::select(
            &[
                "access",
                "refresh",
                "staff",
                "admin",
                "service",
                "orders:staff"
            ][..]
        )
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(Value::from_iter),
        ]
    })
}

/// Known and unknown claims with arbitrary values.
fn claims() -> impl Strategy<Value = Map<String, Value>> {
    const NAMES: &[&str] = &[
        "exp",
        "nbf",
        "iss",
        "aud",
        "sub",
        "user_id",
        "token_type",
        "is_staff",
        "role",
        "scope",
    ];
    let name = prop_oneof![
        4 => prop::sample::select(NAMES).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let late = clock::now().unix_timestamp() + 3600;
    prop::collection::vec((name, value()), 0..6).prop_map(move |claims| {
        let good = [("exp", json!(late)), ("user_id", json!(5))];
        let good = good.map(|(name, value)| (name.to_owned(), value));
        good.into_iter().chain(claims).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_refused_as_a_token(text in any::<String>(), parts in "[A-Za-z0-9_-]{0,60}(\\.[A-Za-z0-9_-]{0,60}){0,4}") {
        prop_assert!(verify(&text).is_err());
        prop_assert!(verify(&parts).is_err());
    }

    #[test]
    fn arbitrary_signed_bytes_are_refused_without_panic(header in any::<Vec<u8>>(), payload in any::<Vec<u8>>()) {
        let message = format!("{}.{}", base64(header), base64(&payload));
        let signature = base64(ISSUER.sign(message.as_bytes()));
        let token = format!("{message}.{signature}");
        prop_assert!(verify(&token).is_err());
        prop_assert!(verify(&ISSUER.signed(&ISSUER.header(), payload)).is_err());
    }

    #[test]
    fn an_altered_token_is_refused(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.=+/ -]?", insert: bool) {
        let good = ISSUER.token(&customer());
        let at = at.index(good.len());
        let rest = if insert { at } else { at + 1 };
        let altered = format!("{}{to}{}", &good[..at], &good[rest..]);
        prop_assert_eq!(verify(&altered).is_ok(), altered == good, "{}", altered);
    }

    #[test]
    fn accepted_tokens_have_a_subject_and_an_expiry(claims in claims()) {
        let claims = Value::from(claims);
        let verified = verify(&ISSUER.token(&claims));
        // Rejected tokens are drawn again, so every case checks an accepted one.
        prop_assume!(verified.is_ok());
        let access = verified.unwrap();
        let exp = claims["exp"].as_i64().unwrap();
        prop_assert!(exp >= clock::now().unix_timestamp() - 11);
        prop_assert_eq!(access.until, exp.saturating_add(10));
        prop_assert!(claims.get("token_type").is_none_or(|kind| kind == "access"));
        let principal = access.principal;
        let said = claims.get("user_id").or(claims.get("sub")).map(Value::to_string);
        if let Some(customer_id) = principal.customer_id {
            prop_assert!(customer_id.0 > 0);
            let said = said.unwrap();
            prop_assert_eq!(said.trim_matches('"').trim_start_matches('0'), customer_id.to_string());
        } else {
            prop_assert_ne!(principal.role, Role::Customer);
        }
        prop_assert!(!principal.name.is_empty() && !principal.name.contains(char::is_control));
    }

    #[test]
    fn a_customer_id_survives_a_round_trip(number in 1..=i64::MAX, as_text: bool, in_sub: bool) {
        let id = if as_text { json!(number.to_string()) } else { json!(number) };
        let mut claims = customer();
        let name = if in_sub { "sub" } else { "user_id" };
        claims.as_object_mut().unwrap().remove("user_id");
        claims[name] = id;
        let principal = verify(&ISSUER.token(&claims)).unwrap().principal;
        prop_assert_eq!(principal.customer_id.unwrap().0, number);
        prop_assert_eq!(principal.role, Role::Customer);
    }
}
