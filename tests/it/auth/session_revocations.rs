//! The sessions of a user are revoked: refused on every call at once, with the database away, after
//! a kill, and where the file that says so is damaged.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::auth::{Algorithm, AnonymousAccess};

use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY, sha256};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, claims, now, with, without};
use crate::support::program::{Program, home};
use crate::support::watcher::Watcher;
use crate::support::{flag, wait_until};

/// In milliseconds since 1970.
fn now_ms() -> i64 {
    turnout::clock::wall_ms()
}

const PATH: &str = "/v1/sessions/revoke";
/// Every call that takes a session.
const CALLS: [&str; 10] = [
    "GET /v1/strategy/a",
    "POST /v1/strategy/a",
    "POST /v1/strategy",
    "POST /ofrep/v1/evaluate/flags/a",
    "POST /ofrep/v1/evaluate/flags",
    "GET /v1/feeds/a/b-1",
    "GET /v1/strategy/a/watch",
    "POST /v1/strategy/a/watch",
    "GET /v1/watch",
    "POST /v1/watch",
];

/// A service, its issuer of sessions and its server key, with a stream of the flag `a`.
struct Revoking {
    guarded: ProtectedEndpoint,
    issuer: Issuer,
}

impl Revoking {
    async fn start() -> Revoking {
        let issuer = Issuer::new(Algorithm::Es256, "key");
        let guarded =
            ProtectedEndpoint::start(&issuer.jwks(), Algorithm::Es256, AnonymousAccess::Allow)
                .await;
        let revoking = Revoking { guarded, issuer };
        let body = json!({ "readers": "verified", "events": [] });
        let stream = revoking.post(Some(SERVER_KEY), "/v1/feeds/a/b-1", body.to_string()).await;
        assert_eq!(stream.0, 200, "{}", stream.1);
        revoking
    }

