//! A TCP proxy between the service and PostgreSQL that injects faults.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::service::eventually;

/// The fault of a message to the database and its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The message never arrives.
    Before,
    /// The message is executed, and the response is lost.
    After,
    /// As `After`, and then the database is down.
    AfterAndAway,
    /// The message is delayed until [`Proxy::deliver`], while its sender is disconnected at once.
    Late,
}

/// A proxy on its own port.
pub struct Proxy {
    port: u16,
    options: PgConnectOptions,
    state: Arc<State>,
}

struct State {
    plan: Mutex<Plan>,
}

/// The server of a connection, for its whole life.
#[derive(Clone)]
struct Route {
    target: String,
    /// Whether traffic is dropped while connections stay open.
    silent: Arc<AtomicBool>,
    /// The number of accepted connections.
    taken: Arc<AtomicUsize>,
}

impl Route {
    fn to(options: &PgConnectOptions) -> Self {
        Self {
            target: format!("{}:{}", options.get_host(), options.get_port()),
            silent: Arc::default(),
            taken: Arc::default(),
        }
    }

    fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// The server has ended. A silent route never tells its client.
    async fn end(&self) {
        if self.is_silent() {
            std::future::pending::<()>().await;
        }
    }
}

/// The faults to inject.
struct Plan {
    /// Cuts all current connections; later ones get a new token.
    connected: CancellationToken,
    /// Stops the listener; `None` while the proxy is down.
    listening: Option<CancellationToken>,
    /// The route of new connections.
    route: Route,
    /// The fault of the next message that contains these bytes.
    cut: Option<(Vec<u8>, Cut)>,
    /// A delayed message and its server connection.
    late: Option<(OwnedWriteHalf, Vec<u8>)>,
    /// Whether the database has executed the delayed message.
    delivered: bool,
}

impl Proxy {
    /// Starts a proxy in front of a database.
    pub async fn start(options: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self {
            port,
            // The proxy cannot search encrypted messages.
            options: options
                .clone()
                .host("127.0.0.1")
                .port(port)
                .ssl_mode(PgSslMode::Disable),
            state: Arc::new(State {
                plan: Mutex::new(Plan {
                    connected: CancellationToken::new(),
                    listening: None,
                    route: Route::to(options),
                    cut: None,
                    late: None,
                    delivered: false,
                }),
            }),
        };
        proxy.listen(listener);
        proxy
    }

    /// The URL of the database through the proxy.
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// Cuts the connection that sends the next message with this text. Parameters are visible
    /// always, statements when they are prepared.
    pub fn cut(&self, text: &str, cut: Cut) {
        self.state.plan.lock().unwrap().cut = Some((text.into(), cut));
    }

    /// Fails unless the cut was made.
    pub fn assert_cut(&self) {
        assert!(self.state.plan.lock().unwrap().cut.is_none(), "nothing cut");
    }

    /// Delivers the delayed message and waits until the database has executed it.
    pub async fn deliver(&self) {
        let late = self.state.plan.lock().unwrap().late.take();
        let (mut server, message) = late.expect("something is late");
        server.write_all(&message).await.unwrap();
        server.shutdown().await.unwrap();
        eventually("the database has dealt with what was late", async || {
            self.state.plan.lock().unwrap().delivered.then_some(())
        })
        .await;
    }

    /// Cuts all connections and refuses new ones.
    pub fn go_away(&self) {
        self.state.go_away();
    }

    /// Keeps and accepts connections, but drops all traffic from now on.
    pub fn fall_silent(&self) {
        let plan = self.state.plan.lock().unwrap();
        plan.route.silent.store(true, Ordering::Relaxed);
    }

    /// Routes new connections to another server with the same database. Existing connections stay,
    /// including silent ones.
    pub fn lead_to(&self, options: &PgConnectOptions) {
        self.state.plan.lock().unwrap().route = Route::to(options);
    }

    /// The number of connections to the current server since [`Proxy::lead_to`].
    pub fn connections(&self) -> usize {
        let plan = self.state.plan.lock().unwrap();
        plan.route.taken.load(Ordering::Relaxed)
    }

    /// Accepts connections again, and cuts the earlier ones.
    pub async fn come_back(&self) {
        self.state.go_away();
        let listener = eventually("the port is free again", async || {
            TcpListener::bind(("127.0.0.1", self.port)).await.ok()
        });
        let listener = listener.await;
        self.state.plan.lock().unwrap().route.silent = Arc::default();
        self.listen(listener);
    }

    fn listen(&self, listener: TcpListener) {
        let stop = CancellationToken::new();
        self.state.plan.lock().unwrap().listening = Some(stop.clone());
        let state = self.state.clone();
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (state, connected, route) = {
                    let plan = state.plan.lock().unwrap();
                    plan.route.taken.fetch_add(1, Ordering::Relaxed);
                    (state.clone(), plan.connected.clone(), plan.route.clone())
                };
                tokio::spawn(async move {
                    let passed = state.pass(client, &route);
                    connected.run_until_cancelled(passed).await;
                });
            }
        }));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.go_away();
    }
}

impl State {
    fn go_away(&self) {
        let mut plan = self.plan.lock().unwrap();
        if let Some(listening) = plan.listening.take() {
            listening.cancel();
        }
        std::mem::take(&mut plan.connected).cancel();
    }

    /// Forwards traffic in both directions until either side ends or is cut.
    async fn pass(&self, client: TcpStream, route: &Route) {
        let Ok(server) = TcpStream::connect(&route.target).await else {
            return route.end().await;
        };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            tokio::select! {
                read = from_client.read(&mut asked) => {
                    let Ok(length @ 1..) = read else { return };
                    let message = &asked[..length];
                    match self.cut_of(message) {
                        None if route.is_silent() => {}
                        None => {
                            if to_server.write_all(message).await.is_err() {
                                return;
                            }
                        }
                        Some(Cut::Before) => return,
                        Some(Cut::Late) => {
                            self.plan.lock().unwrap().late = Some((to_server, message.to_vec()));
                            drop((from_client, to_client));
                            // The response is discarded; when it ends, everything was executed.
                            while let Ok(1..) = from_server.read(&mut answered).await {}
                            self.plan.lock().unwrap().delivered = true;
                            return;
                        }
                        Some(cut) => {
                            let _ = to_server.write_all(message).await;
                            let _ = from_server.read(&mut answered).await;
                            if cut == Cut::AfterAndAway {
                                self.go_away();
                            }
                            return;
                        }
                    }
                }
                read = from_server.read(&mut answered) => {
                    let Ok(length @ 1..) = read else { return route.end().await };
                    if !route.is_silent() && to_client.write_all(&answered[..length]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// The fault of this message, which is then used up.
    fn cut_of(&self, message: &[u8]) -> Option<Cut> {
        let mut plan = self.plan.lock().unwrap();
        let (text, _) = plan.cut.as_ref()?;
        let holds = message.windows(text.len()).any(|part| part == text);
        if holds {
            plan.cut.take().map(|(_, cut)| cut)
        } else {
            None
        }
    }
}
