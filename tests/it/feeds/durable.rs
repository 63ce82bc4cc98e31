//! What is shown is durable, and a disk that does not answer holds up nothing but publishes.

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::{event, numbered};
use crate::store::slow_disk::slowing_library;
use crate::support::program::{Program, home};
use crate::support::{flag, wait_until};

const STREAM: &str = "/v1/feeds/a/b-1";

async fn polled(program: &Program) -> (u16, Json) {
    let request = program.client.get(program.admin_url(STREAM)).bearer_auth(program.token());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn ids(page: &Json) -> Vec<&str> {
    let events = page["events"].as_array().map_or(&[][..], Vec::as_slice);
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

async fn control_works(program: &Program) {
    assert_eq!(program.strategy("a", "u-1").await, "polling");
    for verb in ["set", "stop", "resume", "unset"] {
        let share = if verb == "set" { json!("1%") } else { Json::Null };
        let mut body = json!({ "realtime-v2": share, "reason": "a test" });
        if verb != "set" {
            body.as_object_mut().unwrap().remove("realtime-v2");
        }
        let done = program.order(&format!("/v1/flags/a/{verb}"), body).await;
        assert_eq!(done.status(), 200, "{verb}: {}", done.text().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_shown_once_it_is_durable() {
    let folder = TempDir::new().unwrap();
    let (preload, hangs) = (slowing_library(&folder), folder.path().join("hang"));
    let settings = [
        ("LD_PRELOAD", preload.to_str().unwrap()),
        ("SLOW_FILE", "/events.db"),
        ("HANG_WHILE", hangs.to_str().unwrap()),
    ];
    let program = Program::start(home(&[("a.yaml", &flag("a", ""))]), &settings);
    program.serves().await;
    wait_until("the first event is taken", async || {
        program.order(STREAM, json!({ "events": [event("e-1")] })).await.status() == 200
    })
    .await;
    std::fs::write(&hangs, "").unwrap();
    let (url, token, client) = (program.admin_url(STREAM), program.token(), program.client.clone());
    let body = json!({ "events": [event("e-2")] }).to_string();
    let publish = tokio::spawn(async move {
        client.post(url).bearer_auth(token).body(body).send().await.unwrap().status().as_u16()
    });
    let in_sync = folder.path().join("hang.hangs");
    wait_until("the sync hangs", async || in_sync.exists()).await;
    // Whatever hangs of the disk, what is not durable is not shown.
    for _ in 0..50 {
        let (status, page) = polled(&program).await;
        assert!([200, 503].contains(&status), "{page}");
        assert!(!ids(&page).contains(&"e-2"), "it is not durable yet: {page}");
    }
    control_works(&program).await;
    wait_until("a disk that does not answer is a problem", async || {
        let request = program.client.get(program.admin_url("/v1/problems"));
        let answer = request.bearer_auth(program.token()).send().await.unwrap();
        answer.text().await.unwrap().contains("events-unavailable")
    })
    .await;
    assert_eq!(polled(&program).await.0, 503);
    control_works(&program).await;
    std::fs::remove_file(&hangs).unwrap();
    // It may have waited for longer than publishes do.
    assert!([200, 503].contains(&publish.await.unwrap()));
    wait_until("it is shown", async || ids(&polled(&program).await.1) == numbered(1..=2)).await;
    let again = program.order(STREAM, json!({ "events": [event("e-2")] })).await;
    assert_eq!(again.json::<Json>().await.unwrap()["duplicates"], 1, "sent again");
    assert_eq!(ids(&polled(&program).await.1), numbered(1..=2));
}
