//! How many files this process may have open, which bounds its connections, and whether its files
//! may grow. Floor 2: asks the system, and decides only how many to reserve for other files.

use std::io;
use std::sync::OnceLock;

/// More than any Turnout server needs; some systems allow a billion, and keep tables for as many.
const MAX_OPEN_FILES: u64 = 1 << 20;
/// Reserved for files that are not connections: flag files, logs, and a listener's own.
const RESERVED_FILES: u64 = 128;
/// The signal that reports that a file may not grow any more; it kills a process that does not
/// handle it.
pub const FILE_TOO_LARGE_SIGNAL: i32 = rustix::process::Signal::XFSZ.as_raw();

/// The present limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    pub limit: u64,
    /// The limit when the process started.
    pub at_start: u64,
}

/// Raises the limit as far as the system lets a process raise it by itself. Works once and returns
/// the same later. Where the system does not answer, a customary limit is assumed.
pub fn raise() -> OpenFiles {
    static RAISED: OnceLock<OpenFiles> = OnceLock::new();
    *RAISED.get_or_init(|| {
        let at_start = rlimit::Resource::NOFILE.get_soft().unwrap_or(1024);
        let limit = rlimit::increase_nofile_limit(MAX_OPEN_FILES).unwrap_or(at_start).max(at_start);
        OpenFiles { limit, at_start }
    })
}

/// Whether the system limits how large a file of this process may be (`ulimit -f`, LimitFSIZE).
pub fn have_a_size_limit() -> bool {
    rlimit::Resource::FSIZE.get_soft().is_ok_and(|limit| limit != rlimit::INFINITY)
}

impl OpenFiles {
    /// How many connections fit.
    pub fn connections(self) -> usize {
        usize::try_from(self.limit.saturating_sub(RESERVED_FILES).max(self.limit / 2))
            .unwrap_or(usize::MAX)
            .max(1)
    }

    /// Lets the system make its table of this process's files as long as this many connections will
    /// need; best before there is a second thread. Linux doubles that table when it is full, and
    /// then the thread that accepts a connection waits until no core can be reading the old table
    /// (`synchronize_rcu` in `expand_fdtable` of fs/file.c): 5 to 20 ms at 256 connections, at 512,
    /// and so on, for every client of that thread. A table for 50,000 takes 512 KiB of the system's
    /// memory.
    pub fn make_room_for(self, connections: usize) {
        let files = (connections as u64).saturating_add(RESERVED_FILES).min(self.limit);
        let last = i32::try_from(files).unwrap_or(i32::MAX).saturating_sub(1);
        // Where the system refuses, the table grows as it always did.
        drop(rustix::io::fcntl_dupfd_cloexec(io::stdin(), last));
    }
}
