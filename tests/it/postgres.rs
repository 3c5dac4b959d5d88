//! The private PostgreSQL server: start, sharing, refusals, and shutdown with its owner.

mod owner;
mod refusals;

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use private_postgres::{Durability, Postgres, Settings};
use sqlx::{ConnectOptions, Connection};

use crate::support::database::TestDatabase;

/// An empty folder for one test; it is kept if the test fails.
struct Folder(PathBuf);

fn folder(test: &str) -> Folder {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("postgres-tests")
        .join(format!("{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    Folder(folder)
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }
}

fn settings(folder: &Path) -> Settings {
    Settings {
        data_dir: folder.join("data"),
        port: None,
        durability: Durability::Throwaway,
        max_connections: 20,
        fresh: false,
    }
}

async fn start(settings: Settings) -> Postgres {
    Postgres::start(settings, |_| {})
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

async fn refusal(settings: Settings) -> String {
    Postgres::start(settings, |_| {})
        .await
        .expect_err("a refusal")
        .to_string()
}

async fn answer(postgres: &Postgres, question: &'static str) -> Result<String, sqlx::Error> {
    let mut connection = postgres.options("postgres").connect().await?;
    let answer = sqlx::query_scalar(question)
        .fetch_one(&mut connection)
        .await;
    connection.close().await?;
    answer
}

/// The process id of the server, from its pid file.
fn pid(data: &Path) -> Option<u32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// The id and the command line of each process that was started on the data: the server, and the
/// shells that watch it.
fn processes_on(data: &Path) -> Vec<(u32, String)> {
    let data = data.to_str().unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let id: u32 = entry.file_name().to_str()?.parse().ok()?;
            let words = fs::read(entry.path().join("cmdline")).ok()?;
            Some((id, String::from_utf8_lossy(&words).replace('\0', " ")))
        })
        .filter(|(_, words)| words.contains(data))
        .collect()
}

/// The command lines of these processes.
fn processes(data: &Path) -> Vec<String> {
    let processes = processes_on(data).into_iter();
    processes.map(|(_, words)| words).collect()
}

pub async fn wait_until_nothing_runs_on(data: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !processes(data).is_empty() {
        assert!(
            Instant::now() < deadline,
            "still there: {:?}",
            processes(data)
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_private_server_starts_and_requires_its_password() {
    let folder = folder("starts");
    let postgres = start(settings(&folder)).await;

    let who = answer(&postgres, "select session_user::text")
        .await
        .unwrap();
    assert_eq!(who, "postgres");
    let stranger = postgres
        .options("postgres")
        .password("guess")
        .connect()
        .await;
    let error = stranger.expect_err("a refusal");
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "28P01");
    let url = postgres.url("postgres");
    assert!(url.starts_with("postgres://postgres:"), "{url}");
    assert!(url.ends_with(&format!("@127.0.0.1:{}/postgres", postgres.port())));
    assert!(!format!("{postgres:?}").contains(&url[20..52]));

    postgres.stop().await.unwrap();
    assert_eq!(processes(&folder), Vec::<String>::new());
}

#[tokio::test]
async fn a_second_start_keeps_the_data_unless_told_to_be_fresh() {
    let folder = folder("second-start");
    let postgres = start(settings(&folder)).await;
    let mut connection = postgres.options("postgres").connect().await.unwrap();
    sqlx::query("create table kept (id int)")
        .execute(&mut connection)
        .await
        .unwrap();
    // The open connection must not hold the shutdown up.
    postgres.stop().await.unwrap();

    let there = "select to_regclass('kept')::text is not null || ''";
    let postgres = start(settings(&folder)).await;
    assert_eq!(answer(&postgres, there).await.unwrap(), "true");
    postgres.stop().await.unwrap();

    let fresh = Settings {
        fresh: true,
        ..settings(&folder)
    };
    let postgres = start(fresh).await;
    assert_eq!(answer(&postgres, there).await.unwrap(), "false");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_running_server_is_shared_and_left_running() {
    let folder = folder("joined");
    let first = start(settings(&folder)).await;

    let second = start(settings(&folder)).await;
    assert_eq!(second.port(), first.port());
    answer(&second, "select 'here'").await.unwrap();
    second.stop().await.unwrap();
    answer(&first, "select 'still here'").await.unwrap();

    let fresh = Settings {
        fresh: true,
        ..settings(&folder)
    };
    let line = refusal(fresh).await;
    assert!(line.contains("stop it before starting afresh"), "{line}");
    first.stop().await.unwrap();
}

#[tokio::test]
async fn leftovers_of_a_crashed_initdb_are_removed() {
    let folder = folder("half-made");
    fs::create_dir(folder.join("data.new")).unwrap();
    fs::write(folder.join("data.new/PG_VERSION"), "15").unwrap();
    fs::write(folder.join("data.new-password"), "old").unwrap();

    start(settings(&folder)).await.stop().await.unwrap();

    assert!(!folder.join("data.new").exists());
    assert!(!folder.join("data.new-password").exists());
}

#[tokio::test]
async fn each_test_gets_its_own_migrated_database() {
    let (one, other) = tokio::join!(TestDatabase::new(), TestDatabase::new());
    let mut connection = one.options.connect().await.unwrap();
    sqlx::query("create table mine (id int)")
        .execute(&mut connection)
        .await
        .unwrap();

    let mut connection = sqlx::PgConnection::connect(&other.url()).await.unwrap();
    let (name, migrated, mine): (String, bool, bool) = sqlx::query_as(
        "select current_database()::text, to_regclass('_sqlx_migrations') is not null, \
         to_regclass('mine') is not null",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!((name, migrated, mine), (other.name.clone(), true, false));
}
