//! Cleans text from outside for logs, pages and terminals.

/// The longest reason, in characters.
const MAX_CHARS: usize = 200;

/// `text` as one line of at most 200 characters, without control characters.
pub(super) fn one_line(text: &str) -> String {
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
            // The ellipsis needs one character.
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

/// Control characters, and characters that hide text or change its direction.
fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_at_most_200_characters() {
        let exact = "é".repeat(200);
        assert_eq!(one_line(&exact), exact);
        for long in ["é".repeat(201), "wörd ".repeat(100), "x".repeat(300_000)] {
            let line = one_line(&long);
            assert_eq!(line.chars().count(), 200, "{line}");
            assert!(line.ends_with('…'));
        }
        assert_eq!(one_line(&format!("{exact} more")).chars().count(), 200);
        assert_eq!(one_line("a\u{1b}[31mb\u{202e}c\n\n\td"), "a [31mb c d");
    }
}
