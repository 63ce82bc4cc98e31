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
    ] {
        server.check(row);
    }
    let (exit, said) = asks(0);
    assert_eq!(exit, Some(3), "{said}");
    assert_eq!(asks(1).0, Some(0), "the session of another user stays");
}
