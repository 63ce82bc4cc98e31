//! The flag that a path names.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;

/// The flag a path names, decoded; a path that is not UTF-8 names none.
pub type FlagPath = Result<Path<String>, PathRejection>;

/// The key in a path.
pub fn key(path: &FlagPath) -> &str {
    path.as_ref().map_or("", |Path(key)| key)
}
