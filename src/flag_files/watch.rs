//! Watches a flags folder and delivers its content once saves have settled. Floor 2.
//!
//! Folders are watched, never files, because every way of saving shows in the folder. Where the
//! system cannot watch, the folder is read twice a second and two equal readings count. Content is
//! compared, never time stamps. A burst settles after 20 ms of quiet or 200 ms in all; a file that
//! may be half written, after one second without a change to it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::dir::{FlagsDir, Pulse, changed_paths};
use super::os_watcher::OsWatcher;
use crate::definition::{File, FlagFiles, may_be_half_written};

const QUIET: Duration = Duration::from_millis(20);
const BURST_AT_MOST: Duration = Duration::from_millis(200);
const HALF_WRITTEN_QUIET: Duration = Duration::from_secs(1);
/// How often the folder is read although no event came: some file systems send none.
const NET: Duration = Duration::from_secs(2);
/// The time between two such readings is at least this many times the duration of the last one:
/// reading ten thousand files takes time.
const NET_SHARE: u32 = 200;
const POLL: Duration = Duration::from_millis(500);
/// The most changes that are delivered within [`STORM_WINDOW`], however often the folder is
/// written.
const STORM_AT_MOST: usize = 5;
const STORM_WINDOW: Duration = Duration::from_secs(1);
/// The longest wait at the end for a running reading; one that hangs is left behind.
const END_AT_MOST: Duration = Duration::from_secs(1);
const END_LOOK: Duration = Duration::from_millis(1);

/// Stops watching when dropped.
#[derive(Debug)]
pub struct Watch {
    poke: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
    polling: Arc<AtomicBool>,
    pulse: Pulse,
}

pub(super) enum Signal {
    Changed,
    Stop,
}

/// How changes are noticed now.
#[derive(Clone, Debug, Default)]
pub struct Mode(Arc<AtomicBool>);

impl Mode {
    pub fn as_str(&self) -> &'static str {
        if self.0.load(Ordering::Relaxed) { "polling" } else { "events" }
    }
}

impl Watch {
    /// Delivers every settled change after `delivered` to `deliver`, on its own thread.
    pub fn start(
        folder: FlagsDir,
        delivered: FlagFiles,
        deliver: impl FnMut(FlagFiles) + Send + 'static,
    ) -> io::Result<Watch> {
        let ((poke, poked), pulse) = (channel(), folder.pulse());
        let polling = Arc::new(AtomicBool::new(false));
        let settler = Debouncer {
            arms: OsWatcher::new(folder.root(), poke.clone()),
            folder,
            polling: polling.clone(),
            pending: HashMap::new(),
            lost_since: None,
            folders_lost: None,
            baseline: delivered.files.clone(),
            delivered,
            reading_took: Duration::ZERO,
            handed_on: VecDeque::new(),
            deliver,
        };
        let thread = std::thread::Builder::new()
            .name("flags-watch".to_owned())
            .spawn(move || settler.run(&poked))?;
        Ok(Watch { poke, thread: Some(thread), polling, pulse })
    }

    /// Reads the folder now, as if an event had come.
    pub fn look_now(&self) {
        let _ = self.poke.send(Signal::Changed);
    }

