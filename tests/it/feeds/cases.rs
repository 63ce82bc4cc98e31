//! What a reader gets, case by case.

use std::fs;

use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::{Feeds, event, numbered};
use crate::support::guarded::SERVER_KEY;
use crate::support::wait_until;

/// One row of the table: what is done to a stream of its own.
macro_rules! cases {
    ($($name:literal: $case:ident;)*) => {
        #[tokio::test]
        async fn every_event_is_read_once_and_in_order() {
            let mut feeds = Feeds::start().await;
            for row in [$($name),*] {
                eprintln!("row: {row}");
                match row {
                    $($name => $case(&mut feeds).await,)*
                    _ => unreachable!(),
                }
            }
        }
    };
}

cases! {
    "exactly 50 events": exactly_fifty;
    "equal times": equal_times;
    "an event of exactly 32 KiB, and a byte more": data_of_32_kib;
    "a page cut at 256 KiB": page_of_256_kib;
    "an id repeated, after a restart too": id_repeated;
    "an id repeated after retention": id_after_retention;
    "a reader taken out in the middle": reader_taken_out;
    "a stream deleted and made anew": made_anew;
    "now, and the last few": now_and_tail;
    "a stream that ends": ended;
    "data as it was sent": as_sent;
    "a body with one bad event": whole_or_not;
}

async fn exactly_fifty(feeds: &mut Feeds) {
    feeds.publish_ids("fifty", numbered(1..=50)).await;
    let page = feeds.poll("fifty", "").await;
    assert_eq!((page.ids(), &page.body["hasMore"]), (numbered(1..=50), &json!(false)));
    let next = feeds.poll("fifty", &format!("?cursor={}", page.cursor())).await;
    assert_eq!((next.ids(), next.cursor()), (vec![], page.cursor()));
    feeds.publish_ids("fifty", numbered(51..=51)).await;
    let page = feeds.poll("fifty", "").await;
    assert_eq!((page.ids(), &page.body["hasMore"]), (numbered(1..=50), &json!(true)));
    for limit in [1, 7, 49, 50, 51, 1000] {
        assert_eq!(feeds.drain("fifty", "", limit).await, numbered(1..=51), "limit {limit}");
    }
}

async fn equal_times(feeds: &mut Feeds) {
    feeds.publish_ids("times", numbered(1..=100)).await;
    let page = feeds.poll("times", "?limit=1000").await;
    let times: std::collections::BTreeSet<&str> =
        page.body["events"].as_array().unwrap().iter().map(|e| e["at"].as_str().unwrap()).collect();
    assert_eq!(times.len(), 1, "one commit has one time");
    assert_eq!(feeds.drain("times", "", 3).await, numbered(1..=100));
}

fn of_bytes(id: &str, bytes: usize) -> Json {
    json!({ "id": id, "type": "t", "data": "x".repeat(bytes - 2) })
}

async fn data_of_32_kib(feeds: &mut Feeds) {
    const KIB_32: usize = 32 * 1024;
    let taken = feeds.publish("large", json!({ "events": [of_bytes("a", KIB_32)] })).await;
    assert_eq!(taken.status, 200, "{taken:?}");
    let more = json!({ "events": [event("b"), of_bytes("c", KIB_32 + 1)] });
    let refused = feeds.publish("large", more).await;
    assert_eq!((refused.status, refused.code()), (413, "too-large"));
    assert_eq!(feeds.drain("large", "", 50).await, ["a"]);
}

async fn page_of_256_kib(feeds: &mut Feeds) {
    for n in 0..18 {
        let body = json!({ "events": [of_bytes(&format!("e-{n}"), 32 * 1024)] });
        assert_eq!(feeds.publish("pages", body).await.status, 200);
    }
    feeds.publish_ids("pages", ["small".to_owned()]).await;
    for restarted in [false, true] {
        if restarted {
            feeds.guarded.service.stop().await;
            feeds.guarded.service.restart().await;
        }
        let mut from = String::new();
        let mut counts = Vec::new();
        loop {
            let page = feeds.poll("pages", &format!("?limit=1000{from}")).await;
            counts.push(page.ids().len());
            from = format!("&cursor={}", page.cursor());
            if page.body["hasMore"] == false {
                break;
            }
        }
        assert_eq!(counts, [8, 8, 3], "restarted: {restarted}");
    }
}

