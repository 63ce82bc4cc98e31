//! Watches a flags folder and hands on what it holds once saves have settled. Floor 2.
//!
//! Folders are watched, never files, as every way of saving shows there; where the system cannot watch, the folder is read twice a second and two
//! equal readings count. What is compared is content. A burst settles after 20 ms of quiet or 200 ms in all; a file that may be only half
//! written, after one second without a change to it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::definition::{Contents, File, may_be_half_written};
use crate::folder::{Folder, changed_paths};

const QUIET: Duration = Duration::from_millis(20);
const BURST_AT_MOST: Duration = Duration::from_millis(200);
const HALF_WRITTEN_QUIET: Duration = Duration::from_secs(1);
/// How often the folder is read although nothing was heard: some file systems tell nothing.
const NET: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(500);

/// Stops watching when dropped.
#[derive(Debug)]
pub struct Watch {
    poke: Sender<Poke>,
    thread: Option<JoinHandle<()>>,
}

enum Poke {
    Changed,
    Stop,
}

impl Watch {
    /// Hands every settled change after `delivered` to `deliver`, on a thread of its own.
    pub fn start(folder: Folder, delivered: Contents, deliver: impl FnMut(Contents) + Send + 'static) -> io::Result<Watch> {
        let (poke, poked) = channel();
        let arms = Arms::new(folder.root(), poke.clone());
        let watcher = Settler { folder, arms, pending: HashMap::new(), baseline: delivered.files.clone(), delivered, deliver };
        let thread = std::thread::Builder::new().name("flags-watch".to_owned()).spawn(move || watcher.run(&poked))?;
        Ok(Watch { poke, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.poke.send(Poke::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Decides when what was read is handed on.
struct Settler<Deliver> {
    folder: Folder,
    arms: Arms,
    /// Files that differ from what was handed on last.
    pending: HashMap<String, Pending>,
    delivered: Contents,
    /// The last content of each file that was whole: what a half-written save is told by.
    baseline: BTreeMap<String, File>,
    deliver: Deliver,
}

struct Pending {
    file: Option<File>,
    /// When this content was first read.
    since: Instant,
    half_written: bool,
}

impl Pending {
    /// When this content is handed on, unless it changes before.
    fn due(&self, deaf: bool) -> Instant {
        let patience = match (self.half_written, deaf) {
            (true, _) => HALF_WRITTEN_QUIET,
            (false, true) => POLL,
            (false, false) => Duration::ZERO,
        };
        self.since + patience
    }
}

/// A burst of events: its first and its last.
#[derive(Clone, Copy)]
struct Burst {
    first: Instant,
    last: Instant,
}

impl<Deliver: FnMut(Contents)> Settler<Deliver> {
    fn run(mut self, poked: &Receiver<Poke>) {
        // Whatever changed between the first reading and the arming of the watch is found by this one.
        self.arms.point_at(self.folder.folders_that_matter());
        self.read(Instant::now());
        let mut burst: Option<Burst> = None;
        let mut last_read = Instant::now();
        loop {
            let due = self.due(burst, last_read);
            match poked.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Poke::Changed) => {
                    let now = Instant::now();
                    burst = Some(Burst { first: burst.map_or(now, |burst| burst.first), last: now });
                    if self.due(burst, last_read) > now {
                        continue;
                    }
                }
                Ok(Poke::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            burst = None;
            last_read = Instant::now();
            self.read(last_read);
        }
    }

    /// When the folder is to be read next.
    fn due(&self, burst: Option<Burst>, last_read: Instant) -> Instant {
        let idle = last_read + if self.arms.are_deaf { POLL } else { NET };
        let settled = burst.map(|burst| (burst.last + QUIET).min(burst.first + BURST_AT_MOST));
        let pending = self.pending.values().map(|pending| pending.due(self.arms.are_deaf));
        pending.chain(settled).fold(idle, Instant::min)
    }

    fn read(&mut self, now: Instant) {
        let read = self.folder.read();
        self.arms.point_at(self.folder.folders_that_matter());
        if read.unreadable.is_some() {
            self.pending.clear();
            if self.delivered.unreadable != read.unreadable {
                self.hand_on(Contents { unreadable: read.unreadable, ..self.delivered.clone() });
            }
            return;
        }
        self.pending.retain(|path, pending| pending.file.as_ref() == read.files.get(path));
        let changed = changed_paths(&self.delivered.files, &read.files);
        self.pending.retain(|path, _| changed.contains(&path.as_str()));
        let mut files = self.delivered.files.clone();
        for path in changed {
            let file = read.files.get(path);
            let pending = self.pending.entry(path.to_owned()).or_insert_with(|| Pending {
                file: file.cloned(),
                since: now,
                half_written: may_be_half_written(path, self.baseline.get(path), file),
            });
            if now >= pending.due(self.arms.are_deaf) {
                match self.pending.remove(path).and_then(|pending| pending.file) {
                    Some(file) => files.insert(path.to_owned(), file),
                    None => files.remove(path),
                };
            }
        }
        if files != self.delivered.files || self.delivered.unreadable.is_some() {
            self.hand_on(Contents { files, ..read });
        }
    }

    fn hand_on(&mut self, contents: Contents) {
        for (path, file) in &contents.files {
            if !may_be_half_written(path, None, Some(file)) {
                self.baseline.insert(path.clone(), file.clone());
            }
        }
        self.delivered = contents.clone();
        (self.deliver)(contents);
    }
}

/// The system's watches on the folders that matter, kept pointed at what now stands there.
struct Arms {
    root: PathBuf,
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Identity>,
    /// No watch could be had for some folder: only reading tells.
    are_deaf: bool,
}

/// Which directory a path leads to at the moment.
type Identity = (u64, u64);

impl Arms {
    fn new(root: &Path, poke: Sender<Poke>) -> Arms {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let (name, parent) = (root.file_name().map(ToOwned::to_owned), root.parent().map(Path::to_owned));
        let matters = move |path: &PathBuf| path.parent() != parent.as_deref() || path.file_name() == name.as_deref();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own readings are events too; acting on them would never end.
            let is_change = match &event {
                Ok(event) => {
                    !matches!(event.kind, EventKind::Access(_)) && (event.paths.is_empty() || event.paths.iter().any(&matters))
                }
                Err(_) => true,
            };
            if is_change {
                let _ = poke.send(Poke::Changed);
            }
        });
        Arms { root, watcher: watcher.ok(), watched: BTreeMap::new(), are_deaf: false }
    }

    /// Watches these folders, and above them whatever exists, so that one that is missing is seen to come.
    fn point_at(&mut self, folders: Vec<PathBuf>) {
        let Some(watcher) = &mut self.watcher else {
            self.are_deaf = true;
            return;
        };
        let mut wanted: BTreeMap<PathBuf, Identity> = BTreeMap::new();
        let above = self.root.ancestors().skip(1).map(Path::to_owned).find(|folder| folder.is_dir());
        for folder in folders.into_iter().chain(above) {
            let folder = std::path::absolute(&folder).unwrap_or(folder);
            if let Ok(metadata) = std::fs::metadata(&folder)
                && metadata.is_dir()
            {
                wanted.insert(folder, (metadata.dev(), metadata.ino()));
            }
        }
        if wanted == self.watched && !self.are_deaf {
            return;
        }
        for (folder, identity) in &self.watched {
            if wanted.get(folder) != Some(identity) {
                // The watch may be gone with its folder.
                let _ = watcher.unwatch(folder);
            }
        }
        self.are_deaf = false;
        self.watched.retain(|folder, identity| wanted.get(folder) == Some(identity));
        for (folder, identity) in wanted {
            if let Entry::Vacant(place) = self.watched.entry(folder) {
                match watcher.watch(place.key(), RecursiveMode::NonRecursive) {
                    Ok(()) => drop(place.insert(identity)),
                    Err(_) => self.are_deaf = true,
                }
            }
        }
    }
}
