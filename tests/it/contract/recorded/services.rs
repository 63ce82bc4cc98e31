//! The services that are asked: one folder of flags that shows every feature, in each way a service
//! can be set up.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use crate::support::guarded::{SERVER_KEY, sha256};
use crate::support::issuer::{Issuer, claims, pins, with, without};
use crate::support::{Service, config, flag};
use serde_json::json;
use tempfile::TempDir;
use turnout::auth::{Algorithm, AnonymousAccess, Source};
use turnout::config::{AuthArgs, AuthConfig, Config, SessionKeys};
use turnout::flag::ServerAuth;
use turnout::http::{Limits, StreamLimits};

/// The keys of the flags.
pub const FLAGS: [&str; 14] = [
    "bare", "broken", "held", "inner", "off", "quarter", "ruled", "split", "staff", "stopped",
    "tenant", "timed", "tracks", "white",
];

/// A service, and what names in requests to it stand for.
pub struct Started {
    pub name: &'static str,
    pub service: Service,
    pub names: HashMap<String, String>,
}

fn files() -> Vec<(String, String)> {
    // Every operator of every kind of attribute.
    let ruled = r#"attributes: { plan: text, device: text, platform: [ios, android, web], seats: number, app_version: version, beta: boolean }
rules:
  - { name: paid, when: { plan: [paid, team] }, strategy: realtime-v2 }
  - { name: tablets, when: { device: { starts_with: "iPad" } }, strategy: realtime-v2 }
  - { name: minis, when: { device: { ends_with: "mini" } }, strategy: disabled }
  - { name: old-phones, when: { platform: ios, app_version: { below: "2.10" } }, strategy: disabled }
  - { name: new-phones, when: { platform: [ios, android], app_version: { at_least: "3.0" } }, strategy: realtime-v2 }
  - { name: exactly, when: { app_version: ["2.11", "2.12"] }, strategy: polling }
  - { name: large, when: { seats: { at_least: 100, below: 1000 } }, strategy: realtime-v2 }
  - { name: none-left, when: { seats: 0 }, strategy: disabled }
  - { name: beta, when: { beta: true }, strategy: realtime-v2 }
  - { name: away, when: { platform: { not: [ios, android] }, not: { beta: false } }, strategy: realtime-v2 }
  - { name: testers, when: { segment: testers }, strategy: realtime-v2 }
  - { name: by-address, when: { email: { ends_with: "@rules.example" } }, strategy: realtime-v2 }"#;
    let staff = "deny: [{ users: [u-denied] }, { emails: [out@example.com], strategy: disabled }]\n\
         allow: [{ segment: testers, strategy: realtime-v2 }, { domains: [example.com], strategy: realtime-v2 }, \
         { users: [u-white], strategy: disabled }]";
    let tracks = "rollout: { realtime-v2: 50% }\ntransports:\n  \
         polling: { url: \"/v1/feeds/tracks/{stream}\", start: 4s, min: 3s, max: 15s, factor: 1.5, dedupe: 2s, limit: 50 }\n  \
         realtime-v2: { kind: websocket, url: \"wss://app.example/live/{stream}\", token_ttl: 10m, retry: [2s, 4s, 8s] }";
    let flags = [
        ("bare", flag("bare", "")),
        ("broken", broken("broken")),
        ("held", flag("held", "rollout: { realtime-v2: 100% }")),
        ("inner", flag("inner", "allow: [{ segment: internal, strategy: realtime-v2 }]")),
        (
            "off",
            flag("off", "rollout: { realtime-v2: 100% }")
                .replace("enabled: true", "enabled: false"),
        ),
        (
            "quarter",
            flag("quarter", "salt: build-events\nrollout: { realtime-v2: 25%, disabled: 12.5% }"),
        ),
        ("ruled", flag("ruled", ruled)),
        ("split", flag("split", "rollout: { realtime-v2: 10%, disabled: 5% }")),
        ("staff", flag("staff", staff)),
        (
            "stopped",
            flag("stopped", "rollout: { realtime-v2: 100% }")
                .replace("when_stopped: polling", "when_stopped: disabled"),
        ),
        (
            "tenant",
            flag(
                "tenant",
                "attributes: { tenant: text }\nbucket_by: tenant\nrollout: { realtime-v2: 50% }",
            ),
        ),
        (
            "timed",
            flag("timed", "client: { valid_for: 5m, stale_if_error: 2h, enter_spread: 500ms }"),
        ),
        ("tracks", flag("tracks", tracks)),
        (
            "white",
            flag("white", "rollout: { realtime-v2: 40% }")
                .replace("default: polling", "default: disabled"),
        ),
    ];
    let mut files: Vec<_> =
        flags.into_iter().map(|(key, text)| (format!("{key}.yaml"), text)).collect();
    let segment = |name: &str, more: &str| {
        (format!("segments/{name}.yaml"), format!("version: 1\nsegment: {name}\n{more}\n"))
    };
    files.push(segment(
        "internal",
        "users: [u-7]\nemails: [ops@example.com]\ndomains: [inside.example]",
    ));
    files.push(segment("testers", "users: [u-test]\nusers_file: segments/testers.txt"));
    files.push(("segments/testers.txt".to_owned(), "u-listed\nu-4\n".to_owned()));
    files
}

