//! Trouble with the database, whatever its kind: away, cut off in the middle, in conflict.

mod conflicts;
mod disconnects;
mod outage;
mod pooler;
pub mod random_cuts;
mod unacknowledged;

use crate::support::app::TestApp;
use crate::support::database::TestDatabase;
use crate::support::proxy::Proxy;

/// A service that reaches its database by a proxy.
async fn behind_a_proxy(settings: &[(&str, &str)]) -> (TestApp, Proxy) {
    let database = TestDatabase::new().await;
    let proxy = Proxy::start(&database.options).await;
    let app = TestApp::reaching(database, &proxy.url(), settings).await;
    (app, proxy)
}
