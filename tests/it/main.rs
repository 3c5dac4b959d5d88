//! The one integration binary: each extra one would cost a link.

#[cfg(feature = "sandbox")]
mod sandbox;
