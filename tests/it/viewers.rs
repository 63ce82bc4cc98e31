//! Nothing that reads gets in a stop's way: no reader, however often and however much it reads,
//! delays a command.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value as Json, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use turnout::http::{Readings, Source, Verified};
use turnout::store::VerifyReport;

use crate::support::readings::{AT_ONCE, WAITING_OF_CALLER};
use crate::support::{Service, flag, wait_until};

/// What a viewer may ask for that takes the longest to answer.
const WORST: [&str; 9] = [
    "/v1/status",
    "/v1/history?limit=200",
    "/v1/history/verify",
    "/metrics",
    "/v1/convergence",
    "/v1/problems",
    "/openapi.json",
    "/v1/flags/f0001",
    "/v1/flags/f0001/explain",
];
const FLAGS: usize = 500;
const CONNECTIONS: usize = 50;
const STOPS: usize = 100;
/// How long a stop may take.
const AT_MOST: Duration = Duration::from_secs(1);

async fn service(flags: usize) -> Service {
    let half = "rollout: { realtime-v2: 50% }";
    let files: Vec<(String, String)> =
        (0..flags).map(|n| (format!("f{n:04}.yaml"), flag(&format!("f{n:04}"), half))).collect();
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Service::start(&files).await
}

/// A connection that asks for one thing after the other until it is ended. Returns the responses
/// that it must not have got.
async fn look(
    (url, secret): (String, String),
    first: usize,
    ends: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
) -> Vec<(String, u16, String)> {
    let client = Client::new();
    let mut wrong = Vec::new();
    for turn in first.. {
        if ends.load(Relaxed) {
            break;
        }
        let path = WORST[turn % WORST.len()];
        let method = if path.ends_with("/explain") { Method::POST } else { Method::GET };
        let answer = client
            .request(method, format!("{url}{path}"))
            .bearer_auth(&secret)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        // Callers that ask for a verification share one.
        answered.fetch_add(usize::from(path != "/v1/history/verify"), Relaxed);
        let may_be = status == 200 || (path.contains("history") && body.contains("database-down"));
        if !may_be {
            wrong.push((path.to_owned(), status, body));
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_with_the_most_expensive_readings_delays_no_stop() {
    let service = service(FLAGS).await;
    let viewer = service.make_token("viewer", "viewer", json!({})).await;
    service.take_database_away().await;
    let (ends, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut looking = JoinSet::new();
    for first in 0..CONNECTIONS {
        let target = (service.admin_url(""), viewer.secret.clone());
        looking.spawn(look(target, first, ends.clone(), answered.clone()));
    }
    wait_until("every connection to read", async || answered.load(Relaxed) >= CONNECTIONS).await;

    let mut slowest = Duration::ZERO;
    for n in 0..STOPS {
        let began = Instant::now();
        let (status, reply) = service.ordered(&format!("/v1/flags/f{n:04}/stop"), json!({})).await;
        slowest = slowest.max(began.elapsed());
        assert_eq!((status, reply["outcome"].as_str()), (202, Some("pending")), "{reply}");
    }
    ends.store(true, Relaxed);
    let wrong = looking.join_all().await.concat();
    assert!(wrong.is_empty(), "{:?}", wrong.first());
    assert!(slowest < AT_MOST, "a stop took {slowest:?}");

    let readings = service.app.readings();
    let begun = (readings.begun() - readings.verifications()) as usize;
    assert!(
        begun >= answered.load(Relaxed),
        "{begun} of {} were answered among the readings",
        answered.load(Relaxed)
    );
    assert_eq!(readings.on_thread_of_orders(), 0);
    assert_eq!(readings.refused(), 0, "one viewer's connections wait for their turn");
}

#[tokio::test]
async fn hanging_readings_delay_no_command_and_waiting_ones_are_bounded() {
    let service = service(2).await;
    let viewer = service.make_token("viewer", "viewer", json!({})).await;
    let of_database = service.hang_readings(Source::Database, AT_ONCE).await;
    let of_memory = service.hang_readings(Source::Memory, AT_ONCE).await;
    let mut waiting = JoinSet::new();
    for _ in 0..WAITING_OF_CALLER {
        let asked =
            service.client.get(service.admin_url("/v1/status")).bearer_auth(&viewer.secret).send();
        waiting.spawn(async move { asked.await.unwrap().status().as_u16() });
    }
    wait_until("the others to wait", async || {
        service.app.readings().waiting() == WAITING_OF_CALLER
    })
    .await;
    let busy = service.call(Method::GET, "/v1/flags/f0001", Some(&viewer.secret)).await;
    assert_eq!(
        (busy.status().as_u16(), busy.headers()["retry-after"].to_str().unwrap()),
        (503, "1")
    );
    assert_eq!(busy.json::<Json>().await.unwrap()["code"], "busy");
    assert_eq!(service.app.readings().refused(), 1);

    // Calls that are not readings are answered all the same: commands, and whether the service
    // runs.
    let (status, reply) = service.ordered("/v1/flags/f0001/stop", json!({})).await;
    assert_eq!((status, reply["outcome"].as_str()), (200, Some("committed")), "{reply}");
    let (status, _) =
        service.ordered("/v1/flags/f0001/resume", json!({ "reason": "it works" })).await;
    assert_eq!(status, 200);
    assert_eq!(
        service.order(&format!("/v1/tokens/{}/revoke", viewer.id), json!({})).await.status(),
        200
    );
    assert_eq!(service.call(Method::GET, "/healthz", None).await.status(), 200);

    of_memory.let_go().await;
    of_database.let_go().await;
    // Their token was revoked while they waited.
    assert!(waiting.join_all().await.iter().all(|status| *status == 401));
}

#[tokio::test]
async fn a_hanging_database_delays_no_reading_of_the_live_state() {
    let service = service(2).await;
    let hanging = service.hang_readings(Source::Database, AT_ONCE).await;
    for path in [
        "/v1/status",
        "/v1/flags/f0001",
        "/metrics",
        "/v1/problems",
        "/v1/convergence",
        "/v1/history/verify",
    ] {
        assert_eq!(service.admin(path).await.status(), 200, "{path}");
    }
    hanging.let_go().await;
}

#[tokio::test]
async fn concurrent_verify_calls_share_one_verification() {
    let readings = Arc::new(Readings::default());
    let let_go = watch::Sender::new(false);
    let verify = || {
        let (readings, mut is_let_go) = (readings.clone(), let_go.subscribe());
        async move {
            let begin = || async move {
                drop(is_let_go.wait_for(|is_let_go| *is_let_go).await);
                Verified {
                    verdict: Ok(VerifyReport { revisions: 7, faults: Vec::new() }),
                    compared_with: Some(7),
                }
            };
            readings.verify(begin).await.unwrap().verdict.unwrap().revisions
        }
    };
    let mut asking: Vec<_> = (0..20).map(|_| Box::pin(verify())).collect();
    for asked in &mut asking {
        assert!(asked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(readings.verifications(), 1);
    let_go.send_replace(true);
    for asked in asking {
        assert_eq!(asked.await, 7);
    }
    assert_eq!(readings.verifications(), 1);
    // A later caller gets the then current result.
    assert_eq!(verify().await, 7);
    assert_eq!(readings.verifications(), 2);
}

/// A caller that hung up has not ended what others wait for.
#[tokio::test]
async fn a_verification_outlives_the_caller_that_began_it() {
    let service = service(2).await;
    let mut asked = Box::pin(service.admin("/v1/history/verify"));
    wait_until("a verification", async || {
        let _begun = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_ready())).await;
        service.app.readings().verifications() == 1
    })
    .await;
    drop(asked);
    let verdict: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
    assert_eq!(verdict["sound"], true, "{verdict}");
}

#[tokio::test]
async fn a_reading_shares_the_state_without_copying_it() {
    let service = service(2).await;
    let looks = [service.app.coordinator().state(), service.app.coordinator().state()];
    assert!(Arc::ptr_eq(&looks[0], &looks[1]));
    assert_eq!(service.ordered("/v1/flags/f0000/stop", json!({})).await.0, 200);
    let now = service.app.coordinator().state();
    let is_stopped = |state: &turnout::ledger::EffectiveState| {
        state.flag("f0000").unwrap().record.stop.is_some()
    };
    assert!(
        is_stopped(&now) && !is_stopped(&looks[0]),
        "what changes later does not show in an earlier look"
    );
}
