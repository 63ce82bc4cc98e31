//! Two processes write to one SQLite file: neither loses a revision of the other, and neither takes
//! the other's revision for a lost database.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value as Json, json};
use turnout::ledger::Blobs;
use turnout::store::Store;

use super::written::{OTHER, commit_as_another, defined};
use crate::support::typed::Server;
use crate::support::wait_until;

const COMMANDS: u64 = 80;
/// How many revisions the other program commits for each command.
const EACH: u64 = 3;

/// Every path a command takes: narrowing, widening, and a rollback.
fn command(step: u64) -> (&'static str, Json) {
    match step % 4 {
        0 => ("stop", json!({ "reason": "incident" })),
        1 => ("resume", json!({ "reason": "over" })),
        2 => ("set", json!({ "realtime-v2": format!("{}%", 10 + step % 80), "reason": "rollout" })),
        _ => ("rollback", json!({ "reason": "slow" })),
    }
}

#[tokio::test]
async fn two_processes_on_one_database_lose_no_revision_and_report_no_lost_one() {
    let server = Server::start();
    let token =
        fs::read_to_string(server.home.path().join("data/admin.token")).unwrap().trim().to_owned();
    let client = reqwest::Client::new();
    let get = async |path: &str| {
        let asked =
            client.get(format!("{}{path}", server.admin)).bearer_auth(&token).send().await.unwrap();
        asked.error_for_status().unwrap().json::<Json>().await.unwrap()
    };
    let store = Store::open_sqlite(&server.home.path().join("data/turnout.db")).await.unwrap();

    // How many commands were answered: the other program is never far ahead, so that the two meet
    // all the time.
    let answered = Cell::new(0);
    let by_the_other = async {
        let mut revisions = BTreeSet::new();
        for index in 0..COMMANDS * EACH {
            while index > (answered.get() + 1) * EACH {
                tokio::task::yield_now().await;
            }
            let (change, id, text) = defined(&format!("other-{index}"), 10);
            revisions
                .insert(commit_as_another(&store, &[change], &Blobs::from([(id, text)])).await);
        }
        revisions
    };
    let by_the_server = async {
        let mut revisions = BTreeSet::new();
        for step in 0..COMMANDS {
            let (verb, body) = command(step);
            let order =
                client.post(format!("{}/v1/flags/chat/{verb}", server.admin)).bearer_auth(&token);
            let answer = order.body(body.to_string()).send().await.unwrap();
            let (status, reply) = (answer.status(), answer.text().await.unwrap());
            assert!(status == 200 || status == 202, "{verb}: {status} {reply}");
            let reply: Json = serde_json::from_str(&reply).unwrap();
            revisions.extend(reply["revision"].as_u64().filter(|_| status == 200));
            answered.set(step + 1);
        }
        revisions
    };
    let (others, ours) = tokio::join!(by_the_other, by_the_server);
    // Each commit of the server after one of these loses its first race: the server did not know of
    // them.
    assert!(others.first() < ours.last() && ours.first() < others.last(), "the two never met");
    assert_eq!(others.len() as u64, COMMANDS * EACH);
    assert!(others.is_disjoint(&ours));

    // What the other program wrote is live in the server, and the server's own commands are in the
    // history beside it.
    let last = format!("/v1/flags/other-{}", COMMANDS * EACH - 1);
    wait_until("the other program's last flag is live", async || {
        let flag =
            client.get(format!("{}{last}", server.admin)).bearer_auth(&token).send().await.unwrap();
        flag.status() == 200
    })
    .await;
    let mut known = Vec::new();
    let mut before = String::new();
    loop {
        let page = get(&format!("/v1/history?limit=100{before}")).await;
        let revisions = page["revisions"].as_array().unwrap().clone();
        let Some(oldest) = revisions.last().and_then(|revision| revision["revision"].as_u64())
        else {
            break;
        };
        known.extend(revisions);
        before = format!("&before={oldest}");
    }
    let of = |other: bool| -> BTreeSet<u64> {
        let mine = known.iter().filter(|revision| (revision["actor"] == OTHER) == other);
        mine.map(|revision| revision["revision"].as_u64().unwrap()).collect()
    };
    assert_eq!(of(true), others);
    assert!(ours.is_subset(&of(false)), "an acknowledged revision of the server is gone");
    assert_eq!(server.run("history --verify").0, 0);

    // The server never reported the database as lost, and it is not away now.
    let log = fs::read_to_string(server.home.path().join("log")).unwrap();
    assert!(!log.contains("out of reach") && !log.contains("is held"), "{log}");
    let problems = get("/v1/problems").await;
    assert!(!problems.to_string().contains("\"database\""), "{problems}");
}
