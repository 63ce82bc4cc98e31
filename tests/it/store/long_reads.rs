//! A long reading delays neither other readings nor the WAL's checkpoints, and is correct about
//! what is committed meanwhile. A page of the history is bounded, however large its revisions are.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use turnout::ledger::{Blobs, Change};
use turnout::store::{ExpectedHistory, HistoryQuery, Store, StoreError};

use super::written::{SILENCE, Written, defined, stopped};
use crate::support::{Service, flag, wait_until};

const MIB: u64 = 1024 * 1024;

/// Commits to a database without end, and returns how long its WAL became.
async fn commit_until(written: &mut Written, is_over: &AtomicBool, revisions: &AtomicU64) -> u64 {
    let mut longest = 0;
    while !is_over.load(Relaxed) {
        let (change, id, text) =
            defined(&format!("meanwhile-{}", revisions.load(Relaxed)), 900_000);
        written.commit(vec![change], &Blobs::from([(id, text)])).await;
        longest = longest.max(fs::metadata(written.path().with_extension("db-wal")).unwrap().len());
        revisions.fetch_add(1, Relaxed);
    }
    longest
}

/// A verification takes many times as long as the WAL may stay: in one transaction, the WAL would
/// keep everything that is committed meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wal_is_checkpointed_while_a_long_history_is_verified() {
    let mut written = Written::new().await;
    let blobs: Vec<_> = (0..60).map(|index| defined(&format!("f{index}"), 500_000)).collect();
    let all: Blobs = blobs.iter().map(|(_, id, text)| (*id, text.clone())).collect();
    written.commit(blobs.into_iter().map(|(change, ..)| change).collect(), &all).await;
    let other = written.again().await;
    let (is_over, revisions) = (AtomicBool::new(false), AtomicU64::new(0));
    let kept = ExpectedHistory { epoch: Some("test".to_owned()), head: Some(written.head) };
    let verify = async {
        // However slow the machine is: enough is committed meanwhile for a WAL without checkpoints
        // to become long.
        while revisions.load(Relaxed) < 30 {
            let verdict = other.verify(&kept, SILENCE).await.unwrap();
            assert_eq!(verdict.faults, [""; 0], "nothing was done but committing");
        }
        is_over.store(true, Relaxed);
    };
    let (longest, ()) = tokio::join!(commit_until(&mut written, &is_over, &revisions), verify);
    assert!(
        longest < 8 * MIB,
        "the log was of {longest} bytes after {revisions:?} revisions of 900 kB"
    );
    assert_eq!(written.faults().await, [""; 0]);
}

/// A verification is ended when it makes no progress, not when it is long.
#[tokio::test]
async fn a_verification_that_makes_progress_has_no_time_limit() {
    let mut written = Written::new().await;
    let kept = |written: &Written| ExpectedHistory {
        epoch: Some("test".to_owned()),
        head: Some(written.head),
    };
    // However quick the machine is: long enough that a quarter of it without progress means it has
    // stopped.
    let mut took = Duration::ZERO;
    while took < Duration::from_secs(2) {
        let count = written.head.revision;
        let blobs: Vec<_> =
            (0..40).map(|index| defined(&format!("f{count}-{index}"), 500_000)).collect();
        let all: Blobs = blobs.iter().map(|(_, id, text)| (*id, text.clone())).collect();
        written.commit(blobs.into_iter().map(|(change, ..)| change).collect(), &all).await;
        let began = Instant::now();
        written.store.verify(&kept(&written), SILENCE).await.unwrap();
        took = began.elapsed();
    }
    let verdict = written.store.verify(&kept(&written), took / 4).await.unwrap();
    assert_eq!((verdict.revisions, verdict.faults), (written.head.revision, Vec::new()));
    let stands_still = written.store.verify(&kept(&written), Duration::ZERO).await.unwrap_err();
    assert!(matches!(stands_still, StoreError::Silent(_)), "{stands_still}");
}

