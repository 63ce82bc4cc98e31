//! The operator's verbs as people type them: the real binary against a real server, its output and
//! its exit codes.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value as Json, json};

use crate::support::typed::{Row, Server, output, turnout, words};

#[test]
fn a_day_of_an_operators_commands() {
    let server = Server::start();
    let table: &[Row] = &[
        (
            "status",
            0,
            &[
                "revision 1 is live and saved\nFLAG",
                "HELD BY  REV",
                "chat    realtime-v2 10%  =     -        1",
            ],
            &[],
        ),
        ("set chat 25%", 3, &[], &["needs a reason; say --reason"]),
        (
            "set chat 25% --reason 'p95 fine' --for 2h",
            0,
            &["revision 2   chat   realtime-v2 10% -> 25%   held by local-admin until "],
            &["undo: turnout rollback chat"],
        ),
        ("status", 0, &["realtime-v2 25%  10%   local-admin until "], &[]),
        (
            "status chat",
            0,
            &[
                "  live     realtime-v2 25%\n  file     realtime-v2 10%\n  held     realtime-v2 25% by local-admin at ",
                "(p95 fine)",
                "  ends     at ",
                ": then realtime-v2 10%, if that does not widen",
                "owner    team",
                "changed  at revision 2",
            ],
            &[],
        ),
        ("set chat realtime-v2=20% disabled=5%", 0, &["realtime-v2 25% -> 20%, disabled 5%"], &[]),
        (
            "set chat disabled=0% --reason x --for 1h --then 30%",
            0,
            &["realtime-v2 20%, disabled 5% -> 20%"],
            &[],
        ),
        ("status chat", 0, &[": then realtime-v2 30%, disabled 5%\n"], &[]),
        (
            "rollback chat",
            0,
            &["revision 5", "back to revision 3"],
            &["undo: turnout rollback chat --to "],
        ),
        ("undo chat --reason further", 0, &["revision 6", "back to revision 2"], &[]),
        ("rollback chat --to 99", 3, &[], &["there is no revision 99; turnout history lists them"]),
        (
            "kill chat",
            0,
            &["revision 7   chat   realtime-v2 25% -> STOPPED (polling)"],
            &["undo: turnout resume chat --reason '…'\n"],
        ),
        ("stop chat", 0, &["nothing to change: chat   STOPPED (polling)"], &[]),
        (
            "set chat 5%",
            0,
            &["revision 8   chat   STOPPED (polling)   kept for later: 5%\n"],
            &[
                "saved, NOT live: stopped by local-admin; to lift that, type: turnout resume chat --reason '…'\n",
            ],
        ),
        (
            "set chat 5%",
            0,
            &["nothing to change: chat   STOPPED (polling)   kept for later: 5%\n"],
            &["stopped by local-admin; to lift that, type: turnout resume chat --reason '…'\n"],
        ),
        ("status chat", 0, &["stopped  by local-admin at "], &[]),
        ("resume chat", 3, &[], &["needs a reason"]),
        (
            "resume chat --at 1% --reason fixed",
            0,
            &["STOPPED -> realtime-v2 1%"],
            &["undo: turnout stop chat"],
        ),
        ("resume chat --at 1% --reason again", 3, &[], &["`chat` is not stopped"]),
        (
            "unset chat --reason 'the file is right'",
            0,
            &["revision 10   chat   realtime-v2 1% -> 10%"],
            &[],
        ),
        (
            "stop --all --reason drill",
            0,
            &["revision 11   chat   ", "revision 11   search   "],
            &["undo: turnout resume --all --reason '…'\n"],
        ),
        ("status", 0, &["chat    STOPPED (polling)  10%   local-admin (stop)  11"], &[]),
        ("stop --all", 0, &["nothing to change: every flag is stopped already"], &[]),
        (
            "history --limit 3",
            0,
            &[
                "REV",
                "stop search 10% -> STOPPED (polling)",
                "STOPPED (polling)\n               ",
                "  drill\n",
                "  the file is right\n",
            ],
            &["older ones: turnout history --before 9"],
        ),
        ("history search", 0, &["file search 10%"], &[]),
        ("history --verify", 0, &["unaltered: 11 revisions read"], &[]),
    ];
    table.iter().for_each(|row| server.check(*row));
}

