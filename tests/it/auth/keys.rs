//! Keys: what counts as a key, how keys are rotated under load, and that the last good ones stay.

use std::sync::{Arc, mpsc};
use std::time::SystemTime;

use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY, sha256};
use crate::support::issuer::{Issuer, base64, pins, with};
use crate::support::{PATIENCE, wait_until};
use serde_json::json;
use tempfile::TempDir;
use turnout::auth::{
    Algorithm, AnonymousAccess, KeyRefresher, Outcome, ServerKeys, Sessions, Source,
};

#[test]
fn valid_and_invalid_keys_are_distinguished() {
    let (hs, rs, es, ed) = (
        Issuer::new(Algorithm::Hs256, "hs"),
        Issuer::new(Algorithm::Rs256, "rs"),
        Issuer::new(Algorithm::Es256, "es"),
        Issuer::new(Algorithm::EdDsa, "ed"),
    );
    let all = json!({ "keys": [hs.jwk, rs.jwk, es.jwk, ed.jwk, { "kty": "new" }, 7] }).to_string();
    let for_use =
        |purpose: &str| json!({ "keys": [with(&es.jwk, "use", purpose.into())] }).to_string();
    let (encrypts, signs) = (for_use("enc"), for_use("sig"));
    let p384 = std::process::Command::new("sh")
        .args([
            "-c",
            "openssl ecparam -name secp384r1 -genkey -noout | openssl ec -pubout 2>/dev/null",
        ])
        .output()
        .map(|output| String::from_utf8(output.stdout).unwrap())
        .unwrap_or_default();
    let two = format!("{}{}", es.pem, Issuer::new(Algorithm::Es256, "x").pem);
    let many = json!({ "keys": vec![es.jwk.clone(); 33] }).to_string();
    let secret = "0123456789abcdef0123456789abcdef\n";
    let (private, off_curve) =
        (es.pem.replace("PUBLIC", "PRIVATE"), with(&es.jwk, "y", es.jwk["x"].clone()));
    let off_curve = json!({ "keys": [off_curve] }).to_string();
    let short_rsa = json!({ "keys": [with(&rs.jwk, "n", base64([0xff; 128]).into())] }).to_string();
    let table: Vec<(&str, &str, Algorithm, Result<usize, &str>)> = vec![
        ("a set, HS256", &all, Algorithm::Hs256, Ok(1)),
        ("a set, RS256", &all, Algorithm::Rs256, Ok(1)),
        ("a set, ES256", &all, Algorithm::Es256, Ok(1)),
        ("a set, EdDSA", &all, Algorithm::EdDsa, Ok(1)),
        ("PEM, RS256", &rs.pem, Algorithm::Rs256, Ok(1)),
        ("PEM, ES256", &es.pem, Algorithm::Es256, Ok(1)),
        ("PEM, EdDSA", &ed.pem, Algorithm::EdDsa, Ok(1)),
        ("two PEM blocks", &two, Algorithm::Es256, Ok(2)),
        ("a secret", secret, Algorithm::Hs256, Ok(1)),
        (
            "a short secret",
            "0123456789abcdef0123456789abcde\n",
            Algorithm::Hs256,
            Err("at least 32 bytes"),
        ),
        ("a public key as secret", &rs.pem, Algorithm::Hs256, Err("must never be the secret")),
        ("a private key", &private, Algorithm::Es256, Err("private")),
        ("a private key as secret", &private, Algorithm::Hs256, Err("private")),
        ("PEM of another kind", &rs.pem, Algorithm::Es256, Err("no key for ES256")),
        (
            "PEM of another curve",
            &p384,
            Algorithm::Es256,
            Err(if p384.is_empty() { "neither" } else { "no key for ES256" }),
        ),
        ("a set for encrypting", &encrypts, Algorithm::Es256, Err("no key for ES256")),
        ("a set for signing", &signs, Algorithm::Es256, Ok(1)),
        ("a point off the curve", &off_curve, Algorithm::Es256, Err("no key for ES256")),
        ("a short RSA key", &short_rsa, Algorithm::Rs256, Err("no key for RS256")),
        ("too many keys", &many, Algorithm::Es256, Err("more than 32")),
        ("words", "hello", Algorithm::EdDsa, Err("neither PEM nor a JWKS")),
        ("an error page", "<html>503</html>", Algorithm::EdDsa, Err("neither PEM nor a JWKS")),
    ];
    for (name, text, algorithm, expected) in table {
        let taken = Sessions::new(pins(algorithm)).take(text.as_bytes());
        match (taken, expected) {
            (Ok(count), Ok(wanted)) => assert_eq!(count, wanted, "{name}"),
            (Err(error), Err(words)) => {
                assert!(error.to_string().contains(words), "{name}: {error}");
            }
            (taken, _) => panic!("{name}: {taken:?}"),
        }
    }
    // A key without an id serves any token signed by it; the token's own key id does not matter.
    let sessions = Sessions::new(pins(Algorithm::Es256));
    sessions.take(es.pem.as_bytes()).unwrap();
    assert!(sessions.verify(&es.token("u-1"), SystemTime::now()).is_ok());
    let hash = sha256(SERVER_KEY);
    let server_keys = [
        (format!("a {hash}\n\n# comment\nb {hash}\r\n"), Ok(2)),
        (String::new(), Ok(0)),
        (hash.clone(), Err("line 1")),
        (format!("a {hash}\na {}", &hash[1..]), Err("line 2")),
        (format!("a {}", sha256("")), Err("no key at all")),
        (format!("a {hash}\n").repeat(257), Err("more than 256")),
    ];
    for (text, expected) in server_keys {
        match (ServerKeys::default().take(text.as_bytes()), expected) {
            (Ok(count), Ok(wanted)) => assert_eq!(count, wanted, "{text}"),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (taken, _) => panic!("{text}: {taken:?}"),
        }
    }
}

