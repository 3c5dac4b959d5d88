//! The text of an HTML page, as proxies and frameworks send when something breaks.

/// Parts whose text is not for reading.
const SILENT: [&str; 2] = ["script", "style"];

/// `page` without its tags; plain text stays as it is.
pub(super) fn text(page: &str) -> String {
    if !looks_like_html(page) {
        return page.to_owned();
    }
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        // A tag separates words, whatever it does to the page.
        text.push(' ');
        let name: String = tag
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase();
        rest = after_tag(tag);
        if SILENT.contains(&name.as_str()) {
            rest = after_end_of(rest, &name);
        }
    }
    text.push_str(rest);
    unescaped(&text)
}

fn looks_like_html(page: &str) -> bool {
    let start = page.trim_start().as_bytes();
    start.first() == Some(&b'<') || page.contains("</")
}

fn after_tag(tag: &str) -> &str {
    let end = if tag.starts_with("!--") { "-->" } else { ">" };
    tag.split_once(end).map_or("", |(_, rest)| rest)
}

fn after_end_of<'a>(rest: &'a str, name: &str) -> &'a str {
    // Lower case of ASCII letters only, so that offsets stay those of `rest`.
    let end = rest.to_ascii_lowercase().find(&format!("</{name}"));
    end.and_then(|at| rest.get(at..)).unwrap_or("")
}

fn unescaped(text: &str) -> String {
    [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (name, letter)| {
        text.replace(name, letter)
    })
}
