//! A minimal PromQL reader that extracts metric names and labels.

/// A metric with its label matchers.
#[derive(Debug, PartialEq, Eq)]
pub struct Selector {
    pub name: String,
    pub matchers: Vec<(String, String)>,
}

/// Keywords, which are not metrics. Functions are recognized by the bracket that follows.
const WORDS: &[&str] = &[
    "sum",
    "min",
    "max",
    "count",
    "avg",
    "topk",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "and",
    "or",
    "unless",
    "bool",
    "offset",
];
/// Keywords that are followed by labels in brackets.
const BEFORE_LABELS: &[&str] = &[
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

fn in_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_' || char == ':'
}

/// Takes a run of matching characters off the front.
fn take<'a>(text: &mut &'a str, wanted: impl Fn(char) -> bool) -> &'a str {
    let end = text.find(|char| !wanted(char)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    *text = rest;
    word
}

/// Every selector with braces.
pub fn selectors(expr: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut rest = expr;
    while !rest.is_empty() {
        let name = take(&mut rest, in_word);
        let Some(inner) = rest.strip_prefix('{') else {
            // Skips characters outside words.
            rest = rest.strip_prefix(|char| !in_word(char)).unwrap_or(rest);
            continue;
        };
        rest = inner;
        let mut matchers = Vec::new();
        while !rest.starts_with('}') {
            let label = take(&mut rest, in_word).to_owned();
            take(&mut rest, |char| "=!~".contains(char));
            rest = rest.strip_prefix('"').expect(expr);
            let value = take(&mut rest, |char| char != '"').to_owned();
            rest = &rest[1..];
            take(&mut rest, |char| ", ".contains(char));
            matchers.push((label, value));
        }
        let name = name.to_owned();
        found.push(Selector { name, matchers });
    }
    found
}

/// Every metric name, with or without braces.
pub fn names(expr: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = expr;
    while !rest.is_empty() {
        let word = take(&mut rest, in_word);
        if word.is_empty() {
            rest = match rest.chars().next() {
                Some('"') => after(&rest[1..], '"'),
                Some('{') => after_braces(rest),
                Some('[') => after(rest, ']'),
                Some(char) => &rest[char.len_utf8()..],
                None => rest,
            };
            continue;
        }
        let next = rest.trim_start();
        if BEFORE_LABELS.contains(&word) {
            rest = after(next, ')');
        } else if !next.starts_with('(')
            && !WORDS.contains(&word)
            && !word.starts_with(|char: char| char.is_ascii_digit())
        {
            found.push(word.to_owned());
        }
    }
    found
}

fn after(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// Skips the braces; a label's value may contain braces.
fn after_braces(text: &str) -> &str {
    let mut quoted = false;
    for (at, char) in text.char_indices() {
        match char {
            '"' => quoted = !quoted,
            '}' if !quoted => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[test]
fn promql_names_and_labels_are_extracted() {
    let query = r#"topk(5, sum by (route, le) (rate(a_total{job="x", route=~"/{id}/|/"}[5m]))) / on (z) slo:b:rate5m > 0.5"#;
    assert_eq!(names(query), ["a_total", "slo:b:rate5m"]);
    let matchers = [("job", "x"), ("route", "/{id}/|/")];
    let matchers = matchers.map(|(label, value)| (label.to_owned(), value.to_owned()));
    let name = "a_total".to_owned();
    assert_eq!(
        selectors(query),
        [Selector {
            name,
            matchers: matchers.to_vec()
        }]
    );
}