    /// Reports the progress of readings.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    pub fn mode(&self) -> Mode {
        Mode(self.polling.clone())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.poke.send(Signal::Stop);
        let Some(thread) = self.thread.take() else { return };
        let over = Instant::now() + END_AT_MOST;
        while !thread.is_finished() && Instant::now() < over {
            std::thread::sleep(END_LOOK);
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

/// Decides when the content of a reading is delivered.
struct Debouncer<Deliver> {
    folder: FlagsDir,
    arms: OsWatcher,
    polling: Arc<AtomicBool>,
    /// Files that differ from what was last delivered.
    pending: HashMap<String, UnsettledFile>,
    /// Since when the folder itself cannot be read.
    lost_since: Option<Instant>,
    /// The subfolders that cannot be read, where that is new, and since when.
    folders_lost: Option<(BTreeMap<String, String>, Instant)>,
    delivered: FlagFiles,
    /// The last complete content of each file: half-written saves are detected by comparing with
    /// it.
    baseline: BTreeMap<String, File>,
    reading_took: Duration,
    /// When the last few changes were delivered.
    handed_on: VecDeque<Instant>,
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
        let patience = match (self.half_written, polling) {
            (true, _) => HALF_WRITTEN_QUIET,
            (false, true) => POLL,
            (false, false) => Duration::ZERO,
        };
        self.since + patience
    }
}

/// A burst of events: the first and the last.
#[derive(Clone, Copy)]
struct Burst {
    first: Instant,
    last: Instant,
}

impl<Deliver: FnMut(FlagFiles)> Debouncer<Deliver> {
    fn run(mut self, poked: &Receiver<Signal>) {
        let mut last_read = Instant::now();
        // This reading finds every change between the first reading and the moment the watch was
        // set.
        let mut burst = self.read(last_read);
        loop {
            let due = self.due(burst, last_read);
            match poked.recv_timeout(due.saturating_duration_since(Instant::now())) {
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
        let polling = self.arms.is_degraded();
        let idle = last_read + if polling { POLL } else { NET.max(self.reading_took * NET_SHARE) };
        let settled = burst.map(|burst| (burst.last + QUIET).min(burst.first + BURST_AT_MOST));
        let lost = self
            .lost_since
            .map(|since| since + HALF_WRITTEN_QUIET)
            .filter(|_| self.delivered.unreadable.is_none());
        let folders_lost = self.folders_lost.as_ref().map(|(_, since)| *since + HALF_WRITTEN_QUIET);
        let due = self
            .pending
            .values()
            .map(|pending| pending.due(polling))
            .chain(settled)
            .chain(lost)
            .chain(folders_lost);
        let due = due.fold(idle, Instant::min);
        match self.handed_on.front() {
            Some(oldest) if self.handed_on.len() == STORM_AT_MOST => {
                due.max(*oldest + STORM_WINDOW)
            }
            _ => due,
        }
    }

    /// Reads the folder and delivers what has settled. If a folder was first watched only after it
    /// was read, a burst is returned: the folder must be read again.
    fn read(&mut self, now: Instant) -> Option<Burst> {
        let read = self.folder.read();
        let armed = self.arms.rewatch(self.folder.folders_that_matter());
        self.polling.store(self.arms.is_degraded(), Ordering::Relaxed);
        self.reading_took = now.elapsed();
        match read.unreadable {
            Some(why) => self.note_lost_folder(why, now),
            None => {
                self.lost_since = None;
                self.settle(read, now);
            }
        }
        armed.then_some(Burst { first: now, last: now })
    }

    fn note_lost_folder(&mut self, why: String, now: Instant) {
        self.pending.clear();
        let since = *self.lost_since.get_or_insert(now);
        // A folder that is being replaced is missing for a moment, too.
        if self.delivered.unreadable.is_none() && now >= since + HALF_WRITTEN_QUIET {
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
            if now >= pending.due(self.arms.is_degraded()) {
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
            self.folders_lost = None;
            return new.clone();
        }
        let since = match &self.folders_lost {
            Some((lost, since)) if lost == new => *since,
            _ => now,
        };
        let is_settled = now >= since + HALF_WRITTEN_QUIET;
        self.folders_lost = (!is_settled).then(|| (new.clone(), since));
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
        if self.handed_on.len() == STORM_AT_MOST {
            self.handed_on.pop_front();
        }
        self.handed_on.push_back(now);
        self.delivered = contents.clone();
        (self.deliver)(contents);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_hangs_does_not_hold_up_the_end() {
        let (reached, is_reached) = channel();
        let hang = move |_| {
            let _ = reached.send(());
            std::thread::park();
        };
        // A missing folder differs from an empty one, so there is something to deliver.
        let watch =
            Watch::start(FlagsDir::new("/nowhere/at/all", Vec::new()), FlagFiles::default(), hang)
                .unwrap();
        is_reached.recv_timeout(Duration::from_secs(60)).unwrap();
        let began = Instant::now();
        drop(watch);
        assert!(began.elapsed() < END_AT_MOST + Duration::from_secs(30));
    }
}
