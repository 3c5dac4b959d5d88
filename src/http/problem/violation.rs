//! The violations that the problem of an invalid request lists.

use serde::Serialize;

/// A violation: a value of the request that is missing, malformed or out of bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Fault)]
pub struct Violation {
    /// The part of the request: `body`, `query`, `path` or `header`.
    #[schema(example = "body")]
    pub location: &'static str,
    /// JSON pointer (RFC 6901) to the value within that part.
    #[schema(example = "/items/0/quantity")]
    pub pointer: String,
    /// What is wrong, for programs.
    #[schema(example = "out_of_range")]
    pub code: &'static str,
    /// What is wrong and how to correct it.
    #[schema(example = "must be a whole number from 1 to 10000")]
    pub detail: String,
}
