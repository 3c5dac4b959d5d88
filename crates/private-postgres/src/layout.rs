//! Paths of the data folder and its companions.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use super::Error;
use super::run_as::{Account, RunAs};

/// The absolute paths of one cluster.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The data folder.
    pub(super) data: PathBuf,
    /// Where `initdb` works; it becomes `data` when it is complete.
    pub(super) staging: PathBuf,
    /// The password file for `initdb`.
    pub(super) staging_password: PathBuf,
    /// The server's log.
    pub(super) log: PathBuf,
    /// The lock file; the owner of the server holds the lock.
    pub(super) lock: PathBuf,
}

impl Layout {
    /// Determines the paths and creates the parent folder.
    pub(super) fn prepare(data_dir: &Path, run_as: &RunAs) -> Result<Self, Error> {
        let data = std::path::absolute(data_dir).map_err(Error::file("find", data_dir))?;
        let data = match run_as {
            RunAs::CurrentUser | RunAs::UserNamespace => data,
            RunAs::Account(account) => {
                let base = reachable_base(&data);
                claim_base(&base, account, run_as)?;
                base.join("data")
            }
        };
        if let Some(parent) = data.parent() {
            fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
        }
        let beside = |suffix: &str| {
            let mut name = data.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        Ok(Self {
            staging: beside(".new"),
            staging_password: beside(".new-password"),
            log: beside(".log"),
            lock: beside(".lock"),
            data,
        })
    }

    /// The file of the superuser's password, in the data folder so that they stay together.
    pub(super) fn password(&self) -> PathBuf {
        password_in(&self.data)
    }
}

/// The password file of a data folder.
pub(super) fn password_in(data: &Path) -> PathBuf {
    data.join("superuser.password")
}

/// A base folder that an unprivileged account can reach; `data` itself may lie below `/root`.
fn reachable_base(data: &Path) -> PathBuf {
    let hash = digest(&SHA256, data.as_os_str().as_encoded_bytes());
    let hash: String = hash
        .as_ref()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Path::new("/var/tmp").join(format!("order-service-{hash}"))
}

/// Creates the folder, or verifies the owner of an existing one, because every user can create files in
/// `/var/tmp`.
fn claim_base(base: &Path, account: &Account, run_as: &RunAs) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(base) {
        Ok(()) => return run_as.own(base),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::file("create", base)(error)),
    }
    let found = fs::symlink_metadata(base).map_err(Error::file("look at", base))?;
    if found.is_dir() && found.uid() == account.uid {
        return Ok(());
    }
    Err(Error::NotOwned {
        path: base.to_owned(),
        account: account.name.clone(),
    })
}
