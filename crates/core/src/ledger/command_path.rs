//! Which of three paths a decided change takes.

use super::attribution::Attribution;
use super::pending::PendingChange;
use super::planned_change::Decision;

/// A decided change, by its path.
#[derive(Clone, Debug)]
pub enum CommandPath {
    /// The state already is as commanded.
    Unchanged,
    /// Live at once: every part is a stop or a lower split.
    Narrowing { narrowed: Vec<PendingChange>, decided: Decision },
    /// Committed before it is live: it widens, or is more than a stop or a split.
    ByCommit(Decision),
}

impl Decision {
    /// Chooses the path of this change. `mark` says who makes the change, when and why.
    pub fn classify(self, mark: &Attribution) -> CommandPath {
        if self.parts.is_empty() {
            return CommandPath::Unchanged;
        }
        match self.narrowed(mark) {
            Some(narrowed) => CommandPath::Narrowing { narrowed, decided: self },
            None => CommandPath::ByCommit(self),
        }
    }
}
