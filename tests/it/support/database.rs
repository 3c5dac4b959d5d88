//! A database for each test, cloned from a migrated template.
//!
//! One server serves all tests of a process and ends with it. It has its own runtime, because a
//! test's runtime ends with the test.
//!
//! `TEST_DATABASE_URL`, with a superuser, names another server to use. `TEST_POSTGRES_DIR` names
//! another folder for the data, which is kept for the next run. The default is in `/dev/shm`, where
//! cloning is several times as fast, or below `target` if less than 8 GiB are free there.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs, thread};

use aws_lc_rs::digest::{Context, SHA256};
use order_service::db::migrations::{MIGRATIONS, MigrationPolicy, migrate};
use private_postgres::{Durability, Postgres, Settings};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::runtime::Runtime;
use uuid::Uuid;

mod large;

static SERVER: OnceLock<Server> = OnceLock::new();

/// The first version with `strategy file_copy`; earlier ones always copy files.
const FIRST_WITH_STRATEGIES: u32 = 150_000;

/// The default number of orders in the large database.
const LARGE_ORDERS: u64 = 200_000;

/// The free memory from which on the databases are kept in `/dev/shm`.
const MIN_MEMORY_KIB: u64 = 8 * 1024 * 1024;

/// The advisory lock under which a process makes a template.
const TEMPLATE_LOCK: i64 = 0x6f72_6465_7273;

/// An empty, migrated database for one test, dropped after it.
pub struct TestDatabase {
    /// How to connect to it.
    pub options: PgConnectOptions,
    /// Its name.
    pub name: String,
}

impl TestDatabase {
    /// Clones the template; the first call of a process starts the server.
    pub async fn new() -> Self {
        let server = SERVER.get_or_init(Server::start);
        let name = format!("test_{}", Uuid::new_v4().simple());
        let (template, strategy) = (&server.template, server.strategy);
        let sql = format!("create database {name} template {template}{strategy}");
        let pool = server.pool.clone();
        let cloned = async move { pool.execute(AssertSqlSafe(sql)).await };
        server.runtime.spawn(cloned).await.unwrap().unwrap();
        let options = server.options.clone().database(&name);
        Self { options, name }
    }

    /// A database with many generated orders, shared by all tests and kept for the next run: tests
    /// must not change it. `TEST_LARGE_ORDERS` sets the number.
    pub async fn large() -> (PgConnectOptions, u64) {
        let server = SERVER.get_or_init(Server::start);
        let orders = env::var("TEST_LARGE_ORDERS").map_or(LARGE_ORDERS, |text| {
            text.parse().expect("a number of orders")
        });
        let options = server.options.clone();
        let made = server.runtime.spawn(large::prepare(options, orders));
        (made.await.unwrap(), orders)
    }

    /// A new connection.
    pub async fn connection(&self) -> PgConnection {
        PgConnection::connect_with(&self.options).await.unwrap()
    }

    /// The number of rows of a table.
    pub async fn count(&self, table: &str) -> i64 {
        let sql = AssertSqlSafe(format!("select count(*) from {table}"));
        sqlx::query_scalar(sql)
            .fetch_one(&mut self.connection().await)
            .await
            .unwrap()
    }

    /// Its URL, password included.
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(server) = SERVER.get() {
            let sql = format!("drop database if exists {} with (force)", self.name);
            let pool = server.pool.clone();
            // Dropped in the background; the next process drops what is left.
            server
                .runtime
                .spawn(async move { pool.execute(AssertSqlSafe(sql)).await });
        }
    }
}

struct Server {
    runtime: Runtime,
    options: PgConnectOptions,
    /// Runs on `runtime`.
    pool: PgPool,
    template: String,
    strategy: &'static str,
    /// Ends with the process.
    _private: Option<Private>,
}

/// A private server and the lock on its folder.
type Private = (Postgres, File);

impl Server {
    /// Starts on a separate thread, because the caller's thread runs another runtime.
    fn start() -> Self {
        let thread = thread::spawn(|| {
            let runtime = Runtime::new().unwrap();
            let (options, private) = runtime.block_on(server());
            let (template, strategy) = runtime.block_on(prepare(&options));
            let pool = PgPoolOptions::new().max_connections(4);
            let pool = runtime
                .block_on(pool.connect_with(options.clone()))
                .unwrap();
            Self {
                runtime,
                options,
                pool,
                template,
                strategy,
                _private: private,
            }
        });
        thread.join().expect("a PostgreSQL server for the tests")
    }
}

async fn server() -> (PgConnectOptions, Option<Private>) {
    if let Ok(url) = env::var("TEST_DATABASE_URL") {
        return (url.parse().expect("TEST_DATABASE_URL is a URL"), None);
    }
    let (postgres, lock) = private_server().await;
    let options = postgres.options("postgres");
    use_plain_passwords(&options).await;
    remove_leftovers(&options).await;
    (options, Some((postgres, lock)))
}

