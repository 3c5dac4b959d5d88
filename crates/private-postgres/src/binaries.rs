//! Finds installed `postgres` and `initdb` binaries, and fetches them if there are none.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::run_as::RunAs;
use super::{Error, fetch};

/// The oldest supported major version.
pub const MINIMUM_MAJOR: u16 = 14;

/// Folders with one subfolder per version: the folder, the prefix of the subfolder's name, and the path of
/// the binaries in the subfolder.
const VERSIONED_FOLDERS: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// Folders of binaries without a version in their name.
const PLAIN_FOLDERS: [&str; 2] = ["/usr/bin", "/usr/local/pgsql/bin"];

/// Where to search for binaries.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// If set, the only folder to search.
    pub bin_dir: Option<PathBuf>,
    /// The folders to search, in order of preference.
    pub folders: Vec<PathBuf>,
    /// The folder to fetch into if the search finds nothing; `None` disables fetching.
    pub cache: Option<PathBuf>,
}

impl Search {
    /// The folders named by the environment (`PG_BIN_DIR`, `PATH`, `XDG_CACHE_HOME`, `HOME`) and those that
    /// packages install into.
    pub(super) fn from_env(run_as: &RunAs) -> Self {
        let path = from_env("PATH").unwrap_or_default();
        let cache = cache(run_as);
        let fetched = cache.iter().map(|cache| fetch::bin_dir(cache));
        let folders = env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .chain(
                VERSIONED_FOLDERS
                    .iter()
                    .flat_map(|&(folder, prefix, bin)| versions_in(Path::new(folder), prefix, bin)),
            )
            .chain(PLAIN_FOLDERS.iter().map(PathBuf::from))
            .chain(fetched)
            .collect();
        Self {
            bin_dir: folder_from_env("PG_BIN_DIR"),
            folders,
            cache,
        }
    }
}

/// Working binaries of the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder of the binaries.
    pub dir: PathBuf,
    /// The major version.
    pub major: u16,
}

impl Binaries {
    /// Selects the first binaries of the `wanted` major version, otherwise the first supported ones. Fetches
    /// binaries if there are none.
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

    /// The path of `initdb`.
    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    /// The path of `postgres`.
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

    /// The binaries in a folder, if both exist, run, and are new enough.
    ///
    /// The path is canonical, because `postgres` finds its `share` folder relative to its real location.
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

/// Parses `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` and `… 19beta1`.
fn major(version: &str) -> Option<u16> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    let digits = number.find(|c: char| !c.is_ascii_digit());
    number.get(..digits.unwrap_or(number.len()))?.parse().ok()
}

/// The folders of all versions below a folder, newest version first.
fn versions_in(folder: &Path, prefix: &str, bin: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
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

/// The cache of fetched binaries. An unprivileged account cannot read root's home.
fn cache(run_as: &RunAs) -> Option<PathBuf> {
    let caches = match run_as {
        RunAs::Account(_) => PathBuf::from("/var/cache"),
        RunAs::CurrentUser | RunAs::UserNamespace => folder_from_env("XDG_CACHE_HOME")
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
