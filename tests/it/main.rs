//! The integration tests: one binary, because each further one costs a link.

#![expect(
    clippy::disallowed_methods,
    reason = "tests ask the environment for servers, and look at tables as a whole"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a surprise fails the test, in the functions that it calls as well"
)]
#![expect(
    clippy::too_many_lines,
    clippy::struct_excessive_bools,
    clippy::many_single_char_names,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::unused_async,
    reason = "a test is one sequence of steps, and a model one state"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "the values are small, and the service prints them as whole numbers"
)]

mod api;
mod architecture;
mod browser;
mod cli;
mod crash;
mod database;
mod edge;
mod env_example;
mod failover;
mod fulfilment;
mod generate;
mod import;
mod keys;
mod large;
mod live;
mod migrations;
mod model;
mod monitoring;
mod pages;
mod peers;
mod policy;
mod postgres;
mod properties;
mod reconciliation;
mod sandbox;
mod support;
mod traces;
mod transitions;
