//! What is held over a flag that the database does not have. The first start on a disk that takes
//! nothing: the files are served as long as that lasts, and what is lowered meanwhile stays so once it
//! is over. And a flag that is given up just when it is lowered.

use std::fs;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::late_commits::{Hanging, at};
use crate::support::program::home;
use crate::support::wait_until;

async fn position(hanging: &Hanging) -> String {
    hanging.get("/v1/status").await["position"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lowered_before_anything_was_saved_stays_lowered() {
    let (f, g) = (at("f", "100%"), at("g", "100%"));
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("hang.fails"), "").unwrap();
    let files = [("f.yaml", &*f), ("g.yaml", &*g)];
    let hanging = Hanging::start_in(home(&files), folder, "/turnout.db-wal").await;
    let strategy = async |key: &str| hanging.program.strategy(key, "u-1").await;
    wait_until("the files are served", async || strategy("f").await == "realtime-v2").await;

    // The database is opened again and again, and each time the files cannot be saved.
    for _ in 0..3 {
        let before = position(&hanging).await;
        wait_until("the files are tried again", async || {
            assert_eq!(strategy("f").await, "realtime-v2");
            assert_eq!(hanging.live("f").await, "realtime-v2 100%");
            position(&hanging).await != before
        })
        .await;
    }
    let lower = json!({ "realtime-v2": "10%", "reason": "incident" });
    let (status, done) = hanging.order("/v1/flags/f/set", lower).await;
    assert_eq!((status, &done["inForce"]), (202, &json!(true)), "{done}");
    let (status, done) = hanging.order("/v1/flags/g/stop", json!({})).await;
    assert_eq!((status, &done["inForce"]), (202, &json!(true)), "{done}");
    assert_eq!(strategy("g").await, "polling");

    let hanging = hanging.restarts().await;
    let stands = async |hanging: &Hanging| {
        (hanging.live("f").await, hanging.live("g").await)
            == ("realtime-v2 10%".to_owned(), "STOPPED -> polling".to_owned())
    };
    wait_until("both stand after a crash", async || stands(&hanging).await).await;
    hanging.syncs_fail(false);
    hanging.settles("both are saved").await;
    wait_until("the files are recorded", async || {
        let page = hanging.get("/v1/history?limit=50").await;
        page["revisions"]
            .as_array()
            .is_some_and(|revisions| revisions.iter().any(|revision| revision["origin"] == "file"))
    })
    .await;
    assert!(stands(&hanging).await);
    let verified: Json = hanging.get("/v1/history/verify").await;
    assert_eq!(verified["sound"], true, "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lowered_while_it_is_given_up_is_a_problem_until_it_is_given_back() {
    let hanging = Hanging::start().await;
    let (flags, file) = (hanging.program.path("flags"), hanging.program.path("f.yaml"));
    hanging.hang();
    fs::rename(flags.join("f.yaml"), &file).unwrap();
    fs::write(flags.join("retired.txt"), "f\n").unwrap();
    hanging.hangs().await;
    let lower = json!({ "realtime-v2": "10%", "reason": "incident" });
    let (status, done) = hanging.order("/v1/flags/f/set", lower).await;
    assert_eq!((status, &done["inForce"]), (202, &json!(true)), "{done}");
    hanging.go_on();
    wait_until("the flag is given up, and held", async || {
        hanging.get("/v1/problems").await.to_string().contains("turnout unset f")
    })
    .await;
    assert_eq!(hanging.live("f").await, "no definition -> polling");

    // It comes back as low as it was set, and goes once nothing is held.
    fs::remove_file(flags.join("retired.txt")).unwrap();
    fs::rename(&file, flags.join("f.yaml")).unwrap();
    wait_until("it is back", async || hanging.live("f").await == "realtime-v2 10%").await;
    fs::rename(flags.join("f.yaml"), &file).unwrap();
    fs::write(flags.join("retired.txt"), "f\n").unwrap();
    wait_until("it stays as it is held", async || {
        hanging.get("/v1/problems").await.to_string().contains("turnout unset f")
    })
    .await;
    let (status, done) = hanging.order("/v1/flags/f/unset", json!({ "reason": "over" })).await;
    assert_eq!(status, 200, "{done}");
    wait_until("it is gone", async || hanging.get("/v1/flags/f").await["code"] == "flag-not-found")
        .await;
    assert!(!hanging.get("/v1/problems").await.to_string().contains("flag f"));
}
