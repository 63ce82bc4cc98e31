//! Where calls that only read are answered: on threads of their own, so that no command waits for
//! one.
//!
//! A bounded number is answered at once, of those that read memory and of those that read the
//! database each; the others wait for their turn (`fair_semaphore`). The database is verified once
//! for all callers that ask meanwhile.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::fair_semaphore::{Busy, FairSemaphore};
use crate::control::CommandRejected;
use crate::ledger::CredentialId;
use crate::store::VerifyReport;
use crate::thread_runtime::is_command_thread;

pub const SLOW: &str = "it does not answer in time";
/// How many readings work at once, of those in memory and of those of the database each.
const AT_ONCE: usize = 2;

/// What a reading reads. Each source has permits of its own: a slow database does not delay a look at
/// what is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Memory,
    Database,
}

/// The readings of a service.
#[derive(Debug)]
pub struct Readings {
    of_memory: Arc<FairSemaphore<Reader>>,
    of_database: Arc<FairSemaphore<Reader>>,
    verifying: Mutex<Option<watch::Receiver<Option<Verified>>>>,
    closed: watch::Sender<bool>,
    counts: Arc<Counts>,
}

/// Who reads: the id of a credential, or `None` for the data folder's own.
pub type Reader = Option<CredentialId>;

/// The result of verifying the database.
#[derive(Clone, Debug)]
pub struct Verified {
    pub verdict: Result<VerifyReport, String>,
    /// The revision that this node knows to have existed.
    pub compared_with: Option<u64>,
}

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    verifications: AtomicU64,
    on_thread_of_orders: AtomicU64,
}

impl Default for Readings {
    fn default() -> Readings {
        Readings {
            of_memory: FairSemaphore::new(AT_ONCE),
            of_database: FairSemaphore::new(AT_ONCE),
            verifying: Mutex::default(),
            closed: watch::Sender::new(false),
            counts: Arc::default(),
        }
    }
}

impl Readings {
    /// Answers a call when it is the caller's turn. It is answered to its end even if its caller
    /// hangs up.
    pub async fn answer<T: Send + 'static>(
        &self,
        source: Source,
        reader: Reader,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Busy> {
        let semaphore = match source {
            Source::Memory => &self.of_memory,
            Source::Database => &self.of_database,
        };
        let permit = semaphore.acquire(reader).await?;
        let working = async move {
            let done = work.await;
            drop(permit);
            done
        };
        self.work(working).await.ok_or(Busy)
    }

    /// Verifies the database. One verification runs at a time, and all callers that ask meanwhile
    /// get its result.
    pub async fn verify<W>(&self, begin: impl FnOnce() -> W) -> Result<Verified, CommandRejected>
    where
        W: Future<Output = Verified> + Send + 'static,
    {
        let mut receiver = {
            let mut verifying = self.verifying.lock().unwrap_or_else(PoisonError::into_inner);
            // A result that has ended, or was cut off, is not given to later callers.
            let running = verifying
                .as_ref()
                .filter(|receiver| receiver.has_changed().is_ok() && receiver.borrow().is_none());
            match running {
                Some(receiver) => receiver.clone(),
                None => {
                    let (sender, receiver) = watch::channel(None);
                    *verifying = Some(receiver.clone());
                    self.counts.verifications.fetch_add(1, Relaxed);
                    let work = self.work(begin());
                    tokio::spawn(async move {
                        work.await.map(|verified| sender.send_replace(Some(verified)))
                    });
                    receiver
                }
            }
        };
        let verified =
            receiver.wait_for(Option::is_some).await.ok().and_then(|verified| verified.clone());
        verified.ok_or_else(|| CommandRejected::Down(SLOW.to_owned()))
    }

    /// Runs blocking work on a thread of its own; `None` if the service ends before it is done.
    fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Option<T>> + Send + 'static {
        let (runtime, mut closed, counts) =
            (Handle::current(), self.closed.subscribe(), self.counts.clone());
        let working = spawn_blocking(move || {
            counts.note_thread();
            runtime.block_on(async move {
                tokio::select! {
                    biased;
                    _ = closed.wait_for(|closed| *closed) => None,
                    done = work => Some(done),
                }
            })
        });
        async move {
            match working.await {
                Ok(done) => done,
                Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                Err(_) => None,
            }
        }
    }

    /// Ends what is being read: the runtime whose clocks it uses is about to end.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// How many calls were refused because too many waited.
    pub fn refused(&self) -> u64 {
        self.of_memory.refused() + self.of_database.refused()
    }

    /// How many calls wait for their turn.
    pub fn waiting(&self) -> usize {
        self.of_memory.waiting() + self.of_database.waiting()
    }

    /// How many readings were begun, verifications included.
    pub fn begun(&self) -> u64 {
        self.counts.begun.load(Relaxed)
    }

    /// How often the database was verified, however many callers asked.
    pub fn verifications(&self) -> u64 {
        self.counts.verifications.load(Relaxed)
    }

    /// How many of them ran on the thread of commands: always 0.
    pub fn on_thread_of_orders(&self) -> u64 {
        self.counts.on_thread_of_orders.load(Relaxed)
    }
}

impl Counts {
    fn note_thread(&self) {
        self.begun.fetch_add(1, Relaxed);
        if is_command_thread() {
            self.on_thread_of_orders.fetch_add(1, Relaxed);
        }
        debug_assert!(!is_command_thread(), "nothing that reads runs on the thread of orders");
    }
}
