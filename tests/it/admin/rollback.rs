//! A rollback can go back through the whole history.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use turnout::flag::FlagKey;
use turnout::ledger::{Action, Attribution, Blobs, Change, ChangeSource, FlagRecord, Revision};
use turnout::store::{Commit, Store};

use crate::support::{Save, Service, flag};

/// Adds a stop and a resume of `chat` this many times, each a revision of its own.
async fn flap(service: &Service, times: usize) {
    let store = Store::open_sqlite(&service.data.join("turnout.db")).await.unwrap();
    let (_, mut head) = store.head().await.unwrap();
    let key: FlagKey = "chat".parse().unwrap();
    let (mut record, _) = store.flag_at("chat", head.revision).await.unwrap().unwrap();
    for index in 0..2 * times {
        let before = record.clone();
        let stop =
            Attribution { by: "alert".into(), at_ms: 1, reason: None, unknown: Default::default() };
        record = FlagRecord { stop: (index % 2 == 0).then_some(stop), ..record };
        let action = if record.stop.is_some() { Action::Stop } else { Action::Resume };
        let revision = Revision {
            revision: head.revision + 1,
            committed_at_ms: head.committed_at_ms,
            effective_at_ms: head.committed_at_ms,
            actor: "alert".into(),
            origin: ChangeSource::Api,
            reason: None,
            idempotency_key: None,
            changes: vec![Change::of_flag(&key, action, Some(before), Some(record.clone()))],
        };
        let commit = Commit {
            revision: &revision,
            expected_head: &head,
            blobs: &Blobs::new(),
            request: None,
        };
        store.commit(commit).await.unwrap();
        head = store.head().await.unwrap().1;
    }
    store.release().await;
}

/// More revisions than a page of the history holds lie between the change and the rollback that
/// undoes it.
#[tokio::test]
async fn a_rollback_goes_back_past_a_thousand_steps() {
    let mut service =
        Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 10% }"))]).await;
    let (status, _) = service
        .ordered("/v1/flags/chat/set", json!({ "realtime-v2": "50%", "reason": "the change" }))
        .await;
    assert_eq!(status, 200);
    service.stop().await;
    flap(&service, 1_050).await;
    service.restart().await;
    let (status, reply) =
        service.ordered("/v1/flags/chat/rollback", json!({ "reason": "undo the change" })).await;
    assert_eq!(status, 200, "{reply}");
    assert_eq!(service.state("chat").await["live"], "realtime-v2 10%");
    let (status, reply) =
        service.ordered("/v1/flags/chat/rollback", json!({ "reason": "no further" })).await;
    assert_eq!((status, &reply["code"]), (422, &json!("nothing-to-roll-back")), "{reply}");
}

/// Who rolls back a flag right after its resume wants less than it was resumed with, never more.
#[tokio::test]
async fn a_rollback_past_a_resume_never_widens() {
    let set = |share: &str| ("set", json!({ "realtime-v2": share, "reason": "a share" }));
    let stop = || ("stop", json!({}));
    let resume = |at: Option<&str>| ("resume", json!({ "at": at, "reason": "fixed" }));
    let table = [
        (vec![set("50%"), stop(), resume(Some("1%"))], 422, "realtime-v2 1%"),
        (vec![set("5%"), stop(), resume(None)], 422, "realtime-v2 5%"),
        // It would change nothing, or only what is held.
        (vec![set("10%"), stop(), resume(None)], 422, "realtime-v2 10%"),
        (vec![set("5%"), stop(), resume(Some("10%"))], 422, "realtime-v2 10%"),
        (vec![set("50%"), stop(), resume(None)], 200, "realtime-v2 10%"),
        (vec![set("50%"), stop(), resume(Some("1%")), set("2%")], 200, "realtime-v2 1%"),
        (vec![set("50%"), stop(), resume(Some("1%")), stop()], 200, "STOPPED -> polling"),
    ];
    for (before, status, live) in table {
        let service =
            Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 10% }"))]).await;
        for (verb, body) in &before {
            let (status, reply) =
                service.ordered(&format!("/v1/flags/chat/{verb}"), body.clone()).await;
            assert_eq!(status, 200, "{before:?}: {reply}");
        }
        let back = |to: Option<u64>| json!({ "to": to, "reason": "undo it" });
        let (came, reply) = service.ordered("/v1/flags/chat/rollback", back(None)).await;
        assert_eq!(came, status, "{before:?}: {reply}");
        assert_eq!(service.state("chat").await["live"], live, "{before:?}");
        if status == 422 {
            assert_eq!(reply["code"], "nothing-to-roll-back");
            let says = reply["detail"].as_str().unwrap();
            for typed in ["turnout stop chat;", "turnout rollback chat --to 1 --reason '…'"] {
                assert!(says.contains(typed), "{before:?}: no `{typed}` in {says}");
            }
            // What it names does it.
            let (came, reply) = service.ordered("/v1/flags/chat/rollback", back(Some(1))).await;
            assert_eq!(came, 200, "{before:?}: {reply}");
            assert_eq!(service.state("chat").await["live"], "realtime-v2 10%");
        }
    }
}

