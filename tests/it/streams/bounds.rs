//! What streams may take: slots and bytes, of all callers, of strangers and of each caller; and
//! what a flip costs with many streams.

use serde_json::{Value as Json, json};
use turnout::auth::{Algorithm, AnonymousAccess};
use turnout::config::AuthConfig;
use turnout::http::{Proxies, StreamLimits};

use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY};
use crate::support::issuer::Issuer;
use crate::support::watcher::Watcher;
use crate::support::{Service, flag, wait_until};

async fn row(service: &Service, start: &str) -> u64 {
    let text = service.admin("/metrics").await.text().await.unwrap();
    let row = text.lines().find_map(|line| line.strip_prefix(start));
    row.unwrap_or_else(|| panic!("no row {start}in {text}")).parse().unwrap()
}

/// Opens a stream, or returns why that is refused.
async fn open(
    service: &Service,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<reqwest::Response, String> {
    let get = path.starts_with("/ofrep");
    let request = if get {
        service.client.get(service.url(path))
    } else {
        service.client.post(service.url(path))
    };
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let body = if get { String::new() } else { json!({ "targetingKey": "u-1" }).to_string() };
    let response = request.body(body).send().await.unwrap();
    if response.status() == 200 {
        return Ok(response);
    }
    assert_eq!(response.status(), 503);
    let said: Json = response.json().await.unwrap();
    Err(said["detail"].as_str().or(said["errorDetails"].as_str()).unwrap().to_owned())
}

#[tokio::test]
async fn strangers_have_a_bounded_share_of_streams() {
    let limits = StreamLimits { streams: 10, ..StreamLimits::default() };
    let guarded =
        ProtectedEndpoint::start_streaming("", Algorithm::Hs256, AnonymousAccess::Deny, limits)
            .await;
    let service = &guarded.service;
    let mut held = Vec::new();
    let refused = loop {
        match open(service, "/ofrep/v1/events", &[]).await {
            Ok(stream) => held.push(stream),
            Err(said) => break said,
        }
    };
    assert_eq!(held.len(), 5, "half of all");
    assert!(refused.contains("without a credential"), "{refused}");
    for _ in 0..5 {
        held.push(
            open(service, "/v1/strategy/a/watch", &[("x-api-key", SERVER_KEY)])
                .await
                .expect("there is room"),
        );
    }
    let refused =
        open(service, "/v1/strategy/a/watch", &[("x-api-key", SERVER_KEY)]).await.unwrap_err();
    assert!(refused.contains("as many streams as there may be"), "{refused}");
    assert_eq!(
        row(service, "turnout_bound_reached_total{bound=\"streams-of-strangers\"} ").await,
        1
    );
}

#[tokio::test]
async fn strangers_of_one_address_have_a_bounded_share_of_streams() {
    let access = AuthConfig {
        trusted_proxies: Proxies::new(vec!["127.0.0.0/8".parse().unwrap()]),
        ..AuthConfig::default()
    };
    let limits = StreamLimits { streams: 40, ..StreamLimits::default() };
    let service =
        Service::start_streaming_guarded(&[("a.yaml", &flag("a", ""))], limits, access).await;
    let mut held = Vec::new();
    let refused = loop {
        match open(
            &service,
            "/v1/strategy/a/watch",
            &[("x-forwarded-for", "203.0.113.9, 198.51.100.7")],
        )
        .await
        {
            Ok(stream) => held.push(stream),
            Err(said) => break said,
        }
    };
    assert_eq!(held.len(), 10, "a quarter of all");
    assert!(refused.contains("TURNOUT_TRUSTED_PROXIES"), "{refused}");
    held.push(
        open(&service, "/v1/watch", &[("x-forwarded-for", "203.0.113.9")])
            .await
            .expect("another address"),
    );
    held.push(open(&service, "/ofrep/v1/events", &[]).await.expect("this machine itself"));
}

#[tokio::test]
async fn a_stream_keeps_only_the_attributes_its_flags_need() {
    let text = "attributes: { plan: text }\nrules: [{ name: paid, when: { plan: paid }, strategy: realtime-v2 }]";
    let mut service =
        Service::start_streaming(&[("a.yaml", &flag("a", text))], StreamLimits::default()).await;
    let long = "x".repeat(40_000);
    let body = json!({ "targetingKey": "u-1", "attributes": { "plan": "paid", "country": "de", "long": long } }).to_string();
    let mut one = Watcher::open(&service, "/v1/strategy/a/watch", &body).await;
    let mut all = Watcher::open(&service, "/v1/watch", &body).await;
    assert_eq!(one.next_state().await.strategy(), "realtime-v2");
    assert_eq!(all.next_state().await.data["documents"]["flags"][0]["strategy"], "realtime-v2");
    let kept = row(&service, "turnout_held_bytes{bound=\"stream-bytes\"} ").await;
    assert!((1..4_096).contains(&kept), "{kept} bytes are kept");

    // A flag that needs more makes the server ask those clients again that sent the attribute, and
    // no others.
    let mut other = Watcher::of_user(&service, "a", "u-2").await;
    assert_eq!(other.next_state().await.strategy(), "polling");
    let text = "attributes: { plan: text, country: text }\n\
                rules: [{ name: here, when: { country: de }, strategy: disabled }]";
    std::fs::write(service.flags.join("a.yaml"), flag("a", text)).unwrap();
    for stream in [&mut one, &mut all] {
        assert_eq!(stream.next_state().await.data["reason"], "asks-more");
    }
    let mut again = Watcher::open(&service, "/v1/strategy/a/watch", &body).await;
    assert_eq!(again.next_state().await.strategy(), "disabled");
    drop(other);

    // Over the bound in bytes the error says so.
    service.stop().await;
    service.config.streams = StreamLimits { context_bytes: 10_000, ..StreamLimits::default() };
    service.restart().await;
    let body = json!({ "targetingKey": "u-1", "attributes": { "plan": long } }).to_string();
    let refused = service.post("/v1/strategy/a/watch", body).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.text().await.unwrap().contains("bytes"));
}