/// What was asked for stands in the history also where clients got nothing of it, and why.
#[test]
fn the_history_says_what_was_asked_for_and_what_came_of_it() {
    let server = Server::start();
    let save = |share: &str| server.save_chat(share);
    let row = |wanted: &str| server.check(("history chat --limit 1", 0, &[wanted], &[]));
    server.check(("set chat 33% --reason held", 0, &["33%"], &[]));
    row("set chat 10% -> 33%\n");
    save("60%");
    row("file chat 10% -> 60% (not live: held at 33%)\n");
    server.check(("stop chat", 0, &["STOPPED"], &[]));
    row("stop chat 33% -> STOPPED (polling)\n");
    server.check(("set chat 4%", 0, &["4%"], &[]));
    row("set chat 33% -> 4% (not live: stopped)\n");
    save("70%");
    row("file chat 60% -> 70% (not live: stopped)\n");
    server.check(("rollback chat --to 2 --reason back", 0, &["STOPPED"], &[]));
    row("rollback chat to 2: 4% -> 33% (not live: stopped)\n");
    server.check(("resume chat --reason over", 0, &["33%"], &[]));
    row("resume chat STOPPED -> 33%\n");
    server.check(("set chat 70% --reason 'as the file'", 0, &["70%"], &[]));
    server.check(("unset chat --reason tidy", 0, &["70%"], &[]));
    row("unset chat 70% (nothing changes for users)\n");
    let told = server.json("history chat --json");
    let change = |index: usize| told["revisions"][index]["changes"][0].clone();
    let words = |words: &str| json!(format!("realtime-v2 {words}"));
    assert_eq!(change(0)["effect"], "unchanged");
    assert_eq!((&change(2)["effect"], &change(2)["requested"]), (&json!("live"), &Json::Null));
    let of_file = change(7);
    assert_eq!(
        (&of_file["was"], &of_file["is"], &of_file["effect"]),
        (&words("33%"), &words("33%"), &json!("held"))
    );
    assert_eq!(of_file["requested"], json!({ "was": "realtime-v2 10%", "is": "realtime-v2 60%" }));
}

/// `resume --all` lifts what the newest stop stopped, and no stop of another reason.
#[test]
fn what_was_stopped_together_is_resumed_together() {
    let server = Server::start();
    let table: &[Row] = &[
        ("resume --all --reason x", 0, &[], &["no flag is stopped"]),
        ("resume", 2, &[], &["--all"]),
        ("stop chat --reason 'its own'", 0, &["STOPPED"], &["undo: turnout resume chat"]),
        ("stop --all --reason drill", 0, &["search"], &["undo: turnout resume --all"]),
        ("resume --all", 3, &[], &["needs a reason"]),
        (
            "resume --all --reason over",
            0,
            &["search   STOPPED -> realtime-v2 10%"],
            &[
                "undo: turnout stop search",
                "still stopped, by an earlier stop:\n  chat by local-admin at ",
                "(its own)\n",
            ],
        ),
        ("status", 0, &["chat    STOPPED (polling)", "search  realtime-v2 10%"], &[]),
        (
            "resume --all --reason fixed",
            0,
            &["chat   STOPPED -> realtime-v2 10%"],
            &["undo: turnout stop chat"],
        ),
        (
            "rollback chat --to 1 --reason x",
            0,
            &["nothing changes: chat   10% before and after\n"],
            &[],
        ),
        ("set chat 5%", 0, &["5%"], &[]),
        (
            "rollback chat --to 1 --reason x",
            0,
            &["realtime-v2 5% -> 10%"],
            &["not held: its file says the same; a save of the file is live at once\n"],
        ),
        ("set chat 1%", 0, &["1%"], &[]),
        ("set chat 0%", 0, &["0%"], &[]),
        ("stop chat", 0, &["STOPPED"], &[]),
        ("resume chat --at 1% --reason fixed", 0, &["STOPPED -> realtime-v2 1%"], &[]),
        (
            "rollback chat",
            3,
            &[],
            &["was not changed since it was resumed; to stop it again: turnout stop chat;"],
        ),
        ("rollback chat --to 1 --reason x", 0, &["realtime-v2 1% -> 10%"], &["not held"]),
        ("stop chat", 0, &["STOPPED"], &[]),
        (
            "rollback chat --reason x",
            3,
            &[],
            &[
                "no change of `chat` left to roll back; it is stopped, and a rollback does not lift that: turnout resume chat --reason '…'",
            ],
        ),
    ];
    table.iter().for_each(|row| server.check(*row));
}

