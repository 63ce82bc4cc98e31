//! What a header of a response says.

use turnout_api::schema::text;
use utoipa::openapi::schema::ObjectBuilder;

use super::schema::{Schema, integer_from};

/// What a header says, and its schema.
pub fn header(name: &str) -> (&'static str, Schema) {
    const POSITION: &str = r"^[0-9]+(\+[0-9]+)?$";
    let pattern = |pattern: &str| Schema::from(text().pattern(Some(pattern)));
    match name {
        "ETag" => (
            "The strong tag of the body; send it as `If-None-Match` with the next question.",
            text().into(),
        ),
        "Turnout-Revision" => (
            "The position the answer was made from: a revision, or `revision+n` with n entries pending.",
            pattern(POSITION),
        ),
        "Turnout-Flag-Revision" => {
            ("The position at which this flag last changed.", pattern(POSITION))
        }
        "Turnout-Error-Attribute" => (
            "The declared attribute that came as another type, where the rule is `error` for that; never its value.",
            text().into(),
        ),
        "Turnout-Stale" => (
            "Seconds since the source of the flags could last be read; 0 while it can.",
            integer_from(0).into(),
        ),
        "Turnout-Time" => ("The node's clock, in milliseconds since 1970.", integer_from(0).into()),
        "Vary" => ("What the answer depends on.", text().into()),
        "WWW-Authenticate" => {
            ("How to say who one is.", text().enum_values(Some(["Bearer"])).into())
        }
        "Retry-After" => ("Seconds after which to try again.", integer_from(1).into()),
        "RateLimit-Policy" => (
            "How many answers a user gets in a window of so many seconds, such as `\"feed\";q=60;w=60`; not for server keys.",
            pattern(r#"^"[a-z]+";q=[0-9]+;w=[0-9]+$"#),
        ),
        "RateLimit" => (
            "How many answers the user has left, and in how many seconds one more is free, such as `\"feed\";r=57;t=4`; not for server keys.",
            pattern(r#"^"[a-z]+";r=[0-9]+;t=[0-9]+$"#),
        ),
        "Allow" => ("The methods this address takes.", text().into()),
        // A test finds a header without a word.
        _ => ("", ObjectBuilder::new().into()),
    }
}
