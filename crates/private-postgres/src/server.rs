//! The server's process: started, awaited, and bound to the life of this one.

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
use super::progress::Ticker;
use super::run_as::RunAs;
use super::{Durability, Error, Settings, connect_options};

/// Starts the words after it and signals them when its input ends.
///
/// Its input is a pipe that this process holds and never writes to, so it ends with this process,
/// even with a killed one. A shell starts background programs with SIGINT ignored, so SIGTERM
/// goes first: it ends what is not yet a server, and in a server SIGINT outdoes it, fast shutdown
/// over smart. `read` is built into the shell, hence nothing is left when the subshell is killed.
const WATCH: &str = include_str!("watch.sh");

const POLL: Duration = Duration::from_millis(20);
/// How long the server may take to answer, recovery included.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long a shutdown may take; its checkpoint writes all that is only in memory.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
/// How often to try anew when somebody else takes the free port first.
const PORT_ATTEMPTS: usize = 5;
/// From this size on the log begins anew at the next start.
const LOG_BYTES: u64 = 10 * 1024 * 1024;
const TAIL_LINES: usize = 10;

/// What a start needs to know.
pub(super) struct Launch<'a> {
    pub(super) run_as: &'a RunAs,
    pub(super) binaries: &'a Binaries,
    pub(super) layout: &'a Layout,
    pub(super) settings: &'a Settings,
    pub(super) password: &'a SecretString,
}

/// A server that this process started. Dropped, its pipe closes and it shuts down.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    log: PathBuf,
    /// Where this start begins in the log.
    log_start: u64,
    /// Tells other processes whose server it is; `None` only while starting.
    lock: Option<File>,
}

impl Launch<'_> {
    /// Starts the server and waits until it answers. Gives it and its port.
    pub(super) async fn run(
        &self,
        lock: File,
        progress: &impl Fn(&str),
    ) -> Result<(Server, u16), Error> {
        let mut ticker = Ticker::new(progress);
        let deadline = Instant::now() + READY_WITHIN;
        let mut attempts = PORT_ATTEMPTS;
        loop {
            let port = free_port(self.settings.port)?;
            let mut server = self.spawn(port)?;
            let failure = match self.ready(&mut server, port, deadline, &mut ticker).await {
                Ok(()) => {
                    server.lock = Some(lock);
                    return Ok((server, port));
                }
                Err(failure) => failure,
            };
            match cause(&failure) {
                Cause::PortTaken if self.settings.port.is_some() || attempts <= 1 => {
                    return Err(Error::PortTaken(port));
                }
                Cause::PortTaken => attempts -= 1,
                // Its last processes are about to go.
                Cause::Predecessor if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                Cause::Predecessor | Cause::Other => return Err(failure),
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
            .args(self.words(port))
            // An account of lesser rights may not be allowed to stay where we are.
            .current_dir("/")
            // The log is read for what went wrong.
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(copy)
            .stderr(log)
            // Ctrl-C in a terminal is for this process, which stops the server when it is ready to.
            .process_group(0);
        self.run_as.apply(&mut command);
        Ok(Server {
            child: command.spawn().map_err(Error::run("sh"))?,
            log: path.clone(),
            log_start,
            lock: None,
        })
    }

    fn words(&self, port: u16) -> Vec<OsString> {
        let mut words: Vec<OsString> = self.run_as.prefix().iter().map(OsString::from).collect();
        words.extend([
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
            words.extend(["-c".into(), option.into()]);
        }
        words
    }

    async fn ready(
        &self,
        server: &mut Server,
        port: u16,
        deadline: Instant,
        ticker: &mut Ticker<'_, impl Fn(&str)>,
    ) -> Result<(), Error> {
        let options = connect_options(port, self.password);
        loop {
            if let Some(status) = server.status()? {
                return Err(server.ended(status));
            }
            let cause = match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
                Ok(Ok(connection)) => {
                    // The answer is all that matters; a connection that does not close well is
                    // gone too.
                    let _ = connection.close().await;
                    return Ok(());
                }
                Ok(Err(sqlx::Error::Database(error))) => error.message().to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if Instant::now() > deadline {
                return Err(Error::Silent {
                    seconds: READY_WITHIN.as_secs(),
                    cause,
                    log: server.log.clone(),
                    tail: server.tail(),
                });
            }
            ticker.tell(&format!("waiting for PostgreSQL: {cause}"));
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The port asked for, if nobody listens there, else any such.
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
    /// Closes the pipe and waits for the end.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        drop(self.child.stdin.take());
        let started = Instant::now();
        while started.elapsed() < STOPPED_WITHIN {
            match self.status()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.ended(status)),
                None => tokio::time::sleep(POLL).await,
            }
        }
        Err(Error::Unstopped {
            seconds: STOPPED_WITHIN.as_secs(),
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

    /// The last lines logged since this start.
    fn tail(&self) -> String {
        let text = read_from(&self.log, self.log_start).unwrap_or_else(|error| error.to_string());
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

/// What a failed start can be put down to.
enum Cause {
    PortTaken,
    Predecessor,
    Other,
}

fn cause(failure: &Error) -> Cause {
    let Error::Ended { tail, .. } = failure else {
        return Cause::Other;
    };
    if tail.contains("Address already in use") {
        Cause::PortTaken
    } else if tail.contains("another postmaster") || tail.contains("is still in use") {
        Cause::Predecessor
    } else {
        Cause::Other
    }
}

/// Opens the log for more lines. Gives its present size too.
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