/// What clients get in server-auth mode is said wherever a rollout is shown or changed.
#[test]
fn server_auth_mode_is_said_on_every_screen() {
    let server = Server::start_with(&["--enable-server-auth", "true"]);
    let mode = "server-auth mode: clients get polling for every realtime-v2";
    let table: &[Row] = &[
        ("status", 0, &[mode, "chat    realtime-v2 10%"], &[]),
        ("status chat", 0, &[mode], &[]),
        ("problems", 1, &["server-auth: ", mode, "help: ", "TURNOUT_TOKEN_HANDOFF=on"], &[]),
        ("set chat 25% --reason x", 0, &["realtime-v2 10% -> 25%"], &[mode]),
        ("unset chat", 0, &["realtime-v2 25% -> 10%"], &[mode]),
        ("stop chat", 0, &["STOPPED (polling)"], &["undo"]),
        ("resume chat --reason x", 0, &["STOPPED -> realtime-v2 10%"], &[mode]),
    ];
    table.iter().for_each(|row| server.check(*row));
    assert_eq!(server.json("status --json")["serverAuth"], true);
}

/// With a hand-off no screen says that clients are answered something else.
#[test]
fn a_token_hand_off_lifts_the_clamp_of_server_auth_mode() {
    let table: [(&[&str], bool); 4] = [
        (&["--enable-server-auth", "true", "--token-handoff", "off"], true),
        (&["--enable-server-auth", "true", "--token-handoff", "on"], false),
        (&["--enable-server-auth", "true", "--feature-client-supabase", "true"], false),
        (&["--token-handoff", "on"], false),
    ];
    for (settings, clamps) in table {
        let server = Server::start_with(settings);
        assert_eq!(server.json("status --json")["serverAuth"], clamps, "{settings:?}");
        let problems = if clamps { (1, "server-auth") } else { (0, "no problems") };
        server.check(("problems", problems.0, &[problems.1], &[]));
        let told = server.json("set chat 100% --reason x --yes --json").to_string();
        assert_eq!(told.contains("server-auth mode"), clamps, "{settings:?}: {told}");
        let story = server.json("explain chat --user u-1 --json").to_string();
        assert_eq!(story.contains("server-auth"), clamps, "{settings:?}: {story}");
    }
}

#[test]
fn a_usage_error_is_printed_with_its_fix() {
    let server = Server::start();
    let table: &[Row] = &[
        ("set chta 25%", 1, &[], &["no flag `chta`; did you mean `chat`?"]),
        ("status chta", 1, &[], &["did you mean `chat`?"]),
        ("history chta", 1, &[], &["did you mean `chat`?"]),
        ("explain chta", 1, &[], &["did you mean `chat`?"]),
        (
            "stop nothing-like-it",
            1,
            &[],
            &["no flag `nothing-like-it`; turnout status lists the flags"],
        ),
        ("set chat 25", 2, &[], &["write 25%"]),
        ("set chat 101%", 2, &[], &["at most 100%"]),
        ("set chat 12.3456%", 2, &[], &["three decimals"]),
        ("set chat much", 2, &[], &["like 12.5%"]),
        ("set chat polling=5%", 2, &[], &["a share is of realtime-v2 or of disabled"]),
        ("set chat 5% realtime-v2=6%", 2, &[], &["given twice"]),
        ("set chat 60% disabled=60% --reason x", 3, &[], &["exceed 100% together"]),
        ("set chat 5% --then 10%", 2, &[], &["--for <TIME>"]),
        ("set chat 5% --for 2", 2, &[], &["30m, 2h or 7d"]),
        ("set chat 5% --for 2h --then 10", 2, &[], &["write 10%"]),
        ("set chat", 2, &[], &["<SHARE>"]),
        ("set 25%", 2, &[], &["must match"]),
        ("set ../chat 5%", 2, &[], &["must match"]),
        ("stop", 2, &[], &["<FLAG|--all>"]),
        ("stop chat --all", 2, &[], &["cannot be used with"]),
        ("resume chat --at 1", 2, &[], &["write 1%"]),
        ("rollback chat --reason x", 3, &[], &["no change of `chat` left to roll back"]),
        ("history --limit 0", 2, &[], &["1..=200"]),
        ("history --before x", 2, &[], &["a revision is a whole number, like 12"]),
        ("stop chat --reason …", 2, &[], &["turnout: invalid value '…'", "say why"]),
        ("token create ops --role king", 2, &[], &["stopper"]),
        ("token revoke ../x", 2, &[], &["not a token's id"]),
        ("token revoke 0123456789ab", 1, &[], &["no such token", "turnout token list"]),
        ("explain chat --attr platform", 2, &[], &["NAME=VALUE"]),
        ("explain chat --bucket 100000", 2, &[], &["0 to 99999"]),
        (
            "status --token-file /not/there",
            2,
            &[],
            &["no token could be read from /not/there (No such file", "--data"],
        ),
        ("status --token-file /dev/null", 2, &[], &["/dev/null holds no token"]),
        ("status --server nowhere", 2, &[], &["write http://HOST:PORT"]),
        ("status --server http://127.0.0.1:1", 4, &[], &["is it running?"]),
    ];
    table.iter().for_each(|row| server.check(*row));
    let wrong = server.home.path().join("wrong.token");
    fs::write(&wrong, "turnout-admin-wrong\n").unwrap();
    server.check((
        &format!("stop chat --token-file {}", wrong.display()),
        3,
        &[],
        &["does not accept this token"],
    ));
    assert_eq!(server.json("status --json")["revision"], 1, "nothing of all this changed anything");
}

