//! Order Service: owns a shop's orders.

pub mod domain;
pub mod peers;
