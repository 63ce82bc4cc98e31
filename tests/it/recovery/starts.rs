//! All 125 combinations of what may be left: each start does what the table says, no stop is lifted
//! and no share rises until a person accepts.

use std::collections::BTreeSet;
use std::fs;

use futures_util::{StreamExt, stream};
use serde_json::{Value as Json, json};

use super::left::{FLAGS, State, Template};
use crate::support::{Service, wait_until};

/// The number of concurrent starts.
const TOGETHER: usize = 6;

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    /// The database.
    D,
    /// Held: the last known state, as it is.
    H1,
    /// Held: every flag is in doubt.
    H2,
    /// Held: no state is known.
    C,
    /// A first start.
    F,
}

use Served::{C, D, F, H1, H2};

/// With a journal that names no newer state, by the state of the database and of the last good one,
/// in the order of `State::ALL`: absent, good, damaged, older, of a newer build.
const WITH_JOURNAL: [[Served; 5]; 5] = [
    [C, H1, H2, H2, C],
    [D, D, D, D, D],
    [C, H1, H2, H2, C],
    [H2, H1, H2, H2, H2],
    [C, H1, H2, H2, C],
];
/// Without a journal that names the newest state. An unreadable last good state may then be later
/// than the database.
const WITHOUT: [[Served; 5]; 5] = [
    [C, H1, H2, H2, C],
    [D, D, H2, D, H2],
    [C, H1, H2, H2, C],
    [H2, H1, H2, H2, H2],
    [C, H1, H2, H2, C],
];