#[test]
fn every_verb_prints_json() {
    let server = Server::start();
    assert_eq!(server.json("set chat 5% --json")["changes"][0]["live"], "realtime-v2 5%");
    assert_eq!(server.json("unset chat --reason x --json")["outcome"], "committed");
    assert_eq!(server.json("stop chat --json")["flag"]["state"], "stopped");
    assert_eq!(server.json("resume chat --reason x --json")["flag"]["state"], "rollout");
    assert_eq!(server.json("rollback chat --json")["changes"][0]["backTo"], 2);
    assert_eq!(server.json("status --json")["flags"][0]["flag"], "chat");
    assert_eq!(server.json("status chat --json")["live"], "realtime-v2 5%");
    assert_eq!(server.json("history --json --limit 1")["revisions"].as_array().unwrap().len(), 1);
    assert_eq!(server.json("history --verify --json")["sound"], true);
    assert_eq!(server.json("explain chat --user u-1 --json")["position"], "6");
    assert_eq!(server.json("token list --json")["tokens"].as_array().unwrap().len(), 0);
    let made = server.json("token create ops --role viewer --json");
    assert_eq!(
        server.json(&format!("token revoke {} --json", made["id"].as_str().unwrap()))["revoked"],
        made["id"]
    );
}

#[test]
fn a_created_token_is_printed_on_stdout_and_has_its_role() {
    let server = Server::start();
    let (exit, secret, talk) =
        server.run("token create oncall --role stopper --flag chat --expires 90d");
    assert!(
        exit == 0 && secret.starts_with("turnout-stopper-") && secret.lines().count() == 1,
        "{secret}{talk}"
    );
    assert!(talk.contains("stopper chat, until") && !talk.contains(secret.trim()), "{talk}");
    server.check((
        "token create lost --role stopper --flag chta",
        1,
        &[],
        &["did you mean `chat`?"],
    ));
    let kept = server.home.path().join("kept.token");
    let line = format!("token create kept --role viewer --out {}", kept.display());
    server.check((&line, 0, &[], &["viewer all flags, until "]));
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&kept).unwrap().starts_with("turnout-viewer-"));
    server.check((
        &line.replace("kept --", "more --"),
        4,
        &[],
        &["is there already; name another file, or remove it; no token was made"],
    ));
    server.check(("token revoke more", 1, &[], &["no such token"]));
    let path = server.home.path().join("oncall.token");
    fs::write(&path, &secret).unwrap();
    let file = format!("--token-file {}", path.display());
    server.check((
        &format!("set chat 50% --reason x {file}"),
        3,
        &[],
        &["only narrowing is permitted", "operator or admin"],
    ));
    server.check((
        &format!("stop search {file}"),
        3,
        &[],
        &["this token reaches other flags only"],
    ));
    server.check((&format!("stop chat {file}"), 0, &["STOPPED (polling)", "revision 4"], &[]));
    server.check((
        &format!("token list {file}"),
        3,
        &[],
        &["the role stopper may not do this; it takes the role admin"],
    ));
    server.check((
        "token list",
        0,
        &["CREATED", "ENDS", "STATE", "oncall", "stopper", "chat", "good"],
        &[],
    ));
    let listed = server.run("token list").1;
    assert!(listed.lines().all(|line| line.len() <= 80), "{listed}");
    let id = talk.split(':').next().unwrap();
    server.check((&format!("token revoke {id}"), 0, &["revoked"], &[]));
    server.check((&format!("status {file}"), 3, &[], &["revoked or expired"]));
    server.check(("history chat", 0, &["oncall"], &[]));
    server.check(("token list", 0, &["revoked"], &[]));
    server.check((
        "history",
        0,
        &[
            &format!("create {id} oncall: stopper, flags chat"),
            &format!("revoke {id} oncall: stopper, flags chat"),
        ],
        &[],
    ));

    // By the name of a living token, by the caller's own, and the server's own.
    let (_, secret, _) = server.run("token create oncall --role viewer --reason again");
    fs::write(&path, &secret).unwrap();
    server.check((
        &format!("token revoke other {file}"),
        3,
        &[],
        &["the role viewer may not do this"],
    ));
    server.check((&format!("token revoke self {file}"), 0, &["revoked"], &[]));
    server.check((&format!("status {file}"), 3, &[], &["revoked or expired"]));
    assert_eq!(server.run("token create oncall --role viewer").0, 0);
    server.check(("token create OnCall --role viewer", 3, &[], &["a living token of the name"]));
    server.check(("token revoke oncall --reason leaked", 0, &["revoked"], &[]));
    server.check(("token revoke oncall", 1, &[], &["no such token"]));
    server.check((
        "token revoke local-admin",
        0,
        &["revoked local-admin"],
        &["admin.token", "holds a new one"],
    ));
    server.check(("token list", 0, &["oncall"], &[]));
}

