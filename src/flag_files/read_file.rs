//! Reads one file of the flags folder.

use std::fs::Metadata;
use std::io::{self, Read};
use std::path::Path;

use super::pulse::{Beating, Pulse};
use crate::definition::{File, Text};
use crate::regular_file;

/// From this size on a file is long: it is compared piece by piece.
const LONG_BYTES: usize = 512 * 1024;
const PIECE_BYTES: usize = 64 * 1024;

/// Reads a file of at most so many bytes.
pub(super) fn read_file(
    path: &Path,
    metadata: &Metadata,
    most: usize,
    pulse: &Pulse,
) -> io::Result<File> {
    let file = regular_file::open(path)?;
    let mut bytes = Vec::with_capacity(metadata.len().min(most as u64) as usize);
    Beating(file.take(most as u64 + 1), pulse).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        Ok(File::TooLarge { bytes: metadata.len().max(bytes.len() as u64) })
    } else {
        Ok(File::Text(Text::new(bytes)))
    }
}

/// Whether a long file is unchanged. It is compared while it is read: read into memory, it would be
/// there twice.
pub(super) fn is_still(
    path: &Path,
    metadata: &Metadata,
    text: &Text,
    pulse: &Pulse,
) -> io::Result<bool> {
    if text.bytes.len() < LONG_BYTES
        || metadata.len() != text.bytes.len() as u64
        || !metadata.is_file()
    {
        return Ok(false);
    }
    let (mut file, mut rest, mut buffer) =
        (regular_file::open(path)?, &text.bytes[..], vec![0; PIECE_BYTES]);
    loop {
        let read = file.read(&mut buffer)?;
        pulse.beat();
        match rest.split_at_checked(read) {
            Some((same, after)) if read > 0 && same == &buffer[..read] => rest = after,
            _ => return Ok(read == 0 && rest.is_empty()),
        }
    }
}

/// Whether the error means that nothing is at the path.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The system's message, without its error number.
pub(super) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        io::ErrorKind::NotADirectory => "is no folder".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_owned()
        }
    }
}
