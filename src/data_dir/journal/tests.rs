//! The journal against damage: whatever happens to its bytes, an entry that was acknowledged
//! counts, or its flags are under doubt.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::room::{LEAST as BYTES, MOST};
use super::{Journal, JournalContents, JournalError, header, layout};
use crate::flag::FlagKey;
use crate::ledger::{
    Action, Attribution, ChangeSource, ContentHash, Doubt, Head, KnownHead, Overlay, PendingChange,
    PendingEntry, Unknown,
};

fn key(number: usize) -> FlagKey {
    format!("f{number}").parse().unwrap()
}

/// A stop with a reason of this length.
fn stop(number: usize, reason: usize) -> PendingEntry {
    let mark = Attribution {
        by: "oncall".into(),
        at_ms: 1,
        reason: Some("r".repeat(reason)),
        unknown: Unknown::default(),
    };
    let narrowed = PendingChange {
        flag: key(number),
        action: Action::Stop,
        op: Overlay::Stop(mark.into()),
        unknown: Unknown::default(),
    };
    PendingEntry {
        id: format!("id-{number}"),
        at_ms: 1,
        actor: "oncall".into(),
        origin: ChangeSource::Api,
        reason: None,
        request: None,
        narrowed: vec![narrowed],
        revoked: Vec::new(),
        superseded: Vec::new(),
        unknown: Unknown::default(),
    }
}

fn known() -> KnownHead {
    KnownHead {
        epoch: "e".to_owned(),
        head: Head { revision: 7, hash: ContentHash::of(b"7"), committed_at_ms: 0 },
    }
}

/// A journal in a folder of its own, and its bytes.
struct Kept {
    home: TempDir,
    path: PathBuf,
}

impl Kept {
    /// With so many stops, appended one by one.
    fn with(stops: usize, reason: usize) -> (Kept, Journal) {
        let home = TempDir::new().unwrap();
        let path = home.path().join("pending.journal");
        let mut journal = Journal::make(&path, Some(known()), &[], &Doubt::NONE).unwrap();
        (0..stops).for_each(|number| journal.append(&stop(number, reason)).unwrap());
        (Kept { home, path }, journal)
    }

    fn bend(&self, bend: impl FnOnce(&mut Vec<u8>)) -> JournalContents {
        let mut bytes = fs::read(&self.path).unwrap();
        bend(&mut bytes);
        JournalContents::of(&bytes)
    }

    /// Where the text of the entry with this number begins.
    fn place_of(&self, number: usize) -> usize {
        let bytes = fs::read(&self.path).unwrap();
        let text = format!("\"id-{number}\"");
        bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
    }
}

fn ids(found: &JournalContents) -> Vec<String> {
    found
        .contents()
        .map(|contents| contents.entries.iter().map(|entry| entry.id.clone()).collect())
        .unwrap_or_default()
}

fn doubt(found: &JournalContents) -> Doubt {
    found.contents().map(|contents| contents.doubt.clone()).unwrap_or(Doubt::ALL)
}

/// About these flags alone.
fn about<const N: usize>(flags: [FlagKey; N]) -> Doubt {
    Doubt { flags: flags.into_iter().collect(), ..Doubt::NONE }
}

/// Every flag of the stops counts: its entry is whole, or it is under doubt.
fn loses_none(found: &JournalContents, stops: usize) -> bool {
    let (whole, doubt) = (ids(found), doubt(found));
    (0..stops)
        .all(|number| whole.contains(&format!("id-{number}")) || doubt.covers(key(number).as_str()))
}

#[test]
fn what_was_appended_is_found_until_it_is_forgotten() {
    let (kept, mut journal) = Kept::with(3, 10);
    let JournalContents::Good(contents) = Journal::look(&kept.path) else { panic!("it is good") };
    assert_eq!(
        (contents.entries.len(), contents.known.clone(), contents.is_fresh()),
        (3, Some(known()), false)
    );
    journal.forget_all().unwrap();
    journal.append(&stop(3, 10)).unwrap();
    let found = Journal::look(&kept.path);
    assert_eq!(ids(&found), ["id-3"], "nothing that is done is read back");
    let mut again = Journal::open(&kept.path, found.contents().unwrap()).unwrap();
    again.append(&stop(4, 10)).unwrap();
    assert_eq!(ids(&Journal::look(&kept.path)), ["id-3", "id-4"]);
}

