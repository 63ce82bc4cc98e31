//! What an operator sees on a terminal of 80 columns, screen by screen: the real program against a
//! real server, with colours and without. Times, ids and addresses are normalised.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::typed::{Server, turnout};

/// What is typed, one after the other.
const TYPED: &[&str] = &[
    "status",
    "set chat 25% --reason trial --for 2h -y -w",
    "set chat 20% -w",
    "status",
    "status chat",
    "rollback chat --to 1 --reason back -y",
    "rollback chat --to 1 --reason back -y",
    "stop chat",
    "stop chat -w",
    "set chat 50%",
    "set chat 5% -w",
    "set chat 5% -y",
    "rollback chat",
    "rollback chat --to 2 --reason back -y",
    "status",
    "resume chat --at 1% --reason fixed -y -w",
    "rollback chat --reason back -y",
    "rollback chat --to 2",
    "rollback chat --to 2 --reason back -y",
    "rollback chat --to 2",
    "unset chat",
    "unset chat",
    "set chat 1%",
    "set chat 50%",
    "stop --all --reason drill",
    "resume --all --reason over -y",
    "unset chat --reason tidy -y",
    "history --limit 4",
    "history search",
    "save chat 40%",
    "set chat 33% --reason held -y",
    "save chat 60%",
    "stop chat",
    "save chat 70%",
    "history chat --limit 5",
    "resume chat --reason over -y",
    "history --verify",
    "problems",
    "token create oncall --role stopper --flag chat --out oncall.token",
    "token list",
    "token revoke oncall",
    "status chta",
    "stop --help",
];

#[test]
fn screens_are_as_they_were() {
    insta::assert_snapshot!("plain", screens("1"));
}

#[test]
fn screens_in_colours_are_as_they_were() {
    insta::assert_snapshot!("coloured", screens(""));
}

