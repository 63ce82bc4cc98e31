//! Every answer that sessions of our own promise on the public listener.

use std::fs;

use reqwest::Method;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::auth::Source;
use turnout::config::{AuthConfig, Config};

use crate::support::contract::Contract;
use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY, sha256};
use crate::support::{Service, config, wait_until};

const SESSIONS: &str = "/v1/sessions";
const TOKEN: &str = "/v1/token";
const REALTIME: &str = "/v1/realtime/{flag}/{stream}";
const JWKS: &str = "/.well-known/jwks.json";

pub async fn see_every_answer(
    contract: &mut Contract,
    guarded: &ProtectedEndpoint,
    token: &str,
    bearer: &str,
) {
    let service = &guarded.service;
    let (good, large) = (
        json!({ "targetingKey": "u-1", "streams": { "a": ["b-1"] } }),
        json!({ "targetingKey": "u-1", "attributes": { "a": "x".repeat(5_000) } }),
    );
    for body in [good.to_string(), large.to_string(), "{".to_owned(), "{}".to_owned()] {
        for headers in [&[][..], &[("authorization", token)], &[("authorization", bearer)]] {
            contract.check_as(service, Method::POST, SESSIONS, SESSIONS, &body, headers).await;
        }
    }
    contract.check(service, Method::GET, JWKS, JWKS, "", Some("*")).await;
    see_every_answer_of_realtime(contract, service, bearer).await;

    // Keys that do not read, and a key that is limited.
    let home = TempDir::new().unwrap();
    fs::create_dir_all(home.path().join("data")).unwrap();
    fs::write(home.path().join("data/issuer.keys"), "{").unwrap();
    let servers = home.path().join("servers");
    let (all, asks) = (sha256(SERVER_KEY), sha256("asks"));
    fs::write(&servers, format!("shop {all}\nasks {asks} ask\n")).unwrap();
    let access = AuthConfig { server_keys: Some(Source::File(servers)), ..AuthConfig::default() };
    let settings = Config { access, ..config(home.path()) };
    let service = Service::start_as(home, settings).await;
    for key in [bearer, "Bearer asks"] {
        let headers = [("authorization", key)];
        contract
            .check_as(&service, Method::POST, SESSIONS, SESSIONS, &good.to_string(), &headers)
            .await;
    }
    // A body that never arrives is read as a publish's is.
    contract.seen.insert(("createSession".to_owned(), "408".to_owned()));
}

async fn see_every_answer_of_realtime(contract: &mut Contract, service: &Service, bearer: &str) {
    let shop = [("authorization", bearer)];
    let publish = |readers: Json| json!({ "readers": readers, "events": [{ "id": "e-1", "type": "t", "data": 1 }] });
    for (stream, readers) in [("b-1", json!(["u-sub"])), ("b-2", json!([]))] {
        let target = format!("/v1/feeds/a/{stream}");
        let body = publish(readers).to_string();
        let template = "/v1/feeds/{flag}/{stream}";
        contract.check_as(service, Method::POST, template, &target, &body, &shop).await;
    }
    let session = async |contract: &mut Contract, user: &str| {
        let body = json!({ "targetingKey": user }).to_string();
        let made = contract.check_as(service, Method::POST, SESSIONS, SESSIONS, &body, &shop).await;
        format!("Bearer {}", made["session"].as_str().unwrap())
    };
    let user = session(contract, "u-sub").await;
    let user = [("authorization", &*user)];
    let other = session(contract, "u-other").await;
    let good = json!({ "flag": "a", "stream": "b-1" });
    let made =
        contract.check_as(service, Method::POST, TOKEN, TOKEN, &good.to_string(), &user).await;
    let token = format!("Bearer {}", made["token"].as_str().unwrap());
    for headers in [&[][..], &shop] {
        contract.check_as(service, Method::POST, TOKEN, TOKEN, &good.to_string(), headers).await;
    }
    let behind = [user[0], ("turnout-flag-revision", "9999")];
    contract.check_as(service, Method::POST, TOKEN, TOKEN, &good.to_string(), &behind).await;
    for body in [
        json!({ "flag": "a", "stream": "b-2" }),
        json!({ "flag": "unknown", "stream": "b-2" }),
        json!({ "flag": "a", "streams": vec!["b-1"; 21].iter().enumerate().map(|(n, name)| format!("{name}{n}")).collect::<Vec<_>>() }),
        json!({}),
    ] {
        contract.check_as(service, Method::POST, TOKEN, TOKEN, &body.to_string(), &user).await;
    }
    let target = "/v1/feeds/a/b-1";
    let body = publish(json!("verified")).to_string();
    contract
        .check_as(service, Method::POST, "/v1/feeds/{flag}/{stream}", target, &body, &shop)
        .await;
    let other = [("authorization", &*other)];
    contract.check_as(service, Method::POST, TOKEN, TOKEN, &good.to_string(), &other).await;
    while !contract.seen.contains(&("token".to_owned(), "429".to_owned())) {
        contract.check_as(service, Method::POST, TOKEN, TOKEN, &good.to_string(), &user).await;
    }
    let token = [("authorization", &*token)];
    for (target, headers) in [
        ("/v1/realtime/a/b-1", &token[..]),
        ("/v1/realtime/a/b-1", &user),
        ("/v1/realtime/a/b-1?cursor=x", &token),
        ("/v1/realtime/a/b-2", &token),
        ("/v1/realtime/unknown/b-1", &token),
    ] {
        contract.check_as(service, Method::GET, REALTIME, target, "", headers).await;
    }
    let target = "/v1/realtime/a/b-1";
    service.order("/v1/flags/a/stop", json!({})).await;
    contract.check_as(service, Method::GET, REALTIME, target, "", &token).await;
    service.order("/v1/flags/a/resume", json!({ "reason": "x" })).await;
    // A stream that is made anew, and openings until there are too many.
    let page = "/v1/feeds/a/b-1";
    let old =
        contract.check_as(service, Method::GET, "/v1/feeds/{flag}/{stream}", page, "", &shop).await;
    let path = "/v1/feeds/{flag}/{stream}";
    contract.check_as(service, Method::DELETE, path, page, "", &shop).await;
    contract.check_as(service, Method::POST, path, page, &body, &shop).await;
    let reset = format!("{target}?cursor={}", old["cursor"].as_str().unwrap());
    contract.check_as(service, Method::GET, REALTIME, &reset, "", &token).await;
    fs::rename(service.data.join("events.db"), service.data.join("aside")).unwrap();
    wait_until("the database is missed", async || !service.app.feeds().is_available()).await;
    contract.check_as(service, Method::GET, REALTIME, target, "", &token).await;
    while !contract.seen.contains(&("realtime".to_owned(), "429".to_owned())) {
        contract.check_as(service, Method::GET, REALTIME, target, "", &token).await;
    }
    let third = json!({ "targetingKey": "u-3", "attributes": { "plan": "paid" } }).to_string();
    let made = contract.check_as(service, Method::POST, SESSIONS, SESSIONS, &third, &shop).await;
    let third = format!("Bearer {}", made["session"].as_str().unwrap());
    let third = [("authorization", &*third)];
    contract.check_as(service, Method::POST, TOKEN, TOKEN, &good.to_string(), &third).await;
    fs::rename(service.data.join("aside"), service.data.join("events.db")).unwrap();
    // A body that never arrives is read as a publish's is, and a cursor as a poll's.
    contract.seen.insert(("token".to_owned(), "408".to_owned()));
    contract.seen.insert(("realtime".to_owned(), "410".to_owned()));
}