#[test]
fn a_damaged_entry_is_doubt_about_its_flags_alone() {
    let (kept, _journal) = Kept::with(6, 10);
    for number in 0..6 {
        let at = kept.place_of(number);
        let found = kept.bend(|bytes| bytes[at + 4] ^= 1);
        assert_eq!(ids(&found).len(), 5, "{found:?}");
        assert_eq!(doubt(&found), about([key(number)]), "{found:?}");
    }
}

/// One byte of any kind of damage, anywhere; also a sector or an entry that became zeros, and a
/// file that was cut.
#[test]
fn no_damage_loses_an_acknowledged_entry() {
    // An odd number of entries and an even one: the newest header is once in the first slot, and
    // once in the second.
    for stops in [5, 6] {
        let (kept, _journal) = Kept::with(stops, 700);
        let end = kept.place_of(stops - 1) + 1200;
        for at in (stops % 2 * 7..end).step_by(14) {
            let found = kept.bend(|bytes| bytes[at] ^= 0x40);
            assert!(loses_none(&found, stops), "a byte at {at}: {found:?}");
        }
        for at in (0..end).step_by(512) {
            for length in [512, 4096, 8192, 9216, 12288, 65536] {
                let found = kept.bend(|bytes| bytes[at..at + length].fill(0));
                // Zeros alone may be the journal of a build before, and what else is there decides.
                let is_blank = at == 0 && length > end;
                assert!(is_blank || loses_none(&found, stops), "{length} zeros at {at}: {found:?}");
            }
            let found = kept.bend(|bytes| bytes.truncate(at));
            assert!(at == 0 || loses_none(&found, stops), "cut at {at}: {found:?}");
        }
        let found = kept.bend(|bytes| bytes[layout::HEADER_BYTES..].fill(0));
        assert_eq!(doubt(&found), Doubt::ALL, "all entries became zeros: {found:?}");
    }
}

/// Also a slot that an earlier content came back to, or none, and the entry with it.
#[test]
fn no_lost_slot_loses_an_acknowledged_entry() {
    let (kept, mut journal) = Kept::with(2, 10);
    for number in 2..6 {
        let before = fs::read(&kept.path).unwrap();
        journal.append(&stop(number, 10)).unwrap();
        let at = kept.place_of(number);
        for slot in 0..2 {
            let range = slot * layout::SLOT..(slot + 1) * layout::SLOT;
            for with in [vec![0; layout::SLOT], before[range.clone()].to_vec()] {
                let found = kept.bend(|bytes| {
                    bytes[range.clone()].copy_from_slice(&with);
                    bytes[at / 512 * 512..at / 512 * 512 + 1024].fill(0);
                });
                assert!(loses_none(&found, number + 1), "slot {slot}, entry {number}: {found:?}");
            }
        }
    }
}

#[test]
fn one_slot_of_the_header_is_enough() {
    let (kept, _journal) = Kept::with(2, 10);
    for slot in 0..2 {
        let found = kept.bend(|bytes| bytes[slot * layout::SLOT + 40] ^= 1);
        assert!(
            matches!(&found, JournalContents::Good(contents) if contents.known == Some(known())),
            "slot {slot}: {found:?}"
        );
        assert_eq!(ids(&found), ["id-0", "id-1"]);
    }
    let found =
        kept.bend(|bytes| [40, layout::SLOT + 40].into_iter().for_each(|at| bytes[at] ^= 1));
    assert!(matches!(found, JournalContents::Damaged { .. }), "{found:?}");
    assert_eq!((ids(&found).len(), doubt(&found)), (2, Doubt::ALL));
}

/// A build before wrote its slots in turns: of two, the one that is left may be the older one.
#[test]
fn one_slot_of_a_build_before_is_not_enough() {
    let (kept, journal) = Kept::with(2, 10);
    let before = header::Header { twofold: false, ..journal.header.clone() };
    for lost in [vec![0; layout::SLOT], vec![9; layout::SLOT]] {
        let found = kept.bend(|bytes| {
            let other = layout::SLOT - before.offset();
            bytes[before.offset()..before.offset() + layout::SLOT]
                .copy_from_slice(&before.bytes(BYTES));
            bytes[other..other + layout::SLOT].copy_from_slice(&lost);
        });
        assert!(matches!(found, JournalContents::Damaged { .. }), "{found:?}");
        assert_eq!((ids(&found).len(), doubt(&found)), (2, Doubt::ALL));
    }
}

