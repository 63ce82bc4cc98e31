//! What a stopper may change over HTTP where splits have an expiry: commands are judged by every
//! later moment, not by the current split alone.

use std::fs;

use serde_json::{Value as Json, json};

use crate::support::{Service, flag, wait_until};

/// Far enough away that no expiry happens while a test runs.
const HOUR: u64 = 3_600_000;

fn half(rollout: &str) -> String {
    flag("chat", &format!("rollout: {{ realtime-v2: {rollout} }}"))
}

/// Runs commands of an operator, then one command that may only narrow: by a stopper, and by an
/// admin with `Turnout-Narrow-Only`. Both must get `wanted`: the status and the code or outcome.
async fn check(before: &[Json], order: &str, body: Json, wanted: (u16, &str)) {
    Box::pin(check_each(before, order, body, [wanted; 2])).await;
}

/// The same, where what the admin asks for is another change than what the stopper asks for.
async fn check_each(before: &[Json], order: &str, body: Json, wanted: [(u16, &str); 2]) {
    for (narrow_only, wanted) in [false, true].into_iter().zip(wanted) {
        // Boxed: a test has many of these, and a stack of 2 MiB.
        let service = Box::pin(Service::start(&[("chat.yaml", &half("10%"))])).await;
        for body in before {
            let (status, answer) = service.ordered("/v1/flags/chat/set", body.clone()).await;
            assert_eq!(status, 200, "{body}: {answer}");
        }
        let secret = if narrow_only {
            service.token()
        } else {
            service.make_token("pager", "stopper", json!({})).await.secret
        };
        let request = service
            .client
            .post(service.admin_url(&format!("/v1/flags/chat/{order}")))
            .bearer_auth(secret);
        let request =
            if narrow_only { request.header("turnout-narrow-only", "1") } else { request };
        let answer = request.body(body.to_string()).send().await.unwrap();
        let (status, answer) = (answer.status().as_u16(), answer.json::<Json>().await.unwrap());
        let word = answer["code"].as_str().or(answer["outcome"].as_str()).unwrap();
        let word = if answer["widens"] == false { "only-releases" } else { word };
        assert_eq!((status, word), wanted, "{before:?}, then {order} {body}: {answer}");
        // A refusal says what would have been changed, and whether that opens anything.
        if status == 403 {
            let would = &answer["would"][0];
            assert_eq!((&would["flag"], &would["action"]), (&json!("chat"), &json!(order)));
        }
    }
}

fn held(share: &str, for_hours: u64, then: &str) -> Json {
    json!({ "realtime-v2": share, "forMs": for_hours * HOUR, "then": then, "reason": "trial" })
}

fn set(share: &str) -> Json {
    json!({ "realtime-v2": share, "reason": "trial" })
}

#[tokio::test]
async fn a_narrow_only_caller_cannot_set_an_expiry_that_widens() {
    const NO: (u16, &str) = (403, "may-only-narrow");
    // It opens nothing, and takes away what is held.
    const RELEASES: (u16, &str) = (403, "only-releases");
    const YES: (u16, &str) = (200, "committed");
    // The command brings an expiry.
    check(&[], "set", held("10%", 1, "100%"), NO).await;
    check(&[], "set", held("5%", 1, "11%"), NO).await;
    check(&[], "set", held("5%", 1, "10%"), YES).await;
    check(&[], "set", json!({ "realtime-v2": "5%", "forMs": HOUR }), YES).await;
    check(&[set("20%")], "set", held("10%", 1, "20%"), YES).await;
    // The command moves an expiry.
    let two_hours = [held("60%", 2, "20%")];
    check(&two_hours, "set", held("60%", 1, "20%"), YES).await;
    check(&two_hours, "set", held("60%", 3, "20%"), NO).await;
    check(&two_hours, "set", held("40%", 3, "20%"), NO).await;
    check(&two_hours, "set", held("20%", 3, "15%"), YES).await;
    // The command takes an expiry away.
    check(&two_hours, "set", set("60%"), NO).await;
    // The command takes a held split away: the file may allow more tomorrow.
    check(&two_hours, "unset", json!({}), RELEASES).await;
    check(&[set("10%")], "unset", json!({}), RELEASES).await;
    // A stopper's rollback goes on holding, as a `set` does; an operator's lets go.
    Box::pin(check_each(&[set("50%")], "rollback", json!({ "to": 1 }), [YES, RELEASES])).await;
    Box::pin(check_each(&[set("50%")], "rollback", json!({}), [YES, RELEASES])).await;
    check(&[held("60%", 2, "5%")], "unset", json!({}), NO).await;
    // So does an end that lowers further than what comes back.
    Box::pin(check_each(&[held("60%", 2, "5%")], "rollback", json!({}), [YES, NO])).await;
    check(&[held("5%", 2, "90%")], "set", set("5%"), YES).await;
    check(&[held("5%", 2, "90%")], "unset", json!({}), NO).await;
    // The command brings an earlier expiry back.
    check(&[held("1%", 2, "90%"), set("5%")], "rollback", json!({ "to": 2 }), NO).await;
    check(&[held("1%", 2, "3%"), set("5%")], "rollback", json!({ "to": 2 }), YES).await;
    // A stop narrows whatever the expiries are.
    check(&[held("1%", 2, "90%")], "stop", json!({}), YES).await;
}

