//! Links in the data folder: where one leads is where the bytes are, and nothing is written to what
//! happens to be there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::store::Store;

use crate::support::{Service, flag, wait_until};

async fn one_flag() -> Service {
    Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 100% }"))]).await
}

async fn state(service: &Service) -> Json {
    let status = service.admin("/v1/status").await.json::<Json>().await.unwrap();
    status["database"]["state"].clone()
}

async fn live(service: &Service) -> Json {
    service.admin("/v1/flags/chat").await.json::<Json>().await.unwrap()["live"].clone()
}

async fn saved(service: &Service) {
    wait_until("everything to be saved", async || {
        state(service).await == "up" && service.app.coordinator().state().pending().is_empty()
    })
    .await;
}

/// The newest revision in the files at these paths, as a start finds them after a kill.
async fn found_by_a_start(database: &Path) -> u64 {
    let place = TempDir::new().unwrap();
    let copy = place.path().join("copy.db");
    fs::copy(database, &copy).unwrap();
    let _ = fs::copy(database.with_extension("db-wal"), copy.with_extension("db-wal"));
    let Ok(store) = Store::open_sqlite_to_read(&copy).await else { return 0 };
    store.head().await.map_or(0, |(_, head)| head.revision)
}

/// Makes a link to a file, at a path.
type Link = fn(&Path, &Path);

/// What becomes of a file of the database under a running server.
type Hurt = fn(&Path);

/// Where the database is a link, its companions are beside what the link leads to. However they go,
/// what was said to be saved is there after a crash.
#[tokio::test]
async fn what_is_saved_in_a_linked_database_is_there_after_a_crash() {
    let cut = |path: &Path, length: u64| {
        fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
    };
    let ways: [(&str, Hurt); 5] = [
        ("nothing happens", |_| ()),
        ("the wal is deleted", |target| fs::remove_file(target.with_extension("db-wal")).unwrap()),
        ("the shm is deleted", |target| fs::remove_file(target.with_extension("db-shm")).unwrap()),
        ("the wal is replaced by a copy", |target| {
            let wal = target.with_extension("db-wal");
            fs::copy(&wal, wal.with_extension("copy")).unwrap();
            fs::rename(wal.with_extension("copy"), wal).unwrap();
        }),
        ("another database is linked", |target| {
            fs::copy(target, target.with_extension("copy")).unwrap();
            fs::rename(target.with_extension("copy"), target).unwrap();
        }),
    ];
    for (way, hurt) in ways {
        let mut service = one_flag().await;
        saved(&service).await;
        service.stop().await;
        let volume = service.data.with_extension("volume");
        fs::create_dir(&volume).unwrap();
        let target = volume.join("real.db");
        fs::rename(service.data.join("turnout.db"), &target).unwrap();
        symlink(&target, service.data.join("turnout.db")).unwrap();
        service.restart().await;
        let set = json!({ "realtime-v2": "90%", "reason": "test" });
        assert_eq!(service.order("/v1/flags/chat/set", set).await.status(), 200, "{way}");
        saved(&service).await;
        hurt(&target);
        let stop = service.order("/v1/flags/chat/stop", json!({})).await;
        let told: Json = stop.json().await.unwrap();
        assert_eq!(told["survivesRestart"], true, "{way}: {told}");
        if !way.contains("another") {
            saved(&service).await;
            assert_eq!(found_by_a_start(&target).await, service.revision(), "{way}");
        }
        service.crash().await;
        service.restart().await;
        assert_eq!(live(&service).await, "STOPPED -> polling", "{way}");
        if !way.contains("another") {
            saved(&service).await;
        }
    }
    // A log that is cut under its writer, through a link or not: what is committed behind the gap
    // is found by no start, so it is not said to be saved in the database.
    for length in [0, 4096] {
        let mut service = one_flag().await;
        let set = json!({ "realtime-v2": "90%", "reason": "test" });
        assert_eq!(service.order("/v1/flags/chat/set", set).await.status(), 200);
        saved(&service).await;
        cut(&service.data.join("turnout.db-wal"), length);
        let stop = service.order("/v1/flags/chat/stop", json!({})).await;
        let (status, told) = (stop.status(), stop.json::<Json>().await.unwrap());
        assert_eq!(told["survivesRestart"], true, "{told}");
        let is_in_it =
            found_by_a_start(&service.data.join("turnout.db")).await == service.revision();
        assert!(status == 202 || is_in_it, "cut to {length}: {told}");
        service.crash().await;
        service.restart().await;
        assert_eq!(live(&service).await, "STOPPED -> polling", "cut to {length}");
    }
}

