//! SHA-256, by the library that TLS and tokens use already.

use aws_lc_rs::digest::{SHA256, digest};

/// The SHA-256 digest of some bytes.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}
