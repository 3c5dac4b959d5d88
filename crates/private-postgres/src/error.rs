//! Why a private PostgreSQL server could not be had.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::binaries::MINIMUM_MAJOR;

/// Why a private PostgreSQL server could not be had. Each reads as one line that says what to do;
/// those about the server's end carry the last lines of its log as well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is installed where one looks, and nothing could be fetched.
    #[error(
        "no PostgreSQL {MINIMUM_MAJOR} or newer is installed and none could be fetched ({not_fetched}): \
         install it with `apt install postgresql`, `dnf install postgresql-server` or \
         `brew install postgresql@17`, or set PG_BIN_DIR to the folder of its `postgres` and `initdb`"
    )]
    NoBinaries {
        /// Why fetching was no way out.
        not_fetched: String,
    },
    /// `PG_BIN_DIR` names a folder without usable binaries.
    #[error(
        "PG_BIN_DIR is {}, which does not hold a working `postgres` and `initdb` of version {MINIMUM_MAJOR} or newer",
        .0.display()
    )]
    BinDir(PathBuf),
    /// The data was written by another major version.
    #[error(
        "the data in {} was written by PostgreSQL {found}, but the binaries in {} are PostgreSQL {have}: \
         install version {found}, or set PG_BIN_DIR to its folder, or start afresh with `--fresh`",
        data.display(), binaries.display()
    )]
    OtherVersion {
        /// The data folder.
        data: PathBuf,
        /// The version that wrote it, as its `PG_VERSION` has it.
        found: String,
        /// The folder of the binaries.
        binaries: PathBuf,
        /// Their major version.
        have: u16,
    },
    /// The folder holds something that is not PostgreSQL's, so it is not touched.
    #[error("{} holds files but no PostgreSQL data: move them away or choose another folder", .0.display())]
    NotData(PathBuf),
    /// The data was not made here, so nobody knows the password.
    #[error("the data in {} has no password file: start afresh with `--fresh`", .0.display())]
    NoPassword(PathBuf),
    /// Something else listens on the port asked for.
    #[error("port {0} on 127.0.0.1 is taken: stop what listens there or choose another port")]
    PortTaken(u16),
    /// The port asked for cannot be listened on.
    #[error("port {port} on 127.0.0.1 cannot be used: {cause}")]
    Port {
        /// The port asked for.
        port: u16,
        /// What the system said.
        cause: io::Error,
    },
    /// Removing data needs a server to be stopped first.
    #[error("a PostgreSQL server runs on {}: stop it before starting afresh", .0.display())]
    InUse(PathBuf),
    /// Another process holds the data folder, but its server does not come up or go away.
    #[error("another process has held {} for {seconds} s without its server answering", data.display())]
    Held {
        /// The data folder.
        data: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A file or folder could not be handled.
    #[error("cannot {action} {}: {cause}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A program could not be run.
    #[error("cannot run {program}: {cause}")]
    Run {
        /// The program.
        program: String,
        /// What the system said.
        cause: io::Error,
    },
    /// PostgreSQL refuses root, and there is nobody else to be.
    #[error(
        "PostgreSQL does not run as root, user namespaces are refused here, and there is neither \
         an account `postgres` nor `nobody`: run as another user"
    )]
    NoAccount,
    /// The folder for an unprivileged account belongs to somebody else.
    #[error("{} is not a folder of the account `{account}`: remove it", path.display())]
    NotOwned {
        /// The folder.
        path: PathBuf,
        /// Who should own it.
        account: String,
    },
    /// `initdb` could not make the data folder.
    #[error("initdb did not make {} ({status}): {output}", data.display())]
    InitDb {
        /// The data folder.
        data: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        output: String,
    },
    /// The server ended where it should run or end well.
    #[error("PostgreSQL ended with {status}; the last lines of {}:\n{tail}", log.display())]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of that.
        tail: String,
    },
    /// The server runs but does not take connections.
    #[error("PostgreSQL does not answer after {seconds} s ({cause}); the last lines of {}:\n{tail}", log.display())]
    Silent {
        /// How long it was waited for.
        seconds: u64,
        /// Why the last connection failed.
        cause: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of that.
        tail: String,
    },
    /// The server was told to stop and has not.
    #[error("PostgreSQL still runs {seconds} s after it was told to stop, see {}", log.display())]
    Unstopped {
        /// How long it was waited for.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
}

impl Error {
    /// Names the path that an I/O error itself does not name.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::File {
            action,
            path: path.to_owned(),
            cause,
        }
    }

    /// Names the program that could not be run.
    pub(super) fn run(program: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Run {
            program: program.into(),
            cause,
        }
    }
}
