//! What a connection can be told from outside.

use tokio::sync::oneshot;

/// What a connection is signalled to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionSignal {
    /// Leave, unless a response is under way that the client takes.
    MakeRoom,
    /// Finish the current request, then leave.
    Stop,
    /// Leave at once: the memory it holds is needed for others.
    Cut,
}

impl ConnectionSignal {
    /// A receiver that finds this signal: for one that was taken too early.
    pub fn again(self) -> oneshot::Receiver<ConnectionSignal> {
        let (sender, receiver) = oneshot::channel();
        let _ = sender.send(self);
        receiver
    }
}
