//! A long list is read once, however many need it: a cached list is shared, a missing one is read,
//! and a damaged one is reported.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::{Save, Service, flag, wait_until};
use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::time::sleep;

const SEGMENT: &str = "version: 1\nsegment: staff\nusers: [one-more]\nusers_file: ids.txt\n";
const RULES: &str = "allow: [{ segment: staff, strategy: realtime-v2 }]";

/// Longer than what is compared piece by piece, and many parts of a blob in the database.
fn ids() -> String {
    (0..60_000).map(|number| format!("listed-{number:07}\n")).collect()
}

async fn service() -> Service {
    let (ids, chat) = (ids(), flag("chat", RULES));
    let service = Service::start(&[
        ("ids.txt", &*ids),
        ("segments/staff.yaml", SEGMENT),
        ("chat.yaml", &*chat),
    ])
    .await;
    wait_until("the last good state", async || service.data.join("last-good").exists()).await;
    service
}

async fn rules(service: &Service) -> Vec<Json> {
    let mut rules = Vec::new();
    for user in ["listed-0000000", "listed-0059999", "one-more", "listed-0060000", "listed-000000"]
    {
        rules.push(service.ask("chat", user).await["rule"].clone());
    }
    rules
}

const RIGHT: [&str; 5] = ["allow", "allow", "allow", "default", "default"];

#[tokio::test]
async fn the_last_good_state_has_the_whole_list() {
    let mut service = service().await;
    assert_eq!(rules(&service).await, RIGHT);
    service.stop().await;
    fs::rename(service.data.join("turnout.db"), service.data.join("away")).unwrap();
    service.restart().await;
    assert_eq!(rules(&service).await, RIGHT, "with the folder's list at hand");
    service.stop().await;
    fs::rename(&service.flags, service.data.join("flags")).unwrap();
    service.restart().await;
    assert_eq!(rules(&service).await, RIGHT, "with nothing else");
    service.stop().await;
    // One byte of the list, far behind the line that describes the content.
    let mut kept = fs::read(service.data.join("last-good")).unwrap();
    let last = kept.len() - 1000;
    kept[last] ^= 1;
    fs::write(service.data.join("last-good"), kept).unwrap();
    service.restart().await;
    assert_eq!(
        service.ask("chat", "one-more").await["rule"],
        "cold-start",
        "what is damaged is not served"
    );
}

#[tokio::test]
async fn a_list_that_differs_in_the_folder_is_read_from_the_database() {
    let mut service = service().await;
    service.stop().await;
    fs::remove_file(service.data.join("last-good")).unwrap();
    // A file that is refused: the recorded list stays in force.
    fs::write(service.flags.join("ids.txt"), "two words \n").unwrap();
    service.restart().await;
    assert_eq!(rules(&service).await, RIGHT);
}

#[tokio::test]
async fn a_damaged_list_in_the_database_is_reported_even_if_the_folder_has_a_good_one() {
    for damage in [
        "UPDATE texts SET bytes = zeroblob(length(bytes)) WHERE part = 3",
        "DELETE FROM texts WHERE part = 5",
        "UPDATE texts SET bytes = x'' WHERE part = 7",
    ] {
        let mut service = service().await;
        service.stop().await;
        fs::remove_file(service.data.join("last-good")).unwrap();
        let options = SqliteConnectOptions::new().filename(service.data.join("turnout.db"));
        let mut database = options.connect().await.unwrap();
        assert_eq!(
            sqlx::query(damage).execute(&mut database).await.unwrap().rows_affected(),
            1,
            "{damage}"
        );
        database.close().await.unwrap();
        service.restart().await;
        let problems: Json = service.admin("/v1/problems").await.json().await.unwrap();
        assert!(problems.to_string().contains("poison-row"), "{damage}: {problems}");
        // A missing list was recorded anew from the folder; a damaged one that is there stays
        // named.
        let verdict: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
        let named = verdict["faults"].to_string().contains("is not what its name says");
        assert_eq!(named, damage.starts_with("UPDATE"), "{damage}: {verdict}");
        assert_eq!(rules(&service).await, RIGHT, "{damage}");
    }
}

/// Each list is as long as before, and one id of it is another.
#[tokio::test(flavor = "multi_thread")]
async fn no_stop_waits_while_long_lists_are_compared() {
    const IDS: usize = 300_000;
    const LISTS: usize = 4;
    const STOPS: usize = 50;
    // A debug build compares them for two seconds.
    const LIVE: Duration = Duration::from_millis(700);
    let list = |saved: usize| -> String {
        let id = |n| format!("listed-{n:07}-{}\n", if n == IDS / 2 { saved } else { 0 });
        (0..IDS).map(id).collect()
    };
    let segment = |n| format!("version: 1\nsegment: s{n}\nusers_file: ids{n}.txt\n");
    let lists = (0..LISTS).map(|n| (format!("ids{n}.txt"), list(0)));
    let segments = (0..LISTS).map(|n| (format!("segments/s{n}.yaml"), segment(n)));
    let flags = (0..STOPS).map(|n| (format!("f{n}.yaml"), flag(&format!("f{n}"), "")));
    let files: Vec<_> = lists.chain(segments).chain(flags).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    let service = Service::start(&files).await;
    wait_until("the lists", async || service.data.join("last-good").exists()).await;
    let other = list(1);
    for n in 0..LISTS {
        Save::InPlace.save(&service.flags.join(format!("ids{n}.txt")), &other);
    }
    let mut slowest = Duration::ZERO;
    for n in 0..STOPS {
        let (path, begun) = (format!("/v1/flags/f{n}"), Instant::now());
        let stop = format!("{path}/stop");
        let stopped = service.order(&stop, json!({}));
        let is_live = async {
            loop {
                let flag: Json = service.admin(&path).await.json().await.unwrap();
                if flag["state"] == "stopped" {
                    return begun.elapsed();
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        let (stopped, live_after) = tokio::join!(stopped, is_live);
        assert!(stopped.status().is_success());
        slowest = slowest.max(live_after);
        sleep(Duration::from_millis(50)).await;
    }
    assert!(slowest < LIVE, "{slowest:?}");
}
