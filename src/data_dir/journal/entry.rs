//! One entry: a head of 64 bytes, the keys of the flags and credentials it is about, and what it
//! does to them, up to the next multiple of 64.
//!
//! Head, keys and body have a checksum each. So an entry whose body is damaged still says which
//! flags may be stopped and which credentials revoked, and one whose keys are damaged too still says where the next entry begins.
//! No text holds the bytes of the magic, so reading finds the next entry again after one that does
//! not read.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::keys::Keys;
use super::layout::{ALIGN, DOUBT, PENDING};
use crate::flag::FlagKey;
use crate::ledger::{
    Action, Actor, Attribution, ChangeSource, CredentialId, Doubt, Doubted, Overlay, PendingChange,
    PendingEntry, Unknown,
};

const MAGIC: [u8; 8] = *b"\0Entry\x01\xff";
/// The form of entry that this build writes and reads whole.
const FORMAT: u16 = 1;
/// An entry about more flags, or more credentials, than this is one about all of them, should its
/// body be damaged.
const MOST_KEYS: usize = 4096;

/// What an entry says.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// A narrowing change.
    pub pending: Option<PendingEntry>,
    /// What it may have done and does not say: it is of an earlier journal that did not read, or of
    /// a newer build.
    pub doubt: Doubt,
    pub of_newer_build: bool,
}

/// How much of the entry at one place reads.
#[derive(Debug)]
pub(super) enum ReadEntry {
    Whole {
        number: u64,
        said: Box<Said>,
        length: usize,
    },
    /// What it is about, and not what it does to that.
    Keys {
        number: u64,
        doubt: Doubt,
        length: usize,
    },
    /// That there is one.
    Number {
        number: u64,
        length: usize,
    },
    /// The magic alone.
    Nothing,
}

pub(super) fn pending(number: u64, pending: &PendingEntry) -> Vec<u8> {
    let keys = Keys {
        flags: few(pending.flags().cloned().collect()),
        credentials: few(pending.revoked.iter().map(|revoked| revoked.id.clone()).collect()),
        is_silent: false,
    };
    // Cannot fail: its keys are texts.
    entry(PENDING, number, &keys.text(), &serde_json::to_vec(pending).unwrap_or_default())
}

/// `None` where there is no doubt.
pub(super) fn doubt(number: u64, doubt: &Doubt) -> Option<Vec<u8>> {
    fn bounded<K: Ord + Clone>(doubted: &Doubted<K>) -> Doubted<K> {
        match doubted {
            Doubted::These(keys) => few(keys.clone()),
            doubted => doubted.clone(),
        }
    }
    let keys = Keys {
        flags: bounded(&doubt.flags),
        credentials: bounded(&doubt.credentials),
        is_silent: false,
    };
    (!doubt.is_none()).then(|| entry(DOUBT, number, &keys.text(), b"{}"))
}

/// Those of one entry.
fn few<K: Ord>(keys: BTreeSet<K>) -> Doubted<K> {
    if keys.len() <= MOST_KEYS { keys.into_iter().collect() } else { Doubted::All }
}

fn entry(kind: u16, number: u64, keys: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length(keys.len(), body.len()).unwrap_or_default());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&(keys.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&sum::<8>(keys.as_bytes()));
    bytes.extend_from_slice(&sum::<16>(body));
    bytes.extend_from_slice(&sum::<8>(&bytes[..56]));
    bytes.extend_from_slice(keys.as_bytes());
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
    bytes
}

/// What reads of the entry that begins with these bytes; `None` where none begins.
pub(super) fn read(bytes: &[u8]) -> Option<ReadEntry> {
    if !bytes.starts_with(&MAGIC) {
        return None;
    }
    Some(read_on(bytes).unwrap_or(ReadEntry::Nothing))
}

