//! Changes that are pending while the database is away: a state of each flag, which a kill does not
//! lose, and which is saved when the database is back. However many requests made it, the journal
//! has room for the next stop.

use std::fs;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::data_dir::{FoundJournal, Journal};
use turnout::ledger::{
    Action, Attribution, ChangeSource, Doubt, Overlay, PendingChange, PendingEntry, Unknown,
};

use crate::support::{Service, flag, wait_until};

async fn pending(service: &Service) -> u64 {
    let status: Json = service.admin("/v1/status").await.json().await.unwrap();
    status["pending"].as_u64().unwrap()
}

async fn live(service: &Service, flag: &str) -> String {
    let reply: Json = service.admin(&format!("/v1/flags/{flag}")).await.json().await.unwrap();
    reply["live"].as_str().unwrap().to_owned()
}

async fn problems(service: &Service) -> String {
    service.admin("/v1/problems").await.text().await.unwrap()
}

/// A command under a key, and its response.
async fn order(service: &Service, key: &str, verb: &str, body: &Json) -> Json {
    let request = service
        .client
        .post(service.admin_url(&format!("/v1/flags/{verb}")))
        .bearer_auth(service.token());
    let answer =
        request.header("idempotency-key", key).body(body.to_string()).send().await.unwrap();
    answer.json().await.unwrap()
}

fn share(thousandths: u32) -> Json {
    json!({ "realtime-v2": format!("{}.{:03}%", thousandths / 1000, thousandths % 1000), "reason": "incident" })
}

/// Three flags whose files say 10 %, and which are held at 50 %.
async fn three_flags() -> Service {
    let files = ["a", "b", "c"]
        .map(|key| (format!("{key}.yaml"), flag(key, "rollout: { realtime-v2: 10% }")));
    let service =
        Service::start(&files.each_ref().map(|(name, text)| (name.as_str(), text.as_str()))).await;
    for key in ["a", "b", "c"] {
        assert_eq!(
            service.order(&format!("/v1/flags/{key}/set"), share(50_000)).await.status(),
            200
        );
    }
    service
}

/// Each line: the commands with the database away, how many entries are pending then, and what each
/// flag serves then, after a kill, and once all is saved.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_is_a_state_of_each_flag() {
    async fn check(what: &str, orders: Vec<(&str, Json)>, expected: u64, serves: [&str; 3]) {
        let mut service = three_flags().await;
        service.take_database_away().await;
        for (verb, body) in orders {
            let reply: Json =
                service.order(&format!("/v1/flags/{verb}"), body).await.json().await.unwrap();
            assert_eq!(
                (&reply["outcome"], &reply["survivesRestart"]),
                (&"pending".into(), &true.into()),
                "{what}: {reply}"
            );
        }
        let holds = async |service: &Service, when: &str| {
            let found =
                [live(service, "a").await, live(service, "b").await, live(service, "c").await];
            assert_eq!(found, serves, "{what}, {when}");
        };
        assert_eq!(pending(&service).await, expected, "{what}");
        holds(&service, "with the database away").await;
        service.crash().await;
        service.restart().await;
        assert_eq!(pending(&service).await, expected, "{what}, after a kill");
        holds(&service, "after a kill").await;
        let before = service.revision();
        service.bring_database_back().await;
        holds(&service, "once it is saved").await;
        assert_eq!(service.revision(), before + expected, "{what}: a revision for each");
        let sound: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
        assert_eq!(sound["sound"], true, "{what}: {sound}");
    }
    let (ten, fifty) = ("realtime-v2 10%", "realtime-v2 50%");
    let falling = (0..40).map(|step| ("a/set", share(50_000 - 1 - step))).collect();
    check("falling shares", falling, 1, ["realtime-v2 49.96%", fifty, fifty]).await;
    let held = |for_ms: u64| json!({ "realtime-v2": "50%", "forMs": for_ms, "reason": "incident" });
    let ends = (0..40).map(|step| ("a/set", held(86_400_000 + step))).collect();
    check("the same share with another end", ends, 1, [fifty; 3]).await;
    let back_and_forth = vec![
        ("a/set", share(40_000)),
        ("a/unset", json!({})),
        ("a/set", share(10_000)),
        ("a/unset", json!({})),
    ];
    check("set and unset", back_and_forth, 1, [ten, fifty, fifty]).await;
    let by_turns = (0..40)
        .map(|step| (["a/set", "b/set", "c/set"][step % 3], share(50_000 - 1 - step as u32)))
        .collect();
    let lowest = ["realtime-v2 49.96%", "realtime-v2 49.962%", "realtime-v2 49.961%"];
    check("three flags by turns", by_turns, 3, lowest).await;
    let stop = json!({ "reason": "incident" });
    let stopped = vec![
        ("a/set", share(40_000)),
        ("a/stop", stop),
        ("a/set", share(30_000)),
        ("a/set", share(20_000)),
    ];
    check("a stop between", stopped, 2, ["STOPPED -> polling", fifty, fifty]).await;
}

