//! What is shown is durable, and a disk that does not answer holds up nothing but publishes.

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{event, numbered};
use crate::store::slow_disk::slowing_library;
use crate::support::program::{Program, home};
use crate::support::{flag, wait_until};

const STREAM: &str = "/v1/feeds/a/b-1";

async fn polled(program: &Program, query: &str) -> (u16, Json) {
    let url = program.admin_url(STREAM) + query;
    let request = program.client.get(url).bearer_auth(program.token());
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

/// The program, with one event in a stream, and its disk that hangs where this file is written.
struct Hanging {
    program: Program,
    folder: TempDir,
}

impl Hanging {
    async fn start(file: &str) -> Hanging {
        let folder = TempDir::new().unwrap();
        let (preload, hangs) = (slowing_library(&folder), folder.path().join("hang"));
        let settings = [
            ("LD_PRELOAD", preload.to_str().unwrap()),
            ("SLOW_FILE", file),
            ("HANG_WHILE", hangs.to_str().unwrap()),
        ];
        let program = Program::start(home(&[("a.yaml", &flag("a", ""))]), &settings);
        program.serves().await;
        wait_until("the first event is taken", async || {
            program.order(STREAM, json!({ "events": [event("e-1")] })).await.status() == 200
        })
        .await;
        Hanging { program, folder }
    }

    /// Publishes an event, whose publish hangs when this returns.
    async fn publish(&self, id: &str) -> JoinHandle<u16> {
        std::fs::write(self.folder.path().join("hang"), "").unwrap();
        let (url, token) = (self.program.admin_url(STREAM), self.program.token());
        let (client, body) =
            (self.program.client.clone(), json!({ "events": [event(id)] }).to_string());
        let publish = tokio::spawn(async move {
            client.post(url).bearer_auth(token).body(body).send().await.unwrap().status().as_u16()
        });
        let hangs = self.folder.path().join("hang.hangs");
        wait_until("the disk hangs", async || hangs.exists()).await;
        publish
    }

    fn go_on(&self) {
        std::fs::remove_file(self.folder.path().join("hang")).unwrap();
    }
}

/// What is durable and not shown yet is not read from the database either: its reader would be ahead
/// of the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reader_gets_ahead_of_what_is_shown() {
    let hanging = Hanging::start("/events-heads.db").await;
    let program = &hanging.program;
    // More than memory holds, so that the start is read from the database.
    for first in [2, 102, 202, 302] {
        let events: Vec<Json> = numbered(first..=first + 99).iter().map(|id| event(id)).collect();
        let done = program.order(STREAM, json!({ "events": events })).await;
        assert_eq!(done.status(), 200);
    }
    let publish = hanging.publish("late").await;
    let page = polled(program, "?limit=1000").await.1;
    assert_eq!(ids(&page), numbered(1..=401), "the newest is durable, and not shown");
    let next = format!("?cursor={}", page["cursor"].as_str().unwrap());
    assert_eq!(polled(program, &next).await.0, 200, "no reader is ahead");
    hanging.go_on();
    assert_eq!(publish.await.unwrap(), 200);
    assert_eq!(ids(&polled(program, &next).await.1), ["late"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_shown_once_it_is_durable() {
    let hanging = Hanging::start("/events.db").await;
    let program = &hanging.program;
    let publish = hanging.publish("e-2").await;
    // Whatever hangs of the disk, what is not durable is not shown.
    for _ in 0..50 {
        let (status, page) = polled(program, "").await;
        assert!([200, 503].contains(&status), "{page}");
        assert!(!ids(&page).contains(&"e-2"), "it is not durable yet: {page}");
    }
    control_works(program).await;
    wait_until("a disk that does not answer is a problem", async || {
        let request = program.client.get(program.admin_url("/v1/problems"));
        let answer = request.bearer_auth(program.token()).send().await.unwrap();
        answer.text().await.unwrap().contains("events-unavailable")
    })
    .await;
    assert_eq!(polled(program, "").await.0, 503);
    control_works(program).await;
    hanging.go_on();
    // It may have waited for longer than publishes do.
    assert!([200, 503].contains(&publish.await.unwrap()));
    wait_until("it is shown", async || ids(&polled(program, "").await.1) == numbered(1..=2)).await;
    let again = program.order(STREAM, json!({ "events": [event("e-2")] })).await;
    assert_eq!(again.json::<Json>().await.unwrap()["duplicates"], 1, "sent again");
    assert_eq!(ids(&polled(program, "").await.1), numbered(1..=2));
}
