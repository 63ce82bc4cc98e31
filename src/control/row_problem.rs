//! What is reported of a row of the database that is not right.

use super::{Problem, ProblemKind};
use crate::ledger::Subject;

/// A blob is written once: the next change of a subject that names it does not write it again.
pub(super) const UNREADABLE_TEXT: &str = "names what does not read";

/// How a report about the row of this subject begins.
pub(super) fn row_of(subject: Option<&Subject>) -> String {
    format!("the row of {} ", subject.map_or_else(|| "a subject".to_owned(), Subject::to_string))
}

pub(super) fn row_problem(subject: Option<&Subject>, why: &str, what: &str) -> Problem {
    Problem {
        kind: ProblemKind::PoisonRow,
        subject: subject.map(|subject| subject.key().to_owned()),
        message: format!("{}in the database {why}; {what}", row_of(subject)),
        hint:
            "turnout history --verify names altered rows; the next change of it writes a good one"
                .to_owned(),
    }
}
