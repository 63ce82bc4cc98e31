//! The first line: the format, the lowest format that may read it, which state it is, and a checksum
//! over all that follows.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use crate::ledger::{ContentHash, Head, KnownHead};

pub const MAGIC: &str = "turnout-last-good-";
/// The format this build writes, and the lowest that may read it. It reads format 2 as well.
pub const FORMAT: u32 = 3;
pub const MIN_READER: u32 = 3;
/// Longer than any first line.
const MAX_LINE: u64 = 1024;

/// What the first line says.
pub struct FileHeader {
    pub format: u32,
    pub min_reader: u32,
    pub sum: ContentHash,
}

impl FileHeader {
    pub fn parse(line: &[u8]) -> Option<FileHeader> {
        let line = std::str::from_utf8(line).ok()?.trim_end();
        let (named, sum) = line.strip_prefix(MAGIC)?.split_once(' ')?;
        let formats = named.split(',').next()?;
        let (format, min_reader) = formats.split_once('.').unwrap_or((formats, formats));
        let (format, min_reader) = (format.parse().ok()?, min_reader.parse().ok()?);
        // Of a newer format all is left to the newer build, its checksum too.
        let sum = sum.parse().ok().or((min_reader > FORMAT).then(|| ContentHash::from([0; 32])))?;
        Some(FileHeader { format, min_reader, sum })
    }
}

/// As it stands in the first line: without a space, and with its own checksum at the end.
pub fn state_in_words(KnownHead { epoch, head }: &KnownHead) -> String {
    let state = format!("{epoch},{},{},{}", head.revision, head.hash, head.committed_at_ms);
    format!("{state},{}", ContentHash::of(state.as_bytes()))
}

/// `None` also for the format before, which names none.
pub fn state_named(line: &[u8]) -> Option<KnownHead> {
    let named = std::str::from_utf8(line).ok()?.split(' ').next()?;
    let (state, sum) = named.split_once(',')?.1.rsplit_once(',')?;
    if ContentHash::of(state.as_bytes()) != sum.parse().ok()? {
        return None;
    }
    let [epoch, revision, hash, committed_at_ms] =
        state.split(',').collect::<Vec<_>>().try_into().ok()?;
    let (revision, hash) = (revision.parse().ok()?, hash.parse().ok()?);
    let head = Head { revision, hash, committed_at_ms: committed_at_ms.parse().ok()? };
    Some(KnownHead { epoch: epoch.to_owned(), head })
}

/// With its end; at most [`MAX_LINE`] bytes.
pub fn line(file: &mut BufReader<File>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    file.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
    Ok(line)
}
