//! The integration tests: one binary, because each further one costs a link.

mod import;
mod peers;
mod postgres;
mod sandbox;
mod support;
