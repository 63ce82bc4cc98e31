//! The entity tags of one document, and of many.

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// The basis for the tag of several documents: the sum of a hash of each. When a document is
/// replaced, its hash is subtracted and the new one added, so the tag of ten thousand documents
/// needs no look at the others (decision 0040).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PositionStamp(u128);

impl PositionStamp {
    pub(super) fn of(document: &[u8]) -> PositionStamp {
        let mut bytes = [0; 16];
        Sha256::digest(document).iter().zip(&mut bytes).for_each(|(hashed, byte)| *byte = *hashed);
        PositionStamp(u128::from_be_bytes(bytes))
    }

    #[inline]
    pub fn with(self, other: PositionStamp) -> PositionStamp {
        PositionStamp(self.0.wrapping_add(other.0))
    }

    #[inline]
    pub fn without(self, other: PositionStamp) -> PositionStamp {
        PositionStamp(self.0.wrapping_sub(other.0))
    }

    /// The strong entity tag of `count` documents, and of `beside`, the rest of the body.
    pub fn etag(self, count: usize, beside: &[u8]) -> Bytes {
        etag([&self.0.to_be_bytes()[..], &(count as u64).to_be_bytes(), beside])
    }
}

/// A strong entity tag over the parts of a body, quoted.
pub fn etag<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
    let mut hash = Sha256::new();
    parts.into_iter().for_each(|part| hash.update(part));
    let hex: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"").into()
}
