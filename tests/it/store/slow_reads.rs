//! A read is limited by silence too, and not by its length: a large database on a slow disk is opened
//! again after it was lost, and a large revision of another program is caught up with.

use serde_json::{Value as Json, json};
use turnout::ledger::Blobs;
use turnout::store::Store;

use super::late_commits::Hanging;
use super::written::{commit_as_another, defined};
use crate::support::wait_until;

/// On the slow disk, reading these flags takes about twice as long as a database that was lost may take
/// to open.
const FLAGS: usize = 5;
const BYTES: usize = 800_000;

/// Commits, as another program would, flags whose definitions have this many bytes.
async fn commit_large(store: &Store) {
    let defined: Vec<_> = (0..FLAGS).map(|flag| defined(&format!("large{flag}"), BYTES)).collect();
    let blobs: Blobs = defined.iter().map(|(_, id, text)| (*id, text.clone())).collect();
    let changes: Vec<_> = defined.into_iter().map(|(change, ..)| change).collect();
    commit_as_another(store, &changes, &blobs).await;
}

async fn database(hanging: &Hanging) -> Json {
    hanging.get("/v1/status").await["database"]["state"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn however_long_a_database_takes_to_read_it_is_not_lost_for_that() {
    let hanging = Hanging::start().await;
    let other = Store::open_sqlite(&hanging.program.path("data/turnout.db")).await.unwrap();
    hanging.reads_are_slow();
    commit_large(&other).await;
    wait_until("the revision of the other program", async || {
        assert_eq!(database(&hanging).await, "up", "{}", hanging.program.said());
        hanging.live("large0").await == "realtime-v2 10%"
    })
    .await;

    hanging.reads_hang(true);
    wait_until("the database counts as down", async || database(&hanging).await == "down").await;
    let (status, done) = hanging.order("/v1/flags/large0/stop", json!({})).await;
    assert_eq!((status, &done["inForce"]), (202, &json!(true)), "{done}");
    hanging.reads_hang(false);
    hanging.settles("all of it is read, and the stop is saved").await;
    let raise = json!({ "realtime-v2": "50%", "reason": "a test" });
    let (status, done) = hanging.order("/v1/flags/f/set", raise).await;
    assert_eq!(status, 200, "{done}");
    other.close().await;
}
