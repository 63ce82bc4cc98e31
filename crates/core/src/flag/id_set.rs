//! A compact, exact set of texts: the ids, addresses or domains a list names.
//!
//! The texts are in two buffers, one shared (for a `users_file`, the file's own bytes) and one of
//! its own; the table uses five bytes for each text. A look-up among a million ids costs no more
//! than one among ten.

use std::fmt;
use std::hash::BuildHasher;
use std::ops::Range;

use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// The longest text a set holds, in bytes.
pub const MAX_ID_BYTES: usize = 256;

/// An immutable set of texts of 1 to [`MAX_ID_BYTES`] bytes.
///
/// ```
/// use turnout_core::flag::IdSet;
/// let set: IdSet = ["u-7", "u-42"].into_iter().collect();
/// assert!(set.contains("u-42") && !set.contains("u-4"));
/// ```
pub struct IdSet {
    buffers: Buffers,
    table: HashTable<Slice>,
    hasher: RandomState,
}

/// The bytes of the texts, addressed as one buffer: a long list is not copied for the few ids that
/// are added to it.
struct Buffers {
    shared: Bytes,
    own: Box<[u8]>,
}

/// The position of a text: its offset in four bytes, its length minus one in the fifth.
#[derive(Clone, Copy)]
struct Slice([u8; 5]);

impl Slice {
    fn new(offset: usize, length: usize) -> Option<Slice> {
        let offset = u32::try_from(offset).ok()?.to_le_bytes();
        let last = u8::try_from(length.checked_sub(1)?).ok()?;
        Some(Slice([offset[0], offset[1], offset[2], offset[3], last]))
    }
}

impl Buffers {
    fn text(&self, Slice([a, b, c, d, last]): Slice) -> &[u8] {
        let offset = u32::from_le_bytes([a, b, c, d]) as usize;
        match offset.checked_sub(self.shared.len()) {
            None => &self.shared[offset..=offset + usize::from(last)],
            Some(offset) => &self.own[offset..=offset + usize::from(last)],
        }
    }
}

impl IdSet {
    /// The set of the given ranges of a shared buffer, and of some more texts. Texts that are
    /// empty, longer than [`MAX_ID_BYTES`] or past the first 4 GiB are left out; the code that
    /// reads a list refuses them before.
    pub fn over<'a>(
        shared: Bytes,
        ranges: impl Iterator<Item = Range<usize>> + Clone,
        more: impl IntoIterator<Item = &'a str>,
    ) -> IdSet {
        let (mut own, mut own_ranges) = (Vec::new(), Vec::new());
        for id in more {
            let start = shared.len() + own.len();
            own.extend_from_slice(id.as_bytes());
            own_ranges.push(start..start + id.len());
        }
        let (buffers, hasher) = (Buffers { shared, own: own.into() }, RandomState::default());
        // Counted first: a table that grows leaves memory behind that is never released.
        let mut table = HashTable::with_capacity(ranges.clone().count() + own_ranges.len());
        for range in ranges.chain(own_ranges) {
            let Some(slice) = Slice::new(range.start, range.len()) else { continue };
            let id = buffers.text(slice);
            let hash = hasher.hash_one(id);
            if table.find(hash, |other: &Slice| buffers.text(*other) == id).is_none() {
                table.insert_unique(hash, slice, |other| hasher.hash_one(buffers.text(*other)));
            }
        }
        table.shrink_to_fit(|other| hasher.hash_one(buffers.text(*other)));
        IdSet { buffers, table, hasher }
    }

    #[inline]
    pub fn contains(&self, id: &str) -> bool {
        let id = id.as_bytes();
        !self.table.is_empty() && self.find(id)
    }

    /// How many texts of this set are not in `other`.
    pub fn missing_in(&self, other: &IdSet) -> usize {
        self.table.iter().filter(|slice| !other.find(self.buffers.text(**slice))).count()
    }

    fn find(&self, id: &[u8]) -> bool {
        self.table.find(self.hasher.hash_one(id), |slice| self.buffers.text(*slice) == id).is_some()
    }

    /// How many different texts the set has.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

impl<'a> FromIterator<&'a str> for IdSet {
    fn from_iter<I: IntoIterator<Item = &'a str>>(ids: I) -> IdSet {
        IdSet::over(Bytes::new(), std::iter::empty(), ids)
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

/// Prints counts, never content: user ids are personal.
impl fmt::Debug for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdSet({} ids)", self.len())
    }
}
