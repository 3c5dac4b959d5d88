//! Order Service: owns a shop's orders.
