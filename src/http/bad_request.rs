//! What is wrong with the body of a request. No error repeats what was sent.

use super::server::TooSlow;

/// What is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    #[error("the body is not JSON (line {line}, column {column}){}", send(*.like))]
    NotJson { line: usize, column: usize, like: Option<&'static str> },
    #[error("the body is empty; send JSON like {like}; a session's user may leave the key out")]
    Empty { like: &'static str },
    #[error("the body is empty; send JSON like {like}")]
    EmptyBody { like: &'static str },
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

/// What to send instead, if one body serves as the example.
fn send(like: Option<&str>) -> String {
    like.map(|like| format!("; send JSON like {like}")).unwrap_or_default()
}
