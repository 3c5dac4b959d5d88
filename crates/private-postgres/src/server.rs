//! The server process, bound to the lifetime of this process.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use sqlx::{ConnectOptions, Connection};

use super::binaries::Binaries;
use super::claim::CONNECT_TIMEOUT;
use super::layout::Layout;
use super::progress::ProgressReporter;
use super::run_as::RunAs;
use super::{Durability, Error, Settings, connect_options};

/// Runs its arguments as a command and signals it at the end of its input.
///
/// Its input is a pipe that this process never writes to, so it ends with this process, even after SIGKILL.
/// A shell starts background programs with SIGINT ignored, so SIGTERM goes first: it stops a program that is
/// not yet a server. In a server, the following SIGINT escalates from smart to fast shutdown. `read` is a
/// shell builtin, so killing the subshell leaves no process behind.
const WATCH: &str = include_str!("watch.sh");

const POLL: Duration = Duration::from_millis(20);
/// Timeout of a start, crash recovery included.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout of a shutdown, whose checkpoint writes all dirty pages.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// Number of attempts if another process takes the free port first.
const PORT_ATTEMPTS: usize = 5;
/// A log of this size is truncated at the next start.
const LOG_BYTES: u64 = 10 * 1024 * 1024;
const TAIL_LINES: usize = 10;

/// Inputs of a start.
pub(super) struct Launch<'a> {
    pub(super) run_as: &'a RunAs,
    pub(super) binaries: &'a Binaries,
    pub(super) layout: &'a Layout,
    pub(super) settings: &'a Settings,
    pub(super) password: &'a SecretString,
}

/// A server that this process started. Dropping it closes its pipe, which shuts it down.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    log: PathBuf,
    /// Position in the log at which this start begins.
    log_start: u64,
    /// The lock of the owner; `None` only while starting.
    lock: Option<File>,
}

impl Launch<'_> {
    /// Starts the server and waits until it accepts connections. Returns it and its port.
    pub(super) async fn run(
        &self,
        lock: File,
        progress: &impl Fn(&str),
    ) -> Result<(Server, u16), Error> {
        let mut reporter = ProgressReporter::new(progress);
        let deadline = Instant::now() + START_TIMEOUT;
        let mut attempts = PORT_ATTEMPTS;
        loop {
            let port = free_port(self.settings.port)?;
            let mut server = self.spawn(port)?;
            let failure = match self.ready(&mut server, port, deadline, &mut reporter).await {
                Ok(()) => {
                    server.lock = Some(lock);
                    return Ok((server, port));
                }
                Err(failure) => failure,
            };
            match start_failure(&failure) {
                StartFailure::PortTaken if self.settings.port.is_some() || attempts <= 1 => {
                    return Err(Error::PortTaken(port));
                }
                StartFailure::PortTaken => attempts -= 1,
                // The processes of the previous server are about to exit.
                StartFailure::Predecessor if Instant::now() < deadline => {
                    tokio::time::sleep(POLL).await;
                }
                StartFailure::Predecessor | StartFailure::Other => return Err(failure),
            }
        }
    }

    fn spawn(&self, port: u16) -> Result<Server, Error> {
        let path = &self.layout.log;
        let (log, log_start) = open_log(path).map_err(Error::file("write", path))?;
        let copy = log.try_clone().map_err(Error::file("write", path))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCH, "sh"])
            .args(self.arguments(port))
            // An unprivileged account may have no access to the current folder.
            .current_dir("/")
            // The log is parsed for causes of failure.
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(copy)
            .stderr(log)
            // Ctrl-C in a terminal only signals this process, which then stops the server.
            .process_group(0);
        self.run_as.apply(&mut command);
        Ok(Server {
            child: command.spawn().map_err(Error::run("sh"))?,
            log: path.clone(),
            log_start,
            lock: None,
        })
    }

    fn arguments(&self, port: u16) -> Vec<OsString> {
        let mut arguments: Vec<OsString> =
            self.run_as.prefix().iter().map(OsString::from).collect();
        arguments.extend([
            self.binaries.postgres().into(),
            "-D".into(),
            self.layout.data.clone().into(),
        ]);
        let mut options = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "logging_collector=off".to_owned(),
            "log_destination=stderr".to_owned(),
            format!("port={port}"),
            format!("max_connections={}", self.settings.max_connections),
        ];
        if self.settings.durability == Durability::Throwaway {
            let fast = [
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
            ];
            options.extend(fast.map(str::to_owned));
        }
        for option in options {
            arguments.extend(["-c".into(), option.into()]);
        }
        arguments
    }

    async fn ready(
        &self,
        server: &mut Server,
        port: u16,
        deadline: Instant,
        reporter: &mut ProgressReporter<'_, impl Fn(&str)>,
    ) -> Result<(), Error> {
        let options = connect_options(port, self.password);
        loop {
            if let Some(status) = server.status()? {
                return Err(server.ended(status));
            }
            let cause = match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
                Ok(Ok(connection)) => {
                    // The successful connection is the result; a failed close does not matter.
                    let _ = connection.close().await;
                    return Ok(());
                }
                Ok(Err(sqlx::Error::Database(error))) => error.message().to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if Instant::now() > deadline {
                return Err(Error::Unresponsive {
                    seconds: START_TIMEOUT.as_secs(),
                    cause,
                    log: server.log.clone(),
                    tail: server.tail(),
                });
            }
            reporter.report(&format!("waiting for PostgreSQL: {cause}"));
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The requested port if it is free, or any free port.
pub(super) fn free_port(wanted: Option<u16>) -> Result<u16, Error> {
    let port = wanted.unwrap_or(0);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|cause| match cause.kind() {
            ErrorKind::AddrInUse => Error::PortTaken(port),
            _ => Error::Port { port, cause },
        })
}

impl Server {
    /// Closes the pipe and waits for the exit.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        drop(self.child.stdin.take());
        let started = Instant::now();
        while started.elapsed() < STOP_TIMEOUT {
            match self.status()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.ended(status)),
                None => tokio::time::sleep(POLL).await,
            }
        }
        Err(Error::StillRunning {
            seconds: STOP_TIMEOUT.as_secs(),
            log: self.log,
        })
    }

    fn status(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child.try_wait().map_err(Error::run("sh"))
    }

    fn ended(&self, status: ExitStatus) -> Error {
        Error::Ended {
            status,
            log: self.log.clone(),
            tail: self.tail(),
        }
    }

    /// The last lines of the log since this start.
    fn tail(&self) -> String {
        let text = read_from(&self.log, self.log_start).unwrap_or_else(|error| error.to_string());
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

/// Causes of a failed start.
enum StartFailure {
    PortTaken,
    Predecessor,
    Other,
}

fn start_failure(failure: &Error) -> StartFailure {
    let Error::Ended { tail, .. } = failure else {
        return StartFailure::Other;
    };
    if tail.contains("Address already in use") {
        StartFailure::PortTaken
    } else if tail.contains("another postmaster") || tail.contains("is still in use") {
        StartFailure::Predecessor
    } else {
        StartFailure::Other
    }
}

/// Opens the log for appending. Returns its current size as well.
fn open_log(path: &Path) -> io::Result<(File, u64)> {
    let log = OpenOptions::new().create(true).append(true).open(path)?;
    if log.metadata()?.len() > LOG_BYTES {
        log.set_len(0)?;
    }
    let size = log.metadata()?.len();
    Ok((log, size))
}

fn read_from(path: &Path, start: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
