//! Fixtures and test doubles that the tests share.

pub mod app;
pub mod browser;
pub mod client;
pub mod collector;
pub mod database;
pub mod issuer;
pub mod key_host;
pub mod ledger;
pub mod openapi;
pub mod pgbouncer;
pub mod proxy;
pub mod raw_http;
pub mod replicated;
pub mod scripted_server;
pub mod service;
pub mod subscriber;
pub mod visitor;
