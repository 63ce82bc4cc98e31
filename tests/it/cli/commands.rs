//! The command line as people use it: the real binary, its output and its exit codes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;
use turnout::data_dir::Addresses;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn turnout(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command.args(arguments).current_dir(ROOT);
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("TURNOUT_") || name == "INTERNAL_USER_IDS")
    {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = turnout(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A served process, ended by a signal.
struct Served {
    child: Child,
    data: TempDir,
    /// The lines it printed at its start.
    said: Vec<String>,
}

/// A failing test leaves no server behind.
impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    /// On free ports, unless the arguments say otherwise.
    fn start(arguments: &[&str]) -> Served {
        let mut all = vec!["--admin-listen", "127.0.0.1:0"];
        if !arguments.contains(&"--listen") {
            all.extend(["--listen", "127.0.0.1:0"]);
        }
        all.extend(arguments);
        let data = TempDir::new().unwrap();
        let mut child =
            turnout(&all).env("TURNOUT_DATA", data.path()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            let last = line.contains("then change") || line.contains("waiting for");
            said.push(line);
            if last {
                break;
            }
        }
        // Later lines are read too, so that the process never blocks on its output.
        std::thread::spawn(move || lines.for_each(drop));
        Served { child, data, said }
    }

    /// The addresses it listens on, as programs look them up.
    fn addresses(&self) -> Addresses {
        Addresses::read(self.data.path()).unwrap().unwrap()
    }

    fn data(&self) -> &str {
        self.data.path().to_str().unwrap()
    }

    fn stop(mut self) -> i32 {
        let signalled =
            Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(signalled.success());
        self.child.wait().unwrap().code().unwrap()
    }
}

/// The printed calls, typed into a shell as printed, have the results that the vectors state.
#[test]
fn the_printed_calls_answer_what_the_vectors_say() {
    let vectors: Json = serde_json::from_slice(
        &fs::read(Path::new(ROOT).join("tests/vectors/evaluations.json")).unwrap(),
    )
    .unwrap();
    let served = Served::start(&[]);
    let names: BTreeMap<&str, &str> = [
        ("allowed", "allowed"),
        ("denied", "denied"),
        ("inside the rollout", "inside"),
        ("outside of it", "outside"),
    ]
    .into();
    let calls: Vec<&String> = served.said.iter().filter(|line| line.contains("curl")).collect();
    assert_eq!(calls.len(), 4, "{:?}", served.said);
    for call in calls {
        let line = &call[call.find("curl").unwrap()..];
        let what = line.rsplit("# ").next().unwrap();
        let name = format!("shipped: {}", names[what]);
        let case =
            vectors["cases"].as_array().unwrap().iter().find(|case| case["name"] == *name).unwrap();
        let user = case["context"]["targetingKey"].as_str().unwrap();
        assert!(
            line.contains(&format!("\"{user}\"")),
            "{line} asks for another user than the vector {name}"
        );
        let answer = Command::new("sh").args(["-c", line]).output().unwrap();
        assert!(answer.status.success(), "{line}: {}", String::from_utf8_lossy(&answer.stderr));
        let answer: Json = serde_json::from_slice(&answer.stdout).unwrap();
        for member in ["strategy", "rule", "reason"] {
            assert_eq!(answer[member], case["expect"][member], "{name}: {member}");
        }
    }
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_taken_port_is_one_clear_line_and_exit_4() {
    let first = Served::start(&[]);
    let Addresses { public, admin } = first.addresses();
    let [public, admin] = [&public, &admin].map(|url| url.strip_prefix("http://").unwrap());
    assert!(
        first.said.iter().any(|line| line.contains(public))
            && first.said.iter().any(|line| line.contains(admin))
    );
    for (taken, listen, admin_listen) in
        [(public, public, "127.0.0.1:0"), (admin, "127.0.0.1:0", admin)]
    {
        let data = TempDir::new().unwrap();
        let data = data.path().to_str().unwrap();
        let (exit, stdout, stderr) =
            run(&["serve", "--data", data, "--listen", listen, "--admin-listen", admin_listen]);
        assert_eq!((exit, stdout.as_str(), stderr.lines().count()), (4, "", 1), "{stderr}");
        assert!(stderr.contains(taken) && stderr.contains("listen"), "{stderr}");
    }
    first.stop();
}

#[test]
fn a_missing_flags_folder_is_reported_and_waited_for() {
    let home = TempDir::new().unwrap();
    let flags = home.path().join("not-there");
    let served = Served::start(&["--flags", flags.to_str().unwrap()]);
    assert!(
        served.said.iter().any(|line| line.contains("waiting for") && line.contains("not-there")),
        "{:?}",
        served.said
    );
    assert_eq!(served.stop(), 0);
}

#[test]
fn problems_lists_what_is_wrong_with_a_running_server() {
    let home = TempDir::new().unwrap();
    let good = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\n";
    fs::write(home.path().join("chat.yaml"), good.replace("true", "yes")).unwrap();
    let served = Served::start(&["--flags", home.path().to_str().unwrap()]);
    let admin = served.addresses().admin;
    let (exit, stdout, _) = run(&["problems", "--server", &admin, "--data", served.data()]);
    assert_eq!(exit, 1);
    assert!(
        ["chat.yaml:3:10", "wrong-type", "write `true`", "by events"]
            .iter()
            .all(|wanted| stdout.contains(wanted)),
        "{stdout}"
    );
    let (exit, stdout, _) =
        run(&["problems", "--json", "--server", &admin, "--data", served.data()]);
    let reply: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (exit, &reply["problems"][0]["code"], &reply["watch"]),
        (1, &"wrong-type".into(), &"events".into())
    );
    served.stop();
    let (exit, stdout, stderr) = run(&["problems", "--server", &admin]);
    assert!(exit == 4 && stdout.is_empty() && stderr.contains("is it running"), "{stderr}");

    fs::write(home.path().join("chat.yaml"), good).unwrap();
    let served = Served::start(&["--flags", home.path().to_str().unwrap()]);
    let (exit, stdout, _) =
        run(&["problems", "--server", &served.addresses().admin, "--data", served.data()]);
    assert!(exit == 0 && stdout.contains("no problems"), "{stdout}");
    served.stop();
}

/// The table has its final size from the start, so that no request waits while it grows
/// (docs/decisions/0021).
#[cfg(target_os = "linux")]
#[test]
fn the_table_of_open_files_has_room_for_all_connections_from_the_start() {
    for (connections, room) in [("10", 138), ("700", 828)] {
        let served = Served::start(&["--max-connections", connections]);
        let status = fs::read_to_string(format!("/proc/{}/status", served.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
        let table: u64 = line.trim().parse().unwrap();
        // The system sizes the table in powers of two.
        assert!((room..room * 2).contains(&table), "{table} for {connections} connections");
    }
}

#[test]
fn settings_are_all_checked_before_anything_is_bound() {
    let (exit, _, stderr) = run(&[
        "--listen",
        "nowhere",
        "--enable-server-auth",
        "perhaps",
        "--feature-client-supabase",
        "maybe",
        "--token-handoff",
        "sometimes",
    ]);
    assert_eq!((exit, stderr.lines().count()), (2, 4), "{stderr}");
    assert!(
        ["--listen", "ENABLE_SERVER_AUTH", "FEATURE_CLIENT_SUPABASE", "TURNOUT_TOKEN_HANDOFF"]
            .iter()
            .all(|name| stderr.contains(name)),
        "{stderr}"
    );
    assert_eq!(run(&["--no-such-flag"]).0, 2);
    let (exit, _, stderr) = run(&[
        "--max-connections",
        "0",
        "--header-timeout",
        "5",
        "--body-timeout",
        "0s",
        "--write-timeout",
        "1.5s",
        "--idle-timeout",
        "31d",
    ]);
    assert_eq!((exit, stderr.lines().count()), (2, 5), "{stderr}");
    for name in
        ["MAX_CONNECTIONS", "HEADER_TIMEOUT", "BODY_TIMEOUT", "WRITE_TIMEOUT", "IDLE_TIMEOUT"]
    {
        assert!(stderr.contains(&format!("TURNOUT_{name}: `")), "{stderr}");
    }
}

/// The settings about who may ask are given completely or not at all; every error is reported at
/// once.
#[test]
fn settings_about_who_may_ask_are_checked_together() {
    let session = [
        "--session-keys",
        "k",
        "--session-algorithm",
        "ES256",
        "--session-issuer",
        "i",
        "--session-audience",
        "a",
    ];
    // (arguments, what the lines say, one each)
    let table: [(&[&str], &[&str]); 8] = [
        (
            &["--listen", "0.0.0.0:0"],
            &["TURNOUT_UNVERIFIED: 0.0.0.0:0 can be reached from other machines"],
        ),
        (&["--listen", "[::]:0"], &["TURNOUT_UNVERIFIED"]),
        (&["--unverified", "perhaps"], &["neither allow nor deny"]),
        (
            &session[..2],
            &[
                "TURNOUT_SESSION_KEYS: session tokens also need TURNOUT_SESSION_ALGORITHM, TURNOUT_SESSION_ISSUER",
            ],
        ),
        (
            &session[2..4],
            &["TURNOUT_SESSION_ALGORITHM: session tokens also need TURNOUT_SESSION_KEYS"],
        ),
        (&["--session-algorithm", "none"], &["also need", "`none`: an algorithm is HS256"]),
        (&["--session-keys", "http://issuer.example.com/jwks"], &["also need", "write https://"]),
        (
            &[
                "--listen",
                "nowhere",
                "--unverified",
                "x",
                "--cors-origins",
                "*,null",
                "--enable-server-auth",
                "perhaps",
            ],
            &["--listen", "neither allow nor deny", "`*`", "`null`", "ENABLE_SERVER_AUTH"],
        ),
    ];
    for (arguments, words) in table {
        let (exit, stdout, stderr) = run(arguments);
        assert_eq!(
            (exit, &*stdout, stderr.lines().count()),
            (2, "", words.len()),
            "{arguments:?}: {stderr}"
        );
        assert!(
            stderr.lines().zip(words).all(|(line, words)| line.contains(words)),
            "{arguments:?}: {stderr}"
        );
    }
    let open = Served::start(&["--listen", "0.0.0.0:0", "--unverified", "allow"]);
    assert_eq!(open.stop(), 0);
}

/// The defaults in `--help` are those the listener uses without settings.
#[test]
fn the_default_limits_of_the_command_line_are_those_of_the_server() {
    use clap::{Args, Command, FromArgMatches};
    use turnout::config::LimitArgs;
    let no_arguments =
        LimitArgs::augment_args(Command::new("turnout")).get_matches_from(["turnout"]);
    let limits = LimitArgs::from_arg_matches(&no_arguments).unwrap().check().unwrap();
    let (of_listener, of_streams) =
        (turnout::http::Limits::default(), turnout::http::StreamLimits::default());
    assert_eq!(limits, (of_listener, of_streams, 1024 * 1024 * 1024));
}

#[test]
fn check_reports_every_error_with_its_place() {
    let (exit, stdout, _) =
        run(&["check", "flags", "flags/examples/week-0", "flags/segments/internal.yaml"]);
    assert_eq!(exit, 0, "{stdout}");
    assert!(stdout.contains("1 flag, 1 segment") && stdout.contains("all good"), "{stdout}");

    let home = TempDir::new().unwrap();
    let text = "version: 1\nflag: chat\nenabled: yes\ndefault: polling\nwhen_stopped: polling\nrollout: { realtime-v2: 10 }\n";
    fs::write(home.path().join("chat.yaml"), text).unwrap();
    let (exit, stdout, _) = run(&["check", home.path().to_str().unwrap()]);
    assert_eq!(exit, 1);
    for wanted in [
        "chat.yaml:3:10",
        "wrong-type",
        "write `true`",
        "chat.yaml:6:25",
        "bad-share",
        "write 10%",
        "2 errors",
    ] {
        assert!(stdout.contains(wanted), "no {wanted} in:\n{stdout}");
    }
    assert!(stdout.contains("3 | enabled: yes"), "the line itself is shown:\n{stdout}");

    fs::write(
        home.path().join("chat.yaml"),
        text.replace("yes", "true").replace("10 }", "10% }") + "tests: [{ expect: disabled }]\n",
    )
    .unwrap();
    let (exit, stdout, _) = run(&["check", home.path().to_str().unwrap()]);
    assert!(
        exit == 1
            && stdout.contains("expected disabled, got polling by no-unit")
            && stdout.contains("1 failed test"),
        "{stdout}"
    );
    assert_eq!(run(&["check", "no/such/folder"]).0, 2);
    let empty = TempDir::new().unwrap();
    assert_eq!(run(&["check", empty.path().to_str().unwrap()]).0, 1);
}

/// A flag whose tests fail is the one that a person asks about.
#[test]
fn explain_explains_a_flag_whose_tests_fail() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("chat.yaml");
    let text = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\n\
        rollout: { realtime-v2: 100% }\ntests: [{ user: u, expect: polling }]\n";
    fs::write(&path, text).unwrap();
    let folder = home.path().to_str().unwrap();
    let (exit, stdout, stderr) = run(&["explain", "chat", "--files", folder, "--user", "u"]);
    assert_eq!(exit, 0, "{stderr}");
    assert!(stdout.starts_with("realtime-v2   rule rollout"), "{stdout}");
    assert!(stdout.contains("note: a server does not take this file as it is"), "{stdout}");
    fs::write(&path, text.replace("100%", "100")).unwrap();
    let (exit, _, stderr) = run(&["explain", "chat", "--files", folder, "--user", "u"]);
    assert!(exit == 1 && stderr.contains("has no good form"), "{stderr}");
}

#[test]
fn explain_agrees_with_the_published_vectors() {
    let vectors: Json = serde_json::from_slice(
        &fs::read(Path::new(ROOT).join("tests/vectors/evaluations.json")).unwrap(),
    )
    .unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases.iter().filter(|case| {
        case["folder"] == "shipped" && case["name"].as_str().unwrap().starts_with("shipped: ")
    }) {
        let identity = case["context"]["identity"].as_str().unwrap();
        let mut arguments =
            vec!["explain", "build-events", "--files", "flags", "--json", "--identity", identity];
        let user = case["context"]["targetingKey"].as_str().unwrap_or_default();
        arguments.extend(["--user", user]);
        let has_attributes = case["context"]["attributes"]
            .as_object()
            .is_some_and(|attributes| !attributes.is_empty());
        if has_attributes || case["stopped"] == true || case["serverAuth"] == true {
            continue;
        }
        let (exit, stdout, stderr) = run(&arguments);
        assert_eq!(exit, 0, "{stderr}");
        let story: Json = serde_json::from_str(&stdout).unwrap();
        for member in ["strategy", "rule", "reason", "hash", "bucket"] {
            assert_eq!(story[member], case["expect"][member], "{}: {member}", case["name"]);
        }
        assert!(!story["steps"].as_array().unwrap().is_empty());
    }
}

#[test]
fn explain_takes_attributes_as_a_client_sends_them_and_says_what_is_odd() {
    let explain =
        |more: &[&str]| {
            let (exit, stdout, stderr) =
                run(&[&["explain", "build-events", "--files", "flags", "--user", "u-0"], more]
                    .concat());
            (exit, stdout + &stderr)
        };
    let (_, story) = explain(&["--attr", "platform=ios", "--attr", "app_version=2.9"]);
    assert!(story.starts_with("polling   rule deny"), "{story}");
    let (_, story) = explain(&["--attr", "platform=ios", "--attr", "app_version=latest"]);
    assert!(
        story.contains("rule error") && story.contains("`app_version` is of another type"),
        "{story}"
    );
    let (_, story) = explain(&["--attr", "email=a@example.com"]);
    assert!(story.contains("rule allow"), "{story}");
    let (_, story) = explain(&["--attr", "email=a@example.com", "--identity", "plain"]);
    assert!(story.contains("rule rollout"), "{story}");
    // (an attribute, what is said of it)
    for (attribute, says) in [
        ("app_version:=2.9", "`app_version` is of another type than declared"),
        (
            "app_version:=2.9",
            "`app_version` is declared a version, as a text, and was sent as a number; write it like app_version=2.10",
        ),
        ("app_version=latest", "`app_version` is declared a version, and this text is none"),
        (
            "platfrom=ios",
            "`platfrom` is not declared by this flag, so nothing depends on it; did you mean `platform`?",
        ),
        ("zzz=1", "it declares `platform`, `app_version` and `plan`"),
        ("platform=windows", "the value of `platform` is none of its words"),
        ("platform=andriod", "did you mean `android`?"),
        (
            "platform:=5",
            "`platform` is declared one of a list of words, and was sent as a number; write it like platform=ios",
        ),
        ("email:=5", "`email` is declared a text, and was sent as a number"),
    ] {
        let whole = ["--attr", "platform=ios", "--attr", attribute];
        let is_platform = attribute.starts_with("platform");
        let (exit, story) = explain(if is_platform { &whole[2..] } else { &whole });
        assert!(exit == 0 && story.contains(says), "{attribute}: {story}");
    }
    let (_, story) = explain(&["--attr", "platform=ios", "--attr", "email=a@example.com"]);
    assert!(
        story.contains("asked as verified, as if a session token")
            && story.ends_with(
                "note: without a session token: polling, rule rollout (--identity plain asks so)\n"
            )
            && story.matches("note: ").count() == 1,
        "{story}"
    );
    let (_, story) = explain(&["--identity", "plain"]);
    assert!(story.contains("asked as plain, without a credential"), "{story}");
    let (_, story) = explain(&["--bucket", "9999"]);
    assert!(story.starts_with("realtime-v2   rule rollout"), "{story}");
    for (arguments, exit) in [(&["--bucket", "100000"][..], 2), (&["--attr", "platform"], 2)] {
        assert_eq!(explain(arguments).0, exit, "{arguments:?}");
    }
    let (exit, _, stderr) = run(&["explain", "build-event", "--files", "flags", "--user", "u-0"]);
    assert!(exit == 1 && stderr.contains("did you mean `build-events`?"), "{stderr}");
    assert_eq!(run(&["explain", "build-events", "--files", "nowhere"]).0, 2);
}

/// The folder `shipped` of the vectors is what ships, as JSON.
#[test]
fn the_vectors_hold_the_shipped_flags() {
    use turnout::definition::{DefinitionSet, FlagFiles};
    use turnout::flag::Segments;
    let read = |path: &str| fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
    let read_folder = |flag: &str, segment: &str| {
        let mut definitions = DefinitionSet::default();
        assert_eq!(
            definitions.update(&FlagFiles::of([
                ("build-events.yaml", flag),
                ("segments/internal.yaml", segment)
            ])),
            []
        );
        definitions.flags().next().unwrap().1.unwrap()
    };
    let vectors: Json = serde_json::from_str(&read("tests/vectors/evaluations.json")).unwrap();
    let shipped = &vectors["folders"]["shipped"];
    let flag = read("flags/build-events.yaml");
    let without_transports: String = {
        let (head, rest) = flag.split_once("\ntransports:").unwrap();
        let (_, tests) = rest.split_once("\ntests:").unwrap();
        format!("{head}\ntests:{tests}")
    };
    let ships = read_folder(&without_transports, &read("flags/segments/internal.yaml"));
    let reply = read_folder(
        &shipped["flags"]["build-events"].to_string(),
        &shipped["segments"]["internal"].to_string(),
    );
    // Transports take no part in an evaluation; with them the shipped file is another definition,
    // without them the same.
    assert_eq!(ships.0, reply.0);
    match (&ships.1, &reply.1) {
        (Segments::Known(ships), Segments::Known(reply)) => {
            let (ships, reply) = (&ships[0], &reply[0]);
            assert_eq!(ships.members, reply.members);
        }
        _ => panic!("the shipped segment has no good form"),
    }
}
