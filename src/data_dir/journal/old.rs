//! The journal of the builds before: no header, and each entry right after the other. Read once,
//! and written anew in the present form.
//!
//! An entry is the length of its text in four bytes, the first eight bytes of the text's SHA-256,
//! and the text. Behind the last one are zeros.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::entries::JournalEntries;
use super::zeros::end_of_content;
use crate::ledger::{Doubt, PendingEntry};

const HEAD: usize = 4 + 8;

/// Every entry that reads. Where something else stands that is not zeros, an entry may be lost, and
/// it may be about any flag, or any credential.
pub(super) fn read(bytes: &[u8]) -> JournalEntries {
    let (mut entries, mut doubt, mut at) = (Vec::<PendingEntry>::new(), Doubt::NONE, 0);
    let mut of_newer_build = false;
    // Nothing is looked for in the zeros.
    let end = end_of_content(bytes);
    while at < end {
        match entry(&bytes[at..]) {
            Some((text, length)) => {
                at += length;
                match serde_json::from_slice::<PendingEntry>(text) {
                    Ok(pending) => {
                        of_newer_build |= pending.is_of_newer_build();
                        entries.push(pending);
                    }
                    Err(_) => doubt = Doubt::ALL,
                }
            }
            None => {
                doubt = Doubt::ALL;
                at += 1;
            }
        }
    }
    let mut ids = BTreeSet::new();
    entries.retain(|pending| ids.insert(pending.id.clone()));
    let is_damaged = !doubt.is_none();
    JournalEntries { entries, doubt, of_newer_build, is_damaged, ..JournalEntries::default() }
}

fn entry(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let [a, b, c, d, sum @ ..] = bytes.first_chunk::<HEAD>()?;
    let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    let text = bytes.get(HEAD..HEAD.checked_add(length)?)?;
    // Cheaper than a checksum at every place that holds no entry.
    let is_one = text.starts_with(b"{") && Sha256::digest(text).starts_with(sum);
    is_one.then_some((text, HEAD + length))
}
