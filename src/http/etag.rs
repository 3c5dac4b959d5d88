//! Versions of an order as entity tags (RFC 9110, 8.8.3), and requests that name them (13.1).
//!
//! A tag tells what a representation depends on: the order, its version, which of its representations it
//! is, for whom, and the release that wrote it. Writes look at order and version alone: a tag from any
//! read of the order will do.

use axum::http::header::{CACHE_CONTROL, ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::domain::ids::OrderId;
use crate::domain::principal::Principal;
use crate::orders::{Error, Expected, Orders};

use super::body::Faults;
use super::problem::Problem;

/// Why a header of tags cannot be read.
const GRAMMAR: &str = "must be * or entity tags in quotation marks, separated by commas";

/// What of an order a tag is about.
#[derive(Clone, Copy, Debug)]
pub enum Representation {
    /// The order itself.
    Details,
    /// Where its parcel is.
    Tracking,
    /// Its events.
    Events,
}

/// The tag of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// What this caller gets of an order at a version.
    pub fn new(
        representation: Representation,
        order_id: OrderId,
        version: i32,
        caller: &Principal,
    ) -> Self {
        let what = match representation {
            Representation::Details => "details",
            Representation::Tracking => "tracking",
            Representation::Events => "events",
        };
        let role = caller.role.as_str();
        let release = env!("CARGO_PKG_VERSION");
        Self(format!("{order_id}-{version}-{what}-{role}-{release}"))
    }

    /// The value of the header.
    pub fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("\"{}\"", self.0)).ok()
    }

    /// Puts it on an answer, which may be kept and must be asked for again.
    pub fn mark(&self, headers: &mut HeaderMap) {
        if let Some(tag) = self.header() {
            headers.insert(ETAG, tag);
        }
        let private = HeaderValue::from_static("private, no-cache");
        headers.insert(CACHE_CONTROL, private);
    }
}

/// The tags of a conditional request.
#[derive(Debug, PartialEq, Eq)]
enum Tags {
    Any,
    Listed(Vec<Listed>),
}

#[derive(Debug, PartialEq, Eq)]
struct Listed {
    is_weak: bool,
    opaque: String,
}

/// The answer `304` to a caller who names the present tag in `If-None-Match`, before the order is read.
pub async fn not_modified(
    orders: &Orders,
    caller: &Principal,
    order_id: OrderId,
    representation: Representation,
    headers: &HeaderMap,
) -> Result<Option<Response>, Problem> {
    let mut faults = Faults::default();
    let known = tags(headers, &IF_NONE_MATCH, "If-None-Match", &mut faults);
    faults.finish(Some(()))?;
    let Some(known) = known else { return Ok(None) };
    let version = orders.version(caller, order_id).await?;
    let tag = Tag::new(representation, order_id, version, caller);
    let is_known = match &known {
        Tags::Any => true,
        Tags::Listed(listed) => listed.iter().any(|listed| listed.opaque == tag.0),
    };
    Ok(is_known.then(|| {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        tag.mark(response.headers_mut());
        response
    }))
}

/// The versions that a write asks for by `If-Match`; a weak tag stands for none.
pub fn expected(headers: &HeaderMap, order_id: OrderId, faults: &mut Faults) -> Expected {
    let listed = match tags(headers, &IF_MATCH, "If-Match", faults) {
        None | Some(Tags::Any) => return Expected::Any,
        Some(Tags::Listed(listed)) => listed,
    };
    let version = |listed: &Listed| {
        let of_order = listed.opaque.strip_prefix(&format!("{order_id}-"))?;
        let (version, _) = of_order.split_once('-')?;
        version.parse().ok()
    };
    let strong = listed.iter().filter(|listed| !listed.is_weak);
    Expected::OneOf(strong.filter_map(version).collect())
}

/// A use case's error; with the present version and tag where the order is not as it was expected.
pub fn refused(error: Error, caller: &Principal) -> Problem {
    let Error::VersionMismatch { order_id, version } = error else {
        return error.into();
    };
    let tag = Tag::new(Representation::Details, order_id, version, caller);
    Problem::from(error).with_current(version, tag.header())
}

/// The tags of a header; nothing when it is not there, or when there is a fault in it.
fn tags(headers: &HeaderMap, name: &HeaderName, shown: &str, faults: &mut Faults) -> Option<Tags> {
    let mut lines = Vec::new();
    for value in headers.get_all(name) {
        lines.push(value.to_str().unwrap_or("?"));
    }
    if lines.is_empty() {
        return None;
    }
    let tags = parse(&lines.join(","));
    if tags.is_none() {
        faults.add_header(shown, "malformed", GRAMMAR);
    }
    tags
}

/// `*`, or a list of `"…"` and `W/"…"`; empty elements of a list count as nothing (RFC 9110, 5.6.1).
fn parse(text: &str) -> Option<Tags> {
    if text.trim() == "*" {
        return Some(Tags::Any);
    }
    let mut listed = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (is_weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (opaque, behind) = quoted.strip_prefix('"')?.split_once('"')?;
        if opaque.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return None;
        }
        let opaque = opaque.to_owned();
        listed.push(Listed { is_weak, opaque });
        let behind = behind.trim_start_matches([' ', '\t']);
        if !behind.is_empty() && !behind.starts_with(',') {
            return None;
        }
        rest = behind.trim_start_matches([' ', '\t', ',']);
    }
    (!listed.is_empty()).then_some(Tags::Listed(listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(tags: &[(bool, &str)]) -> Option<Tags> {
        let listed = tags.iter().map(|&(is_weak, opaque)| Listed {
            is_weak,
            opaque: opaque.to_owned(),
        });
        Some(Tags::Listed(listed.collect()))
    }

    #[test]
    fn lists_of_entity_tags_are_parsed_and_others_refused() {
        assert_eq!(parse(" * "), Some(Tags::Any));
        assert_eq!(parse("\"a\""), listed(&[(false, "a")]));
        assert_eq!(parse("\"\""), listed(&[(false, "")]));
        let several = "\"a,b\" , W/\"c\",,\"d\",";
        let expected = [(false, "a,b"), (true, "c"), (false, "d")];
        assert_eq!(parse(several), listed(&expected));
        for wrong in [
            "",
            " ",
            ",",
            "a",
            "\"a",
            "a\"",
            "w/\"a\"",
            "W/a",
            "\"a\" \"b\"",
            "\"a\"b",
            "*,\"a\"",
            "\"a\",*",
            "\"a b\"",
            "?",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
