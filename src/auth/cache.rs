//! Verified tokens, found again by their fingerprint until they expire.
//!
//! A table of fixed size in which each token may stand in a few places: readers take no lock, and a
//! newcomer evicts the token that ends first among its places. An eviction costs one more signature
//! check. The bytes of all tokens are bounded, and so is each user's part of them: a caller who
//! renews a token again and again evicts only their own.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{array, iter};

use arc_swap::ArcSwapOption;
use foldhash::fast::RandomState;

use super::session::{Fingerprint, Session};
use crate::moment::Moment;

/// The most verified tokens that are remembered.
pub const MAX_VERIFIED: usize = 65_536;
/// The most bytes they take.
pub const MAX_VERIFIED_BYTES: usize = 32 * 1024 * 1024;
/// The most tokens of one user that are remembered, and the most bytes these take.
pub const MAX_VERIFIED_OF_USER: usize = 64;
pub const MAX_VERIFIED_BYTES_OF_USER: usize = 512 * 1024;
/// The places a token may stand in.
const PLACES: usize = 4;
/// The places that are made at once.
const PAGE: usize = 64;

type SessionPage = [ArcSwapOption<Session>; PAGE];

pub struct Cache {
    /// Each page is made with its first token: a server with few callers keeps few, and it ends
    /// sooner, as each place is looked at once more when it goes.
    pages: Box<[OnceLock<Box<SessionPage>>]>,
    /// Locked while a token is put in.
    ledger: Mutex<Ledger>,
    seed: RandomState,
}

/// The bytes that the tokens take.
#[derive(Default)]
struct Ledger {
    bytes: usize,
    /// By a number that distinguishes users.
    of_user: HashMap<u64, OfUser>,
    /// The place from which room is made next.
    hand: usize,
}

/// The bytes of one user's tokens, and where they stand, the oldest first.
#[derive(Default)]
struct OfUser {
    bytes: usize,
    places: VecDeque<usize>,
}

impl OfUser {
    fn has_too_much(&self) -> bool {
        self.places.len() > 1
            && (self.places.len() > MAX_VERIFIED_OF_USER || self.bytes > MAX_VERIFIED_BYTES_OF_USER)
    }
}

impl Cache {
    pub fn new() -> Cache {
        let pages = iter::repeat_with(OnceLock::new).take(MAX_VERIFIED / PAGE).collect();
        Cache { pages, ledger: Mutex::default(), seed: RandomState::default() }
    }

    pub fn get(&self, fingerprint: &Fingerprint) -> Option<Arc<Session>> {
        let row = row(fingerprint);
        self.pages[row / PAGE].get()?[row % PAGE..][..PLACES].iter().find_map(|slot| {
            let held = slot.load();
            held.as_ref().filter(|session| session.fingerprint() == fingerprint).cloned()
        })
    }

    /// Remembers a token. Returns how many were evicted for it by a bound in bytes, or a user's
    /// bound.
    pub fn put(&self, session: Arc<Session>, now: Moment) -> usize {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let row = row(session.fingerprint());
        let page = self.pages[row / PAGE].get_or_init(empty_page);
        let ends = |place: &usize| match &*page[place % PAGE].load() {
            Some(held) if held.fingerprint() == session.fingerprint() => f64::NEG_INFINITY,
            Some(held) if held.is_live(now) => held.expires(),
            _ => 0.0,
        };
        let Some(place) =
            (row..row + PLACES).min_by(|one, other| ends(one).total_cmp(&ends(other)))
        else {
            return 0;
        };
        self.take_out(&mut ledger, place);
        let (user, bytes) = (self.user(&session), session.bytes());
        page[place % PAGE].store(Some(session));
        ledger.bytes += bytes;
        let mut evicted = 0;
        let of_user = ledger.of_user.entry(user).or_default();
        of_user.bytes += bytes;
        of_user.places.push_back(place);
        while let Some(oldest) = ledger
            .of_user
            .get(&user)
            .filter(|of| of.has_too_much())
            .and_then(|of| of.places.front().copied())
        {
            evicted += usize::from(self.take_out(&mut ledger, oldest));
        }
        while ledger.bytes > MAX_VERIFIED_BYTES {
            let next = ledger.hand;
            ledger.hand = (next + 1) % MAX_VERIFIED;
            if next != place {
                evicted += usize::from(self.take_out(&mut ledger, next));
            }
        }
        evicted
    }

    /// How many bytes the tokens take.
    pub fn bytes(&self) -> usize {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Forgets the token in a place; false if the place is empty.
    fn take_out(&self, ledger: &mut Ledger, place: usize) -> bool {
        let page = self.pages[place / PAGE].get();
        let Some(session) = page.and_then(|page| page[place % PAGE].swap(None)) else {
            return false;
        };
        let (user, bytes) = (self.user(&session), session.bytes());
        ledger.bytes -= bytes;
        if let Some(of_user) = ledger.of_user.get_mut(&user) {
            of_user.bytes -= bytes;
            of_user.places.retain(|other| *other != place);
            if of_user.places.is_empty() {
                ledger.of_user.remove(&user);
            }
        }
        true
    }

    fn user(&self, session: &Session) -> u64 {
        self.seed.hash_one(session.subject().map(|subject| subject.as_str()))
    }
}

fn empty_page() -> Box<SessionPage> {
    Box::new(array::from_fn(|_| ArcSwapOption::empty()))
}

/// The first of the places a token may stand in; all are in one page.
fn row(fingerprint: &Fingerprint) -> usize {
    let [a, b, c, d, ..] = *fingerprint;
    u32::from_le_bytes([a, b, c, d]) as usize % (MAX_VERIFIED / PLACES) * PLACES
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({MAX_VERIFIED} places, {MAX_VERIFIED_BYTES} bytes)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts in tokens, each of a user and with claims of so many bytes. Checks how many are found
    /// again, and whether the newest one is.
    fn check(
        what: &str,
        count: u32,
        user: impl Fn(u32) -> String,
        claim_bytes: usize,
        expected: std::ops::RangeInclusive<usize>,
    ) {
        let cache = Cache::new();
        let token = |number: u32| {
            let mut fingerprint = [0; 32];
            fingerprint[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_le_bytes());
            fingerprint
        };
        let mut evicted = 0;
        for number in 0..count {
            evicted += cache.put(
                Arc::new(Session::made_up(token(number), &user(number), "c".repeat(claim_bytes))),
                Moment::default(),
            );
            assert!(cache.get(&token(number)).is_some(), "{what}: the newest is there");
        }
        let found = (0..count).filter(|number| cache.get(&token(*number)).is_some()).count();
        assert!(expected.contains(&found), "{what}: {found} are found again");
        assert!(cache.bytes() <= MAX_VERIFIED_BYTES, "{what}");
        let gone = count as usize - found;
        assert!(evicted <= gone && (gone == 0 || evicted > 0), "{what}: {evicted} were driven out");
    }

    #[test]
    fn bytes_in_total_and_per_user_are_bounded() {
        check("few", 10, |n| n.to_string(), 100, 10..=10);
        check(
            "many of one user",
            1_000,
            |_| "u-1".to_owned(),
            10,
            MAX_VERIFIED_OF_USER..=MAX_VERIFIED_OF_USER,
        );
        check("large ones of one user", 200, |_| "u-1".to_owned(), 16_000, 30..=32);
        check("large ones of many users", 5_000, |n| n.to_string(), 16_000, 1_900..=2_100);
    }
}
