//! What is stopped or lowered while a commit hangs or fails holds over all that came before it, waits
//! for nothing that opens, and is one change however often it is asked for.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value as Json, json};
use sqlx::Connection;
use tokio::time::sleep;

use super::late_commits::{Hanging, hold};
use crate::support::wait_until;

fn set(share: &str) -> Json {
    json!({ "realtime-v2": share, "reason": "a test" })
}

fn reason() -> Json {
    json!({ "reason": "a test" })
}

/// SQLite writes a commit to its log before it syncs the log. A sync that fails takes nothing out of
/// the file, and a start after a crash reads it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_stays_so_where_a_commit_that_failed_comes_back_after_a_crash() {
    for (first, fails, then, live) in [
        (("stop", reason()), ("resume", reason()), "/v1/flags/f/stop", "STOPPED -> polling"),
        (("stop", reason()), ("resume", reason()), "/v1/stop", "STOPPED -> polling"),
        (("set", set("1%")), ("set", set("90%")), "/v1/flags/f/set", "realtime-v2 1%"),
    ] {
        let hanging = Hanging::start().await;
        let path = |verb: &str| format!("/v1/flags/f/{verb}");
        hanging.order(&path(first.0), first.1.clone()).await;
        hanging.settles("the first change").await;
        hanging.syncs_fail(true);
        let (status, refused) = hanging.order(&path(fails.0), fails.1).await;
        assert_eq!((status, &refused["code"]), (503, &json!("outcome-unknown")), "{then}");
        // Nothing is lost that can be read.
        assert_eq!(hanging.get("/v1/status").await["database"]["state"], "up", "{then}");
        assert!(hanging.made(first.0).await > 0, "{then}");
        hanging.syncs_fail(false);
        let (_, done) = hanging.order(then, first.1).await;
        assert_eq!(done["inForce"], true, "{then}: {done}");
        assert_ne!(done["survivesRestart"], false, "{then}: {done}");
        let hanging = hanging.restarts().await;
        assert_eq!(hanging.live("f").await, live, "{then}");
        hanging.settles("what was pending").await;
        assert_eq!(hanging.live("f").await, live, "{then}, settled");
    }
}

