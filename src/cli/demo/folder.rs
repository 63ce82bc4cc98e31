//! The folder of a demo: its flags, its data, and the server key of its application. It is the
//! user's alone, and is removed at the end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::auth::{ServerKeys, random_secret};

/// The flag that the demo's clients follow.
pub const FLAG: &str = "build-events";

/// Half of the twenty users are inside its split.
const FLAG_FILE: &str = include_str!("build-events.yaml");

/// A folder that is there until it is removed or dropped.
#[derive(Debug)]
pub struct DemoFolder {
    folder: TempDir,
    server_key: String,
}

impl DemoFolder {
    pub fn make() -> Result<DemoFolder, String> {
        let said = |error: io::Error| format!("no temporary folder could be made: {error}");
        let folder = tempfile::Builder::new().prefix("turnout-demo-").tempdir().map_err(said)?;
        let server_key = random_secret().ok_or("the system gives no randomness")?;
        let made = DemoFolder { folder, server_key };
        made.fill().map_err(said)?;
        Ok(made)
    }

    fn fill(&self) -> io::Result<()> {
        fs::create_dir(self.flags())?;
        fs::write(self.flag_file(), FLAG_FILE)?;
        fs::write(
            self.server_keys(),
            ServerKeys::line("demo", &self.server_key, "publish sessions"),
        )
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn flags(&self) -> PathBuf {
        self.path().join("flags")
    }

    pub fn flag_file(&self) -> PathBuf {
        self.flags().join(format!("{FLAG}.yaml"))
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub fn server_keys(&self) -> PathBuf {
        self.path().join("server-keys")
    }

    pub fn server_key(&self) -> &str {
        &self.server_key
    }

    pub fn remove(self) -> io::Result<()> {
        self.folder.close()
    }
}
