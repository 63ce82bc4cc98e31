//! What the bytes of the file come to. Pure: it reads bytes and nothing else.
//!
//! Records stand one behind the other and are numbered. A record that is missing below the counter,
//! or that is damaged, is a revocation that is lost. A write that was cut short stands above the
//! counter, ends in zeros, and was never acknowledged: it counts for nothing.

use super::layout::{self, HeaderCopy, RecordSlot};
use crate::auth::{DigestKey, SessionRevocation};

/// What is found where the file should be.
#[derive(Debug)]
pub enum FoundRevocations {
    Absent,
    Good(ReadRevocations),
    /// What still reads of it; other revocations may be lost.
    Damaged(ReadRevocations),
    /// Of a format that this build must not read: it is left as it is.
    OfNewerBuild {
        format: u16,
    },
}

impl FoundRevocations {
    /// What reads of it.
    pub fn read(&self) -> Option<&ReadRevocations> {
        match self {
            FoundRevocations::Good(read) | FoundRevocations::Damaged(read) => Some(read),
            FoundRevocations::Absent | FoundRevocations::OfNewerBuild { .. } => None,
        }
    }
}

/// What reads of a file.
#[derive(Debug, Default)]
pub struct ReadRevocations {
    /// The key of the digests; without it the revocations mean nothing.
    pub key: Option<DigestKey>,
    pub revocations: Vec<SessionRevocation>,
    /// Whether writing may go on in this file: its header is whole twice, and nothing stands behind
    /// its records.
    pub is_tidy: bool,
    pub(super) room: usize,
}

pub(super) fn read(bytes: &[u8]) -> FoundRevocations {
    let mut header = None;
    for copy in [layout::read_header(bytes, 0), layout::read_header(bytes, 1)] {
        match copy {
            HeaderCopy::Whole { room, key } => header = Some((room, key)),
            HeaderCopy::OfNewerBuild { format } => {
                return FoundRevocations::OfNewerBuild { format };
            }
            HeaderCopy::Damaged => {}
        }
    }
    let Some((room, key)) = header else {
        return FoundRevocations::Damaged(ReadRevocations::default());
    };
    let counted =
        [layout::read_counter(bytes, 0), layout::read_counter(bytes, 1)].into_iter().max();
    let counted = counted.flatten();
    let is_tidy = bytes.starts_with(&layout::headers(&key, room));
    let mut read = ReadRevocations { key: Some(key), is_tidy, room, ..Default::default() };
    let mut lost = counted.is_none() || bytes.len() < layout::file_bytes(room);
    // One behind the other so far.
    let mut is_dense = true;
    let area = bytes.get(layout::RECORDS_AT..).unwrap_or_default();
    for (number, place) in (1..).zip(area.chunks(layout::RECORD)) {
        let is_acknowledged = counted.is_none_or(|counted| number <= counted);
        match layout::read_record(place, number) {
            RecordSlot::Record(one) => {
                read.is_tidy &= is_dense;
                read.revocations.push(one);
            }
            RecordSlot::Empty => {
                lost |= is_acknowledged && counted.is_some();
                is_dense = false;
            }
            RecordSlot::Cut => {
                lost |= is_acknowledged;
                (is_dense, read.is_tidy) = (false, false);
            }
            RecordSlot::Damaged => lost = true,
        }
    }
    if lost { FoundRevocations::Damaged(read) } else { FoundRevocations::Good(read) }
}
