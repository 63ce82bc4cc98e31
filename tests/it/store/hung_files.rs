//! A file that hangs, whichever it is, holds up no stop and no end: what narrows waits for it once, and
//! for a fraction of a second.

use std::fs;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value as Json, json};
use sqlx::Connection;
use tokio::time::sleep;

use super::late_commits::{Hanging, hold};
use crate::support::wait_until;

const STOPPED: &str = "STOPPED -> polling";
/// When the flag `end` is lowered by its end.
const END: Duration = Duration::from_secs(2);
/// Twenty stops that wait one after another took 6 s.
const SOON: Duration = Duration::from_millis(1_500);

fn reason() -> Json {
    json!({ "reason": "a test" })
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("f{number:02}")).collect()
}

async fn start_with(keys: &[String], file: &'static str) -> Hanging {
    let keys: Vec<_> = keys.iter().map(String::as_str).chain(["end"]).collect();
    Hanging::start_with(&keys, file).await
}

async fn set_an_end(hanging: &Hanging) -> Instant {
    let body = json!({
        "realtime-v2": "50%", "forMs": END.as_millis() as u64, "then": "10%", "reason": "a test",
    });
    let (status, done) = hanging.order("/v1/flags/end/set", body).await;
    assert_eq!(status, 200, "{done}");
    Instant::now()
}

async fn the_end_comes(hanging: &Hanging, begun: Instant) {
    wait_until("the end", async || hanging.live("end").await == "realtime-v2 10%").await;
    assert!(begun.elapsed() < END + SOON, "the end came after {:?}", begun.elapsed());
}

async fn are_stopped(hanging: &Hanging, keys: &[String]) -> bool {
    join_all(keys.iter().map(|key| hanging.live(key))).await.iter().all(|live| live == STOPPED)
}

async fn stop_all(hanging: &Hanging, keys: &[String]) -> Vec<(u16, Json)> {
    let paths: Vec<_> = keys.iter().map(|key| format!("/v1/flags/{key}/stop")).collect();
    join_all(paths.iter().map(|path| hanging.order(path, reason()))).await
}

