//! What the bytes of a journal come to. Pure: it reads bytes and nothing else.
//!
//! An entry counts if it is whole and its number is above the header's done-number, wherever it
//! stands. Numbers rise without a gap, and the header names the highest that was acknowledged: so a
//! damaged entry is told from one that never was. An entry above that number whose write was cut
//! short was never acknowledged, and counts for nothing: a disk writes sectors whole and the room
//! beyond the entries holds zeros, so a cut write leaves a sector of zeros, which damage does not.

use std::collections::BTreeSet;

use super::entries::JournalEntries;
use super::entry::{self, ReadEntry, Said};
use super::header::{self, Header, Slots};
use super::layout::{ALIGN, HEADER_BYTES};
use super::old;
use super::zeros::{end_of_content, has_empty_sector, is_empty};
use crate::ledger::{Doubt, PendingEntry, without_superseded};

/// What is known from a journal.
#[derive(Debug)]
pub(super) enum Reading {
    /// Whole, or with doubt about single entries.
    Read(JournalEntries),
    /// No header was ever written: a journal of the format before this one, or none at all.
    Old(JournalEntries),
    /// Its header does not read; the entries that do are here all the same.
    Damaged(JournalEntries),
    OfNewerBuild {
        format: u16,
    },
}

pub(super) fn read(bytes: &[u8]) -> Reading {
    let area = bytes.get(HEADER_BYTES..).unwrap_or_default();
    match header::read(bytes) {
        Slots::OfNewerBuild { format } => Reading::OfNewerBuild { format },
        Slots::Whole(header) => Reading::Read(contents(area, header)),
        Slots::Half(header) => Reading::Read(JournalEntries {
            doubt: Doubt::ALL,
            is_damaged: true,
            ..contents(area, header)
        }),
        Slots::NotOurs if found(area).is_empty() => Reading::Old(old::read(bytes)),
        Slots::NotOurs | Slots::Damaged => {
            let contents = contents(area, Header::default());
            Reading::Damaged(JournalEntries { doubt: Doubt::ALL, is_damaged: true, ..contents })
        }
    }
}

/// An entry and its place in the area.
struct ScannedSlot {
    at: usize,
    part: ReadEntry,
}

impl ScannedSlot {
    fn length(&self) -> usize {
        match self.part {
            ReadEntry::Whole { length, .. }
            | ReadEntry::Keys { length, .. }
            | ReadEntry::Number { length, .. } => length,
            ReadEntry::Nothing => ALIGN,
        }
    }

    fn number(&self) -> Option<u64> {
        match self.part {
            ReadEntry::Whole { number, .. }
            | ReadEntry::Keys { number, .. }
            | ReadEntry::Number { number, .. } => Some(number),
            ReadEntry::Nothing => None,
        }
    }
}

fn found(area: &[u8]) -> Vec<ScannedSlot> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(rest) = area.get(at..).filter(|rest| !rest.is_empty()) {
        match entry::read(rest) {
            Some(part) => {
                let entry = ScannedSlot { at, part };
                at += entry.length();
                found.push(entry);
            }
            None => at += ALIGN,
        }
    }
    found
}

fn contents(area: &[u8], header: Header) -> JournalEntries {
    let all = found(area);
    let end = |found: &ScannedSlot| found.at + found.length();
    let is_live = |found: &&ScannedSlot| found.number().is_some_and(|number| number > header.done);
    // A cut write is the last thing in the area, and above every number that was acknowledged.
    let is_cut = |found: &&ScannedSlot| {
        let above = found.number().is_none_or(|number| number > header.acknowledged);
        above
            && !matches!(found.part, ReadEntry::Whole { .. })
            && has_empty_sector(area, found.at, end(found))
    };
    let cut = all.last().filter(is_cut).map(|found| found.at);
    let live: Vec<&ScannedSlot> =
        all.iter().filter(is_live).filter(|found| cut != Some(found.at)).collect();

    let mut doubt = Doubt::NONE;
    let mut pending: Vec<(u64, PendingEntry)> = Vec::new();
    let (mut of_newer_build, mut is_damaged) = (false, false);
    for found in &live {
        match &found.part {
            ReadEntry::Whole { number, said, .. } => {
                let Said { pending: entry, doubt: more, of_newer_build: newer } = &**said;
                of_newer_build |= newer;
                pending.extend(entry.iter().map(|entry| (*number, entry.clone())));
                doubt = doubt.and(more.clone());
            }
            ReadEntry::Keys { doubt: more, .. } => {
                (doubt, is_damaged) = (doubt.and(more.clone()), true);
            }
            ReadEntry::Number { .. } | ReadEntry::Nothing => {
                (doubt, is_damaged) = (Doubt::ALL, true);
            }
        }
    }
    let numbers: BTreeSet<u64> = live.iter().filter_map(|found| found.number()).collect();
    let last = numbers.last().copied().unwrap_or(header.done).max(header.acknowledged);
    // Counted, as a damaged number may be any.
    if numbers.len() as u64 != last.saturating_sub(header.done) {
        (doubt, is_damaged) = (Doubt::ALL, true);
    }
    let used = live.iter().map(|found| end(found)).max().unwrap_or(0);
    if cut.is_none() && is_damaged_beyond(area, used, &all, header.done) {
        (doubt, is_damaged) = (Doubt::ALL, true);
    }
    pending.sort_by_key(|(number, _)| *number);
    let mut ids = BTreeSet::new();
    pending.retain(|(_, entry)| ids.insert(entry.id.clone()));
    let entries = without_superseded(pending.into_iter().map(|(_, entry)| entry).collect());
    let dirty = end_of_content(area).max(used);
    JournalEntries {
        entries,
        doubt,
        known: header.known.clone(),
        of_newer_build,
        is_damaged,
        last,
        used,
        dirty,
        header,
    }
}

/// Whether something stands beyond the entries that is neither an entry that is done nor a write
/// that was cut short.
fn is_damaged_beyond(area: &[u8], used: usize, all: &[ScannedSlot], done: u64) -> bool {
    let mut at = used;
    let mut dirty = None;
    let mut done_entries = all
        .iter()
        .filter(|found| found.at >= used && found.number().is_some_and(|number| number <= done))
        .peekable();
    while at < area.len() {
        if let Some(entry) = done_entries.next_if(|entry| entry.at <= at) {
            at = at.max(entry.at + entry.length());
            continue;
        }
        let unit = &area[at..area.len().min(at + ALIGN)];
        if !is_empty(unit) {
            dirty = Some(at + unit.len());
        }
        at += ALIGN;
    }
    dirty.is_some_and(|end| !has_empty_sector(area, used, end))
}
