//! How large the file is, and who may use how much of it.

use super::layout::HEADER_BYTES;
use crate::ledger::PendingEntry;

/// The least: room for thousands of single changes, or for a stop of every flag.
pub(super) const LEAST: usize = 4 * 1024 * 1024;
/// The most. What does not fit into it is live, and told not to survive a restart.
pub(super) const MOST: usize = 64 * 1024 * 1024;

/// Where the last entry of its kind must end in the area of a file of this size: a quarter of the
/// file is for what stops and revokes alone.
pub(super) fn limit(size: usize, is_stop: bool) -> usize {
    let of_stops_alone = if is_stop { 0 } else { size / 4 };
    size.saturating_sub(HEADER_BYTES + of_stops_alone)
}

/// The size of a file of which entries of so many bytes leave a quarter free for those to come.
pub(super) fn size_for(bytes: usize) -> usize {
    let mut size = LEAST;
    while bytes > limit(size, false) / 4 * 3 && size < MOST {
        size *= 2;
    }
    size
}

/// The smallest file that takes these entries.
pub(super) fn least_for(bytes: usize) -> usize {
    let mut size = LEAST;
    while bytes > limit(size, true) && size < MOST {
        size *= 2;
    }
    size
}

/// The entries that fit into the largest file, in their order. Others leave the room to what stops
/// and revokes.
pub(super) fn fitting(entries: Vec<(&PendingEntry, usize)>) -> (Vec<&PendingEntry>, usize) {
    let of_stops: usize =
        entries.iter().filter(|(entry, _)| entry.is_stop()).map(|(_, bytes)| bytes).sum();
    let (mut stops, mut others) = (0, 0);
    let mut fitting = Vec::new();
    for (entry, bytes) in entries {
        let (used, most) = if entry.is_stop() {
            (&mut stops, limit(MOST, true))
        } else {
            (&mut others, limit(MOST, false).min(limit(MOST, true).saturating_sub(of_stops)))
        };
        if *used + bytes <= most {
            *used += bytes;
            fitting.push(entry);
        }
    }
    (fitting, stops + others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_room_for_more_up_to_the_most() {
        const MIB: usize = 1024 * 1024;
        for (bytes, size, least) in [
            (0, 4, 4),
            (MIB, 4, 4),
            (3 * MIB, 8, 4),
            (4 * MIB, 8, 8),
            (20 * MIB, 64, 32),
            (60 * MIB, 64, 64),
            (600 * MIB, 64, 64),
        ] {
            assert_eq!((size_for(bytes) / MIB, least_for(bytes) / MIB), (size, least), "{bytes}");
        }
    }
}
