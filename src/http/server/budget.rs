//! A budget in bytes for what clients make the server hold: who holds how many bytes, and who is
//! cut when the budget is spent. Strangers have a share of their own, so that they take nothing
//! from callers with a credential.
//!
//! One lock guards the budget. It is taken for moments, and never for a response that is small and
//! taken at once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An extension of a response: the memory it takes while it waits to be taken, where that differs
/// from its length, and whether it waits for a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    pub bytes: usize,
    pub stranger: bool,
}

/// Something that holds bytes for a client, and can be made to release them.
pub trait Holder: Send + Sync {
    /// Since when its client has done nothing about it: a time to order by. `None` while the client
    /// does something.
    fn waits_since(&self) -> Option<u64>;

    /// Makes it release its bytes; false if it was cut before.
    fn cut(&self) -> bool;
}

/// How many bytes may be held, and who holds them.
pub struct Budget<H> {
    most: usize,
    most_of_strangers: usize,
    held: Mutex<Holders<H>>,
    /// How many holders were cut.
    cut: AtomicU64,
}

struct Holders<H> {
    holders: BTreeMap<u64, Share<H>>,
    next: u64,
    of_strangers: usize,
    of_others: usize,
}

struct Share<H> {
    bytes: usize,
    stranger: bool,
    holder: Arc<H>,
}

/// The bytes of one holder; given back when this is dropped.
pub struct Holding<H: Holder> {
    budget: Arc<Budget<H>>,
    number: u64,
}

impl<H: Holder> Budget<H> {
    pub fn new(most: usize, most_of_strangers: usize) -> Budget<H> {
        let held = Holders { holders: BTreeMap::new(), next: 0, of_strangers: 0, of_others: 0 };
        Budget {
            most,
            most_of_strangers: most_of_strangers.min(most),
            held: Mutex::new(held),
            cut: AtomicU64::new(0),
        }
    }

    /// Records that `holder` holds so many bytes; over the budget, those who have waited longest
    /// are cut.
    pub fn hold(self: &Arc<Self>, holder: Arc<H>, bytes: usize, stranger: bool) -> Holding<H> {
        let mut held = self.held();
        let number = held.next;
        held.next += 1;
        *held.of(stranger) += bytes;
        held.holders.insert(number, Share { bytes, stranger, holder });
        self.make_room(&mut held);
        drop(held);
        Holding { budget: self.clone(), number }
    }

    /// How many bytes are held.
    pub fn bytes(&self) -> usize {
        let held = self.held();
        held.of_strangers + held.of_others
    }

    /// How many holders were ever cut.
    pub fn cut(&self) -> u64 {
        self.cut.load(Relaxed)
    }

    /// Strangers make room first, among themselves; other callers only when no stranger is left to
    /// cut.
    fn make_room(&self, held: &mut Holders<H>) {
        if held.of_strangers > self.most_of_strangers {
            self.cut_down(held, |held| held.of_strangers, self.most_of_strangers, true);
        }
        for strangers_only in [true, false] {
            if held.of_strangers + held.of_others > self.most {
                self.cut_down(
                    held,
                    |held| held.of_strangers + held.of_others,
                    self.most,
                    strangers_only,
                );
            }
        }
    }