/// Offline from the files and from the server: one explanation, printed by the same code.
#[test]
fn explain_prints_the_same_with_and_without_a_server() {
    let server = Server::start();
    let flags = server.home.path().join("flags");
    for who in [
        "--user u-1",
        "--user u-4711 --attr platform=web",
        "--user u-1 --attr platform=ios",
        "--user u-1 --attr seats=5",
        "--user u-1 --bucket 9999 --identity plain",
        "",
    ] {
        let files = server.run(&format!("explain chat {who} --files {}", flags.display())).1;
        let reply = server.run(&format!("explain chat {who}")).1;
        assert_eq!(reply, format!("{files}revision 1\n"), "{who}");
    }
    server.run("stop chat --reason 'incident 4711'");
    server.run("set chat 5%");
    server.check((
        "explain chat --user u-1",
        0,
        &[
            "polling   rule stop",
            "-> stop",
            "revision 3; stopped by local-admin at ",
            "(incident 4711); rollout held by local-admin",
        ],
        &[],
    ));
}

/// A command that is printed to be typed works as it is printed, with a reason in the place of `…`,
/// without a terminal, and undoes the change. Without a reason nothing is done.
#[test]
fn each_printed_command_undoes_the_change_as_it_is_typed() {
    let server = Server::start();
    let live = || {
        let status = server.json("status --json");
        status["flags"].as_array().unwrap().iter().map(|flag| flag["live"].clone()).collect()
    };
    // (the commands before, the command that is undone, where its undo stands)
    for (prepare, line, says) in [
        ("status", "set chat 40% --reason x", "undo: "),
        ("status", "set chat 3%", "undo: "),
        ("set chat 3%", "unset chat --reason x", "undo: "),
        ("set chat 60% --reason x", "unset chat", "undo: "),
        ("set chat 3% --for 2h --then 50% --reason x", "unset chat --reason x", "undo: "),
        ("status", "set chat 60% --for 2h --reason x", "undo: "),
        ("set chat 60% --reason x", "rollback chat", "undo: "),
        ("set chat 2%", "rollback chat --reason x", "undo: "),
        ("set chat 70% --reason x", "rollback chat --to 1", "undo: "),
        ("status", "stop chat", "undo: "),
        ("stop chat", "resume chat --reason x", "undo: "),
        ("stop chat", "set chat 1%", "undo: "),
        ("resume chat --reason x", "stop --all", "undo: "),
        ("stop chat", "set chat 50% --reason x", "to lift that, type: "),
        ("stop chat", "rollback chat --to 1 --reason x", "does not lift that: "),
        ("set chat 2%", "rollback chat --to 2 --reason x", "until you type: "),
    ] {
        server.run(prepare);
        let before: Vec<Json> = live();
        let (exit, _, talk) = server.run(line);
        assert_eq!(exit, 0, "{line}: {talk}");
        let told = talk.lines().find(|line| line.contains(says));
        let told = told.unwrap_or_else(|| panic!("{line}: {talk}"));
        let typed = told.rsplit_once("turnout ").unwrap().1;
        if typed.contains('…') {
            let (exit, _, talk) = server.run(typed);
            assert!(exit == 2 && talk.contains("say why"), "{typed}: {talk}");
        }
        let (exit, shown, talk) = server.run(&typed.replace('…', "x"));
        assert_eq!(exit, 0, "{line}, then {typed}: {talk}");
        assert!(shown.contains("revision"), "{line}, then {typed} changed something: {shown}");
        if says == "undo: " {
            assert_eq!(live(), before, "{line}, then {typed}: {talk}");
        }
    }
}

