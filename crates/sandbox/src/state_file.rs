//! The state file: the state as JSON. A change is saved before its response, so a restarted or killed
//! sandbox remembers it. Concurrent changes share one write (group commit).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Error;
use super::hub::Hub;
use super::state::SandboxState;

/// The path of the state file.
#[derive(Debug, Clone)]
pub(super) struct StateFile(Arc<Path>);

impl StateFile {
    /// The file at this path; it may not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self(path.into())
    }

    /// Loads the saved state, or starts a new one if the file is missing.
    pub async fn load(&self) -> Result<SandboxState, Error> {
        let unreadable = |reason: String| Error::StateFile {
            path: self.0.to_path_buf(),
            reason,
        };
        match tokio::fs::read(&self.0).await {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(SandboxState::new()),
            Err(e) => Err(unreadable(e.to_string())),
        }
    }

    /// Saves after each change until the sandbox stops, and once more at the end.
    pub async fn run(self, hub: Hub) {
        while !hub.stopping().is_cancelled() {
            tokio::select! {
                () = hub.changed() => {}
                () = hub.stopping().cancelled() => {}
            }
            let changes = hub.changes();
            self.save(&hub).await;
            hub.saved(changes);
        }
    }

    /// Saves now. A failure is logged and does not stop the sandbox.
    pub async fn save(&self, hub: &Hub) {
        let path = Arc::clone(&self.0);
        // The state is cloned under the lock and written outside it, so requests do not wait for the disk.
        let state = hub.read(SandboxState::clone);
        let written = tokio::task::spawn_blocking(move || write(&path, &state)).await;
        if let Err(error) = written.unwrap_or_else(|e| Err(io::Error::other(e))) {
            let path = self.0.display();
            tracing::warn!(%path, %error, "sandbox state could not be saved");
        }
    }
}

/// Writes a temporary file and renames it, so that the state file is always complete.
fn write(path: &Path, state: &SandboxState) -> io::Result<()> {
    let bytes = serde_json::to_vec(state)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}
