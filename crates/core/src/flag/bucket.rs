//! The frozen hash `m3x32-v1` (law 3): from a salt and a unit to one of 100,000 buckets.
//!
//! Integers only, no modulo, no normalising of the unit. Nothing here may ever change: a different
//! rule is a scheme with another name. The vectors in `tests/vectors/` fix it for every language.

use super::key::Salt;
use super::share::{BUCKETS, Share};

/// The longest unit that is hashed, in bytes; the shortest is 1.
pub const MAX_UNIT_BYTES: usize = 256;

const MAX_SALT_BYTES: usize = 64;

/// The text a user is bucketed by: 1 to 256 bytes of UTF-8, taken as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit<'a>(&'a str);

impl<'a> Unit<'a> {
    /// `None` if the text is empty or longer than [`MAX_UNIT_BYTES`].
    #[inline]
    pub fn new(text: &'a str) -> Option<Unit<'a>> {
        (1..=MAX_UNIT_BYTES).contains(&text.len()).then_some(Unit(text))
    }

    #[inline]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// A number on the ring of 100,000, `0..=99999`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket(u32);

impl Bucket {
    /// `None` from 100000 on.
    #[inline]
    pub fn new(number: u32) -> Option<Bucket> {
        (number < BUCKETS).then_some(Bucket(number))
    }

    #[inline]
    pub fn number(self) -> u32 {
        self.0
    }

    /// Whether the bucket is in `0..share`: in none at 0 %, in all at 100 %.
    #[inline]
    pub fn is_in_lowest(self, share: Share) -> bool {
        self.0 < share.millipercent()
    }

    /// Whether the bucket is among the `share` highest.
    #[inline]
    pub fn is_in_highest(self, share: Share) -> bool {
        self.0 >= BUCKETS - share.millipercent()
    }
}

/// The 32-bit hash of a unit under a salt: MurmurHash3 x86 32-bit, seed 0, over `salt`, `:`, unit.
///
/// ```
/// use turnout_core::flag::{Unit, bucket, hash};
/// let salt = "build-events".parse().unwrap();
/// let h = hash(&salt, Unit::new("u-1").unwrap());
/// assert_eq!((h, bucket(h).number()), (585_828_482, 13_639));
/// ```
#[inline]
pub fn hash(salt: &Salt, unit: Unit<'_>) -> u32 {
    let (salt, unit) = (salt.as_str().as_bytes(), unit.0.as_bytes());
    let mut bytes = [0; MAX_SALT_BYTES + 1 + MAX_UNIT_BYTES];
    let length = salt.len() + 1 + unit.len();
    bytes[..salt.len()].copy_from_slice(salt);
    bytes[salt.len()] = b':';
    bytes[salt.len() + 1..length].copy_from_slice(unit);
    murmur3_x86_32(&bytes[..length])
}

/// The bucket of a hash: `(u64(h) × 100000) >> 32`.
#[inline]
pub fn bucket(hash: u32) -> Bucket {
    Bucket(((u64::from(hash) * u64::from(BUCKETS)) >> 32) as u32)
}

/// Whether this machine hashes like the `murmur3` crate, on fixed probes under `salt`. Runs before
/// a flag goes live.
pub fn self_test(salt: &Salt) -> bool {
    ["u", "u-1", "u-4711", "é", "00000000-0000-4000-8000-000000000000"].into_iter().all(|probe| {
        let text = format!("{salt}:{probe}");
        let other = murmur3::murmur3_32(&mut text.as_bytes(), 0);
        Unit::new(probe).is_some_and(|unit| other.is_ok_and(|other| other == hash(salt, unit)))
    })
}

/// MurmurHash3 x86 32-bit with seed 0 (Austin Appleby, public domain algorithm), over a slice: four
/// times as fast as the `murmur3` crate's form over `Read`, which checks it in [`self_test`].
fn murmur3_x86_32(bytes: &[u8]) -> u32 {
    const C1: u32 = 0xcc9e_2d51;
    const C2: u32 = 0x1b87_3593;
    let scramble = |k: u32| k.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);

    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut h = 0;
    for block in blocks {
        h ^= scramble(u32::from_le_bytes(*block));
        h = u32::rotate_left(h, 13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !tail.is_empty() {
        let mut last = [0; 4];
        last[..tail.len()].copy_from_slice(tail);
        h ^= scramble(u32::from_le_bytes(last));
    }
    h ^= bytes.len() as u32;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}
