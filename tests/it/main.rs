//! The integration tests: one binary, because each further one costs a link.

mod postgres;
mod support;
