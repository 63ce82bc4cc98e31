//! What is wrong with the body of a request. No error repeats what was sent.

use super::server::TooSlow;

/// What is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("the body is empty; send JSON like {like}; a session's user may leave the key out")]
    Empty { like: &'static str },
    #[error("the body ended before it was whole")]
    Incomplete,
    #[error("{0}")]
    Shape(String),
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}; send the whole of it at once")]
    TooSlow(TooSlow),
    #[error(
        "too many requests are on their way, and this one has been for longest; send the whole of it at once, and try again"
    )]
    Crowded,
}

impl From<serde_json::Error> for BadRequest {
    fn from(error: serde_json::Error) -> BadRequest {
        BadRequest::NotJson { line: error.line(), column: error.column() }
    }
}