    async fn post(&self, key: Option<&str>, path: &str, body: String) -> (u16, Json) {
        let service = &self.guarded.service;
        let mut request = service.client.post(service.url(path)).body(body);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn revoke(&self, user: &str) -> (u16, Json) {
        self.post(Some(SERVER_KEY), PATH, json!({ "targetingKey": user }).to_string()).await
    }

    /// Revokes durably. Returns when, in milliseconds since 1970.
    async fn revoked(&self, user: &str) -> i64 {
        let (status, answer) = self.revoke(user).await;
        assert_eq!((status, &answer["survivesRestart"]), (200, &json!(true)), "{answer}");
        answer["revokedAtMs"].as_i64().unwrap()
    }

    async fn status(&self, call: &str, token: &str) -> u16 {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_bytes())];
        self.guarded.ask(call, &headers, json!({})).await.status().as_u16()
    }

    /// Whether a token opens every call, or none.
    async fn opens(&self, token: &str) -> bool {
        let mut statuses = Vec::new();
        for call in CALLS {
            statuses.push(self.status(call, token).await);
        }
        let all = |status: u16| statuses.iter().all(|one| *one == status);
        assert!(all(200) || all(401), "{statuses:?}");
        all(200)
    }

    /// A token of a user, issued then.
    fn issued(&self, user: &str, at: impl Into<Json>) -> String {
        self.issuer.sign(&self.issuer.header(), &with(&claims(user), "iat", at.into()))
    }

    fn file(&self) -> PathBuf {
        self.guarded.service.data.join("revoked-sessions")
    }

    async fn problem(&self) -> Option<String> {
        let reply: Json = self.guarded.service.admin("/v1/problems").await.json().await.unwrap();
        let problems = reply["problems"].as_array().unwrap().iter();
        let mut ours = problems.filter(|problem| problem["code"] == "revoked-sessions");
        ours.next().map(|problem| problem["message"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn a_revoked_session_is_refused_on_every_call_at_once() {
    let revoking = Revoking::start().await;
    let (token, other) = (revoking.issuer.token("u-1"), revoking.issuer.token("u-2"));
    // Both are remembered from here on.
    assert!(revoking.opens(&token).await && revoking.opens(&other).await);
    let at_ms = revoking.revoked("u-1").await;
    assert!(!revoking.opens(&token).await, "a remembered token");
    assert!(!revoking.opens(&revoking.issuer.token("u-1")).await, "one that was not seen before");
    assert!(revoking.opens(&other).await, "another user's");
    let later = revoking.issued("u-1", at_ms / 1000 + 1);
    assert!(revoking.opens(&later).await, "one that is issued afterwards");
    // A server asks for that user as before: it answers for itself.
    let headers = [("x-api-key", SERVER_KEY.as_bytes())];
    let body = json!({ "targetingKey": "u-1" });
    let asked = revoking.guarded.ask("POST /v1/strategy/a", &headers, body).await;
    assert_eq!(asked.status(), 200);
    // Revoked again, the later one is refused too, and no token of before comes back.
    wait_until("the next second", async || now() > at_ms / 1000).await;
    revoking.revoked("u-1").await;
    assert!(!revoking.opens(&later).await && !revoking.opens(&token).await);
    assert_eq!(revoking.problem().await, None);
}

#[tokio::test]
async fn a_token_is_judged_by_when_it_says_it_was_issued() {
    let revoking = Revoking::start().await;
    let at_ms = revoking.revoked("u-1").await;
    let second = at_ms / 1000;
    let exact = at_ms as f64 / 1000.0;
    for (what, at, opens) in [
        ("an hour before", json!(second - 3600), false),
        ("a second before", json!(second - 1), false),
        ("in that second", json!(second), false),
        ("as a whole number with a fraction of 0", json!(second as f64), false),
        ("a moment before, with a fraction", json!(exact - 0.001), false),
        ("a moment after, with a fraction", json!(exact + 0.002), true),
        ("in the next second", json!(second + 1), true),
        ("an hour ahead", json!(second + 3599), false),
    ] {
        let token = revoking.issued("u-1", at);
        // A whole second is not a fraction of itself.
        if token.is_empty() || (exact.fract() == 0.0 && what.contains("after")) {
            continue;
        }
        let opened = revoking.status("GET /v1/strategy/a", &token).await == 200;
        assert_eq!(opened, opens, "{what}");
        let other = revoking.issued("u-2", second);
        assert_eq!(revoking.status("GET /v1/strategy/a", &other).await, 200, "{what}");
    }
    let unsaid = without(&claims("u-1"), "iat");
    let unsaid = revoking.issuer.sign(&revoking.issuer.header(), &unsaid);
    assert!(!revoking.opens(&unsaid).await, "without `iat` it counts as issued before");
}

/// A session of our own says its moment exactly: another may be made at once.
#[tokio::test]
async fn a_session_of_our_own_is_refused_and_one_made_right_after_is_not() {
    let revoking = Revoking::start().await;
    let make = async || {
        let body = json!({ "targetingKey": "u-1", "streams": { "a": ["b-1"] } }).to_string();
        let (status, made) = revoking.post(Some(SERVER_KEY), "/v1/sessions", body).await;
        assert_eq!(status, 200, "{made}");
        made["session"].as_str().unwrap().to_owned()
    };
    let mut newest = make().await;
    for _ in 0..5 {
        assert!(revoking.opens(&newest).await);
        let unseen = make().await;
        let at_ms = revoking.revoked("u-1").await;
        assert!(!revoking.opens(&newest).await && !revoking.opens(&unseen).await);
        wait_until("the next millisecond", async || now_ms() > at_ms).await;
        newest = make().await;
    }
    assert!(revoking.opens(&newest).await);
}

#[tokio::test]
async fn a_token_for_streams_is_refused_with_the_sessions_of_its_user() {
    let revoking = Revoking::start().await;
    let session = revoking.issuer.token("u-sub");
    let body = json!({ "flag": "a", "stream": "b-1" }).to_string();
    let (status, made) = revoking.post(Some(&session), "/v1/token", body.clone()).await;
    assert_eq!(status, 200, "{made}");
    let token = made["token"].as_str().unwrap();
    let opened = async || revoking.status("GET /v1/realtime/a/b-1", token).await;
    assert_eq!(opened().await, 200);
    revoking.revoked("u-sub").await;
    assert_eq!(opened().await, 401);
    assert_eq!(revoking.post(Some(&session), "/v1/token", body).await.0, 401);
}

#[tokio::test]
async fn a_revocation_needs_no_database_and_survives_a_kill() {
    let mut revoking = Revoking::start().await;
    let tokens = ["u-1", "u-2", "u-3"].map(|user| revoking.issuer.token(user));
    revoking.guarded.service.saves_last_good().await;
    revoking.guarded.service.take_database_away().await;
    revoking.revoked("u-1").await;
    assert!(!revoking.opens(&tokens[0]).await);
    revoking.guarded.service.crash().await;
    revoking.guarded.service.restart().await;
    assert_ne!(revoking.guarded.service.database_state().await, "up");
    assert!(!revoking.opens(&tokens[0]).await && revoking.opens(&tokens[2]).await);
    revoking.revoked("u-2").await;
    revoking.guarded.service.bring_database_back().await;
    revoking.guarded.service.stop().await;
    revoking.guarded.service.restart().await;
    let opened = [
        revoking.opens(&tokens[0]).await,
        revoking.opens(&tokens[1]).await,
        revoking.opens(&tokens[2]).await,
    ];
    assert_eq!(opened, [false, false, true]);
    assert_eq!(revoking.problem().await, None);
    let kept = fs::read(revoking.file()).unwrap();
    assert!(!kept.windows(3).any(|bytes| bytes == b"u-1"), "no id is on disk");
}

/// The real program, killed the moment it has answered.
#[tokio::test]
async fn what_was_answered_is_kept_over_kill_9() {
    let issuer = Issuer::new(Algorithm::Es256, "key");
    let folder = home(&[("a.yaml", &flag("a", "rollout: { realtime-v2: 50% }"))]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("keys.json"), issuer.jwks()).unwrap();
    fs::write(path("servers"), format!("shop {}\n", sha256(SERVER_KEY))).unwrap();
    let (keys, servers) = (path("keys.json"), path("servers"));
    let settings = [
        ("TURNOUT_SESSION_KEYS", keys.as_str()),
        ("TURNOUT_SESSION_ALGORITHM", "ES256"),
        ("TURNOUT_SESSION_ISSUER", ISSUER),
        ("TURNOUT_SESSION_AUDIENCE", AUDIENCE),
        ("TURNOUT_SERVER_KEYS_FILE", servers.as_str()),
        ("TURNOUT_LOG", "trace"),
    ];
    let user = |round: usize| format!("sentinel-user-{round}");
    let mut program = Program::start(folder, &settings);
    for round in 0..6 {
        program.serves().await;
        let body = json!({ "targetingKey": user(round) }).to_string();
        let request = program.client.post(program.url(PATH)).bearer_auth(SERVER_KEY).body(body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        program.signal("KILL");
        program.exit().await;
        assert!(!program.said().contains("sentinel"), "{}", program.said());
        let folder = std::mem::replace(&mut program.home, TempDir::new().unwrap());
        let _ = fs::remove_file(folder.path().join("data/addresses.json"));
        program = Program::start(folder, &settings);
    }
    program.serves().await;
    let status = async |user: &str| {
        let url = program.url("/v1/strategy/a");
        let request = program.client.get(url).bearer_auth(issuer.token(user));
        request.send().await.unwrap().status().as_u16()
    };
    for round in 0..6 {
        assert_eq!(status(&user(round)).await, 401, "{round}");
    }
    assert_eq!(status("sentinel-user").await, 200);
    let metrics = program.client.get(program.admin_url("/metrics")).bearer_auth(program.token());
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("sentinel") && !program.said().contains("sentinel"));
}

/// A sequence of changes to the file of a service that was killed, and what holds at the next
/// start: whether the user who was revoked is refused, and whether another is, whose session was
/// issued before the start.
#[tokio::test]
async fn what_does_not_read_refuses_whatever_was_issued_before_the_start() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change, bool); 5] = [
        ("as it was", |_| {}, false),
        ("a flipped bit in a record", |bytes| bytes[2048 + 30] ^= 4, true),
        ("a flipped bit in one copy of the header", |bytes| bytes[40] ^= 1, false),
        ("cut short", |bytes| bytes.truncate(4000), true),
        ("a write that was cut short", |bytes| bytes[2048 + 128..][..40].fill(7), false),
    ];
    for (what, change, all) in changes {
        let mut revoking = Revoking::start().await;
        revoking.revoked("u-1").await;
        revoking.revoked("u-2").await;
        let (token, other) = (revoking.issuer.token("u-1"), revoking.issuer.token("u-3"));
        revoking.guarded.service.crash().await;
        let mut bytes = fs::read(revoking.file()).unwrap();
        change(&mut bytes);
        fs::write(revoking.file(), bytes).unwrap();
        // What was doubted once is doubted at the next start, and no later session with it.
        let starts = if all { &["first", "second"][..] } else { &["only"] };
        for start in starts {
            revoking.guarded.service.restart().await;
            assert!(!revoking.opens(&token).await, "{what}, at the {start} start");
            assert_eq!(revoking.opens(&other).await, !all, "{what}, at the {start} start");
            let later = revoking.issued("u-3", now() + 1);
            assert!(revoking.opens(&later).await, "{what}: users can sign in again");
            let named = format!("the problem: {what}, at the {start} start");
            wait_until(&named, async || revoking.problem().await.is_some() == all).await;
            // Written by now: the next start finds a whole file that says the same.
            revoking.revoked("u-4").await;
            revoking.guarded.service.crash().await;
        }
        let aside = revoking.guarded.service.data.join("revoked-sessions.damaged");
        assert_eq!(aside.exists(), all, "{what}");
    }
}

