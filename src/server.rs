//! The listening end of HTTP: takes connections, as many as there may be, and lets none of them hold
//! anything for long without moving. HTTP/1.1, and HTTP/2 for those who know that it is spoken.
//!
//! A connection is watched by one timer (`activity`) for all that its client may be too slow at. What the
//! requests on it may do is no affair of this part.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::metrics::Metrics;

mod activity;
mod watched;

use activity::{Activity, Slow};
use watched::{WatchedBody, WatchedStream};

/// The largest head of a request, and how much of an answer is kept ready for its client, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;
/// The largest head of a request by HTTP/2, in bytes.
const HEADER_LIST_BYTES: u32 = 16 * 1024;
/// How many requests one connection has under way at a time by HTTP/2.
const STREAMS: u32 = 100;
/// How many connections wait to be accepted; the kernel may allow fewer (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;
/// How often the other end of HTTP/2 is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
/// How long nothing is accepted when the process or the machine has no means for it.
const BREATH: Duration = Duration::from_millis(100);
/// How many connections beyond the limit are told so at a time; others are just closed.
const REFUSALS: usize = 256;
/// How long a connection beyond the limit has to hear that.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(1);
/// What it hears.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 0\r\n\r\n";

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many there may be at a time.
    pub max_connections: usize,
    /// How long the head of a request may take to arrive.
    pub header_timeout: Duration,
    /// How long a connection is kept without a request.
    pub keep_alive: Duration,
    /// How long a client may take nothing of its answer.
    pub write_timeout: Duration,
}

/// Whatever answers requests.
pub trait Answers:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Answers for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// Takes a port, with a queue that is long enough for a burst: who finds it full tries again after a second
/// at the earliest.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Else a port would be taken for a while after a restart.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves connections until `stop`; then takes no more, and returns when those that there are have ended.
pub async fn serve<S: Answers>(
    listener: TcpListener,
    service: S,
    limits: Limits,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    // Waiting for a request is not the same as waiting for the rest of one: see `Activity`.
    http1.header_read_timeout(None).max_buf_size(BUFFER_BYTES);
    let mut http2 = builder.http2();
    http2
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_send_buf_size(BUFFER_BYTES);
    let server = Server {
        builder,
        service,
        limits,
        metrics,
        stop,
    };
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let tasks = TaskTracker::new();
    while let Some((stream, peer)) = server.accept(&listener).await {
        if let Ok(place) = places.clone().try_acquire_owned() {
            tasks.spawn(server.clone().converse(stream, peer, place));
            continue;
        }
        server.metrics.connection_ended("refused");
        if let Ok(turn) = refusals.clone().try_acquire_owned() {
            tasks.spawn(refuse(stream, turn));
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

#[derive(Clone)]
struct Server<S> {
    builder: Builder<TokioExecutor>,
    service: S,
    limits: Limits,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
}

impl<S: Answers> Server<S> {
    /// The next connection; none any more once it is stopped.
    async fn accept(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
        use std::io::ErrorKind;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => return None,
            };
            match accepted {
                Ok(accepted) => return Some(accepted),
                Err(error) => match error.kind() {
                    // It was there and has left again.
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset => {}
                    _ => {
                        // Such as no file descriptors: they come back when connections end.
                        self.metrics.connection_ended("not_accepted");
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "connection not accepted"
                        );
                        sleep(BREATH).await;
                    }
                },
            }
        }
    }

    /// Serves one connection until it ends, or its client is too slow.
    async fn converse(self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let _open = self.metrics.connection_opened();
        let _place = place;
        // Answers are written whole: to wait for more before sending would only delay them.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new(self.limits));
        let io = TokioIo::new(WatchedStream::new(stream, activity.clone()));
        let service = Watching {
            service: self.service,
            activity: activity.clone(),
            peer,
        };
        let connection = self
            .builder
            .serve_connection(io, TowerToHyperService::new(service));
        let mut connection = std::pin::pin!(connection);
        let mut stopping = false;
        let mut left = None;
        loop {
            tokio::select! {
                // An error is the client's, who sees it: it has left, or does not speak HTTP.
                _ = connection.as_mut() => return,
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep_until(activity.look_again().into()) => {
                    let slow = match (activity.slow(Instant::now()), left) {
                        // It was told to leave and has not: nobody reads that.
                        (Some(Slow::Idle), Some(_)) => Slow::Stalled,
                        (Some(slow), _) => slow,
                        (None, _) => continue,
                    };
                    if left.is_none() {
                        self.metrics.connection_ended(slow.reason());
                    }
                    match slow {
                        Slow::Idle => {
                            left = Some(activity.leave());
                            connection.as_mut().graceful_shutdown();
                        }
                        Slow::Head | Slow::Stalled => return,
                    }
                }
            }
        }
    }
}

/// Tells a connection that there is no place for it. What it has sent is read: else it would be reset
/// before it has heard that.
async fn refuse(mut stream: TcpStream, turn: OwnedSemaphorePermit) {
    let _turn = turn;
    let told = async {
        stream.write_all(REFUSAL).await?;
        stream.shutdown().await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = timeout(REFUSAL_PATIENCE, told).await;
}

/// Answers the requests of one connection, and notes when there are any.
#[derive(Clone)]
struct Watching<S> {
    service: S,
    activity: Arc<Activity>,
    peer: SocketAddr,
}

impl<S: Answers> Service<hyper::Request<Incoming>> for Watching<S> {
    type Response = hyper::Response<WatchedBody>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: hyper::Request<Incoming>) -> Self::Future {
        let under_way = Activity::begin(&self.activity, request.version());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(answer.map(|body| WatchedBody::new(body, under_way)))
        })
    }
}