/// A file that is saved while an operator holds a split or a pin leaves the flag as it is. A rollback
/// goes past it, to what it can undo.
#[tokio::test]
async fn a_rollback_passes_over_what_left_the_flag_as_it_is() {
    let set = || ("set", json!({ "realtime-v2": "50%", "reason": "a share" }), "realtime-v2 50%");
    let file = |share: &str| flag("chat", &format!("rollout: {{ realtime-v2: {share} }}"));
    // Also where the file says in the end what is held.
    for saves in [&["12%"][..], &["12%", "13%"], &["50%"]] {
        let service = Service::start(&[("chat.yaml", &file("10%"))]).await;
        let (verb, body, live) = set();
        service.ordered(&format!("/v1/flags/chat/{verb}"), body).await;
        for share in saves {
            let before = service.revision();
            Save::Rename.save(&service.flags.join("chat.yaml"), &file(share));
            service.reach(before + 1).await;
        }
        assert_eq!(service.state("chat").await["live"], live);
        let back = json!({ "reason": "undo it" });
        let (status, reply) = service.ordered("/v1/flags/chat/rollback", back.clone()).await;
        assert_eq!((status, &reply["outcome"]), (200, &json!("committed")), "{reply}");
        assert_eq!(service.state("chat").await["live"], "realtime-v2 10%");
        let (status, reply) = service.ordered("/v1/flags/chat/rollback", back).await;
        assert_eq!((status, &reply["code"]), (422, &json!("nothing-to-roll-back")), "{reply}");
    }
}

/// A rollback that names no revision undoes the newest change its caller saw, or is refused. What
/// lands while it looks for that change is not undone with it.
#[tokio::test]
async fn a_rollback_undoes_no_two_changes() {
    let service =
        Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 1% }"))]).await;
    let set = async |share: &str| {
        let body = json!({ "realtime-v2": share, "reason": "a share" });
        service.ordered("/v1/flags/chat/set", body).await
    };
    for round in 0..80_u64 {
        set("10%").await;
        set("50%").await;
        let rollback = async {
            // The two meet at another place each time.
            sleep(Duration::from_micros(round % 20 * 150)).await;
            service.ordered("/v1/flags/chat/rollback", json!({ "reason": "undo it" })).await
        };
        let ((status, lowered), (_, rolled_back)) = tokio::join!(set("5%"), rollback);
        assert_eq!(status, 200, "{lowered}");
        let live = service.state("chat").await["live"].clone();
        // Undone is the change to 50%, before it is lowered, or the lowering itself.
        assert!(live == "realtime-v2 5%" || live == "realtime-v2 50%", "{live}: {rolled_back}");
    }
}

/// A split that comes back brings its end with it, and the answer says so.
#[tokio::test]
async fn a_rollback_says_which_end_came_back() {
    let service =
        Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 10% }"))]).await;
    let until =
        json!({ "realtime-v2": "5%", "forMs": 7_200_000, "then": "40%", "reason": "a try" });
    service.ordered("/v1/flags/chat/set", until).await;
    let set = json!({ "realtime-v2": "2%", "reason": "lower" });
    service.ordered("/v1/flags/chat/set", set).await;
    let back = json!({ "reason": "undo it" });
    let (status, reply) = service.ordered("/v1/flags/chat/rollback", back).await;
    assert_eq!(status, 200, "{reply}");
    let notes = reply["notes"].as_array().unwrap();
    let says = |note: &serde_json::Value| {
        note.as_str().unwrap().starts_with("its end came back with it: realtime-v2 40% in ")
    };
    assert!(notes.iter().any(says), "{notes:?}");
}