#[tokio::test]
async fn keys_are_rotated_while_serving() {
    let (old, new) = (Issuer::new(Algorithm::Es256, "old"), Issuer::new(Algorithm::Es256, "new"));
    let guarded =
        ProtectedEndpoint::start(&old.jwks(), Algorithm::Es256, AnonymousAccess::Allow).await;
    let ask = async |token: &str| {
        let bearer = format!("Bearer {token}");
        guarded
            .ask("GET /v1/strategy/a", &[("authorization", bearer.as_bytes())], json!({}))
            .await
            .status()
            .as_u16()
    };
    let (old_token, new_token) = (old.token("u-1"), new.token("u-1"));
    assert_eq!((ask(&old_token).await, ask(&new_token).await), (200, 401));
    std::fs::write(guarded.home.path().join("keys"), new.jwks()).unwrap();
    wait_until("the new key", async || ask(&new_token).await == 200).await;
    assert_eq!(ask(&old_token).await, 401, "remembered, and yet refused with its key");

    std::fs::write(guarded.home.path().join("servers"), "").unwrap();
    let server: &[(&str, &[u8])] = &[("x-api-key", SERVER_KEY.as_bytes())];
    wait_until("the server key's end", async || {
        guarded.ask("POST /v1/strategy/a", server, json!({})).await.status() == 401
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_key_source_changes_nothing() {
    let issuer = Issuer::new(Algorithm::EdDsa, "our-key");
    let home = TempDir::new().unwrap();
    let path = home.path().join("keys.json");
    let sessions = Arc::new(Sessions::new(pins(Algorithm::EdDsa)));
    let (sender, reports) = mpsc::channel();
    let _fresh =
        KeyRefresher::sessions(sessions.clone(), &Source::File(path.clone()), move |report| {
            let _ = sender.send(report.outcome);
        })
        .await;
    let next = async || {
        let mut outcome = None;
        wait_until("a report", async || {
            outcome = reports.try_recv().ok();
            outcome.is_some()
        })
        .await;
        outcome.unwrap()
    };
    let good = || sessions.verify(&issuer.token("u-1"), SystemTime::now()).is_ok();
    assert!(matches!(next().await, Outcome::Kept { keys: 0, .. }), "not there yet");
    assert!(!good());
    std::fs::write(&path, issuer.jwks()).unwrap();
    assert_eq!(next().await, Outcome::Believed(1));
    assert!(good());
    std::fs::write(&path, "rubbish").unwrap();
    assert!(matches!(next().await, Outcome::Kept { keys: 1, .. }));
    assert!(good(), "the last good keys stay");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(next().await, Outcome::Kept { keys: 1, .. }));
    assert!(good());
    std::fs::write(&path, issuer.jwks()).unwrap();
    assert_eq!(next().await, Outcome::Believed(1), "fixed, and reported");
}

/// An issuer that is away at the start, comes up, and goes away again.
#[tokio::test]
async fn keys_are_fetched_from_an_issuer_that_comes_and_goes() {
    let issuer = Issuer::new(Algorithm::Rs256, "our-key");
    let sessions = Arc::new(Sessions::new(pins(Algorithm::Rs256)));
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let source = Source::parse(&format!("http://{address}/jwks.json?key=sentinel")).unwrap();
    assert!(!source.to_string().contains("sentinel"));
    let (sender, reports) = mpsc::channel();
    let _fresh = KeyRefresher::sessions(sessions.clone(), &source, move |report| {
        let _ = sender.send(format!("{report:?}"));
    })
    .await;
    let first = reports.recv_timeout(PATIENCE).unwrap();
    assert!(first.contains("Kept") && !first.contains("sentinel"), "{first}");
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let jwks = issuer.jwks();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                jwks.len()
            );
            let _ = stream.write_all(format!("{head}{jwks}").as_bytes()).await;
        }
    });
    wait_until("the issuer's keys", async || {
        sessions.verify(&issuer.token("u-1"), SystemTime::now()).is_ok()
    })
    .await;

    for (text, good) in [
        ("https://issuer.example.com/jwks", true),
        ("http://localhost:54321/jwks", true),
        ("./keys.pem", true),
        ("http://issuer.example.com/jwks", false),
        ("http://127.0.0.1.evil.example.com/jwks", false),
        ("https://user:password@issuer.example.com/jwks", false),
        ("https://", false),
    ] {
        assert_eq!(Source::parse(text).is_ok(), good, "{text}");
    }
}
