//! What is carried into a database that a person accepts: whatever kept a flag low, and every
//! credential of a state that takes the place of a database. All of it, or nothing.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use serde_json::{Value as Json, json};
use turnout::store::{HistoryQuery, Store};

use super::left::copy;
use crate::support::{Service, flag, wait_until};

const LOW: &str = "rollout: { realtime-v2: 1% }";
const ALL: &str = "rollout: { realtime-v2: 100% }";
/// Not to be compared with the others: it can only be pinned against.
const RULED: &str = "deny: [{ users: [u-9] }]\nrollout: { realtime-v2: 100% }";

async fn live(service: &Service, what: &str) {
    wait_until(what, async || service.state("chat").await["live"] == what).await;
}

fn save(service: &Service, text: &str) {
    let beside = service.data.join("beside");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, service.flags.join("chat.yaml")).unwrap();
}

/// How the flag is kept low after the backup, and what is live of it then, and once the backup is
/// accepted.
struct Low {
    case: &'static str,
    /// What its file said when the backup was made; `None` where there was no such flag.
    backup: Option<&'static str>,
    /// What its file says after it.
    file: String,
    order: Option<(&'static str, Json)>,
    live: &'static str,
    accepted: &'static str,
    /// Whether its file is gone by the time.
    file_is_gone: bool,
}

#[tokio::test]
async fn what_kept_a_flag_low_is_carried_into_an_older_database() {
    let pin = || Some(("rollback", json!({ "reason": "incident" })));
    let off = || flag("chat", ALL).replace("enabled: true", "enabled: false");
    let pinned = "realtime-v2 1%";
    for low in [
        Low {
            case: "a pin, and no such flag in the backup",
            backup: None,
            file: flag("chat", RULED),
            order: pin(),
            live: pinned,
            accepted: pinned,
            file_is_gone: false,
        },
        Low {
            case: "a pin",
            backup: Some(LOW),
            file: flag("chat", RULED),
            order: pin(),
            live: pinned,
            accepted: pinned,
            file_is_gone: false,
        },
        Low {
            case: "a file that switched it off, and is gone",
            backup: Some(ALL),
            file: off(),
            order: None,
            live: "off -> polling",
            accepted: "off -> polling",
            file_is_gone: true,
        },
        Low {
            case: "a file that denies some, and is gone: neither is the narrower",
            backup: Some(ALL),
            file: flag("chat", RULED),
            order: None,
            live: "realtime-v2 100%",
            accepted: "STOPPED -> polling",
            file_is_gone: true,
        },
    ] {
        check(low).await;
    }
}

async fn check(Low { case, backup, file, order, live: shown, accepted, file_is_gone }: Low) {
    let mut service = Service::start(&[("other.yaml", &flag("other", ALL))]).await;
    if let Some(text) = backup {
        save(&service, &flag("chat", text));
        live(&service, if text == LOW { "realtime-v2 1%" } else { "realtime-v2 100%" }).await;
    }
    service.copy_database("backup").await;
    if backup.is_none() {
        save(&service, &flag("chat", LOW));
        live(&service, "realtime-v2 1%").await;
    }
    let before = service.revision();
    save(&service, &file);
    service.reach(before + 1).await;
    if let Some((verb, body)) = order {
        let (status, told) = service.ordered(&format!("/v1/flags/chat/{verb}"), body).await;
        assert_eq!(status, 200, "{case}: {told}");
    }
    live(&service, shown).await;
    service.saves_last_good().await;
    service.put_back_database("backup").await;
    if file_is_gone {
        fs::remove_file(service.flags.join("chat.yaml")).unwrap();
    }
    service.accept_database().await;
    for round in 0..2 {
        // The files are taken in before another one is.
        let seen = service.revision();
        fs::write(service.flags.join(format!("new{round}.yaml")), flag(&format!("new{round}"), ""))
            .unwrap();
        wait_until("a later file", async || service.revision() > seen).await;
        assert_eq!(service.state("chat").await["live"], accepted, "{case}, round {round}");
        service.stop().await;
        service.restart().await;
    }
}

#[tokio::test]
async fn a_database_that_is_made_has_the_credentials() {
    for damage in [None, Some("x".repeat(4096))] {
        let mut service = Service::start(&[("chat.yaml", &flag("chat", ALL))]).await;
        let hook = service.make_token("hook", "stopper", json!({})).await;
        let leaked = service.make_token("leaked", "operator", json!({})).await;
        service.ordered(&format!("/v1/tokens/{}/revoke", leaked.id), json!({})).await;
        service.saves_last_good().await;
        service.stop().await;
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(service.data.join(format!("turnout.db{ending}")));
        }
        if let Some(damage) = &damage {
            fs::write(service.database(), damage).unwrap();
        }
        service.accept_database().await;
        for round in 0..2 {
            let status_of = async |secret: &str| {
                service.call(Method::GET, "/v1/status", Some(secret)).await.status().as_u16()
            };
            let seen = (status_of(&hook.secret).await, status_of(&leaked.secret).await);
            assert_eq!(seen, (200, 401), "{damage:?}, round {round}");
            service.stop().await;
            service.restart().await;
        }
        let (status, told) = service.order_as(&hook.secret, "/v1/flags/chat/stop", json!({})).await;
        assert_eq!(status, 200, "{told}");
    }
}

/// The program over this home, told to accept what it finds.
fn accepting(home: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.arg("--flags").arg(home.join("flags")).arg("--data").arg(home.join("data"));
    command.arg("--accept-database");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Killed as soon as the new database has its name: all is in it, or a start takes it for none.
#[tokio::test]
async fn an_acceptance_that_is_killed_leaves_no_part_of_a_database() {
    let mut service = Service::start(&[("chat.yaml", &flag("chat", ALL))]).await;
    service.ordered("/v1/flags/chat/set", json!({ "realtime-v2": "40%", "reason": "x" })).await;
    service.saves_last_good().await;
    service.stop().await;
    for _ in 0..3 {
        let home = tempfile::TempDir::new().unwrap();
        copy(&service.flags, &home.path().join("flags"));
        copy(&service.data, &home.path().join("data"));
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(home.path().join(format!("data/turnout.db{ending}")));
        }
        let mut child = accepting(home.path());
        let path = home.path().join("data/turnout.db");
        while !path.exists() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open_sqlite_to_read(&path).await.unwrap();
        let page = HistoryQuery { flag: Some("chat".to_owned()), limit: 1, ..Default::default() };
        let last = store.history(&page).await.unwrap();
        assert_eq!(last.len(), 1, "the flag is in the database from its first moment");
    }
}