fn screens(no_color: &str) -> String {
    let server = Server::start();
    let mut client = server
        .command("ask chat --user u-2 -w")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    // It is read until the end: a client without a reader leaves.
    let mut out = BufReader::new(client.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    server.check(("status -w", 0, &["1 of 1 client holds it"], &[]));
    let screens = TYPED.iter().map(|line| {
        if let Some(share) = line.strip_prefix("save chat ") {
            server.save_chat(share);
            return format!("(chat.yaml says {share})\n\n");
        }
        let shown = normalised(&server, &on_a_terminal(&server, line, no_color));
        format!("$ turnout {line}\n{shown}\n")
    });
    let screens = screens.collect();
    client.kill().unwrap();
    client.wait().unwrap();
    screens
}

/// What does not fit in a row goes on in the next line, at 80 columns and at 40.
#[test]
fn long_names_fit_the_terminal() {
    let server = Server::start();
    server.check(("set chat 5% --for 2h --then 1%", 0, &["5%"], &[]));
    let name = "the-alerts-of-the-team-for-payments-in-europe";
    let text: String = [80, 40].iter().map(|columns| {
        let token = format!("token create {name}-{columns} --role stopper --flag chat --flag search --out {columns}.token");
        let lower = format!("set chat {}% --token-file {columns}.token", columns / 20);
        let typed = [&*token, "token list", "status", &*lower, "status", "history --limit 3", "status chat", "problems"];
        let shown = typed.map(|line| {
            let shown = normalised(&server, &in_columns(&server, line, *columns, "1"));
            let typed = line.replace(name, "NAME");
            for line in shown.lines() {
                let is_copied = line.trim_start().starts_with("turnout ");
                let fits = line.chars().count() <= *columns || !line.trim().contains(' ') || is_copied;
                assert!(fits, "{columns} columns: {line}");
            }
            format!("$ turnout {typed}\n{}\n", shown.replace(name, "A-NAME-OF-FORTY-FIVE-LETTERS-----------------"))
        });
        format!("({columns} columns)\n\n{}", shown.concat())
    }).collect();
    insta::assert_snapshot!("narrow", text);
}

/// What is wrong with a server, with colours and without.
#[test]
fn problems_are_as_they_were() {
    let server = Server::start();
    let flags = server.home.path().join("flags");
    let chat = fs::read_to_string(flags.join("chat.yaml")).unwrap();
    fs::write(flags.join("chat.yaml"), chat.replace("10%", "10")).unwrap();
    fs::remove_file(flags.join("search.yaml")).unwrap();
    while problems(&server) < 2 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The state says so too: what is live is not what these files say.
    server.check(("status", 0, &["chat    realtime-v2 10%  broken  -", "10%  gone    -"], &[]));
    server.check(("status chat", 0, &["broken now (turnout problems); before: the same\n"], &[]));
    let shown = ["1", ""].map(|no_color| {
        let shown = normalised(&server, &on_a_terminal(&server, "problems", no_color));
        format!("(NO_COLOR={no_color})\n{shown}\n")
    });
    insta::assert_snapshot!("problems", shown.concat());
    fs::write(flags.join("new.yaml"), "version: 1\nflag: new\nenabled:true\n").unwrap();
    while problems(&server) < 3 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    server.check(("status", 0, &["new     no definition (polling)  broken  -"], &[]));
}

/// What the server says when it starts, by what operators hold.
#[test]
fn the_start_screen_is_as_it_was() {
    let mut server = Server::start();
    let mut text = String::new();
    for typed in [&[][..], &["set chat 5%"], &["stop search"], &["stop chat"]] {
        for line in typed {
            server.check((line, 0, &[""], &[]));
        }
        server.stop();
        server.start_again(&[]);
        text.push_str(&format!("(after: {})\n{}\n", typed.join(", "), start_screen(&server)));
    }
    server.stop();
    for flag in ["chat", "search"] {
        fs::remove_file(server.home.path().join(format!("flags/{flag}.yaml"))).unwrap();
    }
    fs::remove_dir_all(server.home.path().join("data")).unwrap();
    server.start_again(&[]);
    text.push_str(&format!("(no flags)\n{}", start_screen(&server)));
    insta::assert_snapshot!("start", text);
}

/// The same on a terminal, in colours.
#[test]
fn the_start_screen_is_coloured() {
    let mut server = Server::start();
    server.check(("set chat 5%", 0, &["5%"], &[]));
    server.check(("stop search", 0, &["STOPPED"], &[]));
    server.stop();
    let text: String = ["1", ""].map(|no_color| started_on_a_terminal(&server, no_color)).concat();
    insta::assert_snapshot!("start_coloured", text);
}

/// The lines of a start that say what is served and what operators hold, from a terminal.
fn started_on_a_terminal(server: &Server, no_color: &str) -> String {
    let program = turnout().get_program().to_str().unwrap().to_owned();
    let serve = "serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0";
    let typed = format!("stty cols 80 rows 24; echo PID $$; exec {program} {serve}");
    let mut command = Command::new("script");
    command.args(["-qec", &typed, "/dev/null"]).stdin(Stdio::null()).stdout(Stdio::piped());
    command.current_dir(server.home.path());
    for (name, value) in [("TERM", "xterm"), ("SHELL", "/bin/sh"), ("NO_COLOR", no_color)] {
        command.env(name, value);
    }
    let mut child = command.spawn().unwrap();
    let (mut pid, mut text) = (String::new(), format!("(NO_COLOR={no_color})\n"));
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
        if let Some(id) = line.strip_prefix("PID ") {
            pid = id.trim().to_owned();
        }
        if line.contains(" held over ") || line.contains("WARN") || line.contains("STOPPED") {
            let line = line.replace('\u{1b}', "\\e").replace('\r', "");
            let shown = line.split_once("Z ").map_or(&*line, |(_, shown)| shown);
            text.push_str(&format!("TIME {shown}\n"));
        }
        if line.contains("ask again") {
            assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        }
    }
    child.wait().unwrap();
    text
}

