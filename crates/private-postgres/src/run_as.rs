//! The user of the server process. PostgreSQL refuses to run as root, and many containers only have root.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::Error;

/// The user of the server process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunAs {
    /// The current user.
    CurrentUser,
    /// Root in a user namespace without mappings: PostgreSQL sees uid 65534, and the kernel still grants
    /// access to root's files.
    UserNamespace,
    /// An unprivileged account, for root without user namespaces.
    Account(Account),
}

/// An entry of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    /// Account name.
    pub(super) name: String,
    /// User id.
    pub(super) uid: u32,
    /// Group id.
    pub(super) gid: u32,
}

impl RunAs {
    /// Selects the first option that works.
    pub(super) async fn choose() -> Result<Self, Error> {
        if !is_root().await? {
            return Ok(Self::CurrentUser);
        }
        if user_namespaces_work().await {
            return Ok(Self::UserNamespace);
        }
        let path = Path::new("/etc/passwd");
        let passwd = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
        Account::unprivileged(&passwd)
            .map(Self::Account)
            .ok_or(Error::NoAccount)
    }

    /// Arguments that precede the program's own command line.
    pub(super) fn prefix(&self) -> &'static [&'static str] {
        match self {
            Self::UserNamespace => &["unshare", "--user", "--"],
            Self::CurrentUser | Self::Account(_) => &[],
        }
    }

    /// Makes `command` run as the account.
    pub(super) fn apply(&self, command: &mut std::process::Command) {
        if let Self::Account(account) = self {
            command.uid(account.uid).gid(account.gid);
        }
    }

    /// Makes the account the owner of a file or folder.
    pub(super) fn own(&self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Account(account) => chown(path, Some(account.uid), Some(account.gid))
                .map_err(Error::file("change the owner of", path)),
            Self::CurrentUser | Self::UserNamespace => Ok(()),
        }
    }
}

impl Account {
    /// The account `postgres`, otherwise `nobody`.
    fn unprivileged(passwd: &str) -> Option<Self> {
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| passwd.lines().find_map(|line| Self::parse(line, name)))
    }

    fn parse(line: &str, name: &str) -> Option<Self> {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (uid != 0).then(|| Self {
            name: name.to_owned(),
            uid,
            gid,
        })
    }
}

/// Runs `id`, because the standard library has no such function.
async fn is_root() -> Result<bool, Error> {
    let output = Command::new("id")
        .arg("-u")
        .output()
        .await
        .map_err(Error::run("id"))?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// `id -un` fails if the unmapped uid has no name, and `initdb` requires a name.
async fn user_namespaces_work() -> bool {
    Command::new("unshare")
        .args(["--user", "--", "id", "-un"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_as_prefers_postgres_to_nobody_and_never_picks_root() {
        let nobody = "nobody:x:65534:65533:nobody:/nonexistent:/bin/false";
        let both = format!("root:x:0:0::/root:/bin/sh\n{nobody}\npostgres:x:101:104::/:/bin/sh");
        let found = |passwd: &str| Account::unprivileged(passwd).map(|a| (a.name, a.uid, a.gid));
        assert_eq!(found(&both), Some(("postgres".to_owned(), 101, 104)));
        assert_eq!(found(nobody), Some(("nobody".to_owned(), 65534, 65533)));
        assert_eq!(found("postgres:x:0:0::/:/bin/sh"), None);
    }
}