/// Each use of the database begins with a look at its files.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_read_holds_up_no_stop_and_no_end() {
    let keys = numbered(1);
    let hanging = start_with(&keys, "/turnout.db").await;
    let begun = set_an_end(&hanging).await;
    hanging.reads_hang(true);
    let (status, done) = hanging.order("/v1/flags/f00/stop", reason()).await;
    assert_eq!((status, &done["inForce"]), (202, &json!(true)), "{done}");
    assert_eq!(done["survivesRestart"], true, "{done}");
    assert!(are_stopped(&hanging, &keys).await);
    the_end_comes(&hanging, begun).await;
    wait_until("the database counts as down", async || {
        hanging.get("/v1/status").await["database"]["state"] == "down"
    })
    .await;
    let (status, done) = hanging.order("/v1/flags/end/stop", reason()).await;
    assert_eq!((status, &done["inForce"]), (202, &json!(true)), "{done}");
    hanging.reads_hang(false);
    hanging.settles("both stops").await;
    assert!(are_stopped(&hanging, &["f00".to_owned(), "end".to_owned()]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_of_many_stops_waits_for_a_journal_that_hangs() {
    let keys = numbered(20);
    // The journal alone, then the database too.
    for file in ["/pending.journal", "/data/"] {
        let hanging = start_with(&keys, file).await;
        let end_begun = set_an_end(&hanging).await;
        hanging.hang();
        let begun = Instant::now();
        let all_live = async {
            wait_until("the stops", async || are_stopped(&hanging, &keys).await).await;
            begun.elapsed()
        };
        let ends = the_end_comes(&hanging, end_begun);
        let (done, all_live, ()) = tokio::join!(stop_all(&hanging, &keys), all_live, ends);
        assert!(all_live < SOON, "{file}: all were live after {all_live:?}");
        for (status, done) in done {
            assert!(status < 300 && done["inForce"] == true, "{file}: {done}");
            // None is in a file, unless it was committed.
            assert_eq!(done["survivesRestart"], status == 200, "{file}: {done}");
        }
        hanging.go_on();
        hanging.settles("all of it").await;
        assert!(are_stopped(&hanging, &keys).await, "{file}");
    }
}

/// A slow disk, with the database locked, and then with one that saves one after another.
#[tokio::test(flavor = "multi_thread")]
async fn stops_do_not_wait_for_one_another_on_a_slow_disk() {
    // Thirty that wait one after another took 3 s.
    const LIVE: Duration = Duration::from_secs(1);
    let keys = numbered(30);
    for (file, is_locked) in [("/pending.journal", true), ("/data/", false)] {
        let hanging = start_with(&keys, file).await;
        let other = if is_locked { Some(hold(&hanging.program).await) } else { None };
        hanging.is_slower_by(100);
        let begun = Instant::now();
        let all_live = async {
            while !are_stopped(&hanging, &keys).await {
                sleep(Duration::from_millis(20)).await;
            }
            begun.elapsed()
        };
        let (done, all_live) = tokio::join!(stop_all(&hanging, &keys), all_live);
        assert!(all_live < LIVE, "{file}: all were live after {all_live:?}");
        for (status, done) in &done {
            assert!(*status < 300 && done["inForce"] == true, "{file}: {done}");
        }
        if let Some(other) = other {
            // Those that passed the journal are written to it together.
            let kept = done.iter().filter(|(_, done)| done["survivesRestart"] == true).count();
            assert_eq!(kept, keys.len(), "{done:?}");
            let hanging = hanging.restarts().await;
            assert!(are_stopped(&hanging, &keys).await);
            other.close().await.unwrap();
        } else {
            hanging.settles("all of it").await;
            assert!(are_stopped(&hanging, &keys).await);
        }
    }
}

/// The database is locked all the while.
#[tokio::test(flavor = "multi_thread")]
async fn what_passed_a_journal_that_hung_is_in_it_as_soon_as_it_answers() {
    let keys = numbered(5);
    let hanging = start_with(&keys, "/pending.journal").await;
    let journal = hanging.program.path("data/pending.journal");
    let other = hold(&hanging.program).await;
    hanging.hang();
    for (status, done) in stop_all(&hanging, &keys).await {
        assert_eq!((status, &done["inForce"]), (202, &json!(true)), "{done}");
        assert_eq!(done["survivesRestart"], false, "{done}");
    }
    hanging.go_on();
    wait_until("the journal has all of them", async || {
        let text = fs::read(&journal).unwrap();
        let holds = |key: &String| text.windows(key.len()).any(|window| window == key.as_bytes());
        keys.iter().all(holds)
    })
    .await;
    let hanging = hanging.restarts().await;
    assert!(are_stopped(&hanging, &keys).await);
    other.close().await.unwrap();
    hanging.settles("all of it").await;
    // The journal is waited for again.
    let (status, done) = hanging.order("/v1/flags/end/stop", reason()).await;
    assert_eq!((status, &done["survivesRestart"]), (200, &json!(true)), "{done}");
}

/// The database is locked, and the journal refuses a stop. It gets it once it takes entries again.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_journal_refused_is_in_it_as_soon_as_it_takes_entries() {
    let keys = numbered(2);
    let hanging = start_with(&keys, "/pending.journal").await;
    let other = hold(&hanging.program).await;
    hanging.syncs_fail(true);
    let (status, done) = hanging.order("/v1/flags/f00/stop", reason()).await;
    assert_eq!((status, &done["survivesRestart"]), (202, &json!(false)), "{done}");
    hanging.syncs_fail(false);
    let (status, done) = hanging.order("/v1/flags/f01/stop", reason()).await;
    assert_eq!((status, &done["survivesRestart"]), (202, &json!(true)), "{done}");
    let journal = hanging.program.path("data/pending.journal");
    wait_until("the journal has both", async || {
        let text = fs::read(&journal).unwrap();
        keys.iter().all(|key| text.windows(key.len()).any(|window| window == key.as_bytes()))
    })
    .await;
    let hanging = hanging.restarts().await;
    assert!(are_stopped(&hanging, &keys).await);
    other.close().await.unwrap();
}
