//! Blobs of any length are written before the revision that names them, one step at a time: other
//! commits go between the steps, an interruption between them costs nothing, and blobs that no
//! revision names are removed.

use std::fs;

use bytes::Bytes;
use turnout::flag::FlagKey;
use turnout::ledger::{Action, Blobs, Change, ContentHash, FlagRecord};
use turnout::store::{COMMIT_BLOB_BYTES, Commit, Loaded, STEP_BYTES, Store, StoreError};

use super::written::{Written, defined, stopped};

const MIB: usize = 1024 * 1024;

/// This many flags with definitions of this many bytes.
fn large(name: &str, flags: usize, bytes: usize) -> (Vec<Change>, Blobs) {
    let all = (0..flags).map(|index| defined(&format!("{name}-{index}"), bytes));
    all.map(|(change, id, text)| (change, (id, text))).unzip()
}

async fn load(store: &Store) -> Loaded {
    store.load(&Blobs::new()).await.unwrap()
}

async fn steps(store: &Store, blobs: &Blobs) -> usize {
    let mut staging = store.stage_blobs(blobs).await;
    let mut steps = 0;
    while !staging.is_done() {
        let before = staging.progress();
        let after = staging.step().await.unwrap();
        assert!(after.done_bytes >= before.done_bytes, "{before:?}, {after:?}");
        assert_eq!(after.total_bytes, blobs.values().map(|text| text.len() as u64).sum::<u64>());
        steps += 1;
    }
    assert_eq!(staging.progress().done_bytes, staging.progress().total_bytes);
    steps
}

#[tokio::test]
async fn blobs_of_any_length_are_written_one_mebibyte_at_a_time() {
    let mut written = Written::new().await;
    let (changes, blobs) = large("f", 40, 700_000);
    let wal = written.path().with_extension("db-wal");
    let mut staging = written.store.stage_blobs(&blobs).await;
    let (mut steps, mut longest) = (0, 0);
    let mut head = written.head;
    while !staging.is_done() {
        staging.step().await.unwrap();
        longest = longest.max(fs::metadata(&wal).unwrap().len());
        steps += 1;
        if steps % 10 == 0 {
            // Others commit in between, and a verification finds nothing wrong.
            let (change, id, text) = defined(&format!("between-{steps}"), 10);
            let revision = written.next(vec![change]);
            let commit = Commit {
                revision: &revision,
                expected_head: &head,
                blobs: &Blobs::from([(id, text)]),
                request: None,
            };
            written.store.commit(commit).await.unwrap();
            head = revision.head(&head, None);
            written.head = head;
            assert_eq!(written.faults().await, [""; 0]);
        }
    }
    drop(staging);
    assert!(steps > 25, "{steps} steps for 28 MB");
    assert!(longest < STEP_BYTES as u64, "the log was of {longest} bytes");
    let bytes = {
        let revision = written.next(changes.clone());
        Commit { revision: &revision, expected_head: &head, blobs: &blobs, request: None }.bytes()
    };
    assert!(bytes < 4 * MIB as u64, "{bytes} bytes for 40 small changes");
    written.commit(changes, &blobs).await;
    assert_eq!(written.faults().await, [""; 0]);
    let loaded = load(&written.again().await).await;
    assert!(blobs.iter().all(|(id, text)| loaded.blobs.get(id) == Some(text)));
    // Once they are written, staging them again only looks them up.
    assert!(self::steps(&written.store, &blobs).await <= 2);
}

#[tokio::test]
async fn a_revision_with_unstaged_blobs_is_refused_whole() {
    let mut written = Written::new().await;
    let (changes, blobs) = large("f", 3, COMMIT_BLOB_BYTES / 2);
    let revision = written.next(changes.clone());
    let commit = || Commit {
        revision: &revision,
        expected_head: &written.head,
        blobs: &blobs,
        request: None,
    };
    assert!(matches!(written.store.commit(commit()).await.unwrap_err(), StoreError::NotStaged));
    assert_eq!(written.store.head().await.unwrap().1, written.head);
    // With these staged, few enough are missing to be written with the revision.
    let first = blobs.iter().take(2).map(|(id, text)| (*id, text.clone())).collect();
    let mut staging = written.store.stage_blobs(&first).await;
    while !staging.is_done() {
        staging.step().await.unwrap();
    }
    drop(staging);
    written.store.commit(commit()).await.unwrap();
    written.head = revision.head(&written.head, None);
    assert_eq!(written.faults().await, [""; 0]);
    assert_eq!(load(&written.store).await.blobs, blobs);
}

/// Whatever an earlier try left, also parts that were altered, cut, or are too many.
#[tokio::test]
async fn an_interrupted_staging_resumes_where_it_ended() {
    for done in [
        "",
        "UPDATE texts SET bytes = zeroblob(9) WHERE part = 1",
        "DELETE FROM texts WHERE part = 0",
        "INSERT INTO texts SELECT id, 999, bytes FROM texts WHERE part = 0",
        "INSERT INTO texts SELECT id, -1, bytes FROM texts WHERE part = 0",
        "DELETE FROM staged_texts",
    ] {
        let mut written = Written::new().await;
        let (changes, blobs) = large("f", 4, 3 * MIB);
        let mut staging = written.store.stage_blobs(&blobs).await;
        while staging.progress().done_bytes < 7 * MIB as u64 {
            staging.step().await.unwrap();
        }
        drop(staging);
        if !done.is_empty() {
            written.sql(done).await;
        }
        written.store = written.again().await;
        let mut staging = written.store.stage_blobs(&blobs).await;
        while !staging.is_done() {
            staging.step().await.unwrap();
        }
        drop(staging);
        written.commit(changes, &blobs).await;
        assert_eq!(written.faults().await, [""; 0], "{done}");
        assert_eq!(load(&written.store).await.blobs, blobs, "{done}");
    }
}

