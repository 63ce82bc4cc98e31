//! "Saved" is reported only of files that are still at their paths, and only one server uses a data
//! folder, whatever is deleted in it.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use turnout::data_dir::DataDir;

use crate::support::{Service, flag, wait_until};

async fn one_flag() -> Service {
    Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 100% }"))]).await
}

async fn database(service: &Service) -> Json {
    service.admin("/v1/status").await.json::<Json>().await.unwrap()["database"].clone()
}

async fn live(service: &Service) -> Json {
    service.admin("/v1/flags/chat").await.json::<Json>().await.unwrap()["live"].clone()
}

#[tokio::test]
async fn a_deleted_lock_lets_no_second_server_in() {
    let service = one_flag().await;
    let is_refused = || {
        DataDir::open(&service.data).unwrap_err().to_string().contains("another turnout is using")
    };
    assert!(is_refused());
    fs::remove_file(service.data.join("lock")).unwrap();
    assert!(is_refused(), "the folder itself is locked");
    // Builds that check only the file find it locked again.
    let locked = |path: &Path| fs::File::open(path).is_ok_and(|file| file.try_lock().is_err());
    wait_until("the file `lock` to be held again", async || locked(&service.data.join("lock")))
        .await;
}

/// Whichever file of the database is deleted while the server runs, a change that was reported as
/// saved is there after a crash.
#[tokio::test]
async fn a_commit_after_a_wal_or_shm_file_was_deleted_is_not_lost() {
    for name in ["turnout.db-wal", "turnout.db-shm"] {
        let mut service = one_flag().await;
        assert_eq!(
            service.order("/v1/flags/chat/set", json!({ "realtime-v2": "80%" })).await.status(),
            200
        );
        fs::remove_file(service.data.join(name)).unwrap();
        let stop = service.order("/v1/flags/chat/stop", json!({})).await;
        let reply: Json = stop.json().await.unwrap();
        assert_eq!(reply["survivesRestart"], true, "{name}: {reply}");
        wait_until("the database to be up again", async || {
            database(&service).await["state"] == "up"
                && service.app.coordinator().state().pending().is_empty()
        })
        .await;
        service.crash().await;
        service.restart().await;
        assert_eq!(live(&service).await, "STOPPED -> polling", "{name}");
        let sound: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
        assert_eq!(
            (&sound["sound"], &sound["revisions"]),
            (&true.into(), &3.into()),
            "{name}: {sound}"
        );
        let resumed = service.order("/v1/flags/chat/resume", json!({ "reason": "test" })).await;
        assert_eq!(
            resumed.json::<Json>().await.unwrap()["flag"]["live"],
            "realtime-v2 80%",
            "{name}"
        );
    }
}

/// A deleted or replaced folder is noticed; the folder at the path is locked, and the live state is
/// kept in it.
#[tokio::test]
async fn a_replaced_data_folder_is_locked_and_written_to() {
    let service = one_flag().await;
    fs::rename(&service.data, service.data.with_extension("moved")).unwrap();
    wait_until("what is live to be kept in a new folder", async || {
        service.data.join("last-good").exists()
    })
    .await;
    assert!(
        DataDir::open(&service.data).unwrap_err().to_string().contains("another turnout is using")
    );
    let problems = service.app.coordinator().problems().troubles();
    assert!(problems.iter().any(|problem| problem.kind.as_str() == "data-folder"), "{problems:?}");
    // Another server may use the moved folder now: it was released.
    assert!(DataDir::open(&service.data.with_extension("moved")).is_ok());
}

/// What happens to a file under a running server.
type Hurt = fn(&Path);

/// A change that is reported to survive a restart is written to the file at the journal's path,
/// whatever happened to the file that was opened.
#[tokio::test]
async fn a_stop_goes_into_the_journal_that_a_start_finds() {
    let ways: [(&str, Hurt); 3] = [
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("emptied", |path| fs::write(path, "").unwrap()),
        ("replaced by a copy", |path| {
            let copy = path.with_extension("copy");
            fs::copy(path, &copy).unwrap();
            fs::rename(copy, path).unwrap();
        }),
    ];
    for (way, hurt) in ways {
        let mut service = one_flag().await;
        wait_until("the state to be kept", async || service.data.join("last-good").exists()).await;
        fs::rename(service.data.join("turnout.db"), service.data.join("away")).unwrap();
        wait_until("the database to be missed", async || database(&service).await["state"] != "up")
            .await;
        hurt(&service.data.join("pending.journal"));
        let stop = service.order("/v1/flags/chat/stop", json!({})).await;
        assert_eq!(stop.status(), 202, "{way}");
        assert_eq!(stop.json::<Json>().await.unwrap()["survivesRestart"], true, "{way}");
        service.crash().await;
        service.restart().await;
        assert_eq!(live(&service).await, "STOPPED -> polling", "{way}");
    }
}
