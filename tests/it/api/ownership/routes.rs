//! Checks that the ownership tables cover every route: those of the document, those of the sources,
//! and the methods that the running service accepts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use reqwest::Method;

use super::{RULES, guarded, pages, path_of, rules};
use crate::support::client::send;

/// The methods of each path in all tables.
fn ruled() -> BTreeMap<String, BTreeSet<String>> {
    let mut methods = BTreeMap::<_, BTreeSet<_>>::new();
    for (method, path) in [RULES, pages::RULES]
        .map(rules)
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
    {
        methods
            .entry(path)
            .or_default()
            .insert(method.to_uppercase());
    }
    methods
}

/// The paths that the sources of `http` register outside the OpenAPI document.
fn registered() -> BTreeSet<String> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http")];
    let mut texts = vec![fs::read_to_string(folders[0].with_extension("rs")).unwrap()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().is_some_and(|extension| extension == "rs") {
                true => texts.push(fs::read_to_string(path).unwrap()),
                false if path.is_dir() => folders.push(path),
                false => {}
            }
        }
    }
    let mut found = BTreeSet::new();
    for text in texts {
        for (at, call) in text.match_indices(".route(") {
            let argument = text[at + call.len()..].trim_start();
            let path = argument
                .strip_prefix('"')
                .and_then(|rest| rest.split_once('"'));
            let (path, _) = path.expect("a route whose path is no literal cannot be compared");
            found.insert(path.to_owned());
        }
        for other in [".route_service(", ".nest(", ".nest_service("] {
            assert!(
                !text.contains(other),
                "{other} registers what is not compared"
            );
        }
    }
    found
}

#[test]
fn every_path_in_the_sources_has_an_ownership_rule() {
    let ruled = ruled();
    let registered = registered();
    let missing: Vec<_> = registered
        .iter()
        .filter(|path| !ruled.contains_key(*path))
        .collect();
    assert!(missing.is_empty(), "say who may call {missing:?}");
    let document = serde_json::to_value(order_service::http::openapi()).unwrap();
    let is_there = |path: &String| registered.contains(path) || !document["paths"][path].is_null();
    let gone: Vec<_> = ruled.keys().filter(|path| !is_there(path)).collect();
    assert!(gone.is_empty(), "rules without a route: {gone:?}");
}

#[tokio::test]
async fn every_method_of_a_path_has_an_ownership_rule() {
    let app = guarded().await;
    for (template, mut expected) in ruled() {
        let path = path_of(&template, 1)
            .replace("{file}", "x")
            .replace("{code}", "x");
        let request = app.staff().request(Method::TRACE, &path);
        let reply = send(request).await;
        assert_eq!(reply.status, 405, "{template}: {reply:?}");
        let allowed = reply.header("allow").unwrap().split(',');
        let allowed: BTreeSet<_> = allowed.map(|method| method.trim().to_owned()).collect();
        if expected.contains("GET") {
            expected.insert("HEAD".to_owned());
        }
        assert_eq!(allowed, expected, "{template}");
    }
}
