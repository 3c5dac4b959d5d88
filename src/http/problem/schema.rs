//! The OpenAPI schema of problems.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Ref, Schema, Type};

use super::violation::Violation;

/// A problem (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemSchema {
    /// The page that describes this kind of problem.
    #[schema(example = "/problems/invalid-request")]
    r#type: String,
    /// The kind of problem, for people.
    #[schema(example = "The request is invalid")]
    title: String,
    /// The status of the response.
    #[schema(example = 400, minimum = 400, maximum = 599)]
    status: u16,
    /// The kind of problem, for programs.
    #[schema(example = "invalid-request")]
    code: String,
    /// What is wrong in this case and how to correct it.
    #[schema(example = "items/0/quantity must be a whole number from 1 to 10000")]
    detail: String,
    /// The id to quote in support requests.
    #[schema(example = "0b6a7a3c-5d5c-4b9e-9d0a-6f3f7f1f2c11")]
    request_id: String,
    /// All violations of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Violation>>,
    /// The id of the cancelled order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    order_id: Option<i64>,
    /// The order in its present state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = optional_order)]
    order: Option<serde_json::Value>,
    /// The present version of an order that has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 7, minimum = 1)]
    current_version: Option<i32>,
}

/// Refers to the order by the name of its schema, because `orders` depends on this module.
fn optional_order() -> Schema {
    let order = Ref::builder()
        .ref_location_from_schema_name("OrderView")
        .description(Some("The order in its present state."));
    OneOfBuilder::new()
        .item(order.build())
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .build()
        .into()
}
