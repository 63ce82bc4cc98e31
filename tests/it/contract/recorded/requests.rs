//! The requests, always the same ones in the same order.

use super::services::FLAGS;

/// One request. What stands in `<<…>>` is put in its place when it is sent.
pub struct Request {
    /// The service that is asked.
    pub at: &'static str,
    /// Its method and address; with a version, nothing is added to its head.
    pub asks: String,
    pub with: Vec<String>,
    pub body: Option<String>,
}

/// The calls that take a question, with the flag `split` where one is named.
const QUESTIONS: [&str; 6] = [
    "POST /v1/strategy/split",
    "POST /v1/strategy",
    "POST /ofrep/v1/evaluate/flags/split",
    "POST /ofrep/v1/evaluate/flags",
    "POST /v1/strategy/split/watch",
    "POST /v1/watch",
];
const ACK: &str = "POST /v1/watch/ack";
const PATHS: [&str; 11] = [
    "/v1/strategy/split",
    "/v1/strategy",
    "/v1/strategy/split/watch",
    "/v1/watch",
    "/v1/watch/ack",
    "/ofrep/v1/events",
    "/ofrep/v1/evaluate/flags/split",
    "/ofrep/v1/evaluate/flags",
    "/healthz",
    "/readyz",
    "/openapi.json",
];

struct List(Vec<Request>);

impl List {
    fn add(
        &mut self,
        at: &'static str,
        asks: impl Into<String>,
        with: &[&str],
        body: Option<&str>,
    ) {
        let with = with.iter().map(|line| (*line).to_owned()).collect();
        self.0.push(Request { at, asks: asks.into(), with, body: body.map(str::to_owned) });
    }

    /// A question in the shape of its call.
    fn question(
        &mut self,
        at: &'static str,
        asks: impl Into<String>,
        with: &[&str],
        user: Option<&str>,
        attributes: &str,
    ) {
        let asks = asks.into();
        let key = user.map(|user| format!("\"targetingKey\":\"{user}\""));
        let body = if asks.contains("/ofrep/") {
            let members: Vec<_> = key
                .into_iter()
                .chain((!attributes.is_empty()).then(|| attributes.to_owned()))
                .collect();
            format!("{{\"context\":{{{}}}}}", members.join(","))
        } else {
            let attributes =
                (!attributes.is_empty()).then(|| format!("\"attributes\":{{{attributes}}}"));
            format!("{{{}}}", key.into_iter().chain(attributes).collect::<Vec<_>>().join(","))
        };
        self.add(at, asks, with, Some(&body));
    }
}

/// So many requests: what each group asks, and then users until there are enough.
pub fn all(count: usize) -> Vec<Request> {
    let mut list = List(Vec::new());
    every_flag(&mut list);
    every_operator(&mut list);
    all_flags(&mut list);
    held_answers(&mut list);
    bad_bodies(&mut list);
    bad_addresses(&mut list);
    odd_heads(&mut list);
    streams(&mut list);
    credentials(&mut list);
    pages(&mut list);
    other_services(&mut list);
    let mut user = 0;
    while list.0.len() < count {
        let flag = ["quarter", "split", "white", "tracks"][user % 4];
        list.question(
            "open",
            format!("POST /v1/strategy/{flag}"),
            &[],
            Some(&format!("user-{user}")),
            "",
        );
        user += 1;
    }
    list.0
}

fn every_flag(list: &mut List) {
    let users = [None, Some("u-1"), Some("u-4"), Some("u-7"), Some("u-inner"), Some("u-denied")];
    for flag in FLAGS.into_iter().chain(["unknown"]) {
        for user in users {
            list.question("open", format!("POST /v1/strategy/{flag}"), &[], user, "");
        }
        for user in [None, Some("u-1"), Some("u-denied")] {
            list.question("open", format!("POST /ofrep/v1/evaluate/flags/{flag}"), &[], user, "");
        }
    }
}

