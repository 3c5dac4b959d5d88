//! The HTTP server: accepts up to `max_connections` connections and closes stalled ones. It speaks HTTP/1.1,
//! and HTTP/2 with prior knowledge.
//!
//! One timer per connection (`activity`) covers all timeouts that depend on the client. The limits of
//! requests are in `http::edge`.

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

use activity::{Activity, ClientTimeout};
use watched::{WatchedBody, WatchedStream};

/// The largest head of a request, and the send buffer of a response, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;
/// The largest head of an HTTP/2 request, in bytes.
const HEADER_LIST_BYTES: u32 = 16 * 1024;
/// How many concurrent requests an HTTP/2 connection may have.
const STREAMS: u32 = 100;
/// The backlog of the socket; the kernel may allow fewer connections (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;
/// The interval and the timeout of HTTP/2 pings.
const PING: Duration = Duration::from_secs(20);
/// The pause after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many connections beyond the limit receive a 503 at a time; further ones are only closed.
const REFUSALS: usize = 256;
/// The timeout of sending that 503.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);
/// The response to a connection beyond the limit.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 0\r\n\r\n";

/// The limits of connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// The most concurrent connections.
    pub max_connections: usize,
    /// The timeout for receiving the head of a request.
    pub header_timeout: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long a client may read nothing of a response.
    pub write_timeout: Duration,
}

/// A service that handles requests.
pub trait HttpService:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> HttpService for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// Binds a port, with a backlog for bursts: a client that finds it full retries after a second at the
/// earliest.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Otherwise the port would stay in use for a while after a restart.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections until `stop`, and returns when the open ones have ended.
pub async fn serve<S: HttpService>(
    listener: TcpListener,
    service: S,
    limits: ConnectionLimits,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    // `Activity` has this timeout, because hyper starts it before the first byte of a request.
    http1.header_read_timeout(None).max_buf_size(BUFFER_BYTES);
    let mut http2 = builder.http2();
    http2
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_send_buf_size(BUFFER_BYTES);
    let server = ConnectionServer {
        builder,
        service,
        limits,
        metrics,
        stop,
    };
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let tasks = TaskTracker::new();
    while let Some((stream, peer)) = server.accept(&listener).await {
        if let Ok(permit) = permits.clone().try_acquire_owned() {
            tasks.spawn(server.clone().serve_connection(stream, peer, permit));
            continue;
        }
        server.metrics.connection_ended("refused");
        if let Ok(permit) = refusals.clone().try_acquire_owned() {
            tasks.spawn(refuse(stream, permit));
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

#[derive(Clone)]
struct ConnectionServer<S> {
    builder: Builder<TokioExecutor>,
    service: S,
    limits: ConnectionLimits,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
}

impl<S: HttpService> ConnectionServer<S> {
    /// The next connection, or `None` once the server stops.
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
                    // The client has left already.
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset => {}
                    _ => {
                        // For example no free file descriptors; they return when connections end.
                        self.metrics.connection_ended("not_accepted");
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "connection not accepted"
                        );
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }

    /// Serves one connection until it ends or a timeout of its client expires.
    async fn serve_connection(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
    ) {
        let _open = self.metrics.connection_opened();
        let _permit = permit;
        // Responses are written whole, so Nagle's algorithm would only delay them.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new(self.limits));
        let io = TokioIo::new(WatchedStream::new(stream, activity.clone()));
        let service = ObservedService {
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
                // An error means that the client has left or does not speak HTTP.
                _ = connection.as_mut() => return,
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep_until(activity.next_check().into()) => {
                    let timeout = match (activity.expired(Instant::now()), left) {
                        // The client does not read the end of the connection.
                        (Some(ClientTimeout::Idle), Some(_)) => ClientTimeout::Stalled,
                        (Some(timeout), _) => timeout,
                        (None, _) => continue,
                    };
                    if left.is_none() {
                        self.metrics.connection_ended(timeout.reason());
                    }
                    match timeout {
                        ClientTimeout::Idle => {
                            left = Some(activity.begin_close());
                            connection.as_mut().graceful_shutdown();
                        }
                        ClientTimeout::Head | ClientTimeout::Stalled => return,
                    }
                }
            }
        }
    }
}

/// Responds with 503 to a connection beyond the limit. Reads what the client has sent, because otherwise the
/// kernel would reset the connection before the client has read the response.
async fn refuse(mut stream: TcpStream, permit: OwnedSemaphorePermit) {
    let _permit = permit;
    let response = async {
        stream.write_all(REFUSAL).await?;
        stream.shutdown().await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = timeout(REFUSAL_TIMEOUT, response).await;
}

/// Forwards the requests of one connection and tracks them in its [`Activity`].
#[derive(Clone)]
struct ObservedService<S> {
    service: S,
    activity: Arc<Activity>,
    peer: SocketAddr,
}

impl<S: HttpService> Service<hyper::Request<Incoming>> for ObservedService<S> {
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
        let in_flight = Activity::begin(&self.activity, request.version());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let response = self.service.call(request);
        Box::pin(async move {
            let response = response.await?;
            Ok(response.map(|body| WatchedBody::new(body, in_flight)))
        })
    }
}
