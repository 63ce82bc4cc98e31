//! The order in which the write path takes its locks, stated once and checked in debug builds.
//!
//! A task takes a lock only while it holds no lock at or after it in [`Rank`], so that two tasks
//! never wait for each other. `try_lock` never waits and is not checked. Locks handed over to
//! another task, and locks of the task that waits for a blocking thread, are not checked either.
//!
//! The thread of commands takes no lock that others hold for long: a stop would wait with it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The locks, first to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// The file `admin.token`: one check of it at a time.
    AdminToken,
    /// Who may ingest a reading of the flags folder.
    Reconciling,
    /// One request under an idempotency key at a time.
    Key,
    /// Who may commit.
    Committer,
    /// Who may decide a command, and add a narrowing change.
    FastPath,
    /// Who may write to the journal.
    Journal,
    /// Who may write the last good state: held while a disk writes. From here on no lock is held
    /// across an `await`.
    LastGood,
    /// The newest state that this data folder is known to have had.
    KnownHead,
    /// What the flags folder says: held while all of it is parsed.
    Definitions,
    /// The effective state: held while the folder is compared with it.
    State,
    /// A value of its own, such as a problem or a waiter: no other lock is taken while it is
    /// locked.
    Leaf,
}

#[cfg(debug_assertions)]
impl Rank {
    /// Whether it is held for so long that no command may wait for it.
    fn is_held_long(self) -> bool {
        matches!(self, Rank::LastGood | Rank::Definitions)
    }
}

/// A lock that is never held across an `await`.
#[derive(Debug)]
pub(super) struct Lock<T> {
    rank: Rank,
    inner: Mutex<T>,
}

/// The value that a [`Lock`] guards; dropping it unlocks.
#[derive(Debug)]
pub(super) struct Locked<'a, T> {
    guard: MutexGuard<'a, T>,
    _held: held::Held,
}

impl<T> Lock<T> {
    pub fn new(rank: Rank, value: T) -> Lock<T> {
        Lock { rank, inner: Mutex::new(value) }
    }

    /// A holder that panicked leaves the value between two changes at worst: the next change still
    /// applies.
    pub fn lock(&self) -> Locked<'_, T> {
        let held = held::Held::of_thread(self.rank);
        Locked { guard: self.inner.lock().unwrap_or_else(PoisonError::into_inner), _held: held }
    }
}

/// A lock of the last rank.
impl<T: Default> Default for Lock<T> {
    fn default() -> Lock<T> {
        Lock::new(Rank::Leaf, T::default())
    }
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// A lock that is held across an `await`.
#[derive(Debug)]
pub(super) struct AsyncLock<T> {
    rank: Rank,
    inner: Arc<AsyncMutex<T>>,
}

/// The same lock.
impl<T> Clone for AsyncLock<T> {
    fn clone(&self) -> AsyncLock<T> {
        AsyncLock { rank: self.rank, inner: self.inner.clone() }
    }
}

/// The value that an [`AsyncLock`] guards; dropping it unlocks. It may move to another task or
/// thread.
#[derive(Debug)]
pub(super) struct AsyncLocked<T> {
    guard: OwnedMutexGuard<T>,
    _held: held::Held,
}

impl<T> AsyncLock<T> {
    pub fn new(rank: Rank, value: T) -> AsyncLock<T> {
        AsyncLock { rank, inner: Arc::new(AsyncMutex::new(value)) }
    }

    /// Waits in the order of the calls.
    pub async fn lock(&self) -> AsyncLocked<T> {
        held::check(self.rank);
        let guard = self.inner.clone().lock_owned().await;
        AsyncLocked { guard, _held: held::Held::of_task(self.rank) }
    }

    /// Whether another task holds the lock or waits for it.
    pub fn is_awaited(&self) -> bool {
        Arc::strong_count(&self.inner) > 1
    }

    pub fn try_lock(&self) -> Option<AsyncLocked<T>> {
        let guard = self.inner.clone().try_lock_owned().ok()?;
        Some(AsyncLocked { guard, _held: held::Held::of_task(self.rank) })
    }
}

impl<T> AsyncLocked<T> {
    /// The same guard, for another task or thread. From here on it no longer counts as held by the
    /// task that took it.
    pub fn handed_over(self) -> AsyncLocked<T> {
        AsyncLocked { guard: self.guard, _held: self._held.handed_over() }
    }
}

impl<T> Deref for AsyncLocked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for AsyncLocked<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

#[cfg(not(debug_assertions))]
mod held {
    use super::Rank;

    #[derive(Debug)]
    pub struct Held;

    impl Held {
        pub fn of_thread(_: Rank) -> Held {
            Held
        }

        pub fn of_task(_: Rank) -> Held {
            Held
        }

        pub fn handed_over(self) -> Held {
            self
        }
    }

    pub fn check(_: Rank) {}
}

/// The locks that each task and thread holds.
#[cfg(debug_assertions)]
mod held {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, PoisonError};

    use tokio::task;

    use super::Rank;
    use crate::thread_runtime::is_command_thread;

    static OF_TASKS: LazyLock<Mutex<HashMap<task::Id, Vec<Rank>>>> = LazyLock::new(Mutex::default);

