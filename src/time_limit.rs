//! Runs work that may never return, such as reading a mount that hangs or asking a silent name
//! server. It runs on its own thread, which is left behind when the time is over. Floor 2.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// The result of the work; `None` if it did not end within `limit`, or could not be started.
pub fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = channel();
    let run = move || {
        // If it is too late, no receiver is left.
        let _ = done.send(work());
    };
    thread::Builder::new().name("limited".to_owned()).spawn(run).ok()?;
    result.recv_timeout(limit).ok()
}

/// Work that is repeated. While one run hangs no other is started: a disk that hangs for a day
/// costs one thread.
#[derive(Debug)]
pub struct OneAtATime<T>(Mutex<Option<JoinHandle<T>>>);

impl<T> Default for OneAtATime<T> {
    fn default() -> OneAtATime<T> {
        OneAtATime(Mutex::new(None))
    }
}

impl<T: Send + 'static> OneAtATime<T> {
    /// The result of the work; if an earlier run still hangs, waits for that one. `None` after
    /// `limit`, or if the work panicked.
    pub async fn within(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let mut hanging = self.0.lock().await;
        let mut working = hanging.take().unwrap_or_else(|| spawn_blocking(work));
        match timeout(limit, &mut working).await {
            Ok(done) => done.ok(),
            Err(_) => {
                *hanging = Some(working);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn work_that_hangs_is_not_begun_anew() {
        let (one, begun) = (OneAtATime::default(), Arc::new(AtomicUsize::new(0)));
        let (answer, answered) = channel::<()>();
        let counted = begun.clone();
        let hangs = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            answered.recv().is_ok()
        };
        assert_eq!(one.within(Duration::from_millis(10), hangs).await, None);
        for _ in 0..2 {
            let counted = begun.clone();
            let other = move || counted.fetch_add(1, Ordering::Relaxed) > 100;
            assert_eq!(one.within(Duration::from_millis(10), other).await, None);
        }
        assert_eq!(answer.send(()), Ok(()));
        assert_eq!(
            one.within(Duration::from_secs(60), || false).await,
            Some(true),
            "the answer of the work that hung"
        );
        assert_eq!(begun.load(Ordering::Relaxed), 1);
        assert_eq!(one.within(Duration::from_secs(60), || false).await, Some(false));
    }

    #[test]
    fn work_that_never_ends_is_left_behind() {
        assert_eq!(within(Duration::from_secs(60), || 1), Some(1));
        assert_eq!(within(Duration::from_millis(10), thread::park), None);
    }
}
