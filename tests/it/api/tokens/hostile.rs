//! Hostile tokens: every algorithm refuses each of them with the same response.

mod claims;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use super::refused;
use claims::{by_claims, with};

use crate::support::app::TestApp;
use crate::support::issuer::{Issuer, TINY_PEM, TINY_TOKEN, base64, customer};

type HostileToken = (String, String);

/// Rows of a name and a token made from each value.
fn rows<T: ToString>(
    what: &str,
    values: impl IntoIterator<Item = T>,
    token: impl Fn(&str) -> String,
) -> Vec<HostileToken> {
    let values = values.into_iter().map(|value| value.to_string());
    values
        .map(|value| (format!("{what} {value}"), token(&value)))
        .collect()
}

/// Tokens that are not three base64 parts.
fn of_bad_form(issuer: &Issuer) -> Vec<HostileToken> {
    let good = issuer.token(&customer());
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("{good}");
    };
    let row = |what: &str, token: String| (what.to_owned(), token);
    // The last base64 character of a signature has unused bits, unless the length is a multiple of
    // three.
    let (rest, last) = signature.split_at(signature.len() - 1);
    let spare = if last == "A" { "B" } else { "A" };
    vec![
        row("nothing", String::new()),
        row("a word", "hello".to_owned()),
        row("two dots", "..".to_owned()),
        row("the header alone", header.to_owned()),
        row("no signature part", format!("{header}.{payload}")),
        row("an empty signature", format!("{header}.{payload}.")),
        row("an empty header", format!(".{payload}.{signature}")),
        row("an empty payload", format!("{header}..{signature}")),
        row("four parts", format!("{good}.{signature}")),
        row(
            "five parts, as encrypted",
            format!("{good}.{payload}.{signature}"),
        ),
        row("a dot before it", format!(".{good}")),
        row("a dot after it", format!("{good}.")),
        row("padding", format!("{header}.{payload}==.{signature}")),
        row("padding of the signature", format!("{good}=")),
        row("no base64", format!("{header}.%%%%.{signature}")),
        row(
            "the other base64",
            format!("{header}.{payload}.+/{signature}"),
        ),
        row("a space inside", format!("{header}. {payload}.{signature}")),
        row("a tab inside", format!("{header}.{payload}\t.{signature}")),
        row(
            "half a signature",
            format!("{header}.{payload}.{}", &signature[..20]),
        ),
        row(
            "a signature twice",
            format!("{header}.{payload}.{signature}{signature}"),
        ),
        row(
            "another last character",
            format!("{header}.{payload}.{rest}{spare}"),
        ),
        row(
            "a signature of zeros",
            format!("{header}.{payload}.{}", base64([0; 64])),
        ),
        row("more than 8 KiB", {
            let mut claims = customer();
            claims["padding"] = json!("x".repeat(9 * 1024));
            issuer.token(&claims)
        }),
    ]
}

