//! Media types of requests and responses: the `Accept` header (RFC 9110, 12.5.1) and `Content-Type`.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};

/// Whether the client prefers HTML over JSON. Clients that accept any type get JSON.
pub fn prefers_html(headers: &HeaderMap) -> bool {
    let ranges = accepted(headers);
    let html = quality(&ranges, "text", "html");
    html > 0 && html > quality(&ranges, "application", "json")
}

/// Whether the client names server-sent events. A wildcard does not ask for a stream.
pub fn accepts_event_stream(headers: &HeaderMap) -> bool {
    accepted(headers)
        .iter()
        .any(|range| range.specificity("text", "event-stream") == Some(3) && range.weight > 0)
}

/// The media type of a body without its parameters, as it was sent.
pub fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

/// A media range of an `Accept` header.
struct MediaRange<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// The quality value, in thousandths.
    weight: u16,
}

impl<'a> MediaRange<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        Some(Self {
            kind,
            subtype,
            weight: weight.map_or(1000, thousandths),
        })
    }

    /// How precisely the range names a type: 1 for `*/*`, 2 for `type/*`, 3 for the type itself.
    fn specificity(&self, kind: &str, subtype: &str) -> Option<u8> {
        let same_kind = self.kind.eq_ignore_ascii_case(kind);
        match (self.kind, self.subtype) {
            ("*", "*") => Some(1),
            (_, "*") if same_kind => Some(2),
            (_, found) if same_kind && found.eq_ignore_ascii_case(subtype) => Some(3),
            _ => None,
        }
    }
}

fn accepted(headers: &HeaderMap) -> Vec<MediaRange<'_>> {
    let lines = headers.get_all(ACCEPT).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(MediaRange::parse)
        .collect()
}

/// The weight of the most specific range that matches a type; of equally specific ones, the first.
fn quality(ranges: &[MediaRange<'_>], kind: &str, subtype: &str) -> u16 {
    let mut best = (0, 0);
    for range in ranges {
        match range.specificity(kind, subtype) {
            Some(specificity) if specificity > best.0 => best = (specificity, range.weight),
            _ => {}
        }
    }
    best.1
}

/// Parses a quality value; a malformed one counts as 0.
fn thousandths(weight: &str) -> u16 {
    let weight: f32 = weight.parse().unwrap_or_default();
    if (0.0..=1.0).contains(&weight) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the value is between 0 and 1000"
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

    fn with(accept: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        headers
    }

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
            assert_eq!(prefers_html(&with(accept)), expected, "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn streams_are_sent_only_when_the_accept_header_names_them() {
        for (accept, expected) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("application/json, text/event-stream;q=0.1", true),
            ("text/event-stream;q=0", false),
            ("text/event-stream;q=0.000", false),
            ("text/*", false),
            ("*/*", false),
            ("application/json", false),
        ] {
            assert_eq!(accepts_event_stream(&with(accept)), expected, "{accept}");
        }
        assert!(!accepts_event_stream(&HeaderMap::new()));
    }
}
