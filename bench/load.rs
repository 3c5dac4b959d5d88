//! Requests over a number of kept-alive connections, each with one request at a time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;
use crate::stats::Sample;

/// A request.
pub struct Call {
    /// With a body it is a POST.
    pub path: String,
    /// JSON.
    pub body: Option<String>,
    /// How it has to be answered.
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

/// A connection.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    authorization: String,
}

impl Client {
    /// Connects, with a token for all requests.
    pub async fn connect(address: SocketAddr, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self {
            sender,
            authorization: format!("Bearer {token}"),
        })
    }

    /// Asks, and reads the answer to its end.
    pub async fn ask(&mut self, call: &Call) -> Result<Bytes> {
        let request = Request::builder()
            .uri(&call.path)
            .header(HOST, "localhost")
            .header(AUTHORIZATION, &self.authorization);
        let request = match &call.body {
            None => request.body(Full::default())?,
            Some(body) => request
                .method(Method::POST)
                .header(CONTENT_TYPE, "application/json")
                .header("idempotency-key", uuid::Uuid::new_v4().to_string())
                .body(Full::from(body.clone()))?,
        };
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if status != call.expected {
            let told = String::from_utf8_lossy(&body);
            return Err(format!("{} was answered {status}: {told}", call.path).into());
        }
        Ok(body)
    }
}

/// Asks by so many connections for so long.
pub async fn run(
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
                let asked = Instant::now();
                client.ask(&call).await?;
                latencies.push(u32::try_from(asked.elapsed().as_micros())?);
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
