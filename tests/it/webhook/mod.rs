//! The webhook: every change arrives, in order and signed, whatever the receiver does; and the
//! webhook never reaches inside.

mod addresses;
mod outside;
mod receiver;
mod settings;

use std::path::{Path, PathBuf};

use crate::support::{Service, flag, wait_until};
use serde_json::{Value as Json, json};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use receiver::{Answer, PATH, Receiver, SECRET};

/// What the admin listener reports about the webhook.
struct Seen {
    behind: u64,
    problems: Vec<String>,
    metrics: String,
}

async fn seen(service: &Service) -> Seen {
    let metrics = service.admin("/metrics").await.text().await.unwrap();
    let behind = metrics
        .lines()
        .find_map(|line| line.strip_prefix("turnout_webhook_behind "))
        .unwrap()
        .parse()
        .unwrap();
    let delivered: Json = service.admin("/v1/problems").await.json().await.unwrap();
    let problems = delivered["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|problem| problem["code"] == "webhook");
    Seen {
        behind,
        problems: problems.map(|problem| problem["message"].as_str().unwrap().to_owned()).collect(),
        metrics,
    }
}

impl Seen {
    fn count(&self, outcome: &str) -> u64 {
        let row = format!("turnout_webhook_deliveries_total{{outcome=\"{outcome}\"}} ");
        self.metrics.lines().find_map(|line| line.strip_prefix(&row)).unwrap().parse().unwrap()
    }
}

async fn when_all_delivered(service: &Service) -> Seen {
    wait_until("everything is told", async || seen(service).await.behind == 0).await;
    seen(service).await
}

/// A command that succeeds whatever the one before left.
async fn flip(service: &Service) -> u64 {
    let stopped = service.order("/v1/flags/chat/stop", json!({})).await;
    let verb = if stopped.json::<Json>().await.unwrap()["outcome"] == "unchanged" {
        "resume"
    } else {
        return service.revision();
    };
    let order =
        service.order(&format!("/v1/flags/chat/{verb}"), json!({ "reason": "again" })).await;
    assert_eq!(order.status(), 200);
    service.revision()
}

fn database(data: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "db")).unwrap()
}

fn chat() -> String {
    flag("chat", "rollout: { realtime-v2: 50% }")
}

#[tokio::test]
async fn every_kind_of_change_arrives_once_in_order_and_signed() {
    let receiver = Receiver::start(Answer::Status(204)).await;
    let service = Service::start_telling(
        &[("chat.yaml", &chat()), ("other.yaml", &flag("other", ""))],
        receiver.webhook_config(),
    )
    .await;
    let file = |name: &str, text: &str| std::fs::write(service.flags.join(name), text).unwrap();
    let next = || service.revision() + 1;

    for (verb, body) in [
        ("set", json!({ "realtime-v2": "60%", "reason": "on" })),
        ("set", json!({ "realtime-v2": "10%" })),
        ("rollback", json!({ "reason": "back" })),
        ("unset", json!({ "reason": "as written" })),
        ("stop", json!({ "reason": "incident 4711" })),
        ("resume", json!({ "reason": "fixed" })),
    ] {
        let order = service.order(&format!("/v1/flags/chat/{verb}"), body).await;
        assert_eq!(order.status(), 200, "{verb}: {}", order.text().await.unwrap());
    }
    assert_eq!(service.order("/v1/stop", json!({})).await.status(), 200);
    assert_eq!(
        service.order("/v1/flags/chat/resume", json!({ "reason": "fixed" })).await.status(),
        200
    );
    let held = json!({ "realtime-v2": "70%", "forMs": 1, "reason": "for a moment" });
    let before = next();
    assert_eq!(service.order("/v1/flags/chat/set", held).await.status(), 200);
    service.reach(before + 1).await;
    for (name, text) in [
        ("chat.yaml", flag("chat", "rollout: { realtime-v2: 80% }")),
        (
            "segments/inner.yaml",
            "version: 1\nsegment: inner\nusers: [sentinel-user-4711]\n".to_owned(),
        ),
        ("new.yaml", flag("new", "allow: [{ segment: inner, strategy: realtime-v2 }]")),
        ("broken.yaml", "version: 1\nflag: broken\n".to_owned()),
    ] {
        let revision = next();
        file(name, &text);
        service.reach(revision).await;
    }
    let revision = next();
    std::fs::remove_file(service.flags.join("broken.yaml")).unwrap();
    service.reach(revision).await;

    let delivered = when_all_delivered(&service).await;
    assert!(delivered.problems.is_empty(), "{:?}", delivered.problems);
    let received = receiver.received();
    let history: Json = service.admin("/v1/history?limit=200").await.json().await.unwrap();
    let mut history = history["revisions"].as_array().unwrap().clone();
    history.reverse();
    assert_eq!(history[0]["revision"], 1, "what was there when it began is not told");
    let bodies: Vec<Json> = received.iter().map(|post| post.json()).collect();
    assert_eq!(bodies, history[1..], "each once, in order, as the history has it");
    assert_eq!(delivered.count("delivered"), bodies.len() as u64);

    let epoch = service.app.coordinator().store_status().epoch.unwrap();
    for post in &received {
        let revision = post.json()["revision"].as_u64().unwrap();
        assert!(
            post.is_signed_with(SECRET) && !post.is_signed_with("another-secret"),
            "{}",
            post.head
        );
        assert_eq!(post.header("turnout-webhook-id"), format!("{epoch}/{revision}"));
        assert!(post.header("turnout-webhook-timestamp").parse::<i64>().unwrap() > 1_700_000_000);
        assert_eq!(post.header("content-type"), "application/json");
        let text = String::from_utf8_lossy(&post.body).into_owned();
        assert!(!text.contains("sentinel") && !text.contains(&service.token()), "{text}");
        assert!(post.head.starts_with(&format!("POST {PATH} HTTP/1.1")), "{}", post.head);
    }
    let mut actions: Vec<&str> = bodies
        .iter()
        .flat_map(|body| body["changes"].as_array().unwrap())
        .map(|change| change["action"].as_str().unwrap())
        .collect();
    actions.sort_unstable();
    actions.dedup();
    assert_eq!(
        actions,
        ["define", "expire", "remove", "resume", "rollback", "set", "stop", "unset"]
    );
}