async fn id_repeated(feeds: &mut Feeds) {
    feeds.publish_ids("ids", numbered(1..=3)).await;
    for restarted in [false, true] {
        if restarted {
            feeds.guarded.service.crash().await;
            feeds.guarded.service.restart().await;
        }
        let again = json!({ "events": [
            { "id": "e-1", "type": "build.step", "data": { "id" : "\u{0065}-1" } },
            event("e-2"),
        ] });
        let answer = feeds.publish("ids", again).await;
        assert_eq!((answer.status, &answer.body["duplicates"]), (200, &json!(2)));
        let other =
            json!({ "events": [event("new"), { "id": "e-3", "type": "build.step", "data": 3 }] });
        let refused = feeds.publish("ids", other).await;
        assert_eq!((refused.status, refused.code()), (409, "event-exists"), "{refused:?}");
        assert_eq!(feeds.drain("ids", "", 2).await, numbered(1..=3));
    }
    let twice = json!({ "events": [event("x"), event("x")] });
    let answer = feeds.publish("ids", twice).await;
    assert_eq!(answer.body["accepted"], 1);
    assert_eq!(answer.body["duplicates"], 1);
}

/// Sets what a flag keeps of each stream.
fn keep(feeds: &Feeds, keep: u32) {
    let path = feeds.guarded.service.flags.join("a.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.split("transports:").next().unwrap().to_owned();
    fs::write(&path, format!("{text}transports: {{ polling: {{ keep: {keep} }} }}\n")).unwrap();
}

async fn id_after_retention(feeds: &mut Feeds) {
    let page = feeds.poll("kept", "").await;
    assert_eq!((page.status, page.code()), (404, "stream-not-found"));
    feeds.publish_ids("kept", numbered(1..=30)).await;
    let oldest = feeds.poll("kept", "?limit=1").await.cursor();
    // The smaller value would wait for a day: a test makes it wait no longer.
    keep(feeds, 10);
    wait_until("the smaller value waits", async || waits_for_a_day(feeds).await).await;
    assert_eq!(feeds.drain("kept", "", 50).await, numbered(1..=30), "nothing is removed for a day");
    feeds.guarded.service.stop().await;
    end_the_wait(feeds).await;
    feeds.guarded.service.restart().await;
    wait_until("the smaller value is in force", async || {
        feeds.poll("kept", "").await.ids() == numbered(21..=30)
    })
    .await;
    let expired = feeds.poll("kept", &format!("?cursor={oldest}")).await;
    assert_eq!((expired.status, expired.code()), (410, "cursor-expired"));
    assert_eq!(expired.header("cache-control"), "no-store");
    assert_eq!(feeds.drain("kept", &expired.cursor(), 50).await, numbered(21..=30));
    let again = feeds.publish("kept", json!({ "events": [event("e-1")] })).await;
    assert_eq!(again.body["duplicates"], 1, "{again:?}");
    let other = json!({ "events": [{ "id": "e-1", "type": "build.step", "data": 0 }] });
    assert_eq!(feeds.publish("kept", other).await.code(), "event-exists");
    keep(feeds, 10_000);
}

async fn database(feeds: &Feeds) -> sqlx::SqliteConnection {
    let path = feeds.guarded.service.data.join("events.db");
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

async fn waits_for_a_day(feeds: &Feeds) -> bool {
    let mut database = database(feeds).await;
    let waits = "SELECT count(*) FROM retentions WHERE keep_lowered_to = 10";
    let count: i64 = sqlx::query_scalar(waits).fetch_one(&mut database).await.unwrap();
    database.close().await.unwrap();
    count == 1
}

/// Lets what waits for a day have waited for it.
async fn end_the_wait(feeds: &Feeds) {
    let mut database = database(feeds).await;
    let aged = "UPDATE retentions SET keep_lowered_at_ms = keep_lowered_at_ms - 86400000";
    sqlx::query(aged).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

async fn reader_taken_out(feeds: &mut Feeds) {
    let readers = |readers: Json| json!({ "readers": readers, "events": [] });
    let made = json!({ "readers": ["u-1", "u-2"], "events": [event("e-1"), event("e-2")] });
    assert_eq!(feeds.publish("shared", made).await.status, 200);
    let page = feeds.poll_as("u-1", "shared", "?limit=1").await;
    assert_eq!((page.ids(), &page.body["hasMore"]), (numbered(1..=1), &json!(true)));
    let rest = format!("?cursor={}", page.cursor());
    let stranger = feeds.poll_as("u-3", "shared", "").await;
    assert_eq!((stranger.status, stranger.code()), (404, "stream-not-found"));
    assert_eq!(feeds.publish("shared", readers(json!(["u-2"]))).await.status, 200);
    let out = feeds.poll_as("u-1", "shared", &rest).await;
    assert_eq!((out.status, out.code()), (404, "stream-not-found"));
    assert_eq!(out.body, feeds.poll_as("u-1", "no-such", &rest).await.body, "not yours, not there");
    assert_eq!(feeds.poll_as("u-2", "shared", &rest).await.ids(), numbered(2..=2));
    assert_eq!(feeds.publish("shared", readers(json!("verified"))).await.status, 200);
    assert_eq!(feeds.poll_as("u-3", "shared", "").await.ids(), numbered(1..=2));
    assert_eq!(feeds.publish("shared", json!({ "events": [event("e-3")] })).await.status, 200);
    assert_eq!(feeds.poll_as("u-3", "shared", "").await.status, 200, "left out changes nothing");
    assert_eq!(feeds.publish("shared", readers(json!([]))).await.status, 200);
    assert_eq!(feeds.poll_as("u-2", "shared", "").await.status, 404);
}

async fn made_anew(feeds: &mut Feeds) {
    feeds.publish_ids("anew", numbered(1..=5)).await;
    let old = feeds.poll("anew", "?limit=2").await.cursor();
    assert_eq!(feeds.delete("anew").await.body["existed"], true);
    assert_eq!(feeds.delete("anew").await.body["existed"], false);
    assert_eq!(feeds.poll("anew", &format!("?cursor={old}")).await.code(), "stream-not-found");
    feeds.publish_ids("anew", numbered(6..=8)).await;
    let reset = feeds.poll("anew", &format!("?cursor={old}")).await;
    assert_eq!((reset.status, reset.code()), (409, "stream-reset"));
    assert_eq!(reset.header("cache-control"), "no-store");
    assert_eq!(feeds.drain("anew", &reset.cursor(), 50).await, numbered(6..=8));
}

async fn now_and_tail(feeds: &mut Feeds) {
    feeds.publish_ids("tail", numbered(1..=10)).await;
    let now = feeds.poll("tail", "?cursor=now").await;
    assert_eq!((now.ids(), &now.body["hasMore"]), (vec![], &json!(false)));
    assert_eq!(feeds.poll("tail", "?tail=3").await.ids(), numbered(8..=10));
    assert_eq!(feeds.poll("tail", "?tail=1000").await.ids(), numbered(1..=10));
    let some = feeds.poll("tail", "?tail=3&limit=2").await;
    assert_eq!((some.ids(), &some.body["hasMore"]), (numbered(8..=9), &json!(true)));
    feeds.publish_ids("tail", numbered(11..=11)).await;
    assert_eq!(feeds.drain("tail", &now.cursor(), 50).await, numbered(11..=11));
}

async fn ended(feeds: &mut Feeds) {
    let last = json!({ "ended": true, "events": [event("e-1"), event("e-2")] });
    assert_eq!(feeds.publish("over", last.clone()).await.status, 200);
    let page = feeds.poll("over", "?limit=1").await;
    assert_eq!(page.body.get("ended"), None, "there is more to read");
    let page = feeds.poll("over", &format!("?cursor={}", page.cursor())).await;
    assert_eq!((page.ids(), &page.body["ended"]), (numbered(2..=2), &json!(true)));
    let idle = feeds.poll("over", &format!("?cursor={}", page.cursor())).await;
    assert_eq!((idle.ids(), &idle.body["ended"]), (vec![], &json!(true)));
    let late = feeds.publish("over", json!({ "events": [event("e-3")] })).await;
    assert_eq!((late.status, late.code()), (409, "stream-ended"));
    let again = feeds.publish("over", last).await;
    assert_eq!((again.status, &again.body["duplicates"]), (200, &json!(2)), "sent again");
}

async fn as_sent(feeds: &mut Feeds) {
    let data = r#"{"n":1e5,"big":123456789012345678901234567890.10,"s":"\u00e9\ud83d\ude00","sp" : [ 1 ,2]}"#;
    let body = format!(r#"{{"events":[{{"id":"q\"~","type":"t","data":{data}}}]}}"#);
    assert_eq!(feeds.publish_raw("sent", body).await.status, 200);
    for restarted in [false, true] {
        if restarted {
            feeds.guarded.service.stop().await;
            feeds.guarded.service.restart().await;
        }
        let service = &feeds.guarded.service;
        let request = service.client.get(service.url("/v1/feeds/a/sent")).bearer_auth(SERVER_KEY);
        let text = request.send().await.unwrap().text().await.unwrap();
        assert!(text.contains(&format!("\"data\":{data}")), "{text}");
        let page: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(page["events"][0]["id"], "q\"~");
    }
}

async fn whole_or_not(feeds: &mut Feeds) {
    let body = json!({ "events": [event("a"), { "id": "", "type": "t", "data": 1 }, event("b")] });
    let refused = feeds.publish("whole", body).await;
    assert_eq!((refused.status, refused.code()), (400, "invalid-request"));
    assert_eq!(feeds.poll("whole", "").await.status, 404, "nothing was made");
}
