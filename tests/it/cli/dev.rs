//! `order-service dev`, the first command that a new user runs.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;

use reqwest::Method;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::postgres::wait_until_nothing_runs_on;
use crate::support::client::{Client, send};

use super::{PATIENCE, end, folder, order_service};

/// A free port for each flag.
fn port_flags() -> Vec<String> {
    let names = [
        "port",
        "user-port",
        "inventory-port",
        "payment-port",
        "shipping-port",
    ];
    // All ports are bound at the same time, so that they differ.
    let taken: Vec<TcpListener> = names.iter().map(|_| listener()).collect();
    let ports = taken.iter().map(|port| port.local_addr().unwrap().port());
    names
        .iter()
        .zip(ports)
        .map(|(name, port)| format!("--{name}={port}"))
        .collect()
}

fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// A running `order-service dev`.
struct Dev {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: JoinHandle<String>,
}

impl Dev {
    fn start(folder: &Path, flags: &[String]) -> Self {
        let arguments: Vec<&str> = ["dev"]
            .into_iter()
            .chain(flags.iter().map(String::as_str))
            .collect();
        let mut child = order_service(folder, &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // In its own process group, as a shell starts it: Ctrl-C reaches all of its processes.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()).lines(),
            stderr: tokio::spawn(async move {
                let mut text = String::new();
                stderr.read_to_string(&mut text).await.unwrap();
                text
            }),
            child,
        }
    }

    /// Reads up to the line with this prefix and returns the rest of that line.
    async fn line(&mut self, beginning: &str) -> String {
        let found = timeout(PATIENCE, async {
            while let Some(line) = self.stdout.next_line().await.unwrap() {
                if let Some(rest) = line.trim_start().strip_prefix(beginning) {
                    return Some(rest.to_owned());
                }
            }
            None
        });
        match found.await.expect("no such line in time") {
            Some(rest) => rest,
            None => panic!("no line {beginning}: {}", (&mut self.stderr).await.unwrap()),
        }
    }

    /// Sends SIGINT to the process group, as Ctrl-C does.
    async fn interrupt(&self) {
        let group = format!("kill -INT -{}", self.child.id().unwrap());
        let sent = Command::new("sh")
            .args(["-c", &group])
            .status()
            .await
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for its successful exit.
    async fn end(mut self) {
        let status = timeout(PATIENCE, self.child.wait())
            .await
            .expect("no end")
            .unwrap();
        assert!(status.success(), "{status}: {}", self.stderr.await.unwrap());
    }
}

/// The values of the banner.
struct Banner {
    base: String,
    token: String,
    /// The URL of the printed curl command.
    url: String,
    header: String,
    body: Value,
}

impl Banner {
    async fn read(dev: &mut Dev) -> Self {
        let base = dev
            .line("API ")
            .await
            .trim()
            .trim_end_matches("/v1/orders/")
            .to_owned();
        dev.line("Token of customer 5:").await;
        let token = dev.line("").await;
        let url = dev.line("curl -s -X POST ").await;
        let header = dev.line("-H 'Authorization: ").await;
        let body = dev.line("-d '").await;
        Self {
            base,
            token,
            url: url.trim_end_matches(" \\").to_owned(),
            header: header.trim_end_matches("' \\").to_owned(),
            body: serde_json::from_str(body.trim_end_matches('\'')).unwrap(),
        }
    }

    fn customer(&self) -> Client {
        Client::with_token(&self.base, self.token.clone())
    }
}

/// The port of a private server's address.
fn port_of(database_url: &str) -> u16 {
    reqwest::Url::parse(database_url).unwrap().port().unwrap()
}

async fn assert_no_server(folder: &Path, port: u16) {
    wait_until_nothing_runs_on(folder).await;
    assert!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(),
        "{port} is still open"
    );
}

#[tokio::test]
async fn the_dev_banner_is_correct_and_ctrl_c_loses_nothing() {
    let folder = folder();
    let mut dev = Dev::start(folder.path(), &port_flags());
    let banner = Banner::read(&mut dev).await;
    let anonymous = Client::anonymous("");
    let request = anonymous
        .request(Method::POST, &banner.url)
        .header("Authorization", &banner.header)
        .json(&banner.body);
    let placed = send(request).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    assert_eq!(placed.body["order_status"], "CONFIRMED");
    let history = banner.customer().get("/v1/orders/my-orders/5/").await;
    assert!(
        history.body["count"].as_i64() > Some(1),
        "no demo orders: {history:?}"
    );

    let port = port_of(&std::fs::read_to_string(folder.path().join(".dev/database_url")).unwrap());
    dev.interrupt().await;
    dev.end().await;
    assert_no_server(folder.path(), port).await;

    let mut dev = Dev::start(folder.path(), &port_flags());
    let banner = Banner::read(&mut dev).await;
    let found = banner.customer().details(placed.order_id()).await;
    assert_eq!(
        (found.status, &found.body["order_total"]),
        (200, &placed.body["order_total"])
    );

    // Other commands in the same folder use its key, its database and its peers.
    let token = end(order_service(folder.path(), &["token", "--customer", "5"])).await;
    let client = Client::with_token(&banner.base, token.stdout.trim().to_owned());
    assert_eq!(client.details(placed.order_id()).await.status, 200);
    let migrated = end(order_service(folder.path(), &["migrate"])).await;
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    // They do not call the peers of another dev environment.
    let reconciled = end(order_service(folder.path(), &["reconcile", "--grace", "0"])).await;
    assert_eq!(reconciled.code, Some(0), "{reconciled:?}");

    dev.interrupt().await;
    dev.end().await;
}

#[tokio::test]
async fn dev_reports_a_taken_port_before_starting_anything() {
    let folder = folder();
    let taken = listener();
    let port = taken.local_addr().unwrap().port();
    let mut flags = port_flags();
    flags[0] = format!("--port={port}");
    let arguments: Vec<&str> = ["dev"]
        .into_iter()
        .chain(flags.iter().map(String::as_str))
        .collect();
    let refused = end(order_service(folder.path(), &arguments)).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    let words = format!("port {port} for the service is taken (choose another with --port)");
    assert!(refused.stderr.contains(&words), "{refused:?}");
    assert!(!folder.path().join(".dev").exists());
}

#[tokio::test]
async fn dev_database_only_ends_when_stdin_closes() {
    let folder = folder();
    let mut dev = Dev::start(folder.path(), &["--database-only".to_owned()]);
    let url = dev.line("DATABASE_URL=").await;
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let orders: i64 = sqlx::query_scalar("select count(*) from orders")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(orders, 0);

    drop(dev.stdin.take());
    dev.end().await;
    assert_no_server(folder.path(), port_of(&url)).await;
}
