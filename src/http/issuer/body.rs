//! Reads the bodies of calls for sessions and tokens.

use turnout_api::strict::{self, BadBody, Body};

use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;

/// What a body asks for. One that is not JSON is told so as on the other calls of clients.
pub fn asked<T: Body>(body: &[u8]) -> Result<T, ApiError> {
    strict::read(body).map_err(|bad| match bad {
        BadBody::NotJson { line, column } => {
            BadRequest::NotJson { line, column, like: None }.into()
        }
        other => other.into(),
    })
}
