//! The manual of the variables.

use std::fmt::Write as _;

use super::variables::{VARIABLES, Variable};

/// The manual, for `--help`.
pub fn manual() -> String {
    let mut text = String::from("Configuration, from the environment and from .env:\n");
    for Variable {
        name,
        default,
        meaning,
    } in VARIABLES
    {
        let _ = write!(text, "  {name:<28}{meaning}");
        if let Some(default) = default {
            let _ = write!(text, " [{default}]");
        }
        text.push('\n');
    }
    text
}
