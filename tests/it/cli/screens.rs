//! What an operator sees on a terminal of 80 columns, screen by screen: the real program against a
//! real server, with colours and without. Times, ids and addresses are normalised.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

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
    "set chat 5%",
    "set chat 5% -y -w",
    "set chat 5% -y",
    "rollback chat",
    "rollback chat --to 2 --reason back -y",
    "status",
    "resume chat --at 1% --reason fixed -y -w",
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

/// What a verb shows on a terminal, without anyone to answer.
fn on_a_terminal(server: &Server, line: &str, no_color: &str) -> String {
    let program = turnout().get_program().to_str().unwrap().to_owned();
    let typed = format!("stty cols 80 rows 24; exec {program} {line}");
    let mut command = Command::new("script");
    command
        .args(["-qec", &typed, "/dev/null"])
        .stdin(Stdio::null())
        .current_dir(server.home.path());
    for (name, value) in [
        ("TURNOUT_DATA", "data"),
        ("TERM", "xterm"),
        ("SHELL", "/bin/sh"),
        ("TZ", "UTC"),
        ("NO_COLOR", no_color),
    ] {
        command.env(name, value);
    }
    String::from_utf8(command.output().unwrap().stdout).unwrap()
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

/// `99% within 12 ms` took another time.
fn within(text: &str) -> String {
    let mut parts = text.split(" within ");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.split_once(')').map_or(part, |(_, rest)| rest);
        whole.push_str(&format!(" within TIME){rest}"));
    }
    whole
}
