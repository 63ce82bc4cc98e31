//! What a person at a terminal is asked, by role: nothing that would be refused afterwards, and no
//! way back is shown that the role may not go.

use std::fs;

use super::screens::on_a_terminal;
use crate::support::typed::Server;

/// What becomes of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A person is asked.
    Asked,
    /// Refused, with the role to ask for.
    Refused,
    /// Done, and the way back is shown.
    Done,
    /// Done, and it is said who may take it back.
    DoneForGood,
    /// The server looked, and there was nothing to do.
    Nothing,
}

use End::{Asked, Done, DoneForGood, Nothing, Refused};

const ROLES: [&str; 5] = ["server", "viewer", "stopper", "operator", "admin"];

/// What is typed, and what comes of it for each role.
const VERBS: [(&str, [End; 5]); 11] = [
    ("set chat 40%", [Refused, Refused, Refused, Asked, Asked]),
    ("unset chat", [Refused, Refused, Refused, Asked, Asked]),
    ("rollback chat", [Refused, Refused, Refused, Asked, Asked]),
    ("resume search", [Refused, Refused, Refused, Asked, Asked]),
    ("resume --all", [Refused, Refused, Refused, Asked, Asked]),
    ("set chat ROLE%", [Refused, Refused, DoneForGood, Done, Done]),
    ("stop extra-ROLE", [Refused, Refused, DoneForGood, Done, Done]),
    ("stop search", [Refused, Refused, Nothing, Nothing, Nothing]),
    ("token list", [Refused, Refused, Refused, Refused, Nothing]),
    ("token create by-ROLE --role viewer", [Refused, Refused, Refused, Refused, Done]),
    ("token revoke by-no-one", [Refused, Refused, Refused, Refused, Nothing]),
];

#[test]
fn a_role_is_known_before_a_person_is_asked() {
    let server = Server::start();
    let chat = fs::read_to_string(server.home.path().join("flags/chat.yaml")).unwrap();
    for role in ROLES {
        let flag = format!("extra-{role}");
        let path = server.home.path().join(format!("flags/{flag}.yaml"));
        fs::write(path, chat.replace("flag: chat", &format!("flag: {flag}"))).unwrap();
        while server.run(&format!("status {flag}")).0 != 0 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let token = server.home.path().join(format!("{role}.token"));
        let made = format!("token create a-{role} --role {role} --out {}", token.display());
        server.check((&made, 0, &[], &["undo"]));
    }
    server.check(("set chat 9%", 0, &["9%"], &[]));
    server.check(("stop search", 0, &["STOPPED"], &[]));
    for (verb, ends) in VERBS {
        for (number, (role, end)) in ROLES.iter().zip(ends).enumerate() {
            let typed = match verb {
                // Each lowers it further.
                "set chat ROLE%" => format!("set chat {}%", 8 - number),
                _ => verb.replace("ROLE", role),
            };
            let shown = on_a_terminal(&server, &format!("{typed} --token-file {role}.token"), "1");
            assert_eq!(end_of(&shown), end, "{role}: turnout {typed}\n{shown}");
        }
    }
}

fn end_of(shown: &str) -> End {
    // A line may be broken at any blank.
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let has = |text: &str| shown.contains(text);
    match () {
        () if has("[y/N]") => Asked,
        () if has("only the role operator or admin may undo it:") => DoneForGood,
        () if has("the role ") || has("with the role") => Refused,
        () if has("undo: turnout ") => Done,
        () => Nothing,
    }
}

/// What a refusal names is who may make the call, whatever the verb looks at before.
#[test]
fn a_refusal_names_the_roles_that_the_verb_takes() {
    const LOOK: &str = "viewer, stopper, operator or admin";
    const NARROW: &str = "stopper (to stop and lower), operator or admin";
    const WRITE: &str = "operator or admin";
    const ADMIN: &str = "admin";
    let server = Server::start();
    for role in ["server", "viewer", "stopper"] {
        let token = server.home.path().join(format!("{role}.token"));
        let made = format!("token create a-{role} --role {role} --out {}", token.display());
        server.check((&made, 0, &[], &["undo"]));
    }
    server.check(("set chat 9%", 0, &["9%"], &[]));
    server.check(("stop search", 0, &["STOPPED"], &[]));
    // Who is refused, and the roles that are named.
    let (all, viewers, servers) =
        (&["server", "viewer", "stopper"][..], &["server", "viewer"][..], &["server"][..]);
    for (typed, refused, takes) in [
        ("status", servers, LOOK),
        ("status chat", servers, LOOK),
        ("status -w", servers, LOOK),
        ("history", servers, LOOK),
        ("history chat", servers, LOOK),
        ("history --verify", servers, LOOK),
        ("problems", servers, LOOK),
        ("explain chat", servers, LOOK),
        ("streams", servers, LOOK),
        ("streams chat", servers, LOOK),
        ("set chat 40%", viewers, NARROW),
        ("unset chat", viewers, NARROW),
        ("stop chat", viewers, NARROW),
        ("stop --all", viewers, NARROW),
        ("rollback chat", viewers, NARROW),
        ("resume search", all, WRITE),
        ("resume --all", all, WRITE),
        ("publish chat b-1 --data 1", all, WRITE),
        ("keys list", all, ADMIN),
        ("keys rotate", all, ADMIN),
        ("token list", all, ADMIN),
        ("token create x --role viewer", all, ADMIN),
        ("token create x --role viewer --flag chat", all, ADMIN),
        ("token revoke no-one", all, ADMIN),
    ] {
        for role in refused {
            let token = server.home.path().join(format!("{role}.token"));
            let typed = format!("{typed} --token-file {}", token.display());
            // With a person at a terminal, and without.
            for shown in [on_a_terminal(&server, &typed, "1"), server.run(&typed).2] {
                let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
                let person = format!("ask a person with the role {takes}");
                let is_named = shown.ends_with(&format!("takes the role {takes}"));
                assert!(is_named || shown.ends_with(&person), "{typed}: {shown}");
            }
        }
    }
}

