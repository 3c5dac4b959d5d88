//! The one integration test binary: each more would cost a link.

mod peers;
mod support;