fn expected(database: State, last_good: State, journal: State) -> Served {
    let place = |state: State| State::ALL.iter().position(|known| *known == state).unwrap();
    if [database, last_good, journal] == [State::Absent; 3] {
        return F;
    }
    let table = match journal {
        State::Good | State::Damaged => WITH_JOURNAL,
        State::Absent | State::Older | State::OfNewerBuild => WITHOUT,
    };
    match (table[place(database)][place(last_good)], journal) {
        // Its entries may be about any flag.
        (D | H1, State::OfNewerBuild) => H2,
        // The journal names each state before the last good one does: one of them does not belong
        // to this folder.
        (H1, State::Older) => H2,
        (served, _) => served,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_combination_of_witnesses_is_served_as_the_table_says() {
    let template = &Template::make().await;
    let pairs = State::ALL
        .into_iter()
        .flat_map(|database| State::ALL.map(|last_good| (database, last_good)));
    let mixes = pairs
        .flat_map(|(database, last_good)| State::ALL.map(|journal| (database, last_good, journal)));
    let one = |mix: (State, State, State)| async move {
        check(template.leave(mix.0, mix.1, mix.2).await, mix).await;
        format!("{:?}", expected(mix.0, mix.1, mix.2))
    };
    let served: Vec<String> =
        stream::iter(mixes).map(one).buffer_unordered(TOGETHER).collect().await;
    assert_eq!(
        (served.len(), BTreeSet::from_iter(&served).len()),
        (125, 5),
        "each of the table's answers was seen"
    );
}

async fn check(home: tempfile::TempDir, mix: (State, State, State)) {
    let (database, last_good, journal) = mix;
    let data = home.path().join("data");
    let bytes = |name: &str| fs::read(data.join(name)).ok();
    let before = ["turnout.db", "last-good", "pending.journal"].map(bytes);
    let service = Service::start_in(home).await;
    let wanted = expected(database, last_good, journal);
    // The first responses, before anything else is waited for.
    let first = answers(&service).await;
    if wanted != F {
        let knows_of_journaled =
            matches!(journal, State::Good | State::Damaged | State::OfNewerBuild);
        let lifted = |key: &str| first[key]["strategy"] == "realtime-v2";
        assert!(!lifted("halted") && !lifted("held"), "{mix:?}: {first}");
        assert!(!knows_of_journaled || !lifted("journaled"), "{mix:?}: {first}");
    }
    // A database that was given up on a busy machine is trusted a moment later.
    let state = if matches!(wanted, D | F) && journal != State::Damaged { "up" } else { "held" };
    wait_until(&format!("{mix:?} to be {state}"), async || service.database_state().await == state)
        .await;
    let answered = answers(&service).await;
    let rules = FLAGS.map(|key| answered[key]["rule"].as_str().unwrap().to_owned());
    let stopped_if =
        |yes: bool, other: &str| if yes { "stop".to_owned() } else { other.to_owned() };
    let in_journal = matches!(journal, State::Good | State::Damaged);
    let rules_wanted = match wanted {
        D | H1 => [
            "stop".to_owned(),
            "rollout".to_owned(),
            "rollout".to_owned(),
            stopped_if(in_journal, "rollout"),
        ],
        H2 => FLAGS.map(|_| "stop".to_owned()),
        C => {
            let cold = || "cold-start".to_owned();
            [cold(), cold(), cold(), stopped_if(journal == State::Good, "cold-start")]
        }
        F => FLAGS.map(|_| "rollout".to_owned()),
    };
    assert_eq!(rules, rules_wanted, "{mix:?}, {wanted:?}: {answered}");
    let open = answered["open"]["strategy"] == "realtime-v2";
    assert_eq!(open, matches!(wanted, D | H1 | F), "{mix:?}: {answered}");
    if matches!(wanted, H2) {
        let open = service.state("open").await;
        assert_eq!(
            (&open["stop"]["by"], &open["stop"]["reason"]),
            (&json!("turnout"), &json!("its state may be lost")),
            "{mix:?}: {open}"
        );
    }
    if state == "held" {
        held(&service, mix).await;
        let after = ["turnout.db", "last-good", "pending.journal"]
            .map(|name| fs::read(service.data.join(name)).ok());
        assert!(before[0] == after[0], "{mix:?}: the database is left as it is");
        assert!(before[1] == after[1], "{mix:?}: the last good state is left as it is");
        assert!(
            journal != State::OfNewerBuild || before[2] == after[2],
            "{mix:?}: a newer build's journal is left as it is"
        );
    }
    if journal == State::Absent && wanted != F {
        let answered: Json = service.admin("/v1/problems").await.json().await.unwrap();
        assert!(
            answered.to_string().contains("pending.journal was not there"),
            "{mix:?}: {answered}"
        );
    }
    for (state, name, before) in
        [(last_good, "last-good", &before[1]), (journal, "pending.journal", &before[2])]
    {
        let kept = fs::read(service.data.join(format!("{name}.damaged"))).ok();
        assert!(state != State::Damaged || kept == *before, "{mix:?}: {name} is kept aside");
    }
    if last_good == State::OfNewerBuild {
        let after = fs::read(service.data.join("last-good")).ok();
        assert!(before[1] == after, "{mix:?}: a newer build's last good state is left as it is");
    }
    service.app.stop().await;
}

/// What may be done while the database is held: nothing that widens, everything that narrows.
async fn held(service: &Service, mix: (State, State, State)) {
    let answered: Json = service.admin("/v1/problems").await.json().await.unwrap();
    assert!(answered.to_string().contains("--accept-database"), "{mix:?}: {answered}");
    let set = service.order(
        "/v1/flags/open/set",
        json!({ "realtime-v2": "100%", "disabled": "0%", "reason": "r", "forMs": 9 }),
    );
    assert!(matches!(set.await.status().as_u16(), 202 | 404 | 503), "{mix:?}");
    let resume = service.order("/v1/flags/halted/resume", json!({ "reason": "r" })).await;
    assert!(matches!(resume.status().as_u16(), 404 | 503), "{mix:?}: {}", resume.status());
    let stop = service.order("/v1/flags/open/stop", json!({})).await;
    assert_eq!(stop.status(), 202, "{mix:?}");
    let answered: Json = stop.json().await.unwrap();
    let can_be_written = mix.2 != State::OfNewerBuild;
    assert_eq!(answered["survivesRestart"], can_be_written, "{mix:?}: {answered}");
    assert_eq!(service.ask("open", "u-1").await["rule"], "stop", "{mix:?}");
}

async fn answers(service: &Service) -> Json {
    let mut answers = json!({});
    for key in FLAGS {
        // Not among the first ten per cent of `held`.
        answers[key] = service.ask(key, "u-2").await;
    }
    answers
}
