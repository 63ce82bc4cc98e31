//! Headers of our own that say from which state a response was made.

use axum::http::HeaderName;

pub const REVISION: HeaderName = HeaderName::from_static("turnout-revision");
pub const FLAG_REVISION: HeaderName = HeaderName::from_static("turnout-flag-revision");
pub const TIME: HeaderName = HeaderName::from_static("turnout-time");
pub const STALE: HeaderName = HeaderName::from_static("turnout-stale");
