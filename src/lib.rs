//! Order Service: owns a shop's orders.

pub mod db;
pub mod domain;
