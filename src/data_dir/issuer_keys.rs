//! `issuer.keys`: the keys of our own issuer, and which of them were revoked. What they mean is
//! decided in `auth`.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use super::{DataDir, replace, set_aside};
use crate::regular_file;

/// The largest file that is read, in bytes; the server writes less than half.
const MAX_BYTES: usize = 256 * 1024;

/// What one look at the file found.
pub enum IssuerKeysFile {
    Text(Vec<u8>),
    Absent,
    /// It cannot be read, or is no such file.
    Unreadable(String),
}

/// Says which of them it is, and nothing of what the file holds.
impl fmt::Debug for IssuerKeysFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IssuerKeysFile::Text(_) => f.write_str("Text(redacted)"),
            IssuerKeysFile::Absent => f.write_str("Absent"),
            IssuerKeysFile::Unreadable(why) => write!(f, "Unreadable({why})"),
        }
    }
}

impl DataDir {
    pub fn issuer_keys(&self) -> PathBuf {
        self.path.join("issuer.keys")
    }

    /// Reads the file. A folder that is not there says nothing about the file.
    pub fn read_issuer_keys(&self) -> IssuerKeysFile {
        match regular_file::read(&self.issuer_keys(), MAX_BYTES) {
            Ok(Some(bytes)) => IssuerKeysFile::Text(bytes),
            Ok(None) => IssuerKeysFile::Unreadable("it is larger than any that is written".into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.path.is_dir() => {
                IssuerKeysFile::Absent
            }
            Err(error) => IssuerKeysFile::Unreadable(error.to_string()),
        }
    }

    /// Keeps what does not read beside the file, so that it may be written anew.
    pub fn set_issuer_keys_aside(&self) -> io::Result<()> {
        set_aside(&self.issuer_keys(), "damaged")
    }

    /// Writes the file, whole or not at all.
    pub fn write_issuer_keys(&self, text: &str) -> io::Result<()> {
        replace(&self.issuer_keys(), |file| file.write_all(text.as_bytes()))
    }
}
