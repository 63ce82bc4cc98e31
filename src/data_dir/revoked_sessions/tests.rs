use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::auth::{RevokedSubject, UserDigest};

const ROOM: usize = 16;

fn key() -> DigestKey {
    DigestKey::from([5; DigestKey::BYTES])
}

fn some(count: usize) -> Vec<SessionRevocation> {
    let subject = |number: usize| match number % 3 {
        0 => RevokedSubject::Group(number as u16),
        1 => RevokedSubject::Everyone,
        _ => RevokedSubject::User(UserDigest::from([number as u8; UserDigest::BYTES])),
    };
    let at_ms = |number: usize| 1_800_000_000_000 + number as i64;
    (1..=count)
        .map(|number| SessionRevocation { subject: subject(number), at_ms: at_ms(number) })
        .collect()
}

/// Whether nothing that was acknowledged is lost without a word.
fn is_honest(bytes: &[u8], acknowledged: &[SessionRevocation]) -> bool {
    match reading::read(bytes) {
        FoundRevocations::Good(read) => {
            read.key == Some(key()) && read.revocations.starts_with(acknowledged)
        }
        FoundRevocations::Damaged(_) => true,
        FoundRevocations::Absent | FoundRevocations::OfNewerBuild { .. } => false,
    }
}

fn good(found: FoundRevocations) -> ReadRevocations {
    match found {
        FoundRevocations::Good(read) => read,
        found => panic!("{found:?}"),
    }
}

#[test]
fn every_flipped_bit_and_every_truncation_is_noticed_or_harmless() {
    for count in [0, 1, 5, ROOM] {
        let all = some(count);
        let whole = layout::file(&key(), &all, ROOM);
        assert_eq!(good(reading::read(&whole)).revocations, all);
        for length in 0..whole.len() {
            let found = reading::read(&whole[..length]);
            assert!(matches!(found, FoundRevocations::Damaged(_)), "{length} of {count}");
        }
        let mut flipped = whole.clone();
        for bit in 0..whole.len() * 8 {
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(is_honest(&flipped, &all), "bit {bit} of a file with {count} records");
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_sector_that_is_lost_is_noticed_or_harmless() {
    let all = some(ROOM);
    let whole = layout::file(&key(), &all, ROOM);
    for filling in [0, 0xff] {
        for sector in (0..whole.len()).step_by(512) {
            let mut bytes = whole.clone();
            bytes[sector..sector + 512].fill(filling);
            assert!(is_honest(&bytes, &all), "the sector at {sector}, filled with {filling}");
        }
    }
    // Two records in each other's place.
    let mut bytes = whole;
    let (one, other) = (layout::record_at(2), layout::record_at(3));
    bytes.copy_within(other..other + layout::RECORD, one);
    assert!(matches!(reading::read(&bytes), FoundRevocations::Damaged(_)));
}

/// A write of several records may be cut anywhere, and the disk may write its sectors in any order.
#[test]
fn a_write_that_was_cut_short_takes_nothing_with_it() {
    let all = some(ROOM);
    for acknowledged in [0, 1, 3, 8] {
        let known = &all[..acknowledged];
        let before = layout::file(&key(), known, ROOM);
        let after = layout::file(&key(), &all, ROOM);
        for cut in layout::record_at(acknowledged)..after.len() {
            let mut bytes = before.clone();
            bytes[layout::RECORDS_AT..cut].copy_from_slice(&after[layout::RECORDS_AT..cut]);
            assert!(is_honest(&bytes, known), "cut at {cut} behind {acknowledged}");
            // A cut that leaves more than the checksum's last bytes costs no doubt.
            if (cut - layout::RECORDS_AT) % layout::RECORD <= layout::RECORD - 8 {
                let read = good(reading::read(&bytes));
                assert!(read.revocations.starts_with(known), "cut at {cut}");
            }
        }
        for missing in (layout::RECORDS_AT..after.len()).step_by(512) {
            let mut bytes = before.clone();
            bytes[layout::RECORDS_AT..].copy_from_slice(&after[layout::RECORDS_AT..]);
            bytes[missing..missing + 512].copy_from_slice(&before[missing..missing + 512]);
            let read = good(reading::read(&bytes));
            assert!(read.revocations.starts_with(known), "without the sector at {missing}");
        }
    }
}

#[test]
fn what_is_appended_is_read_again_and_a_full_file_says_so() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("revoked-sessions");
    assert!(matches!(RevocationsFile::look(&path), FoundRevocations::Absent));
    let all = some(LEAST_RECORDS);
    let mut file = RevocationsFile::make(&path, &key(), &all[..2], false).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    file.append(&all[2..3]).unwrap();
    file.append(&all[3..9]).unwrap();
    drop(file);
    let read = good(RevocationsFile::look(&path));
    assert_eq!((read.is_tidy, &read.revocations[..]), (true, &all[..9]));
    let mut file = RevocationsFile::open(&path, &read).unwrap();
    file.append(&all[9..]).unwrap();
    assert!(matches!(file.append(&all[..1]), Err(RevocationsError::Full { .. })));
    assert_eq!(good(RevocationsFile::look(&path)).revocations, all);
    assert!(file.wants_compaction(10) && !file.wants_compaction(all.len()));
    // Made anew it has room for as many again.
    let mut file = RevocationsFile::make(&path, &key(), &all, false).unwrap();
    file.append(&all).unwrap();
}

/// Writing goes on in a file whose head is whole; another is made anew by its owner.
#[test]
fn a_file_that_reads_can_be_gone_on_with_or_says_that_it_cannot() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("revoked-sessions");
    drop(RevocationsFile::make(&path, &key(), &some(2), false).unwrap());
    let whole = fs::read(&path).unwrap();
    for at in (0..layout::record_at(4)).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        if let FoundRevocations::Good(read) = RevocationsFile::look(&path)
            && read.is_tidy
        {
            let mut file = RevocationsFile::open(&path, &read).unwrap();
            file.append(&some(1)).unwrap();
            assert_eq!(good(RevocationsFile::look(&path)).revocations.len(), 3, "{at}");
        }
    }
}

