//! Reads variables and collects their errors, so that all are reported together. Errors never contain values,
//! because a value may be a secret.

use std::fmt;

use super::variables::VARIABLES;

/// All errors of the configuration.
#[derive(Debug)]
pub struct ConfigErrors(Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} error(s):", self.0.len())?;
        self.0
            .iter()
            .try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

impl std::error::Error for ConfigErrors {}

/// Reads variables through the function `get` and collects errors.
pub struct SettingsReader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<String>,
    read: Vec<&'static str>,
}

impl<'a> SettingsReader<'a> {
    /// A reader without errors.
    pub fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            get,
            faults: Vec::new(),
            read: Vec::new(),
        }
    }

    /// The text of a variable. An empty variable counts as not set.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.read.push(name);
        (self.get)(name)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    }

    /// A variable, or its default of [`VARIABLES`]. `None` if an error was added.
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
            self.reject(name, "is not set");
            return None;
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.reject(name, expected);
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

    /// Adds an error about a variable.
    pub fn reject(&mut self, name: &str, what: impl fmt::Display) {
        self.faults.push(format!("{name} {what}"));
    }

    /// The value, or all errors.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, ConfigErrors> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(ConfigErrors(self.faults)),
        }
    }

    /// The variables that were read.
    pub fn variables_read(&self) -> &[&'static str] {
        &self.read
    }
}
