//! How many polls are held: a user holds few, a node half as many as it has streams.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Polls that one user may hold.
pub const MAX_OF_USER: u8 = 6;
/// A node holds this part of its streams.
const STREAMS_PART: usize = 2;

/// The polls that are held.
pub struct HeldPolls {
    most: usize,
    count: AtomicUsize,
    /// How many each user holds, by a keyed hash.
    users: Mutex<HashMap<u64, u8>>,
    hash: RandomState,
}

/// The place of a held poll, until it is dropped.
pub struct HeldPlace {
    polls: Arc<HeldPolls>,
    user: Option<u64>,
}

impl HeldPolls {
    /// For a node that has at most so many streams.
    pub fn of(streams: usize) -> Arc<HeldPolls> {
        Arc::new(HeldPolls {
            most: streams / STREAMS_PART,
            count: AtomicUsize::new(0),
            users: Mutex::default(),
            hash: RandomState::new(),
        })
    }

    pub fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// A place for one more poll, of a user or of a server; `None` over a bound.
    pub fn place(self: &Arc<Self>, user: Option<&str>) -> Option<HeldPlace> {
        let count = self.count.fetch_add(1, Relaxed);
        let mut place = HeldPlace { polls: self.clone(), user: None };
        if count >= self.most {
            return None;
        }
        if let Some(user) = user {
            let user = self.hash.hash_one(user);
            let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
            let held = users.entry(user).or_default();
            if *held >= MAX_OF_USER {
                drop(users);
                return None;
            }
            *held += 1;
            place.user = Some(user);
        }
        Some(place)
    }
}

impl Drop for HeldPlace {
    fn drop(&mut self) {
        self.polls.count.fetch_sub(1, Relaxed);
        if let Some(user) = self.user {
            let mut users = self.polls.users.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(held) = users.get_mut(&user) {
                *held -= 1;
                if *held == 0 {
                    users.remove(&user);
                }
            }
        }
    }
}

impl fmt::Debug for HeldPolls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeldPolls({})", self.count())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_user_holds_six_and_a_node_half_its_streams() {
        let polls = HeldPolls::of(20);
        let mut of_user: Vec<_> = (0..6).map(|_| polls.place(Some("u-1")).unwrap()).collect();
        assert!(polls.place(Some("u-1")).is_none());
        assert_eq!(polls.count(), 6);
        of_user.pop();
        of_user.push(polls.place(Some("u-1")).unwrap());
        let others: Vec<_> = (0..4).map(|_| polls.place(None).unwrap()).collect();
        assert!(polls.place(None).is_none() && polls.place(Some("u-2")).is_none());
        drop((of_user, others));
        assert_eq!(polls.count(), 0);
        assert!(polls.users.lock().unwrap().is_empty());
    }
}