/// A write that was cut short at any sector was never acknowledged, and is no damage.
#[test]
fn an_append_that_was_cut_short_counts_for_nothing() {
    let (kept, mut journal) = Kept::with(2, 10);
    let before = fs::read(&kept.path).unwrap();
    journal.append(&stop(2, 3000)).unwrap();
    let after = fs::read(&kept.path).unwrap();
    // The header of before: the acknowledgement is written after the entry.
    let sectors: Vec<usize> = (layout::HEADER_BYTES..BYTES)
        .step_by(512)
        .filter(|at| before[*at..at + 512] != after[*at..at + 512])
        .collect();
    assert!(sectors.len() > 4);
    for lost in &sectors {
        let found = kept.bend(|bytes| {
            bytes.copy_from_slice(&before);
            let written = sectors.iter().filter(|at| *at != lost);
            written.for_each(|at| bytes[*at..at + 512].copy_from_slice(&after[*at..at + 512]));
        });
        assert!(
            matches!(found, JournalContents::Good(_)),
            "without the sector at {lost}: {found:?}"
        );
        assert_eq!(ids(&found), ["id-0", "id-1"], "{lost}");
    }
    // The next entry goes over what was written of it.
    let path = kept.home.path().join("cut");
    let mut cut = before.clone();
    cut[sectors[1]..sectors[1] + 512].copy_from_slice(&after[sectors[1]..sectors[1] + 512]);
    fs::write(&path, cut).unwrap();
    let mut again = Journal::open(&path, Journal::look(&path).contents().unwrap()).unwrap();
    again.append(&stop(3, 10)).unwrap();
    assert_eq!(ids(&Journal::look(&path)), ["id-0", "id-1", "id-3"]);
}

#[test]
fn an_entry_of_a_newer_build_is_read_as_far_as_it_is_known_and_its_flags_are_stopped() {
    let (kept, mut journal) = Kept::with(0, 0);
    let mut newer = stop(1, 5);
    newer.narrowed[0].op = Overlay::Split {
        requested: None,
        held: None,
        mark: Attribution::of_turnout(1, "r"),
        unknown: serde_json::from_str(r#"{"until":5}"#).unwrap(),
    };
    journal.append(&newer).unwrap();
    let found = Journal::look(&kept.path);
    let JournalContents::Good(contents) = &found else { panic!("{found:?}") };
    assert!(contents.of_newer_build && contents.doubt.is_none());
    let stopped = |narrowed: &PendingChange| {
        matches!(narrowed.op, Overlay::Stop(_)) && narrowed.flag == key(1)
    };
    assert!(contents.entries[0].narrowed.iter().any(stopped), "{contents:?}");
}

#[test]
fn a_doubt_is_kept_until_the_journal_is_made_without_it() {
    let (kept, _journal) = Kept::with(3, 10);
    let at = kept.place_of(1);
    let mut bytes = fs::read(&kept.path).unwrap();
    bytes[at] ^= 1;
    fs::write(&kept.path, &bytes).unwrap();
    let found = Journal::look(&kept.path);
    let contents = found.contents().unwrap();
    let (mut journal, more) =
        Journal::remake(&kept.path, Some(known()), &contents.entries, &contents.doubt).unwrap();
    assert!(more.is_empty());
    assert_eq!(fs::read(kept.home.path().join("pending.journal.damaged")).unwrap(), bytes);
    journal.append(&stop(9, 10)).unwrap();
    let found = Journal::look(&kept.path);
    assert!(matches!(found, JournalContents::Good(_)), "{found:?}");
    assert_eq!(
        (ids(&found), doubt(&found)),
        (vec!["id-0".into(), "id-2".into(), "id-9".into()], about([key(1)]))
    );
}

#[test]
fn a_file_that_is_not_at_its_path_takes_no_entry() {
    let (kept, mut journal) = Kept::with(1, 10);
    fs::copy(&kept.path, kept.home.path().join("copy")).unwrap();
    fs::rename(kept.home.path().join("copy"), &kept.path).unwrap();
    assert!(journal.append(&stop(1, 10)).is_err());
    let (kept, mut journal) = Kept::with(1, 10);
    fs::File::create(&kept.path).unwrap();
    assert!(journal.append(&stop(1, 10)).is_err(), "it was emptied");
    let (kept, mut journal) = Kept::with(1, 10);
    fs::remove_file(&kept.path).unwrap();
    assert!(journal.check().is_err() && journal.append(&stop(1, 10)).is_err());
}

/// A null device takes every write and refuses each sync.
#[test]
fn a_known_state_that_could_not_be_synced_is_written_again() {
    let (kept, mut journal) = Kept::with(1, 10);
    let newer = KnownHead { epoch: "newer".to_owned(), ..known() };
    let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
    let file = std::mem::replace(&mut journal.file, null);
    journal.note_known(&newer).unwrap_err();
    journal.file = file;
    journal.note_known(&newer).unwrap();
    let found = Journal::look(&kept.path);
    assert_eq!(found.contents().unwrap().known.as_ref(), Some(&newer));
}

/// As the builds before wrote it.
fn old(stops: impl IntoIterator<Item = usize>) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let mut bytes = Vec::new();
    for number in stops {
        let text = serde_json::to_vec(&stop(number, 40)).unwrap();
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&Sha256::digest(&text)[..8]);
        bytes.extend(text);
    }
    bytes.resize(BYTES, 0);
    bytes
}

