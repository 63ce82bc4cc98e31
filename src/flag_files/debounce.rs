//! Decides when a reading of the flags folder is delivered: bursts and half-written files settle
//! first. Floor 2.
//!
//! Content is compared, never time stamps. A burst settles after 20 ms of quiet or 200 ms in all; a
//! file that may be half written, after one second without a change to it. Where the system cannot
//! watch, the folder is read twice a second and two equal readings count.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::dir::{FlagsDir, changed_paths};
use super::os_watcher::{OsWatcher, Signal};
use crate::definition::{File, FlagFiles, may_be_half_written};

/// How long no event may come before a burst is over.
const QUIET_DELAY: Duration = Duration::from_millis(20);
/// The longest a burst may last before the folder is read.
const BURST_TIMEOUT: Duration = Duration::from_millis(200);
/// How long a file that may be half written must stay unchanged.
const HALF_WRITTEN_DELAY: Duration = Duration::from_secs(1);
/// How often the folder is read although no event came: some file systems send none.
const SAFETY_POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The time between two such readings is at least this many times the duration of the last one:
/// reading ten thousand files takes time.
const SAFETY_POLL_FACTOR: u32 = 200;
/// How often the folder is read where the system cannot watch.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The most changes that are delivered within [`STORM_WINDOW`], however often the folder is
/// written.
const MAX_STORM_DELIVERIES: usize = 5;
const STORM_WINDOW: Duration = Duration::from_secs(1);

/// Decides when the content of a reading is delivered.
pub(super) struct Debouncer<Deliver> {
    folder: FlagsDir,
    watcher: OsWatcher,
    polling: Arc<AtomicBool>,
    /// Files that differ from what was last delivered.
    pending: HashMap<String, UnsettledFile>,
    /// Since when the folder itself cannot be read.
    lost_since: Option<Instant>,
    /// The subfolders that cannot be read, where that is new, and since when.
    newly_unreadable: Option<(BTreeMap<String, String>, Instant)>,
    delivered: FlagFiles,
    /// The last complete content of each file: half-written saves are detected by comparing with
    /// it.
    baseline: BTreeMap<String, File>,
    reading_took: Duration,
    /// When the last few changes were delivered.
    deliveries: VecDeque<Instant>,
    deliver: Deliver,
}

struct UnsettledFile {
    file: Option<File>,
    /// When this content was first read.
    since: Instant,
    half_written: bool,
}

impl UnsettledFile {
    /// When this content is delivered, unless it changes before.
    fn due(&self, polling: bool) -> Instant {
        let delay = match (self.half_written, polling) {
            (true, _) => HALF_WRITTEN_DELAY,
            (false, true) => POLL_INTERVAL,
            (false, false) => Duration::ZERO,
        };
        self.since + delay
    }
}

/// A burst of events: the first and the last.
#[derive(Clone, Copy)]
struct Burst {
    first: Instant,
    last: Instant,
}

impl<Deliver: FnMut(FlagFiles)> Debouncer<Deliver> {
    /// `delivered` is what the receiver has already. `polling` is set while the system cannot watch.
    pub fn new(
        folder: FlagsDir,
        watcher: OsWatcher,
        polling: Arc<AtomicBool>,
        delivered: FlagFiles,
        deliver: Deliver,
    ) -> Debouncer<Deliver> {
        Debouncer {
            folder,
            watcher,
            polling,
            pending: HashMap::new(),
            lost_since: None,
            newly_unreadable: None,
            baseline: delivered.files.clone(),
            delivered,
            reading_took: Duration::ZERO,
            deliveries: VecDeque::new(),
            deliver,
        }
    }