    /// Cuts those who have waited longest. It cuts slightly more than needed, so that not every
    /// newcomer scans all of them.
    fn cut_down(
        &self,
        held: &mut Holders<H>,
        bytes: impl Fn(&Holders<H>) -> usize,
        most: usize,
        strangers_only: bool,
    ) {
        let waits = |(number, share): (&u64, &Share<H>)| {
            share.holder.waits_since().map(|since| (since, *number))
        };
        let concerned = held.holders.iter().filter(|(_, share)| share.stranger || !strangers_only);
        let mut waiting: Vec<(u64, u64)> = concerned.filter_map(waits).collect();
        waiting.sort_unstable();
        for (_, number) in waiting {
            if bytes(held) <= most - most / 8 {
                return;
            }
            if let Some(share) = held.give_back(number)
                && share.holder.cut()
            {
                self.cut.fetch_add(1, Relaxed);
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Holders<H>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> Holders<H> {
    fn of(&mut self, stranger: bool) -> &mut usize {
        if stranger { &mut self.of_strangers } else { &mut self.of_others }
    }

    fn give_back(&mut self, number: u64) -> Option<Share<H>> {
        let share = self.holders.remove(&number)?;
        *self.of(share.stranger) -= share.bytes;
        Some(share)
    }
}

impl<H: Holder> Holding<H> {
    /// Sets how many bytes are held from now on.
    pub fn resize(&self, bytes: usize) {
        let mut held = self.budget.held();
        let Some(share) = held.holders.get_mut(&self.number) else { return };
        let (before, stranger) = (std::mem::replace(&mut share.bytes, bytes), share.stranger);
        let of = held.of(stranger);
        *of = *of - before + bytes;
        if bytes > before {
            self.budget.make_room(&mut held);
        }
    }
}

impl<H: Holder> Drop for Holding<H> {
    fn drop(&mut self) {
        self.budget.held().give_back(self.number);
    }
}

impl<H> fmt::Debug for Budget<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget({} bytes)", self.most)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    struct Client {
        since: Option<u64>,
        cut: AtomicBool,
    }

    impl Holder for Client {
        fn waits_since(&self) -> Option<u64> {
            self.since
        }

        fn cut(&self) -> bool {
            !self.cut.swap(true, Relaxed)
        }
    }

    /// Each client: since when it waits, how many bytes it holds, and whether it is a stranger. The
    /// budget is 800 bytes, 400 of them for strangers. `expected` lists who is cut.
    fn check(what: &str, clients: &[(Option<u64>, usize, bool)], expected: &[usize]) {
        let budget = Arc::new(Budget::new(800, 400));
        let all: Vec<(Arc<Client>, Holding<Client>)> = clients
            .iter()
            .map(|(since, bytes, stranger)| {
                let client = Arc::new(Client { since: *since, cut: AtomicBool::new(false) });
                let holding = budget.hold(client.clone(), *bytes, *stranger);
                (client, holding)
            })
            .collect();
        let cut: Vec<usize> = all
            .iter()
            .enumerate()
            .filter(|(_, (client, _))| client.cut.load(Relaxed))
            .map(|(at, _)| at)
            .collect();
        assert_eq!(cut, expected, "{what}");
        assert_eq!(budget.cut(), expected.len() as u64, "{what}");
        drop(all);
        assert_eq!(budget.bytes(), 0, "{what}: all was given back");
    }

    #[test]
    fn the_longest_waiting_is_cut_and_strangers_make_room_among_themselves() {
        check("there is room", &[(Some(1), 400, true), (Some(2), 400, false)], &[]);
        check(
            "one stranger too many",
            &[(Some(5), 200, true), (Some(1), 200, true), (Some(9), 100, true)],
            &[1],
        );
        check("who takes what waits is not cut", &[(None, 300, true), (Some(9), 200, true)], &[1]);
        check("all of them take", &[(None, 300, true), (None, 300, true)], &[]);
        check(
            "strangers go before others",
            &[(Some(1), 500, false), (Some(9), 300, true), (Some(5), 100, false)],
            &[1],
        );
        check("only then do others", &[(Some(1), 500, false), (Some(2), 500, false)], &[0]);
        check("a stranger with too much for all", &[(Some(1), 900, true)], &[0]);
    }

    #[test]
    fn a_resized_holding_counts() {
        let budget = Arc::new(Budget::new(800, 400));
        let client = |since| Arc::new(Client { since: Some(since), cut: AtomicBool::new(false) });
        let (old, new) = (client(1), client(2));
        let (first, second) =
            (budget.hold(old.clone(), 100, true), budget.hold(new.clone(), 100, true));
        second.resize(200);
        assert_eq!((budget.bytes(), budget.cut()), (300, 0));
        second.resize(350);
        assert!(old.cut.load(Relaxed) && !new.cut.load(Relaxed));
        assert_eq!(budget.bytes(), 350);
        drop((first, second));
        assert_eq!(budget.bytes(), 0);
    }
}
