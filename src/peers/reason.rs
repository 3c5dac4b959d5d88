//! A short, clean line out of whatever a peer sends when it says no.

mod html;

use serde_json::Value;

use crate::json;

/// How long a reason may be, in characters.
const MAX_CHARS: usize = 200;
/// Where the words are, the most telling place first. Spring puts "Conflict" under `error` and
/// the cause under `message`.
const WORDS: [&str; 9] = [
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

/// What a body says, or `None` when it has no words.
pub(super) fn of_body(body: &[u8]) -> Option<String> {
    let words = match json::read::<Value>(body) {
        Ok(value) => of_json(&value)?,
        Err(_) => html::text(&String::from_utf8_lossy(body)),
    };
    let line = clean(&words);
    (!line.is_empty()).then_some(line)
}

/// One line of at most 200 characters, without anything that a terminal or page would act on.
pub(super) fn clean(text: &str) -> String {
    let mut line = String::new();
    let mut length = 0;
    for word in text
        .split(|letter: char| letter.is_whitespace() || is_invisible(letter))
        .filter(|word| !word.is_empty())
    {
        let gap = usize::from(length > 0);
        let room = MAX_CHARS - length;
        let needed = gap + word.chars().count();
        if gap == 1 {
            line.push(' ');
        }
        if needed > room {
            // One place is kept for the mark; a line that is full to the brim gives one up.
            line.extend(word.chars().take(room.saturating_sub(gap)));
            while line.chars().count() >= MAX_CHARS {
                line.pop();
            }
            line.push('…');
            return line;
        }
        line.push_str(word);
        length += needed;
    }
    line
}

/// Control characters, and those that turn or hide text.
fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        )
}

/// What JSON says, in any of the shapes that frameworks give to errors.
fn of_json(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Value::Array(parts) => joined(parts.iter().filter_map(of_part)),
        Value::Object(fields) => {
            let words = WORDS.iter().find_map(|key| of_json(fields.get(*key)?));
            let code = fields.get("code").and_then(Value::as_str);
            match (code, words) {
                (Some(code), Some(words)) => Some(format!("{code}: {words}")),
                (Some(code), None) => Some(code.to_owned()),
                (None, Some(words)) => Some(words),
                (None, None) => joined(fields.iter().filter_map(|(field, faults)| {
                    let faults = joined(faults.as_array()?.iter().filter_map(of_part))?;
                    Some(format!("{field}: {faults}"))
                })),
            }
        }
        _ => None,
    }
}

/// One of several faults: text, or where it is and what it is.
fn of_part(part: &Value) -> Option<String> {
    let words = of_json(part)?;
    let Some(place) = part.get("loc").and_then(Value::as_array) else {
        return Some(words);
    };
    let place: Vec<_> = place.iter().filter_map(super::json::text).collect();
    Some(format!("{}: {words}", place.join(".")))
}

fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<_> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests;
