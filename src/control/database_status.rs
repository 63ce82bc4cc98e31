//! What is said of the database.

use super::{ControlEvent, Database, Inner, Problem, ProblemKind};

impl Inner {
    /// Notes whether the database can be used, and reports a problem where it cannot.
    pub(super) fn set_database(&self, new: Database) {
        let old = self.store.set(new.clone());
        self.store.staleness.note(new == Database::Up);
        let problem = |message: String, hint: &str| Problem {
            kind: ProblemKind::Database,
            subject: None,
            message,
            hint: hint.to_owned(),
        };
        let problems = match &new {
            Database::Up => Vec::new(),
            Database::Down { why, .. } => vec![problem(
                format!("the database is out of reach: {why}"),
                "answers go on, stopping and lowering work; it is tried again every 2 s",
            )],
            Database::Held { why, .. } => vec![problem(
                why.clone(),
                "bring the right database back, or start once with --accept-database; until then only stopping and lowering work",
            )],
        };
        self.trouble(ProblemKind::Database, problems);
        if new == Database::Up && old != Database::Up {
            (self.observer)(&ControlEvent::Back { pending: self.state().pending().len() });
        }
    }
}
