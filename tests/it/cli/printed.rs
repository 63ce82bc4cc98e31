//! How the command line prints text that others wrote, and what happens when data cannot be
//! printed.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::program::Program;
use crate::support::{Service, flag};

/// Every kind of character that affects a terminal, and a line that a runner takes for a command.
const EVIL: &str = "\u{1b}]0;pwned\u{7}\u{1b}[31m\n::error::forged\r\u{85}\u{9b}2J\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}\u{2028}::set-env\u{2029}\u{7f}\u{8}\u{fe0f}\u{3164}\u{2800}\u{34f}\u{e0101}\u{1d173}";
/// The same, as YAML writes it.
const WRITTEN: &str = r"\e]0;pwned\a\e[31m\n::error::forged\r\N\x9b2J\u202e\u2066\u200f\u061c\u200b\u2028::set-env\u2029\x7f\b\ufe0f\u3164\u2800\u034f\U000e0101\U0001d173";

fn turnout(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("TURNOUT_") || name == "INTERNAL_USER_IDS")
    {
        command.env_remove(name);
    }
    command
}

/// What a verb printed, and its exit code.
async fn typed(arguments: &[&str]) -> (i32, String) {
    let mut command = turnout(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).expect("what is printed is UTF-8"))
}

/// Characters that must never be printed. The list is repeated here: the program's own list may
/// have lost one.
fn is_hidden(character: char) -> bool {
    EVIL.contains(character) && !matches!(character, ' '..='~' | '\n')
        || character.is_control() && !matches!(character, '\n' | '\t')
}

/// Checks that the output has no hidden characters except line breaks and tabs, and no line that a
/// runner could take for a command unless one was meant.
fn check(what: &[&str], printed: &str) {
    assert!(!printed.contains("panicked"), "{what:?}: {printed}");
    let found: String = printed.chars().filter(|character| is_hidden(*character)).collect();
    assert!(found.is_empty(), "{what:?} prints {found:?}: {printed:?}");
    let begins =
        |line: &&str| line.trim_start().starts_with("::") || line.trim_start().starts_with("##[");
    let commands: Vec<&str> = printed.lines().filter(begins).collect();
    let meant = what.contains(&"github");
    assert!(
        commands.iter().all(|line| meant && line.starts_with("::error file=")),
        "{what:?} prints commands: {commands:?}"
    );
}

