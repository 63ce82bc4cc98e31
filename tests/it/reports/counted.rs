//! What a report counts as, and how little a user can count beside the others.

use std::time::Instant;

use serde_json::{Value as Json, json};

use super::{Reported, honest};
use crate::support::{flag, wait_until};

/// The honest report with these members of its flag.
fn with(members: Json) -> Json {
    let mut report = honest();
    for (name, value) in members.as_object().unwrap() {
        report["flags"][0][name] = value.clone();
    }
    report
}

#[tokio::test]
async fn a_report_counts_for_the_strategy_that_the_server_knows() {
    let reported = Reported::start().await;
    let live = with(json!({
        "mode": "degraded", "strategy": "realtime-v2", "complaint": true,
        "realtime": { "connects": 2, "failures": 3, "liveMs": 12_000 },
        "switches": [
            { "from": "polling", "to": "live", "reason": "strategy" },
            { "from": "live", "to": "degraded", "reason": "unreachable" },
        ],
        "refreshFailures": 4, "dedupDrops": 5, "resets": 6,
    }));
    reported.report("u-1", &live).await;
    reported.report("u-sub", &live).await;
    // The session's claims decide, as they do for `GET /v1/strategy/a`.
    reported.report_claiming("u-2", ("plan", "paid"), &honest()).await;
    reported.report_claiming("u-3", ("email", "out@example.com"), &honest()).await;
    let page = reported.page().await;
    for row in [
        r#"build_poll_success_total{flag="a",strategy="polling"} 9"#,
        r#"build_poll_success_total{flag="a",strategy="realtime-v2"} 18"#,
        r#"build_poll_success_total{flag="a",strategy="disabled"} 9"#,
        r#"build_poll_error_total{flag="a",strategy="realtime-v2"} 2"#,
        r#"build_poll_interval_ms_sum{flag="a",strategy="polling"} 60000.0"#,
        r#"build_poll_interval_ms_count{flag="a",strategy="polling"} 9"#,
        r#"build_poll_interval_ms_bucket{le="10000.0",flag="a",strategy="polling"} 8"#,
        r#"build_poll_interval_ms_bucket{le="+Inf",flag="a",strategy="polling"} 9"#,
        r#"perceived_latency_ms_sum{flag="a",strategy="realtime-v2"} 40000.0"#,
        r#"perceived_latency_ms_count{flag="a",strategy="realtime-v2"} 6"#,
        r#"perceived_latency_ms_bucket{le="5000.0",flag="a",strategy="polling"} 2"#,
        r#"perceived_latency_over_10s_total{flag="a",strategy="realtime-v2"} 2"#,
        r#"perceived_latency_over_10s_total{flag="a",strategy="polling"} 1"#,
        r#"turnout_complaints_total{flag="a",strategy="polling"} 1"#,
        r#"turnout_complaints_total{flag="a",strategy="realtime-v2"} 1"#,
        r#"turnout_complaints_total{flag="a",strategy="disabled"} 0"#,
        r#"turnout_client_windows_total{flag="a",strategy="realtime-v2",mode="degraded"} 1"#,
        r#"turnout_client_windows_total{flag="a",strategy="realtime-v2",mode="polling"} 1"#,
        r#"turnout_client_switches_total{flag="a",strategy="polling",to="degraded",reason="unreachable"} 1"#,
        r#"turnout_client_live_seconds_total{flag="a",strategy="polling"} 12"#,
        r#"turnout_client_signs_total{flag="a",strategy="polling",sign="poll-empty"} 7"#,
        r#"turnout_client_signs_total{flag="a",strategy="polling",sign="poll-limited"} 2"#,
        r#"turnout_client_signs_total{flag="a",strategy="polling",sign="realtime-connect"} 2"#,
        r#"turnout_client_signs_total{flag="a",strategy="polling",sign="realtime-failure"} 3"#,
        r#"turnout_client_signs_total{flag="a",strategy="polling",sign="refresh-failure"} 4"#,
        r#"turnout_client_signs_total{flag="a",strategy="polling",sign="copy"} 5"#,
        r#"turnout_client_signs_total{flag="a",strategy="polling",sign="reset"} 6"#,
        r#"turnout_client_signs_total{flag="a",strategy="polling",sign="other-strategy"} 1"#,
        r#"turnout_client_signs_total{flag="a",strategy="disabled",sign="other-strategy"} 1"#,
        r#"turnout_client_reports_total{outcome="counted"} 4"#,
    ] {
        assert!(page.lines().any(|line| line == row), "no {row} in\n{page}");
    }
    assert!(!page.contains("turnout-client"), "the name of a library is no label");
    // A stop is known at once, whatever the client still holds.
    let stopped = reported.guarded.service.order("/v1/flags/a/stop", json!({})).await;
    assert_eq!(stopped.status(), 200);
    reported.report("u-sub", &live).await;
    let polling = r#"build_poll_success_total{flag="a",strategy="polling"}"#;
    assert_eq!(reported.number(polling).await, 18);
}

