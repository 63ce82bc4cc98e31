//! Which of three ways a decided change takes.

use super::pending::Narrowed;
use super::record::Mark;
use super::wish::Decided;

/// A decided change by the way it takes.
#[derive(Clone, Debug)]
pub enum Decision {
    /// All is as it was wanted already.
    Unchanged,
    /// Live at once: every part is a stop or a lower split.
    Narrowing { narrowed: Vec<Narrowed>, decided: Decided },
    /// Committed before it is live: it widens, or does more than a stop or a split.
    ByCommit(Decided),
}

impl Decided {
    /// The way this change takes. `mark` says who makes it, when and why.
    pub fn classify(self, mark: &Mark) -> Decision {
        if self.parts.is_empty() {
            return Decision::Unchanged;
        }
        match self.narrowed(mark) {
            Some(narrowed) => Decision::Narrowing { narrowed, decided: self },
            None => Decision::ByCommit(self),
        }
    }
}
