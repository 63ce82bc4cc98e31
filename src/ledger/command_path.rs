//! Which of three ways a decided change takes.

use super::command::Decision;
use super::pending::PendingChange;
use super::record::Attribution;

/// A decided change by the way it takes.
#[derive(Clone, Debug)]
pub enum CommandPath {
    /// All is as it was wanted already.
    Unchanged,
    /// Live at once: every part is a stop or a lower split.
    Narrowing { narrowed: Vec<PendingChange>, decided: Decision },
    /// Committed before it is live: it widens, or does more than a stop or a split.
    ByCommit(Decision),
}

impl Decision {
    /// The way this change takes. `mark` says who makes it, when and why.
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
