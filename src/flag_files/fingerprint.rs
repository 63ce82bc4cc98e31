//! Whether a file may have changed since it was read, by its metadata.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// What the system reports of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fingerprint {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    pub const NONE: Fingerprint =
        Fingerprint { device: 0, inode: 0, bytes: 0, modified: (0, 0), changed: (0, 0) };

    pub fn of(metadata: &Metadata) -> Fingerprint {
        Fingerprint {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether a later save would surely show: time stamps are coarse, so a fresh one proves
    /// nothing.
    pub fn is_old(&self) -> bool {
        let changed = SystemTime::UNIX_EPOCH
            + Duration::new(self.changed.0.max(0) as u64, self.changed.1.max(0) as u32);
        crate::clock::wall().duration_since(changed).is_ok_and(|age| age > Duration::from_secs(2))
    }
}
