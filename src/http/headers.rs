//! Headers of our own: from which state a response was made, and what was wrong with a question.

use axum::http::HeaderName;

pub const REVISION: HeaderName = HeaderName::from_static("turnout-revision");
pub const FLAG_REVISION: HeaderName = HeaderName::from_static("turnout-flag-revision");
/// The attribute whose type ended an evaluation in an error: a declared name, and never its value.
pub const ERROR_ATTRIBUTE: HeaderName = HeaderName::from_static("turnout-error-attribute");
pub const TIME: HeaderName = HeaderName::from_static("turnout-time");
pub const STALE: HeaderName = HeaderName::from_static("turnout-stale");
