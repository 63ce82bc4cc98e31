//! Reports of clients: how following went, counted by flag and by the strategy that the server knows
//! the user has. Floor 3.
//!
//! | file | what it decides |
//! |---|---|
//! | `read` | what a report is, and which numbers no tab can have |
//! | `allowance` | how much of a user's reports counts |
//! | `counts` | what is counted of them |
//!
//! Nothing of a report is kept but its numbers, and nothing of a user but a hash with the allowance
//! it has left.

mod allowance;
mod counts;
mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use counts::FlagCounts;
pub use read::{BadReport, CheckedReport};

use crate::flag::{FlagKey, Strategy};
use allowance::{Allowances, Granted};
use counts::Counts;

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    Counted,
    /// The user's reports say more than eight tabs can do.
    OverAllowance,
    /// There is no room for another user.
    NoRoom,
}

impl ReportOutcome {
    pub const ALL: [ReportOutcome; 3] =
        [ReportOutcome::Counted, ReportOutcome::OverAllowance, ReportOutcome::NoRoom];

    pub fn as_str(self) -> &'static str {
        match self {
            ReportOutcome::Counted => "counted",
            ReportOutcome::OverAllowance => "over-allowance",
            ReportOutcome::NoRoom => "no-room",
        }
    }
}

/// Takes in the reports of all users.
#[derive(Debug, Default)]
pub struct Reports {
    allowances: Allowances,
    counts: Counts,
    outcomes: [AtomicU64; ReportOutcome::ALL.len()],
}

impl Reports {
    /// Counts a report of this user. `known` is the user's strategy for a flag by the server's own
    /// knowledge; a flag that it does not know is passed over.
    pub fn take(
        &self,
        user: &str,
        report: &CheckedReport,
        now_ms: u64,
        known: impl Fn(&str) -> Option<(FlagKey, Strategy)>,
    ) -> ReportOutcome {
        let asked = (report.cost_ms(), report.has_complaint());
        let outcome = match self.allowances.take(user, asked, now_ms) {
            Granted::All => self.count(report, true, known),
            Granted::WithoutComplaint => self.count(report, false, known),
            Granted::Nothing => ReportOutcome::OverAllowance,
            Granted::NoRoom => ReportOutcome::NoRoom,
        };
        self.outcomes[outcome as usize].fetch_add(1, Relaxed);
        outcome
    }

    /// How many reports had which outcome.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ReportOutcome::ALL
            .into_iter()
            .map(|outcome| (outcome.as_str(), self.outcomes[outcome as usize].load(Relaxed)))
    }

    /// What was counted of the flags that are there, in their order.
    pub fn rows(
        &self,
        is_there: impl Fn(&FlagKey) -> bool,
    ) -> Vec<(FlagKey, Strategy, Arc<FlagCounts>)> {
        self.counts.rows(is_there)
    }

    /// How many bytes the allowances take, and how often there was no room for one.
    pub fn held(&self) -> (usize, u64) {
        (self.allowances.bytes(), self.outcomes[ReportOutcome::NoRoom as usize].load(Relaxed))
    }

    fn count(
        &self,
        report: &CheckedReport,
        with_complaint: bool,
        known: impl Fn(&str) -> Option<(FlagKey, Strategy)>,
    ) -> ReportOutcome {
        for part in report.flags() {
            if let Some((flag, strategy)) = known(&part.flag)
                && let Some(counts) = self.counts.of(&flag, strategy)
            {
                counts.add(part, strategy, with_complaint);
            }
        }
        ReportOutcome::Counted
    }
}