#[tokio::test]
async fn unreferenced_blobs_are_removed_by_the_next_staging() {
    let mut written = Written::new().await;
    let (_, given_up) = large("given-up", 3, 2 * MIB);
    steps(&written.store, &given_up).await;
    let (changes, named) = large("named", 3, 2 * MIB);
    steps(&written.store, &named).await;
    let ids: Vec<ContentHash> = given_up.keys().copied().collect();
    assert!(written.store.blobs(&ids).await.unwrap().is_empty());
    written.commit(changes.clone(), &named).await;
    // An older build commits a revision that names what this one staged: that is not removed
    // either.
    let (by_another, others) = large("by-another", 2, 2 * MIB);
    steps(&written.store, &others).await;
    written.commit(by_another, &Blobs::new()).await;
    steps(&written.store, &given_up).await;
    let (changes, blobs) = large("last", 1, 2 * MIB);
    steps(&written.store, &blobs).await;
    written.commit(changes, &blobs).await;
    assert_eq!(written.faults().await, [""; 0]);
    assert_eq!(load(&written.store).await.blobs.len(), 6);
}

#[tokio::test]
async fn blobs_of_every_length_read_as_they_were_written() {
    let part = 64 * 1024;
    let lengths =
        [0, 1, 2, part - 1, part, part + 1, 2 * part, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 7];
    let text = |length: usize| {
        Bytes::from((0..length).map(|index| (index * 31 % 251) as u8).collect::<Vec<u8>>())
    };
    let blobs: Blobs = lengths.map(|length| (ContentHash::of(&text(length)), text(length))).into();
    let mut written = Written::new().await;
    let define = |(index, id): (usize, &ContentHash)| {
        let key: FlagKey = format!("f{index}").parse().unwrap();
        let record = FlagRecord { definition: Some(*id), ..FlagRecord::default() };
        Change::of_flag(&key, Action::Define, None, Some(record))
    };
    let changes = blobs.keys().enumerate().map(define).collect();
    written.commit(changes, &blobs).await;
    assert_eq!(load(&written.store).await.blobs, blobs);
    assert_eq!(written.faults().await, [""; 0]);
    // And those that go with the revision itself: a few, and each alone.
    let small: Blobs = blobs.into_iter().filter(|(_, text)| text.len() <= part + 1).collect();
    let alone = small.iter().map(|(id, text)| Blobs::from([(*id, text.clone())]));
    for blobs in alone.chain([small.clone()]) {
        let mut written = Written::new().await;
        written.commit(blobs.keys().enumerate().map(define).collect(), &blobs).await;
        assert_eq!(load(&written.store).await.blobs, blobs);
    }
}

/// Some hundred changes go into one statement, and each subject ends as its last change left it.
#[tokio::test]
async fn a_revision_of_many_changes_is_what_its_changes_say() {
    let mut written = Written::new().await;
    let odd = "\"quoted\" \\ \u{1F600} \u{7f} \n \u{0} é";
    let (mut changes, blobs) = large("f", 1203, 10);
    for change in &mut changes {
        let Some(turnout::ledger::Record::Flag(record)) = &mut change.after else {
            panic!("not a flag's")
        };
        let reason = Some(odd.to_owned());
        record.stop = Some(turnout::ledger::Attribution {
            by: "oncall".into(),
            at_ms: 1,
            reason,
            unknown: Default::default(),
        });
    }
    written.commit(changes.clone(), &blobs).await;
    let removed = |change: &Change| Change {
        action: Action::Remove,
        before: change.after.clone(),
        after: None,
        ..change.clone()
    };
    written.commit(changes.iter().map(removed).collect(), &Blobs::new()).await;
    assert!(load(&written.store).await.subjects.is_empty());
    let back = |change: &Change| Change { action: Action::Rollback { to: 1 }, ..change.clone() };
    written.commit(changes.iter().map(back).collect(), &Blobs::new()).await;
    let loaded = load(&written.store).await;
    assert_eq!((loaded.subjects.len(), loaded.poison.len()), (1203, 0));
    for row in loaded.subjects {
        let change = changes.iter().find(|change| change.subject == row.subject).unwrap();
        assert_eq!((Some(row.record), row.changed_at), (change.after.clone(), 3));
    }
    assert_eq!(written.faults().await, [""; 0]);
    let found = written
        .store
        .revisions_after(&turnout::ledger::Head::none(), 10, &Blobs::new())
        .await
        .unwrap();
    assert_eq!(found[2].revision.changes, changes.iter().map(back).collect::<Vec<_>>());
    let stops = changes.iter().map(stopped).collect();
    written.commit(stops, &Blobs::new()).await;
    assert_eq!(load(&written.store).await.subjects.len(), 1203);
}
