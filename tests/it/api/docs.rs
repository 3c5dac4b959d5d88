//! The documentation routes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::app::TestApp;

/// The values of the attribute `name` in a page.
fn attributes(page: &str, name: &str) -> Vec<String> {
    page.split(&format!("{name}=\""))
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_documentation_page_and_its_assets_are_served() {
    let app = TestApp::start().await;
    let page = app.anonymous().get("/orders-doc/").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    let assets = [
        attributes(&page.text, "src"),
        attributes(&page.text, "href"),
    ]
    .concat();
    assert_eq!(assets.len(), 5, "{assets:?}");
    for asset in assets {
        assert!(
            asset.starts_with("/orders-doc/"),
            "works without the slash at the end: {asset}"
        );
        let request = app.anonymous().request(reqwest::Method::GET, &asset);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{asset}");
        let content_type = response.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let expected = match asset.rsplit('.').next().unwrap() {
            "js" => "javascript",
            "css" => "text/css",
            "png" => "image/png",
            other => panic!("what is {other}?"),
        };
        assert!(content_type.contains(expected), "{asset} is {content_type}");
        assert!(!response.bytes().await.unwrap().is_empty());
    }
    let start = app
        .anonymous()
        .get("/orders-doc/swagger-initializer.js")
        .await;
    assert!(
        start.text.contains("/orders-doc/openapi.json"),
        "{}",
        start.text
    );
}

#[tokio::test]
async fn the_openapi_document_is_public_json() {
    let app = TestApp::start().await;
    let reply = app.anonymous().get("/orders-doc/openapi.json").await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(
        reply.body,
        serde_json::to_value(order_service::http::openapi()).unwrap()
    );
}

#[tokio::test]
async fn every_problem_type_links_to_its_description() {
    let app = TestApp::start().await;
    for kind in order_service::http::ProblemKind::ALL {
        let reply = app.anonymous().get(kind.type_uri()).await;
        assert_eq!(
            (reply.status, &reply.body["code"]),
            (200, &kind.code().into())
        );
    }
}

fn document() -> Value {
    serde_json::to_value(order_service::http::openapi()).unwrap()
}

/// Every operation with its path and method.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item)| {
        let item: &Value = item;
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (format!("{method} {path}"), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "$ref" {
                    found.insert(value.as_str().unwrap());
                }
                references(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_valid_openapi_3_1() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    for field in ["title", "version"] {
        assert!(
            document["info"][field]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
    let tags: BTreeSet<_> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    for (name, operation) in operations(&document) {
        for tag in operation["tags"].as_array().unwrap() {
            assert!(tags.contains(tag.as_str().unwrap()), "{name}: {tag}");
        }
    }
}

#[test]
fn every_operation_has_a_unique_id_and_a_description() {
    let document = document();
    let mut names = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(names.insert(id), "{id} twice");
        assert!(operation["summary"].is_string(), "{name}");
        let (_, path) = name.split_once(' ').unwrap();
        let none = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&none);
        let in_path: BTreeSet<_> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| {
                assert_eq!(parameter["required"], true);
                format!("{{{}}}", parameter["name"].as_str().unwrap())
            })
            .collect();
        let templates = path.split('/').filter(|segment| segment.starts_with('{'));
        assert_eq!(in_path, templates.map(str::to_owned).collect(), "{name}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let described = response["description"].as_str();
            assert!(
                described.is_some_and(|text| !text.is_empty()),
                "{name} {status}"
            );
            let is_health = name.contains("/health/") && status == "503";
            if status.starts_with(['4', '5']) && !is_health {
                let content = &response["content"]["application/problem+json"]["schema"];
                assert_eq!(
                    content["$ref"], "#/components/schemas/Problem",
                    "{name} {status}"
                );
            }
        }
    }
}

#[test]
fn routes_that_need_a_token_declare_it() {
    for (name, operation) in operations(&document()) {
        let secured = operation["security"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        assert_eq!(secured, name.contains("/v1/"), "{name}");
        if secured {
            for status in ["400", "401", "403", "408", "429", "500", "503"] {
                assert!(
                    operation["responses"][status].is_object(),
                    "{name} {status}"
                );
            }
        }
    }
}
