//! The position of a snapshot.

use std::fmt;
use std::str::FromStr;

/// `213`, or `213+2` with two pending entries applied; ordered by revision, then count.
///
/// ```
/// use turnout_core::snapshot::Position;
/// assert_eq!(Position { revision: 213, pending: 2 }.to_string(), "213+2");
/// assert!(Position { revision: 213, pending: 2 } < Position { revision: 214, pending: 0 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub revision: u64,
    pub pending: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pending {
            0 => write!(f, "{}", self.revision),
            pending => write!(f, "{}+{pending}", self.revision),
        }
    }
}

/// The text is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position is a revision, or a revision and a count: 213, 213+2")]
pub struct BadPosition;

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Position, BadPosition> {
        let (revision, pending) = text
            .split_once('+')
            .map_or((text, None), |(revision, pending)| (revision, Some(pending)));
        let revision = revision.parse().map_err(|_| BadPosition)?;
        let pending = pending.map(str::parse).transpose().map_err(|_| BadPosition)?.unwrap_or(0);
        Ok(Position { revision, pending })
    }
}