/// Going back to `enabled: false` gives every user `when_stopped`, and is kept over later saves. It
/// narrows where no user had `disabled` before.
#[tokio::test]
async fn a_narrow_only_caller_takes_no_user_out_of_disabled() {
    const HALF: &str = "rollout: { realtime-v2: 50% }";
    let table = [
        (HALF, "polling", "polling", 200),
        (HALF, "disabled", "polling", 403),
        (HALF, "disabled", "disabled", 200),
        ("rollout: { realtime-v2: 50%, disabled: 1% }", "polling", "polling", 403),
        ("deny: [{ users: [u-1], strategy: disabled }]", "polling", "polling", 403),
        (
            "rules: [{ name: a, when: { email: x@example.com }, strategy: disabled }]",
            "polling",
            "polling",
            403,
        ),
    ];
    for (rest, default, when_stopped, wanted) in table {
        let file = |enabled: bool| {
            format!(
                "version: 1\nflag: chat\nenabled: {enabled}\ndefault: {default}\nwhen_stopped: {when_stopped}\n{rest}\n"
            )
        };
        let service = Service::start(&[("chat.yaml", &file(false))]).await;
        let off = service.state("chat").await["live"].clone();
        fs::write(service.flags.join("chat.yaml"), file(true)).unwrap();
        wait_until("it to be switched on", async || service.state("chat").await["live"] != off)
            .await;
        let secret = service.make_token("pager", "stopper", json!({})).await.secret;
        let (status, answer) =
            service.order_as(&secret, "/v1/flags/chat/rollback", json!({})).await;
        assert_eq!(status, wanted, "{rest} {default} {when_stopped}: {answer}");
    }
}

#[tokio::test]
async fn an_expiry_that_lowers_further_is_kept_and_reported() {
    let service = Service::start(&[("chat.yaml", &half("10%"))]).await;
    let secret = service.make_token("pager", "stopper", json!({})).await.secret;
    let end = |state: &Json| state["held"]["ends"]["split"]["realtime-v2"].clone();
    service.ordered("/v1/flags/chat/set", held("60%", 2, "20%")).await;
    let (status, answer) =
        service.order_as(&secret, "/v1/flags/chat/set", json!({ "realtime-v2": "40%" })).await;
    assert_eq!(
        (status, &answer["flag"]["live"], end(&answer["flag"])),
        (200, &json!("realtime-v2 40%"), json!("20%"))
    );
    let note = answer["notes"][0].as_str().unwrap_or_else(|| panic!("it says nothing: {answer}"));
    assert!(note.contains("its end stays: realtime-v2 20%"), "{note}");
    // Lower than the expiry would set: no expiry remains.
    let (_, answer) =
        service.order_as(&secret, "/v1/flags/chat/set", json!({ "realtime-v2": "15%" })).await;
    let undo = "only the role operator or admin may undo it: turnout rollback chat --reason '…'";
    assert_eq!(
        (&answer["flag"]["held"]["ends"], &answer["notes"]),
        (&Json::Null, &json!([undo])),
        "{answer}"
    );
    // Taking the expiry away widens: it needs an operator and a reason, and then no expiry remains.
    service.ordered("/v1/flags/chat/set", held("60%", 2, "20%")).await;
    let (status, answer) =
        service.ordered("/v1/flags/chat/set", json!({ "realtime-v2": "60%" })).await;
    assert_eq!((status, answer["code"].as_str()), (422, Some("reason-required")), "{answer}");
    let (status, answer) = service.ordered("/v1/flags/chat/set", set("60%")).await;
    assert_eq!((status, &answer["flag"]["held"]["ends"]), (200, &Json::Null), "{answer}");
}

#[tokio::test]
async fn an_expiry_happens_while_the_database_is_away() {
    let service = Service::start(&[("chat.yaml", &half("60%"))]).await;
    fs::rename(service.data.join("turnout.db"), service.data.join("away")).unwrap();
    let lower = json!({ "realtime-v2": "40%", "forMs": 50, "then": "5%" });
    wait_until("the database to be missed", async || {
        service.ordered("/v1/flags/chat/set", lower.clone()).await;
        let status: Json = service.admin("/v1/status").await.json().await.unwrap();
        status["database"]["state"] == "down"
    })
    .await;
    wait_until("the end", async || service.state("chat").await["live"] == "realtime-v2 5%").await;
}
