//! The integration tests: one binary, because each further one costs a link.

#![expect(
    clippy::disallowed_methods,
    reason = "tests ask the environment for servers, and look at tables as a whole"
)]

mod api;
mod architecture;
mod browser;
mod cli;
mod crash;
mod database;
mod edge;
mod env_example;
mod failover;
mod fulfilment;
mod generate;
mod import;
mod keys;
mod large;
mod live;
mod model;
mod monitoring;
mod pages;
mod peers;
mod policy;
mod postgres;
mod properties;
mod reconciliation;
mod sandbox;
mod support;
mod traces;
mod transitions;
