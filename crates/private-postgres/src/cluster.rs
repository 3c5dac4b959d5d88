//! The data folder: made whole or not at all, and only removed when it is one.

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

/// The characters of a password, out of 62 each.
const PASSWORD_LENGTH: usize = 32;

/// The major version that wrote the data, where there is any and it is of this age.
pub(super) fn version(layout: &Layout) -> Result<Option<u16>, Error> {
    Ok(written_by(layout)?.and_then(|version| version.parse().ok()))
}

/// Removes the data folder, but nothing else that may lie under its name.
pub(super) fn remove(layout: &Layout) -> Result<(), Error> {
    // Says so where the folder is not a data folder.
    written_by(layout)?;
    remove_folder(&layout.data)
}

/// Makes the data folder where there is none. Gives the superuser's password.
pub(super) async fn prepare(
    layout: &Layout,
    binaries: &Binaries,
    run_as: &RunAs,
    durability: Durability,
    progress: &impl Fn(&str),
) -> Result<SecretString, Error> {
    // What an earlier start did not get done.
    remove_folder(&layout.side)?;
    remove_file(&layout.side_password)?;
    match written_by(layout)? {
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

/// The content of `PG_VERSION`; `None` where the folder is missing or empty.
fn written_by(layout: &Layout) -> Result<Option<String>, Error> {
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
    fs::rename(&layout.side_password, password_in(&layout.side))
        .map_err(Error::file("move", &layout.side_password))?;
    fs::rename(&layout.side, &layout.data).map_err(Error::file("move", &layout.side))?;
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
        .arg(&layout.side)
        .args(["-U", SUPERUSER, "--auth=scram-sha-256", "--pwfile"])
        .arg(&layout.side_password)
        .args(["--encoding=UTF8", "--no-locale", "--no-instructions"])
        // An account of lesser rights may not be allowed to stay where we are.
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
    let path = &layout.side_password;
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
    unless_missing(fs::remove_dir_all(path)).map_err(Error::file("remove", path))
}

fn remove_file(path: &Path) -> Result<(), Error> {
    unless_missing(fs::remove_file(path)).map_err(Error::file("remove", path))
}

fn unless_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
