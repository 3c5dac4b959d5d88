//! Where settings come from: the environment, then `.env`, then what a command itself provides.

use std::collections::HashMap;
use std::path::PathBuf;

use super::{Faults, Reader};

/// The file in which `dev` keeps the key of its world.
pub const DEV_KEY: &str = "secret_key";
/// The file in which `dev` keeps the address of its database while it runs.
pub const DEV_DATABASE: &str = "database_url";
/// The file in which `dev` keeps the addresses of its peers while it runs: `NAME=URL` in each line.
pub const DEV_PEERS: &str = "peers";

/// Where `dev` keeps its world, and where other commands find it.
pub fn dev_folder() -> PathBuf {
    PathBuf::from(".dev")
}

/// Why `.env` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(".env {0}")]
pub struct Unreadable(&'static str);

/// Settings by name. The process's own environment is never changed.
#[derive(Clone, Default)]
pub struct Environment {
    given: HashMap<String, String>,
    fallback: HashMap<String, String>,
}

impl Environment {
    /// Reads `.env`, if there is one, and the environment, which goes first.
    pub fn load() -> Result<Self, Unreadable> {
        let mut given = HashMap::new();
        match dotenvy::dotenv_iter() {
            Ok(entries) => {
                for entry in entries {
                    // The text of a faulty line may be a secret.
                    let (name, value) =
                        entry.map_err(|_| Unreadable("has a line that cannot be read"))?;
                    given.entry(name).or_insert(value);
                }
            }
            Err(error) if error.not_found() => {}
            Err(_) => return Err(Unreadable("cannot be read")),
        }
        for (name, value) in std::env::vars_os() {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                given.insert(name, value);
            }
        }
        Ok(Self {
            given,
            fallback: HashMap::new(),
        })
    }

    /// Sets what holds, whatever else is given.
    #[cfg(feature = "sandbox")]
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.given.insert(name.to_owned(), value.into());
    }

    /// What is given, by name: for a process that is to have the same settings.
    pub fn given(&self) -> &HashMap<String, String> {
        &self.given
    }

    /// Sets what holds unless something else is given.
    pub fn fall_back(&mut self, name: &str, value: impl Into<String>) {
        self.fallback.insert(name.to_owned(), value.into());
    }

    /// With the key, the database and the peers of the `dev` world that was started from this folder, for
    /// whatever is not given. Its orders are known to its peers alone.
    pub fn or_dev(&self) -> Self {
        let mut environment = self.clone();
        let keys = ["SECRET_KEY", "JWT_PUBLIC_KEY", "JWT_JWKS_URL"];
        if !keys.iter().any(|name| self.is_given(name)) {
            environment.fall_back_to_file("SECRET_KEY", DEV_KEY);
        }
        if !self.has_database() {
            environment.fall_back_to_file("DATABASE_URL", DEV_DATABASE);
            environment.fall_back_to_peers();
        }
        environment
    }

    fn fall_back_to_file(&mut self, name: &str, file: &str) {
        if let Ok(value) = std::fs::read_to_string(dev_folder().join(file)) {
            self.fall_back(name, value);
        }
    }

    fn fall_back_to_peers(&mut self) {
        let text = std::fs::read_to_string(dev_folder().join(DEV_PEERS)).unwrap_or_default();
        for (name, url) in text.lines().filter_map(|line| line.split_once('=')) {
            if name.ends_with("_SERVICE_URL") {
                self.fall_back(name, url);
            }
        }
    }

    /// Whether a database is named.
    pub fn has_database(&self) -> bool {
        self.is_given("DATABASE_URL") || self.is_given("DB_HOST")
    }

    /// Whether a setting is given and not empty.
    pub fn is_given(&self, name: &str) -> bool {
        self.given
            .get(name)
            .is_some_and(|value| !value.trim().is_empty())
    }

    /// Reads settings, and tells every fault at once.
    pub fn read<T>(&self, read: impl FnOnce(&mut Reader<'_>) -> Option<T>) -> Result<T, Faults> {
        let get = |name: &str| {
            let given = self
                .given
                .get(name)
                .filter(|value| !value.trim().is_empty());
            given.or_else(|| self.fallback.get(name)).cloned()
        };
        let mut reader = Reader::new(&get);
        let value = read(&mut reader);
        reader.finish(value)
    }
}