#[test]
fn a_journal_of_the_builds_before_is_read() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("pending.journal");
    let look = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Journal::look(&path)
    };
    let found = look(&old(0..6));
    assert!(matches!(found, JournalContents::Old(_)) && ids(&found).len() == 6, "{found:?}");
    assert!(matches!(look(&old([])), JournalContents::Old(_)));
    let mut bytes = old(0..6);
    bytes[60] ^= 1;
    let found = look(&bytes);
    assert_eq!((ids(&found).len(), doubt(&found)), (5, Doubt::ALL), "{found:?}");
    bytes[..4].fill(0);
    assert_eq!(ids(&look(&bytes)).len(), 5);
}

/// A stop of so many flags by one request, with the longest keys and a reason of this length.
fn stop_of_many(flags: usize, reason: usize) -> PendingEntry {
    let reason = Some("r".repeat(reason));
    let mark = Arc::new(Attribution {
        by: "oncall".into(),
        at_ms: 1,
        reason: reason.clone(),
        unknown: Unknown::default(),
    });
    let narrowed = (0..flags).map(|number| PendingChange {
        flag: format!("{number:064}").parse().unwrap(),
        action: Action::Stop,
        op: Overlay::Stop(mark.clone()),
        unknown: Unknown::default(),
    });
    PendingEntry { reason, narrowed: narrowed.collect(), ..stop(0, 0) }
}

fn stopped(pending: &PendingEntry) -> Vec<(&FlagKey, &Attribution)> {
    let of = |narrowed| match narrowed {
        &PendingChange { ref flag, op: Overlay::Stop(ref mark), .. } => (flag, &**mark),
        other => panic!("{other:?}"),
    };
    pending.narrowed.iter().map(of).collect()
}

/// As the builds before wrote it: a mark for each flag.
#[test]
fn a_stop_of_many_flags_of_the_builds_before_is_read() {
    let many = stop_of_many(3, 20);
    let json = serde_json::to_value(&many).unwrap();
    assert_eq!(json.to_string().matches("rrr").count(), 6, "the reason stands there once: {json}");
    let narrowed: Vec<_> =
        many.narrowed.iter().map(|narrowed| serde_json::to_value(narrowed).unwrap()).collect();
    let mut before = json.clone();
    before.as_object_mut().unwrap().remove("stopped").unwrap();
    before["narrowed"] = narrowed.into();
    for json in [json, before] {
        let read: PendingEntry = serde_json::from_value(json).unwrap();
        assert!(!read.is_of_newer_build());
        assert_eq!(stopped(&read), stopped(&many));
    }
    // A stop of one flag has the form that they read.
    let one = serde_json::to_value(stop_of_many(1, 20)).unwrap();
    assert!(
        one.get("stopped").is_none() && one["narrowed"][0]["op"]["stop"]["by"] == "oncall",
        "{one}"
    );
}

/// A lowered share, with a reason of this length.
fn lowered(number: usize, reason: usize) -> PendingEntry {
    let mark = Attribution {
        by: "oncall".into(),
        at_ms: 1,
        reason: Some("r".repeat(reason)),
        unknown: Unknown::default(),
    };
    let op = Overlay::Split { requested: None, held: None, mark, unknown: Unknown::default() };
    let narrowed = vec![PendingChange {
        flag: key(number),
        action: Action::Unset,
        op,
        unknown: Unknown::default(),
    }];
    PendingEntry { narrowed, ..stop(number, 0) }
}