/// A flag with one fault.
fn broken(key: &str) -> String {
    flag(key, "").replace("enabled: true", "enabled: yes")
}

/// Every service, with its orders given; and the folder of the keys that they read from time to
/// time.
pub async fn start() -> (Vec<Started>, TempDir) {
    let issuer = Issuer::new(Algorithm::Es256, "our-key");
    let stranger = Issuer::new(Algorithm::Es256, "our-key");
    let names = names(&issuer, &stranger);
    let keys = TempDir::new().unwrap();
    fs::write(keys.path().join("keys"), issuer.jwks()).unwrap();
    fs::write(keys.path().join("servers"), format!("shop {}\n", sha256(SERVER_KEY))).unwrap();
    let access = |unverified| AuthConfig {
        session_keys: Some(SessionKeys {
            source: Source::File(keys.path().join("keys")),
            pins: pins(Algorithm::Es256),
        }),
        server_keys: Some(Source::File(keys.path().join("servers"))),
        unverified,
        ..AuthConfig::default()
    };
    let origins = "https://app.example.com,http://localhost:3000".to_owned();
    let pages = AuthArgs { cors_origins: origins, ..AuthArgs::default() }.check(None).unwrap();
    let hurried = Limits { body: Duration::from_millis(50), ..Limits::default() };
    let mut all = Vec::new();
    let mut add = |name, service| all.push(Started { name, service, names: names.clone() });
    add(
        "open",
        ordered(service(|config| config.internal_user_ids = vec!["u-inner".to_owned()]).await)
            .await,
    );
    add(
        "tokens",
        ordered(service(|config| config.access = access(AnonymousAccess::Deny)).await).await,
    );
    add("either", service(|config| config.access = access(AnonymousAccess::Allow)).await);
    add("pages", service(|config| config.access = pages).await);
    add("below", service(|config| config.public_path = "/turnout".parse().unwrap()).await);
    add("no-hand-off", service(|config| config.server_auth = ServerAuth::WithoutHandOff).await);
    add(
        "crowded",
        service(|config| config.streams = StreamLimits { streams: 0, ..StreamLimits::default() })
            .await,
    );
    add("hurried", service(|config| config.limits = hurried).await);
    add("cold", Service::start_without_folder().await);
    (all, keys)
}

async fn service(set: impl FnOnce(&mut Config)) -> Service {
    let home = TempDir::new().unwrap();
    fs::create_dir_all(home.path().join("flags/segments")).unwrap();
    files()
        .iter()
        .for_each(|(path, text)| fs::write(home.path().join("flags").join(path), text).unwrap());
    let mut config = config(home.path());
    set(&mut config);
    Service::start_as(home, config).await
}

/// A service with one flag stopped, the shares of another set, and a good file that became a broken
/// one.
async fn ordered(service: Service) -> Service {
    let set = json!({ "realtime-v2": "55%", "disabled": "20%", "reason": "a test" });
    for (path, order) in
        [("/v1/flags/stopped/stop", json!({ "reason": "a test" })), ("/v1/flags/split/set", set)]
    {
        assert_eq!(service.order(path, order).await.status(), 200, "{path}");
    }
    fs::write(service.flags.join("held.yaml"), broken("held")).unwrap();
    service.reach_problems(|count| count == 2).await;
    service
}

/// Tokens good and bad.
fn names(issuer: &Issuer, stranger: &Issuer) -> HashMap<String, String> {
    let sign = |claims| issuer.sign(&issuer.header(), &claims);
    let of = |subject: &str, name: &str, value| sign(with(&claims(subject), name, value));
    let tokens = [
        ("u-1", issuer.token("u-1")),
        ("u-7", issuer.token("u-7")),
        ("u-denied", issuer.token("u-denied")),
        ("with an address", of("u-2", "email", json!("ops@example.com"))),
        ("with an address of rules", of("u-2", "email", json!("a@rules.example"))),
        ("with a plan", of("u-2", "plan", json!("paid"))),
        ("past", of("u-1", "exp", json!(1_000_000_000))),
        ("for others", of("u-1", "aud", json!("others"))),
        ("of others", of("u-1", "iss", json!("https://others.example/"))),
        ("without a user", sign(without(&claims("u-1"), "sub"))),
        ("of a stranger", stranger.token("u-1")),
    ];
    let tokens = tokens.into_iter().map(|(name, token)| (format!("token {name}"), token));
    tokens.chain([("key".to_owned(), SERVER_KEY.to_owned())]).collect()
}
