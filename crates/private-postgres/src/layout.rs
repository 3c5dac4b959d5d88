//! Where the data folder and what belongs to it lie.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use super::Error;
use super::run_as::{Account, RunAs};

/// The paths of one cluster, all absolute.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The data folder.
    pub(super) data: PathBuf,
    /// Where `initdb` works, so that `data` is whole or not there.
    pub(super) side: PathBuf,
    /// The password on its way to `initdb`.
    pub(super) side_password: PathBuf,
    /// The server's log.
    pub(super) log: PathBuf,
    /// Locked by whoever runs the server.
    pub(super) lock: PathBuf,
}

impl Layout {
    /// Decides on the paths and makes the folder around them.
    pub(super) fn prepare(data_dir: &Path, run_as: &RunAs) -> Result<Self, Error> {
        let data = std::path::absolute(data_dir).map_err(Error::file("find", data_dir))?;
        let data = match run_as {
            RunAs::Oneself | RunAs::UserNamespace => data,
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
            side: beside(".new"),
            side_password: beside(".new-password"),
            log: beside(".log"),
            lock: beside(".lock"),
            data,
        })
    }

    /// Where the superuser's password is kept: in the data folder, so that the two never part.
    pub(super) fn password(&self) -> PathBuf {
        password_in(&self.data)
    }
}

/// The password file of a data folder.
pub(super) fn password_in(data: &Path) -> PathBuf {
    data.join("superuser.password")
}

/// A folder that an unprivileged account can reach: `data` itself may lie below `/root`.
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

/// Makes the folder, or makes sure that an existing one is the account's: anybody may create
/// names in `/var/tmp`.
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