/// Other readings of the database go between the pages of a load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_delays_no_other_reading() {
    let mut written = Written::new().await;
    let blobs: Vec<_> = (0..40).map(|index| defined(&format!("f{index}"), 1_000_000)).collect();
    let all: Blobs = blobs.iter().map(|(_, id, text)| (*id, text.clone())).collect();
    written.commit(blobs.into_iter().map(|(change, ..)| change).collect(), &all).await;
    let store: &Store = &written.store;
    let is_over = AtomicBool::new(false);
    let load = async {
        let loaded = store.load(&Blobs::new()).await.unwrap();
        is_over.store(true, Relaxed);
        loaded.blobs.len()
    };
    let heads = async {
        let mut read = 0;
        while !is_over.load(Relaxed) {
            store.head().await.unwrap();
            read += 1;
        }
        read
    };
    let (blobs, read) = tokio::join!(load, heads);
    assert_eq!(blobs, 40);
    assert!(read > 100, "the head was read {read} times while 40 MB were loaded");
}

/// The changes of the flag that is asked for are shown, also where thousands of others changed with
/// it.
#[tokio::test]
async fn a_page_of_the_history_is_bounded_in_its_changes() {
    let mut written = Written::new().await;
    let all: Vec<_> = (0..1500).map(|index| defined(&format!("f{index:04}"), 10)).collect();
    let blobs: Blobs = all.iter().map(|(_, id, text)| (*id, text.clone())).collect();
    let changes: Vec<Change> = all.into_iter().map(|(change, ..)| change).collect();
    written.commit(changes.clone(), &blobs).await;
    for index in 0..30 {
        let stops = changes.iter().map(stopped).collect::<Vec<_>>();
        let resumes = stops.iter().map(|stop| Change {
            before: stop.after.clone(),
            after: stop.before.clone(),
            ..stop.clone()
        });
        written
            .commit(if index % 2 == 0 { stops.clone() } else { resumes.collect() }, &Blobs::new())
            .await;
    }
    let page = |flag: Option<&str>, whole| HistoryQuery {
        flag: flag.map(str::to_owned),
        limit: 200,
        whole,
        ..HistoryQuery::default()
    };
    let found = written.store.history(&page(None, false)).await.unwrap();
    assert_eq!(found.len(), 31);
    let reply: usize = found.iter().map(|stored| stored.revision.changes.len()).sum();
    assert!((1000..2100).contains(&reply), "{reply} changes");
    assert!(
        found
            .iter()
            .all(|stored| stored.revision.changes.len() as u64 + stored.more_changes == 1500)
    );
    assert!(
        found.iter().all(|stored| !stored.revision.changes.is_empty()),
        "each shows what it was about"
    );
    for stored in written.store.history(&page(Some("f1400"), false)).await.unwrap() {
        assert!(stored.revision.changes.iter().any(|change| change.subject.key() == "f1400"));
    }
    let whole = written.store.history(&page(None, true)).await.unwrap();
    assert!(
        whole
            .iter()
            .all(|stored| stored.more_changes == 0 && stored.revision.changes.len() == 1500)
    );
}

/// Over HTTP: a first import of many flags.
#[tokio::test]
async fn the_history_counts_changes_it_does_not_show() {
    let files: Vec<_> = (0..150)
        .map(|index| (format!("f{index:03}.yaml"), flag(&format!("f{index:03}"), "")))
        .collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let service = Service::start(&files).await;
    let history = async |query: &str| {
        service.admin(&format!("/v1/history{query}")).await.json::<Json>().await.unwrap()
    };
    wait_until("the import", async || history("").await["revisions"][0]["revision"] == 1).await;
    let first = &history("").await["revisions"][0];
    assert_eq!(
        (first["changes"].as_array().unwrap().len(), &first["moreChanges"]),
        (100, &json!(50))
    );
    let of_flag = &history("?flag=f140").await["revisions"][0];
    assert_eq!(
        (of_flag["changes"].as_array().unwrap().len(), &of_flag["moreChanges"]),
        (101, &json!(49))
    );
    assert_eq!(of_flag["changes"][100]["key"], "f140");
    assert_eq!(service.ordered("/v1/flags/f140/stop", json!({})).await.0, 200);
    assert_eq!(history("").await["revisions"][0].get("moreChanges"), None);
}
