//! Revisions that another writer commits to the same database are read after a known head: whole,
//! in order, with their blobs, and verified.

use std::collections::BTreeSet;

use turnout::ledger::{Blobs, ContentHash, Head};
use turnout::store::{Store, StoreError};

use super::written::{Written, defined, stopped};

/// A database with one flag of distinct text in each of its first revisions, then a revision that
/// stops them all.
async fn with_a_past(flags: usize, bytes: usize) -> Written {
    let mut written = Written::new().await;
    let mut stops = Vec::new();
    for index in 0..flags {
        let (change, id, text) = defined(&format!("f{index}"), bytes);
        stops.push(stopped(&change));
        written.commit(vec![change], &Blobs::from([(id, text)])).await;
    }
    written.commit(stops, &Blobs::new()).await;
    written
}

/// Follows to the end and returns how many revisions each call brought.
async fn follow(
    store: &Store,
    mut head: Head,
    limit: u32,
    cached: &mut Blobs,
) -> (Head, Vec<usize>) {
    let mut calls = Vec::new();
    loop {
        let found = store.revisions_after(&head, limit, cached).await.unwrap();
        if found.is_empty() {
            return (head, calls);
        }
        calls.push(found.len());
        for next in found {
            assert_eq!(next.revision.revision, head.revision + 1);
            assert_eq!(next.revision.head(&head, None), next.head);
            let named = next
                .revision
                .changes
                .iter()
                .filter_map(|change| change.after.as_ref())
                .flat_map(|record| record.blobs());
            assert_eq!(
                next.blobs.keys().copied().collect::<BTreeSet<_>>(),
                named.collect(),
                "all that it names come with it"
            );
            for (id, text) in next.blobs {
                assert_eq!(ContentHash::of(&text), id);
                let known = cached.entry(id).or_insert_with(|| text.clone());
                assert_eq!(
                    known.as_ptr(),
                    text.as_ptr(),
                    "{id} was at hand and is in memory twice"
                );
            }
            head = next.head;
        }
    }
}

#[tokio::test]
async fn revisions_of_another_writer_are_read_after_a_known_head() {
    let mut written = with_a_past(30, 10).await;
    let mut other = written.again().await;
    let mut blobs = Blobs::new();
    let (head, calls) = follow(&other, Head::none(), 10, &mut blobs).await;
    assert_eq!((head, calls), (written.head, vec![10, 10, 10, 1]));
    assert_eq!(blobs.len(), 30);
    // From there on only newer revisions come.
    let (change, id, text) = defined("later", 10);
    written.commit(vec![change], &Blobs::from([(id, text)])).await;
    assert_eq!(follow(&other, head, 10, &mut blobs).await, (written.head, vec![1]));
    // And in the other direction: whichever commits, the other one follows.
    std::mem::swap(&mut written.store, &mut other);
    let (change, id, text) = defined("by-the-other", 10);
    let before = written.head;
    written.commit(vec![change], &Blobs::from([(id, text)])).await;
    assert_eq!(follow(&other, before, 10, &mut blobs).await, (written.head, vec![1]));
    assert_eq!(written.faults().await, [""; 0]);
}

#[tokio::test]
async fn one_call_is_bounded_in_bytes_and_a_large_revision_comes_alone() {
    let mut written = with_a_past(12, 1_000_000).await;
    let (head, calls) = follow(&written.store, Head::none(), 1000, &mut Blobs::new()).await;
    assert_eq!(head, written.head);
    assert!(calls.len() > 2 && calls.iter().all(|found| *found <= 5), "{calls:?}");
    let many: Vec<_> =
        (0..1200).map(|index| defined(&format!("of-many-{index:04}"), 4000)).collect();
    let before = written.head;
    let blobs = many.iter().map(|(_, id, text)| (*id, text.clone())).collect();
    for part in [&many[..200], &many[200..]] {
        let changes = part.iter().map(|(change, ..)| change.clone()).collect();
        written.commit(changes, &blobs).await;
    }
    let found = written.store.revisions_after(&before, 1000, &Blobs::new()).await.unwrap();
    assert_eq!(
        found.iter().map(|next| next.revision.changes.len()).collect::<Vec<_>>(),
        [200, 1000]
    );
}

#[tokio::test]
async fn a_database_with_another_history_is_never_followed() {
    let written = with_a_past(6, 10).await;
    let third = written
        .store
        .revisions_after(&Head::none(), 3, &Blobs::new())
        .await
        .unwrap()
        .pop()
        .unwrap()
        .head;
    for head in [
        Head { hash: ContentHash::of(b"another"), ..third },
        Head { revision: 4, ..third },
        Head { revision: 100, ..third },
        Head { revision: u64::MAX, ..third },
    ] {
        let error = written.store.revisions_after(&head, 10, &Blobs::new()).await.unwrap_err();
        assert!(
            matches!(error, StoreError::AnotherLineage { revision } if revision == head.revision),
            "{head:?}: {error}"
        );
    }
    for (done, fault) in [
        (
            "UPDATE revisions SET actor = 'else' WHERE revision = 5",
            "revision 5 is not what its hash says",
        ),
        (
            "UPDATE changes SET subject = 'other' WHERE revision = 5",
            "revision 5 is not what its hash says",
        ),
        (
            "UPDATE changes SET record_after = NULL WHERE revision = 5",
            "revision 5 is not what its hash says",
        ),
        ("DELETE FROM changes WHERE revision = 5", "revision 5 is not what its hash says"),
        ("DELETE FROM revisions WHERE revision = 4", "revision 4 is missing"),
    ] {
        let written = with_a_past(6, 10).await;
        let third = written
            .store
            .revisions_after(&Head::none(), 3, &Blobs::new())
            .await
            .unwrap()
            .pop()
            .unwrap()
            .head;
        written.sql(done).await;
        let error = written.store.revisions_after(&third, 10, &Blobs::new()).await.unwrap_err();
        assert!(error.is_damage() && error.to_string().contains(fault), "{done}: {error}");
    }
}

/// A blob that was altered is not returned; the reader of the revision sees that one is missing.
#[tokio::test]
async fn a_blob_that_does_not_match_its_hash_is_not_returned() {
    let written = with_a_past(2, 10).await;
    let first = written
        .store
        .revisions_after(&Head::none(), 1, &Blobs::new())
        .await
        .unwrap()
        .pop()
        .unwrap();
    let id = *first.blobs.keys().next().unwrap();
    written.sql(&format!("UPDATE texts SET bytes = CAST('else' AS BLOB) WHERE id = '{id}'")).await;
    let found = written.store.revisions_after(&Head::none(), 2, &Blobs::new()).await.unwrap();
    assert_eq!(found.iter().map(|next| next.blobs.len()).collect::<Vec<_>>(), [0, 1]);
}
