//! Errors of starting a sandbox.

use std::io;
use std::path::PathBuf;

/// The sandbox could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process listens on the port.
    #[error(
        "port {port} for the {service} stand-in is taken; end the process that listens there, \
         or give the sandbox another {name} port (0 selects a free one)"
    )]
    PortTaken {
        /// The configured port.
        port: u16,
        /// The stand-in.
        service: &'static str,
        /// The field of [`Ports`](super::Ports) that changes the port.
        name: &'static str,
    },
    /// The operating system refuses the address.
    #[error("the {service} stand-in cannot listen on {host} port {port}: {source}")]
    Listen {
        /// The configured address.
        host: std::net::IpAddr,
        /// The configured port.
        port: u16,
        /// The stand-in.
        service: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The state file exists but is unreadable.
    #[error(
        "the sandbox's state file {} cannot be read: {reason}; remove it to start with a \
         fresh state", path.display()
    )]
    StateFile {
        /// Path of the file.
        path: PathBuf,
        /// The parse or I/O error.
        reason: String,
    },
    /// The HTTP client for parcel updates cannot be built.
    #[error("no HTTP client can be built for parcel updates: {0}")]
    Client(#[from] reqwest::Error),
}
