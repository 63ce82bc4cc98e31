//! No row that is altered, missing or renamed lifts a stop or opens a flag: what the history and
//! the last good state say counts.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::support::{Service, flag};

const OPEN: &str = "rollout: { realtime-v2: 100% }";

async fn sql(service: &Service, statements: &str) {
    let options = SqliteConnectOptions::new().filename(service.data.join("turnout.db"));
    let mut database = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

async fn problems(service: &Service) -> String {
    service.admin("/v1/problems").await.json::<Json>().await.unwrap().to_string()
}

/// `chat` is stopped and `feed` is held at 0 %; all others are as their files say.
async fn stopped() -> Service {
    let service = Service::start(&[
        ("chat.yaml", &flag("chat", OPEN)),
        ("feed.yaml", &flag("feed", OPEN)),
        ("other.yaml", &flag("other", OPEN)),
    ])
    .await;
    assert_eq!(service.ordered("/v1/flags/feed/set", json!({ "realtime-v2": "0%" })).await.0, 200);
    assert_eq!(
        service.ordered("/v1/flags/chat/stop", json!({ "reason": "incident" })).await.0,
        200
    );
    service
}

const NO_STOP: &str = "json_remove(record, '$.stop')";

/// Both files: whether the one before the newest was written depends on how busy the machine is.
fn remove_last_good(service: &Service) {
    fs::remove_file(service.data.join("last-good")).unwrap();
    let _ = fs::remove_file(service.data.join("last-good.1"));
}

/// Whatever one table says, with the last good state and without.
#[tokio::test]
async fn no_altered_row_lifts_a_stop() {
    let both = format!(
        "UPDATE subjects SET record = {NO_STOP} WHERE subject = 'chat'; \
         UPDATE changes SET record_after = json_remove(record_after, '$.stop') WHERE subject = 'chat'"
    );
    let without = format!("UPDATE subjects SET record = {NO_STOP} WHERE subject = 'chat'");
    for done in [
        "UPDATE subjects SET kind = 'flbg' WHERE subject = 'chat'",
        "UPDATE subjects SET subject = 'C h' WHERE subject = 'chat'",
        "UPDATE subjects SET subject = 'chat2' WHERE subject = 'chat'",
        "DELETE FROM subjects WHERE subject = 'chat'",
        "DELETE FROM subjects",
        &without,
        "UPDATE subjects SET record = '{' WHERE subject = 'chat'",
        "UPDATE subjects SET record = (SELECT record_after FROM changes WHERE subject = 'chat' ORDER BY revision LIMIT 1) WHERE subject = 'chat'",
        "UPDATE changes SET record_after = json_remove(record_after, '$.stop') WHERE subject = 'chat'",
        "UPDATE changes SET subject = 'chat2' WHERE subject = 'chat'",
        "DELETE FROM changes WHERE subject = 'chat'",
        "DELETE FROM changes WHERE subject = 'chat' AND action = 'stop'",
        "DELETE FROM changes",
        &both,
        "DELETE FROM subjects WHERE subject = 'chat'; DELETE FROM changes WHERE subject = 'chat'",
    ] {
        for with_last_good in [true, false] {
            let last_good_alone = done == both || done.contains("; DELETE");
            if last_good_alone && !with_last_good {
                continue; // Nothing is left that knows of the stop.
            }
            let mut service = stopped().await;
            service.stop().await;
            if !with_last_good {
                remove_last_good(&service);
            }
            sql(&service, done).await;
            service.restart().await;
            let state = service.state("chat").await;
            assert_eq!(state["state"], "stopped", "{done}, last good: {with_last_good}: {state}");
            assert_eq!(service.strategy("chat", "u-1").await, "polling", "{done}");
            assert_eq!(service.strategy("feed", "u-1").await, "polling", "{done}");
            // Where a change of the newest revision is gone, the database is not the state of one
            // moment: it is held, and without the last good state every flag is in doubt.
            let is_held = done.contains("DELETE FROM changes");
            // So is every flag whose newest revision does not match its hash: which of its changes
            // were altered is unknown.
            let is_unproven = done.contains("SET subject = 'chat2' WHERE subject = 'chat'")
                && done.contains("changes");
            let other =
                if (is_held || is_unproven) && !with_last_good { "polling" } else { "realtime-v2" };
            assert_eq!(service.strategy("other", "u-1").await, other, "{done}");
            let problem = if is_held { "\"database\"" } else { "poison-row" };
            assert!(
                problems(&service).await.contains(problem),
                "{done}, last good: {with_last_good}"
            );
        }
    }
}

/// A credential, too, is what the history says it is: no row revives one or raises its role.
#[tokio::test]
async fn no_altered_row_revives_a_credential_or_raises_its_role() {
    for done in [
        "UPDATE subjects SET record = json_set(record, '$.revokedAtMs', NULL) WHERE kind = 'credential'",
        "UPDATE subjects SET record = json_set(record, '$.role', 'admin') WHERE kind = 'credential'",
        "UPDATE changes SET record_after = json_set(record_after, '$.revokedAtMs', NULL) WHERE kind = 'credential'",
        "UPDATE changes SET record_after = json_set(record_after, '$.role', 'admin') WHERE kind = 'credential'",
        "DELETE FROM subjects WHERE kind = 'credential'",
        "DELETE FROM changes WHERE kind = 'credential' AND action = 'revoke'",
    ] {
        let mut service = stopped().await;
        let (_, dead) =
            service.ordered("/v1/tokens", json!({ "name": "dead", "role": "operator" })).await;
        let (_, living) =
            service.ordered("/v1/tokens", json!({ "name": "living", "role": "viewer" })).await;
        let path = format!("/v1/tokens/{}/revoke", dead["id"].as_str().unwrap());
        assert_eq!(service.ordered(&path, json!({})).await.0, 200);
        service.stop().await;
        remove_last_good(&service);
        sql(&service, done).await;
        service.restart().await;
        let ask = async |token: &Json, path: &str| {
            let order = service
                .client
                .post(service.admin_url(path))
                .bearer_auth(token["secret"].as_str().unwrap());
            order.body("{}").send().await.unwrap().status().as_u16()
        };
        assert_eq!(ask(&dead, "/v1/flags/other/stop").await, 401, "{done}");
        assert_ne!(ask(&living, "/v1/flags/other/stop").await, 200, "{done}");
        let is_held = done.contains("DELETE FROM changes");
        let state = if is_held { "stopped" } else { "rollout" };
        assert_eq!(service.state("other").await["state"], state, "{done}");
    }
}

/// The next change writes a good row, and then the problem is over.
#[tokio::test]
async fn the_next_change_writes_a_good_row() {
    let mut service = stopped().await;
    service.stop().await;
    sql(&service, "DELETE FROM subjects WHERE subject = 'chat'").await;
    service.restart().await;
    assert!(problems(&service).await.contains("flag chat"));
    let verdict: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
    assert_eq!(verdict["sound"], false, "{verdict}");
    assert_eq!(service.ordered("/v1/flags/chat/resume", json!({ "reason": "fixed" })).await.0, 200);
    assert!(!problems(&service).await.contains("poison-row"));
    let verdict: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
    assert_eq!(verdict["sound"], true, "{verdict}");
}

/// Comparing each row with its history is one query: ten thousand flags do not slow a start down.
#[tokio::test]
async fn a_start_with_ten_thousand_flags_is_quick() {
    let mut service = stopped().await;
    service.stop().await;
    let many = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)";
    sql(
        &service,
        &format!(
            "INSERT INTO subjects {many} SELECT kind, 'other-' || i, changed_at, record FROM subjects, n WHERE subject = 'other'; \
             INSERT INTO changes {many} SELECT revision, place + 10 + i, kind, 'other-' || i, action, back_to, record_before, \
             record_after FROM changes, n WHERE subject = 'other'"
        ),
    )
    .await;
    let store = turnout::store::Store::open_sqlite(&service.data.join("turnout.db")).await.unwrap();
    let began = Instant::now();
    let loaded = store.load(&Default::default()).await.unwrap();
    assert_eq!((loaded.subjects.len(), loaded.poison.len()), (10_003, 0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
