//! A load generator: kept-alive connections with one request at a time.
//!
//! It uses as little CPU as `pgbench`, because it shares the processors with the service: one thread, plain
//! sockets and a parser for response heads.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;
use crate::stats::Sample;

/// Limit of the headers of a response.
const MAX_HEADERS: usize = 32;
/// Size of one read, in bytes.
const READ: usize = 16 << 10;

/// A request.
pub struct Call {
    /// Sent as a POST if there is a body.
    pub path: String,
    /// The JSON body.
    pub body: Option<String>,
    /// The expected status.
    pub expected: StatusCode,
}

impl Call {
    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            body: None,
            expected: StatusCode::OK,
        }
    }
}

/// A client connection.
pub struct Client {
    stream: TcpStream,
    /// The headers of every request.
    headers: String,
    /// The receive buffer.
    buffer: BytesMut,
}

impl Client {
    /// Connects; every request carries the token.
    pub async fn connect(address: SocketAddr, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            headers: format!("host: localhost\r\nauthorization: Bearer {token}\r\n"),
            buffer: BytesMut::new(),
        })
    }

    /// Sends a request and reads the whole response.
    pub async fn send(&mut self, call: &Call) -> Result<Bytes> {
        let (path, headers) = (&call.path, &self.headers);
        let request = match &call.body {
            None => format!("GET {path} HTTP/1.1\r\n{headers}\r\n"),
            Some(body) => format!(
                "POST {path} HTTP/1.1\r\n{headers}content-type: application/json\r\n\
                 idempotency-key: {}\r\ncontent-length: {}\r\n\r\n{body}",
                uuid::Uuid::new_v4(),
                body.len(),
            ),
        };
        self.stream.write_all(request.as_bytes()).await?;
        let head = loop {
            if let Some(head) = Head::parse(&self.buffer)? {
                break head;
            }
            self.read().await?;
        };
        let end = head.length + head.body_length;
        while self.buffer.len() < end {
            self.read().await?;
        }
        let mut answer = self.buffer.split_to(end);
        let body = answer.split_off(head.length).freeze();
        if head.status != call.expected {
            let told = String::from_utf8_lossy(&body);
            return Err(format!("{path} was answered {}: {told}", head.status).into());
        }
        Ok(body)
    }

    async fn read(&mut self) -> Result {
        // The default capacity is 64 bytes.
        self.buffer.reserve(READ);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err("the service has closed the connection".into()),
            _ => Ok(()),
        }
    }
}

/// The head of a response.
struct Head {
    status: StatusCode,
    /// Length of the head, in bytes.
    length: usize,
    body_length: usize,
}

impl Head {
    /// Parses a head; `None` if it is incomplete.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = answer.parse(bytes)? else {
            return Ok(None);
        };
        let body_length = answer
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"))
            .ok_or("an answer does not tell its length")?;
        Ok(Some(Self {
            status: StatusCode::from_u16(answer.code.unwrap_or_default())?,
            length,
            body_length: std::str::from_utf8(body_length.value)?.parse()?,
        }))
    }
}

/// Sends requests on this many connections for this long, in its own thread.
pub async fn run(
    address: SocketAddr,
    token: &str,
    connections: usize,
    time: Duration,
    call: impl Fn() -> Call + Clone + Send + Sync + 'static,
) -> Result<Sample> {
    let token = token.to_owned();
    let load = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        runtime.block_on(ask_by_turns(address, &token, connections, time, call))
    };
    tokio::task::spawn_blocking(load).await?
}

async fn ask_by_turns(
    address: SocketAddr,
    token: &str,
    connections: usize,
    time: Duration,
    call: impl Fn() -> Call + Clone + Send + Sync + 'static,
) -> Result<Sample> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Client::connect(address, token).await?);
    }
    let begin = Instant::now();
    let mut tasks: JoinSet<Result<Vec<u32>>> = JoinSet::new();
    for mut client in clients {
        let call = call.clone();
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while begin.elapsed() < time {
                let call = call();
                let started = Instant::now();
                client.send(&call).await?;
                latencies.push(u32::try_from(started.elapsed().as_micros())?);
            }
            Ok(latencies)
        });
    }
    let mut all = Vec::new();
    while let Some(latencies) = tasks.join_next().await {
        all.extend(latencies??);
    }
    Ok(Sample::new(all, begin.elapsed()))
}
