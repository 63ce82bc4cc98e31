//! Commands of operators over HTTP on a real service, and their results: outcomes, what is live,
//! notes, and the undo command.

use std::fs;

use crate::support::{Service, flag, wait_until};
use serde_json::{Value as Json, json};

/// One step of a story: `set`, `unset`, `stop`, `resume`, `rollback` of the flag `chat`; `all` for
/// `stop --all`; `file` for an edit.
type Step = (&'static str, Json, Json);

fn half(rollout: &str) -> String {
    flag("chat", &format!("rollout: {{ realtime-v2: {rollout} }}"))
}

/// Runs a story. The named members of each response are compared: `live`, `state`, `drift`, `held`
/// and `pin` are the flag's; `wanted`, `action` and `backTo` are the first change's; `status` is
/// 200 unless it is named.
async fn check(name: &str, file: &str, steps: Vec<Step>) {
    let service = Service::start(&[("chat.yaml", file)]).await;
    for (number, (order, body, expected)) in steps.into_iter().enumerate() {
        let shown = format!("{name}, step {}: {order} {body}", number + 1);
        if order == "file" {
            let revision = service.revision();
            fs::write(service.flags.join("chat.yaml"), body.as_str().unwrap()).unwrap();
            service.reach(revision + 1).await;
        }
        let (status, answer) = match order {
            "file" => (200, json!({ "flag": service.state("chat").await })),
            "all" => service.ordered("/v1/stop", body).await,
            verb => service.ordered(&format!("/v1/flags/chat/{verb}"), body).await,
        };
        assert_eq!(
            json!(status),
            *expected.get("status").unwrap_or(&json!(200)),
            "{shown}: {answer}"
        );
        for (member, wanted) in expected.as_object().unwrap() {
            let reply = match member.as_str() {
                "status" => continue,
                "live" | "state" | "drift" => &answer["flag"][member],
                "held" | "pin" => &json!(!answer["flag"][member].is_null()),
                "wanted" | "action" | "backTo" => &answer["changes"][0][member],
                member => &answer[member],
            };
            assert_eq!(reply, wanted, "{shown}: {member} of {answer:#}");
        }
        // What a response says of the flag is what is live for every user.
        if answer["flag"].is_object() {
            assert_eq!(answer["flag"], service.state("chat").await, "{shown}");
            let live: Json = service.admin("/v1/status").await.json().await.unwrap();
            assert_eq!(answer["flag"], live["flags"][0], "{shown}");
        }
    }
}

fn ok(live: &str) -> Json {
    json!({ "outcome": "committed", "live": live, "survivesRestart": true })
}

fn no(status: u16, code: &str) -> Json {
    json!({ "status": status, "code": code })
}

fn and(mut one: Json, other: Json) -> Json {
    one.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    one
}

#[tokio::test]
async fn widening_needs_a_reason_and_narrowing_does_not() {
    let because = |share: &str| json!({ "realtime-v2": share, "reason": "week 2" });
    let steps = vec![
        ("set", json!({ "realtime-v2": "25%" }), no(422, "reason-required")),
        ("set", json!({ "realtime-v2": "25%", "reason": "  " }), no(422, "reason-required")),
        (
            "set",
            because("25%"),
            and(
                ok("realtime-v2 25%"),
                json!({ "undo": "turnout rollback chat", "notes": [], "drift": true, "revision": 2 }),
            ),
        ),
        (
            "set",
            because("25%"),
            json!({ "outcome": "unchanged", "revision": null, "undo": null, "changes": [] }),
        ),
        (
            "set",
            json!({ "realtime-v2": "5%" }),
            and(ok("realtime-v2 5%"), json!({ "action": "set", "revision": 3 })),
        ),
        ("set", json!({ "disabled": "10%" }), ok("realtime-v2 5%, disabled 10%")),
        ("set", json!({ "disabled": "5%" }), no(422, "reason-required")),
        ("set", because("95%"), no(422, "shares-exceed-100")),
        (
            "set",
            json!({ "realtime-v2": "0%", "disabled": "100%" }),
            ok("realtime-v2 0%, disabled 100%"),
        ),
        ("unset", json!({}), no(422, "reason-required")),
        (
            "unset",
            json!({ "reason": "done" }),
            and(ok("realtime-v2 10%"), json!({ "drift": false, "held": false })),
        ),
        ("unset", json!({}), json!({ "outcome": "unchanged", "live": "realtime-v2 10%" })),
        // A split that the file already has can be held; that does not widen.
        (
            "set",
            json!({ "realtime-v2": "10%" }),
            and(ok("realtime-v2 10%"), json!({ "drift": false, "held": true })),
        ),
    ];
    check("reasons", &half("10%"), steps).await;
    let disabled = half("10%").replace("default: polling", "default: disabled");
    let steps = vec![
        ("set", json!({ "disabled": "5%" }), no(422, "disabled-is-default")),
        ("set", json!({ "disabled": "0%", "realtime-v2": "1%" }), ok("realtime-v2 1%")),
    ];
    check("a default that is `disabled`", &disabled, steps).await;
}

#[tokio::test]
async fn a_stop_stays_until_it_is_resumed() {
    const WHY: &str = "stopped by local-admin (incident 4711)";
    const RESUME: &str = "turnout resume chat --reason '…'";
    let lifts = format!("{WHY}; to lift that, type: {RESUME}");
    let not_live = format!("saved, NOT live: {lifts}");
    let still_stopped = format!("saved, NOT live: {WHY}; a rollback does not lift that: {RESUME}");
    let reply =
        |member: Json| and(json!({ "state": "stopped", "live": "STOPPED -> polling" }), member);
    let steps = vec![
        (
            "stop",
            json!({ "reason": "incident 4711" }),
            reply(
                json!({ "outcome": "committed", "undo": RESUME, "action": "stop", "notes": [], "drift": true }),
            ),
        ),
        ("stop", json!({}), reply(json!({ "outcome": "unchanged", "undo": null }))),
        (
            "all",
            json!({}),
            json!({ "outcome": "unchanged", "changes": [], "flag": null, "undo": null }),
        ),
        ("set", json!({ "realtime-v2": "50%" }), no(422, "reason-required")),
        (
            "set",
            json!({ "realtime-v2": "50%", "reason": "later" }),
            reply(json!({ "wanted": "realtime-v2 50%", "notes": [not_live] })),
        ),
        // Nothing is said to be saved where nothing was to change.
        (
            "set",
            json!({ "realtime-v2": "50%", "reason": "later" }),
            reply(json!({ "outcome": "unchanged", "notes": [lifts] })),
        ),
        (
            "rollback",
            json!({}),
            reply(json!({ "wanted": "realtime-v2 10%", "notes": [still_stopped] })),
        ),
        (
            "rollback",
            json!({ "to": 3, "reason": "again" }),
            reply(json!({ "wanted": "realtime-v2 50%", "notes": [still_stopped] })),
        ),
        ("unset", json!({}), reply(json!({ "notes": [not_live], "held": false }))),
        ("file", json!(half("20%")), reply(json!({}))),
        ("file", json!(half("20%").replace("enabled: true", "enabled: false")), reply(json!({}))),
        ("file", json!(half("20%")), reply(json!({}))),
        ("resume", json!({}), no(422, "reason-required")),
        (
            "resume",
            json!({ "reason": "fixed" }),
            and(ok("realtime-v2 20%"), json!({ "undo": "turnout stop chat", "notes": [] })),
        ),
        ("resume", json!({ "reason": "fixed" }), json!({ "outcome": "unchanged" })),
        ("resume", json!({ "reason": "fixed", "at": "1%" }), no(422, "not-stopped")),
        (
            "all",
            json!({}),
            json!({ "outcome": "committed", "undo": "turnout resume --all --reason '…'", "action": "stop" }),
        ),
        ("resume", json!({ "reason": "slowly", "at": "1%" }), ok("realtime-v2 1%")),
    ];
    check("stops", &half("10%"), steps).await;
    let off = half("10%").replace("enabled: true", "enabled: false");
    let steps = vec![(
        "set",
        json!({ "realtime-v2": "50%", "reason": "ready" }),
        json!({ "state": "off", "live": "off -> polling", "notes": ["saved, NOT live: its file says `enabled: false`"] }),
    )];
    check("off by its file", &off, steps).await;
}

#[tokio::test]
async fn a_rollback_walks_further_back_each_time() {
    let to = |share: &str| json!({ "realtime-v2": share, "reason": "next" });
    let back = |live: &str, back_to: u64| {
        and(ok(live), json!({ "action": "rollback", "backTo": back_to }))
    };
    let steps = vec![
        ("set", to("20%"), ok("realtime-v2 20%")),
        ("set", to("30%"), ok("realtime-v2 30%")),
        ("stop", json!({}), json!({ "state": "stopped" })),
        ("resume", json!({ "reason": "ok" }), ok("realtime-v2 30%")),
        (
            "rollback",
            json!({}),
            and(
                back("realtime-v2 20%", 2),
                json!({
                    "undo": "turnout rollback chat --to 5 --reason '…'",
                    "notes": ["held over the file until you type: turnout unset chat"]
                }),
            ),
        ),
        (
            "rollback",
            json!({}),
            and(back("realtime-v2 10%", 1), json!({ "drift": false, "notes": [] })),
        ),
        ("rollback", json!({}), no(422, "nothing-to-roll-back")),
        // The undo command that was returned for the first of them.
        ("rollback", json!({ "to": 5 }), no(422, "reason-required")),
        ("rollback", json!({ "to": 5, "reason": "no" }), back("realtime-v2 30%", 5)),
        ("rollback", json!({}), back("realtime-v2 20%", 2)),
        ("set", json!({ "realtime-v2": "5%" }), ok("realtime-v2 5%")),
        ("rollback", json!({}), no(422, "reason-required")),
        ("rollback", json!({ "reason": "too far" }), ok("realtime-v2 20%")),
        ("rollback", json!({ "to": 99 }), no(422, "no-such-revision")),
        ("rollback", json!({ "to": 0 }), no(422, "no-such-revision")),
        ("rollback", json!({ "to": 1 }), back("realtime-v2 10%", 1)),
    ];
    check("walking back", &half("10%"), steps).await;

    let more = format!("{}allow: [{{ users: [u-1], strategy: realtime-v2 }}]\n", half("40%"));
    let steps = vec![
        ("file", json!(half("40%")), json!({ "live": "realtime-v2 40%" })),
        (
            "rollback",
            json!({}),
            and(back("realtime-v2 10%", 1), json!({ "held": true, "pin": false, "drift": true })),
        ),
        ("unset", json!({ "reason": "as written" }), ok("realtime-v2 40%")),
        ("file", json!(more), json!({ "live": "realtime-v2 40%" })),
        ("rollback", json!({}), no(422, "reason-required")),
        (
            "rollback",
            json!({ "reason": "who is u-1?" }),
            and(ok("realtime-v2 40%"), json!({ "held": false, "pin": true })),
        ),
        // The file may change meanwhile; the pin stays in force.
        (
            "file",
            json!(more.replace("40%", "60%")),
            json!({ "live": "realtime-v2 40%", "pin": true }),
        ),
        (
            "unset",
            json!({ "reason": "known now" }),
            and(ok("realtime-v2 60%"), json!({ "pin": false })),
        ),
    ];
    check("over edits of the file", &half("10%"), steps).await;
}

#[tokio::test]
async fn a_flag_without_a_good_definition_can_be_stopped() {
    let steps = vec![
        ("set", json!({ "realtime-v2": "5%", "reason": "try" }), no(422, "no-definition")),
        ("rollback", json!({ "reason": "try" }), no(422, "nothing-to-roll-back")),
        (
            "stop",
            json!({}),
            json!({ "outcome": "committed", "state": "stopped", "live": "STOPPED -> polling" }),
        ),
        ("file", json!(half("10%")), json!({ "state": "stopped" })),
        ("rollback", json!({ "to": 1, "reason": "try" }), no(422, "no-definition-at-revision")),
        ("resume", json!({ "reason": "good now" }), ok("realtime-v2 10%")),
    ];
    check("broken", "version: 1\nflag: chat\n", steps).await;
    let service = Service::start(&[("chat.yaml", &half("10%"))]).await;
    for key in ["chatt", "none", "NOT-A-KEY", "%ff", "chat%2f..%2fchat", &"a".repeat(65)] {
        for verb in ["set", "unset", "stop", "resume", "rollback"] {
            let body = json!({ "reason": "x" });
            let body = if verb == "set" { and(body, json!({ "realtime-v2": "1%" })) } else { body };
            let (status, answer) = service.ordered(&format!("/v1/flags/{key}/{verb}"), body).await;
            assert_eq!(
                (status, answer["code"].as_str()),
                (404, Some("flag-not-found")),
                "{verb} {key}"
            );
        }
        assert_eq!(service.admin(&format!("/v1/flags/{key}")).await.status(), 404);
    }
    let (_, answer) = service.ordered("/v1/flags/chatt/stop", json!({})).await;
    assert!(answer["detail"].as_str().unwrap().contains("did you mean `chat`"), "{answer}");
}

#[tokio::test]
async fn stop_all_stops_every_flag_and_reaches_every_stream() {
    let everybody = |key: &str| flag(key, "rollout: { realtime-v2: 100% }");
    let service = Service::start(&[
        ("a.yaml", &everybody("a")),
        ("b.yaml", &everybody("b")),
        ("c.yaml", "version: 1\nflag: c\n"),
    ])
    .await;
    service.ordered("/v1/flags/b/stop", json!({})).await;
    assert_eq!(
        (service.strategy("a", "u-1").await.as_str(), service.strategy("b", "u-1").await.as_str()),
        ("realtime-v2", "polling")
    );
    let (status, answer) =
        service.ordered("/v1/stop", json!({ "reason": "the feed is down" })).await;
    let stopped: Vec<&str> = answer["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["flag"].as_str().unwrap())
        .collect();
    assert_eq!((status, stopped), (200, vec!["a", "c"]));
    assert_eq!(service.strategy("a", "u-1").await, "polling");
    let states: Json = service.admin("/v1/status").await.json().await.unwrap();
    assert!(
        states["flags"].as_array().unwrap().iter().all(|flag| flag["state"] == "stopped"),
        "{states}"
    );
    assert_eq!(states["flags"][0]["stop"]["reason"], "the feed is down");
}

#[tokio::test]
async fn a_stopper_may_only_narrow() {
    let service = Service::start(&[("chat.yaml", &half("50%"))]).await;
    let secret = service.make_token("pager", "stopper", json!({})).await.secret;
    for (order, body, status, code) in [
        ("set", json!({ "realtime-v2": "60%", "reason": "more" }), 403, "may-only-narrow"),
        ("set", json!({ "realtime-v2": "60%" }), 403, "may-only-narrow"),
        ("set", json!({ "realtime-v2": "40%" }), 200, "committed"),
        ("set", json!({ "disabled": "10%" }), 200, "committed"),
        ("set", json!({ "disabled": "9%", "reason": "less" }), 403, "may-only-narrow"),
        ("rollback", json!({ "reason": "back" }), 403, "may-only-narrow"),
        ("unset", json!({ "reason": "back" }), 403, "may-only-narrow"),
        ("stop", json!({}), 200, "committed"),
        ("resume", json!({ "reason": "back" }), 403, "not-permitted"),
        ("stop", json!({}), 200, "unchanged"),
    ] {
        let (reply, answer) =
            service.order_as(&secret, &format!("/v1/flags/chat/{order}"), body.clone()).await;
        let word = answer["code"].as_str().or(answer["outcome"].as_str());
        assert_eq!((reply, word), (status, Some(code)), "{order} {body}");
    }
    let state = service.state("chat").await;
    assert_eq!((&state["stop"]["by"], &state["held"]["by"]), (&json!("pager"), &json!("pager")));
}

#[tokio::test]
async fn a_command_is_stale_only_if_its_flag_or_its_segments_changed() {
    let chat = flag(
        "chat",
        "allow: [{ segment: staff, strategy: realtime-v2 }]\nrollout: { realtime-v2: 10% }",
    );
    let staff = |user: &str| format!("version: 1\nsegment: staff\nusers: [{user}]\n");
    let service = Service::start(&[
        ("chat.yaml", &chat),
        ("feed.yaml", &flag("feed", "rollout: { realtime-v2: 50% }")),
        ("segments/staff.yaml", &staff("u-1")),
    ])
    .await;
    let looked = service.state("chat").await["revision"].as_u64().unwrap();
    let widen = |share: &str, expected: u64| json!({ "realtime-v2": share, "reason": "x", "expectedRevision": expected });
    // A change of another flag does not matter.
    assert_eq!(service.ordered("/v1/flags/feed/set", json!({ "realtime-v2": "20%" })).await.0, 200);
    let (status, answer) = service.ordered("/v1/flags/chat/set", widen("20%", looked)).await;
    assert_eq!(status, 200, "{answer}");
    let after = answer["revision"].as_u64().unwrap();
    // A change of this flag matters, and the response says what changed.
    let (status, answer) = service.ordered("/v1/flags/chat/set", widen("30%", looked)).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("revision-conflict")));
    let since = answer["since"].as_array().unwrap();
    assert_eq!(
        (since.len(), &since[0]["revision"], &since[0]["actor"]),
        (1, &json!(after), &json!("local-admin"))
    );
    // A change of a segment that the flag names matters too.
    fs::write(service.flags.join("segments/staff.yaml"), staff("u-2")).unwrap();
    wait_until("the segment", async || {
        service.state("chat").await["revision"].as_u64() > Some(after)
    })
    .await;
    let (status, answer) = service.ordered("/v1/flags/chat/set", widen("30%", after)).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("revision-conflict")));
    let change = &answer["since"][0]["changes"][0];
    assert_eq!((&change["kind"], &change["key"]), (&json!("segment"), &json!("staff")), "{answer}");
    for verb in ["unset", "rollback"] {
        let body = json!({ "expectedRevision": 0, "reason": "x", });
        service.ordered("/v1/flags/chat/set", json!({ "realtime-v2": "1%" })).await;
        assert_eq!(
            service.ordered(&format!("/v1/flags/chat/{verb}"), body).await.0,
            409,
            "{verb} would widen"
        );
        let back = json!({ "realtime-v2": "20%", "reason": "back" });
        assert_eq!(service.ordered("/v1/flags/chat/set", back).await.0, 200);
    }
    // A narrowing command is accepted whatever revision the caller looked at.
    for (verb, body) in [
        ("set", json!({ "realtime-v2": "15%", "expectedRevision": 0 })),
        ("unset", json!({ "expectedRevision": 0 })),
        ("stop", json!({ "expectedRevision": 0 })),
    ] {
        let (status, answer) = service.ordered(&format!("/v1/flags/chat/{verb}"), body).await;
        assert_eq!(status, 200, "{verb}: {answer}");
    }
    let current = service.state("chat").await["revision"].as_u64().unwrap();
    let resume = |expected: u64| json!({ "reason": "x", "expectedRevision": expected });
    assert_eq!(service.ordered("/v1/flags/chat/resume", resume(current - 1)).await.0, 409);
    assert_eq!(service.ordered("/v1/flags/chat/resume", resume(current)).await.0, 200);
}

