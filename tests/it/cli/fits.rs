//! Whatever a verb says fits the terminal: refusals, hints, explanations and helps, each by the real
//! program on a terminal of its own. What is longer is a command to copy, or a path.

use std::fs;

use super::screens::in_columns;
use crate::support::typed::{Server, output, turnout};

/// Every verb that has a help text.
const VERBS: [&str; 29] = [
    "",
    "serve",
    "demo",
    "check",
    "explain",
    "ask",
    "publish",
    "follow",
    "streams",
    "status",
    "set",
    "unset",
    "stop",
    "resume",
    "rollback",
    "history",
    "token",
    "token create",
    "token revoke",
    "session",
    "keys",
    "keys revoke",
    "problems",
    "diff",
    "retire",
    "backup",
    "restore",
    "completions",
    "schema",
];

/// What is typed, and what is said of it somewhere; blanks and line ends are alike there.
const TYPED: &[(&str, &str)] = &[
    ("set chat 40%", "[y/N]"),
    ("set chat 40% -y", "say --reason"),
    ("set chat 40", "write 40%"),
    ("set chat 0.25", "0.25"),
    ("set chat realtime=4%", "a share is of realtime-v2 or of disabled"),
    ("set chat 4% 5%", "given twice"),
    ("set chat 70% disabled=50% -y --reason x", "exceed 100% together"),
    ("set 25% chat", "the flag comes first"),
    ("set chat 5% --for soon", "is not a length of time"),
    ("set chat 5% --for 900d", "a time from 1 ms to a year"),
    ("set chat 5% --then 3%", "--for"),
    ("set chat 5% --limit 5s", "--watch"),
    ("set chta 5%", "did you mean `chat`?"),
    ("set nothing-of-this-name-at-all 5%", "turnout status lists the flags"),
    ("unset chta", "did you mean `chat`?"),
    ("stop chta", "did you mean `chat`?"),
    ("stop", "<FLAG|--all>"),
    ("resume chta --reason x", "did you mean `chat`?"),
    ("resume chat --at 1", "write 1%"),
    ("resume --all", "no flag is stopped"),
    ("rollback chat -y --reason x", "left to roll back"),
    ("rollback chat --to 9999 -y --reason x", "turnout history lists them"),
    ("rollback chat --to x", "invalid value"),
    ("status chta", "did you mean `chat`?"),
    ("status -w", "done"),
    ("status chat", "clients"),
    ("status --server http://127.0.0.1:1", "is it running?"),
    ("status --server localhost:80", "write http://HOST:PORT"),
    ("status --server http://a:b@127.0.0.1:1", "a token goes into a file"),
    ("status --token-file nowhere.token", "no token could be read"),
    ("status --token-file server.token", "the role server may not do this"),
    ("set chat 5% --token-file viewer.token", "the role viewer may not do this"),
    ("set chat 40% -y --reason x --token-file stopper.token", "ask a person with the role"),
    ("history chta", "did you mean `chat`?"),
    ("history --limit 900", "900"),
    ("history --verify", "unaltered"),
    ("problems", "mistyped-attribute"),
    ("problems --server http://127.0.0.1:1", "is it running?"),
    ("explain chat --user u-1 --attr plan=x", "is not declared"),
    ("explain chta", "did you mean `chat`?"),
    ("explain chat --bucket 100000", "a bucket is 0 to 99999"),
    ("explain chat --attr platform", "NAME=VALUE"),
    ("explain chta --files flags", "did you mean `chat`?"),
    ("explain broken --files other", "has no good form"),
    ("ask chta", "did you mean `chat`?"),
    ("ask rooms --user u-1 --attr seats=5", "of another type"),
    ("ask chat --url http://127.0.0.1:1", "is it running?"),
    ("ask chat --url http://127.0.0.1:1 --bearer-file nowhere", "no token could be read"),
    ("publish chat b-1", "there is nothing to publish"),
    ("publish chat b-1 --data done", "that is not JSON"),
    ("publish chat b-1 nowhere.json", "cannot be read"),
    ("publish chat ended --data 1", "publish to a stream of another name"),
    (
        "publish chat b-1 --data 1 --url http://127.0.0.1:1 --token-file none",
        "a server key is needed",
    ),
    ("publish chta b-1 --data 1", "did you mean `chat`?"),
    ("follow chta b-1", "did you mean `chat`?"),
    ("follow chat ended", "has ended"),
    ("streams chta", "did you mean `chat`?"),
    ("token create a b", "unexpected argument"),
    ("token create a --role king", "invalid value"),
    ("token create a --role stopper --flag chta", "--yes makes the token all the same"),
    ("token create long-COLUMNS --role stopper --flag chat --flag search", "turnout token revoke"),
    ("token create a --role viewer --out server.token", "name another file, or remove it"),
    ("token revoke no-such-token", "turnout token list shows them"),
    ("token revoke 'a b'", "that is not a token's id or name"),
    ("session u-1 --stream chat", "a stream is named with its flag"),
    ("session u-1 --for 900h", "is not a length of time"),
    ("keys revoke not.one", "turnout keys list shows them"),
    ("check other", "error"),
    ("check mistakes", "`- ` of a list, begin in one column"),
    ("check mistakes", "say so with `segments: [beta]`"),
    ("check nowhere", "does not exist"),
    ("explain rooms --attr seats=many", "was sent as a text; write it like seats:=5"),
    ("diff flags other", "fix them first"),
    ("diff flags nowhere", "name two folders of flags"),
    ("retire chta --flags flags", "did you mean `chat`?"),
    ("backup data", "turnout"),
    ("restore data", "turnout"),
    ("restore nowhere", "nowhere"),
    ("sett chat 5%", "exists: 'set'"),
    ("delete chat", "`turnout retire FLAG` gives a flag up"),
    ("serve --listen nowhere", "--listen"),
];

