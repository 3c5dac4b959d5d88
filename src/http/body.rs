//! Parses the values of a JSON body and collects all violations of the request, so that one response reports
//! them all.

use serde_json::{Map, Value};

use super::problem::{Problem, Violation};

/// The violations found so far.
#[derive(Debug, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Adds a violation of the body.
    pub fn add(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) {
        self.push("body", pointer, code, detail);
    }

    /// Adds a violation of a header.
    pub fn add_header(&mut self, name: &str, code: &'static str, detail: impl Into<String>) {
        self.push("header", format!("/{name}"), code, detail);
    }

    fn push(
        &mut self,
        location: &'static str,
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) {
        self.0.push(Violation {
            location,
            pointer: pointer.into(),
            code,
            detail: detail.into(),
        });
    }

    /// Returns the value if there are no violations.
    ///
    /// # Errors
    /// The problem that lists all violations.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problem::invalid(self.0)),
        }
    }
}

impl From<Violations> for Vec<Violation> {
    fn from(violations: Violations) -> Self {
        violations.0
    }
}

/// A JSON object of the body, and its JSON pointer.
pub struct JsonObject<'a> {
    fields: &'a Map<String, Value>,
    pointer: String,
}

impl<'a> JsonObject<'a> {
    /// The object at `pointer`. Any other value is a violation.
    pub fn at(
        value: &'a Value,
        pointer: impl Into<String>,
        violations: &mut Violations,
    ) -> Option<Self> {
        let pointer = pointer.into();
        match value {
            Value::Object(fields) => Some(Self { fields, pointer }),
            other => {
                violations.add(
                    pointer,
                    "wrong_type",
                    format!("must be an object, not {}", type_name(other)),
                );
                None
            }
        }
    }

    /// The JSON pointer of a field.
    pub fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    /// A field that is present and not null.
    pub fn optional(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A required field. A missing or null value is a violation.
    pub fn required(&self, name: &str, violations: &mut Violations) -> Option<&'a Value> {
        let found = self.fields.get(name);
        match found {
            None => violations.add(self.pointer(name), "missing", "must be given"),
            Some(Value::Null) => violations.add(self.pointer(name), "null", "must not be null"),
            Some(_) => {}
        }
        found.filter(|value| !value.is_null())
    }

    /// Parses a text: not blank, at most `max` characters, without control characters. Trims it.
    pub fn text(
        &self,
        name: &str,
        value: &Value,
        max: usize,
        violations: &mut Violations,
    ) -> Option<String> {
        let Value::String(text) = value else {
            violations.add(
                self.pointer(name),
                "wrong_type",
                format!("must be a text, not {}", type_name(value)),
            );
            return None;
        };
        let (code, detail) = if text.trim().is_empty() {
            ("empty", "must not be empty".to_owned())
        } else if text.chars().count() > max {
            ("too_long", format!("must have at most {max} characters"))
        } else if text.chars().any(char::is_control) {
            (
                "control_character",
                "must not contain control characters".to_owned(),
            )
        } else {
            return Some(text.trim().to_owned());
        };
        violations.add(self.pointer(name), code, detail);
        None
    }

    /// Parses an integer within bounds.
    pub fn integer(
        &self,
        name: &str,
        value: &Value,
        bounds: std::ops::RangeInclusive<i64>,
        violations: &mut Violations,
    ) -> Option<i64> {
        let Value::Number(number) = value else {
            violations.add(
                self.pointer(name),
                "wrong_type",
                format!("must be a whole number, not {}", type_name(value)),
            );
            return None;
        };
        let number = number.as_i64().filter(|number| bounds.contains(number));
        if number.is_none() {
            let expected = match (*bounds.start(), *bounds.end()) {
                (start, i64::MAX) => format!("must be a whole number of at least {start}"),
                (start, end) => format!("must be a whole number from {start} to {end}"),
            };
            violations.add(self.pointer(name), "out_of_range", expected);
        }
        number
    }
}

/// The type of a value, as violations name it.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
