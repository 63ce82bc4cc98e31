//! Polls that are held until there is something to say.

use std::future::Future;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use turnout::auth::{Algorithm, AnonymousAccess};
use turnout::http::StreamLimits;

use super::{Answer, Feeds, event};
use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY};
use crate::support::issuer::{Issuer, claims, now, with};
use crate::support::raw::Raw;
use crate::support::wait_until;

/// What is answered at once is answered within this, on a busy machine too.
const AT_ONCE: Duration = Duration::from_secs(5);

impl Feeds {
    /// How many polls are held.
    pub async fn held(&self) -> usize {
        let page = self.guarded.service.admin("/metrics").await.text().await.unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix("turnout_polls_held "));
        line.unwrap().parse().unwrap()
    }

    async fn reach_held(&self, count: usize) {
        wait_until(&format!("{count} polls are held"), async || self.held().await == count).await;
    }

    /// Polls with a credential, beside what the test does.
    fn begin(&self, credential: &str, path: &str) -> JoinHandle<Answer> {
        let service = &self.guarded.service;
        let request = service.client.get(service.url(path)).bearer_auth(credential);
        tokio::spawn(async move { Answer::of(request.send().await.unwrap()).await })
    }

    /// A held poll of a user who has read all there is.
    async fn hold(&self, user: &str, stream: &str) -> JoinHandle<Answer> {
        let before = self.held().await;
        let path = format!("/v1/feeds/a/{stream}?cursor=now&wait=25000");
        let held = self.begin(&self.issuer.token(user), &path);
        self.reach_held(before + 1).await;
        held
    }
}

async fn answered(held: JoinHandle<Answer>) -> Answer {
    timeout(AT_ONCE, held).await.expect("it is answered by now").unwrap()
}

async fn made(feeds: &Feeds, stream: &str) {
    let body = json!({ "readers": ["u-1", "u-2"], "events": [event("e-1")] });
    assert_eq!(feeds.publish(stream, body).await.status, 200);
}