#[tokio::test]
async fn one_user_has_a_bounded_share_of_streams() {
    let issuer = Issuer::new(Algorithm::Es256, "k-1");
    let limits = StreamLimits { streams: 40, ..StreamLimits::default() };
    let guarded = ProtectedEndpoint::start_streaming(
        &issuer.jwks(),
        Algorithm::Es256,
        AnonymousAccess::Deny,
        limits,
    )
    .await;
    let service = &guarded.service;
    let token = |user: &str| format!("Bearer {}", issuer.token(user));
    let mut held = Vec::new();
    let refused = loop {
        match open(service, "/v1/watch", &[("authorization", &token("u-1"))]).await {
            Ok(stream) => held.push(stream),
            Err(said) => break said,
        }
    };
    assert_eq!(held.len(), 10, "a quarter of all");
    assert!(refused.contains("this caller has as many streams as one may have"), "{refused}");
}

#[tokio::test]
async fn a_flip_reevaluates_only_its_flag_on_streams_of_all_flags() {
    const FLAGS: usize = 120;
    const STREAMS: usize = 10;
    let files: Vec<(String, String)> = (0..FLAGS)
        .map(|number| format!("f{number:03}"))
        .map(|key| (format!("{key}.yaml"), flag(&key, "rollout: { realtime-v2: 50% }")))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let service = Service::start_streaming(&files, StreamLimits::default()).await;
    let mut streams = Vec::new();
    let body = |user: usize| json!({ "targetingKey": format!("u-{user}") }).to_string();
    for user in 0..STREAMS {
        let mut stream = Watcher::open(&service, "/v1/watch", &body(user)).await;
        stream.next_state().await;
        streams.push(stream);
    }
    let before = row(&service, "turnout_stream_decisions_total ").await;
    service.order("/v1/flags/f007/stop", json!({})).await;
    service.order("/v1/flags/f007/resume", json!({ "reason": "test" })).await;
    let both = 2 * STREAMS as u64;
    wait_until("all have looked", async || {
        row(&service, "turnout_stream_decisions_total ").await >= before + STREAMS as u64
    })
    .await;
    let decided = row(&service, "turnout_stream_decisions_total ").await - before;
    assert!(
        decided <= 2 * both,
        "{decided} flags were decided for two changes and {STREAMS} streams"
    );

    // A stream sends what a question returns, tag and all, whatever changes: also when flags are
    // added and removed.
    std::fs::write(service.flags.join("new.yaml"), flag("new", "rollout: { realtime-v2: 100% }"))
        .unwrap();
    service.order("/v1/flags/f100/set", json!({ "realtime-v2": "0%", "reason": "test" })).await;
    wait_until("the new flag is there", async || {
        service.app.coordinator().live().current().flag("new").is_some()
    })
    .await;
    for (user, stream) in streams.iter_mut().enumerate() {
        let answer = service.post("/v1/strategy", body(user)).await;
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        let expected: Json = answer.json().await.unwrap();
        loop {
            let event = stream.next_state().await;
            if event.data["etag"] == tag.as_str() {
                assert_eq!(event.data["documents"], expected);
                break;
            }
            assert_ne!(event.data["documents"], expected, "another tag, and the same documents");
        }
    }
}
