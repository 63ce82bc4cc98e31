//! Ids, addresses, tokens and keys leave no trace: the real binary is asked with unmistakable ones,
//! correctly and incorrectly, and neither its log nor any response repeats one.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, claims};
use crate::support::{announced, flag, wait_until};
use aws_lc_rs::digest;
use serde_json::json;
use tempfile::TempDir;
use turnout::auth::Algorithm;
use turnout::data_dir::Addresses;

const USER: &str = "sentinel-user-4711";
const EMAIL: &str = "sentinel-mail-4711@example.com";
const SERVER_KEY: &str = "sentinel-server-key-4711-0123456789abcdef";

/// A flag that answers `realtime-v2` to the sentinel.
fn allowing() -> String {
    flag(
        "a",
        &format!(
            "allow: [{{ users: [{USER}], strategy: realtime-v2 }}]\nrollout: {{ realtime-v2: 50% }}"
        ),
    )
}

/// A session and a token for a stream, both minted here for the sentinel.
async fn own_tokens(client: &reqwest::Client, public: &str) -> [String; 2] {
    let ask = async |path: &str, credential: &str, body: serde_json::Value| {
        let request = client.post(format!("{public}/{path}")).bearer_auth(credential);
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json::<serde_json::Value>().await.unwrap()
    };
    let event = json!({ "id": "e-1", "type": "t", "data": 1 });
    ask("v1/feeds/a/b-1", SERVER_KEY, json!({ "readers": [USER], "events": [event] })).await;
    let session = ask(
        "v1/sessions",
        SERVER_KEY,
        json!({ "targetingKey": USER, "attributes": { "email": EMAIL } }),
    )
    .await;
    let session = session["session"].as_str().unwrap().to_owned();
    let token = ask("v1/token", &session, json!({ "flag": "a", "stream": "b-1" })).await;
    let token = token["token"].as_str().unwrap().to_owned();
    let opened = client.get(format!("{public}/v1/realtime/a/b-1")).bearer_auth(&token);
    assert_eq!(opened.send().await.unwrap().status(), 200);
    [session, token]
}

