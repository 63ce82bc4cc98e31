//! The parts of the service that log. `TURNOUT_LOG` names them.

/// The prefix of all targets.
pub const SERVICE: &str = "turnout";

/// Start, stop, and actions that a person asked the process for.
pub const APP: &str = "turnout::app";
/// Changes, the database, and the problems of both.
pub const CONTROL: &str = "turnout::control";
/// One event for each answer, at `trace`.
pub const EVALUATION: &str = "turnout::evaluation";
/// The folder of flags.
pub const FLAGS: &str = "turnout::flags";
/// One event for each request, at `debug`.
pub const HTTP: &str = "turnout::http";
/// The keys that credentials are checked with.
pub const KEYS: &str = "turnout::keys";
/// The log itself.
pub const LOG: &str = "turnout::log";

pub const ALL: [&str; 7] = [APP, CONTROL, EVALUATION, FLAGS, HTTP, KEYS, LOG];
