//! Holds the layers, as `docs/architecture.md` tells them, and the shape of the files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A part of `src/`, what it may name of the others, and which of [`LIBRARIES`].
struct Layer {
    part: &'static str,
    parts: &'static [&'static str],
    libraries: &'static [&'static str],
}

const fn layer(
    part: &'static str,
    parts: &'static [&'static str],
    libraries: &'static [&'static str],
) -> Layer {
    Layer {
        part,
        parts,
        libraries,
    }
}

/// Every part. Who is not told to name `config` gets its settings handed over.
const LAYERS: &[Layer] = &[
    layer("domain", &[], &[]),
    layer("clock", &[], &[]),
    layer("failpoints", &[], &[]),
    layer("json", &[], &[]),
    layer("metrics", &["domain"], &[]),
    layer(
        "telemetry",
        &[],
        &["opentelemetry", "reqwest", "tokio", "tracing_opentelemetry"],
    ),
    layer("auth", &["domain", "metrics", "clock", "json"], &["tokio"]),
    layer("db", &["domain", "metrics"], &["sqlx", "deadpool", "tokio"]),
    layer(
        "peers",
        &[
            "domain",
            "auth",
            "metrics",
            "telemetry",
            "clock",
            "failpoints",
            "json",
        ],
        &["reqwest", "tower", "tokio"],
    ),
    layer("notifications", &["domain", "db"], &["tokio"]),
    layer(
        "orders",
        &[
            "domain",
            "db",
            "notifications",
            "metrics",
            "clock",
            "failpoints",
        ],
        &["tokio"],
    ),
    layer(
        "fulfilment",
        &[
            "domain",
            "db",
            "peers",
            "notifications",
            "metrics",
            "telemetry",
            "clock",
            "failpoints",
        ],
        &["tokio"],
    ),
    layer(
        "reconciliation",
        &["domain", "db", "peers", "fulfilment", "metrics"],
        &["tokio"],
    ),
    layer(
        "http",
        &[
            "domain",
            "orders",
            "auth",
            "metrics",
            "telemetry",
            "clock",
            "json",
        ],
        &["axum", "tower", "utoipa", "tokio"],
    ),
    layer("server", &["metrics"], &["axum", "hyper", "tower", "tokio"]),
    layer("import", &["domain"], &["sqlx", "tokio"]),
    layer("generate", &["domain"], &["sqlx", "tokio"]),
    layer(
        "sandbox",
        &["clock", "json"],
        &["axum", "tower", "reqwest", "tokio"],
    ),
    layer(
        "config",
        &[
            "domain",
            "auth",
            "db",
            "orders",
            "fulfilment",
            "peers",
            "reconciliation",
            "http",
            "server",
            "telemetry",
        ],
        &["sqlx"],
    ),
    layer(
        "app",
        &[
            "config",
            "auth",
            "db",
            "peers",
            "notifications",
            "orders",
            "fulfilment",
            "reconciliation",
            "http",
            "server",
            "metrics",
        ],
        &["deadpool", "tokio"],
    ),
    layer(
        "dev",
        &["app", "config", "auth", "db", "domain", "import", "sandbox"],
        &["sqlx", "reqwest", "tokio"],
    ),
    layer(
        "cli",
        &[
            "app",
            "config",
            "auth",
            "clock",
            "db",
            "dev",
            "generate",
            "http",
            "import",
            "reconciliation",
            "sandbox",
            "telemetry",
        ],
        &["clap", "sqlx", "reqwest", "tokio"],
    ),
];

/// The libraries that tie a part to a database, a protocol or a runtime.
const LIBRARIES: [&str; 11] = [
    "axum",
    "clap",
    "deadpool",
    "hyper",
    "opentelemetry",
    "reqwest",
    "sqlx",
    "tokio",
    "tower",
    "tracing_opentelemetry",
    "utoipa",
];

/// How long a file may be, in lines.
const MAX_LINES: usize = 400;