#[tokio::test]
async fn a_held_poll_has_an_event_as_soon_as_it_is_published() {
    let feeds = Feeds::start().await;
    made(&feeds, "b-1").await;
    made(&feeds, "b-2").await;
    let (of_one, of_other) = (feeds.hold("u-1", "b-1").await, feeds.hold("u-1", "b-2").await);
    feeds.publish_ids("b-1", ["e-2".to_owned()]).await;
    let page = answered(of_one).await;
    assert_eq!((page.status, page.ids()), (200, vec!["e-2".to_owned()]));
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.header("ratelimit").starts_with(r#""feed";r=58;"#), "{page:?}");
    assert_eq!(feeds.held().await, 1, "polls of other streams wait on");
    feeds.publish_ids("b-2", ["e-2".to_owned()]).await;
    assert_eq!(answered(of_other).await.ids(), ["e-2"]);
    let next = feeds.poll_as("u-1", "b-1", "?cursor=now").await;
    assert!(next.header("ratelimit").starts_with(r#""feed";r=57;"#), "counted once: {next:?}");
}

#[tokio::test]
async fn held_polls_of_a_user_end_when_the_sessions_of_the_user_are_revoked() {
    let feeds = Feeds::start().await;
    made(&feeds, "b-1").await;
    let (held, stays) = (feeds.hold("u-1", "b-1").await, feeds.hold("u-2", "b-1").await);
    let body = json!({ "targetingKey": "u-1" }).to_string();
    let revoked =
        feeds.ask(Method::POST, "/v1/sessions/revoke", Some(SERVER_KEY), Some(body)).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    assert_eq!(answered(held).await.status, 401);
    assert_eq!(feeds.held().await, 1, "another user's waits on");
    stays.abort();
}

#[tokio::test]
async fn a_held_poll_that_finds_nothing_ends_with_its_time() {
    let feeds = Feeds::start().await;
    made(&feeds, "b-1").await;
    let first = feeds.poll_as("u-1", "b-1", "").await;
    let begun = Instant::now();
    let query = format!("?cursor={}&wait=400", first.cursor());
    let idle = feeds.poll_as("u-1", "b-1", &query).await;
    assert!(begun.elapsed() >= Duration::from_millis(400));
    assert_eq!((idle.status, idle.ids(), idle.cursor()), (200, vec![], first.cursor()));
    let service = &feeds.guarded.service;
    let request = service.client.get(service.url(&format!("/v1/feeds/a/b-1{query}")));
    let request = request.bearer_auth(feeds.issuer.token("u-1"));
    let again = request.header("if-none-match", idle.header("etag")).send().await.unwrap();
    assert_eq!(again.status(), 304);
    // What has something to say is not held.
    for (query, status) in
        [("?wait=25000", 200), ("?wait=25001", 400), ("?cursor=AAAA&wait=25000", 400)]
    {
        let answer = timeout(AT_ONCE, feeds.poll_as("u-1", "b-1", query)).await.unwrap();
        assert_eq!(answer.status, status, "{query}");
    }
    assert_eq!(feeds.held().await, 0);
}

#[tokio::test]
async fn a_held_poll_is_answered_when_its_stream_changes() {
    let feeds = Feeds::start().await;
    let changes = [
        ("removed", json!({ "readers": ["u-2"], "events": [] }), 404),
        ("ended", json!({ "ended": true, "events": [] }), 200),
    ];
    for (stream, change, status) in changes {
        made(&feeds, stream).await;
        let held = feeds.hold("u-1", stream).await;
        let begun = Instant::now();
        assert_eq!(feeds.publish(stream, change).await.status, 200);
        let answer = answered(held).await;
        assert_eq!(answer.status, status, "{stream}: {answer:?}");
        assert_eq!(answer.body.get("ended").is_some(), stream == "ended", "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{stream}: {:?}", begun.elapsed());
    }
    made(&feeds, "deleted").await;
    let held = feeds.hold("u-1", "deleted").await;
    feeds.delete("deleted").await;
    assert_eq!(answered(held).await.code(), "stream-not-found");
}

#[tokio::test]
async fn a_held_poll_is_answered_when_its_flag_changes() {
    let feeds = Feeds::start().await;
    made(&feeds, "b-1").await;
    let held = feeds.hold("u-1", "b-1").await;
    let (status, _) = feeds.guarded.service.ordered("/v1/flags/a/stop", json!({})).await;
    assert_eq!(status, 200);
    // `enter_spread` is 5 s.
    let answer = timeout(2 * AT_ONCE, held).await.expect("within the spread").unwrap();
    assert_eq!((answer.status, answer.ids()), (200, vec![]));
    let revision = feeds.poll_as("u-1", "b-1", "?cursor=now").await;
    assert_eq!(
        answer.header("turnout-flag-revision"),
        revision.header("turnout-flag-revision"),
        "it says that the flag changed"
    );
}

#[tokio::test]
async fn a_held_poll_ends_with_its_credential() {
    let (old, issuer) =
        (Issuer::new(Algorithm::Es256, "old"), Issuer::new(Algorithm::Es256, "new"));
    let both = json!({ "keys": [old.jwk, issuer.jwk] }).to_string();
    let guarded = ProtectedEndpoint::start(&both, Algorithm::Es256, AnonymousAccess::Deny).await;
    let feeds = Feeds { guarded, issuer };
    made(&feeds, "b-1").await;
    let path = "/v1/feeds/a/b-1?cursor=now&wait=25000";
    let lasting = feeds.hold("u-2", "b-1").await;
    let by_old_key = feeds.begin(&old.token("u-1"), path);
    let by_server = feeds.begin(SERVER_KEY, path);
    feeds.reach_held(3).await;
    std::fs::write(feeds.guarded.home.path().join("servers"), "").unwrap();
    let keys = feeds.issuer.jwks();
    std::fs::write(feeds.guarded.home.path().join("keys"), keys).unwrap();
    for held in [by_old_key, by_server] {
        let answer = timeout(3 * AT_ONCE, held).await.expect("it is refused by now").unwrap();
        assert_eq!((answer.status, answer.code()), (401, "unauthenticated"));
    }
    assert!(!lasting.is_finished(), "the others wait on");
    lasting.abort();
    // The wait is not longer than the token lives.
    let short = with(&claims("u-2"), "exp", json!(now() + 2));
    let short = feeds.issuer.sign(&feeds.issuer.header(), &short);
    let answer = timeout(2 * AT_ONCE, feeds.begin(&short, path)).await.unwrap().unwrap();
    assert!([200, 401].contains(&answer.status), "{answer:?}");
}

#[tokio::test]
async fn held_polls_are_answered_at_a_stop() {
    let mut feeds = Feeds::start().await;
    made(&feeds, "b-1").await;
    let mut held = Vec::new();
    for user in ["u-1", "u-2"] {
        for _ in 0..3 {
            held.push(feeds.hold(user, "b-1").await);
        }
    }
    timeout(AT_ONCE, feeds.guarded.service.stop()).await.expect("nothing hangs");
    for poll in held {
        let answer = answered(poll).await;
        assert_eq!((answer.status, answer.ids()), (200, vec![]));
    }
}

#[tokio::test]
async fn over_a_bound_a_poll_is_answered_at_once() {
    let issuer = Issuer::new(Algorithm::Es256, "key");
    let limits = StreamLimits { streams: 16, ..StreamLimits::default() };
    let (algorithm, unverified) = (Algorithm::Es256, AnonymousAccess::Deny);
    let guarded =
        ProtectedEndpoint::start_streaming(&issuer.jwks(), algorithm, unverified, limits).await;
    let feeds = Feeds { guarded, issuer };
    made(&feeds, "b-1").await;
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(feeds.hold("u-1", "b-1").await);
    }
    let at_once = async |user: &str| {
        let poll = feeds.poll_as(user, "b-1", "?cursor=now&wait=25000");
        let answer = timeout(AT_ONCE, poll).await.expect("it is not held");
        assert_eq!((answer.status, answer.ids()), (200, vec![]));
    };
    at_once("u-1").await;
    // Two more are half of the streams.
    held.push(feeds.hold("u-2", "b-1").await);
    held.push(feeds.hold("u-2", "b-1").await);
    at_once("u-2").await;
    // A client that hangs up frees its place.
    held.pop().unwrap().abort();
    feeds.reach_held(7).await;
    held.push(feeds.hold("u-2", "b-1").await);
    feeds.publish_ids("b-1", ["e-2".to_owned()]).await;
    for poll in held {
        assert_eq!(answered(poll).await.ids(), ["e-2"]);
    }
    feeds.reach_held(0).await;
}

/// Events that come while a poll begins to wait, again and again.
#[tokio::test]
async fn no_event_is_missed_between_the_look_and_the_wait() {
    let feeds = Feeds::start().await;
    let body = json!({ "readers": "verified", "events": [event("e-0")] });
    assert_eq!(feeds.publish("b-1", body).await.status, 200);
    let mut cursor = feeds.poll("b-1", "").await.cursor();
    for n in 1..=150 {
        let path = format!("/v1/feeds/a/b-1?cursor={cursor}&wait=25000");
        let held = feeds.begin(SERVER_KEY, &path);
        if n % 3 == 0 {
            tokio::time::sleep(Duration::from_micros(n * 20)).await;
        }
        feeds.publish_ids("b-1", [format!("e-{n}")]).await;
        let page = answered(held).await;
        assert_eq!(page.ids(), [format!("e-{n}")]);
        cursor = page.cursor();
    }
}

/// The connection of a held poll is used again, and what is sent behind one ends its wait.
#[tokio::test]
async fn a_held_poll_keeps_its_connection() {
    let feeds = Feeds::start().await;
    feeds.publish("b-1", json!({ "readers": "verified", "events": [event("e-1")] })).await;
    let token = feeds.issuer.token("u-1");
    let poll = |wait: u32| {
        format!(
            "GET /v1/feeds/a/b-1?cursor=now&wait={wait} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nCookie: a=b\r\n\r\n"
        )
    };
    let mut client = Raw::connect(&feeds.guarded.service).await;
    for wait in [300, 200, 0] {
        client.send(poll(wait).as_bytes()).await;
        assert_eq!(soon(client.answer()).await.as_deref(), Some("200"));
    }
    // Both in one packet, and one behind the other.
    client.send((poll(25_000) + &poll(0)).as_bytes()).await;
    for _ in 0..2 {
        assert_eq!(soon(client.answer()).await.as_deref(), Some("200"));
    }
    client.send(poll(25_000).as_bytes()).await;
    feeds.reach_held(1).await;
    client.send(poll(0).as_bytes()).await;
    for _ in 0..2 {
        assert_eq!(soon(client.answer()).await.as_deref(), Some("200"));
    }
    assert_eq!(feeds.held().await, 0);
    client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(soon(client.answer()).await.as_deref(), Some("200"));
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(AT_ONCE, what).await.expect("it comes at once")
}