/// A superseded request gets the same response when it is sent again: while both are pending, after
/// a kill, and once they are saved. It is never done a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_superseded_request_is_committed_once() {
    let mut service = three_flags().await;
    service.take_database_away().await;
    for step in 0..20 {
        order(&service, &format!("step-{step}"), "a/set", &share(40_000 - step)).await;
    }
    for when in ["before a kill", "after it"] {
        assert_eq!(pending(&service).await, 1, "{when}");
        for step in [0, 10, 19] {
            let reply =
                order(&service, &format!("step-{step}"), "a/set", &share(40_000 - step)).await;
            assert_eq!(
                (&reply["outcome"], &reply["survivesRestart"]),
                (&"pending".into(), &true.into()),
                "{when}: {reply}"
            );
        }
        let reply = order(&service, "step-10", "a/set", &share(1)).await;
        assert_eq!(reply["code"], "key-reused", "{when}: {reply}");
        service.crash().await;
        service.restart().await;
    }
    service.bring_database_back().await;
    for step in [0, 10, 19] {
        let reply = order(&service, &format!("step-{step}"), "a/set", &share(40_000 - step)).await;
        assert_eq!(reply["outcome"], "repeated", "{reply}");
    }
    assert_eq!(live(&service, "a").await, "realtime-v2 39.981%");
}

/// While the database is up no command supersedes another: the history has each with its change,
/// under its own idempotency key.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_committed_at_once_is_its_own_revision() {
    let service = three_flags().await;
    let lower = async |step: u32| {
        let reply =
            order(&service, &format!("step-{step}"), "a/set", &share(50_000 - 1 - step)).await;
        (format!("step-{step}"), reply["outcome"].clone(), reply["revision"].as_u64())
    };
    let mut all = Vec::new();
    for round in 0..30_u32 {
        let step = |place: u32| round * 8 + place;
        let reply = tokio::join!(
            lower(step(0)),
            lower(step(1)),
            lower(step(2)),
            lower(step(3)),
            lower(step(4)),
            lower(step(5))
        );
        for (key, outcome, revision) in [reply.0, reply.1, reply.2, reply.3, reply.4, reply.5] {
            // One that came after a lower one raises, and is a command like any other.
            assert!(outcome == "committed" && revision.is_some(), "{outcome} {revision:?}");
            all.push((revision, key));
        }
    }
    assert_eq!(pending(&service).await, 0);
    let history: Json = service.admin("/v1/history?limit=200").await.json().await.unwrap();
    let revisions = history["revisions"].as_array().unwrap();
    for (revision, key) in all {
        let of_key = revisions.iter().find(|revision| revision["idempotencyKey"] == *key).unwrap();
        assert_eq!(
            (of_key["revision"].as_u64(), of_key["changes"].as_array().unwrap().len()),
            (revision, 1),
            "{of_key}"
        );
    }
}

