//! Order Service: owns a shop's orders. The map: to change …
//!
//! | … this | look in |
//! |---|---|
//! | a route, its documentation, what it reads and answers | [`http`]`::orders`, a file each |
//! | a page for people, how it looks | [`http`]`::pages`, `templates/`, `assets/` |
//! | an error's code or status | [`http`]`::problem::kind` |
//! | what a request does to an order | [`orders`], a use case each |
//! | which status follows which | [`domain::status`], and `order_status_reaches` in `migrations/` |
//! | totals, tax, rounding | [`domain::order`], [`domain::money`] |
//! | the next step of a saga, and when it compensates | [`domain::saga::plan`] |
//! | how a step is done and undone, retries, leases | [`saga`], a file for each step |
//! | how a peer is asked and its answer understood | [`peers`] |
//! | the comparison with the peers' ledgers, and repairs | [`reconciliation`] |
//! | a query, an index, a table | [`db`] and `migrations/`; then `docs/development.md` |
//! | who may call, which tokens count | [`auth`], [`domain::principal`] |
//! | a setting, its default, its meaning | [`config`]`::variables`, `.env.example` |
//! | what slow or too many clients meet | [`server`] for connections, [`http`]`::edge` for requests |
//! | a metric, a log line, a trace | [`metrics`], [`http`]`::access_log`, [`telemetry`] |
//! | generated orders, for benchmarks | [`generate`] |
//! | what is refused of any JSON | [`json`] |
//! | a command of the binary | [`cli`] |
//! | how it all starts and stops | [`app`] |
//! | where tests let the process die | [`failpoints`] |
//! | what `order-service dev` and the tests stand on | `dev`, `sandbox`, `tests/it/support/` |

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
#[cfg(feature = "sandbox")]
pub mod dev;
pub mod domain;
pub mod failpoints;
pub mod generate;
pub mod http;
pub mod import;
pub mod json;
pub mod metrics;
pub mod notifications;
pub mod orders;
pub mod peers;
pub mod reconciliation;
pub mod saga;
pub mod server;
pub mod telemetry;
