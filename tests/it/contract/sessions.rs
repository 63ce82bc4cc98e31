//! Every answer that sessions of our own promise on the public listener.

use std::fs;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use turnout::auth::Source;
use turnout::config::{AuthConfig, Config};

use crate::support::contract::Contract;
use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY, sha256};
use crate::support::{Service, config};

const SESSIONS: &str = "/v1/sessions";
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