    /// Reads and delivers until [`Signal::Stop`] comes or every sender is dropped.
    pub fn run(mut self, signals: &Receiver<Signal>) {
        let mut last_read = Instant::now();
        // This reading finds every change between the first reading and the moment the watch was
        // set.
        let mut burst = self.read(last_read);
        loop {
            let due = self.due(burst, last_read);
            match signals.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Signal::Changed) => {
                    let now = Instant::now();
                    burst =
                        Some(Burst { first: burst.map_or(now, |burst| burst.first), last: now });
                    if self.due(burst, last_read) > now {
                        continue;
                    }
                }
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            last_read = Instant::now();
            burst = self.read(last_read);
        }
    }

    /// When the folder is read next.
    fn due(&self, burst: Option<Burst>, last_read: Instant) -> Instant {
        let polling = self.watcher.is_degraded();
        let idle = last_read
            + if polling {
                POLL_INTERVAL
            } else {
                SAFETY_POLL_INTERVAL.max(self.reading_took * SAFETY_POLL_FACTOR)
            };
        let settled =
            burst.map(|burst| (burst.last + QUIET_DELAY).min(burst.first + BURST_TIMEOUT));
        let lost = self
            .lost_since
            .map(|since| since + HALF_WRITTEN_DELAY)
            .filter(|_| self.delivered.unreadable.is_none());
        let newly_unreadable =
            self.newly_unreadable.as_ref().map(|(_, since)| *since + HALF_WRITTEN_DELAY);
        let due = self
            .pending
            .values()
            .map(|pending| pending.due(polling))
            .chain(settled)
            .chain(lost)
            .chain(newly_unreadable);
        let due = due.fold(idle, Instant::min);
        match self.deliveries.front() {
            Some(oldest) if self.deliveries.len() == MAX_STORM_DELIVERIES => {
                due.max(*oldest + STORM_WINDOW)
            }
            _ => due,
        }
    }

    /// Reads the folder and delivers what has settled. If a folder was first watched only after it
    /// was read, a burst is returned: the folder must be read again.
    fn read(&mut self, now: Instant) -> Option<Burst> {
        let read = self.folder.read();
        let has_new_watch = self.watcher.rewatch(self.folder.folders_that_matter());
        self.polling.store(self.watcher.is_degraded(), Ordering::Relaxed);
        self.reading_took = now.elapsed();
        match read.unreadable {
            Some(why) => self.note_lost_folder(why, now),
            None => {
                self.lost_since = None;
                self.settle(read, now);
            }
        }
        has_new_watch.then_some(Burst { first: now, last: now })
    }

    fn note_lost_folder(&mut self, why: String, now: Instant) {
        self.pending.clear();
        let since = *self.lost_since.get_or_insert(now);
        // A folder that is being replaced is missing for a moment, too.
        if self.delivered.unreadable.is_none() && now >= since + HALF_WRITTEN_DELAY {
            self.deliver(FlagFiles { unreadable: Some(why), ..self.delivered.clone() }, now);
        }
    }

    fn settle(&mut self, read: FlagFiles, now: Instant) {
        let changed = changed_paths(&self.delivered.files, &read.files);
        self.pending.retain(|path, pending| {
            changed.contains(&path.as_str()) && pending.file.as_ref() == read.files.get(path)
        });
        let mut files = self.delivered.files.clone();
        for path in changed {
            let file = read.files.get(path);
            let pending = self.pending.entry(path.to_owned()).or_insert_with(|| UnsettledFile {
                file: file.cloned(),
                since: now,
                half_written: may_be_half_written(path, self.baseline.get(path), file),
            });
            if now >= pending.due(self.watcher.is_degraded()) {
                match self.pending.remove(path).and_then(|pending| pending.file) {
                    Some(file) => files.insert(path.to_owned(), file),
                    None => files.remove(path),
                };
            }
        }
        let unreadable_folders = self.settled_folders(&read, now);
        let are_other_folders = unreadable_folders != self.delivered.unreadable_folders;
        if files != self.delivered.files || self.delivered.unreadable.is_some() || are_other_folders
        {
            self.deliver(FlagFiles { files, unreadable_folders, ..read }, now);
        }
    }

    /// The subfolders that cannot be read, once that has lasted a moment: a folder that is being
    /// replaced is missing, too.
    fn settled_folders(&mut self, read: &FlagFiles, now: Instant) -> BTreeMap<String, String> {
        let (old, new) = (&self.delivered.unreadable_folders, &read.unreadable_folders);
        if new.keys().all(|folder| old.contains_key(folder)) {
            self.newly_unreadable = None;
            return new.clone();
        }
        let since = match &self.newly_unreadable {
            Some((lost, since)) if lost == new => *since,
            _ => now,
        };
        let is_settled = now >= since + HALF_WRITTEN_DELAY;
        self.newly_unreadable = (!is_settled).then(|| (new.clone(), since));
        if is_settled { new.clone() } else { old.clone() }
    }

    fn deliver(&mut self, contents: FlagFiles, now: Instant) {
        for (path, file) in &contents.files {
            if self.delivered.files.get(path) != Some(file)
                && !may_be_half_written(path, None, Some(file))
            {
                self.baseline.insert(path.clone(), file.clone());
            }
        }
        if self.deliveries.len() == MAX_STORM_DELIVERIES {
            self.deliveries.pop_front();
        }
        self.deliveries.push_back(now);
        self.delivered = contents.clone();
        (self.deliver)(contents);
    }
}