/// A folder in which every text that a file may have contains the bad characters.
fn evil_folder(home: &TempDir, name: &str, owner: &str) -> String {
    let folder = home.path().join(name);
    fs::create_dir_all(folder.join("segments")).unwrap();
    fs::create_dir_all(folder.join("tests")).unwrap();
    let w = WRITTEN;
    let good = format!(
        "owner: \"{owner}{w}\"\ndescription: \"d{w}\"\nattributes: {{ plan: text }}\nrules:\n  \
         - {{ name: paid, when: {{ plan: \"p{w}\" }}, strategy: realtime-v2 }}\n\
         transports: {{ polling: {{ url: \"/u{w}\" }} }}\nrollout: {{ realtime-v2: 10% }}"
    );
    let bad = format!(
        "version: 1\nflag: \"b{w}\"\nenabled: \"t{w}\"\nwhen_stopped: \"p{w}\"\ndefault: \"q{w}\"\n\"x{w}\": 1\n\
         rollout: {{ realtime-v2: \"10{w}\" }}\nattributes: {{ \"a{w}\": \"k{w}\" }}\n\
         allow: [{{ segment: \"s{w}\", strategy: \"z{w}\" }}]\nsalt: \"{w}\"\n"
    );
    let table = format!(
        "flag: chat\ncases:\n  - {{ name: \"n{w}\", expect: realtime-v2, bucket: 0, user: \"u{w}\" }}\n"
    );
    for (file, text) in [
        ("chat.yaml".to_owned(), flag("chat", &good)),
        ("bad.yaml".to_owned(), bad),
        (
            "rule.yaml".to_owned(),
            flag("rule", &format!("rules: [{{ name: \"r{w}\", when: {{}}, strategy: polling }}]")),
        ),
        (format!("evil{}.yaml", EVIL.replace('/', "")), "x: [".to_owned()),
        ("::error::file.yaml".to_owned(), format!("x: [ # {EVIL}")),
        ("raw.yaml".to_owned(), format!("version: 1\nowner: {}\n", EVIL.replace('\n', " "))),
        (
            "marks.yaml".to_owned(),
            "version: 1\nflag: marks # \u{202e}\u{2066}\nowner: [\u{202e}\u{200b}\n".to_owned(),
        ),
        ("segments/s.yaml".to_owned(), format!("version: 1\nsegment: s\nusers_file: \"f{w}\"\n")),
        ("tests/chat.yaml".to_owned(), table),
    ] {
        fs::write(folder.join(file), text).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn files_and_callers_cannot_put_hidden_characters_into_output() {
    let home = TempDir::new().unwrap();
    let (old, new) = (evil_folder(&home, "old", "team"), evil_folder(&home, "new", "tema"));
    // Two folders without errors, so that their difference is printed too.
    for (from, to) in [(&old, "good-old"), (&new, "good-new")] {
        fs::create_dir(home.path().join(to)).unwrap();
        fs::copy(format!("{from}/chat.yaml"), home.path().join(to).join("chat.yaml")).unwrap();
    }
    let good =
        ["good-old", "good-new"].map(|name| home.path().join(name).to_str().unwrap().to_owned());
    let user = format!("u{}", EVIL.replace('\0', ""));
    let attribute = format!("plan={user}");
    let odd = format!("{}{user}", home.path().display());
    let single = format!("{old}/::error::file.yaml");
    let table: &[&[&str]] = &[
        &["check", &old],
        &["check", &single],
        &["check", "--format", "json", &old],
        &["check", "--format", "sarif", &old],
        &["check", "--format", "github", &old],
        &["check", &odd],
        &["diff", &old, &new],
        &["diff", &good[0], &good[1]],
        &["diff", "--json", &good[0], &good[1]],
        &["diff", &odd, &good[0]],
        &["explain", "chat", "--files", &good[0], "--user", &user, "--attr", &attribute],
        &["explain", "chat", "--files", &good[0], "--user", &user, "--attr", &attribute, "--json"],
        &["explain", "bad", "--files", &old, "--user", "u"],
        &["explain", &user, "--files", &old],
        &["explain", "chat", "--files", &odd],
        &["status", &user],
        &["status", "--server", &user],
        &["ask", "chat", "--url", &user, "--attr", &user],
        &["token", "create", &user, "--role", &user],
        &[&user],
        &["status", "--token-file", &odd, "--server", "http://127.0.0.1:1"],
    ];
    for what in table {
        let (_, printed) = typed(what).await;
        assert!(!printed.is_empty(), "{what:?}");
        check(what, &printed);
        if what.contains(&"json") || what.contains(&"sarif") || what.contains(&"--json") {
            let json = serde_json::from_str::<Json>(&printed);
            assert!(json.is_ok(), "{what:?} prints JSON all the same: {printed}");
        }
    }
    let (_, reply) = typed(&["check", "--format", "json", &old]).await;
    let reply: Json = serde_json::from_str(&reply).unwrap();
    let files = reply["files"].as_array().unwrap();
    assert!(
        files.iter().any(|file| file.as_str().unwrap().contains("::error::forged\r")),
        "a program reads the name as it is"
    );
}

#[tokio::test]
async fn files_cannot_put_hidden_characters_into_the_log() {
    for format in ["text", "json"] {
        let home = TempDir::new().unwrap();
        evil_folder(&home, "flags", "team");
        let odd = format!("{EVIL}x");
        let settings =
            [("TURNOUT_LOG_FORMAT", format), ("TURNOUT_LOG", "debug"), ("TURNOUT_ODD", &*odd)];
        let mut program =
            Program::start(home, &settings.map(|(name, value)| (name, value.trim_matches('\0'))));
        program.says("problems in the flags folder").await;
        program.says("try next").await;
        program.signal("TERM");
        assert_eq!(program.exit().await, Some(0));
        program.says("stopped").await;
        let said = program.said();
        assert!(said.contains("pwned") && said.contains(r"\u202e"), "{said}");
        assert!(
            said.contains("no setting has this name, so it does nothing: TURNOUT_ODD"),
            "{said}"
        );
        check(&[format], &said);
        let one = |line: &str| {
            if format == "json" { line.starts_with('{') } else { line.starts_with("20") }
        };
        assert!(said.lines().all(one), "each event is one line: {said}");
    }
}

/// A server between the command line and the real one.
#[derive(Clone)]
struct Relay {
    to: String,
    client: reqwest::Client,
    /// Changes each response.
    made: fn(&str) -> String,
    /// The idempotency key that it forwards, whatever was sent.
    key: Option<&'static str>,
}

impl Relay {
    async fn start(to: String, made: fn(&str) -> String, key: Option<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass_on).with_state(Relay {
            to,
            client: reqwest::Client::new(),
            made,
            key,
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

async fn pass_on(State(relay): State<Relay>, request: Request) -> Response<Body> {
    let Relay { to, client, made, key } = relay;
    let (mut head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    if let (Some(key), true) = (key, head.headers.contains_key("idempotency-key")) {
        head.headers.insert("idempotency-key", key.parse().unwrap());
    }
    let asked = client.request(head.method, format!("{to}{}", head.uri)).body(body);
    let asked = ["authorization", "idempotency-key", "turnout-narrow-only"]
        .iter()
        .filter_map(|name| Some((*name, head.headers.get(*name)?)))
        .fold(asked, |asked, (name, value)| asked.header(name, value));
    let mut answer = asked.send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for name in ["content-type", "etag", "turnout-revision"] {
        if let Some(value) = answer.headers().get(name) {
            response = response.header(name, value);
        }
    }
    // Of a stream it forwards the first event: then the stream breaks.
    let stream = answer.headers()["content-type"] == "text/event-stream";
    let bytes =
        if stream { answer.chunk().await.unwrap().unwrap() } else { answer.bytes().await.unwrap() };
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    // It forwards the proof of a server that knows the token, and is evil from then on.
    if head.uri.path() == "/v1/hello" {
        return response.body(Body::from(text)).unwrap();
    }
    let text = match (stream, text.split_once("data: ")) {
        (true, Some((before, data))) => format!("{before}data: {}\n\n", made(data.trim())),
        _ => made(&text),
    };
    response.body(Body::from(text)).unwrap_or_else(|_| {
        let mut failed = Response::new(Body::empty());
        *failed.status_mut() = StatusCode::BAD_GATEWAY;
        failed
    })
}

/// Puts the bad characters into every text.
fn with_evil_texts(json: &str) -> String {
    changed(json, |_, value| {
        if let Json::String(text) = value {
            text.push_str(EVIL);
        }
    })
}

/// The same, except for the words that decide what is printed.
fn with_evil_words(json: &str) -> String {
    const DECIDING: [&str; 12] = [
        "outcome", "state", "kind", "action", "type", "code", "strategy", "rule", "reason", "step",
        "identity", "is",
    ];
    changed(json, |name, value| match value {
        Json::String(text) if !DECIDING.contains(&name) => text.push_str(EVIL),
        _ => {}
    })
}

/// Makes each number as large or as small as possible.
fn with_huge_numbers(json: &str) -> String {
    changed(json, |_, value| {
        if value.is_number() {
            *value = json!(u64::MAX);
        }
    })
}

/// Makes each number as large as its member may be, so that all of them are read.
fn with_huge_counts(json: &str) -> String {
    // Clients that cannot confirm are few: the others are counted.
    const COUNTS: [&str; 7] =
        ["open", "confirmed", "notNeeded", "missing", "ended", "seen", "askedSince"];
    changed(json, |name, value| match value {
        Json::Number(_) if COUNTS.contains(&name) => *value = json!(u64::MAX),
        Json::Number(_) if name.ends_with("Ms") => *value = json!(i64::MAX),
        _ => {}
    })
}

fn with_negative_numbers(json: &str) -> String {
    changed(json, |_, value| {
        if value.is_number() {
            *value = json!(i64::MIN);
        }
    })
}

/// A document with each of its values changed; the name is that of the value's member.
fn changed(json: &str, change: impl Fn(&str, &mut Json) + Copy) -> String {
    fn walk(name: &str, json: &mut Json, change: impl Fn(&str, &mut Json) + Copy) {
        match json {
            Json::Array(items) => items.iter_mut().for_each(|item| walk(name, item, change)),
            Json::Object(members) => {
                members.iter_mut().for_each(|(name, value)| walk(name, value, change));
            }
            value => change(name, value),
        }
    }
    let mut json: Json = serde_json::from_str(json).unwrap();
    walk("", &mut json, change);
    json.to_string()
}

/// A URL is shown in messages and logs, so a secret in it is refused, and not shown.
#[tokio::test]
async fn a_secret_in_a_url_is_refused_and_not_printed() {
    for url in [
        "http://sentinel:x@127.0.0.1:1",
        "http://x:sentinel@127.0.0.1:1/path",
        "https://sentinel@127.0.0.1:1",
        "http://127.0.0.1:1/?token=sentinel",
        "http://127.0.0.1:1/#sentinel",
        "x:sentinel@127.0.0.1:1",
        "//sentinel@127.0.0.1:1",
    ] {
        for what in [
            &["status", "--server", url][..],
            &["stop", "chat", "--server", url],
            &["streams", "--server", url],
            &["streams", "--url", url],
            &["follow", "chat", "b", "--url", url, "--bearer-file", "/dev/null"],
            &["ask", "chat", "--url", url],
            &["ask", "chat", "-w", "--url", url],
        ] {
            let (code, printed) = typed(what).await;
            assert!(
                code == 2 && printed.contains("a token goes into a file"),
                "{what:?}: {code} {printed}"
            );
            assert!(!printed.contains("sentinel"), "{what:?}: {printed}");
        }
    }
}

/// A stop that is sent again under its key, after it was lifted, stops nothing: the output must not
/// read as if it did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_command_that_was_lifted_since_exits_with_an_error() {
    let service =
        Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 10% }"))]).await;
    let token_file = service.data.join("admin.token").to_str().unwrap().to_owned();
    for (verb, undo) in [
        (&["stop", "chat"][..], ("resume", json!({ "reason": "over" }))),
        (&["stop", "--all"], ("resume", json!({ "reason": "over" }))),
        (&["set", "chat", "5%"], ("set", json!({ "realtime-v2": "4%" }))),
        (&["set", "chat", "3%", "--json"], ("set", json!({ "realtime-v2": "2%" }))),
    ] {
        let server =
            Relay::start(service.admin_url(""), str::to_owned, Some(verb.join(" ").leak())).await;
        let what = [verb, &["--server", &server, "--token-file", &token_file]].concat();
        for _ in 0..2 {
            let (code, printed) = typed(&what).await;
            assert_eq!(code, 0, "{verb:?}: {printed}");
        }
        assert_eq!(service.ordered(&format!("/v1/flags/chat/{}", undo.0), undo.1).await.0, 200);
        let live = service.state("chat").await["live"].as_str().unwrap().to_owned();
        let (code, printed) = typed(&what).await;
        assert_eq!(code, 1, "{verb:?}: {printed}");
        assert!(
            printed.contains("nothing was done") && !printed.to_lowercase().contains("stopped"),
            "{verb:?}: {printed}"
        );
        assert!(
            verb.contains(&"--all") || printed.contains(&live),
            "{verb:?} says what is live, {live}: {printed}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_cannot_put_hidden_characters_into_output() {
    let service = Service::start(&[
        ("chat.yaml", &flag("chat", "owner: team\nattributes: { plan: text }\nrules: [{ name: paid, when: { plan: x }, strategy: realtime-v2 }]\nrollout: { realtime-v2: 10% }")),
        ("broken.yaml", "version: 1\n"),
    ])
    .await;
    type Alteration = fn(&str) -> String;
    let table: [(Alteration, bool); 5] = [
        (with_evil_texts, false),
        (with_evil_words, true),
        (with_huge_numbers, false),
        (with_huge_counts, false),
        (with_negative_numbers, false),
    ];
    for (made, is_readable) in table {
        prints_nothing_hidden_of(&service, made, is_readable).await;
    }
}

async fn prints_nothing_hidden_of(service: &Service, made: fn(&str) -> String, is_readable: bool) {
    let public = Relay::start(service.url(""), made, None).await;
    let admin = Relay::start(service.admin_url(""), made, None).await;
    let token = service.make_token("oncall", "stopper", json!({})).await;
    let token_file = service.data.join("admin.token").to_str().unwrap().to_owned();
    let remote: &[&str] = &["--server", &admin, "--token-file", &token_file];
    let reason: &[&str] = &["--reason", "a good reason"];
    let table: &[(&[&str], &[&str])] = &[
        (&["status"], &[]),
        (&["status", "chat"], &[]),
        (&["status", "chat", "-w", "--limit", "1s"], &[]),
        (&["status", "--json"], &[]),
        (&["problems"], &[]),
        (&["problems", "--json"], &[]),
        (&["set", "chat", "50%", "--for", "1h"], reason),
        (&["set", "chat", "40%", "-w", "--limit", "1s"], &[]),
        (&["set", "chat", "90%"], &[]),
        (&["set", "nowhere", "40%"], &[]),
        (&["set", "chat", "30%", "--json"], &[]),
        (&["status", "chat"], &[]),
        (&["unset", "chat"], reason),
        (&["rollback", "chat"], reason),
        (&["stop", "chat"], &[]),
        (&["stop", "--all"], &[]),
        (&["resume", "chat"], reason),
        (&["explain", "chat", "--user", "u-1", "--attr", "plan=x"], &[]),
        (&["explain", "chat", "--user", "u-1", "--json"], &[]),
        (&["explain", "broken", "--user", "u-1"], &[]),
        (&["publish", "chat", "b", "--data", "[\"\u{202e}\", 1]", "--id", "1"], &[]),
        (&["publish", "chat", "b", "--data", "2", "--id", "2", "--json"], &[]),
        (&["publish", "nowhere", "b", "--data", "2"], &[]),
        (&["streams"], &[]),
        (&["streams", "chat"], &[]),
        (&["streams", "chat", "--json"], &[]),
        (&["history"], &[]),
        (&["history", "chat", "--limit", "2"], &[]),
        (&["history", "--json"], &[]),
        (&["history", "--verify"], &[]),
        (&["token", "list"], &[]),
        (&["token", "list", "--json"], &[]),
        (&["token", "create", "another", "--role", "viewer"], &[]),
        (&["token", "create", "other", "--role", "viewer", "--json"], &[]),
        (&["token", "revoke", &token.id], &[]),
        (&["token", "revoke", "unknown"], &[]),
    ];
    for (verb, more) in table {
        let what = [verb, *more, remote].concat();
        let (_, printed) = typed(&what).await;
        assert!(
            !printed.is_empty() && !printed.contains("the token was not sent"),
            "{what:?}: {printed}"
        );
        check(&what, &printed);
        // A text of a server is a part of a line and never begins one, harmless or not.
        let forged = printed.lines().find(|line| line.starts_with(r"\u003a:error::forged"));
        assert!(forged.is_none(), "{what:?}: a text begins a line: {printed}");
    }
    for what in [
        &["ask", "chat", "--user", "u-1"][..],
        &["ask", "chat", "--user", "u-1", "--json"],
        &["ask", "nowhere", "--user", "u-1"],
        &["ask", "chat", "--bearer-file", &token_file],
    ] {
        let what = [what, &["--url", &public]].concat();
        check(&what, &typed(&what).await.1);
    }
    // A follower of events, until it says that the stream has ended, or why it goes on asking.
    for json in [&[][..], &["--json"]] {
        let end = json!({ "events": [], "ended": true });
        assert_eq!(service.order("/v1/feeds/chat/b", end).await.status(), 200);
        let what = [&["follow", "chat", "b"][..], json, remote].concat();
        let (mut child, mut out) = follower(&what);
        let mut talk = BufReader::new(child.stderr.take().unwrap());
        let mut lines = String::new();
        for _ in 0..2 {
            talk.read_line(&mut lines).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        out.read_to_string(&mut lines).unwrap();
        assert!(lines.lines().count() >= 2, "{lines}");
        check(&what, &lines);
    }
    // A follower: what it prints of a stream, of the stream's end, and of its questions meanwhile.
    for json in [&[][..], &["--json"]] {
        let what = [&["ask", "chat", "--user", "u-1", "-w", "--url", &public], json].concat();
        let mut follower = follower(&what);
        let (mut lines, mut document) = (String::new(), String::new());
        let mut talk = BufReader::new(follower.0.stderr.take().unwrap());
        for _ in 0..2 {
            talk.read_line(&mut lines).unwrap();
        }
        // A document is shown where its words and numbers are what they may be.
        if is_readable {
            follower.1.read_line(&mut document).unwrap();
        } else {
            talk.read_line(&mut lines).unwrap();
        }
        follower.0.kill().unwrap();
        follower.0.wait().unwrap();
        let lines = document + &lines;
        assert!(lines.lines().count() >= 3, "{lines}");
        check(&what, &lines);
    }
}

/// A verb that keeps running, and its output.
fn follower(arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child =
        turnout(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Verbs that print data: their arguments, and their exit code when the output is read.
fn printing<'a>(remote: &[&'a str], flags: &'a str) -> Vec<(Vec<&'a str>, i32)> {
    let with_server: [(&[&str], i32); 11] = [
        (&["status"], 0),
        (&["status", "chat"], 0),
        (&["status", "chat", "-w"], 0),
        (&["history", "--json"], 0),
        (&["history", "--verify"], 0),
        (&["explain", "chat", "--user", "u"], 0),
        (&["problems"], 0),
        (&["publish", "chat", "b", "--type", "t", "--id", "1"], 0),
        (&["streams", "chat"], 0),
        (&["stop", "chat"], 0),
        (&["token", "create", "lost", "--role", "viewer"], 0),
    ];
    let alone: [(&[&str], i32); 11] = [
        (&["check", flags], 0),
        (&["check", "--format", "json", flags], 0),
        (&["check", "--format", "sarif", flags], 0),
        (&["check", "--format", "github", flags], 0),
        (&["explain", "chat", "--files", flags, "--user", "u"], 0),
        (&["diff", flags, flags], 0),
        (&["schema", "flag"], 0),
        (&["completions", "bash"], 0),
        (&["--help"], 0),
        (&["--version"], 0),
        (&["help", "set"], 0),
    ];
    let with_server = with_server.iter().map(|(verb, code)| {
        // The `--data` of a publish is the event's.
        let folder = if verb[0] == "publish" { "--data-folder" } else { "--data" };
        let remote = remote.iter().map(|word| if *word == "--data" { folder } else { word });
        (verb.iter().copied().chain(remote).collect(), *code)
    });
    with_server.chain(alone.iter().map(|(verb, code)| (verb.to_vec(), *code))).collect()
}

#[tokio::test]
async fn lost_output_is_an_error_and_a_reader_that_left_is_not() {
    let service =
        Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 10% }"))]).await;
    let (admin, data) = (service.admin_url(""), service.data.to_str().unwrap().to_owned());
    let (flags, public) = (service.flags.to_str().unwrap().to_owned(), service.url(""));
    let mut table = printing(&["--server", &admin, "--data", &data], &flags);
    table.push((vec!["ask", "chat", "--user", "u", "--url", &public], 0));
    table.push((vec!["ask", "chat", "--user", "u", "-w", "--url", &public], 0));
    for (what, code) in table {
        let end = async |stdout: Stdio| {
            let mut command = turnout(&what);
            command.stdout(stdout).stderr(Stdio::piped());
            let output =
                tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            if what[0] == "token" {
                // The advice about a secret that was lost can be followed.
                let id =
                    said.split("turnout token revoke ").nth(1).unwrap_or_else(|| panic!("{said}"));
                let id = id.split_whitespace().next().unwrap();
                assert_eq!(
                    service.order(&format!("/v1/tokens/{id}/revoke"), json!({})).await.status(),
                    200,
                    "{said}"
                );
            }
            (output.status.code().unwrap(), said)
        };
        // A full disk; a file that is read-only.
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        for (stdout, why) in [
            (Stdio::from(full), "No space left"),
            (fs::File::open("/dev/null").unwrap().into(), "Bad file"),
        ] {
            let (ended, said) = end(stdout).await;
            assert_eq!(ended, 4, "{what:?}: {said}");
            assert!(said.contains(why) && said.contains("lost"), "{what:?}: {said}");
        }
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (ended, said) = end(writer.into()).await;
        assert_eq!(ended, code, "{what:?}: {said}");
        assert!(!said.contains("stdout"), "{what:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_whose_reader_left_ends() {
    let service =
        Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 10% }"))]).await;
    let (admin, data) = (service.admin_url(""), service.data.to_str().unwrap().to_owned());
    let public = service.url("");
    // A client that never acknowledges keeps -w watching.
    let watched = service.post("/v1/strategy/chat/watch", "{}").await;
    let event = json!({ "events": [{ "id": "1", "type": "t", "data": 1 }] });
    assert_eq!(service.order("/v1/feeds/chat/b", event).await.status(), 200);
    for what in [
        &["ask", "chat", "--user", "u", "-w", "--url", &public][..],
        &["ask", "chat", "--user", "u", "-w", "--json", "--url", &public],
        &["status", "chat", "-w", "--json", "--limit", "10m", "--server", &admin, "--data", &data],
        &["set", "chat", "5%", "-w", "--limit", "10m", "--server", &admin, "--data", &data],
        &["follow", "chat", "b", "--server", &admin, "--data", &data],
    ] {
        let (mut child, mut out) = follower(what);
        out.read_line(&mut String::new()).unwrap();
        let mut talk = child.stderr.take().unwrap();
        drop(out);
        // Nothing happens that it could print: it notices the closed output by itself.
        let ended = tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            talk.read_to_string(&mut said).unwrap();
            (child.wait().unwrap().code(), said)
        });
        let (code, said) =
            tokio::time::timeout(crate::support::PATIENCE, ended).await.expect("it ends").unwrap();
        assert_eq!(code, Some(0), "{what:?}: {said}");
        assert!(!said.contains("lost"), "{said}");
    }
    drop(watched);
}
