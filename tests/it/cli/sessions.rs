//! `turnout session`: a session opens what it should, and an operator ends all sessions of a user.

use std::fs;

use crate::support::typed::{Server, turnout, words};

#[test]
fn an_operator_ends_the_sessions_of_a_user() {
    let server = Server::start();
    let sessions = ["u-1", "u-2"].map(|user| {
        let (exit, session, said) = server.run(&format!("session {user}"));
        assert_eq!(exit, 0, "{said}");
        let path = server.home.path().join(user);
        fs::write(&path, session).unwrap();
        path
    });
    let asks = |number: usize| {
        let mut command = turnout();
        command.args(words("ask chat")).env("TURNOUT_URL", &server.public);
        let done = command.env("TURNOUT_BEARER_FILE", &sessions[number]).output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    assert_eq!([asks(0).0, asks(1).0], [Some(0); 2], "{:?}", [asks(0), asks(1)]);
    let ends = "every session that the user had is refused from now on";
    for row in [
        ("session u-1 --revoke", 0, &[ends][..], &[][..]),
        ("session u-1 --revoke --json", 0, &["\"survivesRestart\":true"], &[]),
        ("session u-1 --revoke --for 1m", 2, &[], &["cannot be used with"]),
        ("session u-1 --revoke --stream chat/b-1", 2, &[], &["cannot be used with"]),
        ("session u-1 --for 25h", 2, &[], &["--for", "a session lives for 1s to 24h"]),
        ("session u-1 --for 0s", 2, &[], &["--for", "`0s` is no time at all; write more"]),
        ("session u-1 --for 5", 2, &[], &["`5` is not a length of time"]),
        ("session ''", 2, &[], &["<USER>", "a user's id has 1 to 256 bytes"]),
        ("session u-1 --attr plan=a --attr plan=b", 2, &[], &["--attr names `plan` twice"]),
        ("session u-1 --attr seats:=[1]", 2, &[], &["--attr", "`[1]` is no number and no boolean"]),
        ("ask chat --attr plan=a --attr plan=b", 2, &[], &["--attr names `plan` twice"]),
        ("explain chat --attr plan=a --attr plan=b", 2, &[], &["--attr names `plan` twice"]),
        ("ask chat --bearer-file /not/there", 2, &[], &["no token could be read from /not/there"]),
        ("ask chat --url nowhere", 2, &[], &["that is not a URL"]),
    ] {
        server.check(row);
    }
    let (exit, said) = asks(0);
    assert_eq!(exit, Some(3), "{said}");
    assert_eq!(asks(1).0, Some(0), "the session of another user stays");
}
