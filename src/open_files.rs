//! How many files this process may have open, which bounds how many connections it can hold. Floor 2: asks the system, and decides only
//! what to leave for other files.

/// More than any server of ours needs; some systems allow a billion, and keep tables for as many.
const ENOUGH: u64 = 1 << 20;
/// Kept for everything that is no connection: flag files, logs, and a listener's own.
const KEPT: u64 = 128;

/// The limit as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    pub limit: u64,
    /// What it was when the process started.
    pub at_start: u64,
}

/// Raises the limit as far as the system lets a process raise it by itself. Where it does not say, it is taken to be what it always was.
pub fn raise() -> OpenFiles {
    let at_start = rlimit::Resource::NOFILE.get_soft().unwrap_or(1024);
    let limit = rlimit::increase_nofile_limit(ENOUGH).unwrap_or(at_start).max(at_start);
    OpenFiles { limit, at_start }
}

impl OpenFiles {
    /// How many connections fit.
    pub fn connections(self) -> usize {
        usize::try_from(self.limit.saturating_sub(KEPT).max(self.limit / 2)).unwrap_or(usize::MAX).max(1)
    }
}
