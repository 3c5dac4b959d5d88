//! Alerts, dashboard and runbook refer to existing metrics and to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sqlx::Executor as _;

use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::database::TestDatabase;
use crate::support::service::eventually;

mod promql;

use promql::{Selector, names, selectors};

const RULES: &str = "ops/prometheus/rules.yml";
const DASHBOARD: &str = "ops/grafana/dashboards/order-service.json";

/// Labels whose values a single order does not all produce.
const OPEN_LABELS: &[&str] = &["job", "service", "slo", "status", "outcome"];

fn read(path: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &str) -> Value {
    serde_yaml_ng::from_str(&read(path)).unwrap()
}

/// Every recording and alerting rule.
fn rules() -> Vec<Value> {
    let groups = yaml(RULES)["groups"].take();
    let of = |group: &Value| group["rules"].as_array().unwrap().clone();
    groups.as_array().unwrap().iter().flat_map(of).collect()
}

/// Every alert by name.
fn alerts() -> BTreeMap<String, Value> {
    let named = |rule: Value| Some((rule["alert"].as_str()?.to_owned(), rule));
    rules().into_iter().filter_map(named).collect()
}

/// Every `expr` of a panel.
fn exprs(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(expr)) = object.get("expr") {
                found.push(expr.clone());
            }
            object.values().for_each(|value| exprs(value, found));
        }
        Value::Array(array) => array.iter().for_each(|value| exprs(value, found)),
        _ => {}
    }
}

/// The contents of the code blocks in this language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let block = |rest: &str| rest.split("```").next().unwrap().to_owned();
    page.split(&fence).skip(1).map(block).collect()
}

/// Every query with its origin.
fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for rule in rules() {
        let name = rule["alert"].as_str().or(rule["record"].as_str()).unwrap();
        queries.push((name.to_owned(), rule["expr"].as_str().unwrap().to_owned()));
    }
    let mut panels = Vec::new();
    let dashboard = serde_json::from_str(&read(DASHBOARD)).unwrap();
    exprs(&dashboard, &mut panels);
    assert!(panels.len() > 20, "{} queries of panels", panels.len());
    for expr in panels {
        queries.push((DASHBOARD.to_owned(), expr));
    }
    for block in blocks(&read("docs/runbook.md"), "promql") {
        queries.extend(
            block
                .lines()
                .map(|line| ("runbook".to_owned(), line.to_owned())),
        );
    }
    queries
}

/// The values of each label of each metric.
type Samples = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

async fn scrape() -> Samples {
    let app = TestApp::start().await;
    let customer = app.customer(5);
    let order_id = customer.place(&cart("SKU0001", 1, "1.00")).await.order_id();
    customer.details(order_id).await;
    customer.cancel(order_id).await;
    eventually("the tables are measured", async || {
        let text = app.anonymous().get("/metrics").await.text;
        text.contains("\nsagas_stuck{").then_some(())
    })
    .await;
    let text = app.anonymous().get("/metrics").await.text;
    let mut samples = Samples::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (sample, _) = line.rsplit_once(' ').unwrap();
        let Selector { name, matchers } = selectors(sample).pop().unwrap_or(Selector {
            name: sample.to_owned(),
            matchers: Vec::new(),
        });
        let labels = samples.entry(name).or_default();
        for (label, value) in matchers {
            labels.entry(label).or_default().insert(value);
        }
    }
    samples
}

#[tokio::test]
async fn every_query_uses_existing_metrics_and_labels() {
    let samples = scrape().await;
    let recorded: BTreeSet<String> = rules()
        .iter()
        .filter_map(|rule| Some(rule["record"].as_str()?.to_owned()))
        .collect();
    let mut faults = Vec::new();
    for (place, expr) in queries() {
        let asked = selectors(&expr);
        for name in names(&expr) {
            if !asked.iter().any(|selector| selector.name == name) {
                faults.push(format!("{place}: {name} of any job"));
            }
            let elsewhere = !cfg!(target_os = "linux") && name.starts_with("process_");
            let ours = samples.contains_key(&name) || recorded.contains(&name);
            if !ours && !matches!(name.as_str(), "up" | "ALERTS") && !elsewhere {
                faults.push(format!("{place}: no metric {name}"));
            }
        }
        for Selector { name, matchers } in asked {
            let Some(labels) = samples.get(&name) else {
                continue;
            };
            let ours = recorded.contains(&name) || matchers.iter().any(|(label, _)| label == "job");
            if !ours {
                faults.push(format!("{place}: {name} of any job"));
            }
            for (label, value) in &matchers {
                if OPEN_LABELS.contains(&label.as_str()) || value.contains('*') {
                    continue;
                }
                let known = labels.get(label);
                let unknown = |value: &&str| known.is_none_or(|known| !known.contains(*value));
                faults.extend(
                    value
                        .split('|')
                        .filter(unknown)
                        .map(|value| format!("{place}: {name} has no {label}={value}")),
                );
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn every_sql_statement_of_the_runbook_is_valid() {
    let database = TestDatabase::new().await;
    let mut connection = database.connection().await;
    let statements = blocks(&read("docs/runbook.md"), "sql");
    assert!(statements.len() > 4, "{statements:?}");
    for statements in statements {
        let done = connection
            .execute(sqlx::AssertSqlSafe(statements.as_str()))
            .await;
        assert!(done.is_ok(), "{statements}: {done:?}");
    }
}

#[test]
fn every_alert_has_a_summary_and_a_runbook_section() {
    let runbook = read("docs/runbook.md");
    let sections: BTreeSet<&str> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let alerts = alerts();
    let named: BTreeSet<&str> = alerts.keys().map(String::as_str).collect();
    assert_eq!(sections, named);
    for (name, alert) in &alerts {
        let annotations = &alert["annotations"];
        let anchor = format!("docs/runbook.md#{}", name.to_lowercase());
        assert_eq!(annotations["runbook_url"], anchor, "{name}");
        for told in ["summary", "description"] {
            let text = annotations[told].as_str().unwrap_or_default();
            assert!(text.len() > 10, "{name} has no {told}");
        }
        let severity = alert["labels"]["severity"].as_str();
        assert!(matches!(severity, Some("critical" | "warning")), "{name}");
        let section = runbook.split(&format!("## {name}\n")).nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        for part in ["Means", "Shoppers", "Look", "Do", "Escalate"] {
            assert!(section.contains(&format!("\n**{part}**")), "{name}: {part}");
        }
    }
}

#[test]
fn every_alert_has_a_firing_and_a_silent_test_case() {
    let tests = yaml("ops/prometheus/rules_test.yml");
    for name in alerts().keys() {
        let of_it = |test: &&Value| {
            let expr = test["expr"].as_str().unwrap();
            expr.contains(&format!("alertname=\"{name}\""))
        };
        let all = tests["tests"].as_array().unwrap().iter();
        let (quiet, firing): (Vec<_>, Vec<_>) = all
            .filter_map(|test| test["promql_expr_test"].as_array())
            .flatten()
            .filter(of_it)
            .partition(|test| test["exp_samples"] == Value::Array(Vec::new()));
        assert!(!quiet.is_empty(), "{name} is never seen not to fire");
        assert!(!firing.is_empty(), "{name} is never seen to fire");
    }
}

#[test]
fn the_prometheus_operator_gets_the_same_rules() {
    let rule = yaml("ops/prometheus/prometheusrule.yaml");
    let same = rule["spec"] == yaml(RULES);
    assert!(same, "make prometheusrule.yaml anew, as its head says");
}
