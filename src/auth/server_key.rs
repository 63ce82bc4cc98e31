//! Server keys: who may ask for anyone. A file holds a name and the SHA-256 of each key, so that
//! reading it gives no key away.
//!
//! ```text
//! # name   sha256 of the key, in hex
//! checkout 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! builder  60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752 publish build-events
//! ```
//!
//! A line may end in `ask`, `publish`, `sessions` and flags: then its key may only that. `flag:ask`
//! is the flag `ask`.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use super::server_permissions::ServerPermissions;
use super::session::Fingerprint;

/// The most keys a file holds.
pub const MAX_SERVER_KEYS: usize = 256;

/// The keys of servers, as hashes. Its `Debug` shows no name and no hash.
#[derive(Default)]
pub struct ServerKeys(ArcSwap<Vec<ServerKey>>);

/// A key's hash, and what the key may do.
pub type ServerKey = (Fingerprint, Arc<ServerPermissions>);

/// A line that is not a key; only the first one, as a file of hashes is written by a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadServerKeys {
    #[error(
        "line {0} is not `name sha256`: a name, a blank, and 64 hex digits (printf %s \"$KEY\" | sha256sum)"
    )]
    Line(usize),
    #[error(
        "line {0} ends in a word that is neither `ask`, `publish`, `sessions` nor a flag's key (`flag:KEY` for a flag that has one of these names)"
    )]
    Permissions(usize),
    #[error("line {0} has the key itself behind its hash: take it out, and use another key")]
    KeyItself(usize),
    #[error("line {0} has the hash of no key at all: was $KEY empty?")]
    HashOfNothing(usize),
    #[error("it has more than {MAX_SERVER_KEYS} keys")]
    TooMany,
}

impl ServerKeys {
    /// The line for a key, which may do what `permissions` says.
    pub fn line(name: &str, key: &str, permissions: &str) -> String {
        let hash = digest(&SHA256, key.as_bytes());
        let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{name} {hex} {permissions}\n")
    }

    /// Accepts the keys of a file, from now on these alone. Returns how many there are; a bad file
    /// changes nothing.
    pub fn take(&self, bytes: &[u8]) -> Result<usize, BadServerKeys> {
        let hashes = read(bytes)?;
        let count = hashes.len();
        self.0.store(Arc::new(hashes));
        Ok(count)
    }

    /// What the key of this fingerprint may do; `None` if it is none of them. Every hash is compared
    /// in full, whichever matches.
    pub fn find(&self, fingerprint: &Fingerprint) -> Option<Arc<ServerPermissions>> {
        let keys = self.0.load();
        let same = |hash: &Fingerprint| verify_slices_are_equal(hash, fingerprint).is_ok();
        let places = keys.iter().enumerate();
        let place =
            places.fold(None, |found, (at, (hash, _))| if same(hash) { Some(at) } else { found });
        place.and_then(|at| keys.get(at)).map(|(_, may)| may.clone())
    }

    /// What is accepted now; a different value where the keys may differ.
    pub(super) fn current(&self) -> Arc<Vec<ServerKey>> {
        self.0.load_full()
    }
}

impl std::fmt::Debug for ServerKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} server keys", self.0.load().len())
    }
}

fn read(bytes: &[u8]) -> Result<Vec<ServerKey>, BadServerKeys> {
    let nothing = digest(&SHA256, b"");
    let mut hashes = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let line = std::str::from_utf8(line).map_err(|_| BadServerKeys::Line(number))?.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        let (Some(_name), Some(hex)) = (words.next(), words.next()) else {
            return Err(BadServerKeys::Line(number));
        };
        let hash = of_hex(hex).ok_or(BadServerKeys::Line(number))?;
        if hash == *nothing.as_ref() {
            return Err(BadServerKeys::HashOfNothing(number));
        }
        // Who writes the key itself behind its hash must not be taken to name a flag.
        if words.clone().any(|word| digest(&SHA256, word.as_bytes()).as_ref() == hash) {
            return Err(BadServerKeys::KeyItself(number));
        }
        let may = ServerPermissions::read(words).ok_or(BadServerKeys::Permissions(number))?;
        hashes.push((hash, Arc::new(may)));
    }
    if hashes.len() > MAX_SERVER_KEYS { Err(BadServerKeys::TooMany) } else { Ok(hashes) }
}

fn of_hex(text: &str) -> Option<Fingerprint> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() == 2 * SHA256_OUTPUT_LEN { bytes.try_into().ok() } else { None }
}
