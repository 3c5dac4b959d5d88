//! Checks `src/` against the table of layers in `docs/architecture.md`, and the shape of every source file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest permitted file, in lines.
const MAX_LINES: usize = 400;

/// One row of the table: a top-level module of `src/`, the modules it may import and the libraries it may use.
struct Layer {
    part: String,
    parts: BTreeSet<String>,
    libraries: BTreeSet<String>,
}

#[test]
fn every_module_imports_lower_layers_only() {
    let layers = layers();
    let libraries: BTreeSet<_> = layers.iter().flat_map(|layer| &layer.libraries).collect();
    let mut wrong = Vec::new();
    for file in sources("src") {
        let Some(layer) = layers.iter().find(|layer| part_of(&file) == layer.part) else {
            continue;
        };
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let code: String = text.split_inclusive('\n').map(without_comment).collect();
        for part in parts_named(&code, file.components().count() - 1) {
            let is_part = layers.iter().any(|layer| layer.part == part);
            if is_part && part != layer.part && !layer.parts.contains(&part) {
                wrong.push(format!("{} names crate::{part}", file.display()));
            }
        }
        for library in &libraries {
            if !layer.libraries.contains(*library) && names_library(&code, library) {
                wrong.push(format!("{} names {library}", file.display()));
            }
        }
        if layer.part == "domain" && code.contains("async ") {
            wrong.push(format!("{} is async", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_a_layer() {
    let mut rows: Vec<String> = layers().into_iter().map(|layer| layer.part).collect();
    rows.sort();
    let mut parts: BTreeSet<String> = sources("src").iter().map(|file| part_of(file)).collect();
    parts.retain(|part| part != "lib" && part != "main");
    assert_eq!(rows, parts.into_iter().collect::<Vec<_>>());
}

/// Parts that import only parts of earlier rows form no cycle.
#[test]
fn each_row_names_only_rows_above_it() {
    let mut above = BTreeSet::new();
    for layer in layers() {
        let unknown: Vec<&String> = layer.parts.difference(&above).collect();
        assert!(unknown.is_empty(), "{} names {unknown:?}", layer.part);
        above.insert(layer.part);
    }
}

#[test]
fn every_file_is_short_and_has_a_doc_comment() {
    let mut wrong = Vec::new();
    let folders = ["src", "crates", "tests", "bench"];
    for file in folders.into_iter().flat_map(sources) {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        if text.lines().count() > MAX_LINES {
            wrong.push(format!("{} is too long", file.display()));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not start with //!", file.display()));
        }
        if file.ends_with("mod.rs") {
            wrong.push(format!("{} belongs beside its folder", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_in_every_spelling() {
    let code = "use crate::db;\nuse crate::{\n    clock,\n    http::{Kind, Problem},\n};\n\
        fn f(_: super::super::peers::Tag) { sqlx::query!(\"\"); not_sqlx::x(); a.axum::<B>() }\n";
    assert_eq!(parts_named(code, 2), ["db", "clock", "http", "peers"]);
    assert!(names_library(code, "sqlx"));
    assert!(names_library("use tower_http::cors;", "tower"));
    assert!(!names_library(code, "axum"));
    assert!(!names_library("not_sqlx::x(); x::sqlx::y()", "sqlx"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads the table that begins with the header `| part |`.
fn layers() -> Vec<Layer> {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let names = |cell: &str| match cell.trim() {
        "–" => BTreeSet::new(),
        names => names.split(", ").map(str::to_owned).collect(),
    };
    page.lines()
        .skip_while(|line| !line.starts_with("| part |"))
        .skip(2)
        .map_while(|line| line.strip_prefix("| `"))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            Layer {
                part: cells[0].trim().trim_end_matches('`').to_owned(),
                parts: names(cells[1]),
                libraries: names(cells[2]),
            }
        })
        .collect()
}

/// Every source file below a folder, by its path from the root.
fn sources(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(&folder)).unwrap() {
        let path = folder.as_ref().join(entry.unwrap().file_name());
        if root().join(&path).is_dir() {
            found.extend(sources(path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The top-level module of a file below `src/`.
fn part_of(file: &Path) -> String {
    let name = Path::new(file.iter().nth(1).unwrap()).file_stem();
    name.unwrap().to_str().unwrap().to_owned()
}

fn without_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// The modules that a file at this depth names by `crate::` or by that many `super::`.
fn parts_named(code: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    for prefix in ["crate::".to_owned(), "super::".repeat(depth)] {
        for after in paths(code, &prefix) {
            match after.strip_prefix('{') {
                Some(group) => found.extend(outermost(group).split(',').map(word)),
                None => found.push(word(after)),
            }
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// The text of an import group up to its closing brace, without nested groups.
fn outermost(group: &str) -> String {
    let mut depth = 0_usize;
    let mut outer = String::new();
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            letter if depth == 0 => outer.push(letter),
            _ => {}
        }
    }
    outer
}

/// Whether a path starts with this library, or with a name it begins, as `tower_http` for `tower`.
fn names_library(code: &str, library: &str) -> bool {
    paths(code, library).any(|after| {
        let rest = after.trim_start_matches(is_word);
        rest.starts_with("::") && !rest.starts_with("::<")
    })
}

/// What follows each occurrence of `prefix` at the beginning of a path.
fn paths<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(prefix)
        .filter(|(at, _)| !code[..*at].ends_with(|letter| is_word(letter) || letter == ':'))
        .map(|(at, _)| &code[at + prefix.len()..])
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn word(code: &str) -> String {
    let letters = code.trim_start().chars();
    letters.take_while(|&letter| is_word(letter)).collect()
}
