//! A last good state of another installation, or of a copy of this one that went on elsewhere, lies
//! in the data folder: it is never served as it is, lifts no stop, and lets no caller in. Where
//! database and journal agree, they are served.

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, stream};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::left::{FLAGS, State, Template, copy};
use crate::support::{Service, wait_until};

const TOGETHER: usize = 6;

/// Where the last good state comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    AnotherInstallation,
    /// A copy of this folder at the same head.
    Twin,
    /// A copy at an earlier head.
    EarlierTwin,
    /// A copy at a later head.
    LaterTwin,
}

const ALL: [Of; 4] = [Of::AnotherInstallation, Of::Twin, Of::EarlierTwin, Of::LaterTwin];

/// The files, and a token that is good in the first of them.
struct Foreign {
    home: TempDir,
    secret: String,
}

impl Foreign {
    async fn make(template: &Template) -> Foreign {
        let home = TempDir::new().unwrap();
        let mut secret = String::new();
        for of in ALL {
            let (data, orders) = match of {
                Of::AnotherInstallation => (None, 8),
                Of::Twin => (Some("older"), 2),
                Of::EarlierTwin => (Some("older"), 1),
                Of::LaterTwin => (Some("older"), 4),
            };
            let there = TempDir::new().unwrap();
            copy(&template.0.path().join("flags"), &there.path().join("flags"));
            if let Some(data) = data {
                copy(&template.0.path().join(data), &there.path().join("data"));
            }
            let mut service = Service::start_in(there).await;
            for order in 0..orders {
                let body = json!({ "realtime-v2": format!("{}%", 90 - order), "reason": "r" });
                assert_eq!(service.order("/v1/flags/held/set", body).await.status(), 200);
            }
            if of == Of::AnotherInstallation {
                secret = service.make_token("theirs", "admin", json!({})).await.secret;
            }
            service.stop().await;
            fs::copy(service.data.join("last-good"), home.path().join(format!("{of:?}"))).unwrap();
        }
        Foreign { home, secret }
    }

    fn file(&self, of: Of) -> PathBuf {
        self.home.path().join(format!("{of:?}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_foreign_last_good_state_opens_nothing() {
    let template = &Template::make().await;
    let foreign = &Foreign::make(template).await;
    let pairs =
        State::ALL.into_iter().flat_map(|database| State::ALL.map(|journal| (database, journal)));
    let mixes = pairs.flat_map(|(database, journal)| ALL.map(|of| (database, journal, of)));
    // Without a journal, a copy of this folder that went on can only be distinguished by a database
    // that is readable and has come as far.
    let is_told = |database: State, journal: State, of: Of| {
        let has_come_as_far = database == State::Good && of != Of::LaterTwin;
        match of {
            Of::AnotherInstallation => [database, journal] != [State::Absent; 2],
            _ => journal != State::Absent || has_come_as_far,
        }
    };
    let mixes = mixes.filter(|(database, journal, of)| is_told(*database, *journal, *of));
    let one = |(database, journal, of)| async move {
        let home = template.leave(database, State::Good, journal).await;
        fs::copy(foreign.file(of), home.path().join("data/last-good")).unwrap();
        check(home, (database, journal, of), foreign).await;
    };
    let checked: Vec<()> = stream::iter(mixes).map(one).buffer_unordered(TOGETHER).collect().await;
    assert_eq!(checked.len(), 86);
}

async fn check(home: TempDir, mix: (State, State, Of), foreign: &Foreign) {
    let (database, journal, of) = mix;
    let service = Service::start_in(home).await;
    let answers = async || {
        let mut answers = json!({});
        for key in FLAGS {
            answers[key] = service.ask(key, "u-2").await;
        }
        answers
    };
    let knows_of_stop = matches!(database, State::Good) || journal != State::Older;
    let knows_of_journaled = matches!(journal, State::Good | State::Damaged | State::OfNewerBuild);
    let no_wider = |answered: &Json| {
        let is_open = |key: &str| answered[key]["strategy"] == "realtime-v2";
        assert!(!is_open("held") && !is_open("halted") || !knows_of_stop, "{mix:?}: {answered}");
        assert!(!is_open("journaled") || !knows_of_journaled, "{mix:?}: {answered}");
    };
    no_wider(&answers().await);
    // Database and journal agree, and name the newest state: they are served, without a person.
    let is_served = (database, journal) == (State::Good, State::Good) && of != Of::LaterTwin;
    if is_served {
        wait_until(&format!("{mix:?} to be up"), async || service.database_state().await == "up")
            .await;
        let answered = answers().await;
        assert_eq!(answered["open"]["strategy"], "realtime-v2", "{mix:?}: {answered}");
        let answered: Json = service.admin("/v1/problems").await.json().await.unwrap();
        assert!(answered.to_string().contains("last-good.damaged"), "{mix:?}: {answered}");
        assert!(
            is_same(&service.data.join("last-good.damaged"), &foreign.file(of)),
            "{mix:?}: it is kept aside"
        );
    } else if matches!(database, State::Good) && journal == State::Good {
        assert_eq!(service.database_state().await, "held", "{mix:?}");
    }
    no_wider(&answers().await);
    // A token that came with the foreign state is refused.
    let status =
        service.call(reqwest::Method::GET, "/v1/status", Some(&foreign.secret)).await.status();
    assert_eq!(status, 401, "{mix:?}");
    service.app.stop().await;
}

fn is_same(one: &Path, two: &Path) -> bool {
    fs::read(one).ok() == fs::read(two).ok()
}

/// The foreign state does not become the state before the last one, and the next start needs no
/// person either.
#[tokio::test]
async fn a_foreign_last_good_state_is_replaced_by_the_next_save() {
    let template = Template::make().await;
    let foreign = Foreign::make(&template).await;
    let home = template.leave(State::Good, State::Good, State::Good).await;
    fs::copy(foreign.file(Of::AnotherInstallation), home.path().join("data/last-good")).unwrap();
    let mut service = Service::start_in(home).await;
    wait_until("it to be up", async || service.database_state().await == "up").await;
    for share in ["9%", "8%"] {
        assert_eq!(
            service.order("/v1/flags/held/set", json!({ "realtime-v2": share })).await.status(),
            200
        );
        service.stop().await;
        assert!(!is_same(
            &service.data.join("last-good.1"),
            &foreign.file(Of::AnotherInstallation)
        ));
        service.restart().await;
        wait_until("it to be up again", async || service.database_state().await == "up").await;
    }
    let verdict: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
    assert_eq!(verdict["sound"], true, "{verdict}");
    assert_eq!(service.ask("halted", "u-1").await["rule"], "stop");
}