fn every_operator(list: &mut List) {
    for attributes in [
        r#""plan":"paid""#,
        r#""plan":"team""#,
        r#""plan":"PAID""#,
        r#""plan":["paid"]"#,
        r#""plan":null"#,
        r#""plan":7"#,
        r#""device":"iPad Pro""#,
        r#""device":"phone mini""#,
        r#""device":"iPad mini""#,
        r#""platform":"ios","app_version":"2.9""#,
        r#""platform":"ios","app_version":"2.10""#,
        r#""platform":"android","app_version":"3.0""#,
        r#""platform":"web","app_version":"3.0""#,
        r#""platform":"windows""#,
        r#""app_version":"2.11""#,
        r#""app_version":"not one""#,
        r#""seats":100"#,
        r#""seats":999.5"#,
        r#""seats":1000"#,
        r#""seats":0"#,
        r#""seats":"100""#,
        r#""seats":1e400"#,
        r#""beta":true"#,
        r#""beta":"true""#,
        r#""platform":"web","beta":true"#,
        r#""platform":"web","beta":false"#,
        r#""email":"a@rules.example""#,
        r#""unknown":"x""#,
    ] {
        list.question("open", "POST /v1/strategy/ruled", &[], Some("u-1"), attributes);
        list.question("open", "POST /ofrep/v1/evaluate/flags/ruled", &[], Some("u-1"), attributes);
    }
    for tenant in ["a", "b", "c", ""] {
        let attributes = format!(r#""tenant":"{tenant}""#);
        list.question("open", "POST /v1/strategy/tenant", &[], None, &attributes);
        list.question(
            "open",
            "POST /ofrep/v1/evaluate/flags/tenant",
            &[],
            Some("u-1"),
            &attributes,
        );
    }
    for (flag, user, attributes) in [
        ("ruled", "u-test", ""),
        ("ruled", "u-listed", ""),
        ("staff", "u-test", ""),
        ("staff", "u-white", ""),
        ("staff", "u-1", r#""email":"out@example.com""#),
        ("staff", "u-1", r#""email":"in@example.com""#),
        ("inner", "u-1", r#""email":"ops@example.com""#),
        ("inner", "u-1", r#""email":"OPS@Inside.Example""#),
    ] {
        list.question("open", format!("POST /v1/strategy/{flag}"), &[], Some(user), attributes);
    }
}

fn all_flags(list: &mut List) {
    for (user, attributes) in [
        (None, ""),
        (Some("u-1"), ""),
        (Some("u-4"), r#""tenant":"a""#),
        (Some("u-inner"), r#""plan":"paid""#),
        (Some("u-denied"), r#""seats":"none""#),
    ] {
        list.question("open", "POST /v1/strategy", &[], user, attributes);
        list.question("open", "POST /ofrep/v1/evaluate/flags", &[], user, attributes);
    }
}

/// Requests that say which answer they hold.
fn held_answers(list: &mut List) {
    for asks in [
        "POST /v1/strategy/split",
        "POST /v1/strategy/tracks",
        "POST /v1/strategy",
        "POST /ofrep/v1/evaluate/flags",
    ] {
        for tag in [
            "<<tag>>",
            "W/<<tag>>",
            "\"other\", <<tag>>",
            "*",
            "\"other\"",
            "W/\"other\"",
            "",
            "<<tag>>x",
        ] {
            list.question("open", asks, &[&format!("if-none-match: {tag}")], Some("u-1"), "");
        }
        list.question(
            "open",
            asks,
            &["if-none-match: \"other\"", "if-none-match: <<tag>>"],
            Some("u-1"),
            "",
        );
    }
    list.question(
        "open",
        "POST /ofrep/v1/evaluate/flags/split",
        &["if-none-match: *"],
        Some("u-1"),
        "",
    );
    for query in [
        "flagConfigEtag=r<<position>>",
        "flagConfigEtag=%22r<<position>>%22",
        "flagConfigEtag=r0",
        "flagConfigEtag",
        "x=1&y",
    ] {
        let asks = format!("POST /ofrep/v1/evaluate/flags?{query}");
        list.question("open", asks.clone(), &[], Some("u-1"), "");
        list.question("open", asks, &["if-none-match: <<tag>>"], Some("u-1"), "");
    }
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        for with in
            [&[][..], &["if-none-match: *"], &["accept: text/html", "accept-encoding: gzip"]]
        {
            list.add("open", format!("GET {path}"), with, None);
        }
    }
    list.add("open", "GET /openapi.json", &["if-none-match: <<tag>>"], None);
}

fn bad_bodies(list: &mut List) {
    let bodies = [
        "",
        "not json",
        "{",
        "[]",
        "null",
        "7",
        "\"u-1\"",
        "[[{\"targetingKey\":\"u-1\"}]]",
        "{\"targetingKey\":\"u-1\"",
        "{\"targetingKey\":\"u-1\"} x",
        "{\"targetingKey\":\"u-1\",}",
        "{\"targetingKey\":7,\"context\":{\"targetingKey\":7}}",
        "{\"targetingKey\":\"a\",\"targetingKey\":\"b\",\"context\":{},\"context\":{}}",
        "{\"attributes\":[],\"context\":[]}",
        "{\"attributes\":\"x\",\"context\":null}",
        "{\"targetingkey\":\"u-1\"}",
        "{\n  \"attributes\": {\n    \"plan\": nil\n  }\n}",
        "{\"targetingKey\":\"<<257 of a>>\",\"x\":1}",
        "<<bytes 7b 22 ff fe 22 3a 31 7d>>",
        "<<bytes 1f 8b 08 00>>",
        "<<bytes ef bb bf>>{}",
        "<<10000 of [>>",
    ];
    for asks in QUESTIONS.into_iter().chain([ACK]) {
        for body in bodies {
            list.add("open", asks, &[], Some(body));
        }
        list.add("open", asks, &["content-length: 65537"], None);
        list.add("open", asks, &["transfer-encoding: chunked"], Some("10001\r\n<<65537 of a>>"));
        list.add("open", asks, &["transfer-encoding: chunked"], Some("xyz\r\n{}\r\n0\r\n\r\n"));
    }
    for asks in &QUESTIONS[..4] {
        let wrapper = if asks.contains("ofrep") { "context" } else { "attributes" };
        for first in ["<<256 of \"a\":1,>>", "<<255 of \"a\":1,>>"] {
            list.add("open", *asks, &[], Some(&format!("{{\"{wrapper}\":{{{first}\"b\":1}}}}")));
        }
        list.question("open", *asks, &[], Some("<<257 of a>>"), "");
        list.question("open", *asks, &[], Some("<<256 of a>>"), "");
        list.question("open", *asks, &[], Some("\\ud800"), "");
        list.question("open", *asks, &[], Some("\\u00e4\\ud83d\\ude80"), "");
        list.question("open", *asks, &["transfer-encoding: chunked"], None, "");
        list.add(
            "open",
            *asks,
            &["transfer-encoding: chunked"],
            Some("e\r\n{\"context\":{}}\r\n0\r\n\r\n"),
        );
        list.add(
            "open",
            *asks,
            &["transfer-encoding: chunked"],
            Some("2;a=b\r\n{}\r\n0\r\nx-a: b\r\n\r\n"),
        );
    }
}

fn bad_addresses(list: &mut List) {
    for path in PATHS {
        for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
            list.add("open", format!("{method} {path}"), &[], None);
        }
    }
    for path in [
        "/",
        "//",
        "/v1",
        "/v1/",
        "/v2/strategy/split",
        "/V1/strategy/split",
        "/v1/strategy/",
        "/v1/strategy//split",
        "//v1/strategy/split",
        "/v1/strategy/split/",
        "/v1/strategy/split/nowhere",
        "/v1/strategy/split/watch/",
        "/v1/strategy/SPLIT",
        "/v1/strategy/s%70lit",
        "/v1/strategy/split%2F",
        "/v1/strategy/..%2fsplit",
        "/v1/strategy/%ff",
        "/v1/strategy/a%20b",
        "/v1/strategy/<<65 of a>>",
        "/v1/strategy/split?targetingKey=u-1",
        "/v1/strategy?x",
        "/v1/strategy/../strategy/split",
        "/v1/watch/",
        "/v1/watch/ack/",
        "/v1/status",
        "/metrics",
        "/ofrep/",
        "/ofrep/v1/",
        "/ofrep//v1/evaluate/flags",
        "/ofrep/v1/evaluate/flags/",
        "/ofrep/v1/evaluate/flags/SPLIT",
        "/ofrep/v1/evaluate/flags/s%70lit",
        "/ofrep/v1/evaluate/flags/%ff",
        "/ofrep/v1/evaluate/flags/split/x",
        "/ofrep/v1/configuration",
        "/ofrep/v2/evaluate/flags",
        "/turnout/v1/strategy/split",
        "/healthz/",
        "/healthz?x=1",
        "/openapi.yaml",
        "/../../etc/passwd",
    ] {
        list.add("open", format!("POST {path}"), &[], Some("{}"));
    }
    for method in ["GET", "PUT", "PATCH", "BREW"] {
        for path in ["/", "/v1/strategy/split/", "/ofrep/v1/", "/healthz?x=1", "/metrics"] {
            list.add("open", format!("{method} {path}"), &[], None);
        }
    }
    list.add("open", "OPTIONS *", &[], None);
    list.add("open", "CONNECT turnout.example:80", &[], None);
    list.add("open", "GET http://turnout.example/healthz", &[], None);
}

fn odd_heads(list: &mut List) {
    let host = "host: turnout.example";
    for (asks, with) in [
        ("GET /healthz HTTP/1.1", &[][..]),
        ("POST /ofrep/v1/evaluate/flags HTTP/1.1", &[]),
        ("GET /healthz HTTP/1.1", &[host, host]),
        ("GET /healthz HTTP/1.1", &["host: a, b"]),
        ("GET /healthz HTTP/1.1", &["host: http://turnout.example/"]),
        ("GET /healthz HTTP/1.1", &["host: [::1]:7070"]),
        ("GET /healthz HTTP/1.1", &["Host: turnout.example", "Connection: close"]),
        ("GET /healthz HTTP/1.0", &[]),
        ("GET /healthz HTTP/1.0", &[host, "connection: keep-alive"]),
        ("GET /healthz HTTP/1.0", &[host, host]),
        ("GET /healthz HTTP/1.2", &[host]),
        ("GET /healthz HTTP/2.0", &[host]),
        ("G{T /healthz HTTP/1.1", &[host]),
        ("GET /<<bytes 00>> HTTP/1.1", &[host]),
        ("GET /healthz HTTP/1.1", &[host, "x-a: b", " folded"]),
        ("GET /healthz HTTP/1.1", &[host, "x a: b"]),
        ("GET /healthz HTTP/1.1", &[host, ": b"]),
        ("GET /healthz HTTP/1.1", &[host, "x-a: <<bytes 00>>"]),
        ("GET /healthz HTTP/1.1", &[host, "x-a: <<bytes ff>>"]),
        ("GET /healthz HTTP/1.1", &[host, "x-a: <<16000 of b>>"]),
        ("GET /healthz HTTP/1.1", &[host, "upgrade: h2c", "connection: upgrade"]),
        ("GET /healthz HTTP/1.1", &[host, "content-length: +2"]),
        ("GET /healthz HTTP/1.1", &[host, "content-length: 2, 2"]),
        ("GET /healthz HTTP/1.1", &[host, "content-length: 2", "content-length: 3"]),
        ("GET /healthz HTTP/1.1", &[host, "transfer-encoding: gzip"]),
        ("GET /<<17000 of a>> HTTP/1.1", &[host]),
    ] {
        list.add("open", asks, with, None);
    }
    let both = ["content-length: 6", "transfer-encoding: chunked"];
    list.add("open", "POST /v1/strategy/split", &both, Some("2\r\n{}\r\n0\r\n\r\n"));
    list.add("open", "POST /v1/strategy/split", &["content-type: text/plain"], Some("{}"));
    list.add("open", "POST /v1/strategy/split", &["content-encoding: gzip"], Some("{}"));
    list.add("open", "POST /v1/strategy/split", &["origin: https://app.example.com"], Some("{}"));
    list.add("open", "POST /v1/strategy/split", &["authorization: Bearer no"], Some("{}"));
    list.add("open", "POST /v1/strategy/split", &["x-api-key: no"], Some("{}"));
}

fn streams(list: &mut List) {
    for flag in ["split", "ruled", "stopped", "broken", "unknown", "SPLIT"] {
        list.question(
            "open",
            format!("POST /v1/strategy/{flag}/watch"),
            &[],
            Some("u-1"),
            r#""plan":"paid""#,
        );
    }
    list.question("open", "POST /v1/watch", &[], Some("u-1"), "");
    for with in [&[][..], &["last-event-id: 1"], &["accept: text/event-stream"]] {
        list.add("open", "GET /ofrep/v1/events", with, None);
    }
    list.question("open", "POST /v1/strategy/split/watch", &["last-event-id: 1"], Some("u-1"), "");
    for body in [
        r#"{"ackId":"<<ack>>","position":"<<position>>"}"#,
        r#"{"position":"<<position>>","ackId":"<<ack>>"}"#,
        r#"{"ackId":"<<ack>>","position":"999999"}"#,
        r#"{"ackId":"<<ack>>","position":"x"}"#,
        r#"{"ackId":"<<ack>>","position":3}"#,
        r#"{"ackId":"<<ack>>"}"#,
        r#"{"ackId":"<<ack>>","position":"1","more":1}"#,
        r#"{"ackId":"0-0","position":"1"}"#,
        r#"{"ackId":"x","position":"1"}"#,
        r#"{"ackId":"","position":""}"#,
    ] {
        list.add("open", ACK, &[], Some(body));
    }
}

fn credentials(list: &mut List) {
    let credentials: [&[&str]; 23] = [
        &[],
        &["authorization: Bearer <<token u-1>>"],
        &["authorization: bearer <<token u-1>>"],
        &["authorization: Bearer <<token u-7>>"],
        &["authorization: Bearer <<token u-denied>>"],
        &["authorization: Bearer <<token with an address>>"],
        &["authorization: Bearer <<token with an address of rules>>"],
        &["authorization: Bearer <<token with a plan>>"],
        &["authorization: Bearer <<key>>"],
        &["x-api-key: <<key>>"],
        &["authorization: Bearer <<token past>>"],
        &["authorization: Bearer <<token for others>>"],
        &["authorization: Bearer <<token of others>>"],
        &["authorization: Bearer <<token without a user>>"],
        &["authorization: Bearer <<token of a stranger>>"],
        &["authorization: Bearer <<key>>x"],
        &["authorization: Bearer"],
        &["authorization: Bearer  <<key>>"],
        &["authorization: Basic dTpw"],
        &["authorization: <<bytes ff>>"],
        &["x-api-key: no"],
        &["x-api-key: <<key>>", "authorization: Bearer <<key>>"],
        &["authorization: Bearer <<key>>", "authorization: Bearer <<key>>"],
    ];
    for with in credentials {
        for flag in ["inner", "ruled"] {
            list.question("tokens", format!("POST /v1/strategy/{flag}"), with, Some("u-1"), "");
            list.add("tokens", format!("GET /v1/strategy/{flag}"), with, None);
        }
        list.question("tokens", "POST /ofrep/v1/evaluate/flags/inner", with, None, "");
        list.question(
            "either",
            "POST /v1/strategy/inner",
            with,
            Some("u-7"),
            r#""email":"ops@example.com""#,
        );
    }
    for with in [credentials[0], credentials[1], credentials[8], credentials[10]] {
        for asks in [
            "GET /v1/strategy/unknown",
            "GET /v1/strategy/split/watch",
            "GET /v1/strategy/unknown/watch",
        ] {
            list.add("tokens", asks, with, None);
        }
        for asks in [
            "GET /v1/watch",
            "GET /v1/strategy",
            "GET /ofrep/v1/events",
            "GET /healthz",
            "GET /nowhere",
        ] {
            list.add("tokens", asks, with, None);
        }
        list.question("tokens", "POST /v1/strategy", with, None, "");
        list.question("tokens", "POST /ofrep/v1/evaluate/flags", with, None, "");
        list.question("tokens", "POST /v1/strategy/split/watch", with, None, "");
        list.add("tokens", "POST /v1/strategy/split", with, Some("{"));
        list.add("tokens", "POST /ofrep/v1/evaluate/flags", with, Some("{"));
        list.add("tokens", "GET /v1/strategy/split", &[with, &["if-none-match: *"]].concat(), None);
    }
}

fn pages(list: &mut List) {
    let (listed, unlisted) =
        ("origin: https://app.example.com", "origin: https://evil.example.com");
    let asked = "access-control-request-method: POST";
    for path in ["/v1/strategy/split", "/ofrep/v1/evaluate/flags", "/openapi.json", "/nowhere"] {
        for origin in [
            listed,
            "origin: http://localhost:3000",
            unlisted,
            "origin: null",
            "origin: HTTPS://APP.example.com",
        ] {
            list.add("pages", format!("OPTIONS {path}"), &[origin, asked], None);
        }
        list.add("pages", format!("OPTIONS {path}"), &[asked], None);
        list.add("pages", format!("OPTIONS {path}"), &[listed], None);
    }
    for headers in [
        "content-type, if-none-match",
        "traceparent,X-Request-Id",
        "b ad,x:y,x-good",
        "",
        "<<3000 of a>>",
    ] {
        let line = format!("access-control-request-headers: {headers}");
        list.add("pages", "OPTIONS /v1/strategy/split", &[listed, asked, &line], None);
    }
    for with in [&[listed][..], &[unlisted], &[], &[listed, "if-none-match: *"], &[listed, listed]]
    {
        for asks in [
            "POST /v1/strategy/split",
            "POST /ofrep/v1/evaluate/flags/split",
            "POST /v1/strategy/unknown",
        ] {
            list.question("pages", asks, with, Some("u-1"), "");
        }
        list.add("pages", "GET /v1/strategy/split", with, None);
        list.add("pages", "GET /nowhere", with, None);
        list.add("pages", "GET /ofrep/v1/events", with, None);
    }
}

fn other_services(list: &mut List) {
    for before in ["", "/turnout"] {
        for asks in [
            "/v1/strategy/tracks",
            "/v1/strategy/unknown",
            "/ofrep/v1/evaluate/flags/tracks",
            "/nowhere",
        ] {
            list.question("below", format!("POST {before}{asks}"), &[], Some("u-1"), "");
        }
        for path in ["/v1/strategy", "/ofrep/v1/evaluate/flags", "/v1/strategy/split/watch"] {
            list.question("below", format!("POST {before}{path}"), &[], Some("u-1"), "");
        }
        for path in ["/healthz", "/", "//v1/strategy"] {
            list.add("below", format!("GET {before}{path}"), &[], None);
        }
        // The document itself is recorded once, and `http/paths.rs` looks at the address that it
        // names below a path.
        list.add("below", format!("HEAD {before}/openapi.json"), &[], None);
    }
    for flag in ["inner", "tracks", "quarter"] {
        for user in ["u-7", "u-4"] {
            list.question("no-hand-off", format!("POST /v1/strategy/{flag}"), &[], Some(user), "");
            list.question(
                "no-hand-off",
                format!("POST /ofrep/v1/evaluate/flags/{flag}"),
                &[],
                Some(user),
                "",
            );
        }
    }
    for asks in ["POST /v1/strategy/split/watch", "POST /v1/watch", "POST /v1/strategy/split"] {
        list.question("crowded", asks, &[], Some("u-1"), "");
    }
    list.add("crowded", "GET /ofrep/v1/events", &[], None);
    for asks in QUESTIONS.into_iter().chain([ACK]) {
        list.add("hurried", asks, &["content-length: 9"], Some("{"));
    }
    for asks in QUESTIONS {
        list.question("cold", asks, &[], Some("u-1"), "");
        list.question(
            "cold",
            asks.replace("split", "NO KEY").replace(' ', "%20").replacen("%20", " ", 1),
            &[],
            None,
            "",
        );
    }
    list.question("cold", "POST /v1/strategy/split", &["if-none-match: *"], Some("u-1"), "");
    list.question("cold", "POST /ofrep/v1/evaluate/flags", &["if-none-match: *"], Some("u-1"), "");
    for asks in ["GET /healthz", "GET /readyz", "GET /ofrep/v1/events", "GET /v1/strategy/split"] {
        list.add("cold", asks, &[], None);
    }
}
