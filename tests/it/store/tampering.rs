//! `history --verify` names whatever was done to the database behind the service's back: any row,
//! in any table, altered, removed or added.

use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tempfile::TempDir;
use turnout::store::{ExpectedHistory, Store};

use super::written::SILENCE;
use crate::support::{Service, flag};

/// How often: 200 times, or as `TURNOUT_TAMPERINGS` says.
fn times() -> usize {
    std::env::var("TURNOUT_TAMPERINGS").ok().and_then(|times| times.parse().ok()).unwrap_or(200)
}

/// A closed database with some of everything in it, and what the node knew of it.
async fn with_a_past() -> (Service, ExpectedHistory) {
    let segment = "version: 1\nsegment: staff\nusers: [u-1]\nusers_file: ids.txt\n";
    let chat = flag(
        "chat",
        "rollout: { realtime-v2: 50% }\nallow:\n  - { segment: staff, strategy: realtime-v2 }",
    );
    let mut service = Service::start(&[
        ("chat.yaml", &chat),
        ("feed.yaml", &flag("feed", "rollout: { realtime-v2: 50% }")),
        ("broken.yaml", "version: 1\nflag: broken\n"),
        ("segments/staff.yaml", segment),
        ("ids.txt", &(0..20_000).map(|id| format!("user-{id}\n")).collect::<String>()),
    ])
    .await;
    for index in 0..24 {
        let (path, body) = match index % 6 {
            0 => (
                "/v1/flags/chat/set",
                json!({ "realtime-v2": format!("{index}%"), "reason": "more" }),
            ),
            1 => ("/v1/flags/chat/stop", json!({ "reason": "incident" })),
            2 => ("/v1/flags/chat/resume", json!({ "reason": "fixed" })),
            3 => ("/v1/flags/feed/set", json!({ "realtime-v2": format!("{}%", 50 - index) })),
            4 => ("/v1/flags/feed/rollback", json!({ "reason": "back" })),
            _ => ("/v1/flags/feed/unset", json!({ "reason": "as the file says" })),
        };
        let order = service.client.post(service.admin_url(path)).bearer_auth(service.token());
        let order = if index % 2 == 0 {
            order.header("Idempotency-Key", format!("key-{index}"))
        } else {
            order
        };
        let answer = order.body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text().await.unwrap());
    }
    // Credentials are subjects too: two are made, and one is revoked.
    for name in ["pager", "night"] {
        let (status, reply) =
            service.ordered("/v1/tokens", json!({ "name": name, "role": "stopper" })).await;
        assert_eq!(status, 201, "{reply}");
        if name == "pager" {
            let path = format!("/v1/tokens/{}/revoke", reply["id"].as_str().unwrap());
            assert_eq!(service.ordered(&path, json!({})).await.0, 200);
        }
    }
    let kept = service.app.coordinator().last_known();
    service.stop().await;
    (service, kept)
}

#[tokio::test]
async fn verify_names_random_tampering() {
    let (service, kept) = with_a_past().await;
    let home = TempDir::new().unwrap();
    let (original, copy) = (service.data.join("turnout.db"), home.path().join("turnout.db"));
    assert!(verify(&original, &kept).await.is_empty(), "nothing was done yet");
    let mut random = fastrand::Rng::with_seed(14);
    let mut passed_over = Vec::new();
    for index in 0..times() {
        let done = tamper(&original, &copy, &mut random).await;
        let faults = verify(&copy, &kept).await;
        if faults.is_empty() {
            passed_over.push(format!("{index}: {done}"));
        }
    }
    assert!(
        passed_over.is_empty(),
        "{} of {} are not named:\n{}",
        passed_over.len(),
        times(),
        passed_over.join("\n")
    );
}

/// Triggers change what is written, and views what is read.
#[tokio::test]
async fn verify_names_triggers_and_views() {
    let (service, kept) = with_a_past().await;
    let home = TempDir::new().unwrap();
    let (original, copy) = (service.data.join("turnout.db"), home.path().join("turnout.db"));
    for (done, named) in [
        ("CREATE TABLE extra (x)", None),
        (
            "CREATE TRIGGER t AFTER INSERT ON cursors BEGIN SELECT 1; END",
            Some("trigger t on cursors"),
        ),
        (
            "CREATE TRIGGER t BEFORE INSERT ON changes BEGIN SELECT RAISE(IGNORE); END",
            Some("trigger t on changes"),
        ),
        ("CREATE VIEW v AS SELECT * FROM subjects", Some("view v on v")),
        (
            "DROP TRIGGER named_texts_are_not_staged; CREATE TRIGGER named_texts_are_not_staged AFTER INSERT ON changes \
             BEGIN DELETE FROM changes; END",
            Some("trigger named_texts_are_not_staged on changes"),
        ),
    ] {
        std::fs::copy(&original, &copy).unwrap();
        let mut database = SqliteConnectOptions::new().filename(&copy).connect().await.unwrap();
        sqlx::raw_sql(done).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
        let faults = verify(&copy, &kept).await;
        assert_eq!(faults.len(), usize::from(named.is_some()), "{done}: {faults:?}");
        assert!(named.is_none_or(|named| faults[0].contains(named)), "{done}: {faults:?}");
        for beside in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{beside}", copy.display()));
        }
    }
}

