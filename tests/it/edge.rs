//! The edge of the service over real sockets: slow clients, overload, rate limits and response
//! headers.

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

/// The limit for every wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// A new connection.
async fn connect(base: &str) -> TcpStream {
    let address = base.trim_start_matches("http://");
    TcpStream::connect(address).await.unwrap()
}

/// A connection with a receive buffer of about this size.
async fn connect_narrow(base: &str, bytes: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(bytes).unwrap();
    let address = base.trim_start_matches("http://").parse().unwrap();
    socket.connect(address).await.unwrap()
}

/// Reads until the service closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the connection stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends a request and reads the head of the response; the connection stays open.
async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await;
        head.push(byte.expect("no answer").unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The Authorization header of a client.
fn authorization(client: &Client) -> String {
    let request = client.request(reqwest::Method::GET, "/").build().unwrap();
    request.headers()["authorization"]
        .to_str()
        .unwrap()
        .to_owned()
}

/// The value of a metric.
async fn metric(app: &TestApp, sample: &str) -> i64 {
    let text = app.anonymous().get("/metrics").await.text;
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix(&format!("{sample} ")));
    line.unwrap_or_else(|| panic!("no {sample}"))
        .parse()
        .unwrap()
}

/// The number of connections closed by the service for this reason.
async fn ended(app: &TestApp, reason: &str) -> i64 {
    metric(
        app,
        &format!("http_connections_ended_total{{reason=\"{reason}\"}}"),
    )
    .await
}

/// The number of requests refused by the service for this reason.
async fn refused(app: &TestApp, reason: &str) -> i64 {
    metric(app, &format!("http_refused_total{{reason=\"{reason}\"}}")).await
}

/// Many orders of customer 5 with long addresses.
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
