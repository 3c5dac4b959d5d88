//! The domain model: pure values and rules. No I/O, no async, no clock, no framework.

pub mod cancel_reason;
pub mod cart;
pub mod event;
pub mod ids;
pub mod money;
pub mod order;
pub mod principal;
pub mod saga;
#[cfg(test)]
pub(crate) mod samples;
pub mod search;
pub mod status;
pub mod step;
