//! Kept events are bounded: a stream, a flag and all together. What is over gets 507, and nothing
//! else notices.

use std::fs;

use reqwest::Method;
use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;
use turnout::config::Config;

use super::Answer;
use super::apart::control_works;
use crate::support::{Service, config, flag, wait_until};

const MIB: u64 = 1024 * 1024;

/// A service with the flags `a` and `b` that keeps 8 MiB of events: 4 MiB a flag, 512 KiB a stream.
async fn small() -> Service {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("flags")).unwrap();
    for key in ["a", "b"] {
        fs::write(home.path().join(format!("flags/{key}.yaml")), flag(key, "")).unwrap();
    }
    let settings = Config { events_max_bytes: 8 * MIB, ..config(home.path()) };
    Service::start_as(home, settings).await
}

/// Publishes 7 events of 32 KiB, named by a number.
async fn publish(service: &Service, path: &str, number: u32) -> (u16, Json) {
    let event = |n| json!({ "id": format!("e-{number}-{n}"), "type": "t", "data": "x".repeat(32 * 1024 - 2) });
    let events: Vec<Json> = (0..7).map(event).collect();
    service.ordered(path, json!({ "readers": ["u-1"], "events": events })).await
}

/// Fills streams of a flag until one that has nothing yet is refused; how many took something.
async fn fill(service: &Service, flag: &str) -> (u32, Json) {
    for stream in 0.. {
        let path = format!("/v1/feeds/{flag}/b-{stream}");
        for number in 0.. {
            let (status, answer) = publish(service, &path, number).await;
            if status == 507 {
                assert_eq!(answer["code"], "events-full");
                if number == 0 {
                    return (stream, answer);
                }
                break;
            }
            assert_eq!((status, &answer["accepted"]), (200, &json!(7)), "{answer}");
        }
    }
    unreachable!()
}

async fn polled(service: &Service, path: &str) -> Answer {
    Answer::of(service.admin(path).await).await
}

#[tokio::test]
async fn what_is_over_a_bound_is_refused_and_nothing_else_notices() {
    let service = small().await;
    let (streams, refused) = fill(&service, "a").await;
    assert!(refused["detail"].as_str().unwrap().contains("one flag"), "{refused}");
    // 14 events of 32 KiB in a stream of 512 KiB, and 9 such streams in a flag of 4 MiB.
    assert_eq!(streams, 9);
    let (others, refused) = fill(&service, "b").await;
    assert_eq!(others, streams, "one flag takes nothing from another");
    for path in ["/v1/feeds/a/b-0", "/v1/feeds/b/b-3"] {
        let page = polled(&service, &format!("{path}?limit=1000")).await;
        assert_eq!(page.status, 200, "polls go on: {refused}");
        let (again, answer) = publish(&service, path, 0).await;
        assert_eq!((again, &answer["duplicates"]), (200, &json!(7)), "what is kept needs no room");
        let less = service.ordered(path, json!({ "readers": [] })).await;
        assert_eq!(less.0, 200, "a reader is taken out of a full stream: {}", less.1);
    }
    wait_until("who fills it is a problem", async || {
        let problems = polled(&service, "/v1/problems").await.body["problems"].clone();
        problems.as_array().unwrap().iter().any(|found| found["code"] == "events-full")
    })
    .await;
    control_works(&service).await;
    let gone = service.call(Method::DELETE, "/v1/feeds/a/b-0", Some(&service.token())).await;
    assert_eq!(gone.status(), 200);
    wait_until("there is room again", async || {
        publish(&service, "/v1/feeds/a/new", 1).await.0 == 200
    })
    .await;
}

/// Lets the database of events answer as on a full disk: with a table whose numbers are used up.
pub async fn fill_disk(service: &Service) {
    run(service, FILL).await;
}

pub async fn make_room(service: &Service) {
    run(service, MAKE_ROOM).await;
}

/// Runs statements on the database of events, beside the service.
async fn run(service: &Service, statements: &'static str) {
    let options = SqliteConnectOptions::new().filename(service.data.join("events.db"));
    let mut other: SqliteConnection = options.connect().await.unwrap();
    sqlx::raw_sql(statements).execute(&mut other).await.unwrap();
}

const FILL: &str = "CREATE TABLE full (n INTEGER PRIMARY KEY AUTOINCREMENT); \
    INSERT INTO full VALUES (9223372036854775807); \
    CREATE TRIGGER no_event BEFORE INSERT ON events BEGIN INSERT INTO full VALUES (NULL); END; \
    CREATE TRIGGER no_removal BEFORE INSERT ON doomed BEGIN INSERT INTO full VALUES (NULL); END";
const MAKE_ROOM: &str = "DROP TRIGGER no_event; DROP TRIGGER no_removal; DROP TABLE full";

#[tokio::test]
async fn on_a_full_disk_a_publish_and_a_removal_are_refused_alike() {
    let service = small().await;
    let (stream, admin) = ("/v1/feeds/a/b-1", service.token());
    assert_eq!(publish(&service, stream, 1).await.0, 200);
    fill_disk(&service).await;
    let (status, refused) = publish(&service, stream, 2).await;
    assert_eq!((status, &refused["code"]), (507, &json!("events-full")), "{refused}");
    let answer = Answer::of(service.call(Method::DELETE, stream, Some(&admin)).await).await;
    assert_eq!((answer.status, answer.code()), (507, "events-full"), "{answer:?}");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("nothing was removed"), "{detail}");
    assert_eq!(polled(&service, stream).await.body["events"].as_array().unwrap().len(), 7);
    make_room(&service).await;
    let gone = service.call(Method::DELETE, stream, Some(&admin)).await;
    assert_eq!(gone.status(), 200);
}