/// A command may wait before it is decided: behind another of the same idempotency key, or for what
/// it has to look up.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_stop_and_was_not_decided_yet_does_not_lift_it() {
    for (first, opens, then, live) in [
        (("stop", reason()), ("resume", reason()), ("stop", reason()), "STOPPED -> polling"),
        (("set", set("1%")), ("unset", reason()), ("set", set("1%")), "realtime-v2 1%"),
    ] {
        let hanging = Hanging::start().await;
        let path = |verb: &str| format!("/v1/flags/f/{verb}");
        hanging.order(&path(first.0), first.1).await;
        hanging.settles("the first change").await;
        let other = hold(&hanging.program).await;
        let open = async |after_ms| {
            sleep(Duration::from_millis(after_ms)).await;
            let program = &hanging.program;
            let request = program.client.post(program.admin_url(&path(opens.0)));
            let request = request.bearer_auth(program.token()).header("idempotency-key", "once");
            request.body(opens.1.to_string()).send().await.unwrap().status().as_u16()
        };
        let closed = async {
            sleep(Duration::from_millis(300)).await;
            let done = hanging.order(&path(then.0), then.1).await;
            other.close().await.unwrap();
            done
        };
        let (_, _, (_, done)) = tokio::join!(open(0), open(100), closed);
        assert_eq!(done["inForce"], true, "{opens:?}: {done}");
        hanging.settles("all of it").await;
        assert_eq!(hanging.live("f").await, live, "{opens:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_lowers_waits_for_no_commit() {
    const END: Duration = Duration::from_secs(1);
    // Maintenance gave such a commit up after 3.4 s.
    const SOON: Duration = Duration::from_millis(1_500);
    let hanging = Hanging::start().await;
    let until = |then: &str| {
        let mut body = set("50%");
        body["forMs"] = json!(1_000);
        body["then"] = json!(then);
        body
    };
    // One end widens, and its commit hangs.
    for (key, then) in [("g", "80%"), ("f", "10%")] {
        let (status, done) = hanging.order(&format!("/v1/flags/{key}/set"), until(then)).await;
        assert_eq!(status, 200, "{done}");
    }
    let begun = Instant::now();
    hanging.hang();
    wait_until("the end", async || hanging.live("f").await == "realtime-v2 10%").await;
    let took = begun.elapsed();
    assert!(took < END + SOON, "{took:?}");
    hanging.go_on();
    wait_until("the other end", async || hanging.live("g").await == "realtime-v2 80%").await;
}

/// A client sends a raise again under its key as long as it gets no answer, while the database is
/// locked.
#[tokio::test(flavor = "multi_thread")]
async fn a_raise_whose_caller_was_answered_does_not_undo_what_its_caller_did_then() {
    let hanging = Hanging::start().await;
    hanging.order("/v1/flags/f/set", set("10%")).await;
    hanging.settles("the first change").await;
    let other = hold(&hanging.program).await;
    let raise = async |number: u64| {
        sleep(Duration::from_millis(20 * number)).await;
        let program = &hanging.program;
        let request = program.client.post(program.admin_url("/v1/flags/f/set"));
        let request = request.bearer_auth(program.token()).header("idempotency-key", "once");
        request.body(set("50%").to_string()).send().await.unwrap().status().as_u16()
    };
    let answers = join_all((0..12).map(raise)).await;
    assert!(answers.iter().all(|status| *status == 503), "{answers:?}");
    let (status, done) = hanging.order("/v1/flags/f/set", set("5%")).await;
    assert_eq!((status, &done["inForce"]), (202, &json!(true)), "{done}");
    other.close().await.unwrap();
    hanging.settles("the lowering").await;
    // Ten raises that wait one after another for a locked database took 8 s.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(hanging.live("f").await, "realtime-v2 5%");
    assert_eq!(hanging.made("set").await, 2);
}

/// A commit waits for the disk while a held split ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_resume_with_a_share_is_not_in_force_where_an_end_took_the_share_away() {
    let hanging = Hanging::start().await;
    let mut held = set("50%");
    (held["forMs"], held["then"]) = (json!(2_000), json!("10%"));
    let (status, done) = hanging.order("/v1/flags/f/set", held).await;
    assert_eq!(status, 200, "{done}");
    let end = Instant::now() + Duration::from_secs(2);
    let (status, done) = hanging.order("/v1/flags/f/stop", reason()).await;
    assert_eq!(status, 200, "{done}");
    hanging.settles("the stop").await;
    let resume = async {
        sleep(end.saturating_duration_since(Instant::now()) - Duration::from_millis(300)).await;
        hanging.hang();
        let body = json!({ "at": "20%", "reason": "a test" });
        hanging.order("/v1/flags/f/resume", body).await
    };
    let goes_on = async {
        sleep(end.saturating_duration_since(Instant::now()) + Duration::from_millis(150)).await;
        hanging.go_on();
    };
    let ((status, done), ()) = tokio::join!(resume, goes_on);
    assert_eq!((status, &done["inForce"]), (200, &json!(false)), "{done}");
    assert_eq!(hanging.live("f").await, "realtime-v2 10%");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_is_repeated_while_an_outcome_is_unknown_is_one_change() {
    for (verb, body) in [("stop", reason()), ("set", set("1%"))] {
        let hanging = Hanging::start().await;
        let path = format!("/v1/flags/f/{verb}");
        hanging.order(&path, body.clone()).await;
        hanging.settles("the first change").await;
        let opens = if verb == "stop" { ("resume", reason()) } else { ("unset", reason()) };
        hanging.hang();
        let (status, _) = hanging.order(&format!("/v1/flags/f/{}", opens.0), opens.1).await;
        assert_eq!(status, 503);
        for _ in 0..5 {
            let (status, done) = hanging.order(&path, body.clone()).await;
            assert!(status < 300 && done["inForce"] == true, "{done}");
        }
        assert_eq!(hanging.get("/v1/status").await["pending"], 1, "{verb}");
        hanging.go_on();
        hanging.settles("all of it").await;
        assert_eq!(hanging.made(verb).await, 2, "{verb}");
    }
}

/// A rollback that names no revision waits for a commit, and its flag is lowered before its turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_of_the_newest_change_undoes_no_change_that_came_after_it() {
    let hanging = Hanging::start().await;
    for key in ["f", "g"] {
        hanging.order(&format!("/v1/flags/{key}/set"), set("20%")).await;
    }
    hanging.settles("the first changes").await;
    let other = hold(&hanging.program).await;
    let rollback = async {
        sleep(Duration::from_millis(100)).await;
        hanging.order("/v1/flags/f/rollback", reason()).await
    };
    let lower = async {
        sleep(Duration::from_millis(300)).await;
        hanging.order("/v1/flags/f/set", set("10%")).await
    };
    let release = async {
        sleep(Duration::from_millis(450)).await;
        other.close().await.unwrap();
    };
    let waits = hanging.order("/v1/flags/g/set", set("30%"));
    let (_, (status, refused), (_, done), ()) = tokio::join!(waits, rollback, lower, release);
    assert_eq!(done["inForce"], true, "{done}");
    hanging.settles("all of it").await;
    assert_eq!(hanging.live("f").await, "realtime-v2 10%");
    assert_eq!((status, &refused["code"]), (409, &json!("revision-conflict")), "{refused}");
}

/// A rollback that finds a change of its flag pending is to undo that one. What lowers the flag after
/// it, or is rolled back before its turn, is not undone with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_over_a_pending_change_undoes_no_later_one() {
    let lower = || ("set", set("5%"));
    let again = || ("rollback", reason());
    for ((verb, body), live) in [(lower(), "realtime-v2 5%"), (again(), "realtime-v2 50%")] {
        let hanging = Hanging::start().await;
        for share in ["10%", "50%"] {
            hanging.order("/v1/flags/f/set", set(share)).await;
        }
        hanging.settles("the first changes").await;
        let other = hold(&hanging.program).await;
        let (status, done) = hanging.order("/v1/flags/f/set", set("20%")).await;
        assert_eq!((status, &done["inForce"]), (202, &json!(true)), "{done}");
        let later = async {
            sleep(Duration::from_millis(150)).await;
            hanging.order(&format!("/v1/flags/f/{verb}"), body).await
        };
        let release = async {
            sleep(Duration::from_millis(400)).await;
            other.close().await.unwrap();
        };
        let rollback = hanging.order("/v1/flags/f/rollback", reason());
        let (first, second, ()) = tokio::join!(rollback, later, release);
        hanging.settles("all of it").await;
        assert_eq!(hanging.live("f").await, live, "{verb}: {first:?} {second:?}");
        let refused = [first, second].into_iter().filter(|(status, _)| *status == 409).count();
        assert_eq!(refused, 1, "{verb}");
    }
}