/// An earlier command that is sent again under its key: the response and its notes say whether it
/// is still in force.
#[tokio::test]
async fn a_repeated_command_says_whether_it_is_still_in_force() {
    for (path, body, back, undo) in [
        ("chat/stop", json!({}), "chat/resume", json!({ "reason": "x" })),
        ("chat/resume", json!({ "reason": "x" }), "chat/stop", json!({})),
        ("chat/set", json!({ "realtime-v2": "10%" }), "chat/set", json!({ "realtime-v2": "9%" })),
        (
            "chat/set",
            json!({ "realtime-v2": "10%", "disabled": "5%" }),
            "chat/set",
            json!({ "disabled": "6%" }),
        ),
        ("chat/set", json!({ "realtime-v2": "10%" }), "chat/unset", json!({ "reason": "x" })),
        ("chat/unset", json!({ "reason": "x" }), "chat/set", json!({ "realtime-v2": "9%" })),
        ("chat/rollback", json!({ "reason": "x" }), "chat/set", json!({ "realtime-v2": "9%" })),
        ("*", json!({}), "other/resume", json!({ "reason": "x" })),
    ] {
        let other = flag("other", "rollout: { realtime-v2: 50% }");
        let service = Service::start(&[("chat.yaml", &half("50%")), ("other.yaml", &other)]).await;
        let order = async || {
            let path =
                if path == "*" { "/v1/stop".to_owned() } else { format!("/v1/flags/{path}") };
            let request =
                service.client.post(service.admin_url(&path)).bearer_auth(service.token());
            let sent = request
                .header("idempotency-key", "once")
                .body(body.to_string())
                .send()
                .await
                .unwrap();
            (sent.status().as_u16(), sent.json::<Json>().await.unwrap())
        };
        if path == "chat/resume" {
            service.ordered("/v1/flags/chat/stop", json!({})).await;
        } else if matches!(path, "chat/unset" | "chat/rollback") {
            service.ordered("/v1/flags/chat/set", json!({ "realtime-v2": "20%" })).await;
        }
        for outcome in ["committed", "repeated"] {
            let (status, reply) = order().await;
            assert_eq!(
                (status, &reply["outcome"], &reply["inForce"]),
                (200, &json!(outcome), &json!(true)),
                "{path}: {reply}"
            );
            assert!(!reply["notes"].to_string().contains("NOT so now"), "{path}: {reply}");
        }
        assert_eq!(service.ordered(&format!("/v1/flags/{back}"), undo).await.0, 200, "{back}");
        let (status, reply) = order().await;
        assert_eq!(
            (status, &reply["outcome"], &reply["inForce"]),
            (200, &json!("repeated"), &json!(false)),
            "{path}: {reply}"
        );
        assert!(reply["notes"][0].as_str().unwrap().starts_with("NOT so now"), "{path}: {reply}");
    }
}

