//! The history shows every change page by page, and names a row that was edited behind the
//! service's back.

use std::path::Path;
use std::time::Instant;

use crate::support::{Service, flag, wait_until};
use serde_json::{Value as Json, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use turnout::ledger::{ChangeSource, Head, Revision};

async fn page(service: &Service, query: &str) -> (Vec<u64>, bool) {
    let response = service.admin(&format!("/v1/history{query}")).await;
    assert_eq!(response.status(), 200, "{query}");
    let reply: Json = response.json().await.unwrap();
    let numbers = reply["revisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|revision| revision["revision"].as_u64().unwrap());
    (numbers.collect(), reply["more"].as_bool().unwrap())
}

async fn with_a_past() -> Service {
    let service = Service::start(&[
        ("chat.yaml", &flag("chat", "rollout: { realtime-v2: 50% }")),
        ("feed.yaml", &flag("feed", "rollout: { realtime-v2: 50% }")),
    ])
    .await;
    for (number, share) in (2..=9).zip(["40%", "35%", "30%", "25%", "20%", "15%", "10%", "5%"]) {
        let key = if number % 2 == 0 { "chat" } else { "feed" };
        let body = json!({ "realtime-v2": share, "reason": format!("step {number}") });
        assert_eq!(service.ordered(&format!("/v1/flags/{key}/set"), body).await.0, 200);
    }
    service
}

#[tokio::test]
async fn the_history_comes_in_pages() {
    let service = with_a_past().await;
    let all: Vec<u64> = (1..=9).rev().collect();
    for (query, numbers, more) in [
        ("", &all[..], false),
        ("?limit=9", &all, false),
        ("?limit=8", &all[..8], true),
        ("?limit=3", &[9, 8, 7], true),
        ("?limit=3&before=7", &[6, 5, 4], true),
        ("?limit=3&before=4", &[3, 2, 1], false),
        ("?before=1", &[], false),
        ("?after=7", &[9, 8], false),
        ("?after=7&limit=1", &[9], true),
        ("?after=3&before=7", &[6, 5, 4], false),
        ("?after=3&before=7&limit=2", &[6, 5], true),
        ("?after=9", &[], false),
        ("?flag=chat", &[8, 6, 4, 2, 1], false),
        ("?flag=feed&limit=2", &[9, 7], true),
        ("?flag=feed&limit=2&before=5", &[3, 1], false),
        ("?flag=unknown", &[], false),
        ("?before=18446744073709551615", &all, false),
        ("?after=18446744073709551615", &[], false),
    ] {
        assert_eq!(page(&service, query).await, (numbers.to_vec(), more), "{query}");
    }
    for query in [
        "?limit=0",
        "?limit=201",
        "?limit=-1",
        "?limit=ten",
        "?limit=1&limit=2",
        "?flag=NOT-A-KEY",
        "?flag=",
        "?before=1.5",
        "?after=18446744073709551616",
        "?user=u-1",
    ] {
        let response = service.admin(&format!("/v1/history{query}")).await;
        assert_eq!(response.status(), 400, "{query}");
        assert_eq!(response.json::<Json>().await.unwrap()["code"], "invalid-request", "{query}");
    }
    let reply: Json = service.admin("/v1/history?limit=1").await.json().await.unwrap();
    let newest = &reply["revisions"][0];
    let change = &newest["changes"][0];
    assert_eq!(
        (&newest["actor"], &newest["reason"], &newest["origin"]),
        (&json!("local-admin"), &json!("step 9"), &json!("api"))
    );
    assert_eq!(
        (&change["key"], &change["was"], &change["is"]),
        (&json!("feed"), &json!("realtime-v2 15%"), &json!("realtime-v2 5%"))
    );
}

#[tokio::test]
async fn verify_names_an_edited_row() {
    let service = with_a_past().await;
    let options = SqliteConnectOptions::new().filename(service.data.join("turnout.db"));
    let verdict = async || service.admin("/v1/history/verify").await.json::<Json>().await.unwrap();
    let sound = verdict().await;
    assert_eq!(
        (&sound["sound"], &sound["revisions"], &sound["faults"]),
        (&json!(true), &json!(9), &json!([]))
    );
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    for (edit, undo, named) in [
        (
            "UPDATE revisions SET actor = 'another' WHERE revision = 4",
            "UPDATE revisions SET actor = 'local-admin' WHERE revision = 4",
            "revision 4",
        ),
        (
            "UPDATE revisions SET reason = NULL WHERE revision = 7",
            "UPDATE revisions SET reason = 'step 7' WHERE revision = 7",
            "revision 7",
        ),
        (
            "UPDATE revisions SET effective_at_ms = effective_at_ms - 1 WHERE revision = 5",
            "UPDATE revisions SET effective_at_ms = effective_at_ms + 1 WHERE revision = 5",
            "revision 5",
        ),
        (
            "UPDATE changes SET action = 'unset' WHERE revision = 6",
            "UPDATE changes SET action = 'set' WHERE revision = 6",
            "revision 6",
        ),
        (
            "UPDATE changes SET record_after = replace(record_after, '5%', '6%') WHERE revision = 3",
            "UPDATE changes SET record_after = replace(record_after, '6%', '5%') WHERE revision = 3",
            "revision 3",
        ),
        (
            "UPDATE revisions SET origin = 'nowhere' WHERE revision = 2",
            "UPDATE revisions SET origin = 'api' WHERE revision = 2",
            "revision 2",
        ),
        (
            "UPDATE subjects SET record = '{\"definition\":null}' WHERE subject = 'feed'",
            "UPDATE subjects SET record = (SELECT record_after FROM changes WHERE subject = 'feed' AND revision = 9) WHERE subject = 'feed'",
            "flag feed",
        ),
    ] {
        sqlx::query(edit).execute(&mut database).await.unwrap();
        let reply = verdict().await;
        assert_eq!(reply["sound"], false, "{edit}");
        let faults = reply["faults"].as_array().unwrap();
        assert!(
            faults.iter().any(|fault| fault.as_str().unwrap().contains(named)),
            "{edit}: {faults:?}"
        );
        sqlx::query(undo).execute(&mut database).await.unwrap();
        assert_eq!(verdict().await["sound"], true, "{undo}");
    }
    // The live state is not affected.
    assert_eq!(service.state("feed").await["live"], "realtime-v2 5%");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_verification_delays_no_other_call() {
    let mut service =
        Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 50% }"))]).await;
    service.stop().await;
    lengthen(&service.data.join("turnout.db"), 40_000).await;
    service.restart().await;
    let began = Instant::now();
    let verify = async {
        let verdict: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
        assert_eq!(
            (&verdict["sound"], &verdict["revisions"]),
            (&true.into(), &40_001.into()),
            "{verdict}"
        );
        began.elapsed()
    };
    let look = async {
        wait_until("the verification to begin", async || {
            service.app.readings().verifications() == 1
        })
        .await;
        assert_eq!(service.admin("/v1/history?limit=1").await.status(), 200);
        began.elapsed()
    };
    let (verified, looked) = tokio::join!(verify, look);
    assert!(looked < verified, "a look took {looked:?} while all was verified in {verified:?}");
}

/// Adds revisions that change nothing, each correctly chained to the one before.
async fn lengthen(database: &Path, count: u64) {
    let mut database = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    let mut adding = database.begin().await.unwrap();
    let (hash, at): (String, i64) = sqlx::query_as("SELECT hash, committed_at_ms FROM head")
        .fetch_one(&mut *adding)
        .await
        .unwrap();
    let mut head = Head { revision: 1, hash: hash.parse().unwrap(), committed_at_ms: at };
    for number in 2..=count + 1 {
        let (actor, origin) = ("test".into(), ChangeSource::Api);
        let (committed_at_ms, effective_at_ms) = (at, at);
        let (reason, idempotency_key, changes) = (None, None, Vec::new());
        let revision = Revision {
            revision: number,
            committed_at_ms,
            effective_at_ms,
            actor,
            origin,
            reason,
            idempotency_key,
            changes,
        };
        head = revision.head(&head, None);
        sqlx::query(
            "INSERT INTO revisions VALUES ($1, $2, $2, 'test', 'api', NULL, NULL, $3, NULL)",
        )
        .bind(number as i64)
        .bind(at)
        .bind(head.hash.to_string())
        .execute(&mut *adding)
        .await
        .unwrap();
    }
    sqlx::query("UPDATE head SET revision = $1, hash = $2")
        .bind(head.revision as i64)
        .bind(head.hash.to_string())
        .execute(&mut *adding)
        .await
        .unwrap();
    adding.commit().await.unwrap();
}
