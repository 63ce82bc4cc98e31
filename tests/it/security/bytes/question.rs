//! Any bytes as the body of a question to the real routes: a documented response, in JSON, and
//! never an internal error.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use turnout::auth::Authenticator;
use turnout::clock::Clock;
use turnout::control::{Coordinator, OpenOptions};
use turnout::data_dir::DataDir;
use turnout::definition::FlagFiles;
use turnout::flag::ServerAuth;
use turnout::http::{
    Proxies, PublicService, PublicState, Routes, StreamLimits, public_document, routes,
};
use turnout::public_path::PublicPath;

use super::bend::made_of;

/// Calls that take a body: as they are made, and as they are documented.
const CALLS: [(&str, &str); 7] = [
    ("/v1/strategy/chat", "/v1/strategy/{flag}"),
    ("/v1/strategy/no-such-flag", "/v1/strategy/{flag}"),
    ("/v1/strategy", "/v1/strategy"),
    ("/ofrep/v1/evaluate/flags/chat", "/ofrep/v1/evaluate/flags/{key}"),
    ("/ofrep/v1/evaluate/flags/no-such-flag", "/ofrep/v1/evaluate/flags/{key}"),
    ("/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags"),
    ("/v1/watch/ack", "/v1/watch/ack"),
];

const BODIES: [&[u8]; 7] = [
    br#"{"targetingKey":"u-1","attributes":{"platform":"web","seats":5,"app":"2.10","paid":true,"email":"a@example.com"}}"#,
    br#"{"context":{"targetingKey":"u-1","platform":"ios","seats":-1e3,"app":"2.10.0-beta.1","paid":null}}"#,
    br#"{"attributes":{"platform":"\ud83d\ude00","name":"\ud83d","deep":{"a":[{"b":[[1]]}]}},"targetingKey":null}"#,
    br#"{"context":{"name":"\udc00","deep":{"a":{"b":{"c":"\ud800"}}},"targetingKey":""},"more":[1,2]}"#,
    "{\"targetingKey\":\"\u{e9}\u{1f600}\u{200d}\",\"attributes\":{\"\":0.1,\"platform\":[],\"seats\":9007199254740993}}"
        .as_bytes(),
    br#"{"ackId":"0-0123456789abcdef","position":"213+2"}"#,
    b"{}",
];

const CHAT: &str = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\nbucket_by: platform\n\
    attributes: {platform: text, seats: number, app: version, paid: boolean}\n\
    deny: [{emails: [a@example.com]}]\n\
    rules: [{name: r, when: {seats: {at_least: 5}, app: {below: 3}, paid: true}, strategy: realtime-v2}]\n\
    rollout: {realtime-v2: 50%}\n";

/// The routes of a service with one flag.
pub struct Questions {
    _home: TempDir,
    routes: PublicService,
    documented: Json,
    runtime: Runtime,
}

impl Questions {
    pub fn new() -> Questions {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let home = TempDir::new().unwrap();
        let data = Arc::new(DataDir::open(home.path()).unwrap());
        let opening = OpenOptions {
            data,
            contents: FlagFiles::default(),
            server_auth: ServerAuth::Off,
            public_path: PublicPath::default(),
            clock: Clock::default(),
            accept_database: false,
            may_be_new: true,
            observer: |_| (),
        };
        let routes = runtime.block_on(async {
            let coordinator = Coordinator::open(opening).await.unwrap();
            coordinator.ingest(&FlagFiles::of([("chat.yaml", CHAT)])).await;
            assert!(coordinator.live().current().flag("chat").is_some());
            let options = turnout::feeds::FeedsOptions {
                path: home.path().join("events.db"),
                max_bytes: 64 * 1024 * 1024,
                clock: Clock::default(),
                retention: Box::new(|_| None),
                random: || Some(7),
                report: Box::new(drop),
                renewed: Box::new(drop),
            };
            let on = tokio::runtime::Handle::current();
            let feeds = turnout::feeds::Feeds::start(options, on).await;
            routes::<&str>(
                PublicState::of(
                    &coordinator,
                    StreamLimits::default(),
                    Authenticator::default(),
                    Proxies::default(),
                    feeds,
                ),
                &[],
            )
        });
        Questions { _home: home, routes, documented: public_document(), runtime }
    }

    /// The first byte chooses the call, the rest says what to make of its body.
    pub fn ask(&mut self, input: &[u8]) {
        let Some((choice, input)) = input.split_first() else { return };
        let (path, template) = CALLS[usize::from(*choice) % CALLS.len()];
        let body = made_of(&BODIES, input);
        let (status, kind, answer) = self.answer(path, &body);
        let promises = &self.documented["paths"][template]["post"]["responses"];
        assert!(promises.get(status.as_str()).is_some(), "{path}: {status} is not documented");
        assert!(!status.is_server_error(), "{path}: {status}");
        assert!(
            matches!(&*kind, "application/json" | "application/problem+json"),
            "{path}: {kind}"
        );
        let answer: Json = serde_json::from_slice(&answer).unwrap();
        if status.is_success() {
            let ours = serde_json::from_slice::<&serde_json::value::RawValue>(&body).is_ok();
            assert!(ours, "{path}: an answer to what is no JSON");
            return;
        }
        let code = answer["code"].as_str().or(answer["errorCode"].as_str());
        let code = code.unwrap_or_else(|| panic!("{path}: no code in {answer}"));
        let no_json = matches!(code, "parse-error" | "PARSE_ERROR");
        assert!(!no_json || serde_json::from_slice::<Json>(&body).is_err(), "{path}: this is JSON");
    }

    fn answer(&mut self, path: &str, body: &[u8]) -> (StatusCode, String, Vec<u8>) {
        let request = Request::post(path).body(Body::from(body.to_vec())).unwrap();
        self.runtime.block_on(async {
            let answer = self.routes.answer(request, [127, 0, 0, 1].into()).await;
            let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
            let status = answer.status();
            (status, kind, to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec())
        })
    }
}
