//! Zeros: what no write reached, whole sectors of them, and the end of what stands before them.

const SECTOR: usize = 512;

/// Whether a whole sector between these places holds zeros alone.
pub(super) fn has_empty_sector(area: &[u8], begin: usize, end: usize) -> bool {
    // The area begins at a multiple of a sector.
    let (first, last) = (begin.next_multiple_of(SECTOR), end.min(area.len()));
    let whole = (first..last).step_by(SECTOR).filter(|at| at + SECTOR <= last);
    let in_front = begin..first.min(last);
    whole.into_iter().any(|at| is_empty(&area[at..at + SECTOR]))
        || (first < end && !in_front.is_empty() && is_empty(&area[in_front]))
        || last > first
            && !(last - first).is_multiple_of(SECTOR)
            && is_empty(&area[last - last % SECTOR..last])
}

/// At most a sector.
pub(super) fn is_empty(bytes: &[u8]) -> bool {
    const ZEROS: [u8; SECTOR] = [0; SECTOR];
    bytes == &ZEROS[..bytes.len()]
}

/// Where zeros begin that go on to the end.
pub(super) fn end_of_content(bytes: &[u8]) -> usize {
    let end_of_sectors = bytes
        .chunks(SECTOR)
        .rposition(|sector| !is_empty(sector))
        .map_or(0, |last| (last + 1) * SECTOR);
    let end = end_of_sectors.min(bytes.len());
    bytes[..end].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}
