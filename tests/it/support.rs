//! What the tests stand on.

pub mod app;
pub mod browser;
pub mod client;
pub mod collector;
pub mod database;
pub mod documented;
pub mod issuer;
pub mod key_host;
pub mod ledger;
pub mod listener;
pub mod pgbouncer;
pub mod proxy;
pub mod raw;
pub mod replicated;
pub mod scripted;
pub mod service;
pub mod visitor;
