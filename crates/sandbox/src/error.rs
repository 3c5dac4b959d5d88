//! Why a sandbox does not start.

use std::io;
use std::path::PathBuf;

/// A sandbox that could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something else listens on a port that a stand-in wants.
    #[error(
        "port {port} is taken, which the {service} stand-in wants; end what listens there, \
         or give the sandbox another {name} port (0 takes any free one)"
    )]
    PortTaken {
        /// The port asked for.
        port: u16,
        /// The stand-in that wants it.
        service: &'static str,
        /// The field of [`Ports`](super::Ports) that changes it.
        name: &'static str,
    },
    /// The operating system refuses the address for another reason.
    #[error("the {service} stand-in cannot listen on {host} port {port}: {source}")]
    Listen {
        /// The address asked for.
        host: std::net::IpAddr,
        /// The port asked for.
        port: u16,
        /// The stand-in that wants it.
        service: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The state file is there and cannot be read.
    #[error(
        "the sandbox's state file {} cannot be read: {reason}; remove it to start with a \
         fresh state", path.display()
    )]
    StateFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client that carries parcel news cannot be built.
    #[error("no HTTP client can be built for parcel news: {0}")]
    Client(#[from] reqwest::Error),
}
