//! The calls that change flags.

use turnout_api::admin::commands::{
    Outcome, PlainCommand, ResumeCommand, RollbackCommand, SetCommand,
};
use turnout_api::bounds::MAX_KEY_BYTES;

use super::call::{flag_in_path, found, look, with_a_body};
use crate::http::admin::errors::ErrorProfile;
use crate::http::error::ApiError;
use crate::http::openapi::{Operation, Parameter, Source, line};

pub fn set() -> Operation {
    let may = ErrorProfile { split: true, widen: true, ..ErrorProfile::ONLY_NARROW };
    verb("set", "Hold a split over the file's", may).taking::<SetCommand>()
}

pub fn unset() -> Operation {
    let may = ErrorProfile { widen: true, ..ErrorProfile::ONLY_NARROW };
    verb("unset", "Back to what the file says; a stop stays", may).perhaps_taking::<PlainCommand>()
}

pub fn stop() -> Operation {
    verb(
        "stop",
        "Emergency stop: everybody gets `when_stopped` until it is resumed",
        ErrorProfile::ONLY_NARROW,
    )
    .perhaps_taking::<PlainCommand>()
}

pub fn resume() -> Operation {
    let may = ErrorProfile { split: true, widen: true, resume: true, ..ErrorProfile::ONLY_NARROW };
    let mut operation = verb("resume", "Lift a stop", may).perhaps_taking::<ResumeCommand>();
    // A resume is never pending: it takes effect only once it is saved.
    operation.answers.retain(|answers| answers.status != 202);
    operation
}

pub fn rollback() -> Operation {
    let may = ErrorProfile { widen: true, roll_back: true, ..ErrorProfile::ONLY_NARROW };
    verb("rollback", "Undo the newest change, or bring back a revision", may)
        .perhaps_taking::<RollbackCommand>()
}

pub fn stop_all() -> Operation {
    change("stopAll", "Emergency stop of every flag", ErrorProfile::ONLY_NARROW.be_rejected(false))
        .perhaps_taking::<PlainCommand>()
}

/// A call that changes one flag.
fn verb(id: &'static str, summary: &'static str, may: ErrorProfile) -> Operation {
    let mut operation = change(id, summary, may.be_rejected(true));
    operation.parameters.insert(0, flag_in_path());
    operation
}

/// A call that changes flags.
fn change(id: &'static str, summary: &'static str, rejected: Vec<ApiError>) -> Operation {
    let mut refusals = with_a_body();
    refusals.push(ApiError::OtherFlags);
    refusals.extend(rejected);
    let mut operation =
        look(id, summary, found::<Outcome>("Done, or as it was wanted already."), refusals);
    let live = found::<Outcome>("Live, and not yet in the database.");
    operation.answers.insert(1, live.status(202));
    operation.parameters = vec![
        Parameter::of(
            Source::Header,
            "Idempotency-Key",
            "A name for this request: sent again under it, it is done once.",
            line(1, MAX_KEY_BYTES),
        ),
        Parameter::header(
            "Turnout-Narrow-Only",
            "Of any value: what would widen is refused as `may-only-narrow`, whatever the role.",
        ),
    ];
    operation
}