/// A disk on which the journal cannot be rewritten: the commands of one caller fill the room that
/// is not reserved for stops, and no stop is lost by that. With room on the disk the journal holds
/// the pending entries, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn commands_of_one_caller_leave_room_for_stops() {
    let mut service = three_flags().await;
    service.take_database_away().await;
    let beside = service.data.join("pending.journal.new");
    fs::create_dir(&beside).unwrap();
    let mut step = 0;
    let long = "x".repeat(500);
    let mut lower = async |service: &Service, reason: &str| {
        step += 1;
        let body = json!({ "realtime-v2": "50%", "forMs": 86_400_000 + step, "reason": reason });
        order(service, &format!("{step:0128}"), "a/set", &body).await["survivesRestart"] == true
    };
    // To the last slot that is shorter than a stop.
    while lower(&service, &long).await {}
    while lower(&service, "x").await {}
    wait_until("the problem", async || problems(&service).await.contains("the journal is full"))
        .await;
    for key in ["b", "c"] {
        let reply = order(&service, key, &format!("{key}/stop"), &json!({ "reason": long })).await;
        assert_eq!(reply["survivesRestart"], true, "{reply}");
    }
    service.crash().await;
    service.restart().await;
    assert_eq!([live(&service, "b").await, live(&service, "c").await], ["STOPPED -> polling"; 2]);

    fs::remove_dir(&beside).unwrap();
    while !lower(&service, &long).await {}
    for _ in 0..4_000 {
        assert!(lower(&service, &long).await);
    }
    wait_until("no such problem", async || {
        !problems(&service).await.contains("the journal is full")
    })
    .await;
    let size = fs::metadata(service.data.join("pending.journal")).unwrap().len();
    assert_eq!(size, 4 * 1024 * 1024, "what is pending takes little");
    service.crash().await;
    service.restart().await;
    // Two stops, the split, and the one that the first start read.
    assert!(pending(&service).await <= 4, "{}", pending(&service).await);
}

/// Pending entries that do not fit make the journal grow.
#[test]
fn the_journal_grows_with_its_pending_entries() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("pending.journal");
    let mut journal = Journal::make(&path, None, &[], &Doubt::NONE).unwrap();
    let mut pending: Vec<PendingEntry> = Vec::new();
    for number in 0..400 {
        let mark = Attribution {
            by: "x".into(),
            at_ms: 1,
            reason: Some("r".repeat(20_000)),
            unknown: Unknown::default(),
        };
        let op = Overlay::Split { requested: None, held: None, mark, unknown: Unknown::default() };
        let (flag, action) = (format!("f{number}").parse().unwrap(), Action::Unset);
        let narrowed = vec![PendingChange { flag, action, op, unknown: Unknown::default() }];
        pending.push(entry(&format!("id-{number}"), "x", None, narrowed));
        if journal.append(&pending[number]).is_err() {
            journal.compact(&pending, &Doubt::NONE).unwrap();
        }
    }
    let FoundJournal::Good(contents) = Journal::look(&path) else { panic!("it is good") };
    assert_eq!(contents.entries.len(), pending.len());
    assert!(fs::metadata(&path).unwrap().len() > 8 * 1024 * 1024);
}

/// A stop of the most flags there may be, with the longest keys and the longest reason, is one
/// entry that fits.
#[test]
fn a_stop_of_every_flag_fits_into_the_journal() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("pending.journal");
    let mut journal = Journal::make(&path, None, &[], &Doubt::NONE).unwrap();
    let reason = Some("r".repeat(500));
    let mark = Arc::new(Attribution {
        by: "oncall".into(),
        at_ms: 1,
        reason: reason.clone(),
        unknown: Unknown::default(),
    });
    let stop = |number| PendingChange {
        flag: format!("{number:064}").parse().unwrap(),
        action: Action::Stop,
        op: Overlay::Stop(mark.clone()),
        unknown: Unknown::default(),
    };
    journal.append(&entry("all", "oncall", reason, (0..20_000).map(stop).collect())).unwrap();
    assert!(journal.used() < 2 * 1024 * 1024, "{} bytes", journal.used());
    let FoundJournal::Good(contents) = Journal::look(&path) else { panic!("it is good") };
    let stopped = &contents.entries[0].narrowed;
    assert!(
        stopped.len() == 20_000
            && stopped
                .iter()
                .all(|stopped| matches!(&stopped.op, Overlay::Stop(read) if *read == mark))
    );
}

