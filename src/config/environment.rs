//! The sources of settings, in order: the environment, `.env`, and fallbacks of the command.

use std::collections::HashMap;
use std::path::PathBuf;

use super::{ConfigErrors, SettingsReader};

/// The file in which `dev` stores its signing key.
pub const DEV_KEY: &str = "secret_key";
/// The file in which `dev` stores the URL of its database while it runs.
pub const DEV_DATABASE: &str = "database_url";
/// The file in which `dev` stores the URLs of its peers while it runs, as lines of `NAME=URL`.
pub const DEV_PEERS: &str = "peers";

/// The folder of the dev environment, where other commands find it.
pub fn dev_folder() -> PathBuf {
    PathBuf::from(".dev")
}

/// Why `.env` cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(".env {0}")]
pub struct DotenvError(&'static str);

/// Settings by name. The environment of the process is never changed.
#[derive(Clone, Default)]
pub struct Environment {
    given: HashMap<String, String>,
    fallback: HashMap<String, String>,
}

impl Environment {
    /// Reads the environment and `.env`. The environment takes precedence.
    pub fn load() -> Result<Self, DotenvError> {
        let mut given = HashMap::new();
        match dotenvy::dotenv_iter() {
            Ok(entries) => {
                for entry in entries {
                    // The error omits the line, which may contain a secret.
                    let (name, value) =
                        entry.map_err(|_| DotenvError("has a line that cannot be read"))?;
                    given.entry(name).or_insert(value);
                }
            }
            Err(error) if error.not_found() => {}
            Err(_) => return Err(DotenvError("cannot be read")),
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

    /// Overrides a setting.
    #[cfg(feature = "sandbox")]
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.given.insert(name.to_owned(), value.into());
    }

    /// The given settings, for a child process.
    pub fn given(&self) -> &HashMap<String, String> {
        &self.given
    }

    /// Sets a fallback for a setting that is not given.
    pub fn fall_back(&mut self, name: &str, value: impl Into<String>) {
        self.fallback.insert(name.to_owned(), value.into());
    }

    /// Adds the key, the database and the peers of the dev environment in this folder as fallbacks. Database and
    /// peers go together, because only those peers know the orders.
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

    /// Whether a database is configured.
    pub fn has_database(&self) -> bool {
        self.is_given("DATABASE_URL") || self.is_given("DB_HOST")
    }

    /// Whether a setting is given and not empty.
    pub fn is_given(&self, name: &str) -> bool {
        self.given
            .get(name)
            .is_some_and(|value| !value.trim().is_empty())
    }

    /// Reads settings and reports all errors together.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&mut SettingsReader<'_>) -> Option<T>,
    ) -> Result<T, ConfigErrors> {
        let get = |name: &str| {
            let given = self
                .given
                .get(name)
                .filter(|value| !value.trim().is_empty());
            given.or_else(|| self.fallback.get(name)).cloned()
        };
        let mut reader = SettingsReader::new(&get);
        let value = read(&mut reader);
        reader.finish(value)
    }
}
