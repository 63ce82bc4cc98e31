//! What streams prove about a change: a table of what may happen to one stream, and the counts on
//! the real service.

use std::time::Duration;

use crate::support::watcher::Watcher;
use crate::support::{Service, flag, wait_until};
use serde_json::{Value as Json, json};
use turnout::convergence::{
    ANSWERS_WITHIN_MS, Amount, DeliveryState, Opener, Pollers, PollersSeen, Progress, Streams,
    Subscription, TooManyStreams,
};
use turnout::http::StreamLimits;
use turnout::snapshot::Position;

/// What happens to one stream, one millisecond after the other.
#[derive(Clone, Copy, Debug)]
enum Happens {
    /// A position was evaluated, and nothing had to be sent.
    Same(u64),
    /// A document was written.
    Told(u64),
    /// A document of the first position was written when the second was evaluated.
    ToldLater(u64, u64),
    /// The writing of a document began and has not ended.
    Telling(u64),
    Heartbeat,
    /// The client acknowledged.
    Ack(u64),
    /// The client acknowledged a position it was never sent.
    BadAck(u64),
    Wait(u64),
}

fn at(revision: u64) -> Position {
    Position { revision, pending: 0 }
}

fn check(target: u64, history: &[Happens], verdict: DeliveryState, settled_at_ms: Option<u64>) {
    use Happens::{Ack, BadAck, Heartbeat, Same, Telling, Told, ToldLater, Wait};
    let (mut progress, mut now_ms) = (Progress::default(), 0);
    for happens in history {
        now_ms += 1;
        match *happens {
            Same(position) => progress.unchanged(at(position), now_ms),
            Told(position) => {
                progress.sending(at(position), at(position));
                progress.sent(now_ms);
            }
            ToldLater(position, looked_at) => {
                progress.sending(at(position), at(looked_at));
                progress.sent(now_ms);
            }
            Telling(position) => progress.sending(at(position), at(position)),
            Heartbeat => progress.heartbeat_sent(now_ms),
            Ack(position) => assert!(progress.acknowledged(at(position), now_ms), "{history:?}"),
            BadAck(position) => {
                assert!(!progress.acknowledged(at(position), now_ms), "{history:?}");
            }
            Wait(ms) => now_ms += ms,
        }
    }
    let found = (progress.verdict(at(target), now_ms), progress.settled_at_ms(at(target), now_ms));
    assert_eq!(found, (verdict, settled_at_ms), "a change at {target}, after {history:?}");
}

