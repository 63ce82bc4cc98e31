//! The problem that is current while server-auth mode answers `polling` for every `realtime-v2`: a
//! rollout is then written, and no client gets it.

use super::problems::{Problem, ProblemKind};
use crate::flag::ServerAuth;

/// The problem, while the mode clamps.
pub fn problem(mode: ServerAuth) -> Option<Problem> {
    mode.clamps().then(|| Problem {
        kind: ProblemKind::ServerAuth,
        subject: None,
        message: ServerAuth::CLAMPS.to_owned(),
        hint: "once clients get scoped tokens instead of the raw key, restart with TURNOUT_TOKEN_HANDOFF=on"
            .to_owned(),
    })
}