/// An idempotency key belongs to its caller: another caller's command under it is refused, and
/// never counted as done. Checked with the first caller's command saved, pending, and after a kill;
/// also for a caller of the same name, and for the data folder's own token.
#[tokio::test]
async fn an_idempotency_key_belongs_to_its_caller() {
    for saved in [true, false] {
        let mut service =
            Service::start(&[("chat.yaml", &half("50%")), ("feed.yaml", &flag("feed", ""))]).await;
        let first = service.make_token("pager", "stopper", json!({})).await;
        let other = service.make_token("oncall", "operator", json!({})).await;
        let order = async |service: &Service, secret: &str, key: &str, path: &str| {
            let request = service.client.post(service.admin_url(path)).bearer_auth(secret);
            let sent = request.header("idempotency-key", key).body("{}").send().await.unwrap();
            (sent.status().as_u16(), sent.json::<Json>().await.unwrap())
        };
        let stop = "/v1/flags/chat/stop";
        if !saved {
            service.take_database_away().await;
        }
        let (_, reply) = order(&service, &first.secret, "incident-1", stop).await;
        assert_eq!(reply["outcome"], if saved { "committed" } else { "pending" }, "{reply}");
        let same_name = if saved {
            assert_eq!(
                service.ordered("/v1/flags/chat/resume", json!({ "reason": "over" })).await.0,
                200
            );
            assert_eq!(service.ordered("/v1/tokens/pager/revoke", json!({})).await.0, 200);
            service.make_token("pager", "stopper", json!({})).await.secret
        } else {
            service.token()
        };
        for restarts in [false, true] {
            if restarts {
                service.crash().await;
                service.restart().await;
            }
            for secret in [&other.secret, &same_name, &service.token()] {
                let (status, reply) = order(&service, secret, "incident-1", stop).await;
                assert_eq!(
                    (status, reply["code"].as_str()),
                    (422, Some("key-reused")),
                    "{saved} {restarts}: {reply}"
                );
                assert!(
                    reply["detail"].as_str().unwrap().contains("under a key of its own"),
                    "{reply}"
                );
            }
            // The advice in the message works; the first sender gets the outcome of the command, as
            // far as its permissions reach.
            let (_, reply) = order(&service, &other.secret, &format!("own-{restarts}"), stop).await;
            assert_eq!(
                (&reply["inForce"], &reply["flag"]["state"]),
                (&json!(true), &json!("stopped")),
                "{reply}"
            );
            let (_, reply) = order(&service, &first.secret, "incident-1", stop).await;
            let expected = if saved { json!("unauthenticated") } else { json!("pending") };
            assert!([&reply["code"], &reply["outcome"]].contains(&&expected), "{reply}");
        }
    }
}

