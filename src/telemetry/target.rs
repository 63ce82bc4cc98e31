//! The parts of the service that speak. `TURNOUT_LOG` names them.

/// What all of them begin with.
pub const SERVICE: &str = "turnout";

/// Start, stop, and what a person asked the process for.
pub const APP: &str = "turnout::app";
/// Changes, the database, and what is wrong with either.
pub const CONTROL: &str = "turnout::control";
/// One event an answer, at `trace`.
pub const EVALUATION: &str = "turnout::evaluation";
/// The folder of flags.
pub const FLAGS: &str = "turnout::flags";
/// One event a request, at `debug`.
pub const HTTP: &str = "turnout::http";
/// What credentials are checked with.
pub const KEYS: &str = "turnout::keys";
/// The log itself.
pub const LOG: &str = "turnout::log";

pub const ALL: [&str; 7] = [APP, CONTROL, EVALUATION, FLAGS, HTTP, KEYS, LOG];
