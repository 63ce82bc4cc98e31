//! What both listeners promise of sessions and tokens of our own, call by call.

use std::time::Duration;

use serde_json::json;

use super::contract::{TAG, found, if_none_match, not_modified};
use crate::auth::ServerAction;
use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;
use crate::http::openapi::{Operation, RequestBody, ResponseSpec, problems, schema_ref};
use crate::http::server::TooSlow;

pub fn create_session() -> Operation {
    let mut refusals = vec![
        ApiError::Unauthenticated,
        ApiError::ServerKeyNeeded,
        ApiError::KeyMayNot(ServerAction::Sessions),
        ApiError::OtherFlags,
        ApiError::NoSuchMethod,
    ];
    refusals.extend(session_refusals());
    let mut answers = vec![found("The session.", "Session", &[])];
    answers.extend(problems(&refusals));
    Operation {
        id: "createSession",
        summary: "A session for a user",
        says: "For servers whose users have cookies that say nothing here. It is accepted wherever a session token is. A key that is limited to \
            flags makes none, as a session counts for every flag.",
        parameters: Vec::new(),
        takes: RequestBody::Body(schema_ref("NewSession")),
        answers,
    }
}

/// Why no session is made.
pub fn session_refusals() -> Vec<ApiError> {
    vec![
        BadRequest::Incomplete.into(),
        BadRequest::TooLarge(String::new()).into(),
        BadRequest::TooSlow(TooSlow(Duration::ZERO)).into(),
        ApiError::InvalidRequest(String::new()),
        ApiError::IssuerUnavailable,
    ]
}

pub fn jwks() -> Operation {
    let mut answers = vec![ResponseSpec {
        content: Some((
            "application/json",
            json!({
                "type": "object",
                "properties": { "keys": { "type": "array", "items": { "type": "object" } } },
                "required": ["keys"],
            }),
        )),
        ..found("The keys (RFC 7517 §5).", "", &[TAG])
    }];
    answers.push(not_modified(&[TAG]));
    answers.extend(problems(&[ApiError::NoSuchMethod]));
    Operation {
        id: "jwks",
        summary: "The public keys of our own tokens",
        says: "May be kept for ten minutes: a new key is published for twenty before it signs.",
        parameters: vec![if_none_match()],
        takes: RequestBody::Nothing,
        answers,
    }
}
