//! One suite for every kind of database, written against the face alone.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use super::{EventStore, Sweep};
use crate::feeds::decide::{Published, decide};
use crate::feeds::name::StreamKey;
use crate::feeds::publish::Publish;
use crate::feeds::retention::{Retention, RetentionRecord};
use crate::feeds::shares::KeptBytes;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A database of its own, and what is kept there.
struct Bench {
    _home: tempfile::TempDir,
    store: EventStore,
    kept: KeptBytes,
    numbers: u64,
}

impl Bench {
    async fn new() -> Bench {
        let home = tempfile::TempDir::new().unwrap();
        let path = home.path().join("events.db");
        let (store, opened) = EventStore::open(&path, &mut || 1).await.unwrap();
        Bench { _home: home, store, kept: opened.kept, numbers: 100 }
    }

    /// The same database, opened again.
    async fn reopen(&mut self) {
        self.store.close().await;
        let path = self._home.path().join("events.db");
        let (store, opened) = EventStore::open(&path, &mut || 2).await.unwrap();
        assert_eq!(opened.kept, self.kept, "what was counted is what lies there");
        self.store = store;
    }

    async fn publish(&mut self, stream: &str, ids: &[&str], now_ms: i64) -> Published {
        let events: Vec<_> =
            ids.iter().map(|id| json!({ "id": id, "type": "t", "data": { "id": id } })).collect();
        self.publish_body(stream, json!({ "readers": ["u-1"], "events": events }), now_ms).await
    }

    async fn publish_body(&mut self, stream: &str, body: Json, now_ms: i64) -> Published {
        let publish = Publish::read(body.to_string().as_bytes()).unwrap();
        let key = key(stream);
        let mut held = self.store.hold(&[&key]).await.unwrap();
        let ids: Vec<_> = publish.events.iter().map(|event| (&key, &*event.id)).collect();
        let known = self.store.known_ids(&mut held, &ids).await.unwrap();
        let numbers = &mut self.numbers;
        let (results, change) = decide(
            [(&key, &publish)],
            &held.streams,
            known,
            &mut self.kept,
            1 << 30,
            now_ms,
            || {
                *numbers += 1;
                *numbers
            },
        );
        if change.streams.is_empty() {
            self.store.release(held).await.unwrap();
        } else {
            self.store.commit(held, &change).await.unwrap();
        }
        results.into_iter().next().unwrap().unwrap()
    }

    async fn ids(&self, stream: &str, after: u64, limit: u32) -> Vec<String> {
        let number = self.store.stream(&key(stream)).await.unwrap().unwrap().number;
        let found = self.store.read(number, after, limit).await.unwrap();
        found.into_iter().map(|stored| stored.event.id.into()).collect()
    }

    async fn sweep(&mut self, stream: &str, keep: u64, now_ms: i64) -> bool {
        let in_force = Retention { retain_ms: 7 * DAY_MS as u64, keep };
        let sweep = Sweep { in_force, now_ms };
        let Some(removed) = self.store.remove_old(&key(stream), sweep).await.unwrap() else {
            return false;
        };
        self.kept.remove(key(stream).flag(), removed.released);
        removed.more
    }
}

fn key(stream: &str) -> StreamKey {
    StreamKey::parse("a", stream).unwrap()
}

#[tokio::test]
async fn what_is_committed_is_read_in_order_and_known_again() {
    let mut bench = Bench::new().await;
    let first = bench.publish("b-1", &["x", "y"], 10).await;
    assert_eq!((first.head, first.accepted, first.duplicates), (2, 2, 0));
    let second = bench.publish("b-1", &["y", "z"], 10).await;
    assert_eq!((second.epoch, second.head), (first.epoch, 3));
    assert_eq!((second.accepted, second.duplicates), (1, 1));
    bench.publish("b-2", &["x"], 10).await;
    for reopened in [false, true] {
        if reopened {
            bench.reopen().await;
        }
        assert_eq!(bench.ids("b-1", 0, 50).await, ["x", "y", "z"]);
        assert_eq!(bench.ids("b-1", 1, 1).await, ["y"]);
        assert_eq!(bench.ids("b-1", 3, 50).await, [""; 0]);
        let listed = bench.store.list("a", "", 50).await.unwrap();
        let names: Vec<_> = listed.iter().map(|(key, _)| key.stream()).collect();
        assert_eq!(names, ["b-1", "b-2"]);
        assert!(bench.store.list("a", "b-2", 50).await.unwrap().is_empty());
    }
    assert_eq!(bench.publish("b-1", &["x"], 20).await.duplicates, 1, "known after a restart");
}

