//! Watches a flags folder and delivers its content once saves have settled. Floor 2.
//!
//! Folders are watched, never files, because every way of saving shows in the folder. `debounce`
//! decides when a reading has settled.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::debounce::Debouncer;
use super::dir::FlagsDir;
use super::os_watcher::{OsWatcher, Signal};
use super::pulse::Pulse;
use crate::definition::FlagFiles;

/// The longest wait at the end for a running reading; one that hangs is left behind.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(1);

/// Stops watching when dropped.
#[derive(Debug)]
pub struct Watch {
    sender: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
    polling: Arc<AtomicBool>,
    pulse: Pulse,
}

/// How changes are noticed now.
#[derive(Clone, Debug, Default)]
pub struct Mode(Arc<AtomicBool>);

impl Mode {
    /// Whether the folder is read every few seconds, as the system reports no events.
    pub fn is_polling(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Watch {
    /// Delivers every settled change after `delivered` to `deliver`, on its own thread.
    pub fn start(
        folder: FlagsDir,
        delivered: FlagFiles,
        deliver: impl FnMut(FlagFiles) + Send + 'static,
    ) -> io::Result<Watch> {
        let ((sender, signals), pulse) = (channel(), folder.pulse());
        let polling = Arc::new(AtomicBool::new(false));
        let watcher = OsWatcher::new(folder.root(), sender.clone());
        let debouncer = Debouncer::new(folder, watcher, polling.clone(), delivered, deliver);
        let thread = std::thread::Builder::new()
            .name("flags-watch".to_owned())
            .spawn(move || debouncer.run(&signals))?;
        Ok(Watch { sender, thread: Some(thread), polling, pulse })
    }

    /// Reads the folder now, as if an event had come.
    pub fn look_now(&self) {
        let _ = self.sender.send(Signal::Changed);
    }

    /// Reports the progress of readings.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    pub fn mode(&self) -> Mode {
        Mode(self.polling.clone())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.sender.send(Signal::Stop);
        let Some(thread) = self.thread.take() else { return };
        let over = Instant::now() + STOP_TIMEOUT;
        while !thread.is_finished() && Instant::now() < over {
            std::thread::sleep(STOP_CHECK_INTERVAL);
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_hangs_does_not_hold_up_the_end() {
        let (reached, is_reached) = channel();
        let hang = move |_| {
            let _ = reached.send(());
            std::thread::park();
        };
        // A missing folder differs from an empty one, so there is something to deliver.
        let watch =
            Watch::start(FlagsDir::new("/nowhere/at/all", Vec::new()), FlagFiles::default(), hang)
                .unwrap();
        is_reached.recv_timeout(Duration::from_secs(60)).unwrap();
        let began = Instant::now();
        drop(watch);
        assert!(began.elapsed() < STOP_TIMEOUT + Duration::from_secs(30));
    }
}
