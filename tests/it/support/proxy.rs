//! Stands between the service and PostgreSQL, and breaks what a test wants broken.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::service::eventually;

/// What becomes of a message to the database, and of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It never arrives.
    Before,
    /// It is executed, and the answer is lost.
    After,
    /// The same, and then the database is away.
    AfterAndAway,
    /// It lies about somewhere, until [`Proxy::deliver`], while its sender is cut off at once.
    Late,
}

/// A proxy on a port of its own.
pub struct Proxy {
    port: u16,
    options: PgConnectOptions,
    state: Arc<State>,
}

struct State {
    plan: Mutex<Plan>,
}

/// Where a connection leads, for as long as it lasts.
#[derive(Clone)]
struct Route {
    target: String,
    /// Whether nothing is passed on, though connections stay.
    silent: Arc<AtomicBool>,
    /// How many connections it has taken.
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

    /// The server has ended; where nothing is passed on, its client never learns of it.
    async fn end(&self) {
        if self.is_silent() {
            std::future::pending().await
        }
    }
}

/// What is to be broken next.
struct Plan {
    /// Cuts off everybody who is connected; another one for those who come later.
    connected: CancellationToken,
    /// Stops to listen; none while it is away.
    listening: Option<CancellationToken>,
    /// Where those who come lead.
    route: Route,
    /// The next message that holds these bytes.
    cut: Option<(Vec<u8>, Cut)>,
    /// A message that is late, and where it goes.
    late: Option<(OwnedWriteHalf, Vec<u8>)>,
    /// Whether the database has dealt with it.
    delivered: bool,
}

impl Proxy {
    /// In front of a database.
    pub async fn start(options: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self {
            port,
            // What is encrypted cannot be looked into.
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

    /// The URL of the database by way of this.
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// Cuts the connection on which the next message with this text is sent. Parameters are seen,
    /// and statements when they are prepared.
    pub fn cut(&self, text: &str, cut: Cut) {
        self.state.plan.lock().unwrap().cut = Some((text.into(), cut));
    }

    /// Fails unless the cut was made.
    pub fn assert_cut(&self) {
        assert!(self.state.plan.lock().unwrap().cut.is_none(), "nothing cut");
    }

    /// Delivers what is late, and waits until the database has dealt with it.
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

    /// Cuts everybody off, and refuses connections.
    pub fn go_away(&self) {
        self.state.go_away();
    }

    /// Keeps connections and takes new ones, but passes nothing on any more.
    pub fn fall_silent(&self) {
        let plan = self.state.plan.lock().unwrap();
        plan.route.silent.store(true, Ordering::Relaxed);
    }

    /// Leads those who come to another server with the same database. Connections stay as they are,
    /// silent ones among them.
    pub fn lead_to(&self, options: &PgConnectOptions) {
        self.state.plan.lock().unwrap().route = Route::to(options);
    }

    /// The number of connections to the current server since [`Proxy::lead_to`].
    pub fn connections(&self) -> usize {
        let plan = self.state.plan.lock().unwrap();
        plan.route.taken.load(Ordering::Relaxed)
    }

    /// Takes connections again, those from before being cut.
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

    /// Passes on what either side says, until one of them ends or is cut off.
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
                            // The answer is nobody's; when it ends, everything was executed.
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

    /// Whether this message is the one, which then is no longer looked for.
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
