//! The system's watches on the folders that matter, kept on the directories that are now at their
//! paths.
//!
//! A watch belongs to a directory, not to its path: a directory that is replaced, or reached
//! through a moved link, leaves its watch behind. So each path's directory is compared at every
//! reading. Where a watch cannot be set, the module reports that and tries again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// A message to the thread that reads the folder.
pub(super) enum Signal {
    Changed,
    Stop,
}

pub struct OsWatcher {
    root: PathBuf,
    signals: Sender<Signal>,
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Identity>,
    /// Some folder has no watch: changes are found only by reading.
    is_degraded: bool,
}

/// The directory at a path now: device and inode.
type Identity = (u64, u64);

impl OsWatcher {
    pub fn new(root: &Path, signals: Sender<Signal>) -> OsWatcher {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        OsWatcher { root, signals, watcher: None, watched: BTreeMap::new(), is_degraded: false }
    }

    pub fn is_degraded(&self) -> bool {
        self.is_degraded
    }

    /// Watches these folders, and the nearest existing folder above the root, so that a missing one is
    /// noticed when it appears. Returns true if a folder is watched that was not before: earlier
    /// changes in it were missed.
    pub fn rewatch(&mut self, folders: Vec<PathBuf>) -> bool {
        if self.watcher.is_none() {
            self.watcher = watcher(&self.root, self.signals.clone());
        }
        let Some(watcher) = &mut self.watcher else {
            self.is_degraded = true;
            return false;
        };
        let above =
            self.root.ancestors().skip(1).map(Path::to_owned).find(|folder| folder.is_dir());
        let wanted: BTreeMap<PathBuf, Identity> = folders
            .into_iter()
            .chain(above)
            .filter_map(|folder| {
                let folder = std::path::absolute(folder).ok()?;
                let metadata =
                    std::fs::metadata(&folder).ok().filter(|metadata| metadata.is_dir())?;
                Some((folder, (metadata.dev(), metadata.ino())))
            })
            .collect();
        self.watched.retain(|folder, identity| {
            let stays = wanted.get(folder) == Some(identity);
            if !stays {
                // The watch may be gone with its folder.
                let _ = watcher.unwatch(folder);
            }
            stays
        });
        self.is_degraded = false;
        let mut armed = false;
        for (folder, identity) in wanted {
            if let Entry::Vacant(place) = self.watched.entry(folder) {
                match watcher.watch(place.key(), RecursiveMode::NonRecursive) {
                    Ok(()) => {
                        place.insert(identity);
                        armed = true;
                    }
                    Err(_) => self.is_degraded = true,
                }
            }
        }
        armed
    }
}

/// A watcher that signals every change; `None` if the system has none.
fn watcher(root: &Path, signals: Sender<Signal>) -> Option<RecommendedWatcher> {
    let (name, parent) =
        (root.file_name().map(ToOwned::to_owned), root.parent().map(Path::to_owned));
    // The parent folder contains other things than flag files.
    let matters = move |path: &PathBuf| {
        path.parent() != parent.as_deref() || path.file_name() == name.as_deref()
    };
    let on_event = move |event: notify::Result<notify::Event>| {
        let is_change = match &event {
            // Reading the files causes events too; acting on them would never end.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => false,
            Ok(event) => event.paths.is_empty() || event.paths.iter().any(&matters),
            Err(_) => true,
        };
        if is_change {
            let _ = signals.send(Signal::Changed);
        }
    };
    notify::recommended_watcher(on_event).ok()
}