#[tokio::test]
async fn a_failing_receiver_is_retried_until_it_accepts_and_delays_nothing() {
    let elsewhere = Receiver::start(Answer::Status(200)).await;
    let receiver = Receiver::start(Answer::Status(200)).await;
    let service =
        Service::start_telling(&[("chat.yaml", &chat())], receiver.webhook_config()).await;
    let to = format!("http://{}/", elsewhere.address);
    // (what the receiver does, what the problem says, how it is counted)
    let table = [
        (Answer::Status(500), "it answered 500", "not-accepted"),
        (Answer::Status(404), "it answered 404", "not-accepted"),
        (Answer::Status(304), "it answered 304", "not-accepted"),
        (Answer::Redirect(301, to.clone()), "redirects are not followed", "not-accepted"),
        (Answer::Redirect(302, to.clone()), "redirects are not followed", "not-accepted"),
        (Answer::Redirect(307, to.clone()), "redirects are not followed", "not-accepted"),
        (Answer::Redirect(308, to), "redirects are not followed", "not-accepted"),
        (Answer::HangUp, "it cannot be reached", "not-reached"),
        (Answer::Reset, "it cannot be reached", "not-reached"),
        (Answer::Half, "it did not answer within 5 s", "timed-out"),
        (Answer::Silence, "it did not answer within 5 s", "timed-out"),
    ];
    for (answer, says, outcome) in table {
        receiver.answer(answer.clone());
        let before = seen(&service).await.count(outcome);
        let first = flip(&service).await;
        wait_until("the problem is shown", async || !seen(&service).await.problems.is_empty())
            .await;
        // Acknowledged while the receiver has not taken the one before.
        let second = flip(&service).await;
        let failing = seen(&service).await;
        assert_eq!((failing.behind, second), (2, first + 1), "{answer:?}");
        let problem = &failing.problems[0];
        assert!(problem.contains(says), "{answer:?}: {problem}");
        assert!(
            problem.contains(&format!("http://{}", receiver.address))
                && problem.contains(" since 2"),
            "{problem}"
        );
        assert!(!problem.contains("sentinel") && failing.problems.len() == 1, "{problem}");
        assert!(failing.count(outcome) > before, "{answer:?}: {}", failing.metrics);
        assert!(!failing.metrics.contains("sentinel"));

        receiver.answer(Answer::Status(200));
        let delivered = when_all_delivered(&service).await;
        assert!(delivered.problems.is_empty(), "{answer:?}: {:?}", delivered.problems);
    }
    let revisions = receiver.revisions();
    assert_eq!(
        revisions,
        (2..2 + revisions.len() as u64).collect::<Vec<_>>(),
        "each once and in order"
    );
    assert!(
        receiver.came().iter().all(|post| post.is_signed_with(SECRET)),
        "every try is signed anew"
    );
    assert!(elsewhere.came().is_empty(), "nothing went where a redirect pointed");
}

