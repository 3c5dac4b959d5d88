//! The edge of the service, met over real sockets: clients that are slow, too many or too eager, and what every
//! answer tells them.

mod connections;
mod overload;
mod ports;
mod rate_limits;
mod response_headers;
mod slow_clients;

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::support::app::TestApp;
use crate::support::client::Client;

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection of its own.
async fn connect(base: &str) -> TcpStream {
    let address = base.trim_start_matches("http://");
    TcpStream::connect(address).await.unwrap()
}

/// A connection that holds about so many bytes unread.
async fn connect_narrow(base: &str, bytes: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(bytes).unwrap();
    let address = base.trim_start_matches("http://").parse().unwrap();
    socket.connect(address).await.unwrap()
}

/// Everything up to the end of a connection, which the service must bring about.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the connection stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends a request and reads the head of its answer; the connection stays.
async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await;
        head.push(byte.expect("no answer").unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The token of a client, as its header says it.
fn authorization(client: &Client) -> String {
    let request = client.request(reqwest::Method::GET, "/").build().unwrap();
    request.headers()["authorization"]
        .to_str()
        .unwrap()
        .to_owned()
}

/// A sample of the metrics.
async fn metric(app: &TestApp, sample: &str) -> i64 {
    let text = app.nobody().get("/metrics").await.text;
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix(&format!("{sample} ")));
    line.unwrap_or_else(|| panic!("no {sample}"))
        .parse()
        .unwrap()
}

/// How many connections the service has ended for this reason.
async fn ended(app: &TestApp, reason: &str) -> i64 {
    metric(
        app,
        &format!("http_connections_ended_total{{reason=\"{reason}\"}}"),
    )
    .await
}

/// How many requests the service has turned away for this reason.
async fn refused(app: &TestApp, reason: &str) -> i64 {
    metric(app, &format!("http_refused_total{{reason=\"{reason}\"}}")).await
}

/// Many orders of customer 5, with lines of text that make them long.
async fn many_orders(app: &TestApp, count: i32) {
    let mut connection = app.database.connection().await;
    let sql =
        "insert into orders (customer_id, order_status, payment_status, shipping_status, currency,
            subtotal, tax, shipping_fee, order_total, shipping_address)
        select 5, 'CONFIRMED', 'PAID', 'PENDING', 'USD', 1, 0, 0, 1, repeat('x', 450)
        from generate_series(1, $1)";
    let query = sqlx::query(sql).bind(count);
    query.execute(&mut connection).await.unwrap();
}
