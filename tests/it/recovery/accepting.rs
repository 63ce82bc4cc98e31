//! Accepting a database: a stopped flag does not open by it, no share rises, and every revision
//! number that was seen before stays used.

use std::fs;

use serde_json::Value as Json;
use turnout::app::App;
use turnout::config::Config;

use super::left::State::{Absent, Damaged, Good, OfNewerBuild, Older};
use super::left::{State, Template};
use crate::support::{Service, config};

struct Mix {
    left: (State, State, State),
    /// What is live of `halted`, `held`, `open` and `journaled` afterwards.
    live: [&'static str; 4],
    /// Files that are kept aside.
    aside: &'static [&'static str],
}

const STOPPED: &str = "STOPPED -> polling";
const ALL: &str = "realtime-v2 100%";
const TEN: &str = "realtime-v2 10%";

#[tokio::test]
async fn accepting_a_database_first_writes_the_known_state_into_it() {
    let template = Template::make().await;
    for Mix { left, live, aside } in [
        Mix { left: (Older, Good, Good), live: [STOPPED, TEN, ALL, STOPPED], aside: &[] },
        Mix { left: (Absent, Good, Good), live: [STOPPED, TEN, ALL, STOPPED], aside: &[] },
        Mix {
            left: (Damaged, Good, Good),
            live: [STOPPED, TEN, ALL, STOPPED],
            aside: &["turnout.db.damaged"],
        },
        // The state before the last one: it contains no stop.
        Mix {
            left: (Absent, Damaged, Good),
            live: [ALL, TEN, ALL, STOPPED],
            aside: &["last-good.damaged"],
        },
        Mix {
            left: (Good, Good, Damaged),
            live: [STOPPED, TEN, ALL, ALL],
            aside: &["pending.journal.damaged"],
        },
        Mix {
            left: (Good, Good, OfNewerBuild),
            live: [STOPPED, TEN, ALL, ALL],
            aside: &["pending.journal.newer"],
        },
        Mix {
            left: (Good, OfNewerBuild, Absent),
            live: [STOPPED, TEN, ALL, ALL],
            aside: &["last-good.newer"],
        },
        // None of it is readable: the files go live, and a flag that was stopped while the database
        // was away stays stopped.
        Mix { left: (Absent, Absent, Good), live: [ALL, ALL, ALL, STOPPED], aside: &[] },
    ] {
        let home = template.leave(left.0, left.1, left.2).await;
        let accepting = Config { accept_database: true, ..config(home.path()) };
        let app = App::start(accepting).await.unwrap_or_else(|error| panic!("{left:?}: {error}"));
        let position = app.coordinator().live().current().position();
        app.stop().await;
        // After a restart everything is as it was accepted, without a person.
        let mut service = Service::start_in(home).await;
        for round in 0..2 {
            assert_eq!(service.database_state().await, "up", "{left:?}");
            for (key, live) in ["halted", "held", "open", "journaled"].into_iter().zip(live) {
                assert_eq!(
                    service.state(key).await["live"],
                    live,
                    "{key} of {left:?}, round {round}"
                );
            }
            let verdict: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
            assert_eq!(verdict["sound"], true, "{left:?}: {verdict}");
            service.stop().await;
            service.restart().await;
        }
        // The newest revision known here was 3, where any file says so.
        assert!(
            position.revision > 3 || left == (Good, OfNewerBuild, Absent) || position.revision == 3,
            "{left:?}: {position}"
        );
        assert!(service.revision() >= position.revision, "{left:?}");
        for name in aside {
            assert!(service.data.join(name).exists(), "{left:?}: {name} is kept");
        }
        service.app.stop().await;
    }
}

#[tokio::test]
async fn a_newer_builds_database_is_never_accepted() {
    let template = Template::make().await;
    let home = template.leave(OfNewerBuild, Good, Good).await;
    let before = fs::read(home.path().join("data/turnout.db")).unwrap();
    let refused =
        App::start(Config { accept_database: true, ..config(home.path()) }).await.err().unwrap();
    assert!(refused.to_string().contains("newer build"), "{refused}");
    assert!(
        before == fs::read(home.path().join("data/turnout.db")).unwrap(),
        "it is left as it is"
    );
}

#[tokio::test]
async fn an_empty_data_folder_is_refused_where_new_data_is_denied() {
    let template = Template::make().await;
    let home = template.leave(Absent, Absent, Absent).await;
    let refused =
        App::start(Config { may_be_new: false, ..config(home.path()) }).await.err().unwrap();
    assert!(refused.to_string().contains("TURNOUT_NEW_DATA"), "{refused}");
    assert!(!home.path().join("data/turnout.db").exists());
    let home = template.leave(Good, Good, Good).await;
    let app = App::start(Config { may_be_new: false, ..config(home.path()) }).await.unwrap();
    app.stop().await;
}

/// A held database that is right again is accepted by itself.
#[tokio::test]
async fn the_right_database_is_accepted_without_a_restart() {
    let template = Template::make().await;
    let right = template.leave(Good, Good, Good).await;
    for left in [
        (Older, Good, Good),
        (Absent, Good, Good),
        (Damaged, Damaged, Good),
        (Absent, Absent, Good),
    ] {
        let service = Service::start_in(template.leave(left.0, left.1, left.2).await).await;
        assert_eq!(service.database_state().await, "held", "{left:?}");
        let beside = service.data.join("right.db");
        fs::copy(right.path().join("data/turnout.db"), &beside).unwrap();
        for ending in ["-wal", "-shm"] {
            let _ = fs::remove_file(service.data.join(format!("turnout.db{ending}")));
        }
        fs::rename(&beside, service.database()).unwrap();
        service.reach_database_state("up").await;
        for (key, live) in
            ["halted", "held", "open", "journaled"].into_iter().zip([STOPPED, TEN, ALL, STOPPED])
        {
            assert_eq!(service.state(key).await["live"], live, "{key} of {left:?}");
        }
        service.app.stop().await;
    }
}
