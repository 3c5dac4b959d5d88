//! Who runs the server on a data folder: this process, or one that does already.
//!
//! The lock beside the data is held for as long as its owner runs the server. A server whose lock
//! is free has lost its owner and is about to end, so it is not worth joining.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use sqlx::{ConnectOptions, Connection};

use super::layout::Layout;
use super::progress::Ticker;
use super::{Error, cluster, connect_options};

const POLL: Duration = Duration::from_millis(50);
/// How long another process may take to bring its server up, or down.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a server without an owner may take to begin shutting down. One that stays was
/// started by hand and may be used.
const ORPHANS_END_WITHIN: Duration = Duration::from_secs(3);
/// How long an attempt to connect may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Who runs the server.
pub(super) enum Claim {
    /// This process, for as long as it keeps the file.
    Ours(File),
    /// Somebody else.
    Running {
        /// Where it listens.
        port: u16,
        /// The superuser's password.
        password: SecretString,
    },
}

/// What is known about a server on the data.
enum Sight {
    /// There is none.
    Nobody,
    /// There is one, and it does not take connections now.
    Busy,
    /// It answers.
    Answers { port: u16, password: SecretString },
}

/// Takes the lock, or finds the server of the process that has it.
pub(super) async fn claim(
    layout: &Layout,
    fresh: bool,
    progress: &impl Fn(&str),
) -> Result<Claim, Error> {
    let lock = File::create(&layout.lock).map_err(Error::file("open", &layout.lock))?;
    let mut ticker = Ticker::new(progress);
    let started = Instant::now();
    let mut held = false;
    while started.elapsed() < PATIENCE {
        held = held || try_lock(&lock, &layout.lock)?;
        match look(layout).await {
            Sight::Nobody if held => {
                remove_stale_pid_file(layout)?;
                return Ok(Claim::Ours(lock));
            }
            Sight::Answers { port, password }
                if !held || started.elapsed() > ORPHANS_END_WITHIN =>
            {
                return if fresh {
                    Err(Error::InUse(layout.data.clone()))
                } else {
                    Ok(Claim::Running { port, password })
                };
            }
            Sight::Nobody | Sight::Busy | Sight::Answers { .. } => {}
        }
        ticker.tell("waiting for another PostgreSQL on the same data");
        tokio::time::sleep(POLL).await;
    }
    Err(Error::Held {
        data: layout.data.clone(),
        seconds: PATIENCE.as_secs(),
    })
}

fn try_lock(lock: &File, path: &Path) -> Result<bool, Error> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(cause)) => Err(Error::file("lock", path)(cause)),
    }
}

async fn look(layout: &Layout) -> Sight {
    let Some(notice) = Notice::read(&layout.data) else {
        return Sight::Nobody;
    };
    if notice.process == Process::Gone {
        return Sight::Nobody;
    }
    let (Some(port), Ok(password)) = (notice.port, cluster::password(layout)) else {
        return Sight::Busy;
    };
    let options = connect_options(port, &password);
    match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(Ok(connection)) => {
            // The answer is all that matters; a connection that does not close well is gone too.
            let _ = connection.close().await;
            Sight::Answers { port, password }
        }
        Ok(Err(error)) if is_starting_or_stopping(&error) => Sight::Busy,
        // Without knowledge of processes the new server has to find out itself.
        _ if notice.process == Process::Unknown => Sight::Nobody,
        _ => Sight::Busy,
    }
}

/// SQLSTATE `cannot_connect_now`.
fn is_starting_or_stopping(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code == "57P03")
}

/// The end of a whole machine or container leaves the file behind, and the process number in it
/// soon belongs to another process. PostgreSQL would take that for a living server.
fn remove_stale_pid_file(layout: &Layout) -> Result<(), Error> {
    match Notice::read(&layout.data) {
        Some(notice) if notice.process == Process::Gone => {
            let path = layout.data.join("postmaster.pid");
            fs::remove_file(&path).map_err(Error::file("remove", &path))
        }
        _ => Ok(()),
    }
}

/// What a server leaves word of in `postmaster.pid`.
struct Notice {
    process: Process,
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    Alive,
    Gone,
    Unknown,
}

impl Notice {
    fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok());
        Some(Self {
            process: pid.map_or(Process::Unknown, |pid| process(pid, data)),
            port: lines.nth(2).and_then(|line| line.trim().parse().ok()),
        })
    }
}

/// A server works in its data folder, which tells it from a later process of the same number.
fn process(pid: u32, data: &Path) -> Process {
    if !Path::new("/proc/self/cwd").exists() {
        return Process::Unknown;
    }
    match fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(folder) if fs::canonicalize(data).is_ok_and(|data| data == folder) => Process::Alive,
        Ok(_) => Process::Gone,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Process::Gone,
        Err(_) => Process::Unknown,
    }
}