#[tokio::test]
async fn a_response_whose_body_never_arrives_counts_as_received() {
    let receiver = Receiver::start(Answer::WithoutBody).await;
    let service =
        Service::start_telling(&[("chat.yaml", &chat())], receiver.webhook_config()).await;
    flip(&service).await;
    flip(&service).await;
    when_all_delivered(&service).await;
    assert_eq!(receiver.revisions(), [2, 3]);
}

#[tokio::test]
async fn a_hanging_receiver_delays_no_command_and_no_save() {
    let receiver = Receiver::start(Answer::Silence).await;
    let service =
        Service::start_telling(&[("chat.yaml", &chat())], receiver.webhook_config()).await;
    flip(&service).await;
    wait_until("the receiver hangs", async || !receiver.came().is_empty()).await;
    for _ in 0..20 {
        flip(&service).await;
    }
    std::fs::write(service.flags.join("chat.yaml"), flag("chat", "rollout: { realtime-v2: 51% }"))
        .unwrap();
    service.reach(23).await;
    assert!(receiver.received().is_empty(), "it still hangs");
    receiver.answer(Answer::Status(200));
    when_all_delivered(&service).await;
    assert_eq!(receiver.revisions(), (2..=23).collect::<Vec<_>>());
}

#[tokio::test]
async fn webhook_delivery_resumes_after_a_restart() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let mut service =
        Service::start_telling(&[("chat.yaml", &chat())], receiver.webhook_config()).await;
    flip(&service).await;
    when_all_delivered(&service).await;
    receiver.answer(Answer::Status(503));
    flip(&service).await;
    flip(&service).await;
    wait_until("it fails", async || !seen(&service).await.problems.is_empty()).await;
    service.stop().await;

    // Without a webhook nothing is sent, and nothing is forgotten.
    let webhook_config = service.config.webhook.take();
    service.restart().await;
    flip(&service).await;
    assert!(!service.admin("/metrics").await.text().await.unwrap().contains("turnout_webhook"));
    service.stop().await;

    std::fs::write(service.flags.join("chat.yaml"), flag("chat", "rollout: { realtime-v2: 51% }"))
        .unwrap();
    receiver.answer(Answer::Status(200));
    service.config.webhook = webhook_config;
    service.restart().await;
    flip(&service).await;
    when_all_delivered(&service).await;
    assert_eq!(receiver.revisions(), [2, 3, 4, 5, 6, 7]);
    let ids: Vec<String> = receiver
        .received()
        .iter()
        .map(|post| post.header("turnout-webhook-id").to_owned())
        .collect();
    let epoch = service.app.coordinator().store_status().epoch.unwrap();
    assert!(ids.iter().all(|id| id.starts_with(&epoch)), "{ids:?}");
}

#[tokio::test]
async fn changes_made_without_the_database_are_delivered_when_it_is_back() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let service =
        Service::start_telling(&[("chat.yaml", &chat())], receiver.webhook_config()).await;
    flip(&service).await;
    when_all_delivered(&service).await;
    // Read from the database before it is lost, and received after.
    receiver.answer(Answer::Status(503));
    flip(&service).await;
    wait_until("it fails", async || !seen(&service).await.problems.is_empty()).await;
    let (there, away) = (database(&service.data), service.data.join("away"));
    std::fs::rename(&there, &away).unwrap();
    assert_eq!(service.order("/v1/flags/chat/stop", json!({})).await.status(), 202);
    receiver.answer(Answer::Status(200));
    wait_until("it takes what was read before", async || receiver.revisions() == [2, 3]).await;
    std::fs::rename(&away, &there).unwrap();
    wait_until("the stop is told", async || receiver.revisions().contains(&4)).await;
    assert_eq!(
        (receiver.revisions(), when_all_delivered(&service).await.problems.len()),
        (vec![2, 3, 4], 0)
    );
    wait_until("its place is written down", async || {
        let store = service.app.coordinator().store().unwrap();
        store.cursor("webhook").await.unwrap() == Some(4)
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_revision_is_reported_and_skipped() {
    let receiver = Receiver::start(Answer::Status(503)).await;
    let service =
        Service::start_telling(&[("chat.yaml", &chat())], receiver.webhook_config()).await;
    for _ in 0..4 {
        flip(&service).await;
    }
    let database = database(&service.data);
    let mut connection = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    for altering in [
        "UPDATE changes SET action = 'conjure' WHERE revision = 3",
        "DELETE FROM revisions WHERE revision = 4",
    ] {
        sqlx::query(altering).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();

    receiver.answer(Answer::Status(200));
    let delivered = when_all_delivered(&service).await;
    assert_eq!((receiver.revisions(), delivered.count("skipped")), (vec![2, 5], 2));
    assert!(
        delivered.problems.len() == 1
            && delivered.problems[0].contains("was not told of revision 4"),
        "{:?}",
        delivered.problems
    );
}
