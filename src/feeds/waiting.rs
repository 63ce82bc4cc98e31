//! What waits for the writer, and the room it takes until the writer is done with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::oneshot;

use super::limits::MAX_WAITING_BYTES;

/// The bytes of all that waits.
#[derive(Clone, Debug, Default)]
pub struct WaitingRoom(Arc<AtomicUsize>);

/// The bytes of one that waits.
#[derive(Debug)]
struct TakenRoom {
    room: WaitingRoom,
    bytes: usize,
}

/// Where an answer goes. It holds the room of what waits, also after its caller has gone: what
/// the caller asked for still waits then.
#[derive(Debug)]
pub struct Answer<T> {
    to: oneshot::Sender<T>,
    _room: TakenRoom,
}

impl WaitingRoom {
    /// Takes room for so many bytes, if there is room.
    pub fn enter<T>(&self, bytes: usize) -> Option<(Answer<T>, oneshot::Receiver<T>)> {
        let taken = TakenRoom { room: self.clone(), bytes };
        let before = self.0.fetch_add(bytes, Relaxed);
        if before + bytes > MAX_WAITING_BYTES {
            return None;
        }
        let (to, answered) = oneshot::channel();
        Some((Answer { to, _room: taken }, answered))
    }
}

impl<T> Answer<T> {
    pub fn send(self, answer: T) {
        let _ = self.to.send(answer);
    }
}

impl Drop for TakenRoom {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.bytes, Relaxed);
    }
}
