//! What the data folder takes of its disk, and what is left there.

use std::fs;
use std::path::Path;

use super::DataDir;

/// In bytes; what could not be found out is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUsage {
    pub database: Option<u64>,
    pub wal: Option<u64>,
    /// As much as this user may still fill.
    pub free: Option<u64>,
}

impl DataDir {
    /// Asks the system, which may take long where the disk hangs.
    pub fn usage(&self) -> DiskUsage {
        let size = |path: &Path| fs::metadata(path).ok().map(|found| found.len());
        let free = rustix::fs::statvfs(self.path())
            .ok()
            .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let mut wal = self.database().into_os_string();
        wal.push("-wal");
        DiskUsage { database: size(&self.database()), wal: size(wal.as_ref()), free }
    }
}
