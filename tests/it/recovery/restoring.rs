//! Restored backups: the steps of OPERATIONS, and what happens if some are left out.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::left::copy;
use crate::support::{Service, flag};

async fn service() -> Service {
    let files: Vec<(String, String)> = (0..40)
        .map(|n| (format!("f{n}.yaml"), flag(&format!("f{n}"), "rollout: { realtime-v2: 100% }")))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    Service::start(&files).await
}

/// As OPERATIONS says: while the server runs, into one file.
async fn back_up(service: &Service, to: &Path) {
    let mut database =
        SqliteConnectOptions::new().filename(service.database()).connect().await.unwrap();
    let into = AssertSqlSafe(format!("VACUUM INTO '{}'", to.display()));
    sqlx::query(into).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

async fn change(service: &Service, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let (key, share) = (number % 40, number % 90);
        let body = json!({ "realtime-v2": format!("{share}%"), "reason": "r" });
        assert_eq!(service.order(&format!("/v1/flags/f{key}/set"), body).await.status(), 200);
    }
}

/// Page by page as they are, so that a later `-wal` fits most of them.
async fn copy_pages(service: &Service, to: &Path) {
    let mut database =
        SqliteConnectOptions::new().filename(service.database()).connect().await.unwrap();
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut database).await.unwrap();
    fs::copy(service.database(), to).unwrap();
    database.close().await.unwrap();
}

async fn stops(service: &Service) -> usize {
    let status: Json = service.admin("/v1/status").await.json().await.unwrap();
    let flags = status["flags"].as_array().unwrap();
    flags.iter().filter(|flag| flag["live"].as_str().unwrap().starts_with("STOPPED")).count()
}

#[tokio::test]
async fn a_backup_is_restored_by_the_steps() {
    let mut service = service().await;
    change(&service, 0..50).await;
    let backup = service.data.with_extension("backup");
    back_up(&service, &backup).await;
    assert_eq!(service.order("/v1/flags/f1/stop", json!({})).await.status(), 200);
    change(&service, 50..60).await;
    service.saves_last_good().await;
    service.crash().await;
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(service.data.join(format!("turnout.db{ending}")));
    }
    fs::copy(&backup, service.database()).unwrap();
    service.restart().await;
    assert_eq!(service.database_state().await, "held");
    assert_eq!(stops(&service).await, 1);
    let restored = fs::read(service.database()).unwrap();
    assert!(
        restored == fs::read(&backup).unwrap(),
        "nothing is written to it before it is accepted"
    );
    service.stop().await;
    service.accept_database().await;
    assert_eq!(service.database_state().await, "up");
    assert_eq!(stops(&service).await, 1, "the stop of after the backup stays");
    let verdict: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
    assert_eq!(verdict["sound"], true, "{verdict}");
}

/// All files of one moment together are the state of that moment, whatever happened later.
#[tokio::test]
async fn a_copy_of_the_whole_folder_is_one_state() {
    let mut service = service().await;
    change(&service, 0..5).await;
    service.stop().await;
    let kept = service.data.with_extension("kept");
    copy(&service.data, &kept);
    service.restart().await;
    change(&service, 5..10).await;
    service.stop().await;
    fs::remove_dir_all(&service.data).unwrap();
    copy(&kept, &service.data);
    service.restart().await;
    assert_eq!(service.database_state().await, "up");
    assert_eq!(service.revision(), 6);
}

/// A later `-wal` that was left beside a backup is replayed over it by SQLite. The result is either
/// the newest state itself, or it is not trusted: it never opens a stopped flag.
#[tokio::test]
async fn a_backup_restored_beside_a_later_wal_is_not_served_as_healthy() {
    let mut held = 0;
    for (before, after, page_by_page) in [
        (10, 300, false),
        (200, 40, false),
        (10, 60, true),
        (10, 300, true),
        (200, 900, true),
        (10, 1500, true),
    ] {
        let mut service = service().await;
        change(&service, 0..before).await;
        let backup = service.data.with_extension("backup");
        if page_by_page {
            copy_pages(&service, &backup).await;
        } else {
            back_up(&service, &backup).await;
        }
        // Checkpoints happen in between: the `-wal` begins after some of what the backup lacks.
        for key in 0..20 {
            assert_eq!(
                service.order(&format!("/v1/flags/f{key}/stop"), json!({})).await.status(),
                200
            );
        }
        let widening = |number: usize| 20 + number % 20;
        for number in 0..after {
            let body =
                json!({ "realtime-v2": format!("{}%", number % 90), "reason": "r".repeat(300) });
            let path = format!("/v1/flags/f{}/set", widening(number));
            assert_eq!(service.order(&path, body).await.status(), 200);
        }
        service.saves_last_good().await;
        // As a kill would leave it: within this process the file goes with its connections.
        let wal = fs::read(service.data.join("turnout.db-wal")).unwrap();
        service.crash().await;
        fs::copy(&backup, service.database()).unwrap();
        fs::write(service.data.join("turnout.db-wal"), wal).unwrap();
        service.restart().await;
        assert_eq!(stops(&service).await, 20, "{before}, {after}: no stop is lifted");
        let state = service.database_state().await;
        if state == "up" {
            let verdict: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
            assert_eq!(verdict["sound"], true, "{before}, {after}: {verdict}");
        }
        held += usize::from(state == "held");
        service.app.stop().await;
    }
    assert!(held > 0, "at least one of them was a mix of two moments");
}
