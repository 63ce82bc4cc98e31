//! The keys of our own sessions: a new one is published before it signs, an old one believed after,
//! and a revoked one refused at once, across a crash too.

use std::fs;
use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value as Json, json};
use turnout::clock::Clock;

use crate::support::issuer::{Issuer, base64};
use crate::support::{Service, flag, wait_until};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

async fn mint(service: &Service) -> Result<String, String> {
    let day = json!({ "targetingKey": "u-1", "ttlMs": 86_400_000 });
    let reply: Json = service.order("/v1/sessions", day).await.json().await.unwrap();
    match reply["session"].as_str() {
        Some(session) => Ok(session.to_owned()),
        None => Err(reply["code"].as_str().unwrap().to_owned()),
    }
}

async fn accepts(service: &Service, session: &str) -> bool {
    let request = service.client.get(service.url("/v1/strategy/a")).bearer_auth(session);
    request.send().await.unwrap().status() == 200
}

/// The ids of the published keys, in their order.
async fn published(service: &Service) -> Vec<String> {
    let jwks = service.client.get(service.url("/.well-known/jwks.json")).send().await.unwrap();
    assert_eq!(jwks.headers()["cache-control"], "public, max-age=600");
    let jwks: Json = jwks.json().await.unwrap();
    let keys = jwks["keys"].as_array().unwrap().iter();
    keys.inspect(|key| assert!(key.get("d").is_none(), "a secret is published"))
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

/// The key that signed a token.
fn key_of(session: &str) -> String {
    use base64::Engine;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(session.split('.').next().unwrap())
        .unwrap();
    serde_json::from_slice::<Json>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

async fn revoke(service: &Service, id: &str) -> (u16, Json) {
    let answer = service.order(&format!("/v1/keys/{id}/revoke"), json!({})).await;
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_rotation_refuses_nothing_before_its_time_and_accepts_nothing_after() {
    let (clock, set_by_ms) = Clock::that_can_be_set();
    let mut service = Service::start_by(clock, &[("a.yaml", &flag("a", ""))]).await;
    let first = mint(&service).await.unwrap();
    let old = key_of(&first);
    assert_eq!(published(&service).await, [&*old]);
    let rotated: Json = service.order("/v1/keys/rotate", json!({})).await.json().await.unwrap();
    assert_eq!(rotated["survivesRestart"], true);
    let both = published(&service).await;
    assert_eq!(both.len(), 2, "the new key is published at once");
    assert_eq!(key_of(&mint(&service).await.unwrap()), old, "and does not sign yet");
    // A crash changes nothing of that.
    service.crash().await;
    service.restart().await;
    assert_eq!(published(&service).await, both);
    set_by_ms.store(20 * MINUTE + 1_000, Relaxed);
    let second = mint(&service).await.unwrap();
    assert_eq!(key_of(&second), both[1], "it signs after twenty minutes");
    assert!(accepts(&service, &first).await && accepts(&service, &second).await);
    set_by_ms.store(25 * HOUR + 19 * MINUTE, Relaxed);
    assert_eq!(published(&service).await, both, "the old one is believed for 25 hours");
    set_by_ms.store(25 * HOUR + 21 * MINUTE, Relaxed);
    wait_until("the old key is over", async || published(&service).await == both[1..]).await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_and_after_a_crash() {
    let (clock, set_by_ms) = Clock::that_can_be_set();
    let mut service = Service::start_by(clock, &[("a.yaml", &flag("a", ""))]).await;
    let first = mint(&service).await.unwrap();
    service.order("/v1/keys/rotate", json!({})).await;
    set_by_ms.store(20 * MINUTE + 1_000, Relaxed);
    let second = mint(&service).await.unwrap();
    assert!(accepts(&service, &first).await && accepts(&service, &second).await);
    let (status, reply) = revoke(&service, &key_of(&first)).await;
    assert_eq!((status, &reply["survivesRestart"]), (200, &json!(true)), "{reply}");
    assert!(!accepts(&service, &first).await, "what was accepted a moment before");
    assert!(accepts(&service, &second).await);
    service.crash().await;
    service.restart().await;
    assert!(!accepts(&service, &first).await && accepts(&service, &second).await);
    assert_eq!(revoke(&service, &key_of(&first)).await.0, 404, "it is gone");

    // Where no key is left, another one signs.
    assert_eq!(revoke(&service, &key_of(&second)).await.0, 200);
    assert!(!accepts(&service, &second).await);
    let third = mint(&service).await.unwrap();
    assert!(accepts(&service, &third).await);
    for id in ["", "x", "..%2fx", &base64([7; 32])] {
        assert_eq!(revoke(&service, id).await.0, 404, "{id}");
    }
}

/// Where the key that signs is revoked, one that was over already is not believed again.
#[tokio::test]
async fn a_key_that_is_over_stays_over_when_the_next_is_revoked() {
    let (clock, set_by_ms) = Clock::that_can_be_set();
    let mut service = Service::start_by(clock, &[("a.yaml", &flag("a", ""))]).await;
    let old = published(&service).await;
    service.order("/v1/keys/rotate", json!({})).await;
    set_by_ms.store(25 * HOUR + 21 * MINUTE, Relaxed);
    let new = mint(&service).await.unwrap();
    wait_until("the old key is over", async || published(&service).await == [key_of(&new)]).await;
    assert_eq!(revoke(&service, &key_of(&new)).await.0, 200);
    assert!(!accepts(&service, &new).await);
    let third = mint(&service).await.unwrap();
    assert!(accepts(&service, &third).await);
    assert!(key_of(&third) != old[0] && key_of(&third) != key_of(&new));
    service.crash().await;
    service.restart().await;
    assert_eq!(published(&service).await, [key_of(&third)]);
}

#[tokio::test]
async fn nothing_is_made_over_keys_that_do_not_read() {
    let mut service = Service::start(&[("a.yaml", &flag("a", ""))]).await;
    let session = mint(&service).await.unwrap();
    let path = service.data.join("issuer.keys");
    let good = fs::read(&path).unwrap();
    let newer =
        String::from_utf8(good.clone()).unwrap().replace("\"min_reader\": 1", "\"min_reader\": 9");
    for bad in [&b"{"[..], b"", &good[..good.len() / 2], newer.as_bytes()] {
        service.stop().await;
        fs::write(&path, bad).unwrap();
        service.restart().await;
        assert_eq!(mint(&service).await, Err("issuer-unavailable".to_owned()));
        assert!(!accepts(&service, &session).await);
        assert_eq!(published(&service).await, [""; 0]);
        let problems = service.admin("/v1/problems").await.text().await.unwrap();
        assert!(problems.contains("issuer-keys"), "{problems}");
        assert_eq!(fs::read(&path).unwrap(), bad, "it is left as it is");
    }
    // It is read again by itself.
    fs::write(&path, &good).unwrap();
    wait_until("the keys are back", async || accepts(&service, &session).await).await;
    let problems = service.admin("/v1/problems").await.text().await.unwrap();
    assert!(!problems.contains("issuer-keys"), "{problems}");
}

/// The keys are known while the service runs: a damaged file is kept beside and written again.
#[tokio::test]
async fn a_file_that_is_damaged_while_its_keys_are_known_is_written_again() {
    let mut service = Service::start(&[("a.yaml", &flag("a", ""))]).await;
    let session = mint(&service).await.unwrap();
    let path = service.data.join("issuer.keys");
    let good = fs::read(&path).unwrap();
    for bad in [&b"garbage"[..], b"", &good[..good.len() / 2]] {
        fs::write(&path, bad).unwrap();
        wait_until("it is written again", async || fs::read(&path).unwrap() == good).await;
        assert_eq!(fs::read(service.data.join("issuer.keys.damaged")).unwrap(), bad);
    }
    service.crash().await;
    service.restart().await;
    assert!(accepts(&service, &session).await);
    // A newer build's file is left as it is, and told.
    let newer = String::from_utf8(good).unwrap().replace("\"min_reader\": 1", "\"min_reader\": 9");
    fs::write(&path, &newer).unwrap();
    service.reach_problems(|problems| problems == 1).await;
    assert!(accepts(&service, &session).await);
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
}

#[tokio::test]
async fn keys_that_a_person_lists_are_rotated_in_their_file_and_revoked_here() {
    use turnout::auth::TokenKind;
    let (home, one, two) = (
        tempfile::TempDir::new().unwrap(),
        Issuer::own(TokenKind::Session),
        Issuer::own(TokenKind::Session),
    );
    fs::create_dir(home.path().join("flags")).unwrap();
    fs::write(home.path().join("flags/a.yaml"), flag("a", "")).unwrap();
    let path = home.path().join("issuer.pem");
    fs::write(&path, one.private_pem()).unwrap();
    let mut config = crate::support::config(home.path());
    config.access.issuer_keys = Some(path.clone());
    let mut service = Service::start_as(home, config).await;
    assert_eq!(published(&service).await, [&*one.key_id]);
    assert!(accepts(&service, &one.token("u-1")).await);
    assert!(!accepts(&service, &two.token("u-1")).await);
    let answer = service.order("/v1/keys/rotate", json!({})).await;
    assert_eq!(answer.status(), 400, "its file is a person's");
    fs::write(&path, two.private_pem() + &one.private_pem()).unwrap();
    wait_until("the file is read", async || accepts(&service, &two.token("u-1")).await).await;
    assert_eq!(key_of(&mint(&service).await.unwrap()), two.key_id, "the first signs");
    assert!(accepts(&service, &one.token("u-1")).await);
    // A file that does not read changes nothing.
    let too_many = one.private_pem().repeat(17);
    for bad in ["-----BEGIN PRIVATE KEY-----\n", &too_many] {
        fs::write(&path, bad).unwrap();
        service.reach_problems(|problems| problems == 1).await;
        assert!(accepts(&service, &two.token("u-1")).await);
        fs::write(&path, two.private_pem() + &one.private_pem()).unwrap();
        service.reach_problems(|problems| problems == 0).await;
    }
    let fifteen = (0..15).map(|_| Issuer::own(TokenKind::Session).private_pem());
    fs::write(&path, two.private_pem() + &fifteen.collect::<String>()).unwrap();
    wait_until("sixteen are as many as may", async || published(&service).await.len() == 16).await;
    assert!(accepts(&service, &mint(&service).await.unwrap()).await);
    fs::write(&path, two.private_pem() + &one.private_pem()).unwrap();
    service.reach_problems(|problems| problems == 0).await;
    assert_eq!(revoke(&service, &two.key_id).await.0, 200);
    assert!(!accepts(&service, &two.token("u-1")).await, "although the file lists it");
    service.crash().await;
    service.restart().await;
    assert!(!accepts(&service, &two.token("u-1")).await);
    assert_eq!(key_of(&mint(&service).await.unwrap()), one.key_id);
}

/// Sessions of the old key are asked with all the time, also while the key is revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_a_rotation_refuses_none_and_a_revocation_all_that_come_after() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    #[derive(Default)]
    struct Load {
        is_being_revoked: AtomicBool,
        is_revoked: AtomicBool,
        is_over: AtomicBool,
        asked: AtomicUsize,
        refused_early: AtomicUsize,
        accepted_late: AtomicUsize,
    }
    let (clock, set_by_ms) = Clock::that_can_be_set();
    let service = Arc::new(Service::start_by(clock, &[("a.yaml", &flag("a", ""))]).await);
    let (old, load) = (mint(&service).await.unwrap(), Arc::new(Load::default()));
    let ask = |service: Arc<Service>, old: String, load: Arc<Load>| async move {
        while !load.is_over.load(Relaxed) {
            let was_revoked = load.is_revoked.load(Relaxed);
            let is_accepted = accepts(&service, &old).await;
            let is_early = !is_accepted && !load.is_being_revoked.load(Relaxed);
            load.refused_early.fetch_add(usize::from(is_early), Relaxed);
            load.accepted_late.fetch_add(usize::from(was_revoked && is_accepted), Relaxed);
            load.asked.fetch_add(1, Relaxed);
        }
    };
    let asking: Vec<_> =
        (0..8).map(|_| tokio::spawn(ask(service.clone(), old.clone(), load.clone()))).collect();
    let many = async || {
        let wanted = load.asked.load(Relaxed) + 100;
        wait_until("many questions", async || load.asked.load(Relaxed) >= wanted).await;
    };
    many().await;
    service.order("/v1/keys/rotate", json!({})).await;
    many().await;
    set_by_ms.store(20 * MINUTE + 1_000, Relaxed);
    let new = mint(&service).await.unwrap();
    assert_ne!(key_of(&new), key_of(&old));
    many().await;
    load.is_being_revoked.store(true, Relaxed);
    assert_eq!(revoke(&service, &key_of(&old)).await.0, 200);
    load.is_revoked.store(true, Relaxed);
    many().await;
    load.is_over.store(true, Relaxed);
    for task in asking {
        task.await.unwrap();
    }
    let counts = [&load.refused_early, &load.accepted_late].map(|count| count.load(Relaxed));
    assert_eq!(counts, [0, 0], "refused before, accepted after");
    assert!(accepts(&service, &new).await && !accepts(&service, &old).await);
}