#[test]
fn no_delivery_state_is_reported_for_another() {
    use DeliveryState::{Confirmed, Missing, NotNeeded};
    use Happens::{Ack, BadAck, Heartbeat, Same, Telling, Told, ToldLater, Wait};
    const LONG: Happens = Wait(ANSWERS_WITHIN_MS + 1);
    let table: [(u64, &[Happens], DeliveryState, Option<u64>); 26] = [
        (5, &[], Missing, None),
        (5, &[Telling(5)], Missing, None),
        // Never acknowledged anything: it was sent the change, and no more is known.
        (5, &[Told(5)], DeliveryState::Told, None),
        (5, &[Told(4)], Missing, None),
        (5, &[Told(4), Same(5)], DeliveryState::Told, None),
        (5, &[Told(5), LONG], DeliveryState::Told, None),
        // Acknowledged.
        (5, &[Told(4), Ack(4), Told(5), Ack(5)], Confirmed, Some(4)),
        (5, &[Told(5), Ack(5), Told(6)], Confirmed, Some(3)),
        (6, &[Told(5), Ack(5), Told(6)], Missing, None),
        (6, &[Told(5), Ack(5), Told(6), Ack(5)], Missing, None),
        // The heartbeat after it, which carries the position that was evaluated.
        (5, &[Told(4), Ack(4), ToldLater(5, 6), Heartbeat, Ack(6)], Confirmed, Some(5)),
        (6, &[Told(4), Ack(4), ToldLater(5, 6), Heartbeat, BadAck(7)], NotNeeded, Some(3)),
        // The acknowledgement came before the writer had recorded that the event was written.
        (5, &[Told(4), Ack(4), Telling(5), Ack(5)], Missing, None),
        // Not needed.
        (5, &[Told(4), Ack(4), Same(5)], NotNeeded, Some(3)),
        (5, &[Told(4), Ack(4)], Missing, None),
        (5, &[Told(4), Same(5), Ack(4)], NotNeeded, Some(2)),
        (5, &[Told(4), Ack(4), Same(5), LONG], NotNeeded, Some(3)),
        (5, &[Told(4), Ack(4), Same(5), Heartbeat], NotNeeded, Some(3)),
        // It had time to answer the heartbeat, and did not.
        (5, &[Told(4), Ack(4), Same(5), Heartbeat, LONG], Missing, None),
        (5, &[Told(4), Ack(4), Heartbeat, LONG, Same(5)], Missing, None),
        (5, &[Told(4), Ack(4), Same(5), Heartbeat, LONG, Heartbeat], Missing, None),
        (5, &[Told(4), Ack(4), Same(5), Heartbeat, LONG, Ack(5)], NotNeeded, Some(3)),
        // Frozen when the change came: what its system still accepts for it proves nothing.
        (5, &[Told(4), Ack(4), Told(5), LONG], Missing, None),
        // A position it was never sent proves nothing.
        (5, &[Told(4), BadAck(5)], Missing, None),
        (5, &[BadAck(5), Told(5)], DeliveryState::Told, None),
        (5, &[Told(4), Ack(4), Same(5), BadAck(6)], NotNeeded, Some(3)),
    ];
    for (target, history, verdict, settled_at_ms) in table {
        check(target, history, verdict, settled_at_ms);
    }
}

#[test]
fn an_acknowledgement_before_the_write_is_recorded_counts() {
    let mut progress = Progress::default();
    progress.sending(at(5), at(5));
    assert!(progress.acknowledged(at(5), 1));
    progress.sent(2);
    assert_eq!(
        (progress.verdict(at(5), 3), progress.settled_at_ms(at(5), 3)),
        (DeliveryState::Confirmed, Some(2))
    );
}

#[test]
fn an_acknowledgement_name_belongs_to_one_stream() {
    let streams = std::sync::Arc::new(Streams::new(Amount { streams: 2, bytes: 100 }));
    let first = streams.open(Subscription::All, Opener::default(), 7, 0).unwrap();
    let name = first.name();
    assert_eq!(name.to_string().parse(), Ok(name));
    for wrong in ["", "-", "0", "0-", "zz-1", "ffffffffffffffffff-1"] {
        assert!(wrong.parse::<turnout::convergence::AckId>().is_err(), "{wrong}");
    }
    let _second = streams.open(Subscription::All, Opener::default(), 8, 0).unwrap();
    assert!(
        streams.open(Subscription::All, Opener::default(), 9, 0).is_err(),
        "there is no room for a third"
    );
    drop(first);
    // The next stream has the same slot, and another name.
    let next = streams.open(Subscription::All, Opener::default(), 9, 0).unwrap();
    assert!(next.name() != name && streams.acknowledge(name, at(0), 0).is_err());
    assert_eq!(
        (streams.count(), streams.opened(), streams.refused().next()),
        (2, 3, Some((TooManyStreams::Streams, 1)))
    );
}

