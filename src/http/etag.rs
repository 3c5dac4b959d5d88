//! Entity tags of orders (RFC 9110, 8.8.3) and conditional requests (13.1), which give clients optimistic
//! concurrency.
//!
//! A tag contains what a representation depends on: the order, its version, the kind of representation, the
//! role of the caller, and the release. `If-Match` compares order and version only, so that a tag of any
//! representation is accepted.

use axum::http::header::{CACHE_CONTROL, ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::domain::ids::OrderId;
use crate::domain::principal::Principal;
use crate::orders::{self, Expected, Orders};

use super::body::Violations;
use super::problem::Problem;

/// The detail of malformed headers.
const GRAMMAR: &str = "must be * or entity tags in quotation marks, separated by commas";

/// A representation of an order.
#[derive(Clone, Copy, Debug)]
pub enum Representation {
    /// The order with its items.
    Details,
    /// The tracking of its parcel.
    Tracking,
    /// The list of its events.
    Events,
}

/// The entity tag of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag(String);

impl EntityTag {
    /// The tag of what a caller gets of an order at a version.
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

    /// The value of the `ETag` header.
    pub fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("\"{}\"", self.0)).ok()
    }

    /// Adds the tag to a response, which caches must revalidate.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        if let Some(tag) = self.header() {
            headers.insert(ETAG, tag);
        }
        let private = HeaderValue::from_static("private, no-cache");
        headers.insert(CACHE_CONTROL, private);
    }
}

/// The tags of a conditional header.
#[derive(Debug, PartialEq, Eq)]
enum TagCondition {
    Any,
    AnyOf(Vec<ListedTag>),
}

#[derive(Debug, PartialEq, Eq)]
struct ListedTag {
    is_weak: bool,
    opaque: String,
}

/// The response `304` if `If-None-Match` names the present tag. It costs less than reading the order.
pub async fn not_modified(
    orders: &Orders,
    caller: &Principal,
    order_id: OrderId,
    representation: Representation,
    headers: &HeaderMap,
) -> Result<Option<Response>, Problem> {
    let mut violations = Violations::default();
    let known = tags(headers, &IF_NONE_MATCH, "If-None-Match", &mut violations);
    violations.finish(Some(()))?;
    let Some(known) = known else { return Ok(None) };
    let version = orders.version(caller, order_id).await?;
    let tag = EntityTag::new(representation, order_id, version, caller);
    let is_known = match &known {
        TagCondition::Any => true,
        TagCondition::AnyOf(listed) => listed.iter().any(|listed| listed.opaque == tag.0),
    };
    Ok(is_known.then(|| {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        tag.add_to(response.headers_mut());
        response
    }))
}

/// The versions that `If-Match` accepts. A weak tag matches none.
pub fn expected(headers: &HeaderMap, order_id: OrderId, violations: &mut Violations) -> Expected {
    let listed = match tags(headers, &IF_MATCH, "If-Match", violations) {
        None | Some(TagCondition::Any) => return Expected::Any,
        Some(TagCondition::AnyOf(listed)) => listed,
    };
    let version = |listed: &ListedTag| {
        let of_order = listed.opaque.strip_prefix(&format!("{order_id}-"))?;
        let (version, _) = of_order.split_once('-')?;
        version.parse().ok()
    };
    let strong = listed.iter().filter(|listed| !listed.is_weak);
    Expected::OneOf(strong.filter_map(version).collect())
}

/// The problem of a rejected write. If the order has changed, it carries the present version and tag.
pub fn write_problem(error: orders::Error, caller: &Principal) -> Problem {
    let orders::Error::VersionMismatch { order_id, version } = error else {
        return error.into();
    };
    let tag = EntityTag::new(Representation::Details, order_id, version, caller);
    Problem::from(error).with_current(version, tag.header())
}

/// Reads the tags of a header; `None` if it is absent or malformed.
fn tags(
    headers: &HeaderMap,
    name: &HeaderName,
    shown: &str,
    violations: &mut Violations,
) -> Option<TagCondition> {
    let mut lines = Vec::new();
    for value in headers.get_all(name) {
        lines.push(value.to_str().unwrap_or("?"));
    }
    if lines.is_empty() {
        return None;
    }
    let tags = parse(&lines.join(","));
    if tags.is_none() {
        violations.add_header(shown, "malformed", GRAMMAR);
    }
    tags
}

/// Parses `*` or a list of `"…"` and `W/"…"`. Ignores empty list elements (RFC 9110, 5.6.1).
fn parse(text: &str) -> Option<TagCondition> {
    if text.trim() == "*" {
        return Some(TagCondition::Any);
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
        listed.push(ListedTag { is_weak, opaque });
        let behind = behind.trim_start_matches([' ', '\t']);
        if !behind.is_empty() && !behind.starts_with(',') {
            return None;
        }
        rest = behind.trim_start_matches([' ', '\t', ',']);
    }
    (!listed.is_empty()).then_some(TagCondition::AnyOf(listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "compared with an option")]
    fn listed(tags: &[(bool, &str)]) -> Option<TagCondition> {
        let listed = tags.iter().map(|&(is_weak, opaque)| ListedTag {
            is_weak,
            opaque: opaque.to_owned(),
        });
        Some(TagCondition::AnyOf(listed.collect()))
    }

    #[test]
    fn lists_of_entity_tags_are_parsed_and_others_refused() {
        assert_eq!(parse(" * "), Some(TagCondition::Any));
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
