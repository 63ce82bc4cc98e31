//! A fixed number of requests work at once, and the others wait. Callers take turns: of a caller
//! that sends fifty requests fifty wait, and the single request of another caller comes next all
//! the same.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The most requests that wait, of all callers and of one.
const MAX_WAITING: usize = 256;
const MAX_WAITING_OF_CALLER: usize = 64;

/// A number of permits, and the callers that wait for one.
#[derive(Debug)]
pub struct FairSemaphore<C: PartialEq> {
    queue: Mutex<Queue<C>>,
    refused: AtomicU64,
}

#[derive(Debug)]
struct Queue<C: PartialEq> {
    /// Permits that are free.
    free: usize,
    /// Callers that wait, the one whose turn comes next first; each with its requests, the oldest
    /// first.
    callers: VecDeque<(C, VecDeque<Waiting<C>>)>,
}

type Waiting<C> = oneshot::Sender<Permit<C>>;

/// Lets a request work; the next request has it when this is dropped.
#[derive(Debug)]
pub struct Permit<C: PartialEq>(Option<Arc<FairSemaphore<C>>>);

/// As many requests wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl<C: PartialEq> FairSemaphore<C> {
    pub fn new(at_once: usize) -> Arc<FairSemaphore<C>> {
        let queue = Queue { free: at_once, callers: VecDeque::new() };
        Arc::new(FairSemaphore { queue: Mutex::new(queue), refused: AtomicU64::new(0) })
    }

    /// Waits for a permit.
    pub async fn acquire(self: &Arc<Self>, caller: C) -> Result<Permit<C>, Busy> {
        let receiver = {
            let mut queue = self.queue();
            if queue.free > 0 {
                queue.free -= 1;
                return Ok(Permit(Some(self.clone())));
            }
            let entered = queue.enter(caller);
            if entered.is_err() {
                self.refused.fetch_add(1, Relaxed);
            }
            entered?
        };
        // Permits are passed on for as long as any request waits.
        receiver.await.map_err(|_| Busy)
    }

    /// How many requests were refused because too many waited.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.queue().callers.iter().map(|(_, waiting)| waiting.len()).sum()
    }

    fn queue(&self) -> MutexGuard<'_, Queue<C>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: PartialEq> Queue<C> {
    fn enter(&mut self, caller: C) -> Result<oneshot::Receiver<Permit<C>>, Busy> {
        if self.is_full_for(&caller) {
            self.forget_gone();
            if self.is_full_for(&caller) {
                return Err(Busy);
            }
        }
        let (sender, receiver) = oneshot::channel();
        match self.callers.iter_mut().find(|(known, _)| *known == caller) {
            Some((_, waiting)) => waiting.push_back(sender),
            None => self.callers.push_back((caller, VecDeque::from([sender]))),
        }
        Ok(receiver)
    }

    fn is_full_for(&self, caller: &C) -> bool {
        let of_caller = self
            .callers
            .iter()
            .find(|(known, _)| known == caller)
            .map_or(0, |(_, waiting)| waiting.len());
        let of_all: usize = self.callers.iter().map(|(_, waiting)| waiting.len()).sum();
        of_caller >= MAX_WAITING_OF_CALLER || of_all >= MAX_WAITING
    }

    /// Forgets the requests whose callers have hung up.
    fn forget_gone(&mut self) {
        self.callers
            .iter_mut()
            .for_each(|(_, waiting)| waiting.retain(|sender| !sender.is_closed()));
        self.callers.retain(|(_, waiting)| !waiting.is_empty());
    }

    /// The oldest request of the caller whose turn it is; that caller then comes after all others.
    /// If no request waits, the permit is free.
    fn next(&mut self) -> Option<Waiting<C>> {
        let Some((caller, mut waiting)) = self.callers.pop_front() else {
            self.free += 1;
            return None;
        };
        let next = waiting.pop_front();
        if !waiting.is_empty() {
            self.callers.push_back((caller, waiting));
        }
        next
    }
}

impl<C: PartialEq> Drop for Permit<C> {
    fn drop(&mut self) {
        let Some(semaphore) = self.0.take() else { return };
        let mut permit = Permit(Some(semaphore.clone()));
        loop {
            let Some(next) = semaphore.queue().next() else {
                // The permit is free, and is not passed on when this one is dropped.
                permit.0 = None;
                return;
            };
            match next.send(permit) {
                Ok(()) => return,
                // That caller has hung up.
                Err(unwanted) => permit = unwanted,
            }
        }
    }
}

#[allow(clippy::panic, clippy::unwrap_used)]
#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Whether a request has its turn by now; the request is polled as its caller would.
    fn poll<F: Future>(request: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        request.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn callers_take_turns_however_often_one_asks() {
        let semaphore = FairSemaphore::new(1);
        let mut first = pin!(semaphore.acquire("viewer"));
        let Poll::Ready(Ok(permit)) = poll(first.as_mut()) else {
            panic!("the first has its turn at once")
        };
        let mut of_viewer: Vec<_> = (0..3).map(|_| Box::pin(semaphore.acquire("viewer"))).collect();
        let mut of_operator = pin!(semaphore.acquire("operator"));
        of_viewer.iter_mut().for_each(|request| assert!(poll(request.as_mut()).is_pending()));
        assert!(poll(of_operator.as_mut()).is_pending());
        drop(permit);
        let Poll::Ready(Ok(permit)) = poll(of_viewer[0].as_mut()) else {
            panic!("the oldest comes first")
        };
        assert!(poll(of_operator.as_mut()).is_pending());
        drop(permit);
        let Poll::Ready(Ok(permit)) = poll(of_operator.as_mut()) else {
            panic!("then comes the other caller")
        };
        assert!(poll(of_viewer[1].as_mut()).is_pending());
        // A caller that has hung up delays no other, also if its turn has come already.
        drop(of_viewer.remove(1));
        drop(permit);
        drop(of_viewer.remove(1));
        let mut last = pin!(semaphore.acquire("viewer"));
        assert!(matches!(poll(last.as_mut()), Poll::Ready(Ok(_))));
    }

    #[test]
    fn waiting_requests_of_one_caller_and_of_all_are_bounded() {
        let semaphore = FairSemaphore::new(1);
        let mut first = pin!(semaphore.acquire(0));
        let Poll::Ready(Ok(_permit)) = poll(first.as_mut()) else {
            panic!("the first has its turn at once")
        };
        let mut waiting = Vec::new();
        let mut take = |caller: usize| {
            let mut request = Box::pin(semaphore.acquire(caller));
            let is_refused = matches!(poll(request.as_mut()), Poll::Ready(Err(Busy)));
            waiting.push(request);
            is_refused
        };
        for _ in 0..MAX_WAITING_OF_CALLER {
            assert!(!take(0));
        }
        assert!(take(0), "one caller has as many as one may");
        for other in 0..MAX_WAITING - MAX_WAITING_OF_CALLER {
            assert!(!take(1 + other));
        }
        assert!(take(1_000_000), "all have as many as there may be");
        assert_eq!(semaphore.refused(), 2);
        // Requests whose callers hang up make room.
        waiting.clear();
        let mut request = pin!(semaphore.acquire(0));
        assert!(poll(request.as_mut()).is_pending());
    }
}
