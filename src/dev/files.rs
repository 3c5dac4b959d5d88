//! Files through which the dev environment shares settings with other commands.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rand::RngExt as _;
use rand::distr::Alphanumeric;
use secrecy::SecretString;

use crate::config::{self, DEV_KEY, Environment};

use super::{Result, prepare};

/// The configured signing secret, or one that the first start generates.
pub fn secret_key(folder: &Path, environment: &Environment) -> Result<SecretString> {
    if environment.is_given("SECRET_KEY") {
        return Ok(environment.read(config::token_key)?);
    }
    let file = prepare(folder)?.join(DEV_KEY);
    match std::fs::read_to_string(&file) {
        Ok(key) if key.len() >= crate::auth::MIN_SECRET_BYTES => Ok(key.into()),
        _ => {
            let key: String = rand::rng()
                .sample_iter(Alphanumeric)
                .take(64)
                .map(char::from)
                .collect();
            write_secret(&file, &key)?;
            Ok(key.into())
        }
    }
}

/// Writes a file that only its owner can read.
pub fn write_secret(file: &Path, text: &str) -> Result {
    let mut opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)?;
    opened.write_all(text.as_bytes())?;
    Ok(())
}

/// A file that is removed on drop.
pub struct TemporaryFile(PathBuf);

impl TemporaryFile {
    /// Creates the file.
    pub fn write(file: PathBuf, text: &str) -> Result<Self> {
        std::fs::write(&file, text)?;
        Ok(Self(file))
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // The next start overwrites a file that is left behind.
        let _ = remove(&self.0);
    }
}

/// Removes a file if it exists.
pub fn remove(file: &Path) -> Result {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Locks the folder for one dev environment. Closing the file releases the lock, even after a crash.
pub fn lock(folder: &Path) -> Result<File> {
    let file = File::create(folder.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another 'order-service dev' runs from {}; stop it, or start from another folder",
            folder.display()
        )
        .into()),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}
