//! The integration tests: one binary, because each further one costs a link.

mod import;
mod postgres;
mod sandbox;
mod support;