/// Appends until it is full, and says how many there are.
fn fill(journal: &mut Journal, from: usize, entry: impl Fn(usize) -> PendingEntry) -> usize {
    let mut number = from;
    while journal.append(&entry(number)).is_ok() {
        number += 1;
    }
    number
}

#[test]
fn a_quarter_is_for_stops_alone() {
    let (kept, mut journal) = Kept::with(0, 0);
    let others = fill(&mut journal, 0, |number| lowered(number, 1000));
    let all = fill(&mut journal, others, |number| stop(number, 1000));
    assert!(all - others > others / 4, "{others} others, {} stops", all - others);
    assert_eq!(ids(&Journal::look(&kept.path)).len(), all);
}

#[test]
fn a_full_one_is_made_anew_with_what_is_pending_and_larger_where_it_must_be() {
    let (kept, mut journal) = Kept::with(0, 0);
    let size = || fs::metadata(&kept.path).unwrap().len() as usize;
    fill(&mut journal, 0, |number| lowered(number, 1000));
    // Little of it is pending still.
    journal.compact(&[stop(1, 10)], &Doubt::NONE).unwrap();
    assert_eq!((ids(&Journal::look(&kept.path)), size()), (vec!["id-1".to_owned()], BYTES));
    // All of it is.
    journal.forget_all().unwrap();
    let mut pending: Vec<PendingEntry> = Vec::new();
    for grown in 1..=4 {
        let last = fill(&mut journal, pending.len(), |number| lowered(number, 20_000));
        pending.extend((pending.len()..=last).map(|number| lowered(number, 20_000)));
        journal.compact(&pending, &Doubt::NONE).unwrap();
        assert_eq!(
            (size(), ids(&Journal::look(&kept.path)).len()),
            (BYTES << grown, pending.len())
        );
        assert_eq!(fs::read(&kept.path).unwrap()[10], 3, "a build before does not read half of it");
        journal = Journal::open(&kept.path, Journal::look(&kept.path).contents().unwrap()).unwrap();
    }
    // It does not grow for ever: what does not fit is said to, and stops have room all the same.
    let last = fill(&mut journal, pending.len(), |number| lowered(number, 20_000));
    pending.extend((pending.len()..last + 100).map(|number| lowered(number, 20_000)));
    pending.extend((last + 100..last + 200).map(|number| stop(number, 20_000)));
    journal.compact(&pending, &Doubt::NONE).unwrap();
    assert_eq!(size(), MOST);
    assert!(
        journal.leaves_out(&format!("id-{}", last + 99))
            && !journal.leaves_out(&format!("id-{}", last + 199))
    );
    // With nothing pending it is as small as before, also for a build before.
    journal.forget_all().unwrap();
    journal.append(&stop(1, 10)).unwrap();
    assert_eq!((size(), ids(&Journal::look(&kept.path)).len()), (BYTES, 1));
    let bytes = fs::read(&kept.path).unwrap();
    assert_eq!((bytes[10], bytes[layout::SLOT + 10]), (2, 2));
}

/// What cannot be made anew stays as it is, and is not tried for each entry.
#[test]
fn a_full_one_that_cannot_be_made_anew_stays() {
    let (kept, mut journal) = Kept::with(0, 0);
    let beside = kept.home.path().join("pending.journal.new");
    fs::create_dir(&beside).unwrap();
    let others = fill(&mut journal, 0, |number| lowered(number, 1000));
    let tried = (0..64).filter(|_| {
        let tries = journal.compacts_for_entry();
        assert!(!tries || matches!(journal.compact(&[], &Doubt::NONE), Err(JournalError::Io(_))));
        assert!(
            journal.append(&lowered(others, 1000)).is_err()
                && journal.is_full().is_some()
                && journal.wants_room()
        );
        tries
    });
    assert_eq!(tried.count(), 4);
    fs::remove_dir(&beside).unwrap();
    journal.compact(&[], &Doubt::NONE).unwrap();
    assert!(journal.is_full().is_none());
    journal.append(&lowered(others, 1000)).unwrap();
    assert_eq!(ids(&Journal::look(&kept.path)).len(), 1);
}
