//! The end of the service. Every part of a stop has a time limit.

use std::time::Duration;

use tokio::time::timeout;

use super::blocking::blocking;
use super::running::App;
use crate::thread_runtime::ThreadRuntime;

/// The longest wait for a thread with its own runtime to end.
const THREAD_STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest wait at the end for one file operation: the file of addresses, the flags folder.
const STOP_IO_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest wait for a listener to end. A listener has a limit of its own; this one counts when
/// the system holds up the listener's thread.
const LISTENER_STOP_TIMEOUT: Duration = Duration::from_secs(6);
/// The longest wait at the end for the last good state and the database.
const COORDINATOR_CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest wait at the end for events that are being published.
const FEEDS_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

impl App {
    /// Lets running requests finish, for at most 5 s. Parts that hang are left behind, each after a
    /// limit of its own; the whole stop takes at most 18 s.
    pub async fn stop(self) {
        let (data, addresses) = self.announced;
        let (socket, name) = self.admin_socket.unzip();
        let withdraw = move || {
            (
                data.remove_own_addresses(&addresses),
                name.map(|name| data.remove_own_admin_socket(&name)),
            )
        };
        let _ = timeout(STOP_IO_TIMEOUT, blocking(withdraw)).await;
        let _ = timeout(2 * STOP_IO_TIMEOUT, blocking(move || drop(self.watch))).await;
        let _ = timeout(LISTENER_STOP_TIMEOUT, self.server.stop()).await;
        // The socket answers until the last client was served.
        let stop_socket = async move {
            if let Some(socket) = socket {
                socket.stop().await;
            }
        };
        let stop_admin = async move { tokio::join!(self.admin.stop(), stop_socket) };
        let _ = timeout(LISTENER_STOP_TIMEOUT, self.admin_thread.run(stop_admin)).await;
        self.readings.close();
        let (feeds, feeds_thread) = self.feeds;
        let _ = timeout(FEEDS_CLOSE_TIMEOUT, feeds.close()).await;
        // Changes that were not delivered yet are delivered after the next start.
        let (follower, webhook_thread) = self.webhook.unzip();
        drop(follower);
        let close = async move { self.coordinator.close().await };
        let _ = timeout(COORDINATOR_CLOSE_TIMEOUT, self.orders.run(close)).await;
        let threads =
            [Some(self.orders), Some(self.admin_thread), webhook_thread, Some(feeds_thread)]
                .into_iter()
                .flatten()
                .map(ThreadRuntime::close);
        let closing: Vec<_> = threads.map(tokio::spawn).collect();
        let closed = async {
            for thread in closing {
                let _ = thread.await;
            }
        };
        let _ = timeout(THREAD_STOP_TIMEOUT, closed).await;
    }

    /// Ends at once, like a kill: nothing more is written.
    pub async fn abandon(self) {
        drop((self.coordinator, self.watch));
        self.readings.close();
        self.orders.close().await;
        self.admin_thread.close().await;
        if let Some((follower, thread)) = self.webhook {
            drop(follower);
            thread.close().await;
        }
        let (_, feeds_thread) = self.feeds;
        feeds_thread.close().await;
        drop((self.server, self.admin));
    }
}
