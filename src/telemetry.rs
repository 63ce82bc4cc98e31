//! Every line the service says, in one place. Floor 3. User ids never stand in one.

use crate::control::Applied;
use crate::definition::Finding;

/// The most keys a line names.
const KEYS_AT_MOST: usize = 10;

pub fn applied(applied: &Applied) {
    if applied.changed.is_empty() {
        return;
    }
    let mut keys: Vec<&str> = applied.changed.iter().take(KEYS_AT_MOST).map(|key| key.as_str()).collect();
    let more = format!("{} more", applied.changed.len().saturating_sub(KEYS_AT_MOST));
    if applied.changed.len() > KEYS_AT_MOST {
        keys.push(&more);
    }
    say(&format!("revision {} is live: {}", applied.position, keys.join(", ")));
}

/// The problems there are now. One line each, without source: its lines may hold user ids. `turnout check` shows them.
pub fn problems(findings: &[Finding]) {
    if findings.is_empty() {
        return say("no problems left");
    }
    for finding in findings {
        say(&format!("problem: {finding}"));
    }
    let count = findings.len();
    say(&format!("{count} problem{} in the flags folder; what was live stays live", if count == 1 { "" } else { "s" }));
}

pub fn say(line: &str) {
    // A closed stderr must not take the service with it, as `eprintln!` would.
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "turnout: {}", line.replace(char::is_control, " "));
}
