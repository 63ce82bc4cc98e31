//! `/metrics`: the page has every registered name and no other, and each number counts what it
//! should.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use turnout::auth::{Algorithm, SigningKey, Source};
use turnout::config::{AuthArgs, AuthConfig, Config, SessionKeys};
use turnout::telemetry::metrics::{ALL, Kind, MAX_FLAGS};
use turnout::webhook::{AddressPolicy, Target, WebhookConfig};

use crate::support::issuer::{Issuer, pins};
use crate::support::{Service, config, flag};

const SPLIT: &str = "rollout: { realtime-v2: 12.5%, disabled: 5% }";

#[test]
fn the_table_of_metrics_is_the_registry() {
    let docs =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/METRICS.md")).unwrap();
    let table: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `")).collect();
    let registered: Vec<String> = ALL
        .iter()
        .map(|metric| {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            let labels: Vec<String> =
                metric.labels.iter().map(|label| format!("`{label}`")).collect();
            format!("| `{}` | {kind} | {} | {} |", metric.shown(), labels.join(", "), metric.help)
        })
        .collect();
    assert_eq!(table, registered, "docs/METRICS.md and src/telemetry/metrics.rs differ");
}

async fn page(service: &Service) -> String {
    service.admin("/metrics").await.text().await.unwrap()
}

/// The names on a page with the labels of each.
fn read(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (row, number) = line.rsplit_once(' ').unwrap();
        assert!(number.parse::<f64>().is_ok(), "{line}");
        let (name, labels) =
            row.strip_suffix('}').map_or((row, ""), |row| row.split_once('{').unwrap());
        let labels =
            labels.split("\",").filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        names.entry(name.to_owned()).or_default().extend(labels);
    }
    names
}

#[tokio::test]
async fn every_registered_metric_is_on_the_page_and_no_other() {
    let target = Target::parse("http://127.0.0.1:1/", AddressPolicy::Anywhere).unwrap();
    let webhook = WebhookConfig { target, key: SigningKey::of(&[b'k'; 32]).unwrap() };
    let issuer = Issuer::new(Algorithm::Es256, "key");
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("flags")).unwrap();
    fs::write(home.path().join("flags/chat.yaml"), flag("chat", SPLIT)).unwrap();
    fs::write(home.path().join("keys"), issuer.jwks()).unwrap();
    let source = Source::File(home.path().join("keys"));
    let session_keys = Some(SessionKeys { source, pins: pins(Algorithm::Es256) });
    let access = AuthConfig { session_keys, ..AuthConfig::default() };
    let config = Config { webhook: Some(webhook), access, ..config(home.path()) };
    let service = Service::start_as(home, config).await;
    service.strategy("chat", "u-1").await;
    let switch = json!({ "from": "polling", "to": "live", "reason": "strategy" });
    let report = json!({ "windowMs": 1, "flags": [{ "flag": "chat", "mode": "live", "switches": [switch] }] });
    let reporting = service.client.post(service.url("/v1/reports")).body(report.to_string());
    let reported = reporting.bearer_auth(issuer.token("u-1")).send().await.unwrap();
    assert_eq!(reported.status(), 204);
    let made = service
        .order(
            "/v1/tokens",
            json!({ "name": "viewer", "role": "viewer", "expiresAfterMs": 86_400_000 }),
        )
        .await;
    assert!(made.status().is_success(), "{}", made.text().await.unwrap());
    // A page does not count its own request: a request is counted when it is answered.
    page(&service).await;
    let page = page(&service).await;
    assert!(page.ends_with("# EOF\n"));
    let expected: BTreeMap<String, BTreeSet<String>> = ALL
        .iter()
        .flat_map(|metric| {
            let labels = || metric.labels.iter().map(|label| (*label).to_owned());
            let row = |end: &str, more: &[&str]| {
                let more = more.iter().map(|label| (*label).to_owned());
                (format!("{}{end}", metric.shown()), labels().chain(more).collect())
            };
            match metric.kind {
                Kind::Counter | Kind::Gauge => vec![row("", &[])],
                // Its parts, as OpenMetrics has them.
                Kind::Histogram => {
                    vec![row("_sum", &[]), row("_count", &[]), row("_bucket", &["le"])]
                }
            }
        })
        .collect();
    assert_eq!(read(&page), expected, "{page}");
    // A histogram's last range has no bound, or its count is not that of all.
    for metric in ALL.iter().filter(|metric| metric.kind == Kind::Histogram) {
        let counts = |end: &str| -> Vec<&str> {
            let name = format!("{}{end}", metric.shown());
            let rows = page.lines().filter(|line| line.starts_with(&name));
            rows.map(|line| line.rsplit_once(' ').unwrap().1).collect()
        };
        assert_eq!(counts("_bucket{le=\"+Inf\""), counts("_count"), "{metric:?}");
    }
    for line in
        page.lines().filter(|line| line.starts_with("# TYPE ") || line.starts_with("# HELP "))
    {
        let name = line.split(' ').nth(2).unwrap();
        let is_registered = |metric: &&turnout::telemetry::metrics::Metric| {
            metric.shown().trim_end_matches("_total") == name
        };
        assert!(ALL.iter().find(is_registered).is_some(), "{line}");
    }
}

#[tokio::test]
async fn metrics_show_a_flags_revision_share_and_stop() {
    let off = flag("off", "rollout: { realtime-v2: 40% }")
        .replace("default: polling", "default: disabled");
    let service = Service::start(&[("chat.yaml", &flag("chat", SPLIT)), ("off.yaml", &off)]).await;
    let has = async |lines: &[&str]| {
        let page = page(&service).await;
        for line in lines {
            assert!(page.lines().any(|other| other == *line), "no {line} in\n{page}");
        }
    };
    has(&[
        r#"turnout_flag_revision{flag="chat"} 1"#,
        r#"turnout_flag_share{flag="chat",strategy="realtime-v2"} 0.125"#,
        r#"turnout_flag_share{flag="chat",strategy="polling"} 0.825"#,
        r#"turnout_flag_share{flag="chat",strategy="disabled"} 0.05"#,
        r#"turnout_flag_share{flag="off",strategy="realtime-v2"} 0.4"#,
        r#"turnout_flag_share{flag="off",strategy="polling"} 0.0"#,
        r#"turnout_flag_share{flag="off",strategy="disabled"} 0.6"#,
        r#"turnout_flag_stopped{flag="chat"} 0"#,
        "turnout_flags_left_out 0",
    ])
    .await;
    assert_eq!(
        service.order("/v1/flags/chat/set", json!({ "realtime-v2": "2%" })).await.status(),
        200
    );
    assert_eq!(service.order("/v1/flags/chat/stop", json!({})).await.status(), 200);
    has(&[
        r#"turnout_flag_revision{flag="chat"} 3"#,
        r#"turnout_flag_share{flag="chat",strategy="realtime-v2"} 0.02"#,
        r#"turnout_flag_stopped{flag="chat"} 1"#,
        r#"turnout_flag_revision{flag="off"} 1"#,
        r#"turnout_flag_stopped{flag="off"} 0"#,
    ])
    .await;
    let page = page(&service).await;
    let number = |name: &str| {
        page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).unwrap()
    };
    assert_eq!(
        number("turnout_database_bytes"),
        fs::metadata(service.data.join("turnout.db")).unwrap().len()
    );
    assert!(number("turnout_database_wal_bytes") > 0 && number("turnout_disk_free_bytes") > 0);
}

#[tokio::test]
async fn at_most_a_thousand_flags_have_rows() {
    let files: Vec<(String, String)> = (0..MAX_FLAGS + 3)
        .map(|n| (format!("f{n:04}.yaml"), flag(&format!("f{n:04}"), SPLIT)))
        .collect();
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let service = Service::start(&files).await;
    let page = page(&service).await;
    let rows =
        |name: &str| page.lines().filter(|line| line.starts_with(&format!("{name}{{"))).count();
    assert_eq!(rows("turnout_flag_revision"), MAX_FLAGS);
    assert_eq!(rows("turnout_flag_stopped"), MAX_FLAGS);
    assert_eq!(rows("turnout_flag_share"), 3 * MAX_FLAGS);
    assert!(
        page.contains("\nturnout_flags_left_out 3\n") && page.contains("\nturnout_flags 1003\n")
    );
}

/// However a response is made: by the fast path, by the router, by a layer before the router, for a
/// foreign page, or for no route.
#[tokio::test]
async fn every_request_of_both_listeners_is_counted_by_route() {
    let origins =
        AuthArgs { cors_origins: "https://app.example.com".to_owned(), ..AuthArgs::default() };
    let access = AuthConfig {
        cors_origins: origins.check(None).unwrap().cors_origins,
        ..AuthConfig::default()
    };
    let service = Service::start_guarded(&[("chat.yaml", &flag("chat", SPLIT))], access).await;
    service.strategy("chat", "u-1").await;
    service.post("/v1/strategy/ch%61t", "{}").await;
    service.post("/v1/strategy/none", "{}").await;
    service.post("/ofrep/v1/evaluate/flags/chat", "{}").await;
    for path in ["/v1/nowhere", "/v1/strategy/chat/", "/secret-4711"] {
        service.client.get(service.url(path)).send().await.unwrap();
    }
    let preflight =
        service.client.request(reqwest::Method::OPTIONS, service.url("/v1/strategy/chat"));
    let preflight = preflight
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "POST");
    assert_eq!(preflight.send().await.unwrap().status(), 204);
    let stream = service.post("/v1/strategy/chat/watch", r#"{"targetingKey":"u-1"}"#).await;
    assert_eq!(stream.status(), 200);
    let asked =
        service.client.get(service.url("/healthz")).header("host", "a,b").send().await.unwrap();
    assert_eq!(asked.status(), 400);
    // Without a token, with one, to no route, and for another host.
    assert_eq!(
        service.client.get(service.admin_url("/v1/status")).send().await.unwrap().status(),
        401
    );
    assert_eq!(service.admin("/v1/flags/chat").await.status(), 200);
    assert_eq!(service.order("/v1/flags/chat/stop", json!({})).await.status(), 200);
    assert_eq!(service.admin("/v1/nowhere").await.status(), 404);
    let elsewhere = service
        .client
        .get(service.admin_url("/healthz"))
        .header("host", "attacker.example")
        .send()
        .await
        .unwrap();
    assert_eq!(elsewhere.status(), 403);

    let page = page(&service).await;
    let prefix = "turnout_http_requests_total";
    let counted: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix(prefix)).collect();
    let expected: BTreeSet<&str> = [
        r#"{listener="public",route="/v1/strategy/{flag}",status="2xx"} 3"#,
        r#"{listener="public",route="/v1/strategy/{flag}",status="4xx"} 1"#,
        r#"{listener="public",route="/v1/strategy/{flag}/watch",status="2xx"} 1"#,
        r#"{listener="public",route="/ofrep/v1/evaluate/flags/{key}",status="4xx"} 1"#,
        r#"{listener="public",route="/healthz",status="4xx"} 1"#,
        r#"{listener="public",route="other",status="4xx"} 3"#,
        r#"{listener="admin",route="/v1/status",status="4xx"} 1"#,
        r#"{listener="admin",route="/v1/flags/{flag}",status="2xx"} 1"#,
        r#"{listener="admin",route="/v1/flags/{flag}/stop",status="2xx"} 1"#,
        r#"{listener="admin",route="/healthz",status="4xx"} 1"#,
        r#"{listener="admin",route="other",status="4xx"} 1"#,
    ]
    .into();
    assert_eq!(counted, expected, "{page}");
    assert!(!page.contains("4711"), "what strangers ask for is no label");
}
