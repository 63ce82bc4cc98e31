//! The first start on a disk that takes nothing: the files are served as long as that lasts, and what
//! is lowered meanwhile stays so once it is over.

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
