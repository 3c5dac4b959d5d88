//! Hosts that publish invalid or hostile key sets: they are not used, and the current keys stay.

use order_service::auth::{KeysState, TokenError};
use serde_json::{Value, json};

use super::{QUIET, refusal, verifier};
use crate::support::issuer::{Issuer, TINY_MODULUS, TINY_TOKEN, base64, customer};
use crate::support::key_host::{Answer, KeyHost, document};

fn text(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer {
        status,
        location: None,
        body: body.into(),
    }
}

/// The key with one member replaced; null removes it.
fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(jwk.as_object_mut().unwrap().remove(name)),
        value => jwk[name] = value,
    }
    jwk
}

/// Key sets without a usable `RS256` key, by the name of the defect.
fn hostile(issuer: &Issuer, elsewhere: &str) -> Vec<(&'static str, Answer)> {
    let good = || issuer.jwk("one");
    let only = |key: Value| document(&[key]);
    let modulus = good()["n"].as_str().unwrap().to_owned();
    let redirect = |status, to: &str| Answer {
        status,
        location: Some(to.to_owned()),
        body: Vec::new(),
    };
    let padded = json!({ "keys": [good()], "padding": "x".repeat(300 * 1024) });
    let deep = format!(r#"{{"keys":{}{}}}"#, "[".repeat(9_999), "]".repeat(9_999));
    vec![
        ("nothing", text(200, "")),
        ("a page", text(200, "<html><body>Sign in</body></html>")),
        ("half a document", text(200, r#"{"keys":[{"kty":"RSA","#)),
        ("a list", text(200, json!([good()]).to_string())),
        (
            "keys by name",
            text(200, json!({ "keys": { "one": good() } }).to_string()),
        ),
        ("no keys at all", document(&[])),
        (
            "keys that are none",
            document(&[json!(1), json!("one"), json!(null), json!([])]),
        ),
        (
            "a document that is too large",
            text(200, padded.to_string()),
        ),
        ("a document that is too deep", text(200, deep)),
        ("bytes", text(200, vec![0xff; 100])),
        ("an error with keys", text(500, document(&[good()]).body)),
        (
            "another success with keys",
            text(202, document(&[good()]).body),
        ),
        ("nothing there", text(404, document(&[good()]).body)),
        ("the way to another host", redirect(307, elsewhere)),
        ("the way to another host for good", redirect(301, elsewhere)),
        ("the way to itself", redirect(302, "/keys")),
        ("the way to a file", redirect(302, "file:///etc/passwd")),
        (
            "a secret",
            only(json!({
                "kty": "oct", "kid": "one", "alg": "HS256", "use": "sig", "k": base64("x".repeat(32)),
            })),
        ),
        (
            "a secret under the name of the algorithm",
            only(json!({
                "kty": "oct", "kid": "one", "alg": "RS256", "use": "sig", "k": base64("x".repeat(32)),
            })),
        ),
        ("a key on a curve", only(Issuer::es256().jwk("one"))),
        (
            "a key on a curve by the name of the algorithm",
            only(with(Issuer::es256().jwk("one"), "alg", json!("RS256"))),
        ),
        (
            "a key of another kind",
            only(with(good(), "kty", json!("EC"))),
        ),
        ("a key of no kind", only(with(good(), "kty", Value::Null))),
        (
            "a key for another algorithm",
            only(with(good(), "alg", json!("RS512"))),
        ),
        (
            "a key for an unknown algorithm",
            only(with(good(), "alg", json!("none"))),
        ),
        (
            "a key for encryption",
            only(with(good(), "use", json!("enc"))),
        ),
        (
            "a key for signing",
            only(with(good(), "key_ops", json!(["sign"]))),
        ),
        ("a private key", only(with(good(), "d", json!("AQAB")))),
        (
            "a key without a modulus",
            only(with(good(), "n", Value::Null)),
        ),
        (
            "a key whose modulus is a number",
            only(with(good(), "n", json!(65537))),
        ),
        (
            "a key with zeros before its modulus",
            only(with(good(), "n", json!(format!("AAAA{modulus}")))),
        ),
        (
            "a key that is no base64",
            only(with(good(), "n", json!("%%%"))),
        ),
        (
            "a key of 1024 bits",
            only(with(good(), "n", json!(TINY_MODULUS))),
        ),
        ("a key of 16 bits", only(with(good(), "n", json!("AQAB")))),
        (
            "a key with an exponent of one",
            only(with(good(), "e", json!("AQ"))),
        ),
        (
            "a name that is a number",
            only(with(good(), "kid", json!(1))),
        ),
        (
            "two keys of one name",
            document(&[good(), Issuer::rs256().jwk("one")]),
        ),
    ]
}

#[tokio::test]
async fn an_invalid_key_set_is_not_used() {
    let issuer = Issuer::rs256();
    let elsewhere = KeyHost::start(&[issuer.jwk("one")]).await;
    let host = KeyHost::start(&[issuer.jwk("one")]).await;
    for (what, answer) in hostile(&issuer, elsewhere.url.as_str()) {
        host.answer(answer);
        let verifier = verifier(&host, "RS256", QUIET);
        for token in [issuer.token_by("one"), TINY_TOKEN.to_owned()] {
            let refused = refusal(&verifier, &token).await;
            assert_eq!(refused, Some(TokenError::NoKeys), "{what}");
        }
        assert_eq!(verifier.keys_state(), KeysState::Missing, "{what}");
    }
    assert_eq!(
        elsewhere.asked(),
        0,
        "a redirect to another host was followed"
    );
}

#[tokio::test]
async fn a_hostile_key_set_does_not_replace_the_current_one() {
    let issuer = Issuer::rs256();
    let host = KeyHost::start(&[]).await;
    let policy = super::KeyRefreshPolicy {
        min_interval: std::time::Duration::ZERO,
        ..QUIET
    };
    for (what, answer) in hostile(&issuer, "http://127.0.0.1:9/keys") {
        host.publish(&[issuer.jwk("one")]);
        let verifier = verifier(&host, "RS256", policy);
        assert_eq!(
            refusal(&verifier, &issuer.token_by("one")).await,
            None,
            "{what}"
        );
        host.answer(answer);
        let other = issuer.token_by("other");
        assert_eq!(
            refusal(&verifier, &other).await,
            Some(TokenError::Invalid),
            "{what}"
        );
        assert_eq!(verifier.keys_state(), KeysState::Stale, "{what}");
        assert_eq!(
            refusal(&verifier, &issuer.token_by("one")).await,
            None,
            "{what}"
        );
    }
}

#[tokio::test]
async fn one_invalid_key_does_not_affect_the_others() {
    let issuer = Issuer::rs256();
    let secret = "a-secret-that-somebody-has-published";
    let host = KeyHost::start(&[
        json!({ "kty": "oct", "kid": "secret", "alg": "HS256", "k": base64(secret) }),
        json!({ "kty": "oct", "kid": "disguised", "alg": "RS256", "k": base64(secret) }),
        json!({ "kty": "RSA", "kid": "tiny", "n": TINY_MODULUS, "e": "AQAB" }),
        json!({ "kty": "unheard-of", "kid": "unheard-of", "x": 1 }),
        Issuer::rs256().jwk("twice"),
        Issuer::rs256().jwk("twice"),
        issuer.jwk("one"),
    ])
    .await;
    let verifier = verifier(&host, "RS256", QUIET);
    assert_eq!(refusal(&verifier, &issuer.token_by("one")).await, None);
    let secret = Issuer::by_secret(secret.as_bytes());
    for token in [
        secret.token_by("secret"),
        secret.token_by("disguised"),
        issuer.token_by("twice"),
        TINY_TOKEN.to_owned(),
    ] {
        assert_eq!(refusal(&verifier, &token).await, Some(TokenError::Invalid));
    }
}

#[tokio::test]
async fn the_use_and_alg_of_a_key_are_optional() {
    let issuer = Issuer::es256();
    let mut bare = issuer.jwk("one");
    for name in ["alg", "use"] {
        bare = with(bare, name, Value::Null);
    }
    let host = KeyHost::start(&[bare]).await;
    let verifier = verifier(&host, "ES256", QUIET);
    assert_eq!(refusal(&verifier, &issuer.token_by("one")).await, None);

    let verifying = with(issuer.jwk("one"), "key_ops", json!(["verify"]));
    host.publish(&[with(verifying, "kid", Value::Null)]);
    let verifier = self::verifier(&host, "ES256", QUIET);
    let nameless = issuer.token(&customer());
    assert_eq!(refusal(&verifier, &nameless).await, None);
}

#[tokio::test]
async fn points_off_the_curve_are_refused() {
    for (issuer, curve, other) in [
        (Issuer::es256(), "P-384", "P-521"),
        (Issuer::eddsa(), "X25519", "Ed448"),
    ] {
        let zero = json!(base64([0; 32]));
        let host = KeyHost::start(&[]).await;
        for key in [
            with(issuer.jwk("one"), "x", json!(base64([1; 31]))),
            with(issuer.jwk("one"), "crv", json!(curve)),
            with(issuer.jwk("one"), "crv", json!(other)),
            with(issuer.jwk("one"), "x", Value::Null),
        ] {
            host.publish(std::slice::from_ref(&key));
            let verifier = verifier(&host, issuer.algorithm, QUIET);
            let refused = refusal(&verifier, &issuer.token_by("one")).await;
            assert_eq!(refused, Some(TokenError::NoKeys), "{key}");
        }
        if issuer.algorithm == "ES256" {
            host.publish(&[with(issuer.jwk("one"), "x", zero)]);
            let verifier = verifier(&host, "ES256", QUIET);
            let refused = refusal(&verifier, &issuer.token_by("one")).await;
            assert_eq!(refused, Some(TokenError::NoKeys));
        }
    }
}
