//! Narrowing changes, durable before they are live. The file has all its bytes from the start, so that a full disk does not stop a stop.
//!
//! An entry is the length of its text in four bytes, the first eight bytes of the text's SHA-256, and the text. The first entry that is
//! not whole ends the journal: nothing was acknowledged by it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::regular_file;
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
        let file = regular_file::open_own(OpenOptions::new().create(true).truncate(false).read(true).write(true), path)?;
        let bytes = file.metadata()?.len() as usize;
        if bytes < BYTES {
            // Written, not merely claimed: a hole takes its room when it is too late.
            file.write_all_at(&vec![0; BYTES - bytes], bytes as u64)?;
            file.sync_all()?;
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        }
        let (entries, used) = read(BufReader::new(&file))?;
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

/// No further than the entries go: mostly there is none, and all that room.
fn read(mut file: impl Read) -> io::Result<(Vec<Pending>, usize)> {
    let (mut entries, mut used) = (Vec::new(), 0);
    while let Some((entry, length)) = read_one(&mut file, BYTES - used)? {
        entries.push(entry);
        used += length;
    }
    Ok((entries, used))
}

fn read_one(file: &mut impl Read, room: usize) -> io::Result<Option<(Pending, usize)>> {
    let mut head = [0; HEAD];
    if room < HEAD {
        return Ok(None);
    }
    file.read_exact(&mut head)?;
    let [a, b, c, d, sum @ ..] = head;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length == 0 || length > room - HEAD {
        return Ok(None);
    }
    let mut text = vec![0; length];
    file.read_exact(&mut text)?;
    let entry = if checksum(&text) == sum { serde_json::from_slice(&text).ok() } else { None };
    Ok(entry.map(|entry| (entry, HEAD + length)))
}

fn checksum(text: &[u8]) -> [u8; 8] {
    let digest = Sha256::digest(text);
    std::array::from_fn(|index| digest[index])
}
