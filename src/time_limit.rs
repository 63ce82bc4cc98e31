//! Work that may never return, like a look at a mount that hangs or a question to a silent name server: done on a thread of its own, which
//! is left behind when its time is over. Floor 2.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// What the work came to; `None` if it did not end within `limit`, or could not begin.
pub fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = channel();
    let run = move || {
        // Where it comes too late nobody listens.
        let _ = done.send(work());
    };
    thread::Builder::new().name("limited".to_owned()).spawn(run).ok()?;
    result.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_never_ends_is_left_behind() {
        assert_eq!(within(Duration::from_secs(60), || 1), Some(1));
        assert_eq!(within(Duration::from_millis(10), thread::park), None);
    }
}