#[tokio::test]
async fn a_request_with_a_known_idempotency_key_is_not_done_again() {
    let service = Service::start(&[
        ("chat.yaml", &half("50%")),
        ("feed.yaml", &flag("feed", "rollout: { realtime-v2: 50% }")),
    ])
    .await;
    let order = async |key: &str, path: &str, body: &Json| {
        let request = service.client.post(service.admin_url(path)).bearer_auth(service.token());
        let sent =
            request.header("idempotency-key", key).body(body.to_string()).send().await.unwrap();
        (sent.status().as_u16(), sent.json::<Json>().await.unwrap())
    };
    let (stop, empty) = ("/v1/flags/chat/stop", json!({}));
    for (key, path, body, other) in [
        (
            "widen",
            "/v1/flags/chat/set",
            json!({ "realtime-v2": "60%", "reason": "x" }),
            json!({ "realtime-v2": "60%", "reason": "y" }),
        ),
        (
            "narrow",
            "/v1/flags/chat/set",
            json!({ "realtime-v2": "40%" }),
            json!({ "realtime-v2": "41%" }),
        ),
        ("stop", stop, empty.clone(), json!({ "reason": "why" })),
        ("resume", "/v1/flags/chat/resume", json!({ "reason": "x" }), json!({ "reason": "y" })),
        ("all", "/v1/stop", empty.clone(), json!({ "reason": "why" })),
    ] {
        let (status, first) = order(key, path, &body).await;
        assert_eq!((status, first["outcome"].as_str()), (200, Some("committed")), "{key}: {first}");
        let revision = service.revision();
        assert_eq!(first["revision"], revision);
        for _ in 0..2 {
            let (status, again) = order(key, path, &body).await;
            assert_eq!(
                (status, &again["outcome"], &again["revision"]),
                (200, &json!("repeated"), &json!(revision)),
                "{key}"
            );
        }
        for (path, body) in [
            (path, &other),
            (stop, &json!({ "reason": "of another" })),
            ("/v1/flags/feed/stop", &empty),
        ] {
            let (status, answer) = order(key, path, body).await;
            assert_eq!(
                (status, answer["code"].as_str()),
                (422, Some("key-reused")),
                "{key} {path}: {answer}"
            );
        }
        assert_eq!(service.revision(), revision, "{key}: nothing more was done");
    }
    // After a resume, the earlier stop does not come back under its key.
    service.ordered("/v1/flags/chat/resume", json!({ "reason": "x" })).await;
    let again = order("stop", stop, &empty).await.1;
    assert_eq!(
        (&again["outcome"], &again["inForce"]),
        (&json!("repeated"), &json!(false)),
        "{again}"
    );
    assert_eq!(service.state("chat").await["state"], "rollout");
    // Many concurrent requests under one key are one command.
    let revision = service.revision();
    let many: Vec<_> = (0..8).map(|_| order("at once", stop, &empty)).collect();
    let mut outcomes = std::collections::BTreeMap::new();
    for (status, answer) in join_all(many).await {
        assert!(status == 200 || status == 202, "{answer}");
        *outcomes.entry(answer["outcome"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert_eq!((outcomes["committed"], service.revision()), (1, revision + 1), "{outcomes:?}");
    // Two flags concurrently under one key: the flag whose caller was told that it was stopped is
    // stopped.
    service.ordered("/v1/flags/chat/resume", json!({ "reason": "x" })).await;
    service.ordered("/v1/flags/feed/resume", json!({ "reason": "x" })).await;
    let both =
        join_all(vec![order("two", stop, &empty), order("two", "/v1/flags/feed/stop", &empty)])
            .await;
    for (flag, (status, answer)) in ["chat", "feed"].into_iter().zip(both) {
        let stopped = service.state(flag).await["state"] == "stopped";
        assert_eq!(stopped, status == 200, "{flag}: {status} {answer}");
    }
}

/// Runs all futures concurrently; the results keep their order.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in futures.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(output) = future.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().map(Option::unwrap).collect()
}

/// What a busy machine does not take to answer a command, or to stop a flag.
const LONG_ENOUGH_MS: i64 = 3_000;

#[tokio::test]
async fn a_split_held_for_a_time_ends() {
    let service = Service::start(&[("chat.yaml", &half("10%"))]).await;
    let live = async || service.state("chat").await["live"].as_str().unwrap().to_owned();
    let set = async |body: Json| {
        let (status, answer) = service.ordered("/v1/flags/chat/set", body).await;
        assert_eq!((status, &answer["outcome"]), (200, &json!("committed")), "{answer}");
        answer
    };
    // A widening that expires goes back to the split before it, by itself.
    set(json!({ "realtime-v2": "20%", "reason": "for good" })).await;
    let answer =
        set(json!({ "realtime-v2": "50%", "reason": "trial", "forMs": LONG_ENOUGH_MS })).await;
    assert_eq!(
        (&answer["flag"]["held"]["ends"]["split"]["realtime-v2"], &answer["notes"]),
        (&json!("20%"), &json!([]))
    );
    wait_until("the end of the trial", async || live().await == "realtime-v2 20%").await;
    let history: Json = service.admin("/v1/history?limit=1").await.json().await.unwrap();
    let last = &history["revisions"][0];
    assert_eq!(
        (&last["origin"], &last["actor"], &last["changes"][0]["action"]),
        (&json!("expire"), &json!("expiry"), &json!("expire"))
    );
    // An expiry that would widen and was not named does not happen, and becomes a problem.
    let answer = set(json!({ "realtime-v2": "5%", "forMs": 1 })).await;
    assert!(
        answer["notes"][0].as_str().unwrap().contains("at its end nothing happens"),
        "{answer}"
    );
    let kinds = async || {
        let reply: Json = service.admin("/v1/problems").await.json().await.unwrap();
        let problems = reply["problems"].as_array().unwrap().clone();
        problems
            .iter()
            .map(|problem| (problem["code"].clone(), problem["subject"].clone()))
            .collect::<Vec<_>>()
    };
    wait_until("the problem", async || {
        kinds().await == [(json!("expiry-would-widen"), json!("chat"))]
    })
    .await;
    assert_eq!(live().await, "realtime-v2 5%");
    // Once the split is set by hand, the problem is over.
    set(json!({ "realtime-v2": "4%" })).await;
    wait_until("no problem", async || kinds().await.is_empty()).await;
    // A named expiry happens; and as it opens more than the current split, it needs a reason.
    let (status, answer) = service
        .ordered("/v1/flags/chat/set", json!({ "realtime-v2": "1%", "forMs": 50, "then": "15%" }))
        .await;
    assert_eq!((status, answer["code"].as_str()), (422, Some("reason-required")), "{answer}");
    set(json!({ "realtime-v2": "1%", "forMs": 50, "then": "15%", "reason": "a pause" })).await;
    wait_until("what was named", async || live().await == "realtime-v2 15%").await;
    // A stop stays when the split below it expires.
    set(json!({ "realtime-v2": "30%", "reason": "trial", "forMs": LONG_ENOUGH_MS })).await;
    service.ordered("/v1/flags/chat/stop", json!({})).await;
    wait_until("the end below the stop", async || {
        service.state("chat").await["held"]["ends"].is_null()
    })
    .await;
    let state = service.state("chat").await;
    assert_eq!(
        (&state["state"], &state["split"]["realtime-v2"]),
        (&json!("stopped"), &json!("15%"))
    );
}

#[tokio::test]
async fn overrides_and_drift_are_shown_in_the_status() {
    let service = Service::start(&[
        ("chat.yaml", &half("10%")),
        ("feed.yaml", &flag("feed", "owner: team-a")),
    ])
    .await;
    service
        .ordered("/v1/flags/chat/set", json!({ "realtime-v2": "5%", "reason": "incident 4711" }))
        .await;
    fs::write(service.flags.join("chat.yaml"), half("50%")).unwrap();
    service.reach(3).await;
    let status: Json = service.admin("/v1/status").await.json().await.unwrap();
    let (chat, feed) = (&status["flags"][0], &status["flags"][1]);
    assert_eq!(
        (&chat["live"], &chat["file"], &chat["drift"]),
        (&json!("realtime-v2 5%"), &json!("realtime-v2 50%"), &json!(true))
    );
    assert_eq!(
        (&chat["held"]["by"], &chat["held"]["reason"]),
        (&json!("local-admin"), &json!("incident 4711"))
    );
    assert_eq!(
        (&feed["live"], &feed["drift"], &feed["owner"]),
        (&json!("polling"), &json!(false), &json!("team-a"))
    );
    assert_eq!((&status["revision"], &status["database"]["state"]), (&json!(3), &json!("up")));
}
