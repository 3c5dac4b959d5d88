//! Reads the message out of an error response, in any shape that common frameworks use.

use serde_json::Value;

use super::json;
use super::one_line::one_line;

/// The fields that hold the message, the most specific first. Spring puts "Conflict" under `error` and
/// the cause under `message`.
const MESSAGE_FIELDS: [&str; 9] = [
    "detail",
    "message",
    "error",
    "reason",
    "msg",
    "description",
    "failure_reason",
    "errors",
    "title",
];

/// The message of a body as one line; `None` if it has none. An HTML page has none: proxies and frameworks
/// send such pages, so that they say nothing about the business outcome.
pub(super) fn read(body: &[u8]) -> Option<String> {
    let message = match crate::json::read::<Value>(body) {
        Ok(value) => of_json(&value)?,
        Err(_) if is_html(body) => return None,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let line = one_line(&message);
    (!line.is_empty()).then_some(line)
}

/// Whether a body looks like HTML.
pub(super) fn is_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<") || body.windows(2).any(|pair| pair == b"</")
}

fn of_json(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Value::Array(parts) => joined(parts.iter().filter_map(of_part)),
        Value::Object(fields) => {
            let message = MESSAGE_FIELDS
                .iter()
                .find_map(|key| of_json(fields.get(*key)?));
            let code = fields.get("code").and_then(Value::as_str);
            match (code, message) {
                (Some(code), Some(message)) => Some(format!("{code}: {message}")),
                (Some(code), None) => Some(code.to_owned()),
                (None, Some(message)) => Some(message),
                (None, None) => joined(fields.iter().filter_map(|(field, errors)| {
                    let errors = joined(errors.as_array()?.iter().filter_map(of_part))?;
                    Some(format!("{field}: {errors}"))
                })),
            }
        }
        _ => None,
    }
}

/// One of several errors: its message, with the location that FastAPI puts under `loc`.
fn of_part(part: &Value) -> Option<String> {
    let message = of_json(part)?;
    let Some(location) = part.get("loc").and_then(Value::as_array) else {
        return Some(message);
    };
    let location: Vec<_> = location.iter().filter_map(json::text).collect();
    Some(format!("{}: {message}", location.join(".")))
}

fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<_> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests;