/// Tokens with a valid signature where possible, and an untrustworthy header.
fn by_header(issuer: &Issuer, stranger: &Issuer) -> Vec<HostileToken> {
    let claims = customer().to_string();
    let good = issuer.token(&customer());
    let signature = good.rsplit('.').next().unwrap();
    let algorithm = issuer.algorithm;
    let mut table = rows(
        "alg",
        [
            "none", "None", "NONE", "nOnE", "", " ", "HS384", "HS512", "RS384", "PS256", "ES384",
            "ES512",
        ],
        |name| issuer.signed(&json!({ "alg": name }).to_string(), &claims),
    );
    table.extend(rows(
        "alg without signature",
        ["none", "None", algorithm],
        |name| {
            let header = base64(json!({ "alg": name, "typ": "JWT" }).to_string());
            format!("{header}.{}.", base64(&claims))
        },
    ));
    let lower = algorithm.to_lowercase();
    let headers = [
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "{}".to_owned(),
        r#"{"alg":null}"#.to_owned(),
        r#"{"alg":256}"#.to_owned(),
        format!(r#"{{"alg":["{algorithm}"]}}"#),
        format!(r#"{{"alg":"{lower}"}}"#),
        format!(r#"{{"alg":"{algorithm}","alg":"none"}}"#),
        format!(r#"{{"alg":"none","alg":"{algorithm}"}}"#),
        format!(r#"{{"alg":"{algorithm}","crit":["exp"],"exp":1}}"#),
        format!(r#"{{"alg":"{algorithm}","crit":["b64"],"b64":false}}"#),
        format!(r#"{{"alg":"{algorithm}","crit":[]}}"#),
        format!(r#"{{"alg":"{algorithm}","crit":"exp"}}"#),
        format!(r#"{{"alg":"{algorithm}","kid":1}}"#),
        format!(r#"{{"alg":"{algorithm}","kid":["a"]}}"#),
    ];
    table.extend(rows("header", headers, |header| {
        issuer.signed(header, &claims)
    }));
    // Key hints in a token do not make a foreign signature valid.
    let kids = [
        "../../../../dev/null",
        "/dev/null",
        "' or '1'='1",
        "x' union select 'key' --",
        "\u{0}",
        "$(id)",
        &"k".repeat(4000),
    ];
    table.extend(rows("stranger by kid", kids, |kid| {
        stranger.signed(
            &json!({ "alg": algorithm, "kid": kid }).to_string(),
            &claims,
        )
    }));
    let jwk = match stranger.algorithm {
        "HS256" => json!({ "kty": "oct", "k": base64("x".repeat(32)) }),
        _ => stranger.jwk("mine"),
    };
    let pointers = [
        json!({ "jwk": jwk }),
        json!({ "jku": "https://evil.example/keys" }),
        json!({ "x5u": "https://evil.example/chain.pem" }),
        json!({ "x5c": [base64("certificate")] }),
        json!({ "x5t": base64("print"), "jwk": jwk }),
    ];
    table.extend(rows("stranger by", pointers, |members| {
        let mut header: Value = serde_json::from_str(members).unwrap();
        header["alg"] = json!(algorithm);
        stranger.signed(&header.to_string(), &claims)
    }));
    let payload = base64(with("user_id", "6"));
    table.push(("another payload".to_owned(), {
        format!("{}.{payload}.{signature}", base64(issuer.header()))
    }));
    table.push(("a stranger".to_owned(), stranger.token(&customer())));
    table
}

/// This issuer refuses the whole table and accepts its own tokens.
async fn refuses_all(issuer: Issuer, stranger: Issuer, others: Vec<HostileToken>) {
    let app = issuer.app().await;
    let good = super::ask(&app, &issuer.token(&customer())).await;
    assert_eq!(good.status, 200, "{good:?}");
    let bare = json!({ "alg": issuer.algorithm }).to_string();
    let bare = super::ask(&app, &issuer.signed(&bare, customer().to_string())).await;
    assert_eq!(bare.status, 200, "{bare:?}");
    let table = [
        of_bad_form(&issuer),
        by_header(&issuer, &stranger),
        by_claims(&issuer),
        others,
    ]
    .concat();
    assert!(table.len() >= 150, "{}", table.len());
    for (what, token) in table {
        let what = format!("{}: {what}", issuer.algorithm);
        if token
            .bytes()
            .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
        {
            refused(&app, &what, &token).await;
        } else {
            panic!("{what} does not fit into a header");
        }
    }
}

/// Tokens signed with the issuer's public key used as a shared secret.
fn by_public_key(issuer: &Issuer) -> Vec<HostileToken> {
    let body: String = issuer
        .public_pem
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let secrets = [
        issuer.public_pem.clone(),
        issuer.public_pem.trim().to_owned(),
        issuer.public_pem.replace('\n', "\r\n"),
        body,
    ];
    let mut table = Vec::new();
    for (index, secret) in secrets.iter().enumerate() {
        let forger = Issuer::by_secret(secret.as_bytes());
        for algorithm in ["HS256", issuer.algorithm] {
            let header = json!({ "alg": algorithm }).to_string();
            let token = forger.signed(&header, customer().to_string());
            table.push((
                format!("{algorithm} by the public key, spelling {index}"),
                token,
            ));
        }
    }
    table
}

#[tokio::test]
async fn a_shared_secret_refuses_every_hostile_token() {
    let others = vec![
        (
            "no secret".to_owned(),
            Issuer::by_secret(b"").token(&customer()),
        ),
        ("a key pair".to_owned(), Issuer::rs256().token(&customer())),
    ];
    let stranger = Issuer::by_secret(b"another-secret-of-at-least-32-bytes!!");
    refuses_all(Issuer::hs256(), stranger, others).await;
}

#[tokio::test]
async fn an_rsa_key_refuses_every_hostile_token() {
    let issuer = Issuer::rs256();
    let mut others = by_public_key(&issuer);
    others.push(("a key of 1024 bits".to_owned(), TINY_TOKEN.to_owned()));
    let zeros = format!(
        "{}.{}",
        base64(issuer.header()),
        base64(customer().to_string())
    );
    others.push(("zeros".to_owned(), format!("{zeros}.{}", base64([0; 256]))));
    let one = [&[0; 255][..], &[1]].concat();
    others.push((
        "the number one".to_owned(),
        format!("{zeros}.{}", base64(one)),
    ));
    refuses_all(issuer, Issuer::rs256(), others).await;
}

#[tokio::test]
async fn an_elliptic_curve_key_refuses_every_hostile_token() {
    let issuer = Issuer::es256();
    let mut others = by_public_key(&issuer);
    let message = format!(
        "{}.{}",
        base64(issuer.header()),
        base64(customer().to_string())
    );
    // The group order, which equals zero modulo itself.
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&order[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let good = issuer.sign(message.as_bytes());
    let swapped = [&good[32..], &good[..32]].concat();
    for (what, signature) in [
        ("r and s zero", vec![0; 64]),
        (
            "r and s the order of the group",
            [&order[..], &order].concat(),
        ),
        ("s zero", [&good[..32], &[0; 32]].concat()),
        ("r and s swapped", swapped),
        ("signed as DER", der(&good)),
        ("a byte more", [&good[..], &[0]].concat()),
        ("a byte less", good[..63].to_vec()),
    ] {
        others.push((what.to_owned(), format!("{message}.{}", base64(signature))));
    }
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let random = aws_lc_rs::rand::SystemRandom::new();
    let foreign = pair.sign(&random, message.as_bytes()).unwrap();
    let foreign = base64(foreign.as_ref());
    others.push((
        "a stranger's DER".to_owned(),
        format!("{message}.{foreign}"),
    ));
    refuses_all(issuer, Issuer::es256(), others).await;
}

/// The signature's two integers as a DER sequence.
fn der(signature: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        if bytes[0] >= 0x80 {
            bytes.insert(0, 0);
        }
        [&[2, u8::try_from(bytes.len()).unwrap()], &bytes[..]].concat()
    };
    let numbers = [number(&signature[..32]), number(&signature[32..])].concat();
    [&[0x30, u8::try_from(numbers.len()).unwrap()], &numbers[..]].concat()
}

#[tokio::test]
async fn an_edwards_key_refuses_every_hostile_token() {
    let issuer = Issuer::eddsa();
    let others = by_public_key(&issuer);
    refuses_all(issuer, Issuer::eddsa(), others).await;
}

#[tokio::test]
async fn a_1024_bit_key_is_refused_at_startup() {
    use order_service::config::{Config, Environment};
    let mut environment = Environment::default();
    environment.set("DATABASE_URL", "postgres://orders@127.0.0.1/orders");
    environment.set("JWT_PUBLIC_KEY", TINY_PEM);
    let faults = environment.read(Config::read).err().unwrap().to_string();
    assert!(
        faults.contains("JWT_PUBLIC_KEY is an RSA key of less than 2048 bits"),
        "{faults}"
    );
}

#[tokio::test]
async fn browser_sessions_refuse_every_hostile_token() {
    let issuer = Issuer::hs256();
    let app = TestApp::start().await;
    for (what, token) in by_header(&issuer, &Issuer::by_secret(b"another")) {
        let cookie = format!("order_session={token}");
        let visitor = crate::support::visitor::Visitor::with_cookie(&app, &cookie);
        let reply = visitor.get("/v1/orders/my-orders/5/").await;
        assert_eq!(reply.status, 303, "{what}: {reply:?}");
    }
}
