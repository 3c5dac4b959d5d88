//! Detects a rejection that reports the requested state as reached already.

/// Whether `text` says "already" followed by one of `words`, with only filler words between: it accepts
/// "already cancelled" and "already in CANCELLED status", but not "already shipped, cannot be cancelled".
pub(super) fn says_already(text: &str, words: &[&str]) -> bool {
    const FILLERS: [&str; 12] = [
        "a",
        "as",
        "been",
        "has",
        "in",
        "is",
        "marked",
        "state",
        "status",
        "successfully",
        "the",
        "was",
    ];
    let text = text.to_lowercase();
    let mut words_of_text = text
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty());
    while words_of_text.by_ref().any(|word| word == "already") {
        let mut rest = words_of_text
            .clone()
            .skip_while(|word| FILLERS.contains(word));
        if rest.next().is_some_and(|word| words.contains(&word)) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::says_already;

    #[test]
    fn only_the_word_after_already_counts() {
        let words = ["cancelled", "canceled"];
        for (text, expected) in [
            ("Shipment 7 is already CANCELLED", true),
            ("already in 'CANCELLED' status", true),
            ("already packed? no: already canceled", true),
            ("already shipped, cannot be cancelled", false),
            ("cannot be cancelled already", false),
            ("", false),
        ] {
            assert_eq!(says_already(text, &words), expected, "{text}");
        }
    }
}
