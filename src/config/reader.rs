//! Reads variables and gathers everything that is wrong with them, so that all of it is told at once.
//! Values are never repeated in errors: one of them may be a secret.

use std::fmt;

use super::variables::VARIABLES;

/// Everything that is wrong with the configuration.
#[derive(Debug)]
pub struct Faults(Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} fault(s):", self.0.len())?;
        self.0
            .iter()
            .try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

impl std::error::Error for Faults {}

/// Reads variables from wherever `get` takes them.
pub struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<String>,
    read: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// A reader that has found no fault so far.
    pub fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            get,
            faults: Vec::new(),
            read: Vec::new(),
        }
    }

    /// A variable's text; an empty one counts as not set.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.read.push(name);
        (self.get)(name)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    }

    /// A variable, or its default as [`VARIABLES`] gives it. `None`: a fault was noted.
    pub fn value<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(name).or_else(|| {
            VARIABLES
                .iter()
                .find(|variable| variable.name == name)
                .and_then(|variable| variable.default)
                .map(str::to_owned)
        });
        let Some(text) = text else {
            self.fault(name, "is not set");
            return None;
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.fault(name, expected);
                None
            }
        }
    }

    /// A whole number within bounds.
    pub fn number(
        &mut self,
        name: &'static str,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        self.value(name, |text| {
            text.parse::<u64>()
                .ok()
                .filter(|number| bounds.contains(number))
                .ok_or(format!(
                    "must be a whole number from {} to {}",
                    bounds.start(),
                    bounds.end()
                ))
        })
    }

    /// Notes that a variable is at fault.
    pub fn fault(&mut self, name: &str, what: impl fmt::Display) {
        self.faults.push(format!("{name} {what}"));
    }

    /// The value, if nothing was at fault.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Faults> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(Faults(self.faults)),
        }
    }

    /// The variables that were asked for so far.
    pub fn asked_for(&self) -> &[&'static str] {
        &self.read
    }
}