fn entry(
    id: &str,
    actor: &str,
    reason: Option<String>,
    narrowed: Vec<PendingChange>,
) -> PendingEntry {
    PendingEntry {
        id: id.to_owned(),
        at_ms: 1,
        actor: actor.into(),
        origin: ChangeSource::Api,
        reason,
        request: None,
        narrowed,
        revoked: Vec::new(),
        superseded: Vec::new(),
        unknown: Unknown::default(),
    }
}

/// An idempotency key that the database knows for another request does not prove that this one was
/// committed.
#[tokio::test]
async fn a_stop_with_an_idempotency_key_of_another_request_is_kept() {
    for restarts in [false, true] {
        let mut service = three_flags().await;
        assert_eq!(
            order(&service, "alert-1", "b/stop", &json!({})).await["outcome"].as_str(),
            Some("committed")
        );
        let away = service.data.join("away");
        fs::rename(service.database(), &away).unwrap();
        service.reach_database_state("down").await;
        let reply = order(&service, "alert-1", "a/stop", &json!({})).await;
        assert_eq!(
            (&reply["outcome"], &reply["survivesRestart"]),
            (&"pending".into(), &true.into()),
            "{reply}"
        );
        // Sent again, it gets the same response.
        let again = order(&service, "alert-1", "a/stop", &json!({})).await;
        assert_eq!(again["survivesRestart"], true, "{again}");
        if restarts {
            service.crash().await;
        }
        fs::rename(&away, service.database()).unwrap();
        if restarts {
            service.restart().await;
        }
        wait_until("nothing to be pending", async || {
            service.database_state().await == "up" && pending(&service).await == 0
        })
        .await;
        // Whatever else changes, and after a restart.
        assert_eq!(service.order("/v1/flags/c/stop", json!({})).await.status(), 200);
        assert_eq!(live(&service, "a").await, "STOPPED -> polling");
        service.crash().await;
        service.restart().await;
        assert_eq!(live(&service, "a").await, "STOPPED -> polling", "restarts: {restarts}");
    }
}

/// A stop that was saved and lifted, and is sent again under its key with the database away: it is
/// acknowledged, so it holds, whatever stands under that key in the database.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_repeated_after_it_was_lifted_is_kept() {
    for restarts in [false, true] {
        let mut service = three_flags().await;
        let stop = async |service: &Service| order(service, "alert-1", "a/stop", &json!({})).await;
        assert_eq!(stop(&service).await["outcome"], "committed");
        assert_eq!(service.ordered("/v1/flags/a/resume", json!({ "reason": "over" })).await.0, 200);
        let away = service.data.join("away");
        fs::rename(service.database(), &away).unwrap();
        service.reach_database_state("down").await;
        for _ in 0..2 {
            let reply = stop(&service).await;
            assert_eq!(
                (&reply["outcome"], &reply["inForce"]),
                (&"pending".into(), &true.into()),
                "{reply}"
            );
        }
        if restarts {
            service.crash().await;
        }
        fs::rename(&away, service.database()).unwrap();
        if restarts {
            service.restart().await;
        }
        wait_until("nothing to be pending", async || {
            service.database_state().await == "up" && pending(&service).await == 0
        })
        .await;
        assert_eq!(live(&service, "a").await, "STOPPED -> polling", "restarts: {restarts}");
        // It is one stop: a later resume lifts it for good.
        assert_eq!(
            service.ordered("/v1/flags/a/resume", json!({ "reason": "over again" })).await.0,
            200
        );
        service.crash().await;
        service.restart().await;
        assert_eq!(live(&service, "a").await, "realtime-v2 50%", "restarts: {restarts}");
        let sound: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
        assert_eq!(sound["sound"], true, "{sound}");
    }
}