#[tokio::test]
async fn forged_repeated_and_flooding_reports_change_their_own_users_count_alone() {
    let reported = Reported::start().await;
    // As much as a report may say, with a complaint, again and again.
    let forged = json!({ "windowMs": 120_000, "flags": [{
        "flag": "a", "mode": "live", "complaint": true, "poll": { "error": 180 },
        "latencyMs": { "buckets": [0, 0, 0, 0, 0, 0, 0, 0, 180], "sumMs": 5_400_000 },
    }] })
    .to_string();
    let token = reported.issuer.token("u-forger");
    let (began, mut taken) = (Instant::now(), 0);
    for _ in 0..100 {
        match reported.send(Some(&token), forged.clone()).await {
            (204, _) => taken += 1,
            refused => assert_eq!(refused, (429, "quota-exceeded".to_owned())),
        }
    }
    let passed = began.elapsed().as_secs() + 1;
    assert!((10..=10 + 10 * passed / 60).contains(&taken), "{taken} after {passed} s");
    let row = |name: &str| format!("{name}{{flag=\"a\",strategy=\"polling\"}}");
    let errors = reported.number(&row("build_poll_error_total")).await;
    // Eight tabs of two minutes each, and what became free while the test ran.
    assert!((900..=960 + 8 * passed).contains(&errors), "{errors} after {passed} s");
    assert_eq!(reported.number(&row("perceived_latency_over_10s_total")).await, errors);
    let over = r#"turnout_client_reports_total{outcome="over-allowance"}"#;
    assert_eq!(reported.number(over).await, taken - errors / 180);
    let complaints = reported.number(&row("turnout_complaints_total")).await;
    assert!((1..=1 + passed / 60).contains(&complaints), "{complaints} after {passed} s");
    // Other users, seven of them from tabs of one, count as ever.
    for user in ["u-1", "u-2", "u-3"] {
        reported.report(user, &honest()).await;
    }
    for _ in 0..7 {
        reported.report("u-1", &honest()).await;
    }
    assert_eq!(reported.number(&row("build_poll_success_total")).await, 90);
}

#[tokio::test]
async fn flags_that_are_gone_have_no_rows() {
    let reported = Reported::start().await;
    let service = &reported.guarded.service;
    let of_two = json!({ "windowMs": 60_000, "flags": [
        { "flag": "a", "mode": "polling", "poll": { "success": 1 } },
        { "flag": "later", "mode": "polling", "poll": { "success": 1 } },
    ] });
    reported.report("u-1", &of_two).await;
    assert!(!reported.page().await.contains("flag=\"later\""), "what a report says is no label");
    std::fs::write(service.flags.join("later.yaml"), flag("later", "")).unwrap();
    wait_until("the flag is live", async || {
        service.app.coordinator().live().current().flag("later").is_some()
    })
    .await;
    reported.report("u-1", &of_two).await;
    let row =
        |flag: &str| format!("build_poll_success_total{{flag=\"{flag}\",strategy=\"polling\"}}");
    assert_eq!(reported.number(&row("later")).await, 1);
    assert_eq!(reported.number(&row("a")).await, 2);
}
