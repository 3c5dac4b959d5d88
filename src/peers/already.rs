//! Whether a peer says that what we ask for has happened before.

/// Whether `text` says "already" and then one of `words`, with nothing of weight between:
/// "already cancelled", "already in CANCELLED status", but not "already shipped, cannot be
/// cancelled".
pub(super) fn says_already(text: &str, words: &[&str]) -> bool {
    const WEIGHTLESS: [&str; 12] = [
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
    let mut said = text
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty());
    while said.by_ref().any(|word| word == "already") {
        let mut rest = said.clone().skip_while(|word| WEIGHTLESS.contains(word));
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
            ("ShipmentRecord 7 is already CANCELLED", true),
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
