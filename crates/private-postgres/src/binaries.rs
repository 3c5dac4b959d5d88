//! Finds `postgres` and `initdb`: installed ones first, fetched ones else.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::run_as::RunAs;
use super::{Error, fetch};

/// The oldest major version that will do.
pub const MINIMUM_MAJOR: u16 = 14;

/// Folders with one subfolder for each version: the folder, how the subfolders' names begin, and
/// where the binaries lie in them.
const SHELVES: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// Folders of binaries that have no version in their name.
const FOLDERS: [&str; 2] = ["/usr/bin", "/usr/local/pgsql/bin"];

/// Where to look.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// The only folder to look in, when given.
    pub bin_dir: Option<PathBuf>,
    /// The folders to look in, best first.
    pub folders: Vec<PathBuf>,
    /// The folder to fetch to when there is nothing in the others; `None` fetches nothing.
    pub cache: Option<PathBuf>,
}

impl Search {
    /// What the environment says (`PG_BIN_DIR`, `PATH`, `XDG_CACHE_HOME`, `HOME`), and where
    /// packages put PostgreSQL.
    pub(super) fn from_env(run_as: &RunAs) -> Self {
        let path = from_env("PATH").unwrap_or_default();
        let cache = cache(run_as);
        let fetched = cache.iter().map(|cache| fetch::bin_dir(cache));
        let folders = env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .chain(
                SHELVES
                    .iter()
                    .flat_map(|&(shelf, prefix, bin)| on_shelf(Path::new(shelf), prefix, bin)),
            )
            .chain(FOLDERS.iter().map(PathBuf::from))
            .chain(fetched)
            .collect();
        Self {
            bin_dir: folder_from_env("PG_BIN_DIR"),
            folders,
            cache,
        }
    }
}

/// Binaries that work and belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// Their folder.
    pub dir: PathBuf,
    /// Their major version.
    pub major: u16,
}

impl Binaries {
    /// Takes the first ones of the `wanted` major version, else the first ones that are new
    /// enough, else fetches some.
    pub async fn find(
        search: &Search,
        wanted: Option<u16>,
        progress: &impl Fn(&str),
    ) -> Result<Self, Error> {
        if let Some(folder) = &search.bin_dir {
            let found = Self::at(folder).await;
            return found.ok_or_else(|| Error::BinDir(folder.clone()));
        }
        let mut first = None;
        for folder in &search.folders {
            let Some(found) = Self::at(folder).await else {
                continue;
            };
            if wanted.is_none_or(|wanted| wanted == found.major) {
                return Ok(found);
            }
            first.get_or_insert(found);
        }
        match first {
            Some(found) => Ok(found),
            None => Self::fetch(search, progress).await,
        }
    }

    /// The program that makes data folders.
    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    /// The server.
    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    async fn fetch(search: &Search, progress: &impl Fn(&str)) -> Result<Self, Error> {
        let not_fetched = match &search.cache {
            None => "there is no folder to keep it in".to_owned(),
            Some(cache) => match fetch::fetch(cache, progress).await {
                Err(cause) => cause,
                Ok(folder) => match Self::at(&folder).await {
                    Some(found) => return Ok(found),
                    None => format!("what lies in {} does not run here", folder.display()),
                },
            },
        };
        Err(Error::NoBinaries { not_fetched })
    }

    /// The binaries in a folder, where there are both and they run and are new enough.
    ///
    /// Links are followed, because `postgres` looks for its `share` folder from where it really
    /// lies.
    async fn at(folder: &Path) -> Option<Self> {
        let postgres = fs::canonicalize(folder.join("postgres")).ok()?;
        let dir = postgres.parent()?.to_owned();
        if !dir.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(&postgres)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .await
            .ok()?;
        let major = major(&String::from_utf8_lossy(&output.stdout))?;
        (output.status.success() && major >= MINIMUM_MAJOR).then_some(Self { dir, major })
    }
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` and `… 19beta1`.
fn major(version: &str) -> Option<u16> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    let digits = number.find(|c: char| !c.is_ascii_digit());
    number.get(..digits.unwrap_or(number.len()))?.parse().ok()
}

/// The binaries' folders of all versions on a shelf, newest first.
fn on_shelf(shelf: &Path, prefix: &str, bin: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(shelf) else {
        return Vec::new();
    };
    let mut versions: Vec<(u16, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?.split('.').next()?;
            Some((version.parse().ok()?, entry.path().join(bin)))
        })
        .collect();
    versions.sort_by(|one, other| other.cmp(one));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// Where fetched binaries are kept. An account of lesser rights cannot look into root's home.
fn cache(run_as: &RunAs) -> Option<PathBuf> {
    let caches = match run_as {
        RunAs::Account(_) => PathBuf::from("/var/cache"),
        RunAs::Oneself | RunAs::UserNamespace => folder_from_env("XDG_CACHE_HOME")
            .or_else(|| Some(folder_from_env("HOME")?.join(".cache")))?,
    };
    Some(caches.join("order-service/postgresql"))
}

fn folder_from_env(name: &str) -> Option<PathBuf> {
    from_env(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

#[expect(
    clippy::disallowed_methods,
    reason = "where programs are is the machine's setting, not the service's"
)]
fn from_env(name: &str) -> Option<OsString> {
    env::var_os(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(major(debian), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major("postgres (PostgreSQL) 18"), Some(18));
        assert_eq!(major("postgres (EnterpriseDB) 15.1"), None);
    }
}
