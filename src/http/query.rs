//! Parses the parameters of a query string and collects all violations.

use rust_decimal::Decimal;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use url::form_urlencoded;

use crate::domain::money::parse_decimal;
use crate::domain::status::Status;

use super::body::Violations;
use super::problem::{Problem, Violation};

/// The maximum number of parameters. It limits the number of violations in a response.
const MAX_PARAMETERS: usize = 50;

/// The parameters of a query string. Unknown and repeated parameters are violations.
pub struct QueryParameters {
    pairs: Vec<(String, String)>,
    violations: Vec<Violation>,
}

impl QueryParameters {
    /// Splits a query string into the `known` parameters.
    pub fn read(query: Option<&str>, known: &[&str]) -> Self {
        let mut parameters = Self {
            pairs: Vec::new(),
            violations: Vec::new(),
        };
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        for (count, (name, value)) in pairs.enumerate() {
            if count == MAX_PARAMETERS {
                let expected = format!("must have at most {MAX_PARAMETERS} parameters");
                parameters.push(String::new(), "too_many", expected);
                break;
            }
            if !known.contains(&name.as_ref()) {
                let expected = format!(
                    "is not a parameter of this path; known are {}",
                    known.join(", ")
                );
                parameters.reject(&clean(&name), "unknown_parameter", expected);
            } else if parameters.pairs.iter().any(|(found, _)| *found == name) {
                parameters.reject(
                    &name,
                    "duplicate",
                    "must be given once; separate several values by comma",
                );
            } else if value.contains(char::REPLACEMENT_CHARACTER)
                || value.chars().any(char::is_control)
            {
                parameters.reject(
                    &name,
                    "control_character",
                    "must be UTF-8 without control characters",
                );
            } else {
                parameters
                    .pairs
                    .push((name.into_owned(), value.into_owned()));
            }
        }
        parameters
    }

    /// Adds a violation of a parameter.
    pub fn reject(&mut self, name: &str, code: &'static str, detail: impl Into<String>) {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        self.push(pointer, code, detail);
    }

    fn push(&mut self, pointer: String, code: &'static str, detail: impl Into<String>) {
        self.violations.push(Violation {
            location: "query",
            pointer,
            code,
            detail: detail.into(),
        });
    }

    /// Adds violations of other parts of the request.
    pub fn add(&mut self, violations: Violations) {
        self.violations.extend(Vec::from(violations));
    }

    /// Returns the value if there are no violations.
    ///
    /// # Errors
    /// The problem that lists all violations.
    pub fn finish<T>(self, value: T) -> Result<T, Problem> {
        if self.violations.is_empty() {
            Ok(value)
        } else {
            Err(Problem::invalid(self.violations))
        }
    }

    /// The text of a parameter. An empty one counts as absent, because forms send empty fields.
    pub fn text(&self, name: &str) -> Option<String> {
        let found = self.pairs.iter().find(|(found, _)| found == name);
        found
            .map(|(_, value)| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// A text of at most `max` characters.
    pub fn short_text(&mut self, name: &str, max: usize) -> Option<String> {
        let text = self.text(name)?;
        if text.chars().count() > max {
            self.reject(
                name,
                "too_long",
                format!("must have at most {max} characters"),
            );
            return None;
        }
        Some(text)
    }

    /// Statuses, separated by commas.
    pub fn statuses<S: Status>(&mut self, name: &str) -> Vec<S> {
        let Some(text) = self.text(name) else {
            return Vec::new();
        };
        let mut statuses = Vec::new();
        for word in text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            match S::from_name(word) {
                Some(status) if statuses.contains(&status) => {}
                Some(status) => statuses.push(status),
                None => {
                    let known: Vec<_> = S::ALL.iter().map(|status| status.as_str()).collect();
                    let detail = format!("must be one or several of {}", known.join(", "));
                    self.reject(name, "unknown_value", detail);
                    return Vec::new();
                }
            }
        }
        statuses
    }

    /// One of the given words, in any case.
    pub fn one_of<T: Copy>(&mut self, name: &str, words: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(name) else {
            return default;
        };
        match words
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(&text))
        {
            Some((_, value)) => *value,
            None => {
                let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                self.reject(
                    name,
                    "unknown_value",
                    format!("must be one of {}", known.join(", ")),
                );
                default
            }
        }
    }

    /// An integer within bounds.
    pub fn integer(
        &mut self,
        name: &str,
        bounds: std::ops::RangeInclusive<u32>,
        default: u32,
    ) -> u32 {
        let Some(text) = self.text(name) else {
            return default;
        };
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        match text
            .parse::<u32>()
            .ok()
            .filter(|number| plain && bounds.contains(number))
        {
            Some(number) => number,
            None => {
                let detail = format!(
                    "must be a whole number from {} to {}",
                    bounds.start(),
                    bounds.end()
                );
                self.reject(name, "out_of_range", detail);
                default
            }
        }
    }

    /// A time of RFC 3339, in UTC.
    pub fn moment(&mut self, name: &str) -> Option<OffsetDateTime> {
        let text = self.text(name)?;
        // An unescaped plus sign decodes to a space. The year is checked in UTC, because the conversion
        // may leave the supported range.
        let moment = OffsetDateTime::parse(&text.replace(' ', "+"), &Rfc3339)
            .ok()
            .and_then(|moment| moment.checked_to_offset(UtcOffset::UTC))
            .filter(|moment| (1970..=9999).contains(&moment.year()));
        if moment.is_none() {
            self.reject(
                name,
                "not_a_time",
                "must be a time of RFC 3339, such as 2026-11-22T00:00:00Z",
            );
        }
        moment
    }

    /// An amount of money.
    pub fn amount(&mut self, name: &str) -> Option<Decimal> {
        let text = self.text(name)?;
        match parse_decimal(&text) {
            Ok(amount) if amount.abs() <= Decimal::from(1_000_000_000_000_i64) => Some(amount),
            _ => {
                self.reject(
                    name,
                    "not_a_number",
                    "must be a decimal number such as 100.00",
                );
                None
            }
        }
    }
}

/// Shortens the name of an unknown parameter and removes control characters.
fn clean(name: &str) -> String {
    name.chars()
        .filter(|character| !character.is_control())
        .take(40)
        .collect()
}
