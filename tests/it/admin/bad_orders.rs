//! Bodies, headers and addresses that the admin listener refuses: it guesses at nothing it does not
//! understand, repeats nothing that was sent, and changes nothing.

use crate::support::{Service, flag};
use serde_json::{Value as Json, json};

const SENT: &str = "sentinel-4711";

struct Bench(Service);

impl Bench {
    async fn start() -> Bench {
        Bench(
            Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 50% }"))]).await,
        )
    }

    /// Sends a request and checks how it is refused.
    async fn check(
        &self,
        path: &str,
        key: Option<&[u8]>,
        body: impl Into<Vec<u8>>,
        status: u16,
        code: &str,
    ) {
        let body = body.into();
        let shown = format!(
            "{path} {:?} {}",
            key.map(String::from_utf8_lossy),
            String::from_utf8_lossy(&body[..body.len().min(120)])
        );
        let before =
            (self.0.revision(), self.0.app.coordinator().credentials().borrow().all().len());
        let request =
            self.0.client.post(self.0.admin_url(path)).bearer_auth(self.0.token()).body(body);
        let value = |key: &[u8]| reqwest::header::HeaderValue::from_bytes(key).unwrap();
        let request = key
            .into_iter()
            .fold(request, |request, key| request.header("idempotency-key", value(key)));
        let answer = request.send().await.unwrap();
        let (reply, kind) = (
            answer.status().as_u16(),
            answer.headers()["content-type"].to_str().unwrap().to_owned(),
        );
        let text = answer.text().await.unwrap();
        let problem: Json = serde_json::from_str(&text).unwrap();
        assert_eq!((reply, kind.as_str()), (status, "application/problem+json"), "{shown}: {text}");
        assert_eq!(problem["code"], code, "{shown}");
        assert!(!text.contains(SENT), "{shown}: {text}");
        assert!(!text.contains(|c: char| c.is_control()), "{shown}: {text}");
        assert_eq!(
            (self.0.revision(), self.0.app.coordinator().credentials().borrow().all().len()),
            before,
            "{shown}: something was done"
        );
    }

    async fn takes(&self, path: &str, body: Json) {
        let (status, answer) = self.0.ordered(path, body.clone()).await;
        assert!(status < 300, "{path} {body}: {answer}");
    }
}