#[test]
fn pollers_are_counted_by_their_last_request() {
    let pollers = Pollers::default();
    let ask = |now_ms: u64, flag: &str, users: std::ops::Range<u32>| {
        pollers.tick(now_ms);
        users.for_each(|user| pollers.record(flag, &format!("u-{user}")));
    };
    ask(1_000, "a", 0..100);
    ask(1_000, "b", 0..50);
    ask(2_000, "", 1_000..1_010);
    ask(10_000, "a", 0..30);
    let near = |found: usize, wanted: usize| found <= wanted && found + 3 >= wanted;
    let PollersSeen { seen, asked_since } = pollers.seen(Some("a"), 5_000);
    assert!(near(seen, 110) && near(asked_since, 30), "{seen} {asked_since}");
    let PollersSeen { seen, asked_since } = pollers.seen(None, 1_500);
    assert!(near(seen, 160) && near(asked_since, 40), "{seen} {asked_since}");
    // A user who has not asked for minutes no longer counts as polling.
    pollers.tick(125_000);
    let PollersSeen { seen, asked_since } = pollers.seen(Some("a"), 500);
    assert!(near(seen, 30) && near(asked_since, 30), "{seen} {asked_since}");
}

/// A client that acknowledges every event.
async fn acknowledge(service: &Service, stream: &mut Watcher, name: &Json) -> String {
    let position = stream.next().await.id.unwrap();
    let body = json!({ "ackId": name, "position": position }).to_string();
    assert_eq!(service.post("/v1/watch/ack", body).await.status(), 204);
    position
}

async fn counts(service: &Service, path: &str) -> Json {
    service.admin(path).await.json().await.unwrap()
}

/// Streams of a flag, each with what its client does about the position it is sent.
struct RollbackStreams {
    service: Service,
    /// Acknowledges everything.
    answers: Watcher,
    /// Acknowledges its first position; no change of the share affects it.
    vip: Watcher,
    /// Acknowledges its first position, and nothing later.
    frozen: Watcher,
    /// Never acknowledges.
    _silent: Watcher,
    /// Watches another flag.
    _elsewhere: Watcher,
    /// The names of the first three, by which they acknowledge.
    names: [Json; 3],
    /// Where the first heard of the end of the rollout: `2`, or `1+1` while that is not yet saved.
    heard_at: String,
}

const CONVERGENCE: &str = "/v1/flags/chat/convergence";