/// Nor is a way shown that the caller may not go: a stop that only another person lifts.
#[test]
fn who_may_not_resume_is_told_who_may() {
    let server = Server::start();
    let token = server.home.path().join("stopper.token");
    let made = format!("token create a-stopper --role stopper --out {}", token.display());
    server.check((&made, 0, &[], &["undo"]));
    let by = |typed: &str| format!("{typed} --token-file {}", token.display());
    let may = "only the role operator or admin may ";
    let undo = format!("{may}undo it: turnout resume chat --reason '…'\n");
    server.check((&by("stop chat"), 0, &["STOPPED"], &[&undo]));
    let lift = format!("{may}lift that: turnout resume chat --reason '…'\n");
    server.check((&by("set chat 5%"), 0, &["kept for later: 5%"], &[&lift]));
    for typed in ["set chat 4%", "stop search", "stop --all"] {
        let (exit, stdout, stderr) = server.run(&by(typed));
        assert_eq!(exit, 0, "{typed}: {stdout}{stderr}");
        assert!(!stderr.contains("to lift that, type"), "{typed}: {stderr}");
        assert!(!stderr.lines().any(|line| line.starts_with("undo: ")), "{typed}: {stderr}");
    }
    server.check((
        "set chat 3%",
        0,
        &["3%"],
        &["to lift that, type: turnout resume chat", "undo: "],
    ));
}

/// A token for some flags is known, too.
#[test]
fn a_token_for_some_flags_is_asked_about_no_other() {
    let server = Server::start();
    let token = server.home.path().join("chat.token");
    let made =
        format!("token create chatter --role operator --flag chat --out {}", token.display());
    server.check((&made, 0, &[], &["undo"]));
    server.check(("stop --all", 0, &["STOPPED"], &[]));
    for (typed, wanted) in [
        ("resume --all", "this token does not reach search"),
        ("resume search", "this token reaches other flags only"),
        ("set search 40%", "this token reaches other flags only"),
        ("stop --all", "so it may not stop all; type:\r\n  turnout stop chat\r\n"),
        ("resume chat", "[y/N]"),
    ] {
        let shown = on_a_terminal(&server, &format!("{typed} --token-file chat.token"), "1");
        assert!(shown.contains(wanted), "{typed}: {shown}");
        assert_eq!(shown.contains("[y/N]"), wanted == "[y/N]", "{typed}: {shown}");
    }
}

/// What a question and an outcome say of an end: that it no longer comes, and what was named for then.
#[test]
fn a_question_says_what_becomes_of_an_end() {
    let server = Server::start();
    server.check(("set chat 5% --for 2h --then 1%", 0, &["held by local-admin until "], &[]));
    server.check(("set chat 5% --for 2h --then 2% --reason x", 0, &[", then 2%\n"], &[]));
    let shown = on_a_terminal(&server, "set chat 40%", "1");
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = "realtime-v2 5% -> 40% on chat, for good: its end at ";
    assert!(shown.starts_with(wanted), "{shown}");
    assert!(shown.contains("(then realtime-v2 2%) no longer comes? [y/N]"), "{shown}");
}

/// An end that did not come, as it would have widened, is not announced any more.
#[test]
fn an_end_that_passed_without_effect_is_past() {
    let server = Server::start();
    server.check(("set chat 5% --for 1s", 0, &["until "], &["at its end nothing happens"]));
    server.check(("status chat", 0, &["  ends     at ", "if that does not widen\n"], &[]));
    while !server.run("status chat").1.contains("  ended    not at ") {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let wanted = "going back to realtime-v2 10% would widen, and was not named with --then\n";
    server.check(("status chat", 0, &[wanted], &[]));
    server.check(("status", 0, &["  local-admin  2"], &[]));
}
