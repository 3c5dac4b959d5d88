//! Ownership of a data folder: this process runs its server, or joins the server of another process.
//!
//! The owner holds the lock beside the data while its server runs. A running server with a free lock has
//! lost its owner and shuts down soon, so this process does not join it.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use sqlx::{ConnectOptions, Connection};

use super::layout::Layout;
use super::progress::ProgressReporter;
use super::{Error, cluster, connect_options};

const POLL: Duration = Duration::from_millis(50);
/// How long another process may take to start or stop its server.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server without an owner may take to begin its shutdown. One that keeps running was started
/// by hand and is used.
const ORPHAN_GRACE: Duration = Duration::from_secs(3);
/// Timeout of one connection attempt.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The owner of the server.
pub(super) enum Claim {
    /// This process owns it while it holds the lock file.
    Owned(File),
    /// Another process owns it.
    Running {
        /// Its port.
        port: u16,
        /// The superuser's password.
        password: SecretString,
    },
}

/// The state of a server on the data folder.
enum ServerState {
    /// No server runs.
    Absent,
    /// A server runs and does not accept connections.
    Busy,
    /// A server accepts connections.
    Ready { port: u16, password: SecretString },
}

/// Takes the lock, or finds the server of the process that holds it.
pub(super) async fn claim(
    layout: &Layout,
    fresh: bool,
    progress: &impl Fn(&str),
) -> Result<Claim, Error> {
    let lock = File::create(&layout.lock).map_err(Error::file("open", &layout.lock))?;
    let mut reporter = ProgressReporter::new(progress);
    let started = Instant::now();
    let mut locked = false;
    while started.elapsed() < CLAIM_TIMEOUT {
        locked = locked || try_lock(&lock, &layout.lock)?;
        match inspect(layout).await {
            ServerState::Absent if locked => {
                remove_stale_pid_file(layout)?;
                return Ok(Claim::Owned(lock));
            }
            ServerState::Ready { port, password }
                if !locked || started.elapsed() > ORPHAN_GRACE =>
            {
                return if fresh {
                    Err(Error::InUse(layout.data.clone()))
                } else {
                    Ok(Claim::Running { port, password })
                };
            }
            ServerState::Absent | ServerState::Busy | ServerState::Ready { .. } => {}
        }
        reporter.report("waiting for another PostgreSQL on the same data");
        tokio::time::sleep(POLL).await;
    }
    Err(Error::Locked {
        data: layout.data.clone(),
        seconds: CLAIM_TIMEOUT.as_secs(),
    })
}

fn try_lock(lock: &File, path: &Path) -> Result<bool, Error> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(cause)) => Err(Error::file("lock", path)(cause)),
    }
}

async fn inspect(layout: &Layout) -> ServerState {
    let Some(pid_file) = PidFile::read(&layout.data) else {
        return ServerState::Absent;
    };
    if pid_file.process == ProcessState::Gone {
        return ServerState::Absent;
    }
    let (Some(port), Ok(password)) = (pid_file.port, cluster::password(layout)) else {
        return ServerState::Busy;
    };
    let options = connect_options(port, &password);
    match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(Ok(connection)) => {
            // The successful connection is the result; a failed close does not matter.
            let _ = connection.close().await;
            ServerState::Ready { port, password }
        }
        Ok(Err(error)) if is_starting_or_stopping(&error) => ServerState::Busy,
        // Without `/proc` the new server has to detect a running one itself.
        _ if pid_file.process == ProcessState::Unknown => ServerState::Absent,
        _ => ServerState::Busy,
    }
}

/// SQLSTATE `cannot_connect_now`.
fn is_starting_or_stopping(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code == "57P03")
}

/// Removes `postmaster.pid` after a crash of the machine or container. Its process id may since belong to
/// another process, which PostgreSQL would mistake for a running server.
fn remove_stale_pid_file(layout: &Layout) -> Result<(), Error> {
    match PidFile::read(&layout.data) {
        Some(pid_file) if pid_file.process == ProcessState::Gone => {
            let path = layout.data.join("postmaster.pid");
            fs::remove_file(&path).map_err(Error::file("remove", &path))
        }
        _ => Ok(()),
    }
}

/// The content of `postmaster.pid`.
struct PidFile {
    process: ProcessState,
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProcessState {
    Alive,
    Gone,
    Unknown,
}

impl PidFile {
    fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok());
        Some(Self {
            process: pid.map_or(ProcessState::Unknown, |pid| process_state(pid, data)),
            port: lines.nth(2).and_then(|line| line.trim().parse().ok()),
        })
    }
}

/// Whether the process is a server on `data`. The working directory distinguishes it from an unrelated
/// process with a reused id.
fn process_state(pid: u32, data: &Path) -> ProcessState {
    if !Path::new("/proc/self/cwd").exists() {
        return ProcessState::Unknown;
    }
    match fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(folder) if fs::canonicalize(data).is_ok_and(|data| data == folder) => {
            ProcessState::Alive
        }
        Ok(_) => ProcessState::Gone,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => ProcessState::Gone,
        Err(_) => ProcessState::Unknown,
    }
}