#[tokio::test]
async fn a_newer_builds_file_is_left_as_it_is() {
    let mut revoking = Revoking::start().await;
    let token = revoking.issuer.token("u-1");
    revoking.guarded.service.crash().await;
    let mut bytes = fs::read(revoking.file()).unwrap();
    for copy in [0, 512] {
        // The format and the lowest that may read it; then the checksum of what is before it.
        bytes[copy + 8] = 9;
        bytes[copy + 10] = 9;
        let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes[copy..copy + 48]);
        bytes[copy + 48..copy + 64].copy_from_slice(&sum.as_ref()[..16]);
    }
    fs::write(revoking.file(), &bytes).unwrap();
    revoking.guarded.service.restart().await;
    assert!(!revoking.opens(&token).await);
    let later = revoking.issued("u-1", now() + 1);
    assert!(revoking.opens(&later).await);
    let (status, answer) = revoking.revoke("u-1").await;
    assert_eq!((status, &answer["survivesRestart"]), (202, &json!(false)));
    let later = revoking.issued("u-1", answer["revokedAtMs"].as_i64().unwrap() / 1000);
    assert!(!revoking.opens(&later).await, "it counts all the same");
    assert_eq!(fs::read(revoking.file()).unwrap(), bytes);
    assert!(revoking.problem().await.is_some());
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_told_and_what_was_revoked_is_written_later() {
    let mut revoking = Revoking::start().await;
    let tokens = ["u-1", "u-2", "u-3"].map(|user| revoking.issuer.token(user));
    revoking.revoked("u-1").await;
    fs::remove_file(revoking.file()).unwrap();
    fs::create_dir(revoking.file()).unwrap();
    let (status, answer) = revoking.revoke("u-2").await;
    assert_eq!((status, &answer["survivesRestart"]), (202, &json!(false)), "{answer}");
    assert!(!revoking.opens(&tokens[1]).await, "it counts all the same");
    assert!(revoking.opens(&tokens[2]).await, "and for no other user");
    wait_until("the problem", async || revoking.problem().await.is_some()).await;
    fs::remove_dir(revoking.file()).unwrap();
    wait_until("the file", async || revoking.problem().await.is_none()).await;
    revoking.guarded.service.crash().await;
    revoking.guarded.service.restart().await;
    let opened = [
        revoking.opens(&tokens[0]).await,
        revoking.opens(&tokens[1]).await,
        revoking.opens(&tokens[2]).await,
    ];
    assert_eq!(opened, [false, false, true]);
}

