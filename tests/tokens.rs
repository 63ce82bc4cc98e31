//! Session tokens and server keys: what is forged is refused, always the same way; what is good opens exactly what it proves.

mod support;

use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{digest, hmac};
use serde_json::{Value as Json, json};
use support::issuer::{AUDIENCE, ISSUER, Issuer, base64, claims, now, pins};
use support::{PATIENCE, Service, flag, wait_until};
use tempfile::TempDir;
use turnout::config::{Access, SessionKeys};
use turnout::token::{Algorithm, Fresh, Outcome, ServerKeys, Sessions, Source, Unverified};

const SERVER_KEY: &str = "3b1f8a7c55d6c1b8a7f0e2d4c6b8a09183746352413f2e1d0c9b8a7968574635";
const ROUTES: [&str; 5] = [
    "GET /v1/strategy/a",
    "POST /v1/strategy/a",
    "POST /v1/strategy",
    "POST /ofrep/v1/evaluate/flags/a",
    "POST /ofrep/v1/evaluate/flags",
];

/// A service that believes one issuer and one server, and opens `realtime-v2` for verified addresses of the segment `internal`.
struct Guarded {
    service: Service,
    home: TempDir,
}

impl Guarded {
    async fn start(keys: &str, algorithm: Algorithm, unverified: Unverified) -> Guarded {
        let home = TempDir::new().unwrap();
        std::fs::write(home.path().join("keys"), keys).unwrap();
        std::fs::write(home.path().join("servers"), format!("# one server\nshop {}\n", sha256(SERVER_KEY))).unwrap();
        let access = Access {
            session_keys: Some(SessionKeys { source: Source::File(home.path().join("keys")), pins: pins(algorithm) }),
            server_keys: Some(Source::File(home.path().join("servers"))),
            unverified,
            ..Access::default()
        };
        let internal = "version: 1\nsegment: internal\nemails: [ops@example.com]\n";
        let a = flag(
            "a",
            "attributes: { plan: text }\ndeny: [{ emails: [out@example.com], strategy: disabled }]\n\
             allow: [{ segment: internal, strategy: realtime-v2 }, { users: [u-sub], strategy: realtime-v2 }]\n\
             rules: [{ name: paid, when: { plan: paid }, strategy: realtime-v2 }]",
        );
        let service = Service::start_guarded(&[("a.yaml", &a), ("segments/internal.yaml", internal)], access).await;
        Guarded { service, home }
    }

    async fn ask(&self, route: &str, headers: &[(&str, &[u8])], body: Json) -> reqwest::Response {
        let (method, path) = route.split_once(' ').unwrap();
        let mut request = self.service.client.request(method.parse().unwrap(), self.service.url(path));
        if method == "POST" {
            let body = if path.starts_with("/ofrep") { in_ofrep(body) } else { body };
            request = request.body(body.to_string());
        }
        for (name, value) in headers {
            let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
            request = request.header(*name, value);
        }
        request.send().await.unwrap()
    }

    async fn strategy(&self, credential: Option<(&str, &str)>, body: Json) -> String {
        let headers: Vec<(&str, &[u8])> = credential.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let answer = self.ask("POST /v1/strategy/a", &headers, body.clone()).await;
        let strategy = answer.json::<Json>().await.unwrap()["strategy"].as_str().unwrap_or("none").to_owned();
        // One evaluator: the other routes say the same.
        let ofrep = self.ask("POST /ofrep/v1/evaluate/flags", &headers, body.clone()).await.json::<Json>().await.unwrap();
        assert_eq!(ofrep["flags"][0]["value"].as_str().unwrap_or("none"), strategy, "{body}");
        let all = self.ask("POST /v1/strategy", &headers, body).await.json::<Json>().await.unwrap();
        assert_eq!(all["flags"][0]["strategy"].as_str().unwrap_or("none"), strategy);
        strategy
    }
}

/// The same question in OFREP's shape.
fn in_ofrep(body: Json) -> Json {
    let mut context = body["attributes"].as_object().cloned().unwrap_or_default();
    if let Some(key) = body.get("targetingKey") {
        context.insert("targetingKey".to_owned(), key.clone());
    }
    json!({ "context": context })
}

