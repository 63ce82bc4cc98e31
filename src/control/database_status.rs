//! What is said of the database.

use super::{ControlEvent, Database, Inner, Problem, ProblemKind};

impl Inner {
    /// Notes whether the database can be used, and reports a problem where it cannot.
    pub(super) fn set_database(&self, new: Database) {
        let old = self.store.set(new.clone());
        self.store.staleness.note(new == Database::Up);
        let problem = |message: String, hint: String| Problem {
            kind: ProblemKind::Database,
            subject: None,
            message,
            hint,
        };
        let path = self.data.database();
        let path = path.display();
        let problems = match &new {
            Database::Up => Vec::new(),
            Database::Down { why, .. } => vec![problem(
                format!("the database is out of reach: {why}"),
                format!(
                    "if it is gone, bring {path} back; it is tried again every 2 s, answers go on, and stopping and lowering work"
                ),
            )],
            Database::Held { why, .. } => vec![problem(
                why.clone(),
                format!(
                    "bring the right {path} back, or start once with --accept-database, which first writes every stop, lower share and revocation known here into it; until then only stopping and lowering work"
                ),
            )],
        };
        self.trouble(ProblemKind::Database, problems);
        if new == Database::Up && old != Database::Up {
            (self.observer)(&ControlEvent::Back { pending: self.state().pending().len() });
        }
    }
}
