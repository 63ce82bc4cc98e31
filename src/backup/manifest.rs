//! What a backup says of itself: `backup.json` in its folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::BackupError;
use crate::data_dir::{DATABASE, EVENTS, JOURNAL, REVOKED_SESSIONS};
use crate::display_text;
use crate::ledger::{ContentHash, KnownHead};
use crate::regular_file;

pub const NAME: &str = "backup.json";
/// The format this build writes and reads.
const FORMAT: u32 = 1;
const MAX_BYTES: usize = 64 * 1024;
/// The files that may be in a backup.
const OURS: [&str; 4] = [DATABASE, EVENTS, JOURNAL, REVOKED_SESSIONS];

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    format: u32,
    /// The build that took it.
    pub version: String,
    pub taken_at_ms: i64,
    /// The newest revision.
    pub known: KnownHead,
    /// Changes that were live and not in the database yet; they are in the journal.
    pub pending: usize,
    /// `None` where events were left out.
    pub events: Option<EventCounts>,
    /// The SHA-256 of each file.
    pub files: BTreeMap<String, ContentHash>,
}

/// How many events a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventCounts {
    pub streams: u64,
    pub events: u64,
}

/// The SHA-256 of each file of a backup.
pub fn sums(folder: &Path) -> Result<BTreeMap<String, ContentHash>, BackupError> {
    let mut sums = BTreeMap::new();
    for name in OURS {
        let path = folder.join(name);
        match sum(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(BackupError::io("read it", &path, &error)),
            Ok(sum) => {
                sums.insert(name.to_owned(), sum);
            }
        }
    }
    Ok(sums)
}

fn sum(path: &Path) -> io::Result<ContentHash> {
    const PIECE: usize = 64 * 1024;
    let mut file = BufReader::with_capacity(PIECE, regular_file::open(path)?);
    let mut sum = Sha256::new();
    loop {
        let piece = file.fill_buf()?;
        if piece.is_empty() {
            return Ok(ContentHash::from(<[u8; 32]>::from(sum.finalize())));
        }
        sum.update(piece);
        let length = piece.len();
        file.consume(length);
    }
}

impl Manifest {
    pub fn new(
        taken_at_ms: i64,
        known: KnownHead,
        pending: usize,
        events: Option<EventCounts>,
        files: BTreeMap<String, ContentHash>,
    ) -> Manifest {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Manifest { format: FORMAT, version, taken_at_ms, known, pending, events, files }
    }

    /// Whether a backup has this file.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Reads every file of a backup, and compares it with what was taken.
    pub fn check_files(&self, folder: &Path) -> Result<(), BackupError> {
        if let Some(lacks) = [DATABASE].iter().find(|name| !self.has(name)) {
            let shown = display_text::path(&folder.join(NAME));
            return Err(BackupError::Refused(format!("{shown} names no {lacks}")));
        }
        for (name, wanted) in &self.files {
            let path = folder.join(name);
            let sum = sum(&path).map_err(|error| BackupError::io("read it", &path, &error))?;
            if sum != *wanted {
                return Err(BackupError::Failed(format!(
                    "{}: it is not as it was taken; another backup may be",
                    display_text::path(&path)
                )));
            }
        }
        Ok(())
    }

    pub fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let path = folder.join(NAME);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| BackupError::Failed(error.to_string()))?;
        let write = |mut file: File| {
            file.write_all(format!("{text}\n").as_bytes())?;
            file.sync_all()
        };
        regular_file::make_own(&path)
            .and_then(write)
            .map_err(|error| BackupError::io("write it", &path, &error))
    }

    pub fn read(folder: &Path) -> Result<Manifest, BackupError> {
        let path = folder.join(NAME);
        let shown = display_text::path(&path);
        let bytes = regular_file::read(&path, MAX_BYTES).map_err(|error| {
            BackupError::Refused(format!(
                "{shown} cannot be read ({error}); name a folder that `turnout backup` made"
            ))
        })?;
        let manifest = bytes.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
        match manifest {
            None => Err(BackupError::Refused(format!(
                "{shown}: that is not what a backup says of itself"
            ))),
            Some(manifest) if manifest.format > FORMAT => Err(BackupError::Refused(format!(
                "{shown}: turnout {} took it; restore it with that build",
                display_text::line(&manifest.version)
            ))),
            Some(manifest) if manifest.files.keys().any(|name| !OURS.contains(&&**name)) => {
                Err(BackupError::Refused(format!("{shown} names a file that no backup has")))
            }
            Some(manifest) => Ok(manifest),
        }
    }
}