/// A folder in memory if there is room, because cloning creates hundreds of files; else one below
/// `target`.
fn default_folder() -> PathBuf {
    let on_disk = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let df = Command::new("df").args(["-Pk", "/dev/shm"]).output();
    let free_kib = df.ok().and_then(|df| {
        let text = String::from_utf8(df.stdout).ok()?;
        let fields = text.lines().nth(1)?;
        fields.split_whitespace().nth(3)?.parse::<u64>().ok()
    });
    if free_kib.is_none_or(|free| free < MIN_MEMORY_KIB) {
        return on_disk;
    }
    // Each checkout has its own.
    let mut hash = DefaultHasher::new();
    on_disk.hash(&mut hash);
    PathBuf::from(format!("/dev/shm/order-service-tests-{:x}", hash.finish()))
}

/// Uses the first folder that no other process has: a server ends with the process that started it,
/// so processes cannot share one.
async fn private_server() -> Private {
    let parent = env::var_os("TEST_POSTGRES_DIR").map_or_else(default_folder, PathBuf::from);
    fs::create_dir_all(&parent).unwrap();
    for number in 1.. {
        let name = match number {
            1 => "postgres".to_owned(),
            number => format!("postgres-{number}"),
        };
        let lock = File::create(parent.join(format!("{name}.in-use"))).unwrap();
        if lock.try_lock().is_err() {
            continue;
        }
        let settings = Settings {
            data_dir: parent.join(name),
            port: None,
            durability: Durability::Throwaway,
            max_connections: 300,
            fresh: false,
        };
        return (start(settings).await, lock);
    }
    unreachable!("there is always a next number")
}

/// Starts with fresh data if the existing data is unusable: it only saves time.
async fn start(settings: Settings) -> Postgres {
    let progress = |line: &str| eprintln!("{line}");
    if let Ok(postgres) = Postgres::start(settings.clone(), progress).await {
        return postgres;
    }
    let fresh = Settings {
        fresh: true,
        ..settings
    };
    Postgres::start(fresh, progress)
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Replaces SCRAM by plain passwords on this private server: SCRAM costs each connection 4096 rounds
/// of SHA-256, and the tests open thousands of connections.
async fn use_plain_passwords(admin: &PgConnectOptions) {
    let mut admin = admin.connect().await.unwrap();
    let file: String = sqlx::query_scalar("show hba_file")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    let rules = fs::read_to_string(&file).unwrap();
    fs::write(&file, rules.replace("scram-sha-256", "password")).unwrap();
    run(&mut admin, "select pg_reload_conf()".to_owned()).await;
    admin.close().await.unwrap();
}

/// Drops leftovers of earlier runs and templates of other migrations.
async fn remove_leftovers(admin: &PgConnectOptions) {
    let mut admin = admin.connect().await.unwrap();
    let current = template_name();
    let names: Vec<String> = sqlx::query_scalar(
        "select datname::text from pg_database \
         where datname not in ('postgres', 'template0', 'template1') and datname <> $1 \
         and datname not like 'large\\_' || $1 || '\\_%'",
    )
    .bind(current)
    .fetch_all(&mut admin)
    .await
    .unwrap();
    for name in names {
        run(&mut admin, format!("drop database {name} with (force)")).await;
    }
    admin.close().await.unwrap();
}

/// Makes the template if it is missing. Returns its name and the cloning strategy.
async fn prepare(options: &PgConnectOptions) -> (String, &'static str) {
    let name = template_name();
    let mut admin = options.connect().await.unwrap();
    sqlx::query("select pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut admin)
        .await
        .unwrap();
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(&name)
            .fetch_one(&mut admin)
            .await
            .unwrap();
    if !exists {
        make_template(options, &mut admin, &name).await;
    }
    let version: String = sqlx::query_scalar("show server_version_num")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    // Closing the connection releases the lock.
    admin.close().await.unwrap();
    let copies_files = version.parse::<u32>().unwrap() >= FIRST_WITH_STRATEGIES;
    let strategy = if copies_files {
        " strategy file_copy"
    } else {
        ""
    };
    (name, strategy)
}

/// Makes it under another name and renames it, so that a database with the template's name is
/// complete.
async fn make_template(options: &PgConnectOptions, admin: &mut PgConnection, name: &str) {
    let unfinished = format!("unfinished_{name}");
    run(
        admin,
        format!("drop database if exists {unfinished} with (force)"),
    )
    .await;
    run(admin, format!("create database {unfinished}")).await;
    create_tables(&options.clone().database(&unfinished)).await;
    run(
        admin,
        format!("alter database {unfinished} rename to {name}"),
    )
    .await;
}

/// Creates the tables of an empty database.
pub async fn create_tables(options: &PgConnectOptions) {
    let policy = MigrationPolicy::default();
    migrate(options, &MIGRATIONS, policy, &mut |_| {})
        .await
        .unwrap();
}

fn template_name() -> String {
    let mut context = Context::new(&SHA256);
    for migration in MIGRATIONS.iter() {
        context.update(&migration.version.to_be_bytes());
        context.update(&migration.checksum);
    }
    let hash = context.finish();
    let hash: String = hash
        .as_ref()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("template_{hash}")
}

/// Runs a statement whose identifiers cannot be bound; all of them come from this file.
async fn run(admin: &mut PgConnection, sql: String) {
    admin
        .execute(AssertSqlSafe(sql.clone()))
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}
