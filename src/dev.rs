//! What a developer's machine needs and production must not have.

pub mod postgres;
pub mod world;
