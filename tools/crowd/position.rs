//! A position as events carry it: `213`, or `213+2`. It orders by revision, then by what is pending
//! on top.

use std::fmt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64, u64);

impl Position {
    pub fn parse(text: &str) -> Option<Position> {
        let (revision, pending) = text.split_once('+').unwrap_or((text, "0"));
        Some(Position(revision.parse().ok()?, pending.parse().ok()?))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position(revision, 0) => write!(f, "{revision}"),
            Position(revision, pending) => write!(f, "{revision}+{pending}"),
        }
    }
}
