//! A word that is no command leads to the command that was meant.

use std::os::unix::process::CommandExt;

use crate::support::typed::{output, turnout, words};

#[test]
fn a_word_that_is_no_command_leads_to_the_one_meant() {
    for (typed, wanted, unwanted) in [
        ("start chat", "`turnout resume FLAG` lifts the stop", "streams"),
        ("start", "`turnout serve` starts the server", "status"),
        ("run", "`turnout serve` starts the server", "undo"),
        ("pause chat", "`turnout stop FLAG` stops a flag", "status"),
        ("off chat", "`turnout set FLAG 0%`", "diff"),
        ("on chat", "`turnout set FLAG 100%`", "similar"),
        ("enable chat", "`turnout set FLAG 100%`", "similar"),
        ("revert chat", "`turnout rollback FLAG`", "serve"),
        ("delete chat", "`turnout retire FLAG`", "similar"),
        ("sett chat 5%", "exists: 'set'", "'status'"),
        ("stauts", "exists: 'status'", "'streams'"),
        ("histroy", "exists: 'history'", "similar subcommands"),
        ("resmue chat", "exists: 'resume'", "similar subcommands"),
        ("token lsit", "exists: 'list'", "turnout status"),
        ("token show", "unrecognized subcommand 'show'", "turnout status"),
        ("set 25% chat", "the flag comes first, then its share: turnout set FLAG 25%", "similar"),
        ("set chat -5%", "a share is 0% to 100%, without a sign", "-- -5"),
        ("set chat realtime-v2=5% -2.5%", "a share is 0% to 100%, without a sign", "-- -2"),
        ("rollback chat --to -1", "there is none below zero", "a share is 0%"),
        ("serve --max-streams -1", "there is none below zero", "a share is 0%"),
        ("set chat realtime=60% --reason x", "did you mean `realtime-v2`?", "left over"),
        ("set chat disable=60% --reason x", "did you mean `disabled`?", "left over"),
        ("set chat poling=60% --reason x", "gets the flag's default", "did you mean"),
    ] {
        let (exit, stdout, stderr) = output(turnout().args(words(typed)));
        assert_eq!((exit, &*stdout), (2, ""), "turnout {typed}: {stderr}");
        assert!(stderr.contains(wanted), "turnout {typed}: no `{wanted}` in {stderr}");
        assert!(!stderr.contains(unwanted), "turnout {typed}: `{unwanted}` in {stderr}");
        // Whatever name the program was called by.
        let named = output(turnout().arg0("/opt/flags-2").args(words(typed)));
        assert_eq!(named, (exit, stdout, stderr), "{typed}");
    }
}

#[test]
fn other_names_of_a_command_do_the_same() {
    let server = crate::support::typed::Server::start();
    let status = server.run("status");
    assert_eq!(server.run("list"), status);
    let (exit, version, _) = server.run("version");
    assert_eq!((exit, version), (0, server.run("--version").1));
}
