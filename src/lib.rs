//! Order Service: owns a shop's orders.

#[cfg(feature = "sandbox")]
pub mod sandbox;
