//! Errors of starting and stopping a private PostgreSQL server.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::binaries::MINIMUM_MAJOR;

/// The server could not be started or stopped. The message says what to do; messages about the server's
/// exit include the last lines of its log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No binaries are installed, and fetching failed.
    #[error(
        "no PostgreSQL {MINIMUM_MAJOR} or newer is installed and none could be fetched ({not_fetched}): \
         install it with `apt install postgresql`, `dnf install postgresql-server` or \
         `brew install postgresql@17`, or set PG_BIN_DIR to the folder of its `postgres` and `initdb`"
    )]
    NoBinaries {
        /// Why fetching failed.
        not_fetched: String,
    },
    /// `PG_BIN_DIR` names a folder without usable binaries.
    #[error(
        "PG_BIN_DIR is {}, which does not hold a working `postgres` and `initdb` of version {MINIMUM_MAJOR} or newer",
        .0.display()
    )]
    BinDir(PathBuf),
    /// Another major version wrote the data.
    #[error(
        "the data in {} was written by PostgreSQL {found}, but the binaries in {} are PostgreSQL {have}: \
         install version {found}, or set PG_BIN_DIR to its folder, or start afresh with `--fresh`",
        data.display(), binaries.display()
    )]
    OtherVersion {
        /// The data folder.
        data: PathBuf,
        /// The content of `PG_VERSION`.
        found: String,
        /// Folder of the binaries.
        binaries: PathBuf,
        /// Major version of the binaries.
        have: u16,
    },
    /// The folder holds other files, which are left alone.
    #[error("{} holds files but no PostgreSQL data: move them away or choose another folder", .0.display())]
    NotData(PathBuf),
    /// The data folder was created by other means, so its password is unknown.
    #[error("the data in {} has no password file: start afresh with `--fresh`", .0.display())]
    NoPassword(PathBuf),
    /// Another process listens on the port.
    #[error("port {0} on 127.0.0.1 is taken: stop what listens there or choose another port")]
    PortTaken(u16),
    /// The port cannot be bound.
    #[error("port {port} on 127.0.0.1 cannot be used: {cause}")]
    Port {
        /// The configured port.
        port: u16,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// A running server prevents removing its data.
    #[error("a PostgreSQL server runs on {}: stop it before starting afresh", .0.display())]
    InUse(PathBuf),
    /// Another process holds the data folder, and its server neither starts nor stops.
    #[error("another process has held {} for {seconds} s without its server answering", data.display())]
    Locked {
        /// The data folder.
        data: PathBuf,
        /// The time waited.
        seconds: u64,
    },
    /// An operation on a file or folder failed.
    #[error("cannot {action} {}: {cause}", path.display())]
    File {
        /// The operation, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// A program could not be run.
    #[error("cannot run {program}: {cause}")]
    Run {
        /// The program.
        program: String,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// PostgreSQL refuses to run as root, and no other account is available.
    #[error(
        "PostgreSQL does not run as root, user namespaces are refused here, and there is neither \
         an account `postgres` nor `nobody`: run as another user"
    )]
    NoAccount,
    /// The folder for an unprivileged account has another owner.
    #[error("{} is not a folder of the account `{account}`: remove it", path.display())]
    NotOwned {
        /// The folder.
        path: PathBuf,
        /// The expected owner.
        account: String,
    },
    /// `initdb` failed.
    #[error("initdb did not make {} ({status}): {output}", data.display())]
    InitDb {
        /// The data folder.
        data: PathBuf,
        /// Its exit status.
        status: ExitStatus,
        /// Its error output.
        output: String,
    },
    /// The server exited unexpectedly or with an error.
    #[error("PostgreSQL ended with {status}; the last lines of {}:\n{tail}", log.display())]
    Ended {
        /// Its exit status.
        status: ExitStatus,
        /// The log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// The server runs but accepts no connections.
    #[error("PostgreSQL does not answer after {seconds} s ({cause}); the last lines of {}:\n{tail}", log.display())]
    Unresponsive {
        /// The time waited.
        seconds: u64,
        /// Why the last connection failed.
        cause: String,
        /// The log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// The server did not stop in time.
    #[error("PostgreSQL still runs {seconds} s after it was told to stop, see {}", log.display())]
    StillRunning {
        /// The time waited.
        seconds: u64,
        /// The log file.
        log: PathBuf,
    },
}

impl Error {
    /// Adds the action and the path to an I/O error.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::File {
            action,
            path: path.to_owned(),
            cause,
        }
    }

    /// Adds the program's name to an I/O error.
    pub(super) fn run(program: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Run {
            program: program.into(),
            cause,
        }
    }
}
