//! The writer between publishes and retention, with a database that is slow or hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::limits::MAX_WAITING_BYTES;
use super::store::EventStore;
use super::{Feeds, FeedsOptions, Publish, PublishError, Retention, StreamKey};
use crate::clock::Clock;

/// What flags keep of a stream.
const KEEP: u64 = 2;

struct Bench {
    _home: TempDir,
    feeds: Feeds,
}

impl Bench {
    async fn start() -> Bench {
        let home = TempDir::new().unwrap();
        let was_looked_after = Arc::new(AtomicBool::new(false));
        let reported = was_looked_after.clone();
        let options = FeedsOptions {
            path: home.path().join("events.db"),
            max_bytes: 1 << 30,
            clock: Clock::default(),
            retention: Box::new(|_| Some(Retention { keep: KEEP, ..Retention::DEFAULT })),
            random: || Some(u64::from(number())),
            report: Box::new(move |_| reported.store(true, Relaxed)),
            renewed: Box::new(|_| ()),
        };
        let feeds = Feeds::start(options, Handle::current()).await;
        wait_until("the database is open, and was looked after", async || {
            feeds.is_available() && was_looked_after.load(Relaxed)
        })
        .await;
        Bench { _home: home, feeds }
    }

    async fn publish(&self, stream: &str, ids: &[String]) {
        self.feeds.publish(key(stream), events(ids, "")).await.unwrap();
    }

    /// How many events are kept of a stream.
    async fn kept(&self, stream: &str) -> u64 {
        let record = self.store().stream(&key(stream)).await.unwrap().unwrap();
        record.head - record.kept_after
    }

    fn store(&self) -> Arc<EventStore> {
        self.feeds.0.shared.store.load_full().unwrap()
    }
}

/// A number that was not drawn before.
fn number() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    NEXT.fetch_add(1, Relaxed)
}

fn key(stream: &str) -> StreamKey {
    StreamKey::parse("a", stream).unwrap()
}

fn events(ids: &[String], data: &str) -> Publish {
    let event = |id: &String| json!({ "id": id, "type": "t", "data": data });
    let events: Vec<Json> = ids.iter().map(event).collect();
    Publish::read(json!({ "events": events }).to_string().as_bytes()).unwrap()
}

async fn wait_until(what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..1_500 {
        if is_so().await {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

/// What waits is bounded, also where those who sent it have given up.
#[tokio::test]
async fn what_waits_takes_room_until_the_writer_is_done_with_it() {
    let bench = Bench::start().await;
    bench.publish("b-1", &["first".to_owned()]).await;
    let (store, stream) = (bench.store(), key("b-1"));
    let hanging = store.hold(&[&stream]).await.unwrap();
    let data = "x".repeat(30_000);
    let most = MAX_WAITING_BYTES / data.len();
    let mut taken = 0;
    loop {
        let publish = bench.feeds.publish(key("b-2"), events(&[format!("e-{taken}")], &data));
        // Given up at once.
        match timeout(Duration::ZERO, publish).await {
            Err(_) => taken += 1,
            Ok(refused) => break assert_eq!(refused, Err(PublishError::Unavailable)),
        }
        assert!(taken <= most, "what waits has no bound");
    }
    assert!(taken >= most / 2, "refused early: {taken}");
    drop(hanging);
    wait_until("there is room again", async || {
        bench.feeds.publish(key("b-1"), events(&["last".to_owned()], "")).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_removal_that_hangs_is_noticed() {
    let bench = Bench::start().await;
    bench.publish("b-1", &["first".to_owned()]).await;
    let (store, stream) = (bench.store(), key("b-1"));
    let hanging = store.hold(&[&stream]).await.unwrap();
    let feeds = bench.feeds.clone();
    let removing = tokio::spawn(async move { feeds.delete(key("b-1")).await });
    wait_until("feeds are not available", async || !bench.feeds.is_available()).await;
    drop(hanging);
    let _ = removing.await.unwrap();
    wait_until("feeds are available again", async || bench.feeds.is_available()).await;
    assert_eq!(store.stream(&stream).await.unwrap(), None, "it was removed");
}

/// Publishes without end do not keep retention from its work, in any stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stream_is_shortened_while_publishes_wait_all_the_time() {
    let bench = Bench::start().await;
    let stops = Arc::new(AtomicBool::new(false));
    // Streams with small names that are due again after each publish.
    let publishing: Vec<_> = (0..8)
        .map(|of| {
            let (feeds, stops) = (bench.feeds.clone(), stops.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    if stops.load(Relaxed) {
                        return;
                    }
                    let ids = [0, 1, 2].map(|part| format!("{n}-{part}"));
                    let stream = key(&format!("b-{of}"));
                    feeds.publish(stream, events(&ids, "")).await.unwrap();
                }
            })
        })
        .collect();
    let ids: Vec<String> = (0..5).map(|n| n.to_string()).collect();
    bench.publish("z-1", &ids).await;
    wait_until("the last stream is shortened", async || bench.kept("z-1").await == KEEP).await;
    stops.store(true, Relaxed);
    for publishing in publishing {
        publishing.await.unwrap();
    }
}
