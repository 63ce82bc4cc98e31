//! What a reading of the flags folder changes.

use std::collections::BTreeSet;

use tokio::task::JoinHandle;

use super::problems::Problem;
use crate::definition::{Finding, Progress, TestRun};
use crate::flag::FlagKey;
use crate::ledger::{Reconciliation, Subject};

/// What a reading, or a test, has changed.
pub(super) struct Applied {
    pub findings_changed: bool,
    pub compared: usize,
    /// The narrowing changes that are live and being saved.
    pub narrowed: Option<JoinHandle<()>>,
    pub to_commit: BTreeSet<Subject>,
    /// Whether everything in the folder was compared, and not only one flag.
    pub is_whole: bool,
    /// The tests that are still to be run.
    pub tests: Vec<TestRun>,
}

/// What a comparison under the lock of the definitions found.
pub(super) struct FolderChange {
    pub findings: Vec<Finding>,
    pub reconciliation: Reconciliation,
    pub is_whole: bool,
    pub missing: Vec<Problem>,
    pub waiting: Vec<(FlagKey, Progress)>,
    pub tests: Vec<TestRun>,
}