/// Lines of flag files with a mistake in each; the helps of some are long.
const MISTAKES: [&str; 9] = [
    "rollout:\n   realtime-v2: 10%\n  disabled: 1%",
    "deny: - users: [u-1]",
    "<<<<<<< HEAD\nowner: a",
    "owner: 'it's'",
    "tests: [{ expect: polling, with: { country: de } }]",
    "tests: [{ expect: polling, by: stop }]",
    "deny: [{ when: { a_name_of_many_letters_for_an_attribute: { at_least: 5 } } }]",
    "owner_of_it: a",
    "allow: [{ segment: beta, strategy: realtime-v2 }]\ntests: [{ user: u-1, expect: realtime-v2 }]",
];

#[test]
fn every_line_fits_the_terminal() {
    let server = Server::start();
    let other = server.home.path().join("other");
    fs::create_dir(&other).unwrap();
    let chat = fs::read_to_string(server.home.path().join("flags/chat.yaml")).unwrap();
    let broken = chat.replace("flag: chat", "flag: broken").replace("10%", "10");
    let long =
        "a description of a flag that goes on for longer than a terminal has columns, and further";
    fs::write(other.join("broken.yaml"), format!("{broken}description: [{long}]\n")).unwrap();
    let mistakes = server.home.path().join("mistakes");
    fs::create_dir_all(mistakes.join("segments")).unwrap();
    fs::write(mistakes.join("segments/beta.yaml"), "version: 1\nsegment: beta\nusers: [u-1]\n")
        .unwrap();
    for (number, lines) in MISTAKES.iter().enumerate() {
        let head = chat.replace("flag: chat", &format!("flag: m{number}"));
        let head = head.split("rollout").next().unwrap();
        fs::write(mistakes.join(format!("m{number}.yaml")), format!("{head}{lines}\n")).unwrap();
    }
    for role in ["server", "viewer", "stopper"] {
        let file = server.home.path().join(format!("{role}.token"));
        let made = format!("token create a-{role} --role {role} --out {}", file.display());
        server.check((&made, 0, &[], &["undo"]));
    }
    server.check(("publish chat ended --ended", 0, &["ended"], &[]));
    let rule = "rules: [{ name: big, when: { seats: { at_least: 5 } }, strategy: realtime-v2 }]\n";
    let rooms = chat.replace("flag: chat", "flag: rooms") + rule;
    fs::write(server.home.path().join("flags/rooms.yaml"), rooms).unwrap();
    while server.run("status rooms").0 != 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    server.check(("ask rooms --user u-1 --attr seats=5", 0, &["rule error"], &["another type"]));
    while !server.run("problems").1.contains("mistyped-attribute") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let helps = VERBS.map(|verb| (format!("{verb} --help"), "Usage: turnout"));
    let typed = TYPED.iter().map(|(line, says)| ((*line).to_owned(), *says));
    let mut faults = Vec::new();
    for (line, says) in typed.chain(helps) {
        for columns in [80, 60] {
            let shown =
                in_columns(&server, &line.replace("COLUMNS", &columns.to_string()), columns, "1");
            // What was drawn and drawn over, and where a person's answer would stand.
            let shown = shown.replace('\r', "").replace("[y/N] ", "[y/N]\n");
            let shown = shown.rsplit("\u{1b}[?7h").next().unwrap_or_default();
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            if !words(shown).contains(&words(says)) {
                faults.push(format!("turnout {line}: no `{says}` in\n{shown}"));
            }
            for text in shown.lines().filter(|text| !fits(text, columns)) {
                faults.push(format!(
                    "turnout {line}: {} of {columns} columns: {text}",
                    text.chars().count()
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether a line fits, or is what a person copies: a command of its own, or a path.
fn fits(line: &str, columns: usize) -> bool {
    let line = line.trim_end();
    let own = line.trim_start();
    line.chars().count() <= columns
        || !own.contains(' ')
        || ["undo: turnout ", "turnout ", "--> "].iter().any(|begin| own.starts_with(begin))
}

/// A program that reads a pipe finds each message in one line.
#[test]
fn a_pipe_gets_whole_lines() {
    let nowhere = "http://127.0.0.1:1";
    let (exit, stdout, stderr) = output(turnout().args(["status", "--server", nowhere]));
    assert_eq!((exit, &*stdout), (4, ""));
    // A help leads to a pager.
    for verb in VERBS {
        let help = output(turnout().args(verb.split_whitespace()).arg("--help")).1;
        let wide = help.lines().find(|line| !fits(line, 80));
        assert_eq!((wide, help.starts_with("turnout: ")), (None, false), "turnout {verb} --help");
        // An example is copied as it stands.
        let lines: Vec<&str> = help.lines().collect();
        let broken = lines
            .windows(2)
            .find(|pair| pair[0].starts_with("  turnout ") && pair[1].starts_with("    "));
        assert_eq!(broken, None, "turnout {verb} --help");
    }
    let wanted = format!(
        "turnout: {nowhere}: no server answers there; is it running? --server says where to ask\n"
    );
    assert_eq!(stderr, wanted);
}
