//! Tokens with a valid signature and claims that grant no access.

use order_service::clock;
use serde_json::json;

use super::{HostileToken, rows};
use crate::support::issuer::{Issuer, customer};

/// The claims as JSON text, with one claim replaced or added.
pub fn with(name: &str, json: &str) -> String {
    let mut claims = customer();
    claims.as_object_mut().unwrap().remove(name);
    let claims = claims.to_string();
    format!("{{\"{name}\":{json},{}", &claims[1..])
}

fn without(name: &str) -> String {
    let mut claims = customer();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims.to_string()
}

/// Such tokens, signed by the issuer.
pub fn by_claims(issuer: &Issuer) -> Vec<HostileToken> {
    let signed = |payload: &str| issuer.signed(&issuer.header(), payload);
    let now = clock::now().unix_timestamp();
    let late = now + 3600;
    let exps = [
        (now - 60).to_string(),
        "0".to_owned(),
        "-1".to_owned(),
        format!("\"{late}\""),
        format!("{late}.5"),
        format!("{late}.0"),
        "1e400".to_owned(),
        "9".repeat(40),
        "9223372036854775808".to_owned(),
        "NaN".to_owned(),
        "null".to_owned(),
        "true".to_owned(),
        format!("[{late}]"),
        format!("{{\"at\":{late}}}"),
    ];
    let mut table = rows("exp", exps, |exp| signed(&with("exp", exp)));
    let nbfs = [format!("{late}"), "\"now\"".to_owned(), "[0]".to_owned()];
    table.extend(rows("nbf", nbfs, |nbf| signed(&with("nbf", nbf))));
    let kinds = [
        "\"refresh\"",
        "\"id\"",
        "\"ACCESS\"",
        "\"access \"",
        "\"\"",
        "null",
        "1",
        "true",
        "[\"access\"]",
        "{\"access\":true}",
    ];
    table.extend(rows("token_type", kinds, |kind| {
        let claims = with("token_type", kind);
        signed(&format!("{{\"is_staff\":true,{}", &claims[1..]))
    }));
    let ids = [
        "0",
        "-5",
        "5.0",
        "5.5",
        "5e0",
        "1e400",
        "9223372036854775808",
        "null",
        "true",
        "[5]",
        "[]",
        "{\"id\":5}",
        "\"\"",
        "\"0\"",
        "\"-5\"",
        "\"+5\"",
        "\"5.0\"",
        "\" 5\"",
        "\"5 \"",
        "\"5,6\"",
        "\"5\\u0000\"",
        "\"0x5\"",
        "\"five\"",
        "\"٥\"",
        "\"9223372036854775808\"",
        "\"5 or 1=1\"",
        "\"5'; drop table orders; --\"",
    ];
    table.extend(rows("user_id", ids, |id| signed(&with("user_id", id))));
    // An unreadable claim is not a missing one: no other claim replaces it.
    table.extend(rows("user_id beside a good sub", ids, |id| {
        let claims = with("user_id", id);
        signed(&format!("{{\"sub\":\"5\",{}", &claims[1..]))
    }));
    table.extend(rows("sub", ids, |id| {
        let claims = without("user_id");
        signed(&format!("{{\"sub\":{id},{}", &claims[1..]))
    }));
    // Staff tokens may omit the id; their name must still be valid.
    let names = [
        "a b",
        "a\nb",
        "<script>",
        "staff:1\u{202e}",
        "ü",
        &"x".repeat(65),
    ];
    table.extend(rows("sub of staff", names, |name| {
        signed(&json!({ "exp": late, "is_staff": true, "sub": name }).to_string())
    }));
    let twice = [
        ("exp", format!("{late}")),
        ("user_id", "6".to_owned()),
        ("is_staff", "true,\"is_staff\":false".to_owned()),
        ("token_type", "\"access\"".to_owned()),
        ("unknown", "1,\"unknown\":1".to_owned()),
    ];
    for (name, value) in twice {
        let claims = customer().to_string();
        let token = signed(&format!("{{\"{name}\":{value},{}", &claims[1..]));
        table.push((format!("{name} twice"), token));
    }
    let payloads = [
        "",
        "user_id=5",
        "5",
        "null",
        "\"5\"",
        "[5]",
        "[]",
        "{}",
        "{",
        "{\"user_id\":5,}",
        "\u{feff}{}",
    ];
    table.extend(rows("payload", payloads, signed));
    table.push(("no exp".to_owned(), signed(&without("exp"))));
    table.push(("no customer".to_owned(), signed(&without("user_id"))));
    let mut bytes = with("name", "\"?\"").into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xff;
    table.push((
        "no UTF-8".to_owned(),
        issuer.signed(&issuer.header(), bytes),
    ));
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    table.push(("500 lists".to_owned(), signed(&with("deep", &deep))));
    table
}