#[tokio::test]
async fn a_file_that_is_deleted_under_the_service_is_made_anew() {
    let mut revoking = Revoking::start().await;
    let tokens = ["u-1", "u-2"].map(|user| revoking.issuer.token(user));
    revoking.revoked("u-1").await;
    fs::remove_file(revoking.file()).unwrap();
    revoking.revoked("u-2").await;
    revoking.guarded.service.crash().await;
    revoking.guarded.service.restart().await;
    assert!(!revoking.opens(&tokens[0]).await && !revoking.opens(&tokens[1]).await);
}

#[tokio::test]
async fn many_at_once_are_durable_each() {
    let mut revoking = Revoking::start().await;
    let users: Vec<String> = (0..300).map(|number| format!("u-{number}")).collect();
    let answers =
        futures_util::future::join_all(users.iter().map(|user| revoking.revoked(user))).await;
    assert_eq!(answers.len(), users.len());
    revoking.guarded.service.crash().await;
    revoking.guarded.service.restart().await;
    for user in &users {
        let token = revoking.issuer.token(user);
        assert_eq!(revoking.status("GET /v1/strategy/a", &token).await, 401, "{user}");
    }
    assert_eq!(revoking.problem().await, None);
}

#[tokio::test]
async fn open_streams_of_the_user_end_within_a_second_and_others_stay() {
    let revoking = Revoking::start().await;
    let service = &revoking.guarded.service;
    let (token, other) = (revoking.issuer.token("u-1"), revoking.issuer.token("u-2"));
    let mut streams = Vec::new();
    for path in ["/v1/strategy/a/watch", "/v1/watch"] {
        streams.push(Watcher::open_as(service, path, &token).await);
    }
    let mut stays = Watcher::open_as(service, "/v1/strategy/a/watch", &other).await;
    let mut of_server = Watcher::open_as_server(service, "/v1/strategy/a/watch", SERVER_KEY).await;
    for stream in streams.iter_mut().chain([&mut stays, &mut of_server]) {
        stream.next_state().await;
    }
    let begun = Instant::now();
    revoking.revoked("u-1").await;
    for stream in &mut streams {
        let goodbye = stream.next_state().await;
        assert_eq!((goodbye.kind(), &goodbye.data["reason"]), ("goodbye", &json!("expired")));
        while stream.maybe_next().await.is_some() {}
    }
    // What the service is allowed is checked where the machine is not too busy to look.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "the streams ended after {took:?}");
    let (status, _) = service.ordered("/v1/flags/a/stop", json!({})).await;
    assert_eq!(status, 200);
    assert_eq!(stays.next_state().await.strategy(), "polling");
    assert_eq!(of_server.next_state().await.strategy(), "polling");
}

