//! A thread with its own async runtime. Floor 2: work on one such thread never waits for work on
//! another.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The name of the thread that runs commands, expiries and everything else that changes what is
/// live.
pub const COMMAND_THREAD: &str = "orders";

/// How long a closing runtime waits for work that its tasks have begun.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// A running thread with its runtime.
#[derive(Debug)]
pub struct ThreadRuntime {
    handle: Handle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl ThreadRuntime {
    pub fn start(name: &str) -> io::Result<ThreadRuntime> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            let _ = runtime.block_on(stopped);
            // A name look-up that hangs does not delay the stop.
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(ThreadRuntime { handle, stop, thread })
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a future on that thread and waits for its result here.
    pub async fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> T {
        match self.handle.spawn(task).await {
            Ok(done) => done,
            // Nothing aborts the task, so it panicked: the panic goes on here.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Closes the runtime, and waits until its thread has ended.
    pub async fn close(self) {
        let _ = self.stop.send(());
        let _ = tokio::task::spawn_blocking(|| self.thread.join()).await;
    }
}

/// Whether this is the thread that runs commands.
pub fn is_command_thread() -> bool {
    thread::current().name() == Some(COMMAND_THREAD)
}
