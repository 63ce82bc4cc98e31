//! What was in force last, on local disk: served when the database is not there at a start.
//!
//! The first line is the format, the lowest format that may read it, which state it is, and a
//! checksum over all that follows. The state has a checksum of its own, so a file that is damaged
//! further on still names the newest head there was. Then come a line of JSON and the texts it
//! speaks of, one after another. The file is checked whole, and no more of it is in memory than is
//! asked for: mostly the lines, as the database is there and the texts are too.

mod content;
mod first_line;
mod hashing;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use content::{FoundLastGood, LastGood};

use self::content::read;
use self::first_line::FORMAT;
use super::in_place::FileId;
use super::{replace, set_aside};
use crate::ledger::{Catalog, Credential, Head, Unknown};

/// What is kept beside a catalog.
#[derive(Debug)]
pub struct Beside<'a> {
    pub tokens: &'a [Credential],
    pub committed: Vec<String>,
    pub unknown: &'a Unknown,
}

/// The file in the data folder, and the one before it.
#[derive(Debug)]
pub struct LastGoodFile {
    path: PathBuf,
    /// The one at the path if it is known to be good, and its head.
    good: Option<(FileId, Head)>,
    is_of_newer_build: bool,
}

/// Why it is not written.
#[derive(Debug, thiserror::Error)]
pub enum LastGoodError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a newer build wrote it, and it is left as it is")]
    OfNewerBuild,
}

impl LastGoodFile {
    /// Reads both and changes nothing.
    pub fn look(path: &Path) -> (LastGoodFile, FoundLastGood, FoundLastGood) {
        let found = read(path);
        let good = match &found {
            FoundLastGood::Good(last_good) => FileId::at(path).map(|id| (id, last_good.head)),
            _ => None,
        };
        let is_of_newer_build = matches!(found, FoundLastGood::OfNewerBuild { .. });
        let file = LastGoodFile { path: path.to_owned(), good, is_of_newer_build };
        let earlier = read(&file.previous_path());
        (file, found, earlier)
    }

    /// The state before the last one.
    pub fn previous_path(&self) -> PathBuf {
        self.path.with_extension("1")
    }

    /// Keeps a file that is damaged, or of another history, beside it for a person to look at. It
    /// is not the state before the next one.
    pub fn set_aside(&mut self) -> io::Result<()> {
        self.good = None;
        set_aside(&self.path, "damaged")
    }

    /// Keeps a newer build's file beside it, so that this build may write its own: a person decided
    /// so.
    pub fn set_newer_aside(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_of_newer_build) {
            set_aside(&self.path, "newer")
        } else {
            Ok(())
        }
    }

    /// Whether the file at the path is known to be of a later revision than this.
    pub fn is_newer_than(&self, revision: u64) -> bool {
        self.good.as_ref().is_some_and(|(_, head)| head.revision > revision) && self.is_in_place()
    }

    /// Whether the file that was written last is the one at its path.
    pub fn is_in_place(&self) -> bool {
        self.good.as_ref().is_none_or(|(id, _)| FileId::at(&self.path) == Some(*id))
    }

    /// Puts a catalog and these tokens in the place of the one before, whole or not at all. The one
    /// before is kept as long as it is of another head: what stands beside the last good state is
    /// always an earlier one.
    pub fn write(
        &mut self,
        epoch: &str,
        catalog: &Catalog,
        beside: Beside<'_>,
    ) -> Result<(), LastGoodError> {
        if self.is_of_newer_build && !matches!(read(&self.path), FoundLastGood::Absent) {
            return Err(LastGoodError::OfNewerBuild);
        }
        let last_good = LastGood {
            epoch: epoch.to_owned(),
            head: catalog.head,
            flags: catalog
                .flags()
                .map(|(key, entry)| (key.clone(), entry.record.clone(), entry.changed_at))
                .collect(),
            segments: catalog
                .segments()
                .map(|(key, entry)| (key.clone(), entry.record.clone(), entry.changed_at))
                .collect(),
            tokens: beside.tokens.to_vec(),
            committed: beside.committed,
            texts: catalog.blobs().iter().map(|(id, text)| (*id, text.len())).collect(),
            unknown: beside.unknown.clone(),
            format: FORMAT,
            kept: None,
        };
        let before = self.good.take();
        if let Some((id, head)) = &before
            && head.hash != catalog.head.hash
            && FileId::at(&self.path) == Some(*id)
        {
            self.keep_as_earlier()?;
        }
        self.good = before;
        let id = replace(&self.path, |file| {
            last_good.write_to(file, catalog.blobs())?;
            FileId::of(file)
        })?;
        (self.good, self.is_of_newer_build) = (Some((id, catalog.head)), false);
        Ok(())
    }

    fn keep_as_earlier(&self) -> io::Result<()> {
        let (earlier, beside) = (self.previous_path(), self.path.with_extension("1.new"));
        match fs::remove_file(&beside) {
            // To copy to a link would write through it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // A second name of the same file; not every file system has them.
        fs::hard_link(&self.path, &beside).or_else(|_| fs::copy(&self.path, &beside).map(drop))?;
        fs::rename(&beside, &earlier)
    }
}