impl RollbackStreams {
    /// Opens the streams, then ends the rollout; returns once the first has heard that.
    async fn open(heartbeat: Duration) -> RollbackStreams {
        let limits = StreamLimits { heartbeat, ..StreamLimits::default() };
        let lines =
            "allow: [{ users: [u-vip], strategy: realtime-v2 }]\nrollout: { realtime-v2: 100% }";
        let files = [("chat.yaml", &*flag("chat", lines)), ("other.yaml", &*flag("other", ""))];
        let service = Service::start_streaming(&files, limits).await;
        let before = counts(&service, CONVERGENCE).await;
        assert_eq!(
            (&before["position"], &before["liveAtMs"], &before["streams"]["open"]),
            (&json!("1"), &json!(null), &json!(0))
        );
        let mut answers = Watcher::of_user(&service, "chat", "u-1").await;
        let mut vip = Watcher::of_user(&service, "chat", "u-vip").await;
        let mut silent = Watcher::open(&service, "/v1/watch", r#"{"targetingKey":"u-3"}"#).await;
        let mut frozen = Watcher::of_user(&service, "chat", "u-4").await;
        let elsewhere = Watcher::of_user(&service, "other", "u-5").await;
        let mut names = [Json::Null, Json::Null, Json::Null];
        for (stream, name) in [&mut answers, &mut vip, &mut frozen].into_iter().zip(&mut names) {
            let first = stream.next().await;
            let body = json!({ "ackId": first.data["ackId"], "position": first.id }).to_string();
            assert_eq!(service.post("/v1/watch/ack", body).await.status(), 204);
            *name = first.data["ackId"].clone();
        }
        silent.next().await;
        service.order("/v1/flags/chat/set", json!({ "realtime-v2": "0%" })).await;
        let heard = answers.next_state().await;
        assert_eq!(heard.strategy(), "polling");
        let heard_at = heard.id.unwrap();
        let (_silent, _elsewhere) = (silent, elsewhere);
        RollbackStreams { service, answers, vip, frozen, _silent, _elsewhere, names, heard_at }
    }
}

#[tokio::test]
async fn convergence_shows_a_rollback_landing() {
    // No heartbeat comes that a stream does not answer.
    let streams = RollbackStreams::open(Duration::from_secs(3_600)).await;
    let service = &streams.service;
    let counted = counts(service, CONVERGENCE).await;
    assert_eq!(
        counted["streams"],
        json!({ "open": 4, "confirmed": 0, "notNeeded": 1, "told": 1, "missing": 2, "ended": 0 }),
        "{counted}"
    );
    assert_eq!(counted["missingSinceMs"], counted["liveAtMs"]);
    let body = json!({ "ackId": streams.names[0], "position": streams.heard_at }).to_string();
    assert_eq!(service.post("/v1/watch/ack", body).await.status(), 204);
    let confirmed = counts(service, CONVERGENCE).await;
    assert_eq!(
        confirmed["streams"],
        json!({ "open": 4, "confirmed": 1, "notNeeded": 1, "told": 1, "missing": 1, "ended": 0 })
    );
    assert_eq!(
        (confirmed["reached"]["p50Ms"].is_u64(), &confirmed["reached"]["p90Ms"]),
        (true, &json!(null))
    );
}

#[tokio::test]
async fn convergence_shows_who_answers_no_heartbeat() {
    let mut streams = RollbackStreams::open(Duration::from_millis(700)).await;
    let service = &streams.service;
    wait_until("an unanswered heartbeat is noticed", async || {
        acknowledge(service, &mut streams.answers, &streams.names[0]).await;
        counts(service, CONVERGENCE).await["streams"]
            == json!({ "open": 4, "confirmed": 1, "notNeeded": 0, "told": 1, "missing": 2, "ended": 0 })
    })
    .await;
    wait_until("the one to whom it is nothing answers", async || {
        acknowledge(service, &mut streams.vip, &streams.names[1]).await;
        counts(service, CONVERGENCE).await["streams"]["notNeeded"] == 1
    })
    .await;
    wait_until("the frozen one comes back to life", async || {
        acknowledge(service, &mut streams.frozen, &streams.names[2]).await;
        let streams = &counts(service, CONVERGENCE).await["streams"];
        streams["missing"] == 0 && streams["confirmed"] == 2
    })
    .await;

    // The status of all flags says the same, and the total is the newest of all.
    let of_all = async || {
        let status = counts(service, "/v1/status").await;
        let of_flag = counts(service, CONVERGENCE).await["streams"].clone();
        assert_eq!(
            (&status["streams"]["open"], &status["flags"][1]["clients"]["open"]),
            (&json!(5), &json!(2))
        );
        status["flags"][0]["clients"] == of_flag
    };
    // A heartbeat may come between the two looks.
    wait_until("both to say the same", of_all).await;
    assert_eq!(counts(service, "/v1/convergence").await["streams"]["open"], 5);
    assert_eq!(service.admin("/v1/flags/none/convergence").await.status(), 404);
}

#[tokio::test]
async fn convergence_shows_pollers_asking_again() {
    let service =
        Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 100% }"))]).await;
    for user in 0..20 {
        service.ask("chat", &format!("u-{user}")).await;
    }
    tokio::time::sleep(Duration::from_millis(600)).await; // two ticks: what was before is before
    service.order("/v1/flags/chat/stop", json!({})).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let seen = |json: Json| {
        (json["pollers"]["seen"].as_u64().unwrap(), json["pollers"]["askedSince"].as_u64().unwrap())
    };
    assert_eq!(seen(counts(&service, "/v1/flags/chat/convergence").await), (20, 0));
    for user in 0..5 {
        service.ask("chat", &format!("u-{user}")).await;
    }
    assert_eq!(seen(counts(&service, "/v1/flags/chat/convergence").await), (20, 5));
}