/// A database that is a link to a disk that is not there is not a first start.
#[tokio::test]
async fn a_link_that_leads_nowhere_is_a_database_that_is_gone() {
    let mut service = one_flag().await;
    service.order("/v1/flags/chat/stop", json!({})).await;
    saved(&service).await;
    service.stop().await;
    let path = service.data.join("turnout.db");
    let away = service.data.with_extension("away");
    fs::rename(&path, &away).unwrap();
    symlink(service.data.with_extension("volume"), &path).unwrap();
    for name in ["last-good", "last-good.1", "pending.journal"] {
        let _ = fs::remove_file(service.data.join(name));
    }
    service.restart().await;
    assert_ne!(state(&service).await, "up");
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink(), "nothing is made in its place");
}

/// A file that was moved to a disk, which is missing at a start: nothing that it held is taken for
/// never said.
#[tokio::test]
async fn a_link_that_leads_nowhere_is_a_file_that_does_not_read() {
    for name in ["revoked-sessions", "issuer.keys", "pending.journal", "last-good"] {
        let mut service = one_flag().await;
        let order = async |path: &str, body: Json| service.order(path, body).await;
        let new = json!({ "targetingKey": "u-1" });
        let session: Json = order("/v1/sessions", new.clone()).await.json().await.unwrap();
        let session = session["session"].as_str().unwrap();
        assert_eq!(order("/v1/sessions/revoke", new).await.status(), 200);
        order("/v1/flags/chat/stop", json!({})).await;
        saved(&service).await;
        service.stop().await;
        let path = service.data.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            fs::rename(&path, service.data.with_extension("away")).unwrap();
        }
        symlink(service.data.with_extension("volume"), &path).unwrap();
        service.restart().await;
        service.reach_problems(|problems| problems > 0).await;
        let request = service.client.get(service.url("/v1/strategy/chat")).bearer_auth(session);
        assert_eq!(request.send().await.unwrap().status(), 401, "{name}");
        assert_eq!(service.strategy("chat", "u-1").await, "polling", "{name}");
    }
}

/// Whatever has a name under which a file is made in the data folder, it is not written through: a
/// restore with hard links, or a careless `ln`, may have put a link to the database there.
#[tokio::test]
async fn no_name_in_the_data_folder_is_written_through() {
    let links: [(&str, Link); 2] = [
        ("a symlink", |to, at| symlink(to, at).unwrap()),
        ("a hard link", |to, at| fs::hard_link(to, at).unwrap()),
    ];
    let names = ["last-good", "last-good.1", "admin.token", "admin.socket", "addresses.json"];
    let names = names.into_iter().chain(["pending.journal", "turnout.db", "lock"]);
    let names: Vec<&str> = names.collect();
    for (how, link) in links {
        let mut service = one_flag().await;
        assert_eq!(service.order("/v1/flags/chat/stop", json!({})).await.status(), 200);
        saved(&service).await;
        service.stop().await;
        let database = service.data.join("turnout.db");
        let kept = fs::read(&database).unwrap();
        for name in &names {
            let path = service.data.join(name);
            for beside in [path.with_extension("new"), format!("{}.new", path.display()).into()] {
                if fs::symlink_metadata(&beside).is_err() {
                    link(&database, &beside);
                }
            }
        }
        // All of them are written anew; a new head makes the one before the earlier.
        for name in ["pending.journal", "admin.token", "lock"] {
            fs::remove_file(service.data.join(name)).unwrap();
        }
        link(&database, &service.data.join("lock"));
        service.restart().await;
        let search = flag("search", "rollout: { realtime-v2: 5% }");
        fs::write(service.flags.join("search.yaml"), search).unwrap();
        wait_until("the file to be taken in", async || {
            service.admin("/v1/flags/search").await.status() == 200
        })
        .await;
        saved(&service).await;
        service.stop().await;
        let now = fs::read(&database).unwrap();
        assert!(now.starts_with(b"SQLite format 3\0") && now.len() >= kept.len(), "{how}");
        service.restart().await;
        assert_eq!(
            (state(&service).await, live(&service).await),
            (json!("up"), json!("STOPPED -> polling")),
            "{how}"
        );
        let sound: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
        assert_eq!(sound["sound"], true, "{how}: {sound}");
    }
}

/// A copy of hard links takes the folder's place (`cp -al`, `rsync --link-dest`): its `lock` is the
/// very file that this server has locked.
#[tokio::test]
async fn a_folder_of_hard_links_in_the_place_of_another_is_held() {
    let service = one_flag().await;
    saved(&service).await;
    let (moved, data) = (service.data.with_extension("moved"), &service.data);
    let copy = service.data.with_extension("copy");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        fs::hard_link(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    fs::rename(data, &moved).unwrap();
    fs::rename(&copy, data).unwrap();
    fs::remove_dir_all(&moved).unwrap();
    let set = json!({ "realtime-v2": "20%", "reason": "test" });
    wait_until("it to be written to", async || {
        service.order("/v1/flags/chat/set", set.clone()).await.status() == 200
            && state(&service).await == "up"
            && service.app.coordinator().problems().troubles().is_empty()
    })
    .await;
}
