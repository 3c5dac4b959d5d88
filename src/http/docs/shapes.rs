//! What texts in requests have to look like, said once for the whole document: so that whoever makes
//! requests from the document makes good ones.

use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::{OpenApi, RefOr};

/// Something is to be seen, and nothing is a control character.
const TEXT: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";
/// An entity tag or several, or any (RFC 9110, 8.8.3 and 13.1).
const TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;
/// What the service takes as a key: visible ASCII.
const KEY: &str = "^[!-~]{1,255}$";
/// What the service numbers events with.
const NUMBER: &str = "^[0-9]{1,10}$";
/// Names of statuses.
const NAMES: &str = "^[A-Za-z_]+(,[A-Za-z_]+)*$";
/// Base64 for URLs.
const CURSOR: &str = "^[A-Za-z0-9_-]+$";
const CURRENCY: &str = "^[A-Za-z]{3}$";

/// Adds the shape of a parameter.
pub fn shape_parameter(parameter: &mut Parameter) {
    let pattern = match parameter.name.as_str() {
        "If-Match" | "If-None-Match" => TAGS,
        "Idempotency-Key" => KEY,
        "Last-Event-ID" => NUMBER,
        "status_filter" | "payment_filter" | "shipping_filter" => NAMES,
        "cursor" => CURSOR,
        "currency" => CURRENCY,
        "search" | "sku" => TEXT,
        _ => return,
    };
    let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else {
        return;
    };
    schema.pattern = Some(pattern.to_owned());
    if parameter.parameter_in == ParameterIn::Header {
        // A header is there or not; it is never null.
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        schema.schema_type = text.schema_type;
    }
}

/// Adds the shape of the texts in bodies: those of which a length is told.
pub fn shape_bodies(document: &mut OpenApi) {
    let Some(components) = &mut document.components else {
        return;
    };
    for schema in components.schemas.values_mut() {
        let RefOr::T(Schema::Object(schema)) = schema else {
            continue;
        };
        for property in schema.properties.values_mut() {
            if let RefOr::T(Schema::Object(text)) = property
                && is_free_text(text)
            {
                text.pattern = Some(TEXT.to_owned());
            }
        }
    }
}

fn is_free_text(schema: &Object) -> bool {
    schema.max_length.is_some() && schema.pattern.is_none() && schema.format.is_none()
}