#[tokio::test]
async fn a_change_that_is_not_committed_leaves_nothing() {
    let mut bench = Bench::new().await;
    bench.publish("b-1", &["x"], 10).await;
    for _ in 0..2 {
        let key = key("b-1");
        drop(bench.store.hold(&[&key]).await.unwrap());
    }
    assert_eq!(bench.publish("b-1", &["y"], 10).await.head, 2);
    bench.reopen().await;
}

#[tokio::test]
async fn removed_events_are_known_for_a_day_and_then_forgotten() {
    let mut bench = Bench::new().await;
    let ids: Vec<String> = (0..700).map(|n| format!("e-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for some in ids.chunks(100) {
        bench.publish("b-1", some, 1_000).await;
    }
    let empty = KeptBytes::default();
    assert!(bench.sweep("b-1", 100, 2_000).await, "600 take two steps");
    assert!(!bench.sweep("b-1", 100, 2_000).await);
    let record = bench.store.stream(&key("b-1")).await.unwrap().unwrap();
    assert_eq!((record.kept_after, record.forgotten_after, record.head), (600, 0, 700));
    assert_eq!(bench.ids("b-1", 600, 1).await, ["e-600"]);
    assert_eq!(bench.ids("b-1", 100, 1).await, [""; 0], "a removed one is not read");
    assert_eq!(bench.publish("b-1", &["e-0"], 3_000).await.duplicates, 1);
    while bench.sweep("b-1", 100, 2_000 + DAY_MS).await {}
    assert_eq!(bench.publish("b-1", &["e-0"], 3_000 + DAY_MS).await.accepted, 1, "forgotten");
    let due = |now_ms| {
        let in_force = Retention { retain_ms: 7 * DAY_MS as u64, keep: 1_000 };
        Sweep { in_force, now_ms }
    };
    let flag = "a".parse().unwrap();
    assert!(bench.store.due(&flag, due(6 * DAY_MS)).await.unwrap().0.is_empty());
    assert_eq!(bench.store.due(&flag, due(8 * DAY_MS)).await.unwrap().0, [key("b-1")]);
    while bench.sweep("b-1", 1_000, 100 * DAY_MS).await {}
    let record = bench.store.stream(&key("b-1")).await.unwrap().unwrap();
    assert_eq!((record.kept_after, record.oldest_at_ms), (record.head, None));
    bench.reopen().await;
    assert_ne!(bench.kept, empty);
    let removed = bench.store.delete(&key("b-1")).await.unwrap().unwrap();
    bench.kept.doom_stream(key("b-1").flag(), removed.bytes);
    while let Some(bytes) = bench.store.clear_doomed().await.unwrap() {
        bench.kept.clear_doomed(bytes);
    }
    assert_eq!(bench.kept, empty, "all bytes were given back");
    bench.reopen().await;
}

#[tokio::test]
async fn a_stream_made_anew_is_another_one() {
    let mut bench = Bench::new().await;
    let old = bench.publish("b-1", &["x", "y"], 10).await;
    let removed = bench.store.delete(&key("b-1")).await.unwrap();
    bench.kept.doom_stream(key("b-1").flag(), removed.unwrap().bytes);
    assert!(bench.store.delete(&key("b-1")).await.unwrap().is_none());
    assert!(bench.store.stream(&key("b-1")).await.unwrap().is_none());
    let new = bench.publish("b-1", &["x"], 10).await;
    assert_ne!(new.epoch, old.epoch);
    assert_eq!((new.head, new.accepted), (1, 1));
    assert_eq!(bench.ids("b-1", 0, 50).await, ["x"]);
    bench.reopen().await;
}

#[tokio::test]
async fn retention_that_removes_nothing_writes_nothing() {
    let mut bench = Bench::new().await;
    bench.publish("b-1", &["x", "y"], 10).await;
    let before = bench.store.commits().await.unwrap();
    let sweep = |keep| Sweep { in_force: Retention { keep, ..Retention::DEFAULT }, now_ms: 20 };
    for (what, stream, keep) in [("nothing is due", "b-1", 2), ("no such stream", "b-9", 1)] {
        let removed = bench.store.remove_old(&key(stream), sweep(keep)).await.unwrap();
        assert!(removed.is_none(), "{what}");
    }
    assert_eq!(bench.store.commits().await.unwrap(), before);
    assert!(bench.store.remove_old(&key("b-1"), sweep(1)).await.unwrap().is_some());
    assert_eq!(bench.store.commits().await.unwrap(), before + 1);
}

/// What was over when it was looked for may be another stream under the same name by now.
#[tokio::test]
async fn only_a_stream_that_is_still_over_is_removed_as_one() {
    let mut bench = Bench::new().await;
    let (flag, over_at) = ("a".parse().unwrap(), 100 * DAY_MS);
    let sweep = |now_ms, days: i64| Sweep {
        in_force: Retention { retain_ms: (days * DAY_MS) as u64, keep: 1_000 },
        now_ms,
    };
    bench.publish_body("b-1", json!({ "ended": true, "events": [] }), 10).await;
    let (_, over) = bench.store.due(&flag, sweep(over_at, 7)).await.unwrap();
    let [(found, number)] = &over[..] else { panic!("{over:?}") };
    for (what, number, sweep) in [
        ("another number", number + 1, sweep(over_at, 7)),
        ("it is kept for longer by now", *number, sweep(over_at, 200)),
        ("the clock was set back", *number, sweep(DAY_MS, 7)),
    ] {
        let removed = bench.store.delete_over(found, number, sweep).await.unwrap();
        assert!(removed.is_none(), "{what}");
    }
    let old = bench.store.delete(found).await.unwrap().unwrap();
    bench.kept.doom_stream(found.flag(), old.bytes);
    bench.publish("b-1", &["x"], over_at - DAY_MS).await;
    let removed = bench.store.delete_over(found, *number, sweep(over_at, 7)).await.unwrap();
    assert!(removed.is_none(), "it was made anew");
    assert_eq!(bench.ids("b-1", 0, 50).await, ["x"]);
    bench.publish_body("b-2", json!({ "ended": true, "events": [] }), 10).await;
    let (_, over) = bench.store.due(&flag, sweep(over_at, 7)).await.unwrap();
    let [(found, number)] = &over[..] else { panic!("{over:?}") };
    let removed = bench.store.delete_over(found, *number, sweep(over_at, 7)).await.unwrap();
    bench.kept.doom_stream(found.flag(), removed.unwrap().bytes);
    bench.reopen().await;
}

#[tokio::test]
async fn retentions_are_kept() {
    let mut bench = Bench::new().await;
    let record = RetentionRecord::new(Retention::DEFAULT);
    let lowered = record.follow(Retention { keep: 5, ..Retention::DEFAULT }, 7);
    let flag = "a".parse().unwrap();
    for record in [record, lowered] {
        bench.store.set_retention(&flag, record).await.unwrap();
    }
    bench.store.close().await;
    let path = bench._home.path().join("events.db");
    let (store, opened) = EventStore::open(&path, &mut || 2).await.unwrap();
    bench.store = store;
    assert_eq!(opened.retentions, HashMap::from([(flag, lowered)]));
}
