//! The listening socket of a stand-in and the server behind it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::Request;
use axum::{Router, ServiceExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::Layer;
use tower_http::normalize_path::NormalizePathLayer;
use url::Url;

use super::disconnect::{DisconnectListener, Disconnector};
use super::hub::Hub;
use super::{Error, reply::Refusal, switches};

/// A bound port that is not served yet.
#[derive(Debug)]
pub(super) struct BoundListener {
    listener: TcpListener,
    service: &'static str,
    url: Url,
}

impl BoundListener {
    /// Binds the port of a stand-in. `name` is the field of [`Ports`](super::Ports) that configures it.
    pub async fn bind(
        host: IpAddr,
        port: u16,
        service: &'static str,
        name: &'static str,
    ) -> Result<Self, Error> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => Error::PortTaken {
                port,
                service,
                name,
            },
            _ => Error::Listen {
                host,
                port,
                service,
                source,
            },
        };
        let listener = TcpListener::bind((host, port)).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let url = Url::parse(&format!("http://{}", reachable(address)))
            .map_err(|e| refused(io::Error::other(e)))?;
        Ok(Self {
            listener,
            service,
            url,
        })
    }

    /// The URL at which clients reach it.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Serves these routes together with the ledger and the fault switches until the sandbox stops.
    pub fn serve(self, routes: Router<Hub>, hub: &Hub) -> JoinHandle<()> {
        let router = routes
            .merge(switches::routes())
            .fallback(async || Refusal::missing("no such page"))
            .method_not_allowed_fallback(async || {
                Refusal::new(
                    axum::http::StatusCode::METHOD_NOT_ALLOWED,
                    "no such method here",
                )
            })
            .with_state(hub.clone());
        // The layer wraps the router, because a layer inside it runs after routing.
        let service = NormalizePathLayer::trim_trailing_slash().layer(router);
        let service =
            ServiceExt::<Request>::into_make_service_with_connect_info::<Disconnector>(service);
        let stopping = hub.stopping().clone().cancelled_owned();
        let Self {
            listener,
            service: name,
            url,
        } = self;
        tokio::spawn(async move {
            tracing::debug!(service = name, %url, "sandbox stand-in listens");
            let served =
                axum::serve(DisconnectListener(listener), service).with_graceful_shutdown(stopping);
            if let Err(error) = served.await {
                tracing::error!(service = name, %error, "sandbox stand-in ended");
            }
        })
    }
}

/// Replaces the unspecified address by loopback, because clients cannot connect to it.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
