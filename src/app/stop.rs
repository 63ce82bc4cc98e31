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
        let App {
            coordinator,
            server,
            watch,
            admin,
            admin_socket,
            orders,
            admin_thread,
            readings,
            webhook,
            feeds: (feeds, feeds_thread),
            announced,
            ..
        } = self;
        let (data, addresses) = announced;
        let (socket, name) = admin_socket.unzip();
        let forget = move || {
            (
                data.remove_own_addresses(&addresses),
                name.map(|name| data.remove_own_admin_socket(&name)),
            )
        };
        let _ = timeout(STOP_IO_TIMEOUT, blocking(forget)).await;
        let _ = timeout(2 * STOP_IO_TIMEOUT, blocking(move || drop(watch))).await;
        let _ = timeout(LISTENER_STOP_TIMEOUT, server.stop()).await;
        // The socket answers until the last client was served.
        let stop_socket = async move {
            if let Some(socket) = socket {
                socket.stop().await;
            }
        };
        let stop_admin = async move { tokio::join!(admin.stop(), stop_socket) };
        let _ = timeout(LISTENER_STOP_TIMEOUT, admin_thread.run(stop_admin)).await;
        readings.close();
        let _ = timeout(FEEDS_CLOSE_TIMEOUT, feeds.close()).await;
        // Changes that were not delivered yet are delivered after the next start.
        let (follower, webhook) = webhook.unzip();
        drop(follower);
        let _ = timeout(
            COORDINATOR_CLOSE_TIMEOUT,
            orders.run(async move { coordinator.close().await }),
        )
        .await;
        let threads = [Some(orders), Some(admin_thread), webhook, Some(feeds_thread)]
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
        let App {
            coordinator,
            server,
            watch,
            admin,
            orders,
            admin_thread,
            readings,
            webhook,
            feeds,
            ..
        } = self;
        drop((coordinator, watch));
        readings.close();
        orders.close().await;
        admin_thread.close().await;
        if let Some((follower, thread)) = webhook {
            drop(follower);
            thread.close().await;
        }
        feeds.1.close().await;
        drop((server, admin));
    }
}
