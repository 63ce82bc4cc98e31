//! The streams of a flag that is retired: they are listed and removed, and nothing else is done with
//! them.

use std::fs;

use reqwest::Method;
use serde_json::json;

use super::{Feeds, event};
use crate::support::guarded::SERVER_KEY;
use crate::support::wait_until;

#[tokio::test]
async fn the_streams_of_a_retired_flag_are_listed_and_removed() {
    let feeds = Feeds::start().await;
    for stream in ["b-1", "b-2"] {
        feeds.publish(stream, json!({ "readers": ["u-1"], "events": [event("e-1")] })).await;
    }
    let flags = &feeds.guarded.service.flags;
    fs::write(flags.join("retired.txt"), "a\n").unwrap();
    fs::remove_file(flags.join("a.yaml")).unwrap();
    wait_until("the flag is gone", async || feeds.poll("b-1", "").await.code() == "flag-not-found")
        .await;
    let body = json!({ "events": [event("e-2")] });
    assert_eq!(feeds.publish("b-1", body).await.code(), "flag-not-found");

    let list = async |query: &str, credential: Option<&str>| {
        let path = format!("/v1/feeds/a{query}");
        feeds.ask(Method::GET, &path, credential, None).await
    };
    let listed = list("", Some(SERVER_KEY)).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    assert_eq!(listed.body["streams"].as_array().unwrap().len(), 2);
    assert_eq!(list("?after=b-1", Some(SERVER_KEY)).await.body["streams"][0]["stream"], "b-2");
    let user = feeds.issuer.token("u-1");
    assert_eq!(list("", Some(&user)).await.status, 403);
    assert_eq!(list("", None).await.status, 401);
    for credential in [Some(&*user), None] {
        let answer = feeds.ask(Method::DELETE, "/v1/feeds/a/b-1", credential, None).await;
        assert!([401, 403].contains(&answer.status), "{answer:?}");
    }

    for stream in ["b-1", "b-2"] {
        let gone = feeds.delete(stream).await;
        assert_eq!((gone.status, &gone.body["existed"]), (200, &json!(true)), "{gone:?}");
    }
    // With its last stream the flag is one that never was.
    assert_eq!(feeds.delete("b-2").await.code(), "flag-not-found");
    assert_eq!(list("", Some(SERVER_KEY)).await.code(), "flag-not-found");
}