async fn verify(database: &Path, kept: &ExpectedHistory) -> Vec<String> {
    let store = Store::open_sqlite(database).await.unwrap();
    let verdict = store.verify(kept, SILENCE).await.unwrap();
    // Waits until all is closed: the next copy is of the same name.
    store.release().await;
    verdict.faults
}

/// Changes one row of a copy, until it really is another database, and returns a description.
async fn tamper(original: &Path, copy: &PathBuf, random: &mut fastrand::Rng) -> String {
    loop {
        for beside in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{beside}", copy.display()));
        }
        std::fs::copy(original, copy).unwrap();
        let mut database = SqliteConnectOptions::new().filename(copy).connect().await.unwrap();
        let (table, statement) = statement(&mut database, random).await;
        let before = contents(&mut database, table).await;
        let done = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut database).await;
        let after = contents(&mut database, table).await;
        database.close().await.unwrap();
        if done.is_ok() && before != after {
            return statement;
        }
    }
}

async fn statement(
    database: &mut SqliteConnection,
    random: &mut fastrand::Rng,
) -> (&'static str, String) {
    let table = *random
        .choice(&[
            "revisions",
            "changes",
            "subjects",
            "texts",
            "staged_texts",
            "idempotency",
            "head",
            "cursors",
        ])
        .unwrap();
    if table == "staged_texts" {
        // A blob of the history that is marked as staged, or a mark of a blob that does not exist.
        let ids = [
            "(SELECT id FROM texts ORDER BY random() LIMIT 1)",
            "lower(hex(randomblob(32)))",
            "'x'",
        ];
        return (
            table,
            format!("INSERT INTO staged_texts VALUES ({})", random.choice(ids).unwrap()),
        );
    }
    let rows = sqlx::query(AssertSqlSafe(format!("SELECT rowid FROM {table}")))
        .fetch_all(&mut *database)
        .await
        .unwrap();
    let Some(row) = random.choice(&rows).map(|row: &SqliteRow| row.get::<i64, _>(0)) else {
        return (
            table,
            format!("INSERT INTO {table} VALUES ('webhook', {})", 1000 + random.u32(..)),
        );
    };
    let columns = sqlx::query(AssertSqlSafe(format!("PRAGMA table_info({table})")))
        .fetch_all(database)
        .await
        .unwrap();
    let column = random.choice(&columns).unwrap();
    let (name, kind): (String, String) = (column.get("name"), column.get("type"));
    let number = random.i32(-3..100);
    let statement = match (random.u8(..4), table) {
        (0, _) => format!("DELETE FROM {table} WHERE rowid = {row}"),
        (1, "revisions") => format!(
            "INSERT INTO revisions SELECT (SELECT max(revision) FROM revisions) + {number}, \
             committed_at_ms, effective_at_ms, actor, origin, reason, NULL, hash, actor_id FROM revisions WHERE rowid = {row}"
        ),
        (1, "changes") => format!(
            "INSERT INTO changes SELECT revision + {}, place + {number}, kind, subject, action, back_to, record_before, \
             record_after FROM changes WHERE rowid = {row}",
            random.i32(-1..40)
        ),
        (1, "subjects") => {
            format!(
                "INSERT INTO subjects SELECT kind, subject || 'x', changed_at, record FROM subjects WHERE rowid = {row}"
            )
        }
        (1, "texts") => {
            let text = format!("text {number}");
            let digest: String =
                Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("INSERT INTO texts VALUES ('{digest}', 0, CAST('{text}' AS BLOB))")
        }
        (1, "idempotency") => {
            format!(
                "INSERT INTO idempotency SELECT idempotency_key || '-', request, revision FROM idempotency WHERE rowid = {row}"
            )
        }
        _ => {
            let value = match (&*kind, random.u8(..4)) {
                ("INTEGER", _) => format!("{name} + {number}"),
                (_, 0) => "NULL".to_owned(),
                ("BLOB", _) => format!("substr({name}, 1, {})", number.max(0)),
                (_, 1) => format!("coalesce({name}, '') || 'x'"),
                (_, 2) => format!(
                    "replace({name}, '{}', 'b')",
                    random.choice(["a", "1", "0", "e"]).unwrap()
                ),
                _ => format!(
                    "(SELECT {name} FROM {table} ORDER BY rowid LIMIT 1 OFFSET {})",
                    number.max(0) % 20
                ),
            };
            format!("UPDATE {table} SET {name} = {value} WHERE rowid = {row}")
        }
    };
    (table, statement)
}

/// All rows of a table as text.
async fn contents(database: &mut SqliteConnection, table: &str) -> Vec<String> {
    let columns = sqlx::query(AssertSqlSafe(format!("PRAGMA table_info({table})")))
        .fetch_all(&mut *database)
        .await
        .unwrap();
    let quoted = columns
        .iter()
        .map(|column| format!("quote({})", column.get::<String, _>("name")))
        .collect::<Vec<_>>();
    let query = format!("SELECT {} FROM {table} ORDER BY rowid", quoted.join(" || ',' || "));
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(database).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
