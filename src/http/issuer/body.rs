//! Reads the bodies of calls for sessions and tokens.

use turnout_api::strict::{self, BadBody, Body};

use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;

/// The body of a call for one user's sessions.
pub const OF_A_USER: &str = r#"{"targetingKey": "…"}"#;

/// What a body asks for. One that is empty, or not JSON, is told what to send, as on the other
/// calls of clients.
pub fn asked<T: Body>(body: &[u8], like: &'static str) -> Result<T, ApiError> {
    if body.is_empty() {
        return Err(BadRequest::EmptyBody { like }.into());
    }
    strict::read(body).map_err(|bad| match bad {
        BadBody::NotJson { line, column } => {
            BadRequest::NotJson { line, column, like: Some(like) }.into()
        }
        other => other.into(),
    })
}
