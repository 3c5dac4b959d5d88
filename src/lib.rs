//! Order Service: owns a shop's orders.

#[cfg(feature = "sandbox")]
pub mod dev;
pub mod domain;
pub mod import;
