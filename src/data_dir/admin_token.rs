//! `admin.token`: the credential of every program that may read the data folder. What is done when it goes or
//! changes is decided in `control`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use super::{DataDir, FileId, replace};
use crate::ledger::ContentHash;
use crate::regular_file;

/// The longest token that is read, in bytes.
const MAX_BYTES: usize = 512;
/// The largest file of ended tokens that is read, in bytes; the server writes less than a tenth.
const MAX_ENDED_BYTES: usize = 128 * 1024;

/// What one look at the file found.
#[derive(Clone, PartialEq, Eq)]
pub enum AdminTokenFile {
    Token(String),
    /// There is no such file in the folder, or an empty one.
    Gone,
    /// It holds something else than one token.
    Unusable,
    /// Whether it is there cannot be told.
    Unreadable(String),
}

/// Says which of them it is, and nothing of what the file holds.
impl std::fmt::Debug for AdminTokenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AdminTokenFile::Token(_) => f.write_str("Token(redacted)"),
            AdminTokenFile::Gone => f.write_str("Gone"),
            AdminTokenFile::Unusable => f.write_str("Unusable"),
            AdminTokenFile::Unreadable(why) => write!(f, "Unreadable({why})"),
        }
    }
}

impl DataDir {
    pub fn admin_token(&self) -> PathBuf {
        self.path.join("admin.token")
    }

    /// Reads the file, and says in which folder it was looked for.
    pub fn look_at_admin_token(&self) -> (AdminTokenFile, Option<FileId>) {
        let folder = FileId::at(&self.path);
        (self.read_admin_token(), folder)
    }

    /// Reads the file. A folder that is not there says nothing about the file: it may have been
    /// moved away for a moment.
    fn read_admin_token(&self) -> AdminTokenFile {
        let unreadable = |error: io::Error| AdminTokenFile::Unreadable(error.to_string());
        match fs::metadata(self.admin_token()) {
            Ok(found) if !found.is_file() => AdminTokenFile::Unusable,
            Ok(_) => self.read_token_text().unwrap_or_else(unreadable),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::metadata(&self.path)
            {
                Ok(_) => AdminTokenFile::Gone,
                Err(error) => unreadable(error),
            },
            Err(error) => unreadable(error),
        }
    }

    fn read_token_text(&self) -> io::Result<AdminTokenFile> {
        let Some(bytes) = regular_file::read(&self.admin_token(), MAX_BYTES)? else {
            return Ok(AdminTokenFile::Unusable);
        };
        let text = std::str::from_utf8(&bytes).map(str::trim);
        Ok(match text {
            Ok("") => AdminTokenFile::Gone,
            Ok(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                AdminTokenFile::Token(token.to_owned())
            }
            _ => AdminTokenFile::Unusable,
        })
    }

    /// Puts a token in the place of the one that is there, whole or not at all.
    pub fn write_admin_token(&self, token: &str) -> io::Result<()> {
        replace(&self.admin_token(), |file| writeln!(file, "{token}"))
    }

    /// The file with the fingerprints of tokens that have ended.
    pub fn ended_admin_tokens(&self) -> PathBuf {
        self.path.join("admin.token.ended")
    }

    /// Reads the fingerprints of ended tokens, the oldest first. A line that is not a fingerprint is
    /// passed over.
    pub fn read_ended_admin_tokens(&self) -> io::Result<Vec<ContentHash>> {
        let bytes = match regular_file::read(&self.ended_admin_tokens(), MAX_ENDED_BYTES) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(io::Error::other("larger than the server ever writes it")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Writes the fingerprints of ended tokens, whole or not at all.
    pub fn write_ended_admin_tokens(&self, ended: &[ContentHash]) -> io::Result<()> {
        replace(&self.ended_admin_tokens(), |file| {
            ended.iter().try_for_each(|fingerprint| writeln!(file, "{fingerprint}"))
        })
    }

    /// Makes sure that the token in the file is gone, also where there is no room for another one.
    pub fn delete_admin_token(&self) -> io::Result<()> {
        match fs::remove_file(self.admin_token()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