#[tokio::test]
async fn servers_alone_revoke_and_only_those_that_may() {
    let revoking = Revoking::start().await;
    let servers = revoking.guarded.home.path().join("servers");
    let mut lines = fs::read_to_string(&servers).unwrap();
    for (key, may) in [
        ("key-asks", "ask"),
        ("key-publishes", "ask publish"),
        ("key-of-a", "a"),
        ("key-sessions-of-a", "sessions a"),
        ("key-sessions", "sessions"),
        ("key-all", ""),
    ] {
        lines += &format!("{key} {} {may}\n", sha256(key));
    }
    fs::write(&servers, lines).unwrap();
    let body = || json!({ "targetingKey": "u-1" }).to_string();
    wait_until("the keys are known", async || {
        revoking.post(Some("key-all"), PATH, body()).await.0 == 200
    })
    .await;
    let session = revoking.issuer.token("u-9");
    for (key, status, code) in [
        (None, 401, "unauthenticated"),
        (Some(""), 401, "unauthenticated"),
        (Some("key-of-no-server"), 401, "unauthenticated"),
        (Some(&*session), 403, "not-permitted"),
        (Some("key-asks"), 403, "not-permitted"),
        (Some("key-publishes"), 403, "not-permitted"),
        (Some("key-of-a"), 403, "flag-not-permitted"),
        (Some("key-sessions-of-a"), 403, "flag-not-permitted"),
        (Some("key-sessions"), 200, ""),
        (Some("key-all"), 200, ""),
    ] {
        let (answered, answer) = revoking.post(key, PATH, body()).await;
        assert_eq!(answered, status, "{key:?}: {answer}");
        assert_eq!(answer["code"].as_str().unwrap_or_default(), code, "{key:?}");
    }
    assert!(revoking.opens(&session).await, "this one was not revoked");
    assert!(!revoking.opens(&revoking.issuer.token("u-1")).await);
}