#[tokio::test]
async fn user_ids_addresses_tokens_and_keys_appear_in_no_output() {
    let home = TempDir::new().unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let (ours, theirs) = (
        Issuer::new(Algorithm::Es256, "our-key"),
        Issuer::new(Algorithm::Es256, "sentinel-key-id-4711"),
    );
    let hash = digest::digest(&digest::SHA256, SERVER_KEY.as_bytes());
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::create_dir(path("flags")).unwrap();
    std::fs::write(path("flags/a.yaml"), allowing()).unwrap();
    std::fs::write(path("keys.json"), ours.jwks()).unwrap();
    std::fs::write(path("servers"), format!("sentinel-server-name {hex}\n")).unwrap();

    let mut child = Command::new(env!("CARGO_BIN_EXE_turnout"))
        .args([
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--flags",
            &path("flags"),
            "--data",
            &path("data"),
            "--internal-user-ids",
            USER,
        ])
        .env("TURNOUT_SESSION_KEYS", path("keys.json"))
        .env("TURNOUT_SESSION_ALGORITHM", "ES256")
        .env("TURNOUT_SESSION_ISSUER", ISSUER)
        .env("TURNOUT_SESSION_AUDIENCE", AUDIENCE)
        .env("TURNOUT_SERVER_KEYS_FILE", path("servers"))
        .env("TURNOUT_CORS_ORIGINS", "https://app.example.com")
        .env("RUST_BACKTRACE", "1")
        .env("TURNOUT_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = Arc::new(Mutex::new(String::new()));
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let writing = stderr.clone();
    let reading = std::thread::spawn(move || {
        lines.for_each(|line| *writing.lock().unwrap() += &(line.unwrap() + "\n"));
    });
    let said =
        |words: &str| stderr.lock().unwrap().lines().filter(|line| line.contains(words)).count();
    let Addresses { public, admin } =
        announced::wait(&home.path().join("data"), &mut child, || {
            stderr.lock().unwrap().to_owned()
        });

    let mut ours_claims = claims(USER);
    ours_claims["email"] = EMAIL.into();
    let good = ours.sign(&ours.header(), &ours_claims);
    let mut expired = ours_claims.clone();
    expired["exp"] = 1.into();
    let client = reqwest::Client::new();
    let [session, stream_token] = own_tokens(&client, &public).await;
    let tokens = [
        session.clone(),
        stream_token.clone(),
        good.clone(),
        ours.sign(&ours.header(), &expired),
        theirs.sign(&theirs.header(), &ours_claims),
        good[..good.len() - 4].to_owned(),
        format!("{good}{good}"),
        ours.sign_text(
            r#"{"alg":"ES256","kid":"our-key","crit":["sentinel-4711"]}"#,
            ours_claims.to_string(),
        ),
        "sentinel-bearer-4711".to_owned(),
        SERVER_KEY.to_owned(),
    ];
    // The parts of a token that must not be seen: any of its long parts.
    let mut sentinels: Vec<String> =
        tokens.iter().flat_map(|token| token.split('.')).map(str::to_owned).collect();
    // The heads of our own tokens are alike, and stand in those that are given out.
    let heads = [&session, &stream_token].map(|token| token.split('.').next().unwrap());
    sentinels.retain(|part| part.len() > 12 && !heads.contains(&&**part));
    sentinels.extend([USER, EMAIL, SERVER_KEY, &hex, "sentinel"].map(str::to_owned));

    let bodies = [
        json!({ "targetingKey": USER, "attributes": { "email": EMAIL } }).to_string(),
        json!({ "targetingKey": "sentinel-other" }).to_string(),
        json!({ "context": { "targetingKey": USER, "email": EMAIL } }).to_string(),
        format!(r#"{{"targetingKey":"{USER}""#),
        json!({ "targetingKey": [USER], "sentinel-member": EMAIL }).to_string(),
        json!({ "targetingKey": USER.repeat(40) }).to_string(),
        format!("{USER}{EMAIL}"),
    ];
    let mut answers = String::new();
    let mut statuses = std::collections::BTreeSet::new();
    let mut take = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        statuses.insert(answer.status().as_u16());
        answers.push_str(&format!("{:?}\n", answer.headers()));
        answers.push_str(&answer.text().await.unwrap());
    };
    // A report with a sentinel wherever there is room for one; of a flag that is there, and of none.
    // It comes first: a user may report ten times in a minute.
    for flag in ["a", "sentinel-flag"] {
        let part =
            json!({ "flag": flag, "mode": "polling", "complaint": true, "sentinel-member": EMAIL });
        let report = json!({
            "client": "sentinel-client-4711", "version": "sentinel-4711", "windowMs": 1,
            "flags": [part], "user": USER,
        });
        let url = format!("{public}/v1/reports");
        take(client.post(&url).bearer_auth(&good).body(report.to_string())).await;
        if flag == "a" {
            let bad = report.to_string().replace("polling", USER);
            take(client.post(&url).bearer_auth(&good).body(bad)).await;
        }
    }
    for path in [
        "v1/strategy/a",
        "v1/strategy",
        "ofrep/v1/evaluate/flags/a",
        "ofrep/v1/evaluate/flags",
        "v1/nowhere",
        "v1/reports",
        "v1/token",
        "v1/sessions",
        "v1/feeds/a/b-1",
        // The last: it ends the good token.
        "v1/sessions/revoke",
    ] {
        let url = format!("{public}/{path}");
        for body in &bodies {
            take(client.post(&url).body(body.clone())).await;
            for token in &tokens {
                take(client.post(&url).bearer_auth(token).body(body.clone())).await;
                take(client.post(&url).header("x-api-key", token).body(body.clone())).await;
            }
        }
        for token in &tokens {
            take(client.get(&url).bearer_auth(token)).await;
            take(client.get(format!("{url}?access_token={token}&user={USER}"))).await;
            take(
                client
                    .put(&url)
                    .bearer_auth(token)
                    .header("origin", format!("https://{USER}.example.com")),
            )
            .await;
        }
        take(client.get(format!("{public}/healthz?{USER}"))).await;
        take(client.get(format!("{public}/readyz?{USER}")).bearer_auth(&good)).await;
    }
    for path in ["metrics", "v1/problems"] {
        take(client.get(format!("{admin}/{path}"))).await;
    }
    let token = std::fs::read_to_string(path("data/admin.token")).unwrap();
    take(client.get(format!("{admin}/metrics")).bearer_auth(token.trim())).await;
    // Every kind of response was seen.
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [200, 204, 400, 401, 403, 404, 405, 429]);
    // A broken keys file is reported without any of its content.
    std::fs::write(path("servers"), format!("sentinel-server-name {hex} {SERVER_KEY}\n")).unwrap();
    std::fs::write(path("keys.json"), format!("sentinel {}", ours.jwks())).unwrap();
    std::fs::write(
        path("flags/a.yaml"),
        flag("a", &format!("deny: [{{ users: [{USER}, [5]] }}]\n")),
    )
    .unwrap();
    wait_until("all three to be spoken of", async || {
        said("the last good keys stay") == 2 && said("problem: ") > 0
    })
    .await;
    assert!(
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success()
    );
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert!(child.wait().unwrap().success());
    reading.join().unwrap();
    let stderr = stderr.lock().unwrap();
    for sentinel in &sentinels {
        for (what, text) in [("an answer", &answers), ("stderr", &*stderr), ("stdout", &stdout)] {
            let found = text
                .find(sentinel.as_str())
                .map(|at| &text[at.saturating_sub(80)..(at + 60).min(text.len())]);
            assert!(found.is_none(), "{what} repeats a sentinel: {found:?}");
        }
    }
}
