//! Whom the server runs as: PostgreSQL refuses root, containers often offer nothing else.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::Error;

/// Whom the server runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunAs {
    /// The user who runs this process.
    Oneself,
    /// Root in a user namespace that maps nobody: PostgreSQL sees uid 65534 and is content, while
    /// the kernel still lets it use root's files.
    UserNamespace,
    /// An account of lesser rights, for root where user namespaces are refused.
    Account(Account),
}

/// A line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    /// Its name.
    pub(super) name: String,
    /// Its user id.
    pub(super) uid: u32,
    /// Its group id.
    pub(super) gid: u32,
}

impl RunAs {
    /// Finds the way that works here.
    pub(super) async fn choose() -> Result<Self, Error> {
        if !is_root().await? {
            return Ok(Self::Oneself);
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

    /// The words that go before a program's own.
    pub(super) fn prefix(&self) -> &'static [&'static str] {
        match self {
            Self::UserNamespace => &["unshare", "--user", "--"],
            Self::Oneself | Self::Account(_) => &[],
        }
    }

    /// Makes `command` drop the rights it must not have.
    pub(super) fn apply(&self, command: &mut std::process::Command) {
        if let Self::Account(account) = self {
            command.uid(account.uid).gid(account.gid);
        }
    }

    /// Hands a file or folder to the account that has to use it.
    pub(super) fn own(&self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Account(account) => chown(path, Some(account.uid), Some(account.gid))
                .map_err(Error::file("change the owner of", path)),
            Self::Oneself | Self::UserNamespace => Ok(()),
        }
    }
}

impl Account {
    /// PostgreSQL's own account, else nobody's.
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

/// Asks `id`, since the standard library does not tell.
async fn is_root() -> Result<bool, Error> {
    let output = Command::new("id")
        .arg("-u")
        .output()
        .await
        .map_err(Error::run("id"))?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// `id -un` succeeds only where the unmapped uid has a name, and `initdb` insists on one.
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
