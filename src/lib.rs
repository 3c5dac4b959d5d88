//! Order Service: owns a shop's orders. To change …
//!
//! | … this | look in |
//! |---|---|
//! | a route, its documentation, its request and response | [`http`]`::orders`, a file each |
//! | a page for people, its layout | [`http`]`::pages`, `templates/`, `assets/` |
//! | an error's code or status | [`http`]`::problem::kind` |
//! | the effect of a request on an order | [`orders`], a use case each |
//! | the allowed status transitions | [`domain::status`], and `order_status_reaches` in `migrations/` |
//! | totals, tax, rounding | [`domain::order`], [`domain::money`] |
//! | the saga's state machine: next step, compensation, stuck | [`domain::saga::plan`] |
//! | a step and its compensation, leases, backoff | [`saga`], a file for each step |
//! | retries and the result of an attempt | [`domain::saga::retry`], [`domain::saga::transition`] |
//! | calls to peers, parsing and classifying responses | [`peers`] |
//! | what is compared with the peers' ledgers, and repaired | [`reconciliation`] |
//! | a query, an index, a table | [`db`] and `migrations/`; then `docs/development.md` |
//! | authentication and roles | [`auth`], [`domain::principal`] |
//! | a setting, its default, its meaning | [`config`]`::variables`, `.env.example` |
//! | connection limits, timeouts, rate limits | [`server`] for connections, [`http`]`::edge` for requests |
//! | a metric, a log line, a trace | [`metrics`], [`http`]`::access_log`, [`telemetry`] |
//! | the import of orders from files | [`import`] |
//! | generated orders, for benchmarks | [`generate`] |
//! | guards against hostile JSON | [`json`] |
//! | a command of the binary | [`cli`] |
//! | startup and shutdown | [`app`] |
//! | places where tests kill the process | [`failpoints`] |
//! | the development environment and test support | `dev`, `crates/`, `tests/it/support/` |

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
