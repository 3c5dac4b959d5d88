//! Reads the values of a JSON body and gathers every fault of the request on the way, so that all of
//! them are told at once.

use serde_json::{Map, Value};

use super::problem::{Fault, Problem};

/// The faults found so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault of the body.
    pub fn add(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) {
        self.push("body", pointer, code, detail);
    }

    /// Notes a fault of a header.
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
        self.0.push(Fault {
            location,
            pointer: pointer.into(),
            code,
            detail: detail.into(),
        });
    }

    /// The value, if nothing was at fault.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problem::invalid(self.0)),
        }
    }
}

impl From<Faults> for Vec<Fault> {
    fn from(faults: Faults) -> Self {
        faults.0
    }
}

/// An object of the body, and where it is.
pub struct Object<'a> {
    fields: &'a Map<String, Value>,
    pointer: String,
}

impl<'a> Object<'a> {
    /// The object at `pointer`; a fault when it is something else.
    pub fn at(value: &'a Value, pointer: impl Into<String>, faults: &mut Faults) -> Option<Self> {
        let pointer = pointer.into();
        match value {
            Value::Object(fields) => Some(Self { fields, pointer }),
            other => {
                faults.add(
                    pointer,
                    "wrong_type",
                    format!("must be an object, not {}", type_name(other)),
                );
                None
            }
        }
    }

    /// The pointer of a field.
    pub fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    /// A field that is there and not null.
    pub fn optional(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A field that must be there; a fault when it is missing or null.
    pub fn required(&self, name: &str, faults: &mut Faults) -> Option<&'a Value> {
        let found = self.fields.get(name);
        match found {
            None => faults.add(self.pointer(name), "missing", "must be given"),
            Some(Value::Null) => faults.add(self.pointer(name), "null", "must not be null"),
            Some(_) => {}
        }
        found.filter(|value| !value.is_null())
    }

    /// Reads the text of a field: not blank, at most `max` characters, none of them invisible.
    pub fn text(
        &self,
        name: &str,
        value: &Value,
        max: usize,
        faults: &mut Faults,
    ) -> Option<String> {
        let Value::String(text) = value else {
            faults.add(
                self.pointer(name),
                "wrong_type",
                format!("must be a text, not {}", type_name(value)),
            );
            return None;
        };
        let fault = if text.trim().is_empty() {
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
        faults.add(self.pointer(name), fault.0, fault.1);
        None
    }

    /// Reads a whole number within bounds.
    pub fn number(
        &self,
        name: &str,
        value: &Value,
        bounds: std::ops::RangeInclusive<i64>,
        faults: &mut Faults,
    ) -> Option<i64> {
        let Value::Number(number) = value else {
            faults.add(
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
            faults.add(self.pointer(name), "out_of_range", expected);
        }
        number
    }
}

/// What a value is, in words.
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
