//! The queue of lines for stderr. A thread that adds a line never waits for a reader: a line
//! without room is dropped and counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most lines in the queue. A reader that is away for long loses lines; the service is not
/// affected.
pub const MAX_LINES: usize = 16 * 1024;
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most bytes of one write.
const BATCH_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub struct LogQueue {
    waiting: Mutex<Waiting>,
    /// Notified when a line was added.
    added: Condvar,
    /// Notified when a batch was written.
    written: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<String>,
    bytes: usize,
    /// How many lines were ever added, and how many of them are written.
    added: u64,
    done: u64,
}

/// Lines that are written together.
pub struct Batch {
    pub bytes: Vec<u8>,
    pub lines: u64,
}

impl LogQueue {
    /// Adds a line, which ends in a line break.
    pub fn push(&self, line: String) {
        let mut waiting = self.lock();
        if waiting.lines.len() >= MAX_LINES || waiting.bytes + line.len() > MAX_BYTES {
            drop(waiting);
            return self.drop_lines(1);
        }
        waiting.bytes += line.len();
        waiting.added += 1;
        waiting.lines.push_back(line);
        drop(waiting);
        self.added.notify_one();
    }

    /// Counts lines that were dropped elsewhere.
    pub fn drop_lines(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }

    /// How many lines were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits for lines and takes as many as fit into one write. They count as waiting until
    /// [`finish`](LogQueue::finish).
    pub fn take(&self) -> Batch {
        let waiting = self.added.wait_while(self.lock(), |waiting| waiting.lines.is_empty());
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch { bytes: Vec::new(), lines: 0 };
        while let Some(line) = waiting
            .lines
            .pop_front_if(|line| batch.lines == 0 || batch.bytes.len() + line.len() <= BATCH_BYTES)
        {
            batch.bytes.extend_from_slice(line.as_bytes());
            batch.lines += 1;
        }
        waiting.bytes -= batch.bytes.len();
        batch
    }

    /// Notes that a batch is done.
    pub fn finish(&self, batch: &Batch) {
        self.lock().done += batch.lines;
        self.written.notify_all();
    }

    /// Waits until every line added so far is done, at most `limit`. Returns whether it is.
    pub fn flush(&self, limit: Duration) -> bool {
        let waiting = self.lock();
        let added = waiting.added;
        let waited =
            self.written.wait_timeout_while(waiting, limit, |waiting| waiting.done < added);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
