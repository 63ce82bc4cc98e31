//! How many connections are open, and which one leaves when there is no room for the next: the one
//! that has taken nothing of a waiting response for longest, if for at least a second; else the one
//! that has owed its client nothing for longest. Never a connection that takes its response.
//!
//! Only the accept loop holds this, so nothing here is locked. A connection is queued by the time
//! it had when it was last looked at. As that time only rises, the first in the queue whose time is
//! still true is the longest idle of all; the others are queued again by their new time.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::activity::Activity;
use super::signal::ConnectionSignal;

/// The most connections that are looked at to find one that can leave. If all of them were busy
/// recently, the longest idle of these leaves.
const LOOKED_AT_MOST: usize = 64;
/// How long a connection that was signalled may take to leave before the next one is signalled.
const LEAVES_WITHIN: Duration = Duration::from_millis(25);
/// A connection that has just been opened or answered is about to send a request. If only such
/// connections are found, the newcomer waits.
const ABOUT_TO_ASK_MS: u64 = 100;
/// The least time between two scans of all seats for clients that take nothing.
const LOOKS_EVERY_MS: u64 = 100;
/// A queue this short is never swept.
const NOT_WORTH_SWEEPING: usize = 64;

pub struct Admission {
    free: Arc<Semaphore>,
    count: usize,
    queue: BinaryHeap<Reverse<Seat>>,
    /// Seats whose clients took nothing at the last scan, the longest stuck last.
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

    /// A function that returns the number of open connections.
    pub fn taken(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let (free, count) = (self.free.clone(), self.count);
        move || count - free.available_permits()
    }

    /// Waits for room, and makes some if there is none. Every newcomer is let in at last: no
    /// connection is refused for load.
    pub async fn room(&mut self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(permit) = self.free.clone().try_acquire_owned() {
                return Some(permit);
            }
            self.evict_one();
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

    /// Signals one connection to leave, if any can.
    pub fn evict_one(&mut self) {
        if !self.evict_longest_stuck() {
            self.evict_longest_idle();
        }
    }

    /// Signals the connection to leave that has taken nothing for longest, if there is one.
    fn evict_longest_stuck(&mut self) -> bool {
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

    /// Signals the longest idle connection to leave, if any of those looked at can.
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

    /// Signals every connection that the server stops, and waits until all have gone.
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
