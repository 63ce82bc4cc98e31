//! The calls that show what was changed.

use turnout_api::admin::history::{History, VerifyReport};

use super::call::{found, invalid_request, look, reading};
use crate::http::admin::errors::without_a_database;
use crate::http::openapi::{Operation, Parameter, integer_from, key};
use turnout_api::bounds::MAX_PAGE;

pub fn history() -> Operation {
    let mut refusals = vec![invalid_request()];
    refusals.extend(without_a_database());
    let mut operation = reading(
        "history",
        "Revisions, the newest first",
        found::<History>("A page of them."),
        refusals,
    );
    operation.parameters = vec![
        Parameter::in_query("flag", "Only what changed this flag.", key()),
        Parameter::in_query("before", "Only older ones.", integer_from(0)),
        Parameter::in_query("after", "Only newer ones.", integer_from(0)),
        Parameter::in_query("limit", "How many at most.", integer_from(1).maximum(Some(MAX_PAGE))),
    ];
    operation
}

pub fn verify() -> Operation {
    look(
        "verifyHistory",
        "Whether any row was altered",
        found::<VerifyReport>("What reading every row came to."),
        without_a_database(),
    )
}