/// A connection that breaks before the response: the same command is sent once more, with the same
/// idempotency key. A token is never requested twice.
#[test]
fn a_lost_request_is_sent_again_with_the_same_idempotency_key() {
    let key = |head: &str| {
        let line =
            head.lines().find(|line| line.to_ascii_lowercase().starts_with("idempotency-key: "));
        line.map(|line| line.split_once(": ").unwrap().1.to_owned())
    };
    let heads_of = |line: &str, answered: usize| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut command = turnout();
        command
            .args(words(line))
            .env("TURNOUT_SERVER", format!("http://{}", listener.local_addr().unwrap()));
        let server = std::thread::spawn(move || {
            let mut heads = Vec::new();
            for _ in 0..answered {
                let (mut stream, _) = listener.accept().unwrap();
                let mut bytes = [0; 4096];
                let read = stream.read(&mut bytes).unwrap();
                heads.push(String::from_utf8_lossy(&bytes[..read]).into_owned());
                if heads.len() == 2 {
                    let body = r#"{"outcome":"unchanged","revision":null,"position":"2","survivesRestart":true,"inForce":true,"changes":[],
                        "flag":{"flag":"chat","revision":2,"state":"stopped","live":"STOPPED -> polling","drift":true},"notes":[]}"#;
                    write!(
                        stream,
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    )
                    .unwrap();
                }
            }
            heads
        });
        (output(&mut command), server.join().unwrap())
    };
    let ((exit, stdout, stderr), heads) = heads_of("stop chat", 2);
    assert_eq!((exit, &*stdout), (0, "nothing to change: chat   STOPPED (polling)\n"), "{stderr}");
    assert!(
        key(&heads[0]).is_some_and(|key| key.len() == 32) && key(&heads[0]) == key(&heads[1]),
        "{heads:?}"
    );
    let ((exit, _, stderr), _) = heads_of("token create ops --role viewer", 1);
    assert!(exit == 4 && stderr.contains("the connection broke"), "{stderr}");
}

/// A verification that takes longer than the usual time limit: the command waits for it as long as
/// the server answers other calls meanwhile.
#[test]
fn a_long_verification_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = turnout();
    command
        .args(words("history --verify"))
        .env("TURNOUT_SERVER", format!("http://{}", listener.local_addr().unwrap()));
    let verdict = r#"{"sound":true,"revisions":7,"faults":[],"comparedWithRevision":7}"#;
    let server = std::thread::spawn(move || {
        let mut asked = Vec::new();
        // The first connection stays open, and is never answered.
        let mut open = Vec::new();
        for answer in [None, Some("{}"), Some(verdict)] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap();
            asked.push(
                String::from_utf8_lossy(&bytes[..read])
                    .split(' ')
                    .nth(1)
                    .unwrap_or_default()
                    .to_owned(),
            );
            if let Some(body) = answer {
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                )
                .unwrap();
            }
            open.push(stream);
        }
        asked
    });
    let (exit, stdout, stderr) = output(&mut command);
    assert!(
        exit == 0 && stdout.starts_with("unaltered: 7 revisions read"),
        "{exit} {stdout} {stderr}"
    );
    assert_eq!(server.join().unwrap(), ["/v1/history/verify", "/v1/status", "/v1/history/verify"]);
}
