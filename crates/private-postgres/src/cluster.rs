//! The data folder: created atomically, and removed only if it holds PostgreSQL data.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

use rand::RngExt;
use rand::distr::Alphanumeric;
use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

use super::binaries::Binaries;
use super::layout::{Layout, password_in};
use super::progress::while_waiting;
use super::run_as::RunAs;
use super::{Durability, Error, SUPERUSER};

/// Length of a password; 62 different characters occur.
const PASSWORD_LENGTH: usize = 32;

/// The major version of existing data.
pub(super) fn version(layout: &Layout) -> Result<Option<u16>, Error> {
    Ok(data_version(layout)?.and_then(|version| version.parse().ok()))
}

/// Removes the data folder.
pub(super) fn remove(layout: &Layout) -> Result<(), Error> {
    // Fails if the folder holds anything else.
    data_version(layout)?;
    remove_folder(&layout.data)
}

/// Creates the data folder unless it exists. Returns the superuser's password.
pub(super) async fn prepare(
    layout: &Layout,
    binaries: &Binaries,
    run_as: &RunAs,
    durability: Durability,
    progress: &impl Fn(&str),
) -> Result<SecretString, Error> {
    // Left over from an interrupted start.
    remove_folder(&layout.staging)?;
    remove_file(&layout.staging_password)?;
    match data_version(layout)? {
        Some(found) if found == binaries.major.to_string() => password(layout),
        Some(found) => Err(Error::OtherVersion {
            data: layout.data.clone(),
            found,
            binaries: binaries.dir.clone(),
            have: binaries.major,
        }),
        None => {
            let what = format!(
                "making a data folder for PostgreSQL {version}",
                version = binaries.major
            );
            let made = init(layout, binaries, run_as, durability);
            while_waiting(progress, &what, made).await
        }
    }
}

/// The superuser's password of an existing data folder.
pub(super) fn password(layout: &Layout) -> Result<SecretString, Error> {
    let path = layout.password();
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim_end().into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Error::NoPassword(layout.data.clone()))
        }
        Err(error) => Err(Error::file("read", &path)(error)),
    }
}

/// The content of `PG_VERSION`; `None` if the folder is missing or empty.
fn data_version(layout: &Layout) -> Result<Option<String>, Error> {
    let path = layout.data.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if is_empty(&layout.data).map_err(Error::file("read", &layout.data))? {
                Ok(None)
            } else {
                Err(Error::NotData(layout.data.clone()))
            }
        }
        Err(error) => Err(Error::file("read", &path)(error)),
    }
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

async fn init(
    layout: &Layout,
    binaries: &Binaries,
    run_as: &RunAs,
    durability: Durability,
) -> Result<SecretString, Error> {
    let password = new_password();
    write_password(layout, run_as, &password)?;
    let output = Command::from(initdb(layout, binaries, run_as, durability))
        .kill_on_drop(true)
        .output()
        .await
        .map_err(Error::run(binaries.initdb().display().to_string()))?;
    if !output.status.success() {
        return Err(Error::InitDb {
            data: layout.data.clone(),
            status: output.status,
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    fs::rename(&layout.staging_password, password_in(&layout.staging))
        .map_err(Error::file("move", &layout.staging_password))?;
    fs::rename(&layout.staging, &layout.data).map_err(Error::file("move", &layout.staging))?;
    Ok(password)
}

fn initdb(
    layout: &Layout,
    binaries: &Binaries,
    run_as: &RunAs,
    durability: Durability,
) -> std::process::Command {
    let mut command = match run_as.prefix().split_first() {
        Some((first, rest)) => {
            let mut command = std::process::Command::new(first);
            command.args(rest).arg(binaries.initdb());
            command
        }
        None => std::process::Command::new(binaries.initdb()),
    };
    command
        .arg("-D")
        .arg(&layout.staging)
        .args(["-U", SUPERUSER, "--auth=scram-sha-256", "--pwfile"])
        .arg(&layout.staging_password)
        .args(["--encoding=UTF8", "--no-locale", "--no-instructions"])
        // An unprivileged account may have no access to the current folder.
        .current_dir("/")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    if durability == Durability::Throwaway {
        command.arg("--no-sync");
    }
    run_as.apply(&mut command);
    command
}

fn new_password() -> SecretString {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(PASSWORD_LENGTH)
        .map(char::from)
        .collect::<String>()
        .into()
}

fn write_password(layout: &Layout, run_as: &RunAs, password: &SecretString) -> Result<(), Error> {
    let path = &layout.staging_password;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| writeln!(file, "{}", password.expose_secret()))
        .map_err(Error::file("write", path))?;
    run_as.own(path)
}

fn remove_folder(path: &Path) -> Result<(), Error> {
    ignore_missing(fs::remove_dir_all(path)).map_err(Error::file("remove", path))
}

fn remove_file(path: &Path) -> Result<(), Error> {
    ignore_missing(fs::remove_file(path)).map_err(Error::file("remove", path))
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
