//! Whatever happens to the entry of a revocation, the credential that it ends is revoked or in doubt.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Journal, JournalContents, entry, layout};
use crate::ledger::{CredentialId, Doubt, Doubted, PendingEntry};

fn id(text: &str) -> CredentialId {
    text.parse().unwrap()
}

fn revocation(of: &str) -> PendingEntry {
    let credential = json!({
        "id": of, "name": of, "role": "operator", "flags": null, "hash": "0".repeat(64),
        "createdAtMs": 1, "createdBy": "a", "expiresAtMs": null, "revokedAtMs": 2, "revokedBy": "b",
    });
    serde_json::from_value(json!({
        "id": format!("revoke-{of}"), "atMs": 2, "actor": "b", "origin": "api", "narrowed": [],
        "revoked": [credential],
    }))
    .unwrap()
}

/// With the revocations of `one` and `two`.
fn journal() -> (TempDir, PathBuf) {
    let home = TempDir::new().unwrap();
    let path = home.path().join("pending.journal");
    let mut journal = Journal::make(&path, None, &[], &Doubt::NONE).unwrap();
    ["one", "two"].iter().for_each(|of| journal.append(&revocation(of)).unwrap());
    (home, path)
}

fn bent(path: &PathBuf, bend: impl FnOnce(&mut Vec<u8>)) -> JournalContents {
    let mut bytes = fs::read(path).unwrap();
    // The zeros behind it say nothing, and take long to read.
    bytes.truncate(layout::HEADER_BYTES + 8192);
    bend(&mut bytes);
    JournalContents::of(&bytes)
}

fn is_revoked(found: &JournalContents, of: &str) -> bool {
    let entries = found.contents().map(|contents| &contents.entries[..]).unwrap_or_default();
    entries.iter().flat_map(|entry| &entry.revoked).any(|revoked| revoked.id == id(of))
}

fn doubt(found: &JournalContents) -> Doubt {
    found.contents().map_or(Doubt::ALL, |contents| contents.doubt.clone())
}

/// What begins with the entry of this number.
fn entry_at(bytes: &mut [u8], number: usize) -> &mut [u8] {
    let magic = b"\0Entry\x01\xff";
    let mut at = (0..bytes.len()).step_by(64).filter(|at| bytes[*at..].starts_with(magic));
    let at = at.nth(number).unwrap();
    &mut bytes[at..]
}

#[test]
fn no_damage_revives_a_credential() {
    let (_home, path) = journal();
    let bytes = fs::read(&path).unwrap();
    let end = super::zeros::end_of_content(&bytes);
    let loses_none = |found: &JournalContents| {
        let covers = |of| doubt(found).credentials.covers(&id(of));
        ["one", "two"].iter().all(|of| is_revoked(found, of) || covers(of))
    };
    assert!(doubt(&bent(&path, |_| {})).is_none());
    for at in 0..end {
        let found = bent(&path, |bytes| bytes[at] ^= 0x40);
        assert!(loses_none(&found), "a byte at {at}: {found:?}");
    }
    for at in (layout::HEADER_BYTES..end).step_by(64) {
        for length in [64, 512, 4096] {
            let found = bent(&path, |bytes| bytes[at..at + length].fill(0));
            assert!(loses_none(&found), "{length} zeros at {at}: {found:?}");
        }
        let found = bent(&path, |bytes| bytes.truncate(at));
        assert!(loses_none(&found), "cut at {at}: {found:?}");
    }
}

/// An entry says which credential it is about also where its body does not read.
#[test]
fn a_damaged_revocation_is_doubt_about_its_credential_alone() {
    let (_home, path) = journal();
    let in_body = |bytes: &mut Vec<u8>| {
        let entry = entry_at(bytes, 0);
        let at = entry.windows(6).position(|window| window == b"revoke").unwrap();
        entry[at] ^= 1;
    };
    let found = bent(&path, in_body);
    assert_eq!(
        doubt(&found),
        Doubt { credentials: [id("one")].into_iter().collect(), ..Doubt::NONE }
    );
    assert!(is_revoked(&found, "two"));
    // It stays so once the journal is made anew.
    let contents = found.contents().unwrap();
    let remade = path.with_extension("remade");
    Journal::make(&remade, None, &contents.entries, &contents.doubt).unwrap();
    assert_eq!(doubt(&Journal::look(&remade)), contents.doubt.clone());
}

/// The entry of a revocation with other keys and another body, all its checksums right.
fn rewritten(keys: &str, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string().into_bytes();
    let mut bytes = entry::pending(1, &revocation("one"))[..56].to_vec();
    bytes[12..16].copy_from_slice(&(keys.len() as u32).to_le_bytes());
    bytes[16..20].copy_from_slice(&(body.len() as u32).to_le_bytes());
    bytes[32..40].copy_from_slice(&Sha256::digest(keys)[..8]);
    bytes[40..56].copy_from_slice(&Sha256::digest(&body)[..16]);
    let sum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&sum[..8]);
    bytes.extend_from_slice(keys.as_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(64), 0);
    bytes
}

/// Of another build: what it is about, what reads of it, and what that comes to.
#[test]
fn a_revocation_of_another_build_counts_as_far_as_it_reads() {
    let plain = serde_json::to_value(revocation("one")).unwrap();
    let mut newer = plain.clone();
    newer["lane"] = json!("fast");
    let mut unread = plain.clone();
    unread["revoked"] = json!([{ "id": "one", "form": 9 }]);
    let these = |ids: &[&str]| ids.iter().map(|of| id(of)).collect::<Doubted<CredentialId>>();
    for (keys, body, is_known, in_doubt) in [
        // The builds before named no credential.
        ("", &plain, true, Doubted::None),
        ("", &newer, true, Doubted::None),
        ("", &unread, false, Doubted::All),
        ("@one", &newer, true, Doubted::None),
        ("@one", &unread, false, these(&["one"])),
        ("@one\n@three", &newer, true, these(&["three"])),
        ("f\n@one\n@three", &newer, true, these(&["three"])),
        ("*\n@one", &newer, true, Doubted::None),
        ("@*", &newer, true, Doubted::All),
        ("@no-such-id", &newer, true, Doubted::All),
    ] {
        let Some(entry::ReadEntry::Whole { said, .. }) = entry::read(&rewritten(keys, body)) else {
            panic!("{keys} does not read")
        };
        let revoked = said.pending.iter().flat_map(|pending| &pending.revoked);
        let known = revoked.filter(|revoked| revoked.id == id("one")).count() == 1;
        assert_eq!((known, said.doubt.credentials), (is_known, in_doubt), "{keys:?}: {body}");
    }
}
