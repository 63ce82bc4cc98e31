//! The calls that show a flag: how it stands, how far a change has landed, and why a user gets
//! what they get.

use turnout_api::admin::convergence::Convergence;
use turnout_api::admin::explain::{ExplainRequest, LiveExplanation};
use turnout_api::admin::flags::FlagState;

use super::call::{flag_in_path, found, reading, with_a_body};
use crate::http::error::ApiError;
use crate::http::openapi::Operation;

pub fn flag() -> Operation {
    let mut operation = reading(
        "flag",
        "One flag as it stands",
        found::<FlagState>("The flag."),
        vec![ApiError::UnknownFlag],
    );
    operation.parameters = vec![flag_in_path()];
    operation
}

pub fn convergence() -> Operation {
    let mut operation = reading(
        "convergence",
        "How far the newest change of a flag has landed",
        found::<Convergence>("The streams that follow it, by what they prove."),
        vec![ApiError::UnknownFlag],
    );
    operation.parameters = vec![flag_in_path()];
    operation
}

pub fn convergence_of_all() -> Operation {
    reading(
        "convergenceOfAll",
        "How far the newest state of everything has landed",
        found::<Convergence>("All streams, each judged by the newest state of what it follows."),
        vec![],
    )
}

pub fn explain() -> Operation {
    let mut refusals = with_a_body();
    refusals.push(ApiError::UnknownFlag);
    let mut operation = reading(
        "explain",
        "The story of one answer",
        found::<LiveExplanation>("Every step of it."),
        refusals,
    );
    operation.parameters = vec![flag_in_path()];
    operation.perhaps_taking::<ExplainRequest>()
}
