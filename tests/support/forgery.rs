//! Session tokens that must be refused, and unusual ones that must be accepted: one table for every
//! algorithm.

use aws_lc_rs::hmac;
use serde_json::{Value as Json, json};
use turnout::auth::Algorithm;

use super::guarded::{SERVER_KEY, sha256};
use super::issuer::{AUDIENCE, ISSUER, Issuer, base64, claims, now, with, without};

/// A name and the request's headers.
pub type Forgery = (String, Vec<(&'static str, Vec<u8>)>);

/// Everything that must be refused. `theirs` is a key of the same kind that the service does not
/// trust.
pub fn forgeries(ours: &Issuer, theirs: &Issuer) -> Vec<Forgery> {
    let (algorithm, good) = (ours.algorithm.as_str(), ours.token("u-sub"));
    let parts: Vec<&str> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let mut table: Vec<Forgery> = Vec::new();
    let mut raw =
        |name: &str, value: Vec<u8>| table.push((name.to_owned(), vec![("authorization", value)]));
    let mut bearer = |name: &str, token: String| raw(name, format!("Bearer {token}").into_bytes());

    // Unsigned, or signed as the token says.
    for none in ["none", "None", "NONE", "nOnE", "", " "] {
        let head = base64(json!({ "alg": none, "typ": "JWT", "kid": ours.key_id }).to_string());
        bearer(&format!("alg {none:?} without signature"), format!("{head}.{payload}."));
        bearer(
            &format!("alg {none:?} with the old signature"),
            format!("{head}.{payload}.{signature}"),
        );
    }
    bearer("no signature", format!("{header}.{payload}."));
    for (index, form) in ours.public_forms.iter().enumerate() {
        let head = base64(json!({ "alg": "HS256", "typ": "JWT", "kid": ours.key_id }).to_string());
        let message = format!("{head}.{payload}");
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, form), message.as_bytes());
        bearer(
            &format!("HS256 with the public key as secret, form {index}"),
            format!("{message}.{}", base64(mac)),
        );
        // And without naming that algorithm.
        let mac = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, form),
            format!("{header}.{payload}").as_bytes(),
        );
        bearer(
            &format!("a MAC in place of the signature, form {index}"),
            format!("{header}.{payload}.{}", base64(mac)),
        );
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
            // Where the family has no other algorithm, a signature over other bytes.
            let changed = base64(ours.claims("u-else").to_string());
            if matches!(ours.algorithm, Algorithm::Es256 | Algorithm::EdDsa) || sibling == "hs256" {
                format!("{header}.{changed}.{signed}")
            } else {
                format!("{header}.{payload}.{signed}")
            }
        });
    }
    for odd in [
        json!(null),
        json!(1),
        json!(true),
        json!([algorithm]),
        json!({ "alg": algorithm }),
        json!(" "),
        json!("HS256 "),
    ] {
        bearer(
            &format!("alg is {odd}"),
            ours.sign(&with(&ours.header(), "alg", odd.clone()), &ours.claims("u-sub")),
        );
    }
    bearer("alg is missing", ours.sign(&without(&ours.header(), "alg"), &ours.claims("u-sub")));

    // Signed by a stranger who names the key to use.
    bearer("a stranger's key under our id", {
        theirs.sign(&with(&ours.header(), "kid", ours.key_id.clone().into()), &ours.claims("u-sub"))
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
        // A trusted key that did not sign.
        "our-other-key",
    ] {
        bearer(
            &format!("kid {id:?}, a stranger's key"),
            theirs.sign(&with(&theirs.header(), "kid", id.into()), &ours.claims("u-sub")),
        );
        bearer(
            &format!("kid {id:?}, our key"),
            ours.sign(&with(&ours.header(), "kid", id.into()), &ours.claims("u-sub")),
        );
    }
    bearer("kid is missing", ours.sign(&without(&ours.header(), "kid"), &ours.claims("u-sub")));
    bearer(
        "kid is a number",
        ours.sign(&with(&ours.header(), "kid", 0.into()), &ours.claims("u-sub")),
    );
    bearer(
        "kid is a list",
        ours.sign(&with(&ours.header(), "kid", json!([ours.key_id])), &ours.claims("u-sub")),
    );
    bearer(
        "kid is long",
        ours.sign(&with(&ours.header(), "kid", "k".repeat(257).into()), &ours.claims("u-sub")),
    );
    for (name, value) in [
        ("jwk", theirs.jwk.clone()),
        ("jku", "https://evil.example.com/jwks.json".into()),
        ("x5u", "https://evil.example.com/cert.pem".into()),
        ("x5c", json!([base64(theirs.public_forms[2].clone())])),
        ("x5t", base64("thumb").into()),
    ] {
        bearer(
            &format!("brings its own {name}"),
            theirs.sign(&with(&ours.header(), name, value.clone()), &ours.claims("u-sub")),
        );
    }

    // Headers that ask for something unsupported.
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
        bearer(
            &format!("{name} is {value}"),
            ours.sign(&with(&ours.header(), name, value.clone()), &ours.claims("u-sub")),
        );
    }

    // Claims that are missing, of another type, out of range, or of another service.
    for name in ["exp", "aud", "iss", "sub"] {
        bearer(
            &format!("{name} is missing"),
            ours.sign(&ours.header(), &without(&ours.claims("u-sub"), name)),
        );
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
        let forged = ours.sign(&ours.header(), &with(&ours.claims("u-sub"), name, value));
        bearer(&format!("{name} is {}", &shown[..shown.len().min(40)]), forged);
    }
    let text = ours.claims("u-sub").to_string();
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
        (
            "exp is 1e999",
            text.replace(&format!("\"exp\":{}", claims_expire(&text)), "\"exp\":1e999"),
        ),
        (
            "claims are deep",
            format!(r#"{{"deep":{}{},{inside}}}"#, "[".repeat(400), "]".repeat(400)),
        ),
        (
            "too many claims",
            format!(
                "{{{},{inside}}}",
                (0..300).map(|i| format!("\"c{i}\":0")).collect::<Vec<_>>().join(",")
            ),
        ),
    ] {
        bearer(name, ours.sign_text(ours.header().to_string(), json));
    }
    bearer(
        "claims are not UTF-8",
        ours.sign_text(ours.header().to_string(), b"{\"sub\":\"\xff\"}"),
    );
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
    let other_claims = base64(ours.claims("u-else").to_string());
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
    let mut signed =
        |name: &str, bytes: Vec<u8>| bearer(name, format!("{header}.{payload}.{}", base64(bytes)));
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
            signed(
                "a forged padding",
                [&[0, 1], &vec![0xff; bytes.len() - 55][..], &[0; 53]].concat(),
            );
            signed("the number one", [&vec![0; bytes.len() - 1][..], &[1]].concat());
        }
        Algorithm::Hs256 => {
            signed("a MAC without a key", {
                hmac::sign(
                    &hmac::Key::new(hmac::HMAC_SHA256, b""),
                    format!("{header}.{payload}").as_bytes(),
                )
                .as_ref()
                .to_vec()
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
        (
            "standard base64",
            format!("{header}.{payload}.{}", signature.replace('-', "+").replace('_', "/") + "+/"),
        ),
        ("no base64", format!("{header}.{payload}.!!!!")),
        ("no base64 in the header", format!("$$$$.{payload}.{signature}")),
        ("percent signs", good.replace('.', "%2E")),
        ("a signed token with padding", ours.sign_parts(&format!("{header}="), payload)),
        ("huge", format!("{header}.{}.{signature}", "A".repeat(12_000))), // Larger ones are refused with their head: 431.
        (
            "huge and signed",
            ours.sign(
                &ours.header(),
                &with(&ours.claims("u-sub"), "much", "x".repeat(8 * 1024).into()),
            ),
        ),
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
        (
            "a lower-case scheme with a forged token",
            format!("bearer {header}.{other_claims}.{signature}"),
        ),
        ("an empty header", String::new()),
    ] {
        raw(name, value.into_bytes());
    }
    raw("not ASCII", [b"Bearer ", good.as_bytes(), b"\xff"].concat());
    let header_value = |value: &str| value.as_bytes().to_vec();
    let good_bearer = format!("Bearer {good}");
    for (name, headers) in [
        (
            "twice",
            vec![
                ("authorization", header_value(&good_bearer)),
                ("authorization", header_value(&good_bearer)),
            ],
        ),
        (
            "none, then a good one",
            vec![
                ("authorization", header_value("")),
                ("authorization", header_value(&good_bearer)),
            ],
        ),
        (
            "a token and a wrong server key",
            vec![("authorization", header_value(&good_bearer)), ("x-api-key", header_value("no"))],
        ),
        (
            "a token and a server key",
            vec![
                ("authorization", header_value(&good_bearer)),
                ("x-api-key", header_value(SERVER_KEY)),
            ],
        ),
        ("a token as a server key", vec![("x-api-key", header_value(&good))]),
        ("an empty server key", vec![("x-api-key", Vec::new())]),
        (
            "two server keys",
            vec![("x-api-key", header_value(SERVER_KEY)), ("x-api-key", header_value(SERVER_KEY))],
        ),
        ("a long server key", vec![("x-api-key", vec![b'k'; 4096])]),
    ] {
        table.push((name.to_owned(), headers));
    }
    table
}

/// Unusual, and yet valid.
pub fn good_ones(ours: &Issuer) -> Vec<(&'static str, Json, Json)> {
    let (header, claims) = (ours.header(), claims("u-sub"));
    let exp = claims["exp"].as_i64().unwrap() as f64 + 0.5;
    vec![
        ("as it should be", header.clone(), claims.clone()),
        ("no typ", without(&header, "typ"), claims.clone()),
        ("typ at+jwt", with(&header, "typ", "at+jwt".into()), claims.clone()),
        ("typ in lower case", with(&header, "typ", "jwt".into()), claims.clone()),
        ("an unknown header", with(&header, "hint", 1.into()), claims.clone()),
        ("several audiences", header.clone(), with(&claims, "aud", json!(["other", AUDIENCE]))),
        ("no iat", header.clone(), without(&claims, "iat")),
        ("nbf in the past", header.clone(), with(&claims, "nbf", json!(now() - 60))),
        ("exp with a fraction", header.clone(), with(&claims, "exp", json!(exp))),
        ("the longest sub", header.clone(), with(&claims, "sub", "u".repeat(256).into())),
        (
            "claims of every type",
            header,
            with(&claims, "app_metadata", json!({ "roles": ["a"], "deep": [[1]] })),
        ),
    ]
}

fn claims_expire(text: &str) -> i64 {
    serde_json::from_str::<Json>(text).unwrap()["exp"].as_i64().unwrap()
}

/// The order of P-256, and of edwards25519 (little endian).
const P256_ORDER: &[u8] = &[
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
const ED25519_ORDER: &[u8] = &[
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
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