fn read_on(bytes: &[u8]) -> Option<ReadEntry> {
    let head = bytes.get(..ALIGN)?;
    if sum::<8>(&head[..56]) != head[56..] {
        return None;
    }
    let small = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let medium = |at: usize| {
        u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize
    };
    let (format, kind, of_keys, of_body) = (small(8), small(10), medium(12), medium(16));
    let number = u64::from_le_bytes(head.get(24..32)?.try_into().ok()?);
    let length = length(of_keys, of_body)?;
    let body_at = ALIGN + of_keys;
    let keys = bytes
        .get(ALIGN..body_at)
        .filter(|keys| sum::<8>(keys) == head[32..40])
        .and_then(|keys| Keys::parse(keys, kind));
    let body = bytes
        .get(body_at..body_at.checked_add(of_body)?)
        .filter(|body| sum::<16>(body) == head[40..56]);
    Some(match (keys, body) {
        (Some(keys), Some(body)) => {
            let said = Box::new(said(number, (format, kind), keys, body));
            ReadEntry::Whole { number, said, length }
        }
        (Some(keys), None) => ReadEntry::Keys { number, doubt: keys.doubt(), length },
        (None, _) => ReadEntry::Number { number, length },
    })
}

/// What an entry says. One that a newer build wrote is read as far as it is known: its flags are
/// stopped, and a credential that it is about, and that it is not known to revoke, is in doubt.
fn said(number: u64, (format, kind): (u16, u16), keys: Keys, body: &[u8]) -> Said {
    if format <= FORMAT && kind == DOUBT {
        return Said { doubt: keys.doubt(), ..Said::default() };
    }
    let known = match kind {
        PENDING => serde_json::from_slice::<PendingEntry>(body).ok(),
        _ => None,
    };
    if let Some(pending) = &known
        && format <= FORMAT
        && !pending.is_of_newer_build()
    {
        return Said { pending: known, ..Said::default() };
    }
    let revoked: BTreeSet<CredentialId> =
        known.iter().flat_map(|known| &known.revoked).map(|revoked| revoked.id.clone()).collect();
    let credentials = match keys.credentials {
        Doubted::These(named) => named.difference(&revoked).cloned().collect(),
        // The builds before named no credential: the one that it revokes is the one it is about.
        Doubted::All if keys.is_silent && !revoked.is_empty() => Doubted::None,
        doubted => doubted,
    };
    let (pending, flags) = match keys.flags {
        Doubted::These(flags) => (Some(stopping(number, known, flags, body)), Doubted::None),
        flags => (known, flags),
    };
    Said { pending, doubt: Doubt { flags, credentials }, of_newer_build: true }
}

/// What is known of an entry of a newer build, and a stop of each of its flags.
fn stopping(
    number: u64,
    known: Option<PendingEntry>,
    flags: BTreeSet<FlagKey>,
    body: &[u8],
) -> PendingEntry {
    let body: Json = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let at_ms = body["atMs"].as_i64().unwrap_or_default();
    let mut pending = known.unwrap_or_else(|| PendingEntry {
        id: text("id").unwrap_or_else(|| format!("journal-{number}-{at_ms}")),
        at_ms,
        actor: Actor {
            name: text("actor").unwrap_or_else(|| "turnout".to_owned()),
            id: text("actorId"),
        },
        origin: ChangeSource::Api,
        reason: text("reason"),
        request: text("request").and_then(|request| request.parse().ok()),
        narrowed: Vec::new(),
        revoked: Vec::new(),
        superseded: Vec::new(),
        unknown: Unknown::default(),
    });
    let mark = Arc::new(Attribution::of_turnout(
        at_ms,
        "a newer build narrowed it in a way that does not read",
    ));
    let stop = |flag| PendingChange {
        flag,
        action: Action::Stop,
        op: Overlay::Stop(Arc::clone(&mark)),
        unknown: Unknown::default(),
    };
    pending.narrowed.extend(flags.into_iter().map(stop));
    pending
}

fn length(of_keys: usize, of_body: usize) -> Option<usize> {
    ALIGN.checked_add(of_keys)?.checked_add(of_body)?.checked_next_multiple_of(ALIGN)
}

fn sum<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let digest = Sha256::digest(bytes);
    std::array::from_fn(|index| digest[index])
}
