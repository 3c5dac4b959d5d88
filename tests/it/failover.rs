//! Failover: a standby becomes the primary while the service runs. A proxy is the stable address
//! that leads to the current primary, like a Kubernetes Service.

mod lost_orders;
mod reads;
mod under_load;
mod unusable_servers;

use order_service::config::Environment;
use sandbox::Sandbox;

use crate::support::app::{TestApp, environment_of};
use crate::support::client::Client;
use crate::support::proxy::Proxy;
use crate::support::replicated::Replicated;
use crate::support::service::Service;

/// The service on a primary and a standby.
struct ReplicatedShop {
    servers: Replicated,
    proxy: Proxy,
    sandbox: Sandbox,
    environment: Environment,
    service: Service,
}

impl ReplicatedShop {
    /// Starts the service, with the first server as the primary.
    async fn open(settings: &[(&str, &str)]) -> Self {
        let servers = Replicated::start().await;
        let proxy = Proxy::start(&servers.primary()).await;
        let sandbox = TestApp::sandbox().await;
        let mut environment = environment_of(&proxy.url(), &sandbox);
        for (name, value) in settings {
            environment.set(name, *value);
        }
        Self {
            service: Service::start(&environment).await,
            servers,
            proxy,
            sandbox,
            environment,
        }
    }

    fn customer(&self, customer_id: i64) -> Client {
        Client::customer(&self.service.base, customer_id)
    }

    fn staff(&self) -> Client {
        Client::staff(&self.service.base)
    }

    /// Kills the primary, promotes the standby and routes new connections to it.
    async fn fail_over(&mut self) {
        self.servers.kill_primary().await;
        self.servers.promote().await;
        self.proxy.lead_to(&self.servers.standby());
    }

    async fn close(mut self) {
        self.service.kill().await;
        self.servers.stop().await;
    }
}
