//! The first 8 KiB of the journal: two slots with the same content, one written after the other, of
//! which the newer whole one counts.
//!
//! A slot is a magic, the format, the lowest format that may read it, the length of its text, the
//! first 16 bytes of the text's SHA-256, and the text. These places stay in every later format, so
//! that an older build can say that it may not read on.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::layout::SLOT;
use super::room;
use crate::ledger::KnownHead;

/// The format this build writes and reads.
pub(super) const FORMAT: u16 = 3;
/// The lowest format that may read a journal: the one before reads no more than the least size.
fn min_reader(size: usize) -> u16 {
    if size > room::LEAST { 3 } else { 2 }
}
const MAGIC: [u8; 8] = *b"\0Journl\xff";
const TEXT: usize = 8 + 2 + 2 + 4 + 16;

/// What a slot says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The slot with the higher number is the newer one.
    pub sequence: u64,
    /// Every entry up to this number is committed: none of them is read back.
    pub done: u64,
    /// Every entry up to this number was said to be durable.
    pub acknowledged: u64,
    /// The newest state that this data folder is known to have had.
    #[serde(default)]
    pub known: Option<KnownHead>,
    /// Whether the other slot says the same, or did before this one: builds before wrote them in
    /// turns.
    #[serde(default)]
    pub twofold: bool,
}

/// What both slots come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slots {
    Whole(Header),
    /// The other slot does not read, and may have said more.
    Half(Header),
    /// No slot was ever written: the format of the builds before, or none.
    NotOurs,
    Damaged,
    OfNewerBuild {
        format: u16,
    },
}

enum HeaderSlot {
    Whole(Header),
    NotOurs,
    Damaged,
    OfNewerBuild(u16),
}

impl Header {
    /// Which slot this goes to: never the one that holds the newest header so far.
    pub(super) fn offset(&self) -> usize {
        (self.sequence % 2) as usize * SLOT
    }

    /// As it stands in a file of this size.
    pub(super) fn bytes(&self, size: usize) -> Vec<u8> {
        // Cannot fail: its keys are texts.
        let text = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = Vec::with_capacity(SLOT);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&min_reader(size).to_le_bytes());
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&sum(&bytes[..16], &text));
        bytes.extend_from_slice(&text);
        bytes.resize(SLOT, 0);
        bytes
    }
}

pub(super) fn read(bytes: &[u8]) -> Slots {
    let slot = |index: usize| slot(bytes.get(index * SLOT..).unwrap_or_default());
    match (slot(0), slot(1)) {
        (HeaderSlot::OfNewerBuild(format), _) | (_, HeaderSlot::OfNewerBuild(format)) => {
            Slots::OfNewerBuild { format }
        }
        (HeaderSlot::Whole(one), HeaderSlot::Whole(other)) => {
            Slots::Whole(if one.sequence > other.sequence { one } else { other })
        }
        (HeaderSlot::Whole(header), _) | (_, HeaderSlot::Whole(header)) if header.twofold => {
            Slots::Whole(header)
        }
        (HeaderSlot::Whole(header), _) | (_, HeaderSlot::Whole(header)) => Slots::Half(header),
        (HeaderSlot::NotOurs, HeaderSlot::NotOurs) => Slots::NotOurs,
        _ => Slots::Damaged,
    }
}

fn slot(bytes: &[u8]) -> HeaderSlot {
    let bytes = bytes.get(..SLOT.min(bytes.len())).unwrap_or_default();
    let Some(rest) = bytes.strip_prefix(&MAGIC) else { return HeaderSlot::NotOurs };
    let read = || -> Option<HeaderSlot> {
        let (format, min_reader) = (number(rest.get(..2)?), number(rest.get(2..4)?));
        let length = u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?) as usize;
        let text = bytes.get(TEXT..TEXT.checked_add(length)?)?;
        if sum(&bytes[..16], text) != bytes[16..TEXT] {
            return None;
        }
        if min_reader > FORMAT {
            return Some(HeaderSlot::OfNewerBuild(format));
        }
        serde_json::from_slice(text).ok().map(HeaderSlot::Whole)
    };
    read().unwrap_or(HeaderSlot::Damaged)
}

fn number(bytes: &[u8]) -> u16 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u16::from(*byte))
}

fn sum(places: &[u8], text: &[u8]) -> [u8; 16] {
    let digest = Sha256::new().chain_update(places).chain_update(text).finalize();
    std::array::from_fn(|index| digest[index])
}
