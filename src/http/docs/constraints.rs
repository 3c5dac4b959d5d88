//! Constraints of parameters and body fields in the OpenAPI document: patterns, and the limits that the
//! parsers enforce. Valid requests can be generated from the document.

use utoipa::Number;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::{OpenApi, RefOr};

use crate::domain::cart::{
    MAX_ADDRESS_CHARS, MAX_LINES, MAX_METHOD_CHARS, MAX_NAME_CHARS, MAX_QUANTITY, MAX_SKU_CHARS,
};
use crate::domain::search::{MAX_OFFSET, MAX_PAGE_SIZE, MAX_SEARCH_CHARS};

use crate::http::attention::MAX_REASON_CHARS;
use crate::http::idempotency::MAX_KEY_CHARS;
use crate::http::orders::{CURRENCY_CHARS, MAX_EVENTS};

/// Text with at least one visible character and no control characters.
const TEXT: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";
/// `*` or a list of entity tags (RFC 9110, 8.8.3 and 13.1).
const ENTITY_TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;
/// The number of an event.
const EVENT_NUMBER: &str = "^[0-9]{1,10}$";
/// Names of statuses.
const STATUS_NAMES: &str = "^[A-Za-z_]+(,[A-Za-z_]+)*$";
/// URL-safe Base64.
const CURSOR: &str = "^[A-Za-z0-9_-]+$";
const CURRENCY: &str = "^[A-Za-z]{3}$";

/// The texts of bodies: schema, property, and the minimum and maximum number of characters.
const TEXTS: [(&str, &str, usize, usize); 7] = [
    ("CreateOrder", "currency", CURRENCY_CHARS, CURRENCY_CHARS),
    ("CreateOrder", "payment_method", 1, MAX_METHOD_CHARS),
    ("CreateOrder", "shipping_address", 1, MAX_ADDRESS_CHARS),
    ("CreateItem", "sku", 1, MAX_SKU_CHARS),
    ("CreateItem", "name", 1, MAX_NAME_CHARS),
    ("RetryOrder", "reason", 1, MAX_REASON_CHARS),
    ("ResolveOrder", "reason", 1, MAX_REASON_CHARS),
];

/// Adds the pattern and the limits of a parameter.
pub fn constrain_parameter(parameter: &mut Parameter) {
    let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else {
        return;
    };
    let pattern = match parameter.name.as_str() {
        "If-Match" | "If-None-Match" => ENTITY_TAGS,
        "Idempotency-Key" => {
            schema.max_length = Some(MAX_KEY_CHARS);
            &format!("^[!-~]{{1,{MAX_KEY_CHARS}}}$")
        }
        "Last-Event-ID" => EVENT_NUMBER,
        "status_filter" | "payment_filter" | "shipping_filter" => STATUS_NAMES,
        "cursor" => CURSOR,
        "currency" => {
            schema.min_length = Some(CURRENCY_CHARS);
            schema.max_length = Some(CURRENCY_CHARS);
            CURRENCY
        }
        "search" | "sku" => {
            schema.max_length = Some(MAX_SEARCH_CHARS);
            TEXT
        }
        "limit" => return schema.maximum = maximum(MAX_EVENTS),
        "page" => return schema.maximum = maximum(MAX_OFFSET),
        "page_size" => return schema.maximum = maximum(MAX_PAGE_SIZE),
        _ => return,
    };
    schema.pattern = Some(pattern.to_owned());
    if parameter.parameter_in == ParameterIn::Header {
        // A header may be absent but is never null.
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        schema.schema_type = text.schema_type;
    }
}

/// Adds the patterns and the limits of body fields.
pub fn constrain_bodies(document: &mut OpenApi) {
    for (schema, property, min, max) in TEXTS {
        if let Some(Schema::Object(text)) = property_of(document, schema, property) {
            text.min_length = Some(min);
            text.max_length = Some(max);
            text.pattern = Some(TEXT.to_owned());
        }
    }
    if let Some(Schema::Object(quantity)) = property_of(document, "CreateItem", "quantity") {
        quantity.maximum = maximum(MAX_QUANTITY);
    }
    if let Some(Schema::Array(items)) = property_of(document, "CreateOrder", "items") {
        items.max_items = Some(MAX_LINES);
    }
}

fn maximum(value: u32) -> Option<Number> {
    Some(Number::Int(isize::try_from(value).ok()?))
}

fn property_of<'a>(
    document: &'a mut OpenApi,
    schema: &str,
    property: &str,
) -> Option<&'a mut Schema> {
    let schemas = &mut document.components.as_mut()?.schemas;
    let Some(RefOr::T(Schema::Object(Object { properties, .. }))) = schemas.get_mut(schema) else {
        return None;
    };
    match properties.get_mut(property)? {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constrained_fields_exist() {
        let mut document = crate::http::openapi();
        for (schema, property, _, max) in TEXTS {
            let text = property_of(&mut document, schema, property);
            assert!(
                matches!(text, Some(Schema::Object(text)) if text.max_length == Some(max)),
                "{schema}.{property}"
            );
        }
        let quantity = property_of(&mut document, "CreateItem", "quantity");
        assert!(matches!(quantity, Some(Schema::Object(found)) if found.maximum.is_some()));
        let items = property_of(&mut document, "CreateOrder", "items");
        assert!(matches!(items, Some(Schema::Array(found)) if found.max_items.is_some()));
    }
}
