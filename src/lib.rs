//! Order Service: owns a shop's orders.

#![forbid(unsafe_code)]

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
#[cfg(feature = "sandbox")]
pub mod dev;
pub mod domain;
pub mod fulfilment;
pub mod http;
pub mod import;
pub mod metrics;
pub mod orders;
pub mod peers;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod signals;
pub mod telemetry;
