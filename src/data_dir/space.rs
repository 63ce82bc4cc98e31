//! How much room the disk of the data folder has left.

use std::io;
use std::path::Path;

/// With less than this share of the disk free, and less than [`LOW_BYTES`], there is little room:
/// what a large disk has left at 5 % lasts.
const LOW_SHARE: u64 = 20;
const LOW_BYTES: u64 = 256 * 1024 * 1024;
/// Files are counted only where the file system has a number of them; so few left are few.
const LOW_FILES: u64 = 64;

/// What a file system says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// What this user may still write.
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// How many files may still be made; `None` where there is no such number.
    pub free_files: Option<u64>,
}

impl DiskSpace {
    /// Of the file system a path lies on. May take as long as that takes to answer.
    pub fn of(path: &Path) -> io::Result<DiskSpace> {
        let told = rustix::fs::statvfs(path)?;
        Ok(DiskSpace {
            free_bytes: told.f_bavail.saturating_mul(told.f_frsize),
            total_bytes: told.f_blocks.saturating_mul(told.f_frsize),
            free_files: (told.f_files > 0).then_some(told.f_favail),
        })
    }

    /// Below this the room is little.
    pub fn low_bytes(&self) -> u64 {
        (self.total_bytes / LOW_SHARE).min(LOW_BYTES)
    }

    /// Whether there is little room. Where that was said before, it is over with a quarter more
    /// than that: not told again and again.
    pub fn is_low(&self, was_low: bool) -> bool {
        let more = |low: u64| if was_low { low + low / 4 } else { low };
        let few_files = self.free_files.is_some_and(|free| free < more(LOW_FILES));
        few_files || self.free_bytes < more(self.low_bytes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn little_room_is_the_smaller_of_a_share_and_a_size() {
        for (total_mib, free_mib, free_files, was_low, is_low) in [
            (24, 2, None, false, false),
            (24, 1, None, false, true),
            (1024, 52, None, false, false),
            (1024, 51, None, false, true),
            (1024, 60, None, true, true),
            (1024, 64, None, true, false),
            (1024 * 1024, 257, None, false, false),
            (1024 * 1024, 255, None, false, true),
            (1024 * 1024, 1000, Some(10), false, true),
            (1024 * 1024, 1000, Some(1000), false, false),
            (0, 0, None, false, false),
        ] {
            let space =
                DiskSpace { free_bytes: free_mib * MIB, total_bytes: total_mib * MIB, free_files };
            assert_eq!(
                space.is_low(was_low),
                is_low,
                "{free_mib} of {total_mib} MiB, {free_files:?} files, {was_low}"
            );
        }
    }

    #[test]
    fn a_disk_says_how_much_room_it_has() {
        let space = DiskSpace::of(Path::new("/tmp")).unwrap();
        assert!(space.total_bytes > 0 && space.free_bytes <= space.total_bytes, "{space:?}");
    }
}
