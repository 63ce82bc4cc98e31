//! The names that were answered with `stream-not-found` lately.
//!
//! A stream that is not the reader's must cost what one that is not there costs, or the time of an
//! answer tells them apart: each name costs one query, and none as long as it stands here. Bounded
//! in bytes, in two halves: the older one leaves whole.

use foldhash::fast::RandomState;
use hashbrown::HashSet;

use super::limits::MAX_REFUSED_BYTES;
use super::name::{StreamKey, StreamNames};

type Names = HashSet<StreamKey, RandomState>;

/// Each name here is of a stream in memory, or of none at all.
#[derive(Debug, Default)]
pub struct RefusedNames {
    newer: Names,
    older: Names,
    newer_bytes: usize,
}

impl RefusedNames {
    pub fn has(&self, names: &StreamNames<'_>) -> bool {
        self.newer.contains(names) || self.older.contains(names)
    }

    pub fn insert(&mut self, key: &StreamKey) {
        let bytes = bytes(key);
        if self.newer_bytes + bytes > MAX_REFUSED_BYTES / 2 {
            self.older = std::mem::take(&mut self.newer);
            self.newer_bytes = 0;
        }
        if self.newer.insert(key.clone()) {
            self.newer_bytes += bytes;
        }
    }

    pub fn clear(&mut self) {
        *self = RefusedNames::default();
    }
}

/// The bytes of a name: its texts, what the allocator adds, and its place in a table that is at
/// least three eighths full.
fn bytes(key: &StreamKey) -> usize {
    const ALLOCATION: usize = 16;
    let texts = key.flag().as_str().len() + key.stream().len() + 2 * ALLOCATION;
    texts + (size_of::<StreamKey>() + 1) * 8 / 3
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn strangers_take_no_more_than_the_bound() {
        let key = |n: u32| StreamKey::parse("a", &format!("{n:0>128}")).unwrap();
        let has = |names: &RefusedNames, key: &StreamKey| names.has(&key.names());
        let mut names = RefusedNames::default();
        for n in 0..20_000 {
            names.insert(&key(n));
            names.insert(&key(n));
            assert!(has(&names, &key(n)));
            let all: usize = names.newer.iter().chain(&names.older).map(bytes).sum();
            assert!(all <= MAX_REFUSED_BYTES, "{n}: {all}");
        }
        assert!(has(&names, &key(19_000)), "the newest half at least is known");
        assert!(!has(&names, &key(0)));
        names.clear();
        assert!(!has(&names, &key(19_999)));
    }
}
