//! What a client would rather have, HTML or JSON (RFC 9110, 12.5.1).

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// Whether HTML is asked for, and more than JSON is. Clients that take anything get JSON.
pub fn prefers_html(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).iter();
    let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    let accept = lines.join(",");
    let html = quality(&accept, "text", "html");
    html > 0 && html > quality(&accept, "application", "json")
}

/// How much a type is wanted, in thousandths: what the most specific range says that has it.
fn quality(accept: &str, kind: &str, subtype: &str) -> u16 {
    let mut best = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let Some((of_kind, of_subtype)) = parts.next().and_then(|part| part.split_once('/')) else {
            continue;
        };
        let same_kind = of_kind.eq_ignore_ascii_case(kind);
        let specificity = match (of_kind, of_subtype) {
            ("*", "*") => 1,
            (_, "*") if same_kind => 2,
            (_, _) if same_kind && of_subtype.eq_ignore_ascii_case(subtype) => 3,
            _ => continue,
        };
        if specificity > best.0 {
            let weight = parts.find_map(|part| {
                let (name, value) = part.split_once('=')?;
                name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
            });
            best = (specificity, weight.map_or(1000, thousandths));
        }
    }
    best.1
}

/// A weight; what is none counts for nothing.
fn thousandths(weight: &str) -> u16 {
    let weight: f32 = weight.parse().unwrap_or_default();
    if (0.0..=1.0).contains(&weight) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is from 0 to 1000"
        )]
        {
            (weight * 1000.0).round() as u16
        }
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn html_is_sent_only_when_the_accept_header_prefers_it() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (accept, expected) in [
            (browser, true),
            ("text/html", true),
            ("Text/HTML; charset=utf-8", true),
            ("text/*", true),
            ("text/html;q=0.9, application/json;q=0.8", true),
            ("text/html;q=0.5, */*;q=0.1", true),
            ("application/json;q=0, text/html;q=0.1", true),
            ("*/*", false),
            ("", false),
            ("application/json", false),
            ("application/json, text/html", false),
            ("text/html;q=0.8, application/json;q=0.9", false),
            ("text/html;q=0", false),
            ("text/html;q=0.5, */*", false),
            ("text/html;q=2", false),
            ("text/html;q=x", false),
            ("application/*, text/html;q=0.9", false),
            ("text/plain", false),
            ("text/event-stream", false),
            ("html", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
            assert_eq!(prefers_html(&headers), expected, "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }
}
