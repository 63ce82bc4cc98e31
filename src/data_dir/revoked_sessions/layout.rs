//! The form of the file. Two copies of the header, two of the counter, a sector each; then the
//! records, of which none crosses a sector. Files on disk depend on these numbers.
//!
//! The header is a magic, the format, the lowest format that may read it, the room in records, the
//! key of the digests, and a checksum. The counter says how many records were acknowledged. A
//! record is a magic, what kind it is, its number, the moment, the digest, and a checksum at its
//! end: so a write that was cut short ends in zeros.

use sha2::{Digest, Sha256};

use crate::auth::{DigestKey, RevokedSubject, SessionRevocation, UserDigest};

/// The format this build writes and reads.
pub(super) const FORMAT: u16 = 1;
/// The lowest format that may read what it writes.
const MIN_READER: u16 = 1;
const SECTOR: usize = 512;
pub(super) const COUNTERS_AT: usize = 2 * SECTOR;
pub(super) const RECORDS_AT: usize = 4 * SECTOR;
pub(super) const RECORD: usize = 64;
/// The checksum of each part, at its end.
const SUM: usize = 16;
/// What zeros there at the end of a record show: that its write was cut short.
const CUT: usize = 8;

const HEADER_MAGIC: [u8; 8] = *b"\0Revoke\xff";
const COUNTER_MAGIC: [u8; 8] = *b"\0Count\x01\xff";
const RECORD_MAGIC: [u8; 4] = *b"Rv\x01\xff";
const HEADER: usize = 8 + 2 + 2 + 4 + DigestKey::BYTES + SUM;
const COUNTER: usize = 8 + 8 + SUM;

const OF_USER: u16 = 1;
const OF_GROUP: u16 = 2;
const OF_EVERYONE: u16 = 3;

/// What one copy of the header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderCopy {
    Whole { room: usize, key: DigestKey },
    OfNewerBuild { format: u16 },
    Damaged,
}

/// What stands in the place of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RecordSlot {
    Empty,
    Record(SessionRevocation),
    /// A write that was cut short.
    Cut,
    Damaged,
}

pub(super) const fn file_bytes(room: usize) -> usize {
    RECORDS_AT + room * RECORD
}

pub(super) const fn record_at(index: usize) -> usize {
    RECORDS_AT + index * RECORD
}

/// A whole file with room for so many records.
pub(super) fn file(key: &DigestKey, all: &[SessionRevocation], room: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(file_bytes(room));
    bytes.extend(head(key, room, all.len() as u64));
    for (number, one) in (1..).zip(all) {
        bytes.extend(record(number, one));
    }
    bytes.resize(file_bytes(room), 0);
    bytes
}

/// Everything before the records.
pub(super) fn head(key: &DigestKey, room: usize, count: u64) -> Vec<u8> {
    let mut head = headers(key, room);
    head.extend(counters(count));
    head
}

/// Both copies of the header.
pub(super) fn headers(key: &DigestKey, room: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(RECORDS_AT);
    header.extend(HEADER_MAGIC);
    header.extend(FORMAT.to_le_bytes());
    header.extend(MIN_READER.to_le_bytes());
    header.extend((room as u32).to_le_bytes());
    header.extend(key.bytes());
    summed(&mut header);
    header.resize(SECTOR, 0);
    header.extend_from_within(..);
    header
}

pub(super) fn counters(count: u64) -> Vec<u8> {
    let mut counter = Vec::with_capacity(2 * SECTOR);
    counter.extend(COUNTER_MAGIC);
    counter.extend(count.to_le_bytes());
    summed(&mut counter);
    counter.resize(SECTOR, 0);
    counter.extend_from_within(..);
    counter
}

