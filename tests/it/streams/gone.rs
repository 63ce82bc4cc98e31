//! Streams of a flag that goes: they hear of it when it goes, and not at their next heartbeat, which
//! never comes here.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use turnout::http::StreamLimits;

use crate::realtime::Realtime;
use crate::support::watcher::Watcher;
use crate::support::{Service, flag};

fn no_heartbeat() -> StreamLimits {
    StreamLimits { heartbeat: Duration::from_secs(1_000_000), ..StreamLimits::default() }
}

fn give_up(flags: &Path, key: &str) {
    fs::write(flags.join("retired.txt"), format!("{key}\n")).unwrap();
    fs::remove_file(flags.join(format!("{key}.yaml"))).unwrap();
}

async fn expect_unknown_flag(stream: &mut Watcher) {
    let last = stream.next().await;
    assert_eq!((last.kind(), &last.data["reason"]), ("goodbye", &json!("unknown-flag")));
    assert!(stream.maybe_next().await.is_none());
}

#[tokio::test]
async fn a_retired_flag_ends_its_streams_and_is_told_to_the_others() {
    let realtime = Realtime::start_limited(no_heartbeat()).await;
    let service = &realtime.guarded.service;
    realtime.publish_numbers("b-1", 1..=1).await;
    let token = realtime.token(json!({ "targetingKey": "u-sub" }), "b-1").await;
    let mut open = realtime.open_live(&token, "b-1").await;
    let mut of_the_flag = Watcher::of_user(service, "a", "u-1").await;
    of_the_flag.next().await;
    let mut of_all = Watcher::open(service, "/v1/watch", r#"{"targetingKey":"u-1"}"#).await;
    let flags = of_all.next().await.data["documents"]["flags"].as_array().unwrap().len();
    let changes = service.client.get(service.url("/ofrep/v1/events"));
    let mut changes = Watcher::of(changes.send().await.unwrap());
    let tag = changes.next().await.data["etag"].clone();

    give_up(&service.flags, "a");
    expect_unknown_flag(&mut open).await;
    expect_unknown_flag(&mut of_the_flag).await;
    let rest = of_all.next().await;
    assert_eq!(rest.data["documents"]["flags"].as_array().unwrap().len(), flags - 1, "{rest:?}");
    let told = changes.next().await;
    assert_eq!(told.kind(), "refetchEvaluation");
    assert_ne!(told.data["etag"], tag);
}

#[tokio::test]
async fn a_stream_of_before_the_first_flag_ends_when_its_flag_turns_out_not_to_exist() {
    let service = Service::start_streaming(&[], no_heartbeat()).await;
    let mut unknown = Watcher::of_user(&service, "nothing", "u-1").await;
    let first = unknown.next().await;
    assert_eq!(first.data["document"]["rule"], "cold-start");
    fs::write(service.flags.join("chat.yaml"), flag("chat", "")).unwrap();
    expect_unknown_flag(&mut unknown).await;
}