#[tokio::test]
async fn a_command_body_must_be_json_with_known_members() {
    let bench = Bench::start().await;
    let long = "x".repeat(70_000);
    let deep = format!("{{\"reason\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let verbs =
        ["set", "unset", "stop", "resume", "rollback"].map(|verb| format!("/v1/flags/chat/{verb}"));
    for path in verbs.iter().map(String::as_str).chain(["/v1/stop", "/v1/tokens"]) {
        for body in [
            &b"{"[..],
            b"null",
            b"5",
            b"\"sentinel-4711\"",
            b"[]",
            // Values are not matched to members by position either.
            b"[\"sentinel-4711\",1,\"10%\"]",
            b"{\"reason\":\"a\"}{}",
            b"{\"reason\":\"a\",}",
            b"{'reason':'a'}",
            b"\xef\xbb\xbf{}",
            b"\xff\xfe",
            b"{\"reason\":\"\xff\"}",
            b"{\"reason\":\"\\ud83d\"}",
            b"{\"sentinel-4711\":1}",
            b"{\"reason\":\"a\",\"reason\":\"a\"}",
            b"{\"name\":\"a\",\"name\":\"a\",\"role\":\"viewer\"}",
            b"{\"Reason\":\"a\"}",
            b"{\"\":1}",
            b"{\"__proto__\":{}}",
            deep.as_bytes(),
        ] {
            bench.check(path, None, body, 400, "invalid-request").await;
        }
        bench.check(path, None, format!("{{\"reason\":\"{long}\"}}"), 413, "too-large").await;
        bench.check(path, None, " ".repeat(70_000), 413, "too-large").await;
        bench.check(path, None, long.clone(), 413, "too-large").await;
    }
    // A member that belongs to another verb asks for something that would not happen.
    for (verb, member) in [
        ("stop", r#"{"forMs":1000}"#),
        ("stop", r#"{"at":"1%"}"#),
        ("unset", r#"{"to":1}"#),
        ("set", r#"{"realtime-v2":"1%","to":1}"#),
        ("set", r#"{"realtime-v2":"1%","at":"1%"}"#),
        ("resume", r#"{"reason":"x","realtime-v2":"1%"}"#),
        ("rollback", r#"{"forMs":1000}"#),
        ("set", r#"{"polling":"1%"}"#),
    ] {
        bench.check(&format!("/v1/flags/chat/{verb}"), None, member, 400, "invalid-request").await;
    }
    bench.check("/v1/stop", None, r#"{"flag":"chat"}"#, 400, "invalid-request").await;
}

#[tokio::test]
async fn a_body_member_of_a_wrong_type_is_refused() {
    let bench = Bench::start().await;
    let set = "/v1/flags/chat/set";
    let refused = [
        json!({}),
        json!({ "reason": "no share" }),
        json!({ "realtime-v2": null, "disabled": null }),
        json!({ "realtime-v2": 25 }),
        json!({ "realtime-v2": "25" }),
        json!({ "realtime-v2": "sentinel-4711" }),
        json!({ "realtime-v2": "101%" }),
        json!({ "realtime-v2": "100.001%" }),
        json!({ "realtime-v2": "1.0001%" }),
        json!({ "realtime-v2": "-1%" }),
        json!({ "realtime-v2": "+1%" }),
        json!({ "realtime-v2": "01%" }),
        json!({ "realtime-v2": "1e1%" }),
        json!({ "realtime-v2": " 1%" }),
        json!({ "realtime-v2": "1 %" }),
        json!({ "realtime-v2": "\u{0661}%" }),
        json!({ "realtime-v2": "9".repeat(60_000) + "%" }),
        json!({ "realtime-v2": ["1%"] }),
        json!({ "disabled": "NaN%" }),
        json!({ "realtime-v2": "1%", "then": "2%" }),
        json!({ "realtime-v2": "1%", "forMs": 0 }),
        json!({ "realtime-v2": "1%", "forMs": -1 }),
        json!({ "realtime-v2": "1%", "forMs": 366 * 86_400_000_i64 + 1 }),
        json!({ "realtime-v2": "1%", "forMs": i64::MAX }),
        json!({ "realtime-v2": "1%", "forMs": u64::MAX }),
        json!({ "realtime-v2": "1%", "forMs": 1e300 }),
        json!({ "realtime-v2": "1%", "forMs": 1.5 }),
        json!({ "realtime-v2": "1%", "forMs": "2h" }),
        json!({ "realtime-v2": "1%", "forMs": 1000, "then": "sentinel-4711" }),
        json!({ "realtime-v2": "1%", "expectedRevision": -1 }),
        json!({ "realtime-v2": "1%", "expectedRevision": "1" }),
        json!({ "realtime-v2": "1%", "reason": 5 }),
        json!({ "realtime-v2": "1%", "reason": "x".repeat(501) }),
        json!({ "realtime-v2": "1%", "reason": "é".repeat(251) }),
    ];
    for body in refused {
        bench.check(set, None, body.to_string(), 400, "invalid-request").await;
    }
    // A value must be one line that reads from left to right, without a line break.
    let breaks = [
        "\0",
        "\n",
        "\r",
        "\t",
        "\u{1b}[2J",
        "\u{7f}",
        "\u{85}",
        "\u{9b}",
        "\u{2028}",
        "\u{2029}",
        "\u{202e}",
        "\u{2066}",
    ];
    for bad in breaks {
        let text = format!("before{bad}after");
        for (path, body) in [
            (set, json!({ "realtime-v2": "1%", "reason": text })),
            ("/v1/flags/chat/stop", json!({ "reason": text })),
            ("/v1/stop", json!({ "reason": text })),
            ("/v1/tokens", json!({ "name": text, "role": "viewer" })),
        ] {
            bench.check(path, None, body.to_string(), 400, "invalid-request").await;
        }
    }
    bench.check("/v1/flags/chat/rollback", None, r#"{"to":-1}"#, 400, "invalid-request").await;
    bench.check("/v1/flags/chat/rollback", None, r#"{"to":"1"}"#, 400, "invalid-request").await;
    // One more than the contract's 64 bits with a sign.
    let beyond = r#"{"to":9223372036854775808}"#;
    bench.check("/v1/flags/chat/rollback", None, beyond, 400, "invalid-request").await;
    bench
        .check(
            "/v1/flags/chat/rollback",
            None,
            r#"{"to":9223372036854775807}"#,
            422,
            "no-such-revision",
        )
        .await;
    bench.check("/v1/flags/chat/resume", None, r#"{"at":5}"#, 400, "invalid-request").await;
    for (key, fine) in [
        (&b""[..], false),
        (b"a\tb", false),
        (b"\xc3\xa9", false),
        (&[b'k'; 129], false),
        (&[b'k'; 128], true),
    ] {
        if !fine {
            bench.check("/v1/flags/chat/stop", Some(key), "", 400, "invalid-request").await;
        }
    }
    let two =
        bench.0.client.post(bench.0.admin_url("/v1/flags/chat/stop")).bearer_auth(bench.0.token());
    let two =
        two.header("idempotency-key", "one").header("idempotency-key", "two").send().await.unwrap();
    assert_eq!(two.status(), 400);
    // Values at the bounds are accepted.
    for body in [
        json!({ "realtime-v2": "49.999%", "reason": "x".repeat(500), "expectedRevision": i64::MAX }),
        json!({ "realtime-v2": "49%", "reason": null, "forMs": 366 * 86_400_000_i64, "then": "0%" }),
        json!({ "realtime-v2": "0%", "disabled": "100%", "forMs": null }),
        json!({ "realtime-v2": "0%", "disabled": "100.000%", "reason": "für alle 🚦" }),
    ] {
        bench.takes(set, body).await;
    }
    let empty =
        bench.0.client.post(bench.0.admin_url("/v1/flags/chat/stop")).bearer_auth(bench.0.token());
    assert_eq!(
        empty.header("idempotency-key", "k".repeat(128)).send().await.unwrap().status(),
        200,
        "no body at all"
    );
}

#[tokio::test]
async fn a_token_request_with_a_wrong_member_is_refused() {
    let bench = Bench::start().await;
    let refused = [
        json!({}),
        json!({ "name": "a" }),
        json!({ "role": "viewer" }),
        json!({ "name": "", "role": "viewer" }),
        json!({ "name": " ", "role": "viewer" }),
        json!({ "name": "x".repeat(65), "role": "viewer" }),
        json!({ "name": null, "role": "viewer" }),
        json!({ "name": 5, "role": "viewer" }),
        json!({ "name": "a", "role": "sentinel-4711" }),
        json!({ "name": "a", "role": "Admin" }),
        json!({ "name": "a", "role": null }),
        json!({ "name": "a", "role": "operator", "flags": "chat" }),
        json!({ "name": "a", "role": "operator", "flags": ["NOT-A-KEY"] }),
        json!({ "name": "a", "role": "operator", "flags": [5] }),
        json!({ "name": "a", "role": "viewer", "expiresAfterMs": 0 }),
        json!({ "name": "a", "role": "viewer", "expiresAfterMs": -5 }),
        json!({ "name": "a", "role": "viewer", "expiresAfterMs": i64::MAX }),
        json!({ "name": "a", "role": "viewer", "expiresAfterMs": "90d" }),
        json!({ "name": "a", "role": "viewer", "secret": "sentinel-4711" }),
        json!({ "name": "local-admin", "role": "viewer" }),
        json!({ "name": "Local-Admin", "role": "viewer" }),
        json!({ "name": "l\u{43e}cal-admin", "role": "viewer" }),
        json!({ "name": "local-admin\u{200b}", "role": "viewer" }),
        json!({ "name": "SELF", "role": "viewer" }),
        json!({ "name": "local_admin", "role": "viewer" }),
        json!({ "name": "Loca1.Admin", "role": "viewer" }),
        json!({ "name": "files", "role": "viewer" }),
        json!({ "name": "Data-Base", "role": "viewer" }),
        json!({ "name": "SYSTEM", "role": "viewer" }),
        json!({ "name": "n0de", "role": "viewer" }),
        json!({ "name": "turnout", "role": "viewer" }),
        json!({ "name": "two words", "role": "viewer" }),
        json!({ "name": "a/b", "role": "viewer" }),
        json!({ "name": "0123456789ab", "role": "viewer" }),
        json!({ "name": "expiry", "role": "viewer" }),
    ];
    for body in refused {
        bench.check("/v1/tokens", None, body.to_string(), 400, "invalid-request").await;
    }
    bench.check("/v1/tokens", None, "", 400, "invalid-request").await;
    for body in [
        json!({ "name": "x".repeat(64), "role": "viewer", "flags": null, "expiresAfterMs": null }),
        json!({ "name": "joerg.m-2_x", "role": "operator", "flags": ["not-there-yet"], "expiresAfterMs": 3_660 * 86_400_000_i64 }),
        json!({ "name": "no-flags", "role": "stopper", "flags": [] }),
    ] {
        bench.takes("/v1/tokens", body).await;
    }
}
