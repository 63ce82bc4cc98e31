//! The wall clock is set while credentials and splits expire: nothing is prolonged, nothing opens
//! early, and the change of the clock is reported.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use turnout::auth::{Algorithm, Sessions};
use turnout::clock::Clock;
use turnout::moment::Moment;

use crate::support::in_time::{TimeLeft, in_time};
use crate::support::issuer::{Issuer, claims, pins, with, without};
use crate::support::watcher::Watcher;
use crate::support::{Service, flag, wait_until};

const HOUR: i64 = 3_600_000;

/// A service, and a handle that sets its wall clock forward by this much.
async fn service(share: &str) -> (Service, Arc<AtomicI64>) {
    let (clock, set_by_ms) = Clock::that_can_be_set();
    let chat = flag("chat", &format!("rollout: {{ realtime-v2: {share} }}"));
    let other = flag("other", "rollout: { realtime-v2: 10% }");
    (Service::start_by(clock, &[("chat.yaml", &chat), ("other.yaml", &other)]).await, set_by_ms)
}

async fn share(service: &Service) -> Json {
    service.state("chat").await["live"].clone()
}

async fn problem(service: &Service) -> Option<String> {
    let reply: Json = service.admin("/v1/problems").await.json().await.unwrap();
    let problems = reply["problems"].as_array().unwrap();
    problems
        .iter()
        .find(|problem| problem["code"] == "clock")
        .map(|problem| problem["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_credential_ends_in_time_whichever_way_the_clock_is_set() {
    for by in [-HOUR, HOUR] {
        in_time(Duration::from_millis(1_500), async |life| ends_in_time(by, life).await).await;
    }
}

/// With the clock set by this much, shortly after the credential was made.
async fn ends_in_time(by: i64, life: Duration) -> Option<()> {
    let (service, set_by_ms) = service("10%").await;
    let left = TimeLeft::of(life);
    let expires = json!({ "expiresAfterMs": life.as_millis() as u64 });
    let token = service.make_token("short", "viewer", expires).await;
    let lasting = service.make_token("lasting", "viewer", json!({})).await;
    let shop = service.make_token("shop", "server", json!({ "expiresAfterMs": HOUR / 2 })).await;
    let mut stream =
        Watcher::open_as_server(&service, "/v1/strategy/chat/watch", &shop.secret).await;
    stream.next_state().await;
    let status = service.status_as(&token.secret).await;
    left.judge(|| assert_eq!(status, 200))?;
    set_by_ms.store(by, Relaxed);
    wait_until("the credential's end", async || service.status_as(&token.secret).await == 401)
        .await;
    // Set back, the wall clock comes to the expiry again in an hour: longer than a test waits.
    if by > 0 {
        assert_eq!(
            stream.next_state().await.data["reason"],
            "expired",
            "a stream goes with its credential"
        );
    }
    assert_eq!(service.status_as(&lasting.secret).await, 200, "others live on");
    // A credential that is made by the changed clock goes by that clock.
    let later = service.make_token("later", "viewer", json!({ "expiresAfterMs": HOUR / 2 })).await;
    assert_eq!(service.status_as(&later.secret).await, 200);
    Some(())
}

#[tokio::test]
async fn a_narrowing_expiry_happens_in_time_with_the_clock_set_back() {
    in_time(Duration::from_millis(1_500), async |trial| {
        let (service, set_by_ms) = service("10%").await;
        let for_ms = trial.as_millis() as u64;
        let order = json!({ "realtime-v2": "50%", "forMs": for_ms, "reason": "a trial" });
        let (held, left) = (Instant::now(), TimeLeft::of(trial));
        assert_eq!(service.ordered("/v1/flags/chat/set", order).await.0, 200);
        let before = share(&service).await;
        left.judge(|| assert_eq!(before, "realtime-v2 50%"))?;
        // The wall clock comes to the end again in an hour: longer than a test waits.
        set_by_ms.store(-HOUR, Relaxed);
        let is_over = async || share(&service).await == "realtime-v2 10%";
        wait_until("the end of the trial", is_over).await;
        // Clocks are read in whole milliseconds.
        let held = held.elapsed() + Duration::from_millis(1);
        assert!(held >= trial, "it ended after {held:?}");
        Some(())
    })
    .await;
}

#[tokio::test]
async fn a_widening_expiry_does_not_happen_early_with_the_clock_set_forward() {
    let (service, set_by_ms) = service("50%").await;
    let order = json!({ "realtime-v2": "5%", "forMs": 4_000, "then": "50%", "reason": "a pause" });
    let held = Instant::now();
    assert_eq!(service.ordered("/v1/flags/chat/set", order).await.0, 200);
    // Known by both clocks from its first sighting: if another's end was seen, so was this one.
    service
        .ordered(
            "/v1/flags/other/set",
            json!({ "realtime-v2": "20%", "forMs": 1, "reason": "a look" }),
        )
        .await;
    wait_until("a look at what ends", async || {
        service.state("other").await["live"] == "realtime-v2 10%"
    })
    .await;
    set_by_ms.store(HOUR, Relaxed);
    wait_until("the leap to be noticed", async || problem(&service).await.is_some()).await;
    wait_until("the end of the pause", async || share(&service).await == "realtime-v2 50%").await;
    assert!(held.elapsed() >= Duration::from_millis(3_900), "it opened after {:?}", held.elapsed());
}

#[tokio::test]
async fn a_clock_leap_is_a_problem_until_it_is_corrected() {
    let (service, set_by_ms) = service("10%").await;
    assert_eq!(problem(&service).await, None);
    for (by, says) in [(HOUR, "leapt 3600 s forward"), (-HOUR, "leapt 3600 s back")] {
        set_by_ms.store(by, Relaxed);
        wait_until(says, async || {
            problem(&service).await.is_some_and(|message| message.contains(says))
        })
        .await;
        set_by_ms.store(0, Relaxed);
        wait_until("the problem to heal", async || problem(&service).await.is_none()).await;
    }
}

#[tokio::test]
async fn commit_times_never_fall_and_the_true_times_are_kept_beside_them() {
    let (service, set_by_ms) = service("10%").await;
    let before = turnout::clock::wall_ms();
    assert_eq!(service.ordered("/v1/flags/chat/stop", json!({})).await.0, 200);
    set_by_ms.store(-HOUR, Relaxed);
    assert_eq!(
        service.ordered("/v1/flags/chat/resume", json!({ "reason": "a test" })).await.0,
        200
    );
    let history: Json = service.admin("/v1/history?limit=2").await.json().await.unwrap();
    let time = |index: usize, name: &str| history["revisions"][index][name].as_i64().unwrap();
    assert!(time(0, "committedAtMs") >= time(1, "committedAtMs"), "{history}");
    assert!(time(0, "effectiveAtMs") < before - HOUR / 2, "{history}");
    assert!(time(1, "effectiveAtMs") >= before, "{history}");
    let sound: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
    assert_eq!(sound["sound"], true);
}

/// Times are passed in: the test does not wait for a token to end.
#[test]
fn a_verified_session_token_ends_with_the_first_clock() {
    let issuer = Issuer::new(Algorithm::Es256, "key");
    let token =
        issuer.sign(&issuer.header(), &without(&with(&claims("u-1"), "exp", 3_000.into()), "iat"));
    let moment =
        |wall: i64, steady: i64| Moment { wall_ms: wall * 1_000, steady_ms: steady * 1_000 };
    // (a look at the token, and whether it is accepted), one after the other
    for looks in [
        &[(2_000, 0, true), (3_004, 1_004, true), (3_005, 1_005, false)][..],
        &[(2_000, 0, true), (1_000, 1_004, true), (1_001, 1_005, false), (500, 1_006, false)],
        &[(2_000, 0, true), (9_000, 1, false), (2_002, 2, true)],
        &[(2_900, 0, true), (-5_000, 104, true), (-5_000, 105, false)],
    ] {
        let sessions = Sessions::new(pins(Algorithm::Es256));
        sessions.take(issuer.jwks().as_bytes()).unwrap();
        for (wall, steady, good) in looks {
            assert_eq!(
                sessions.verify(&token, moment(*wall, *steady)).is_ok(),
                *good,
                "at {wall}, {steady}"
            );
        }
    }
}

/// Expiries at one moment are one step: one revision, and one snapshot for all.
#[tokio::test]
async fn expiries_at_one_time_are_one_revision() {
    let (clock, set_by_ms) = Clock::that_can_be_set();
    let files: Vec<_> = (0..20)
        .map(|n| (format!("f{n}.yaml"), flag(&format!("f{n}"), "rollout: { realtime-v2: 10% }")))
        .collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let service = Service::start_by(clock, &files).await;
    for n in 0..20 {
        let order = json!({ "realtime-v2": "50%", "forMs": HOUR, "reason": "a trial" });
        assert_eq!(service.ordered(&format!("/v1/flags/f{n}/set"), order).await.0, 200);
    }
    set_by_ms.store(2 * HOUR, Relaxed);
    for n in 0..20 {
        wait_until("the end of a trial", async || {
            service.state(&format!("f{n}")).await["live"] == "realtime-v2 10%"
        })
        .await;
    }
    wait_until("all to be saved", async || {
        let status: Json = service.admin("/v1/status").await.json().await.unwrap();
        status["pending"] == 0
    })
    .await;
    let reply: Json = service.admin("/v1/history?limit=5").await.json().await.unwrap();
    let expired: Vec<_> = reply["revisions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["origin"] == "expire")
        .collect();
    assert_eq!(expired.len(), 1, "{reply}");
    assert_eq!(expired[0]["changes"].as_array().unwrap().len(), 20);
}