fn sha256(text: &str) -> String {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name and the request's headers.
type Forgery = (String, Vec<(&'static str, Vec<u8>)>);

/// Everything that must be refused. `theirs` is a key of the same kind that nobody here believes.
fn forgeries(ours: &Issuer, theirs: &Issuer) -> Vec<Forgery> {
    let (algorithm, good) = (ours.algorithm.as_str(), ours.token("u-sub"));
    let parts: Vec<&str> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let mut table: Vec<Forgery> = Vec::new();
    let mut raw = |name: &str, value: Vec<u8>| table.push((name.to_owned(), vec![("authorization", value)]));
    let mut bearer = |name: &str, token: String| raw(name, format!("Bearer {token}").into_bytes());

    // Unsigned, or signed as the token wishes.
    for none in ["none", "None", "NONE", "nOnE", "", " "] {
        let head = base64(json!({ "alg": none, "typ": "JWT", "kid": ours.key_id }).to_string());
        bearer(&format!("alg {none:?} without signature"), format!("{head}.{payload}."));
        bearer(&format!("alg {none:?} with the old signature"), format!("{head}.{payload}.{signature}"));
    }
    bearer("no signature", format!("{header}.{payload}."));
    for (index, form) in ours.public_forms.iter().enumerate() {
        let head = base64(json!({ "alg": "HS256", "typ": "JWT", "kid": ours.key_id }).to_string());
        let message = format!("{head}.{payload}");
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, form), message.as_bytes());
        bearer(&format!("HS256 with the public key as secret, form {index}"), format!("{message}.{}", base64(mac)));
        // And without owning up to it.
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, form), format!("{header}.{payload}").as_bytes());
        bearer(&format!("a MAC in place of the signature, form {index}"), format!("{header}.{payload}.{}", base64(mac)));
    }
    let siblings = match ours.algorithm {
        Algorithm::Hs256 => ["HS384", "HS512", "hs256"],
        Algorithm::Rs256 => ["RS384", "RS512", "PS256"],
        Algorithm::Es256 => ["ES384", "ES256K", "es256"],
        Algorithm::EdDsa => ["Ed448", "eddsa", "Ed25519"],
    };
    for sibling in siblings {
        let head = base64(json!({ "alg": sibling, "kid": ours.key_id }).to_string());
        let message = format!("{head}.{payload}");
        let signed = base64(ours.sibling(sibling, message.as_bytes()));
        bearer(&format!("signed as {sibling}"), format!("{message}.{signed}"));
        bearer(&format!("a {sibling} signature called {algorithm}"), {
            let signed = base64(ours.sibling(sibling, format!("{header}.{payload}").as_bytes()));
            // Where the family has no other way, a signature over other bytes.
            let changed = base64(claims("u-else").to_string());
            if matches!(ours.algorithm, Algorithm::Es256 | Algorithm::EdDsa) || sibling == "hs256" {
                format!("{header}.{changed}.{signed}")
            } else {
                format!("{header}.{payload}.{signed}")
            }
        });
    }
    for odd in
        [json!(null), json!(1), json!(true), json!([algorithm]), json!({ "alg": algorithm }), json!(" "), json!("HS256 ")]
    {
        bearer(&format!("alg is {odd}"), ours.sign(&with(&ours.header(), "alg", odd.clone()), &claims("u-sub")));
    }
    bearer("alg is missing", ours.sign(&without(&ours.header(), "alg"), &claims("u-sub")));

    // Signed by a stranger who says which key to take.
    bearer("a stranger's key under our id", {
        theirs.sign(&with(&ours.header(), "kid", ours.key_id.into()), &claims("u-sub"))
    });
    for id in [
        "unknown",
        "",
        "../../../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "' OR '1'='1",
        "x' UNION SELECT 'secret'--",
        "key|cat /etc/passwd",
        "https://evil.example.com/key",
        "our-key\u{0}",
        "OUR-KEY",
        // One that is believed, and did not sign.
        "our-other-key",
    ] {
        bearer(
            &format!("kid {id:?}, a stranger's key"),
            theirs.sign(&with(&theirs.header(), "kid", id.into()), &claims("u-sub")),
        );
        bearer(&format!("kid {id:?}, our key"), ours.sign(&with(&ours.header(), "kid", id.into()), &claims("u-sub")));
    }
    bearer("kid is missing", ours.sign(&without(&ours.header(), "kid"), &claims("u-sub")));
    bearer("kid is a number", ours.sign(&with(&ours.header(), "kid", 0.into()), &claims("u-sub")));
    bearer("kid is a list", ours.sign(&with(&ours.header(), "kid", json!([ours.key_id])), &claims("u-sub")));
    bearer("kid is long", ours.sign(&with(&ours.header(), "kid", "k".repeat(257).into()), &claims("u-sub")));
    for (name, value) in [
        ("jwk", theirs.jwk.clone()),
        ("jku", "https://evil.example.com/jwks.json".into()),
        ("x5u", "https://evil.example.com/cert.pem".into()),
        ("x5c", json!([base64(theirs.public_forms[2].clone())])),
        ("x5t", base64("thumb").into()),
    ] {
        bearer(&format!("brings its own {name}"), theirs.sign(&with(&ours.header(), name, value.clone()), &claims("u-sub")));
    }

    // Headers that ask for what is not done here.
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("cty", json!("JWT")),
        ("zip", json!("DEF")),
        ("enc", json!("A128GCM")),
        ("typ", json!("logout+jwt")),
        ("typ", json!("dpop+jwt")),
        ("typ", json!("secevent+jwt")),
        ("typ", json!("JWE")),
        ("typ", json!("")),
        ("typ", json!(["JWT"])),
    ] {
        bearer(&format!("{name} is {value}"), ours.sign(&with(&ours.header(), name, value.clone()), &claims("u-sub")));
    }

    // Claims that are missing, of another type, out of range, or another's.
    for name in ["exp", "aud", "iss", "sub"] {
        bearer(&format!("{name} is missing"), ours.sign(&ours.header(), &without(&claims("u-sub"), name)));
    }
    let hour = 3600;
    let table_of_claims = [
        ("exp", json!(null)),
        ("exp", json!((now() + hour).to_string())),
        ("exp", json!(true)),
        ("exp", json!([now() + hour])),
        ("exp", json!({ "seconds": now() + hour })),
        ("exp", json!(-1)),
        ("exp", json!(0)),
        ("exp", json!(now() - hour)),
        ("exp", json!(now() - 60)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(i64::MIN)),
        ("exp", json!(1e300)),
        ("exp", json!((now() + hour) * 1000)),
        ("nbf", json!(now() + hour)),
        ("nbf", json!(now() + 60)),
        ("nbf", json!(null)),
        ("nbf", json!((now() - hour).to_string())),
        ("nbf", json!([0])),
        ("nbf", json!(-1)),
        ("nbf", json!(1e300)),
        ("iat", json!("yesterday")),
        ("iat", json!(null)),
        ("iat", json!(-5)),
        ("iat", json!(1e300)),
        ("iat", json!(now() + 2 * hour)),
        ("aud", json!("another-service")),
        ("aud", json!("")),
        ("aud", json!(null)),
        ("aud", json!(7)),
        ("aud", json!([])),
        ("aud", json!(["another-service", "a-third"])),
        ("aud", json!([[AUDIENCE]])),
        ("aud", json!([AUDIENCE, 7])),
        ("aud", json!({ "aud": AUDIENCE })),
        ("aud", json!("Turnout")),
        ("aud", json!("turnout ")),
        ("aud", json!("turnout,other")),
        ("iss", json!("https://evil.example.com/")),
        ("iss", json!("https://issuer.example.com")),
        ("iss", json!("HTTPS://issuer.example.com/")),
        ("iss", json!(null)),
        ("iss", json!("")),
        ("iss", json!([ISSUER])),
        ("iss", json!({ "iss": ISSUER })),
        ("sub", json!("")),
        ("sub", json!(null)),
        ("sub", json!(4711)),
        ("sub", json!(["u-sub"])),
        ("sub", json!({ "id": "u-sub" })),
        ("sub", json!("u".repeat(257))),
    ];
    for (name, value) in table_of_claims {
        let shown = value.to_string();
        let forged = ours.sign(&ours.header(), &with(&claims("u-sub"), name, value));
        bearer(&format!("{name} is {}", &shown[..shown.len().min(40)]), forged);
    }
    let text = claims("u-sub").to_string();
    let inside = text.trim_matches(['{', '}']);
    let later = now() + hour;
    for (name, json) in [
        ("sub twice", format!(r#"{{"sub":"u-else",{inside}}}"#)),
        ("sub twice, escaped", format!(r#"{{"\u0073ub":"u-else",{inside}}}"#)),
        ("exp twice", format!(r#"{{"exp":1,{inside}}}"#)),
        ("exp twice, the good one first", format!(r#"{{{inside},"exp":{later}}}"#)),
        ("claims are a list", format!("[{text}]")),
        ("claims are a string", json!(text).to_string()),
        ("claims are null", "null".to_owned()),
        ("claims are nothing", String::new()),
        ("claims are cut", text[..text.len() - 1].to_owned()),
        ("claims and more", format!("{text}{text}")),
        ("exp is 1e999", text.replace(&format!("\"exp\":{}", claims_expire(&text)), "\"exp\":1e999")),
        ("claims are deep", format!(r#"{{"deep":{}{},{inside}}}"#, "[".repeat(400), "]".repeat(400))),
        ("too many claims", format!("{{{},{inside}}}", (0..300).map(|i| format!("\"c{i}\":0")).collect::<Vec<_>>().join(","))),
    ] {
        bearer(name, ours.sign_text(ours.header().to_string(), json));
    }
    bearer("claims are not UTF-8", ours.sign_text(ours.header().to_string(), b"{\"sub\":\"\xff\"}"));
    bearer("alg twice", {
        let head = format!(r#"{{"alg":"none","alg":"{algorithm}","kid":"{}"}}"#, ours.key_id);
        ours.sign_text(head, text.clone())
    });
    bearer("kid twice", {
        let head = format!(r#"{{"kid":"x","alg":"{algorithm}","kid":"{}"}}"#, ours.key_id);
        ours.sign_text(head, text.clone())
    });
    bearer("the header is a list", ours.sign_text(format!("[{}]", ours.header()), text.clone()));

    // Parts: changed, cut, swapped, padded, multiplied.
    let other_claims = base64(claims("u-else").to_string());
    bearer("another's claims under our signature", format!("{header}.{other_claims}.{signature}"));
    bearer("the header changed under our signature", {
        let head = base64(with(&ours.header(), "extra", 1.into()).to_string());
        format!("{head}.{payload}.{signature}")
    });
    bearer("a stranger's signature", {
        let stranger = theirs.signature(format!("{header}.{payload}").as_bytes());
        format!("{header}.{payload}.{}", base64(stranger))
    });
    let bytes = ours.signature(format!("{header}.{payload}").as_bytes());
    let mut signed = |name: &str, bytes: Vec<u8>| bearer(name, format!("{header}.{payload}.{}", base64(bytes)));
    signed("a signature of one byte", vec![0]);
    signed("a signature of zeros", vec![0; bytes.len()]);
    signed("a signature of ones", vec![0xff; bytes.len()]);
    signed("the signature cut", bytes[..bytes.len() - 1].to_vec());
    signed("half the signature", bytes[..bytes.len() / 2].to_vec());
    signed("the signature and a byte", [&bytes[..], &[0]].concat());
    signed("a byte and the signature", [&[0], &bytes[..]].concat());
    signed("the signature twice", [&bytes[..], &bytes[..]].concat());
    signed("one bit of the signature turned", {
        let mut turned = bytes.clone();
        turned[bytes.len() / 2] ^= 1;
        turned
    });
    signed("the first bit of the signature turned", {
        let mut turned = bytes.clone();
        turned[0] ^= 0x80;
        turned
    });
    match ours.algorithm {
        Algorithm::Es256 => {
            let (r, s) = bytes.split_at(32);
            signed("r is zero", [&[0; 32], s].concat());
            signed("s is zero", [r, &[0; 32]].concat());
            signed("r and s are the order", [P256_ORDER, P256_ORDER].concat());
            signed("r plus the order, cut", [P256_ORDER, s].concat());
            signed("DER", der(r, s));
        }
        Algorithm::EdDsa => {
            let (r, s) = bytes.split_at(32);
            signed("S plus the order", [r, &plus(s, ED25519_ORDER)].concat());
            signed("R is the neutral point", [&[&[1][..], &[0; 31]].concat(), s].concat());
            signed("R of small order, S zero", [0; 64].to_vec());
            signed("R neutral, S zero", [&[1][..], &[0; 63]].concat());
        }
        Algorithm::Rs256 => {
            signed("a forged padding", [&[0, 1], &vec![0xff; bytes.len() - 55][..], &[0; 53]].concat());
            signed("the number one", [&vec![0; bytes.len() - 1][..], &[1]].concat());
        }
        Algorithm::Hs256 => {
            signed("a MAC without a key", {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b""), format!("{header}.{payload}").as_bytes()).as_ref().to_vec()
            });
        }
    }
    for (name, token) in [
        ("two parts", format!("{header}.{payload}")),
        ("one part", header.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("five parts, as an encrypted token has", format!("{good}.{signature}.{signature}")),
        ("a dot behind", format!("{good}.")),
        ("a dot before", format!(".{good}")),
        ("only dots", "..".to_owned()),
        ("an empty header", format!(".{payload}.{signature}")),
        ("empty claims", format!("{header}..{signature}")),
        ("header and claims swapped", format!("{payload}.{header}.{signature}")),
        ("padding behind the header", format!("{header}=.{payload}.{signature}")),
        ("padding behind the claims", format!("{header}.{payload}==.{signature}")),
        ("padding behind the signature", format!("{header}.{payload}.{signature}==")),
        ("standard base64", format!("{header}.{payload}.{}", signature.replace('-', "+").replace('_', "/") + "+/")),
        ("no base64", format!("{header}.{payload}.!!!!")),
        ("no base64 in the header", format!("$$$$.{payload}.{signature}")),
        ("percent signs", good.replace('.', "%2E")),
        ("a signed token with padding", ours.sign_parts(&format!("{header}="), payload)),
        ("huge", format!("{header}.{}.{signature}", "A".repeat(100_000))),
        ("huge and signed", ours.sign(&ours.header(), &with(&claims("u-sub"), "much", "x".repeat(8 * 1024).into()))),
        ("quoted", format!("\"{good}\"")),
        ("a cookie's name before it", format!("token={good}")),
        ("a good one and another", format!("{good},{good}")),
        ("a good one and a blank", format!("{good} {good}")),
        ("a blank before it", format!(" {good}")),
        ("a tab before it", format!("\t{good}")),
        ("nothing", String::new()),
        ("null", "null".to_owned()),
        ("undefined", "undefined".to_owned()),
        ("the server key, cut", SERVER_KEY[..63].to_owned()),
        ("the server key in capitals", SERVER_KEY.to_uppercase()),
        ("the server key's hash", sha256(SERVER_KEY)),
    ] {
        bearer(name, token);
    }
    for (name, value) in [
        ("no scheme", good.clone()),
        ("Basic", format!("Basic {good}")),
        ("Token", format!("Token {good}")),
        ("a colon", format!("Bearer: {good}")),
        ("Bearer alone", "Bearer".to_owned()),
        ("Bearer Bearer", format!("Bearer Bearer {good}")),
        ("no blank", format!("Bearer{good}")),
        ("a tab", format!("Bearer\t{good}")),
        ("a lower-case scheme with a forged token", format!("bearer {header}.{other_claims}.{signature}")),
        ("an empty header", String::new()),
    ] {
        raw(name, value.into_bytes());
    }
    raw("not ASCII", [b"Bearer ", good.as_bytes(), b"\xff"].concat());
    let header_value = |value: &str| value.as_bytes().to_vec();
    let good_bearer = format!("Bearer {good}");
    for (name, headers) in [
        ("twice", vec![("authorization", header_value(&good_bearer)), ("authorization", header_value(&good_bearer))]),
        ("none, then a good one", vec![("authorization", header_value("")), ("authorization", header_value(&good_bearer))]),
        (
            "a token and a wrong server key",
            vec![("authorization", header_value(&good_bearer)), ("x-api-key", header_value("no"))],
        ),
        (
            "a token and a server key",
            vec![("authorization", header_value(&good_bearer)), ("x-api-key", header_value(SERVER_KEY))],
        ),
        ("a token as a server key", vec![("x-api-key", header_value(&good))]),
        ("an empty server key", vec![("x-api-key", Vec::new())]),
        ("two server keys", vec![("x-api-key", header_value(SERVER_KEY)), ("x-api-key", header_value(SERVER_KEY))]),
        ("a long server key", vec![("x-api-key", vec![b'k'; 4096])]),
    ] {
        table.push((name.to_owned(), headers));
    }
    table
}

/// Runs every forgery against every route: the same status, the same body, whatever was wrong.
async fn check(algorithm: Algorithm) {
    let (ours, theirs) = (Issuer::new(algorithm, "our-key"), Issuer::new(algorithm, "their-key"));
    let both = json!({ "keys": [ours.jwk, Issuer::new(algorithm, "our-other-key").jwk] });
    let guarded = Guarded::start(&both.to_string(), algorithm, Unverified::Allow).await;
    let body = json!({ "targetingKey": "u-sub" });
    let table = forgeries(&ours, &theirs);
    assert!(table.len() >= 80, "{} forgeries", table.len());
    for route in ROUTES {
        let mut refusal: Option<String> = None;
        for (name, headers) in &table {
            let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
            let answer = guarded.ask(route, &headers, body.clone()).await;
            assert_eq!(answer.status(), 401, "{} accepts a forgery at {route}: {name}", algorithm.as_str());
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            let text = answer.text().await.unwrap();
            assert_eq!(refusal.get_or_insert_with(|| text.clone()), &text, "{route}: {name} is told apart");
        }
        let refusal: Json = serde_json::from_str(&refusal.unwrap()).unwrap();
        match route.contains("ofrep") {
            true => assert_eq!(refusal["errorCode"], "GENERAL"),
            false => assert_eq!(refusal["code"], "unauthenticated"),
        }
        // After all this, a good one is still good.
        let good = format!("Bearer {}", ours.token("u-sub"));
        let answer = guarded.ask(route, &[("authorization", good.as_bytes())], body.clone()).await;
        assert_eq!(answer.status(), 200, "{route} refuses a good token");
        assert!(answer.text().await.unwrap().contains("realtime-v2"), "{route}");
    }
    for (name, header, claims) in good_ones(&ours) {
        let token = format!("bEaReR {}", ours.sign(&header, &claims));
        let answer = guarded.ask("GET /v1/strategy/a", &[("authorization", token.as_bytes())], json!({})).await;
        assert_eq!(answer.status(), 200, "{} refuses a good token: {name}", algorithm.as_str());
    }
}

/// Unusual, and yet right.
fn good_ones(ours: &Issuer) -> Vec<(&'static str, Json, Json)> {
    let (header, claims) = (ours.header(), claims("u-sub"));
    let exp = claims["exp"].as_i64().unwrap() as f64 + 0.5;
    vec![
        ("as it should be", header.clone(), claims.clone()),
        ("no typ", without(&header, "typ"), claims.clone()),
        ("typ at+jwt", with(&header, "typ", "at+jwt".into()), claims.clone()),
        ("typ in lower case", with(&header, "typ", "jwt".into()), claims.clone()),
        ("a header nobody knows", with(&header, "hint", 1.into()), claims.clone()),
        ("several audiences", header.clone(), with(&claims, "aud", json!(["other", AUDIENCE]))),
        ("no iat", header.clone(), without(&claims, "iat")),
        ("nbf in the past", header.clone(), with(&claims, "nbf", json!(now() - 60))),
        ("exp with a fraction", header.clone(), with(&claims, "exp", json!(exp))),
        ("the longest sub", header.clone(), with(&claims, "sub", "u".repeat(256).into())),
        ("claims of every type", header, with(&claims, "app_metadata", json!({ "roles": ["a"], "deep": [[1]] }))),
    ]
}

fn with(object: &Json, name: &str, value: Json) -> Json {
    let mut object = object.clone();
    object[name] = value;
    object
}

fn without(object: &Json, name: &str) -> Json {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(name);
    object
}

fn claims_expire(text: &str) -> i64 {
    serde_json::from_str::<Json>(text).unwrap()["exp"].as_i64().unwrap()
}

/// The order of P-256, and of edwards25519 (little endian).
const P256_ORDER: &[u8] = &[
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
    0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
const ED25519_ORDER: &[u8] = &[
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0x10,
];

fn plus(number: &[u8], other: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let add = |(a, b): (&u8, &u8)| {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        carry = sum >> 8;
        sum as u8
    };
    number.iter().zip(other).map(add).collect()
}

fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| [&[2, 33, 0], number].concat();
    let inside = [integer(r), integer(s)].concat();
    [&[0x30, inside.len() as u8], &inside[..]].concat()
}

#[tokio::test]
async fn forged_hs256_tokens_are_refused() {
    check(Algorithm::Hs256).await;
}

#[tokio::test]
async fn forged_rs256_tokens_are_refused() {
    check(Algorithm::Rs256).await;
}

#[tokio::test]
async fn forged_es256_tokens_are_refused() {
    check(Algorithm::Es256).await;
}

#[tokio::test]
async fn forged_eddsa_tokens_are_refused() {
    check(Algorithm::EdDsa).await;
}

#[tokio::test]
async fn only_a_proved_address_opens() {
    let issuer = Issuer::new(Algorithm::Es256, "our-key");
    let guarded = Guarded::start(&issuer.jwks(), Algorithm::Es256, Unverified::Allow).await;
    let bearer = |more: Json| {
        let mut claims = claims("u-1");
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("Bearer {}", issuer.sign(&issuer.header(), &claims))
    };
    let (ops, out) = ("Ops@Example.com", "out@example.com");
    let says = |email: &str| json!({ "targetingKey": "u-1", "attributes": { "email": email } });
    let claim = |email: &str| Some(bearer(json!({ "email": email })));
    let server_bearer = Some(format!("Bearer {SERVER_KEY}"));
    // (who, credential, body, strategy)
    let table: Vec<(&str, Option<String>, Json, &str)> = vec![
        ("plain", None, says(ops), "polling"),
        ("plain, calling itself verified", None, json!({ "attributes": { "email": ops, "email_verified": true } }), "polling"),
        ("plain, denied by an unproved address", None, says(out), "disabled"),
        ("a claim", claim(ops), json!({}), "realtime-v2"),
        ("a claim, and its own key in the body", claim(ops), json!({ "targetingKey": "u-1" }), "realtime-v2"),
        ("a claim, and another address in the body", claim(ops), says("x@example.com"), "realtime-v2"),
        ("a claim, and a denied address in the body", claim(ops), says(out), "realtime-v2"),
        ("a token, the address in the body only", Some(bearer(json!({}))), says(ops), "polling"),
        (
            "a token, the body vouching for its own address",
            Some(bearer(json!({}))),
            json!({ "attributes": { "email": ops, "email_verified": true } }),
            "polling",
        ),
        (
            "a token vouching for an address it does not have",
            Some(bearer(json!({ "email_verified": true }))),
            says(ops),
            "polling",
        ),
        ("a token, a denied address in the body only", Some(bearer(json!({}))), says(out), "disabled"),
        ("an unproved claim", Some(bearer(json!({ "email": ops, "email_verified": false }))), json!({}), "polling"),
        (
            "an unproved claim, the body vouching",
            Some(bearer(json!({ "email": ops, "email_verified": false }))),
            json!({ "attributes": { "email_verified": true } }),
            "polling",
        ),
        ("a claim, the body denying it", claim(ops), json!({ "attributes": { "email_verified": false } }), "realtime-v2"),
        ("an empty claim hides the body's", Some(bearer(json!({ "email": null }))), says(out), "polling"),
        ("a claim of a rule", Some(bearer(json!({ "plan": "paid" }))), json!({}), "realtime-v2"),
        (
            "a claim wins over the body",
            Some(bearer(json!({ "plan": "free" }))),
            json!({ "attributes": { "plan": "paid" } }),
            "polling",
        ),
        ("the body beside a token", Some(bearer(json!({}))), json!({ "attributes": { "plan": "paid" } }), "realtime-v2"),
        ("a server", server_bearer.clone(), says(ops), "realtime-v2"),
        (
            "a server that has not proved it",
            server_bearer,
            json!({ "attributes": { "email": ops, "email_verified": false } }),
            "polling",
        ),
    ];
    for (who, credential, body, strategy) in table {
        let credential = credential.as_deref().map(|value| ("authorization", value));
        assert_eq!(guarded.strategy(credential, body).await, strategy, "{who}");
    }
    assert_eq!(guarded.strategy(Some(("x-api-key", SERVER_KEY)), says(ops)).await, "realtime-v2");

    let good = claim(ops).unwrap();
    for route in ROUTES.into_iter().filter(|route| route.starts_with("POST")) {
        let answer = guarded.ask(route, &[("authorization", good.as_bytes())], json!({ "targetingKey": "u-2" })).await;
        assert_eq!(answer.status(), 403, "{route}: a token speaks for its own subject only");
        let answer: Json = answer.json().await.unwrap();
        assert!(answer["code"] == "wrong-subject" || answer["errorCode"] == "GENERAL", "{answer}");
        assert!(!answer.to_string().contains("u-1") && !answer.to_string().contains("u-2"));
    }
}

#[tokio::test]
async fn get_answers_for_the_tokens_user() {
    let issuer = Issuer::new(Algorithm::EdDsa, "our-key");
    let guarded = Guarded::start(&issuer.jwks(), Algorithm::EdDsa, Unverified::Allow).await;
    let bearer = format!("Bearer {}", issuer.token("u-sub"));
    let authorised: (&str, &[u8]) = ("authorization", bearer.as_bytes());
    let first = guarded.ask("GET /v1/strategy/a", &[authorised], json!({})).await;
    assert_eq!((first.status().as_u16(), &first.headers()["vary"]), (200, &"authorization, x-api-key".parse().unwrap()));
    let tag = first.headers()["etag"].as_bytes().to_vec();
    let again = guarded.ask("GET /v1/strategy/a", &[authorised, ("if-none-match", &tag)], json!({})).await;
    assert_eq!((again.status().as_u16(), &again.headers()["vary"]), (304, &"authorization, x-api-key".parse().unwrap()));
    let posted = guarded.ask("POST /v1/strategy/a", &[authorised, ("if-none-match", &tag)], json!({})).await;
    assert_eq!(posted.status(), 304, "the same document");
    for (route, headers, status, code) in [
        ("GET /v1/strategy/a", vec![], 401, "unauthenticated"),
        ("GET /v1/strategy/a", vec![("x-api-key", SERVER_KEY.as_bytes())], 400, "invalid-context"),
        ("GET /v1/strategy/nothing", vec![authorised], 404, "flag-not-found"),
    ] {
        let answer = guarded.ask(route, &headers, json!({})).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["vary"]),
            (status, &"authorization, x-api-key".parse().unwrap())
        );
        assert_eq!(answer.json::<Json>().await.unwrap()["code"], code);
    }
}

#[tokio::test]
async fn strangers_may_be_kept_out() {
    let issuer = Issuer::new(Algorithm::EdDsa, "our-key");
    let guarded = Guarded::start(&issuer.jwks(), Algorithm::EdDsa, Unverified::Deny).await;
    for route in ROUTES {
        assert_eq!(guarded.ask(route, &[], json!({ "targetingKey": "u-1" })).await.status(), 401, "{route}");
        let bearer = format!("Bearer {}", issuer.token("u-1"));
        assert_eq!(guarded.ask(route, &[("authorization", bearer.as_bytes())], json!({})).await.status(), 200, "{route}");
    }
    assert_eq!(guarded.ask("GET /healthz", &[], json!({})).await.status(), 200);
    assert_eq!(guarded.ask("GET /readyz", &[], json!({})).await.status(), 200);
}

#[tokio::test]
async fn a_credential_nobody_configured_is_never_taken_for_none() {
    let service = Service::start(&[("a.yaml", &flag("a", ""))]).await;
    for (name, value) in [("authorization", "Bearer a.b.c"), ("authorization", "Bearer x"), ("x-api-key", "x")] {
        let request = service.client.post(service.url("/v1/strategy/a")).header(name, value).body("{}");
        assert_eq!(request.send().await.unwrap().status(), 401, "{name}: {value}");
    }
}

/// Time is handed in: no waiting for a token to end.
#[test]
fn a_token_lives_as_long_as_it_says() {
    let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(seconds as u64);
    for algorithm in Algorithm::ALL {
        let issuer = Issuer::new(algorithm, "our-key");
        let sessions = Sessions::new(pins(algorithm));
        let token = issuer.sign(&issuer.header(), &with(&with(&claims("u-1"), "nbf", 2_000.into()), "exp", 3_000.into()));
        assert!(sessions.verify(&token, at(2_500)).is_err(), "no keys yet");
        sessions.take(issuer.jwks().as_bytes()).unwrap();
        // `iat` is now, long after this token's end.
        assert!(sessions.verify(&token, at(2_500)).is_err());
        let claims = without(&with(&with(&claims("u-1"), "nbf", 2_000.into()), "exp", 3_000.into()), "iat");
        let token = issuer.sign(&issuer.header(), &claims);
        for (seconds, good) in [(1_994, false), (1_995, true), (2_000, true), (3_004, true), (3_005, false), (9_000, false)] {
            let fresh = Sessions::new(pins(algorithm));
            fresh.take(issuer.jwks().as_bytes()).unwrap();
            assert_eq!(fresh.verify(&token, at(seconds)).is_ok(), good, "at {seconds}");
            // A token seen before ends at the same second.
            sessions.verify(&token, at(2_000)).unwrap();
            if seconds >= 2_000 {
                assert_eq!(sessions.verify(&token, at(seconds)).is_ok(), good, "seen before, at {seconds}");
            }
        }
    }
}

#[test]
fn a_token_seen_before_is_not_checked_again() {
    let issuer = Issuer::new(Algorithm::Es256, "our-key");
    let sessions = Sessions::new(pins(Algorithm::Es256));
    sessions.take(issuer.jwks().as_bytes()).unwrap();
    let token = issuer.token("u-1");
    let first = sessions.verify(&token, SystemTime::now()).unwrap();
    assert!(Arc::ptr_eq(&first, &sessions.verify(&token, SystemTime::now()).unwrap()));
    // The same keys again: nothing is forgotten. Other keys: everything.
    sessions.take(issuer.jwks().replace("{\"keys\"", "{ \"keys\"").as_bytes()).unwrap();
    assert!(Arc::ptr_eq(&first, &sessions.verify(&token, SystemTime::now()).unwrap()));
    for bad in ["", "{}", "rubbish", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"unheard-of\"}]}"] {
        assert!(sessions.take(bad.as_bytes()).is_err(), "{bad}");
        assert!(sessions.verify(&token, SystemTime::now()).is_ok(), "the last good keys stay");
    }
    sessions.take(Issuer::new(Algorithm::Es256, "our-key").jwks().as_bytes()).unwrap();
    assert!(sessions.verify(&token, SystemTime::now()).is_err(), "a key that is rotated out takes its tokens with it");
    assert!(!format!("{sessions:?} {first:?}").contains("u-1"));
}

#[test]
fn more_tokens_than_are_remembered() {
    let issuer = Issuer::new(Algorithm::Hs256, "our-key");
    let sessions = Sessions::new(pins(Algorithm::Hs256));
    sessions.take(issuer.jwks().as_bytes()).unwrap();
    for user in 0..70_000 {
        let session = sessions.verify(&issuer.token(&format!("u-{user}")), SystemTime::now()).unwrap();
        assert_eq!(session.subject().unwrap().as_str(), format!("u-{user}"));
    }
}

#[test]
fn what_is_a_key_and_what_is_not() {
    let (hs, rs, es, ed) = (
        Issuer::new(Algorithm::Hs256, "hs"),
        Issuer::new(Algorithm::Rs256, "rs"),
        Issuer::new(Algorithm::Es256, "es"),
        Issuer::new(Algorithm::EdDsa, "ed"),
    );
    let all = json!({ "keys": [hs.jwk, rs.jwk, es.jwk, ed.jwk, { "kty": "new" }, 7] }).to_string();
    let for_use = |purpose: &str| json!({ "keys": [with(&es.jwk, "use", purpose.into())] }).to_string();
    let (encrypts, signs) = (for_use("enc"), for_use("sig"));
    let p384 = std::process::Command::new("sh")
        .args(["-c", "openssl ecparam -name secp384r1 -genkey -noout | openssl ec -pubout 2>/dev/null"])
        .output()
        .map(|output| String::from_utf8(output.stdout).unwrap())
        .unwrap_or_default();
    let two = format!("{}{}", es.pem, Issuer::new(Algorithm::Es256, "x").pem);
    let many = json!({ "keys": vec![es.jwk.clone(); 33] }).to_string();
    let secret = "0123456789abcdef0123456789abcdef\n";
    let (private, off_curve) = (es.pem.replace("PUBLIC", "PRIVATE"), with(&es.jwk, "y", es.jwk["x"].clone()));
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
        ("a short secret", "0123456789abcdef0123456789abcde\n", Algorithm::Hs256, Err("at least 32 bytes")),
        ("a public key as secret", &rs.pem, Algorithm::Hs256, Err("must never be the secret")),
        ("a private key", &private, Algorithm::Es256, Err("private")),
        ("a private key as secret", &private, Algorithm::Hs256, Err("private")),
        ("PEM of another kind", &rs.pem, Algorithm::Es256, Err("no key for ES256")),
        ("PEM of another curve", &p384, Algorithm::Es256, Err(if p384.is_empty() { "neither" } else { "no key for ES256" })),
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
            (Err(fault), Err(words)) => assert!(fault.to_string().contains(words), "{name}: {fault}"),
            (taken, _) => panic!("{name}: {taken:?}"),
        }
    }
    // Keys without an id serve any token of theirs; a token's own id does not matter.
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
            (Err(fault), Err(words)) => assert!(fault.to_string().contains(words), "{fault}"),
            (taken, _) => panic!("{text}: {taken:?}"),
        }
    }
}

#[tokio::test]
async fn keys_are_rotated_while_serving() {
    let (old, new) = (Issuer::new(Algorithm::Es256, "old"), Issuer::new(Algorithm::Es256, "new"));
    let guarded = Guarded::start(&old.jwks(), Algorithm::Es256, Unverified::Allow).await;
    let ask = async |token: &str| {
        let bearer = format!("Bearer {token}");
        guarded.ask("GET /v1/strategy/a", &[("authorization", bearer.as_bytes())], json!({})).await.status().as_u16()
    };
    let (old_token, new_token) = (old.token("u-1"), new.token("u-1"));
    assert_eq!((ask(&old_token).await, ask(&new_token).await), (200, 401));
    std::fs::write(guarded.home.path().join("keys"), new.jwks()).unwrap();
    wait_until("the new key", async || ask(&new_token).await == 200).await;
    assert_eq!(ask(&old_token).await, 401, "remembered, and yet refused with its key");

    std::fs::write(guarded.home.path().join("servers"), "").unwrap();
    let server: &[(&str, &[u8])] = &[("x-api-key", SERVER_KEY.as_bytes())];
    wait_until("the server key's end", async || guarded.ask("POST /v1/strategy/a", server, json!({})).await.status() == 401)
        .await;
}

#[tokio::test]
async fn what_cannot_be_read_changes_nothing() {
    let issuer = Issuer::new(Algorithm::EdDsa, "our-key");
    let home = TempDir::new().unwrap();
    let path = home.path().join("keys.json");
    let sessions = Arc::new(Sessions::new(pins(Algorithm::EdDsa)));
    let (tell, told) = mpsc::channel();
    let _fresh = Fresh::sessions(sessions.clone(), &Source::File(path.clone()), move |report| {
        let _ = tell.send(report.outcome);
    })
    .await;
    let next = async || {
        let mut outcome = None;
        wait_until("a report", async || {
            outcome = told.try_recv().ok();
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
    assert_eq!(next().await, Outcome::Believed(1), "mended, and said");
}

/// An issuer that is away when we start, comes, and goes again.
#[tokio::test]
async fn keys_are_fetched_and_fetched_again() {
    let issuer = Issuer::new(Algorithm::Rs256, "our-key");
    let sessions = Arc::new(Sessions::new(pins(Algorithm::Rs256)));
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let source = Source::parse(&format!("http://{address}/jwks.json?key=sentinel")).unwrap();
    assert!(!source.to_string().contains("sentinel"));
    let (tell, told) = mpsc::channel();
    let _fresh = Fresh::sessions(sessions.clone(), &source, move |report| {
        let _ = tell.send(format!("{report:?}"));
    })
    .await;
    let first = told.recv_timeout(PATIENCE).unwrap();
    assert!(first.contains("Kept") && !first.contains("sentinel"), "{first}");
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let jwks = issuer.jwks();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", jwks.len());
            let _ = stream.write_all(format!("{head}{jwks}").as_bytes()).await;
        }
    });
    wait_until("the issuer's keys", async || sessions.verify(&issuer.token("u-1"), SystemTime::now()).is_ok()).await;

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
