//! Signals to a running service: to end, or to read its files again. They are received from before
//! the start on.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::fd_limit;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Stop,
    /// SIGHUP: `systemctl reload`, logrotate, or a terminal that closes.
    Reload,
}

pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Received and ignored: by default the system would kill a process that writes more than it
    /// may (`ulimit -f`, LimitFSIZE). So the write fails as on a full disk.
    _file_too_large: Signal,
}

impl Signals {
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _file_too_large: signal(SignalKind::from_raw(fd_limit::FILE_TOO_LARGE_SIGNAL))?,
        })
    }

    /// The next signal; an end before any other.
    pub async fn next(&mut self) -> Sign {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Sign::Stop,
            _ = self.interrupt.recv() => Sign::Stop,
            _ = self.hang_up.recv() => Sign::Reload,
        }
    }
}