#[test]
fn a_file_that_is_not_at_its_path_any_more_keeps_nothing() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("replaced by a copy", |path| {
            let copy = path.with_extension("copy");
            fs::copy(path, &copy).unwrap();
            fs::rename(copy, path).unwrap();
        }),
        ("emptied", |path| fs::write(path, b"").unwrap()),
        ("overwritten", |path| fs::write(path, vec![0; 1 << 20]).unwrap()),
    ];
    for (what, change) in changes {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("revoked-sessions");
        let mut file = RevocationsFile::make(&path, &key(), &some(2), false).unwrap();
        file.check().unwrap();
        change(&path);
        assert!(matches!(file.check(), Err(RevocationsError::NotInPlace)), "{what}");
        assert!(file.append(&some(1)).is_err(), "{what}");
    }
}

#[test]
fn a_newer_builds_file_is_told_from_a_damaged_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("revoked-sessions");
    fs::write(&path, layout::of_newer_build(&key(), ROOM)).unwrap();
    assert!(matches!(RevocationsFile::look(&path), FoundRevocations::OfNewerBuild { format: 9 }));
    for damaged in [&b""[..], b"\0", &[0; 4096], b"# revoked\nu-1\n"] {
        fs::write(&path, damaged).unwrap();
        assert!(matches!(RevocationsFile::look(&path), FoundRevocations::Damaged(_)));
        RevocationsFile::make(&path, &key(), &[], true).unwrap();
        assert_eq!(fs::read(folder.path().join("revoked-sessions.damaged")).unwrap(), damaged);
        good(RevocationsFile::look(&path));
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(RevocationsFile::look(&path), FoundRevocations::Damaged(_)));
}
