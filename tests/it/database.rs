//! Database failures: outages, broken connections, conflicts.

mod conflicts;
mod disconnects;
mod outage;
mod pooler;
pub mod random_cuts;
mod unacknowledged;

use crate::support::app::TestApp;
use crate::support::database::TestDatabase;
use crate::support::proxy::Proxy;

/// A service that connects to its database through a proxy.
async fn behind_a_proxy(settings: &[(&str, &str)]) -> (TestApp, Proxy) {
    let database = TestDatabase::new().await;
    let proxy = Proxy::start(&database.options).await;
    let app = TestApp::reaching(database, &proxy.url(), settings).await;
    (app, proxy)
}
