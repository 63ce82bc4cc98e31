//! Files are saved while another program holds the database: their content is live as soon as
//! possible, and nothing of it is lost.

use std::time::Duration;

use serde_json::Value as Json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use turnout::store::Store;

use crate::support::{Save, Service, flag, wait_until};

/// Another program in the middle of a change.
async fn hold(database: &std::path::Path) -> SqliteConnection {
    let mut other = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    other
}

async fn recorded(service: &Service) -> u64 {
    let status: Json = service.admin("/v1/status").await.json().await.unwrap();
    status["revision"].as_u64().unwrap_or_default()
}

fn chat(share: &str) -> String {
    flag("chat", &format!("rollout: {{ realtime-v2: {share} }}"))
}

/// Files that were served before they could be recorded are recorded once that is possible, without
/// another save.
#[tokio::test]
async fn the_first_files_are_recorded_when_the_database_can_be_written() {
    let home = TempDir::new().unwrap();
    std::fs::create_dir_all(home.path().join("flags")).unwrap();
    std::fs::write(home.path().join("flags/chat.yaml"), chat("100%")).unwrap();
    std::fs::create_dir_all(home.path().join("data")).unwrap();
    let database = home.path().join("data/turnout.db");
    Store::make_sqlite(&database, "test").await.unwrap();
    let other = hold(&database).await;
    let service = Service::start_in(home).await;
    assert_eq!(service.strategy("chat", "u-1").await, "realtime-v2", "it is served all the same");
    assert_eq!(recorded(&service).await, 0);
    other.close().await.unwrap();
    wait_until("the first revision", async || recorded(&service).await > 0).await;
    assert_eq!(service.strategy("chat", "u-1").await, "realtime-v2");
}

/// A save that lowers while one that raised is being committed: the last one counts, however the
/// two meet.
#[tokio::test]
async fn a_lowering_save_during_a_commit_is_not_lost() {
    let service = Service::start(&[("chat.yaml", &chat("10%"))]).await;
    for round in 0..8 {
        let mut other = hold(&service.data.join("turnout.db")).await;
        Save::Rename.save(&service.flags.join("chat.yaml"), &chat("50%"));
        // Long enough for the first save to be on its way in some of the rounds.
        tokio::time::sleep(Duration::from_millis(100 + 60 * round)).await;
        Save::Rename.save(&service.flags.join("chat.yaml"), &chat("5%"));
        tokio::time::sleep(Duration::from_millis(60 * round)).await;
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        wait_until("the last save to be live and recorded", async || {
            let status: Json = service.admin("/v1/status").await.json().await.unwrap();
            let live = service.state("chat").await["live"] == "realtime-v2 5%";
            live && status["pending"] == 0 && status["database"]["state"] == "up"
        })
        .await;
        // It stays so, with no further change to come.
        Save::Rename.save(
            &service.flags.join("other.yaml"),
            &flag("other", &format!("rollout: {{ realtime-v2: {round}% }}")),
        );
        wait_until("a later save", async || {
            service.state("other").await["live"]
                .as_str()
                .is_some_and(|live| live.contains(&round.to_string()))
        })
        .await;
        assert_eq!(service.state("chat").await["live"], "realtime-v2 5%", "round {round}");
        Save::Rename.save(&service.flags.join("chat.yaml"), &chat("10%"));
        wait_until("as at first", async || {
            service.state("chat").await["live"] == "realtime-v2 10%"
        })
        .await;
    }
}