pub(super) fn record(number: u64, one: &SessionRevocation) -> Vec<u8> {
    let group;
    let (kind, who): (u16, &[u8]) = match &one.subject {
        RevokedSubject::User(digest) => (OF_USER, digest.bytes()),
        RevokedSubject::Group(of) => {
            group = of.to_be_bytes();
            (OF_GROUP, &group)
        }
        RevokedSubject::Everyone => (OF_EVERYONE, &[]),
    };
    let mut bytes = Vec::with_capacity(RECORD);
    bytes.extend(RECORD_MAGIC);
    bytes.extend(kind.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(number.to_le_bytes());
    bytes.extend(one.at_ms.to_le_bytes());
    bytes.extend(who);
    bytes.resize(RECORD - SUM, 0);
    summed(&mut bytes);
    bytes
}

/// The head of a file that a build of format 9 wrote, for readers of that format alone.
#[cfg(test)]
pub(super) fn of_newer_build(key: &DigestKey, room: usize) -> Vec<u8> {
    let mut bytes = head(key, room, 0);
    for copy in [0, SECTOR] {
        bytes[copy + 8] = 9;
        bytes[copy + 10] = 9;
        let sum = sum_of(&bytes[copy..copy + HEADER - SUM]);
        bytes[copy + HEADER - SUM..copy + HEADER].copy_from_slice(&sum);
    }
    bytes
}

pub(super) fn read_header(bytes: &[u8], copy: usize) -> HeaderCopy {
    let read = || {
        let bytes = bytes.get(copy * SECTOR..)?;
        let body = whole(bytes.get(..HEADER)?, &HEADER_MAGIC)?;
        let (format, min_reader) = (small(body, 8)?, small(body, 10)?);
        if min_reader > FORMAT {
            return Some(HeaderCopy::OfNewerBuild { format });
        }
        let room = u32::from_le_bytes(body.get(12..16)?.try_into().ok()?) as usize;
        let key: [u8; DigestKey::BYTES] = body.get(16..)?.try_into().ok()?;
        Some(HeaderCopy::Whole { room, key: key.into() })
    };
    read().unwrap_or(HeaderCopy::Damaged)
}

/// How many records were acknowledged; `None` if this copy does not read.
pub(super) fn read_counter(bytes: &[u8], copy: usize) -> Option<u64> {
    let at = COUNTERS_AT + copy * SECTOR;
    let body = whole(bytes.get(at..at + COUNTER)?, &COUNTER_MAGIC)?;
    Some(u64::from_le_bytes(body.get(8..16)?.try_into().ok()?))
}

/// What stands in the place of the record of this number.
pub(super) fn read_record(bytes: &[u8], number: u64) -> RecordSlot {
    if bytes.iter().all(|byte| *byte == 0) {
        return RecordSlot::Empty;
    }
    let read = || {
        let body = whole(bytes.get(..RECORD)?, &RECORD_MAGIC)?;
        let digest: [u8; UserDigest::BYTES] = body.get(24..40)?.try_into().ok()?;
        let subject = match small(body, 4)? {
            OF_USER => RevokedSubject::User(digest.into()),
            OF_GROUP => RevokedSubject::Group(u16::from_be_bytes([digest[0], digest[1]])),
            OF_EVERYONE => RevokedSubject::Everyone,
            _ => return None,
        };
        let own = u64::from_le_bytes(body.get(8..16)?.try_into().ok()?);
        let at_ms = i64::from_le_bytes(body.get(16..24)?.try_into().ok()?);
        (own == number).then_some(SessionRevocation { subject, at_ms })
    };
    let is_cut = bytes.len() < RECORD || bytes[RECORD - CUT..].iter().all(|byte| *byte == 0);
    match read() {
        Some(one) => RecordSlot::Record(one),
        None if is_cut => RecordSlot::Cut,
        None => RecordSlot::Damaged,
    }
}

fn small(body: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(body.get(at..at + 2)?.try_into().ok()?))
}

/// The part before its checksum, if that is right.
fn whole<'b>(bytes: &'b [u8], magic: &[u8]) -> Option<&'b [u8]> {
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM)?)?;
    (body.starts_with(magic) && sum == sum_of(body)).then_some(body)
}

fn summed(bytes: &mut Vec<u8>) {
    let sum = sum_of(bytes);
    bytes.extend(sum);
}

fn sum_of(bytes: &[u8]) -> [u8; SUM] {
    let digest = Sha256::digest(bytes);
    std::array::from_fn(|index| digest[index])
}
