//! A compact, exact set of texts: the ids, addresses or domains a list names.
//!
//! All texts lie in one shared buffer (for a `users_file`, the file's own bytes); the table holds five bytes for each. A million
//! ids cost no more to ask than ten.

use std::fmt;
use std::hash::BuildHasher;

use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// The longest text a set holds, in bytes.
pub const MAX_ID_BYTES: usize = 256;

/// An immutable set of texts of 1 to [`MAX_ID_BYTES`] bytes.
///
/// ```
/// use turnout::flag::IdSet;
/// let set: IdSet = ["u-7", "u-42"].into_iter().collect();
/// assert!(set.contains("u-42") && !set.contains("u-4"));
/// ```
pub struct IdSet {
    bytes: Bytes,
    table: HashTable<Slice>,
    hasher: RandomState,
}

/// Where a text lies in the buffer: its offset in four bytes, its length less one in the fifth.
#[derive(Clone, Copy)]
struct Slice([u8; 5]);

impl Slice {
    fn new(offset: usize, length: usize) -> Option<Slice> {
        let offset = u32::try_from(offset).ok()?.to_le_bytes();
        let last = u8::try_from(length.checked_sub(1)?).ok()?;
        Some(Slice([offset[0], offset[1], offset[2], offset[3], last]))
    }

    fn of(self, bytes: &[u8]) -> &[u8] {
        let [a, b, c, d, last] = self.0;
        let offset = u32::from_le_bytes([a, b, c, d]) as usize;
        &bytes[offset..=offset + usize::from(last)]
    }
}

impl IdSet {
    /// The set of the given ranges of a shared buffer. Ranges that are empty, longer than [`MAX_ID_BYTES`] or past the first
    /// 4 GiB are left out; whoever reads a list refuses those before.
    pub fn over(bytes: Bytes, ranges: impl Iterator<Item = std::ops::Range<usize>> + Clone) -> IdSet {
        let hasher = RandomState::default();
        // Counted first: a table that grows leaves memory behind that is never given back.
        let mut table = HashTable::with_capacity(ranges.clone().count());
        for range in ranges {
            let Some(slice) = Slice::new(range.start, range.len()) else { continue };
            let id = slice.of(&bytes);
            let hash = hasher.hash_one(id);
            if table.find(hash, |other: &Slice| other.of(&bytes) == id).is_none() {
                table.insert_unique(hash, slice, |other| hasher.hash_one(other.of(&bytes)));
            }
        }
        table.shrink_to_fit(|other| hasher.hash_one(other.of(&bytes)));
        IdSet { bytes, table, hasher }
    }

    pub fn contains(&self, id: &str) -> bool {
        let id = id.as_bytes();
        !self.table.is_empty() && self.table.find(self.hasher.hash_one(id), |slice| slice.of(&self.bytes) == id).is_some()
    }

    /// How many of its texts another set lacks.
    pub fn missing_in(&self, other: &IdSet) -> usize {
        let has = |id: &[u8]| other.table.find(other.hasher.hash_one(id), |slice| slice.of(&other.bytes) == id).is_some();
        self.table.iter().filter(|slice| !has(slice.of(&self.bytes))).count()
    }

    /// How many different texts it holds.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

impl<'a> FromIterator<&'a str> for IdSet {
    fn from_iter<I: IntoIterator<Item = &'a str>>(ids: I) -> IdSet {
        let mut bytes = Vec::new();
        let mut ranges = Vec::new();
        for id in ids {
            let start = bytes.len();
            bytes.extend_from_slice(id.as_bytes());
            ranges.push(start..bytes.len());
        }
        IdSet::over(bytes.into(), ranges.into_iter())
    }
}

impl Default for IdSet {
    fn default() -> IdSet {
        IdSet::from_iter([])
    }
}

impl PartialEq for IdSet {
    fn eq(&self, other: &IdSet) -> bool {
        self.len() == other.len() && self.missing_in(other) == 0
    }
}

/// Counts and never prints: user ids are personal.
impl fmt::Debug for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdSet({} ids)", self.len())
    }
}
