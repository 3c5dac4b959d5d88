//! The shapes of error responses that peers are known for.

use super::*;

#[test]
fn every_error_format_yields_a_message() {
    for (body, expected) in [
        (r#"{"detail": "Not enough stock"}"#, "Not enough stock"),
        (
            r#"{"detail": [{"loc": ["body", "items", 0, "quantity"], "msg": "must be positive"}, {"msg": "no"}]}"#,
            "body.items.0.quantity: must be positive; no",
        ),
        (r#"{"error": "Insufficient funds"}"#, "Insufficient funds"),
        (r#"{"error": {"message": "nested"}}"#, "nested"),
        (
            r#"{"quantity": ["too many", "odd"]}"#,
            "quantity: too many; odd",
        ),
        (
            r#"{"code": "OUT_OF_STOCK", "message": "SKU1 is gone", "correlationId": "7"}"#,
            "OUT_OF_STOCK: SKU1 is gone",
        ),
        (
            r#"{"timestamp": "now", "status": 409, "error": "Conflict", "message": "sold out"}"#,
            "sold out",
        ),
        (r#"{"success": false, "message": "declined"}"#, "declined"),
        (r#"["a", {"msg": "b"}]"#, "a; b"),
        (r#""just text""#, "just text"),
        ("plain\r\n  text\u{7}", "plain text"),
        ("1 < 2, they say", "1 < 2, they say"),
    ] {
        assert_eq!(read(body.as_bytes()).as_deref(), Some(expected));
    }
}

#[test]
fn a_body_without_text_has_no_message() {
    for body in [
        "",
        "  ",
        "{}",
        "[]",
        "null",
        "17",
        r#"{"detail": ""}"#,
        "\u{200b}",
        "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad&nbsp;Gateway</h1>",
        "  <br>",
        "no stock</p>",
    ] {
        assert_eq!(read(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn arbitrary_bytes_are_read_without_panic() {
    let mut seed = 1_u64;
    for length in 0..600 {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Mostly bytes with a meaning in JSON, HTML or UTF-8.
                let dice = (seed >> 33) as usize;
                *b"<>!-/&;\"{}[]:,\\s\xC3\xA9\xE2\x80\xAE\xF0\x9F\xFF\x00 a"
                    .get(dice % 32)
                    .unwrap_or(&dice.to_le_bytes()[0])
            })
            .collect();
        let reason = read(&bytes).unwrap_or_default();
        assert!(reason.chars().count() <= 200);
        assert!(!reason.contains(char::is_control));
    }
}