#[tokio::test]
async fn a_bad_body_revokes_nothing() {
    let revoking = Revoking::start().await;
    let long = "u".repeat(257);
    let longest = "u".repeat(256);
    for (body, status, code) in [
        (String::new(), 400, "parse-error"),
        ("{}".to_owned(), 400, "invalid-request"),
        ("[]".to_owned(), 400, "invalid-request"),
        ("u-1".to_owned(), 400, "parse-error"),
        (r#"{"targetingKey":"u-1""#.to_owned(), 400, "parse-error"),
        (r#"{"targetingKey":"u-1"} x"#.to_owned(), 400, "parse-error"),
        (r#"{"targetingKey":""}"#.to_owned(), 400, "invalid-request"),
        (r#"{"targetingKey":null}"#.to_owned(), 400, "invalid-request"),
        (r#"{"targetingKey":7}"#.to_owned(), 400, "invalid-request"),
        (r#"{"targetingKey":["u-1"]}"#.to_owned(), 400, "invalid-request"),
        (r#"{"targetingKey":"u-1","targetingKey":"u-2"}"#.to_owned(), 400, "invalid-request"),
        (r#"{"targetingKey":"u-1","all":true}"#.to_owned(), 400, "invalid-request"),
        (json!({ "targetingKey": long }).to_string(), 400, "invalid-request"),
        (json!({ "targetingKey": "u".repeat(70_000) }).to_string(), 413, "too-large"),
        (json!({ "targetingKey": longest }).to_string(), 200, ""),
        (json!({ "targetingKey": "é\u{0}\u{202e}" }).to_string(), 200, ""),
    ] {
        let (answered, answer) = revoking.post(Some(SERVER_KEY), PATH, body.clone()).await;
        let said = answer.to_string();
        assert_eq!(answered, status, "{body}: {said}");
        assert_eq!(answer["code"].as_str().unwrap_or_default(), code, "{body}: {said}");
        assert!(!said.contains("u-1") && !said.contains("uuu"), "{said}");
    }
    for token in [revoking.issuer.token("u-1"), revoking.issuer.token("u-2")] {
        assert!(revoking.opens(&token).await);
    }
    assert!(!revoking.opens(&revoking.issuer.token(&longest)).await);
}