#[test]
fn every_module_imports_lower_layers_only() {
    let mut wrong = Vec::new();
    for file in sources("src") {
        let Some(layer) = layer_of(&file) else {
            continue;
        };
        let code = without_comments(&fs::read_to_string(&file).unwrap());
        for (line, part) in parts_named(&code, depth(&file)) {
            if part != layer.part && is_part(&part) && !layer.parts.contains(&part.as_str()) {
                wrong.push(format!("{}:{line} names crate::{part}", file.display()));
            }
        }
        for library in LIBRARIES {
            if layer.libraries.contains(&library) {
                continue;
            }
            for line in lines_naming(&code, library) {
                wrong.push(format!("{}:{line} names {library}", file.display()));
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
    let parts: BTreeSet<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .filter(|part| part != "lib" && part != "main")
        .collect();
    let layers: BTreeSet<String> = LAYERS.iter().map(|layer| layer.part.to_owned()).collect();
    assert_eq!(parts, layers);
}

#[test]
fn the_architecture_page_has_the_same_layers() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for layer in LAYERS {
        let names = |names: &[&str]| match names {
            [] => "–".to_owned(),
            names => names.join(", "),
        };
        let row = format!(
            "| `{}` | {} | {} |",
            layer.part,
            names(layer.parts),
            names(layer.libraries)
        );
        assert!(
            page.contains(&row),
            "docs/architecture.md lacks the row\n{row}"
        );
    }
}

#[test]
fn every_file_is_short_and_has_a_doc_comment() {
    let mut wrong = Vec::new();
    for file in sources("src").into_iter().chain(sources("tests")) {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{} has {lines} lines", file.display()));
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
    let found: Vec<(usize, String)> = parts_named(code, 2);
    let expected = [(1, "db"), (3, "clock"), (4, "http"), (6, "peers")];
    let expected: Vec<_> = expected.map(|(line, part)| (line, part.to_owned())).into();
    assert_eq!(found, expected);
    assert_eq!(lines_naming(code, "sqlx"), [6]);
    assert!(lines_naming(code, "axum").is_empty());
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file below a folder, by its path from the root.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The layer of a file below `src`; none for `lib.rs` and `main.rs`.
fn layer_of(file: &Path) -> Option<&'static Layer> {
    let below = file.strip_prefix("src").unwrap();
    let first = below.components().next().unwrap().as_os_str();
    let part = Path::new(first).file_stem().unwrap();
    LAYERS.iter().find(|layer| part == layer.part)
}

fn is_part(name: &str) -> bool {
    LAYERS.iter().any(|layer| layer.part == name)
}

/// How many modules lie between a file and the crate: 2 for `src/db/pool.rs`.
fn depth(file: &Path) -> usize {
    file.components().count() - 1
}

fn without_comments(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The parts that a file at this depth names by `crate::` or by that many `super::`, with lines.
fn parts_named(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate::".to_owned(), "super::".repeat(depth)] {
        for at in places(code, &root) {
            let start = at + root.len();
            let names = match code[start..].strip_prefix('{') {
                Some(_) => group(code, start + 1),
                None => vec![start],
            };
            for at in names {
                found.push((line_of(code, at), word(&code[at..])));
            }
        }
    }
    found
}

/// Where the outermost names of a group begin, up to its closing brace.
fn group(code: &str, start: usize) -> Vec<usize> {
    let mut names = Vec::new();
    let (mut depth, mut begins) = (0_usize, true);
    for (index, letter) in code[start..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            letter if begins && !letter.is_whitespace() => {
                names.push(start + index);
                begins = false;
            }
            _ => {}
        }
    }
    names
}

/// The lines on which a library is named: `sqlx::`, and not `x::sqlx::` nor `not_sqlx::`; a name
/// that begins alike belongs to it, as `tower_http` to `tower`.
fn lines_naming(code: &str, library: &str) -> Vec<usize> {
    places(code, library)
        .into_iter()
        .filter(|at| {
            let rest = code[at + library.len()..].trim_start_matches(is_word);
            rest.starts_with("::") && !rest.starts_with("::<")
        })
        .map(|at| line_of(code, at))
        .collect()
}

/// Where `name` occurs as the beginning of a path.
fn places(code: &str, name: &str) -> Vec<usize> {
    code.match_indices(name)
        .map(|(at, _)| at)
        .filter(|&at| !code[..at].ends_with(|letter| is_word(letter) || letter == ':'))
        .collect()
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn word(code: &str) -> String {
    code.chars().take_while(|&letter| is_word(letter)).collect()
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}
