//! What a bad report gets, and who may report at all.

use serde_json::{Value as Json, json};

use super::{Reported, honest};
use crate::support::guarded::SERVER_KEY;
use crate::support::issuer::claims;

/// The honest report with a member of its flag changed.
fn with(name: &str, value: Json) -> String {
    let mut report = honest();
    report["flags"][0][name] = value;
    report.to_string()
}

/// The honest report with a member of its own changed.
fn whole(name: &str, value: Json) -> String {
    let mut report = honest();
    report[name] = value;
    report.to_string()
}

#[tokio::test]
async fn every_bad_report_has_its_answer() {
    let reported = Reported::start().await;
    let many: Vec<Json> =
        (0..33).map(|n| json!({ "flag": format!("f{n}"), "mode": "polling" })).collect();
    let switch = json!({ "from": "polling", "to": "live", "reason": "strategy" });
    let lasting = json!({ "connects": 1, "failures": 0, "liveMs": 480_001 });
    let deep = format!(
        "{{\"windowMs\":1,\"later\":{}{},\"flags\":[{{\"flag\":\"a\",\"mode\":\"idle\"}}]}}",
        "[".repeat(8_000),
        "]".repeat(8_000)
    );
    for (what, body, status, code) in [
        ("an honest one", honest().to_string(), 204, ""),
        ("nothing happened", whole("flags", json!([{ "flag": "a", "mode": "idle" }])), 204, ""),
        (
            "a flag that is not there",
            whole("flags", json!([{ "flag": "z", "mode": "idle" }])),
            204,
            "",
        ),
        ("members of later versions", with("later", json!({ "x": [1, "y"] })), 204, ""),
        ("no body", String::new(), 400, "parse-error"),
        ("half a body", "{\"windowMs\":".to_owned(), 400, "parse-error"),
        ("not UTF-8 as JSON", "\u{feff}{}".to_owned(), 400, "parse-error"),
        ("8,000 levels of them", deep, 204, ""),
        ("a list", "[]".to_owned(), 400, "bad-report"),
        ("null", "null".to_owned(), 400, "bad-report"),
        ("no member", "{}".to_owned(), 400, "bad-report"),
        (
            "a member twice",
            "{\"windowMs\":1,\"windowMs\":1,\"flags\":[]}".to_owned(),
            400,
            "bad-report",
        ),
        ("no flag", whole("flags", json!([])), 400, "bad-report"),
        ("33 flags", whole("flags", json!(many)), 400, "bad-report"),
        (
            "a flag twice",
            whole(
                "flags",
                json!([{ "flag": "a", "mode": "idle" }, { "flag": "a", "mode": "idle" }]),
            ),
            400,
            "bad-report",
        ),
        ("a text that is no key", with("flag", json!("A user wrote this")), 400, "bad-report"),
        ("a free text as the client", whole("client", json!("my name is u-1")), 400, "bad-report"),
        ("a long client", whole("client", json!("x".repeat(65))), 400, "bad-report"),
        ("a version that is a number", whole("version", json!(1)), 400, "bad-report"),
        ("a mode that is not known", with("mode", json!("sleeping")), 400, "bad-report"),
        ("no mode", with("mode", Json::Null), 400, "bad-report"),
        ("a strategy that is not known", with("strategy", json!("realtime-v3")), 400, "bad-report"),
        (
            "a reason that is not known",
            with("switches", json!([{ "from": "polling", "to": "live", "reason": "I wanted to" }])),
            400,
            "bad-report",
        ),
        ("33 switches", with("switches", json!(vec![switch; 33])), 400, "bad-report"),
        ("a window of an hour", whole("windowMs", json!(3_600_000)), 400, "bad-report"),
        ("a negative window", whole("windowMs", json!(-1)), 400, "bad-report"),
        ("half a millisecond", whole("windowMs", json!(0.5)), 400, "bad-report"),
        ("121 polls in a minute", with("poll", json!({ "success": 121 })), 400, "bad-report"),
        ("a billion errors", with("poll", json!({ "error": 1_000_000_000 })), 400, "bad-report"),
        ("more than a u64", with("poll", json!({ "error": 1e30 })), 400, "bad-report"),
        (
            "more empty ones than answered",
            with("poll", json!({ "success": 1, "empty": 2 })),
            400,
            "bad-report",
        ),
        (
            "too few ranges",
            with("latencyMs", json!({ "buckets": [1], "sumMs": 5 })),
            400,
            "bad-report",
        ),
        (
            "a latency of a billion",
            with(
                "latencyMs",
                json!({ "buckets": [0, 0, 0, 0, 0, 0, 0, 0, 1], "sumMs": 1_000_000_000 }),
            ),
            400,
            "bad-report",
        ),
        (
            "a sum of nothing",
            with("intervalMs", json!({ "buckets": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "sumMs": 1 })),
            400,
            "bad-report",
        ),
        ("longer live than eight streams", with("realtime", lasting), 400, "bad-report"),
        ("a complaint in words", with("complaint", json!("it does not work")), 400, "bad-report"),
        ("16 KiB and a byte", honest().to_string() + &" ".repeat(16 * 1024), 413, "too-large"),
    ] {
        // Of another user each, as one may report ten times a minute.
        let answer = reported.send(Some(&reported.issuer.token(what)), body).await;
        assert_eq!(answer, (status, code.to_owned()), "{what}");
    }
    let longest = format!("{:<1$}", honest().to_string(), 16 * 1024);
    let token = reported.issuer.token("u-1");
    assert_eq!(reported.send(Some(&token), longest).await.0, 204, "16 KiB are taken");
    let page = reported.page().await;
    for row in [
        "turnout_client_reports_total{outcome=\"counted\"} 6",
        "build_poll_success_total{flag=\"a\",strategy=\"polling\"} 27",
    ] {
        assert!(page.lines().any(|line| line == row), "only what was taken counts: {row}\n{page}");
    }
    assert!(!page.contains("flag=\"z\""), "what a report says is no label");
}

#[tokio::test]
async fn verified_users_alone_report() {
    let reported = Reported::start().await;
    let mut ended = claims("u-1");
    ended["exp"] = 1.into();
    let ended = reported.issuer.sign(&reported.issuer.header(), &ended);
    let good = reported.issuer.token("u-1");
    for (what, credential, status, code) in [
        ("no credential", None, 401, "unauthenticated"),
        ("a server key", Some(SERVER_KEY), 403, "not-permitted"),
        ("an unknown key", Some("nothing"), 401, "unauthenticated"),
        ("a token that ended", Some(&*ended), 401, "unauthenticated"),
        ("half a token", Some(&good[..good.len() - 4]), 401, "unauthenticated"),
        ("a token", Some(&*good), 204, ""),
    ] {
        // Nothing of a body is read before it is known who sends it.
        for body in [honest().to_string(), "{".to_owned()] {
            let answer = reported.send(credential, body.clone()).await;
            let expected = match (status, &*body) {
                (204, "{") => (400, "parse-error".to_owned()),
                _ => (status, code.to_owned()),
            };
            assert_eq!(answer, expected, "{what}");
        }
    }
    assert_eq!(reported.number("turnout_client_reports_total{outcome=\"counted\"}").await, 1);
}
