//! Narrowing changes, durable before they are live. The file has all its bytes from the start, so that a full disk does not stop a stop.
//!
//! An entry is the length of its text in four bytes, the first eight bytes of the text's SHA-256, and the text. The first entry that is
//! not whole ends the journal: nothing was acknowledged by it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::truth::Pending;

/// How large the file is: room for thousands of single changes, or for a stop of every flag.
const BYTES: usize = 4 * 1024 * 1024;
const HEAD: usize = 4 + 8;

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    file: File,
    used: usize,
}

impl Journal {
    /// Opens or makes it, and reads what it holds.
    pub fn open(path: &Path) -> io::Result<(Journal, Vec<Pending>)> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
        let mut bytes = Vec::with_capacity(BYTES);
        file.read_to_end(&mut bytes)?;
        if bytes.len() < BYTES {
            // Written, not merely claimed: a hole takes its room when it is too late.
            file.write_all(&vec![0; BYTES - bytes.len()])?;
            file.sync_all()?;
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        }
        let (entries, used) = read(&bytes);
        Ok((Journal { file, used }, entries))
    }

    /// Adds an entry; when this returns, it is durable.
    pub fn append(&mut self, entry: &Pending) -> io::Result<()> {
        let text = serde_json::to_vec(entry)?;
        let mut bytes = Vec::with_capacity(HEAD + text.len());
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&checksum(&text));
        bytes.extend_from_slice(&text);
        if self.used + bytes.len() + HEAD > BYTES {
            return Err(io::Error::other(format!("the journal is full: it holds {BYTES} bytes")));
        }
        self.file.write_all_at(&bytes, self.used as u64)?;
        self.file.sync_data()?;
        self.used += bytes.len();
        Ok(())
    }

    pub fn is_half_full(&self) -> bool {
        self.used > BYTES / 2
    }

    /// Forgets every entry. Not synced: an entry that comes back was committed under its name, and is not committed twice.
    pub fn clear(&mut self) -> io::Result<()> {
        if self.used > 0 {
            self.file.write_all_at(&vec![0; self.used], 0)?;
            self.used = 0;
        }
        Ok(())
    }
}

fn read(bytes: &[u8]) -> (Vec<Pending>, usize) {
    let (mut entries, mut used) = (Vec::new(), 0);
    while let Some((entry, length)) = read_one(&bytes[used..]) {
        entries.push(entry);
        used += length;
    }
    (entries, used)
}

fn read_one(bytes: &[u8]) -> Option<(Pending, usize)> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let (length, sum) = head.split_at(4);
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let text = rest.get(..length).filter(|text| !text.is_empty() && checksum(text) == *sum)?;
    Some((serde_json::from_slice(text).ok()?, HEAD + length))
}

fn checksum(text: &[u8]) -> [u8; 8] {
    let digest = Sha256::digest(text);
    std::array::from_fn(|index| digest[index])
}
