//! The public listener's contract: statuses, codes, headers, tags.

use crate::support::{Service, flag};
use serde_json::{Value as Json, json};
use turnout::flag::ServerAuth;

/// A flag for each kind of answer, and one broken file.
async fn service() -> Service {
    let plans = "attributes: { plan: text }\nrules: [{ name: paid, when: { plan: paid }, strategy: realtime-v2 }]";
    Service::start(&[
        ("half.yaml", &flag("half", "salt: build-events\nrollout: { realtime-v2: 50% }")),
        ("all.yaml", &flag("all", "rollout: { realtime-v2: 100% }")),
        ("plans.yaml", &flag("plans", plans)),
        ("none.yaml", &flag("none", "").replace("default: polling", "default: disabled")),
        ("broken.yaml", "version: 1\nflag: broken\n"),
    ])
    .await
}

#[tokio::test]
async fn every_kind_of_body_has_its_documented_response() {
    let service = service().await;
    let long = json!({ "targetingKey": "x".repeat(257) }).to_string();
    let longest = json!({ "targetingKey": "x".repeat(256) }).to_string();
    // Bytes count, not characters.
    let long_in_bytes = json!({ "targetingKey": "🚦".repeat(65) }).to_string();
    let longest_in_bytes = json!({ "targetingKey": "🚦".repeat(64) }).to_string();
    let many = |count: usize| {
        let attributes: serde_json::Map<String, Json> =
            (0..count).map(|i| (format!("a{i}"), Json::Null)).collect();
        json!({ "attributes": attributes }).to_string()
    };
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_attribute =
        format!(r#"{{"attributes":{{"a":{}{}}}}}"#, "[".repeat(100), "]".repeat(100));
    let (many_good, many_bad) = (many(256), many(257));
    let big =
        format!(r#"{{"targetingKey":"u","attributes":{{"a":"{}"}}}}"#, "x".repeat(10_000_000));
    // (body, status, code or rule)
    let table: &[(&str, u16, &str)] = &[
        (r#"{"targetingKey":"u-1"}"#, 200, "rollout"),
        (
            r#"{"targetingKey":"u-1","attributes":{"plan":"x","list":[1],"object":{"a":{}},"n":null,"b":true,"f":1.5}}"#,
            200,
            "rollout",
        ),
        ("{}", 200, "no-unit"),
        (r#"{"targetingKey":""}"#, 200, "no-unit"),
        (r#"{"targetingKey":null}"#, 200, "no-unit"),
        (r#"{"attributes":null}"#, 200, "no-unit"),
        (&longest, 200, "rollout"),
        (&longest_in_bytes, 200, "rollout"),
        (&many_good, 200, "no-unit"),
        (&deep_attribute, 200, "no-unit"),
        ("", 400, "parse-error"),
        ("not json", 400, "parse-error"),
        (r#"{"targetingKey":"u-1""#, 400, "parse-error"),
        (r#"{"targetingKey":"u-1"} x"#, 400, "parse-error"),
        (r#"{"targetingKey":"\ud800"}"#, 400, "invalid-context"),
        (r#"{"targetingKey":"u-1","attributes":{"name":"\ud83d","plan":"x"}}"#, 200, "rollout"),
        (r#"{"targetingKey":"u-1","attributes":{"name":"\ud83d" "plan":"x"}}"#, 400, "parse-error"),
        (&deep, 400, "invalid-context"),
        ("[]", 400, "invalid-context"),
        // Whatever the list contains.
        (" [1,", 400, "invalid-context"),
        ("null", 400, "invalid-context"),
        ("\"u-1\"", 400, "invalid-context"),
        (r#"{"targetingKey":5}"#, 400, "invalid-context"),
        (r#"{"targetingKey":["u-1"]}"#, 400, "invalid-context"),
        (r#"{"targetingKey":{"a":1}}"#, 400, "invalid-context"),
        (r#"{"targetingKey":"u-1","targetingKey":"u-2"}"#, 400, "invalid-context"),
        (r#"{"attributes":[]}"#, 400, "invalid-context"),
        (r#"{"attributes":{"a":1,"a":2}}"#, 400, "invalid-context"),
        (r#"{"targetingKey":"u-1","plan":"paid"}"#, 400, "invalid-context"),
        (&long, 400, "invalid-context"),
        (&long_in_bytes, 400, "invalid-context"),
        (&many_bad, 413, "too-large"),
        (&big, 413, "too-large"),
    ];
    for (body, status, code) in table {
        let shown: String = body.chars().take(80).collect();
        let response = service.post("/v1/strategy/half", (*body).to_owned()).await;
        assert_eq!(response.status().as_u16(), *status, "{shown}");
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(
            kind,
            if *status == 200 { "application/json" } else { "application/problem+json" },
            "{shown}"
        );
        assert_eq!(response.headers()["cache-control"], "private, no-cache");
        assert_eq!(response.headers()["turnout-revision"], "1");
        let answer: Json = response.json().await.unwrap();
        assert_eq!(answer[if *status == 200 { "rule" } else { "code" }], *code, "{shown}");
    }
    let not_utf8 = service.post("/v1/strategy/half", b"{\"targetingKey\":\"\xff\"}".to_vec()).await;
    assert_eq!(not_utf8.status(), 400);
}

#[tokio::test]
async fn no_error_repeats_what_a_user_sent() {
    let service = service().await;
    for body in [
        r#"{"targetingKey":"sentinel-4711""#,
        r#"{"targetingKey":{"sentinel-4711":1}}"#,
        r#"{"sentinel-4711":1}"#,
        r#"{"attributes":"sentinel-4711"}"#,
        r#"{"context":{"targetingKey":["sentinel-4711"]}}"#,
    ] {
        for path in [
            "/v1/strategy/half",
            "/v1/strategy",
            "/ofrep/v1/evaluate/flags/half",
            "/ofrep/v1/evaluate/flags",
        ] {
            let text = service.post(path, body.to_owned()).await.text().await.unwrap();
            assert!(!text.contains("sentinel"), "{path}: {text}");
        }
    }
}

#[tokio::test]
async fn unknown_flags_routes_and_methods_have_their_errors() {
    let service = service().await;
    for (path, code) in [
        ("/v1/strategy/nothing", "flag-not-found"),
        ("/v1/strategy/NOT%20A%20KEY", "flag-not-found"),
        ("/v1/strategy/%ff", "flag-not-found"),
        ("/v2/strategy", "no-such-route"),
    ] {
        let response = service.post(path, "{}").await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.json::<Json>().await.unwrap()["code"], code, "{path}");
    }
    let get = service.client.get(service.url("/v1/strategy")).send().await.unwrap();
    assert_eq!((get.status().as_u16(), get.headers()["allow"].to_str().unwrap()), (405, "POST"));
}

#[tokio::test]
async fn a_head_request_opens_no_stream() {
    let service = service().await;
    let head = service.client.head(service.url("/ofrep/v1/events")).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), head.headers()["content-type"].to_str().unwrap()),
        (200, "text/event-stream")
    );
    for name in ["content-length", "connection"] {
        assert!(
            !head.headers().contains_key(name),
            "{name}: nothing follows, and the connection stays"
        );
    }
    let status: Json = service.admin("/v1/status").await.json().await.unwrap();
    assert_eq!(status["streams"]["open"], 0);
}

#[tokio::test]
async fn a_broken_flag_answers_polling_and_readyz_stays_ok() {
    let service = service().await;
    let answer = service.ask("broken", "u-1").await;
    assert_eq!(
        (&answer["strategy"], &answer["rule"], &answer["reason"]),
        (&"polling".into(), &"error".into(), &"ERROR".into())
    );
    let ready = service.client.get(service.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let ready: Json = ready.json().await.unwrap();
    assert_eq!((&ready["flags"], &ready["status"]), (&5.into(), &"ready".into()));
    assert!(ready["problems"].as_u64().unwrap() > 0);
    let health = service.client.get(service.url("/healthz")).send().await.unwrap();
    assert_eq!(health.json::<Json>().await.unwrap(), json!({ "status": "ok" }));
}

#[tokio::test]
async fn an_etag_depends_on_the_body_alone() {
    let service = service().await;
    let ask = async |path: &str, body: &str, tag: Option<&str>| {
        let mut request = service.client.post(service.url(path)).body(body.to_owned());
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        request.send().await.unwrap()
    };
    for path in ["/v1/strategy/half", "/v1/strategy"] {
        let (inside, outside) = (r#"{"targetingKey":"u-4"}"#, r#"{"targetingKey":"u-0"}"#);
        let first = ask(path, inside, None).await;
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        assert!(
            tag.starts_with('"') && tag.ends_with('"') && !first.bytes().await.unwrap().is_empty()
        );
        for held in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"x\", {tag}"),
            tag.trim_matches('"').to_owned(),
            "*".to_owned(),
        ] {
            let again = ask(path, inside, Some(&held)).await;
            assert_eq!(
                (again.status().as_u16(), again.headers()["etag"].to_str().unwrap()),
                (304, &*tag),
                "{path} {held}"
            );
            assert!(
                again.headers().contains_key("turnout-revision")
                    && again.bytes().await.unwrap().is_empty()
            );
        }
        let other = ask(path, outside, Some(&tag)).await;
        assert_eq!(other.status(), 200, "{path}: another user's document is another body");
        assert_ne!(other.headers()["etag"].to_str().unwrap(), tag);
    }

    let before = ask("/v1/strategy/half", r#"{"targetingKey":"u-4"}"#, None).await;
    std::fs::write(service.flags.join("all.yaml"), flag("all", "rollout: { realtime-v2: 0% }"))
        .unwrap();
    service.reach(2).await;
    let after = ask("/v1/strategy/half", r#"{"targetingKey":"u-4"}"#, None).await;
    assert_eq!(
        before.headers()["etag"],
        after.headers()["etag"],
        "a flip of another flag changes no document of this one"
    );
    assert_eq!(
        (&after.headers()["turnout-revision"], &after.headers()["turnout-flag-revision"]),
        (&"2".parse().unwrap(), &"1".parse().unwrap())
    );
    assert_eq!(after.headers()["turnout-stale"], "0");
}

#[tokio::test]
async fn the_strategy_document_has_exactly_the_designed_members() {
    let service = service().await;
    let polling = json!({ "startMs": 4000, "minMs": 3000, "maxMs": 15000, "factor": 1.5, "dedupeMs": 2000, "limit": 50, "waitMs": 0 });
    let realtime = json!({ "kind": "sse", "tokenUrl": "/v1/token", "tokenTtlMs": 600_000, "retryMs": [2000, 4000, 8000, 16000, 32000], "connectMs": 10_000, "fallbackMs": 300_000 });
    let document = json!({
        "flag": "all", "strategy": "realtime-v2", "reason": "STATIC", "rule": "rollout",
        "validForMs": 60_000, "staleIfErrorMs": 86_400_000, "enterSpreadMs": 5_000,
        "watch": { "kind": "sse", "url": "/v1/strategy/all/watch", "ackUrl": "/v1/watch/ack" },
        "polling": polling, "realtime": realtime,
        "report": { "url": "/v1/reports", "everyMs": 60_000 },
    });
    assert_eq!(service.ask("all", "u-1").await, document);
    let all = service
        .post("/v1/strategy", r#"{"targetingKey":"u-1"}"#)
        .await
        .json::<Json>()
        .await
        .unwrap();
    let keys: Vec<&str> = all["flags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flag| flag["flag"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["all", "broken", "half", "none", "plans"]);
    assert_eq!(all["flags"][0], document, "one evaluator, one document");
}

#[tokio::test]
async fn server_auth_mode_answers_polling_for_realtime() {
    let files = [("all.yaml", &*flag("all", "rollout: { realtime-v2: 100% }"))];
    let service = Service::start_with(&files, ServerAuth::WithoutHandOff, &[]).await;
    let answer = service.ask("all", "u-1").await;
    assert_eq!(
        (&answer["strategy"], &answer["rule"], answer.get("realtime")),
        (&"polling".into(), &"server-auth".into(), None)
    );
}

#[tokio::test]
async fn an_email_address_in_a_plain_body_opens_nothing() {
    let internal =
        "version: 1\nsegment: internal\nemails: [ops@example.com]\ndomains: [example.org]\n";
    let opened = flag("a", "allow: [{ segment: internal, strategy: realtime-v2 }]");
    let service = Service::start_with(
        &[("a.yaml", &opened), ("segments/internal.yaml", internal)],
        ServerAuth::Off,
        &["u-env"],
    )
    .await;
    let body = r#"{"targetingKey":"u-1","attributes":{"email":"ops@example.com"}}"#;
    assert_eq!(
        service.post("/v1/strategy/a", body).await.json::<Json>().await.unwrap()["strategy"],
        "polling"
    );
    assert_eq!(
        service.strategy("a", "u-env").await,
        "realtime-v2",
        "INTERNAL_USER_IDS adds to the segment"
    );
}

#[tokio::test]
async fn ofrep_responses_match_the_protocol_exactly() {
    let service = service().await;
    let ask = async |key: &str, context: Json| {
        let body = json!({ "context": context }).to_string();
        let response = service.post(&format!("/ofrep/v1/evaluate/flags/{key}"), body).await;
        assert_eq!(response.headers()["content-type"], "application/json");
        (response.status().as_u16(), response.json::<Json>().await.unwrap())
    };
    let (status, answer) =
        ask("all", json!({ "targetingKey": "u-1", "anything": { "deep": [1] } })).await;
    assert_eq!(
        (status, &answer["key"], &answer["value"], &answer["variant"]),
        (200, &"all".into(), &"realtime-v2".into(), &"realtime-v2".into())
    );
    assert_eq!(answer["reason"], "STATIC");
    assert_eq!(
        (&answer["metadata"]["polling.startMs"], &answer["metadata"]["rule"]),
        (&4000.into(), &"rollout".into())
    );
    assert!(
        answer["metadata"]
            .as_object()
            .unwrap()
            .values()
            .all(|value| !value.is_object() && !value.is_array())
    );

    // `disabled` is a value, never the reason.
    let (status, answer) = ask("none", json!({})).await;
    assert_eq!(
        (status, &answer["value"], &answer["reason"]),
        (200, &"disabled".into(), &"STATIC".into())
    );

    for (key, context, status, code) in [
        ("half", json!({}), 400, "TARGETING_KEY_MISSING"),
        ("half", json!({ "targetingKey": "" }), 400, "TARGETING_KEY_MISSING"),
        ("plans", json!({ "plan": 5 }), 400, "INVALID_CONTEXT"),
        ("broken", json!({ "targetingKey": "u-1" }), 400, "GENERAL"),
        ("nothing", json!({ "targetingKey": "u-1" }), 404, "FLAG_NOT_FOUND"),
        ("half", json!({ "targetingKey": 5 }), 400, "INVALID_CONTEXT"),
        ("half", json!([]), 400, "INVALID_CONTEXT"),
    ] {
        let (got, answer) = ask(key, context).await;
        assert_eq!(
            (got, &answer["errorCode"], &answer["key"]),
            (status, &code.into(), &key.into()),
            "{answer}"
        );
        assert!(answer["errorDetails"].is_string());
    }
    for (body, code) in [
        ("", "PARSE_ERROR"),
        ("{", "PARSE_ERROR"),
        ("{}", "INVALID_CONTEXT"),
        ("[]", "INVALID_CONTEXT"),
    ] {
        for path in ["/ofrep/v1/evaluate/flags/half", "/ofrep/v1/evaluate/flags"] {
            let response = service.post(path, body).await;
            assert_eq!(response.status(), 400);
            assert_eq!(response.json::<Json>().await.unwrap()["errorCode"], code, "{path} {body}");
        }
    }
    let nowhere = service.post("/ofrep/v2/x", "{}").await;
    assert_eq!(nowhere.status(), 404);
    assert!(
        nowhere.json::<Json>().await.unwrap()["errorDetails"]
            .as_str()
            .unwrap()
            .contains("nothing at this address")
    );
}

#[tokio::test]
async fn ofrep_bulk_fails_flag_by_flag_and_tags_the_body() {
    let service = service().await;
    let ask = async |query: &str, context: Json, tag: Option<&str>| {
        let url = service.url(&format!("/ofrep/v1/evaluate/flags{query}"));
        let request = service.client.post(url).body(json!({ "context": context }).to_string());
        tag.into_iter()
            .fold(request, |request, tag| request.header("if-none-match", tag))
            .send()
            .await
            .unwrap()
    };
    let first = ask("", json!({}), None).await;
    assert_eq!(first.status(), 200);
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let bulk: Json = first.json().await.unwrap();
    let codes: Vec<Option<&str>> =
        bulk["flags"].as_array().unwrap().iter().map(|flag| flag["errorCode"].as_str()).collect();
    assert_eq!(codes, [None, Some("GENERAL"), Some("TARGETING_KEY_MISSING"), None, None]);

    assert_eq!(ask("", json!({}), Some(&tag)).await.status(), 304);
    assert_eq!(
        ask("", json!({ "other": 1 }), Some(&tag)).await.status(),
        304,
        "what changes no answer changes no tag"
    );
    assert_eq!(
        ask("", json!({ "plan": "paid" }), Some(&tag)).await.status(),
        200,
        "an attribute that changes an answer changes the tag"
    );
    assert_eq!(
        ask("?flagConfigEtag=r1&flagConfigLastModified=1", json!({}), Some(&tag)).await.status(),
        304,
        "this node's own"
    );
    assert_eq!(
        ask("?flagConfigEtag=r2", json!({}), Some(&tag)).await.status(),
        200,
        "told of another configuration: never a 304"
    );
}

#[tokio::test]
async fn questions_before_the_first_snapshot_get_cold_start() {
    let service = Service::start_without_folder().await;
    let single = service
        .post("/ofrep/v1/evaluate/flags/any-key", r#"{"context":{"targetingKey":"u-1"}}"#)
        .await;
    assert_eq!(single.status(), 200);
    let single: Json = single.json().await.unwrap();
    assert_eq!(
        (&single["value"], &single["reason"], &single["metadata"]["rule"]),
        (&"polling".into(), &"ERROR".into(), &"cold-start".into())
    );
    let bulk = service.post("/ofrep/v1/evaluate/flags", r#"{"context":{}}"#).await;
    assert_eq!((bulk.status().as_u16(), bulk.headers().get("etag")), (200, None));
    let bulk: Json = bulk.json().await.unwrap();
    assert_eq!(
        (&bulk["flags"], bulk["eventStreams"].as_array().unwrap().len()),
        (&json!([]), 1),
        "it hears when there are some"
    );
    assert_eq!(service.ask("any-key", "u-1").await["rule"], "cold-start");
    assert_eq!(service.post("/v1/strategy/NOT-A-KEY", "{}").await.status(), 404);
}

#[tokio::test]
async fn a_server_stop_lets_requests_end_and_frees_the_port() {
    let service = service().await;
    let address = service.app.address();
    assert_eq!(service.post("/v1/strategy/half", "{}").await.status(), 200);
    service.app.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