    thread_local! {
        static OF_THREAD: RefCell<Vec<Rank>> = const { RefCell::new(Vec::new()) };
    }

    /// An entry in its holder's list until it is dropped, wherever that happens.
    #[derive(Debug)]
    pub struct Held {
        holder: Holder,
        rank: Rank,
    }

    #[derive(Clone, Copy, Debug)]
    enum Holder {
        Thread,
        Task(task::Id),
        /// No task (outside of one, the thread may be shared with tasks that hold nothing), or
        /// another task than the one that took the lock.
        Unknown,
    }

    impl Held {
        /// Checks and notes a lock that stays on this thread.
        pub fn of_thread(rank: Rank) -> Held {
            check(rank);
            assert!(
                !(rank.is_held_long() && is_command_thread()),
                "the lock {rank:?} is taken on the thread of commands: see control/lock_order.rs"
            );
            OF_THREAD.with_borrow_mut(|ranks| ranks.push(rank));
            Held { holder: Holder::Thread, rank }
        }

        /// Notes a lock that stays with this task, or is handed over by it.
        pub fn of_task(rank: Rank) -> Held {
            let Some(id) = task::try_id() else { return Held { holder: Holder::Unknown, rank } };
            OF_TASKS
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(id)
                .or_default()
                .push(rank);
            Held { holder: Holder::Task(id), rank }
        }

        pub fn handed_over(self) -> Held {
            Held { holder: Holder::Unknown, rank: self.rank }
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            match self.holder {
                Holder::Unknown => {}
                Holder::Thread => OF_THREAD.with_borrow_mut(|ranks| take_out(ranks, self.rank)),
                Holder::Task(id) => {
                    let mut tasks = OF_TASKS.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(ranks) = tasks.get_mut(&id) else { return };
                    take_out(ranks, self.rank);
                    if ranks.is_empty() {
                        tasks.remove(&id);
                    }
                }
            }
        }
    }

    fn take_out(ranks: &mut Vec<Rank>, rank: Rank) {
        if let Some(index) = ranks.iter().rposition(|held| *held == rank) {
            ranks.remove(index);
        }
    }

    /// Panics if this task or thread holds a lock at or after this rank.
    pub fn check(rank: Rank) {
        let of_thread = OF_THREAD.with_borrow(|ranks| ranks.iter().max().copied());
        let of_task = task::try_id().and_then(|id| {
            let tasks = OF_TASKS.lock().unwrap_or_else(PoisonError::into_inner);
            tasks.get(&id).and_then(|ranks| ranks.iter().max().copied())
        });
        if let Some(latest) = of_thread.max(of_task) {
            assert!(
                latest < rank,
                "the lock {rank:?} is taken while {latest:?} is held: see control/lock_order.rs"
            );
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::thread_runtime::{COMMAND_THREAD, ThreadRuntime};

    /// Whether the second lock may be taken while the first is held.
    fn may(first: Rank, second: Rank) -> bool {
        let (one, other) = (Lock::new(first, ()), Lock::new(second, ()));
        let held = one.lock();
        let taken = catch_unwind(AssertUnwindSafe(|| drop(other.lock()))).is_ok();
        drop(held);
        taken
    }

    #[test]
    fn a_lock_is_taken_only_before_those_that_come_after_it() {
        assert!(may(Rank::Definitions, Rank::State));
        assert!(may(Rank::LastGood, Rank::Leaf));
        assert!(!may(Rank::State, Rank::Definitions));
        assert!(!may(Rank::Leaf, Rank::Leaf));
    }

    #[tokio::test]
    async fn no_command_waits_for_a_lock_that_is_held_long() {
        let commands = ThreadRuntime::start(COMMAND_THREAD).unwrap();
        for (rank, may) in [
            (Rank::State, true),
            (Rank::Leaf, true),
            (Rank::Definitions, false),
            (Rank::LastGood, false),
        ] {
            let take = async move { drop(Lock::new(rank, ()).lock()) };
            assert_eq!(commands.handle().spawn(take).await.is_ok(), may, "{rank:?}");
        }
        commands.close().await;
    }

    #[tokio::test]
    async fn what_is_handed_over_is_held_no_longer() {
        let (fast_path, committer) =
            (AsyncLock::new(Rank::FastPath, ()), AsyncLock::new(Rank::Committer, ()));
        let right = tokio::spawn(async move {
            let fast_path = fast_path.lock().await.handed_over();
            let committer = committer.lock().await;
            drop((fast_path, committer));
        });
        right.await.unwrap();
    }

    #[tokio::test]
    async fn what_a_task_holds_across_an_await_counts_for_its_threads_too() {
        let (fast_path, committer, state) = (
            AsyncLock::new(Rank::FastPath, ()),
            AsyncLock::new(Rank::Committer, ()),
            Lock::new(Rank::State, ()),
        );
        let wrong = tokio::spawn(async move {
            let _fast_path = fast_path.lock().await;
            drop(state.lock());
            committer.lock().await
        });
        assert!(wrong.await.unwrap_err().is_panic());
    }
}