/// What stands in the log from the first line that says where it serves, without times and ports.
fn start_screen(server: &Server) -> String {
    let log = server.home.path().join("log");
    loop {
        let said = fs::read_to_string(&log).unwrap();
        let lines = said.lines().filter_map(|line| line.split_once(" turnout::app: "));
        let lines: Vec<&str> = lines.map(|(_, text)| text).collect();
        let end = ["ask again", "waiting for", "every flag is stopped"];
        if lines.last().is_some_and(|last| end.iter().any(|text| last.contains(text))) {
            let first = lines.iter().position(|line| line.starts_with("serving ")).unwrap();
            let text: String = lines[first..].iter().map(|line| format!("{line}\n")).collect();
            return [(&server.public, "http://PUBLIC"), (&server.admin, "http://ADMIN")]
                .iter()
                .fold(text, |text, (address, name)| text.replace(&**address, name))
                .replace(server.home.path().to_str().unwrap(), "HOME");
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// What a verb shows on a terminal of 80 columns, without anyone to answer.
pub(super) fn on_a_terminal(server: &Server, line: &str, no_color: &str) -> String {
    in_columns(server, line, 80, no_color)
}

/// The same on a terminal of so many columns.
pub(super) fn in_columns(server: &Server, line: &str, columns: usize, no_color: &str) -> String {
    let program = turnout().get_program().to_str().unwrap().to_owned();
    let typed = format!("stty cols {columns} rows 24; exec {program} {line}");
    let mut command = Command::new("script");
    command
        .args(["-qec", &typed, "/dev/null"])
        .stdin(Stdio::null())
        .current_dir(server.home.path());
    for (name, value) in [
        ("TURNOUT_DATA", "data"),
        ("TERM", "xterm"),
        ("SHELL", "/bin/sh"),
        ("TZ", &*zone_where_it_is_noon()),
        ("NO_COLOR", no_color),
    ] {
        command.env(name, value);
    }
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// A zone called UTC in which it is about noon: hours from now are on the same day, and shown without
/// their date (POSIX: the name, and the hours west of Greenwich).
fn zone_where_it_is_noon() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let hours_west = (seconds / 3600 % 24) as i64 - 12;
    format!("UTC{hours_west}")
}

fn normalised(server: &Server, shown: &str) -> String {
    // How long is left of two hours depends on the machine.
    let shown = shown.replace("in 118 min", "in 119 min");
    let shown = shown.replace('\r', "").replace(server.home.path().to_str().unwrap(), "HOME");
    let mut text = String::new();
    for line in shown.lines() {
        // Of a line that was drawn again and again the last state stays.
        let line = line.rsplit("\u{1b}[?7h").next().unwrap_or_default();
        let words: Vec<String> = line.split(' ').map(steady).collect();
        text.push_str(&words.join(" ").replace('\u{1b}', "\\e"));
        text.push('\n');
    }
    within(&text)
}

/// A word, or what stands for a time, a day or an id, as long as it.
fn steady(word: &str) -> String {
    let digits = word.replace(|character: char| character.is_ascii_digit(), "0");
    match digits.trim_matches(|character| ",:;()".contains(character)) {
        "00:00" => digits.replace("00:00", "HH:MM"),
        "00:00:00" => digits.replace("00:00:00", "HH:MM:SS"),
        "0000-00-00" => digits.replace("0000-00-00", "YYYY-MM-DD"),
        id if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            word.replace(|character: char| character.is_ascii_hexdigit(), "x")
        }
        _ => word.to_owned(),
    }
}

/// `(99% within 12 ms)`, `(within 12 ms)`: it took another time.
fn within(text: &str) -> String {
    let mut parts = text.split("within ");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_time = part.starts_with(|first: char| first.is_ascii_digit());
        let rest = part.split_once(')').filter(|_| is_time).map(|(_, rest)| rest);
        match rest {
            Some(rest) => whole.push_str(&format!("within TIME){rest}")),
            None => whole.push_str(&format!("within {part}")),
        }
    }
    whole
}

fn problems(server: &Server) -> usize {
    let told = server.run("problems --json").1;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    told["problems"].as_array().unwrap().len()
}
