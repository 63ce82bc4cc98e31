//! How many connections there are, and which one leaves when there is no room for the next: the one
//! that has taken nothing of a waiting answer for longest, if for a second at least; else the one
//! that has owed its client nothing for longest. Never one that takes its answer.
//!
//! Only the accept loop holds this, so nothing here is locked. A connection's time in the queue is
//! the one it had when it was last looked at. As that time only rises, the first in the queue whose
//! time is still true is the longest idle of all; the others go back in with their new time.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::activity::Activity;
use super::connection::ConnectionSignal;

/// How many connections are looked at to find one that can leave. Where so many were all busy of
/// late, the longest idle of these does.
const LOOKED_AT_MOST: usize = 64;
/// How long one that was told to leave may take before the next is told.
const LEAVES_WITHIN: Duration = Duration::from_millis(25);
/// One that has just come, or has just been answered, is about to ask. Whoever finds only such
/// waits.
const ABOUT_TO_ASK_MS: u64 = 100;
/// How often at most all seats are looked through for those that take nothing.
const LOOKS_EVERY_MS: u64 = 100;
/// A queue this short is never swept.
const NOT_WORTH_SWEEPING: usize = 64;

pub struct Admission {
    free: Arc<Semaphore>,
    count: usize,
    queue: BinaryHeap<Reverse<Seat>>,
    /// Those that took nothing when all were looked through, the longest last.
    stuck: Vec<Seat>,
    looked_through_at: Option<u64>,
}

/// A connection as the accept loop knows it.
struct Seat {
    since: u64,
    activity: Arc<Activity>,
}

impl Admission {
    pub fn new(count: usize) -> Admission {
        let count = count.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Admission {
            free: Arc::new(Semaphore::new(count)),
            count,
            queue: BinaryHeap::new(),
            stuck: Vec::new(),
            looked_through_at: None,
        }
    }

    /// Counts the connections that are open.
    pub fn taken(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let (free, count) = (self.free.clone(), self.count);
        move || count - free.available_permits()
    }

    /// Waits for room, and makes some if there is none. Whoever comes is let in at last: nobody is
    /// refused for load.
    pub async fn room(&mut self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(permit) = self.free.clone().try_acquire_owned() {
                return Some(permit);
            }
            self.send_one_away();
            if let Ok(left) = timeout(LEAVES_WITHIN, self.free.clone().acquire_owned()).await {
                return left.ok();
            }
        }
    }

    pub fn take(&mut self, activity: Arc<Activity>) {
        self.queue.push(Reverse(Seat { since: activity.now(), activity }));
        // Connections that ended by themselves are forgotten before they outnumber the others.
        if self.queue.len() > NOT_WORTH_SWEEPING + 2 * (self.taken())() {
            self.queue.retain(|Reverse(seat)| !seat.activity.is_leaving());
        }
    }

    /// Tells one connection to leave, if any can.
    pub fn send_one_away(&mut self) {
        if !self.send_away_longest_stuck() {
            self.evict_longest_idle();
        }
    }

    /// Tells the one to leave that has taken nothing for longest, if there is one.
    fn send_away_longest_stuck(&mut self) -> bool {
        if self.stuck.is_empty() {
            self.look_through();
        }
        while let Some(mut seat) = self.stuck.pop() {
            if seat.activity.takes_nothing() && seat.activity.signal(ConnectionSignal::MakeRoom) {
                return true;
            }
            if !seat.activity.is_leaving() {
                seat.since = seat.activity.now();
                self.queue.push(Reverse(seat));
            }
        }
        false
    }

    fn look_through(&mut self) {
        let Some(Reverse(any)) = self.queue.peek() else { return };
        let now = any.activity.now();
        if self.looked_through_at.is_some_and(|at| now < at + LOOKS_EVERY_MS) {
            return;
        }
        self.looked_through_at = Some(now);
        let all = std::mem::take(&mut self.queue).into_vec();
        let (stuck, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|Reverse(seat)| seat.activity.takes_nothing());
        self.queue = BinaryHeap::from(others);
        let mut stuck: Vec<Seat> = stuck.into_iter().map(|Reverse(seat)| seat).collect();
        stuck.sort_unstable_by_key(|seat| Reverse(seat.activity.stuck_since()));
        self.stuck = stuck;
    }

    /// Tells the longest idle connection to leave, if any of those looked at can.
    fn evict_longest_idle(&mut self) {
        let mut others: Vec<Seat> = Vec::new();
        let mut longest: Option<Seat> = None;
        while longest.is_none() && others.len() < LOOKED_AT_MOST {
            let Some(Reverse(mut seat)) = self.queue.pop() else { break };
            if seat.activity.is_leaving() {
                continue;
            }
            match seat.activity.idle_since() {
                Some(since) if since <= seat.since => longest = Some(seat),
                Some(since) => {
                    seat.since = since;
                    others.push(seat);
                }
                None => {
                    seat.since = seat.activity.now();
                    others.push(seat);
                }
            }
        }
        let longest = longest.or_else(|| {
            let idle = |seat: &Seat| seat.activity.idle_since().is_some();
            let (at, _) = others
                .iter()
                .enumerate()
                .filter(|(_, seat)| idle(seat))
                .min_by_key(|(_, seat)| seat.since)?;
            Some(others.swap_remove(at))
        });
        match longest {
            Some(seat) if seat.since + ABOUT_TO_ASK_MS <= seat.activity.now() => {
                seat.activity.signal(ConnectionSignal::MakeRoom);
            }
            about_to_ask => others.extend(about_to_ask),
        }
        self.queue.extend(others.into_iter().map(Reverse));
    }

    /// Tells everybody that the server stops, and waits until they have gone.
    pub async fn clear(self) {
        for seat in self.queue.into_iter().map(|Reverse(seat)| seat).chain(self.stuck) {
            seat.activity.signal(ConnectionSignal::Stop);
        }
        let everybody = u32::try_from(self.count).unwrap_or(u32::MAX);
        let _ = self.free.acquire_many(everybody).await;
    }
}

impl Ord for Seat {
    fn cmp(&self, other: &Seat) -> Ordering {
        self.since.cmp(&other.since)
    }
}

impl PartialOrd for Seat {
    fn partial_cmp(&self, other: &Seat) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Seat {
    fn eq(&self, other: &Seat) -> bool {
        self.since == other.since
    }
}

impl Eq for Seat {}
