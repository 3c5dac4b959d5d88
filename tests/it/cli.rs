//! The commands of the real binary, each in its own folder and environment.

mod database;
mod dev;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use order_service::config::VARIABLES;
use order_service::domain::principal::Role;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::app::TestApp;
use crate::support::client::SECRET;
use crate::support::issuer::verifier;
use crate::support::service::BINARY;

/// The limit for every wait on a busy machine; PostgreSQL may have to be downloaded.
const PATIENCE: Duration = Duration::from_secs(300);

/// The binary with a command, to run in `folder`. Of this process's environment it gets only PATH
/// and HOME.
pub fn order_service(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for name in ["PATH", "HOME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

/// The result of a command.
#[derive(Debug)]
pub struct CommandResult {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub async fn end(mut command: Command) -> CommandResult {
    let output = timeout(PATIENCE, command.output())
        .await
        .expect("no end")
        .unwrap();
    CommandResult {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a command to its end in a new folder.
async fn run(arguments: &[&str], settings: &[(&str, &str)]) -> CommandResult {
    let folder = folder();
    let mut command = order_service(folder.path(), arguments);
    command.envs(settings.iter().copied());
    end(command).await
}

/// A folder outside this project, so that its `.env` is not found.
pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn help_names_every_command_and_every_variable() {
    let help = run(&["--help"], &[]).await;
    assert_eq!(help.code, Some(0), "{help:?}");
    let words: Vec<&str> = help.stdout.split_whitespace().collect();
    let commands = [
        "serve",
        "dev",
        "migrate",
        "sandbox",
        "token",
        "import",
        "reconcile",
        "openapi",
        "healthcheck",
    ];
    let variables = VARIABLES.iter().map(|variable| variable.name);
    for name in commands.into_iter().chain(variables) {
        assert!(words.contains(&name), "{name} is not in\n{}", help.stdout);
    }
}

#[tokio::test]
async fn the_last_line_of_token_is_a_valid_token() {
    let verifier = verifier(&[("SECRET_KEY", SECRET)]);
    for (arguments, role, number) in [
        (&["token", "--customer", "7"][..], Role::Customer, 7),
        (&["token", "--staff"], Role::Staff, 1000),
        (&["token", "--staff", "--customer", "8"], Role::Staff, 8),
    ] {
        let printed = run(arguments, &[("SECRET_KEY", SECRET)]).await;
        assert_eq!(printed.code, Some(0), "{printed:?}");
        let token = printed.stdout.lines().last().unwrap();
        let principal = verifier.verify(token).await.unwrap().principal;
        let customer_id = principal.customer_id.map(|id| id.0);
        assert_eq!((principal.role, customer_id), (role, Some(number)));
    }
}

#[tokio::test]
async fn token_without_a_key_explains_how_to_set_one() {
    let refused = run(&["token", "--customer", "7"], &[]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    for hint in ["SECRET_KEY", "order-service dev"] {
        assert!(refused.stderr.contains(hint), "{refused:?}");
    }
}

#[tokio::test]
async fn serve_reports_all_config_errors_at_once_and_no_secret() {
    let settings = [
        ("DATABASE_URL", "mysql//shop:hunter2@nowhere"),
        ("SECRET_KEY", "too-short-to-be-secret"),
        ("PORT", "65536"),
        ("CURRENCY", "GOLD"),
        ("TAX_RATE", "18"),
        ("PAYMENT_SERVICE_URL", "payment:hunter3"),
        ("LEASE_S", "1"),
    ];
    let refused = run(&["serve"], &settings).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    for (name, _) in settings {
        assert!(
            refused.stderr.contains(&format!("- {name} ")),
            "{name}: {refused:?}"
        );
    }
    let told = refused.stderr.matches("\n  - ").count();
    assert_eq!(told, settings.len(), "{refused:?}");
    for secret in ["hunter", "too-short-to-be-secret"] {
        assert!(!refused.stderr.contains(secret), "{refused:?}");
    }
}

#[tokio::test]
async fn an_unreadable_env_file_is_refused_without_showing_it() {
    let folder = folder();
    std::fs::write(folder.path().join(".env"), "SECRET_KEY='hunter2").unwrap();
    let refused = end(order_service(folder.path(), &["serve"])).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains(".env"), "{refused:?}");
    assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
}

#[tokio::test]
async fn openapi_prints_the_document() {
    let printed = run(&["openapi"], &[]).await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let document: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert!(document["paths"]["/v1/orders/create/"]["post"].is_object());
}

#[tokio::test]
async fn healthcheck_succeeds_only_while_the_service_is_ready() {
    let mut app = TestApp::start().await;
    let port = app.base.rsplit(':').next().unwrap().to_owned();
    let settings = [("PORT", port.as_str())];

    let healthy = run(&["healthcheck"], &settings).await;
    assert_eq!(
        (healthy.code, healthy.stdout.as_str()),
        (Some(0), "ready\n"),
        "{healthy:?}"
    );

    let mut conn = app.database.connection().await;
    sqlx::query("drop table _sqlx_migrations")
        .execute(&mut conn)
        .await
        .unwrap();
    let unready = run(&["healthcheck"], &settings).await;
    assert_eq!(unready.code, Some(1), "{unready:?}");
    assert!(unready.stderr.contains("503"), "{unready:?}");

    app.stop().await;
    assert_eq!(run(&["healthcheck"], &settings).await.code, Some(1));
}
