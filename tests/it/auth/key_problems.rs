//! A key source without a good key is a problem, counted and reported, until it has one.

use std::fs;

use serde_json::Value as Json;
use tempfile::TempDir;
use turnout::app::App;
use turnout::auth::{Algorithm, EmailProof, ExpectedClaims, Source, TokenKind};
use turnout::config::{AuthConfig, SessionKeys};

use crate::support::guarded::sha256;
use crate::support::{config, wait_until};

#[tokio::test]
async fn a_source_without_a_good_key_is_a_problem_until_it_has_one() {
    let home = TempDir::new().unwrap();
    let (secret, keys) = (home.path().join("secret"), home.path().join("keys"));
    fs::write(&secret, "short\n").unwrap();
    let pins = ExpectedClaims {
        algorithm: Algorithm::Hs256,
        issuer: "issuer".to_owned(),
        audience: "turnout".to_owned(),
        email: EmailProof::Assumed,
        kind: TokenKind::Application,
    };
    let access = AuthConfig {
        session_keys: Some(SessionKeys { source: Source::File(secret.clone()), pins }),
        server_keys: Some(Source::File(keys.clone())),
        ..AuthConfig::default()
    };
    let settings = turnout::config::Config { access, ..config(home.path()) };
    fs::create_dir(&settings.flags).unwrap();
    let data = settings.data.clone();
    let app = App::start(settings).await.unwrap();
    let client = reqwest::Client::new();
    let token = fs::read_to_string(data.join("admin.token")).unwrap();
    let problems = async || {
        let url = format!("http://{}/v1/problems", app.admin_address());
        let reply: Json =
            client.get(url).bearer_auth(token.trim()).send().await.unwrap().json().await.unwrap();
        let text =
            |problem: &Json, name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let all = reply["problems"].as_array().unwrap().clone();
        all.iter()
            .map(|problem| (text(problem, "code"), text(problem, "subject")))
            .collect::<Vec<_>>()
    };
    let (of_sessions, of_servers) =
        (("session-keys", "TURNOUT_SESSION_KEYS"), ("server-keys", "TURNOUT_SERVER_KEYS_FILE"));
    let are = async |expected: &[(&str, &str)]| {
        let found = problems().await;
        found.iter().map(|(code, subject)| (&**code, &**subject)).eq(expected.iter().copied())
    };
    wait_until("both", async || are(&[of_sessions, of_servers]).await).await;
    let ready: Json = client
        .get(format!("http://{}/readyz", app.address()))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(ready["problems"], 2, "{ready}");

    fs::write(&secret, "0123456789abcdef0123456789abcdef\n").unwrap();
    wait_until("the session keys are good", async || are(&[of_servers]).await).await;
    fs::write(&keys, format!("checkout {}\n", sha256("a server's key"))).unwrap();
    wait_until("the server keys are good", async || are(&[]).await).await;
    // The last good keys stay, and that they are the last is a problem; a file without a key is one
    // too.
    fs::write(&keys, "no key\n").unwrap();
    wait_until("bad again", async || are(&[of_servers]).await).await;
    fs::write(&keys, format!("checkout {}\n", sha256("a server's key"))).unwrap();
    wait_until("good again", async || are(&[]).await).await;
    fs::write(&keys, "# none\n").unwrap();
    wait_until("none left", async || are(&[of_servers]).await).await;
    app.stop().await;
}