/// A stopper rolls back the most ordinary raise, and what was in force before it stays held: a file
/// that widens later is no part of what a stopper may let through.
#[tokio::test]
async fn a_stopper_rolls_a_raise_back_and_it_stays_held() {
    let file = |share: &str| flag("chat", &format!("rollout: {{ realtime-v2: {share} }}"));
    let service = Service::start(&[("chat.yaml", &file("10%"))]).await;
    let secret = service.make_token("pager", "stopper", json!({})).await.secret;
    let set = json!({ "realtime-v2": "50%", "reason": "a raise" });
    service.ordered("/v1/flags/chat/set", set).await;
    let raised = service.revision();
    let (status, reply) = service.order_as(&secret, "/v1/flags/chat/rollback", json!({})).await;
    assert_eq!((status, &reply["outcome"]), (200, &json!("committed")), "{reply}");
    let held = service.state("chat").await;
    assert_eq!((&held["live"], &held["held"]["by"]), (&json!("realtime-v2 10%"), &json!("pager")));
    let says = reply["notes"].to_string();
    assert!(
        says.contains("held over the file; only the role operator or admin may let it go"),
        "{says}"
    );
    let before = service.revision();
    Save::Rename.save(&service.flags.join("chat.yaml"), &file("30%"));
    service.reach(before + 1).await;
    assert_eq!(service.state("chat").await["live"], "realtime-v2 10%");

    // One that widens is refused, with what a stopper can type.
    let (status, refused) =
        service.order_as(&secret, "/v1/flags/chat/rollback", json!({ "to": raised })).await;
    assert_eq!((status, &refused["code"]), (403, &json!("may-only-narrow")), "{refused}");
    let says = refused["detail"].as_str().unwrap();
    for part in [
        &*format!("going back to revision {raised} would raise realtime-v2 from 10% to 50%"),
        "to lower it: turnout set chat SHARE; to stop it: turnout stop chat",
    ] {
        assert!(says.contains(part), "no `{part}` in {says}");
    }
}

/// A split that was held at the revision a rollback goes back to is held again, also where the file
/// says the same: the next save of the file is not live at once.
#[tokio::test]
async fn a_rollback_holds_again_what_was_held() {
    let file = |share: &str| flag("chat", &format!("rollout: {{ realtime-v2: {share} }}"));
    for to in [None, Some(3)] {
        let service = Service::start(&[("chat.yaml", &file("10%"))]).await;
        for (verb, body) in [
            ("stop", json!({})),
            ("resume", json!({ "at": "10%", "reason": "fixed" })),
            ("set", json!({ "realtime-v2": "60%", "reason": "a raise" })),
            ("rollback", json!({ "to": to, "reason": "undo it" })),
        ] {
            let (status, reply) = service.ordered(&format!("/v1/flags/chat/{verb}"), body).await;
            assert_eq!(status, 200, "{verb}: {reply}");
        }
        let before = service.revision();
        Save::Rename.save(&service.flags.join("chat.yaml"), &file("30%"));
        service.reach(before + 1).await;
        assert_eq!(service.state("chat").await["live"], "realtime-v2 10%");
    }
}

/// A rollback reads the history. With the database away it is refused, also where it would lower, and
/// says what lowers all the same.
#[tokio::test]
async fn a_rollback_without_the_database_says_what_works() {
    let service =
        Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 10% }"))]).await;
    service
        .ordered("/v1/flags/chat/set", json!({ "realtime-v2": "50%", "reason": "a raise" }))
        .await;
    service.take_database_away().await;
    let (status, refused) = service.ordered("/v1/flags/chat/rollback", json!({})).await;
    assert_eq!((status, &refused["code"]), (503, &json!("database-down")), "{refused}");
    let says = refused["detail"].as_str().unwrap();
    assert!(says.contains("turnout set chat SHARE, to lower it, and turnout stop chat"), "{says}");
    for (verb, body) in [("set", json!({ "realtime-v2": "10%" })), ("stop", json!({}))] {
        let (status, reply) = service.ordered(&format!("/v1/flags/chat/{verb}"), body).await;
        assert_eq!(status, 202, "{verb}: {reply}");
    }
}
