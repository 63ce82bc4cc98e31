//! The accept loop: serves a listener that is already bound, until it is signalled to stop.
//!
//! The loop decides who gets in (`admission.rs`). What happens on a connection is left to
//! `connection.rs`, which keeps time by what `tracked_stream.rs` and `service.rs` record in
//! `activity.rs`; all bounds stand in `limits.rs`.

mod activity;
mod admission;
mod budget;
mod connection;
mod heads;
mod hijack;
mod house;
mod limits;
mod local;
mod postponed;
mod routes;
mod service;
mod signal;
mod tracked_stream;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep, timeout};

pub use activity::Activity;
pub use budget::{Budget, Holder, Holding, Weight};
pub use hijack::{Client, DrainSignal, Hijack, HijackedConnection, Run};
pub use limits::{Limits, MAX_HEAD_BYTES};
pub use local::{LocalServer, serve_local};
pub use postponed::{Postponed, Resumed};
pub use routes::{ResponseFuture, Routes, by_router};
pub use service::TooSlow;

use admission::Admission;
use heads::Heads;
use house::{House, Unread};
use limits::{ADMITTED_AT_ONCE, BACKLOG, DRAIN_AT_MOST, RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES};

/// The wait after a failed `accept`, which mostly means that no file descriptor is left.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// A listener that is being served.
pub struct Server {
    address: SocketAddr,
    connections: Box<dyn Fn() -> usize + Send + Sync>,
    held: ListenerMemory,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What the clients of a listener make it hold, for metrics.
#[derive(Clone, Debug)]
pub struct ListenerMemory {
    unread: Arc<Unread>,
    heads: Arc<Heads>,
}

impl ListenerMemory {
    /// For each bound, by name: how many bytes are held, and how many clients were cut for it.
    pub fn rows(&self) -> [(&'static str, usize, u64); 2] {
        [
            ("unread-answers", self.unread.bytes(), self.unread.cut()),
            ("long-heads", self.heads.bytes(), self.heads.cut()),
        ]
    }
}

/// Binds an address, without answering on it yet.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart need not wait until the system has forgotten the connections of the previous
    // process.
    socket.set_reuseaddr(true)?;
    // Each connection inherits the buffer sizes.
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves a bound listener.
pub fn serve(
    listener: TcpListener,
    routes: impl Routes + 'static,
    limits: Limits,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let admission = Admission::new(limits.connections);
    let connections = Box::new(admission.taken());
    let house = Arc::new(House::new(Box::new(routes), limits));
    let held = ListenerMemory { unread: house.unread.clone(), heads: house.heads.clone() };
    let task = tokio::spawn(accept(
        listener,
        Acceptor { house, admission, opened: Instant::now() },
        stopped,
    ));
    Ok(Server { address, connections, held, stop, task })
}

impl Server {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        (self.connections)()
    }

    /// What the listener's clients make it hold.
    pub fn held(&self) -> &ListenerMemory {
        &self.held
    }

    /// Accepts nothing more, closes idle connections, lets requests under way end, and returns
    /// after 5 s at the latest.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("connections", &self.connections())
            .finish()
    }
}

async fn accept(listener: TcpListener, mut acceptor: Acceptor, mut stopped: watch::Receiver<bool>) {
    let accepting = async {
        let mut admitted: usize = 0;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    acceptor.admit(stream, peer.ip()).await;
                    admitted = admitted.wrapping_add(1);
                    if admitted.is_multiple_of(ADMITTED_AT_ONCE) {
                        yield_now().await;
                    }
                }
                // The client has gone already.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                    ) => {}
                Err(_) => {
                    acceptor.admission.evict_one();
                    sleep(ACCEPT_RETRY).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    drop(listener);
    let _ = timeout(DRAIN_AT_MOST, acceptor.admission.clear()).await;
}

/// Where connections wait for a seat.
struct Acceptor {
    house: Arc<House>,
    admission: Admission,
    opened: Instant,
}

impl Acceptor {
    async fn admit(&mut self, stream: TcpStream, peer: IpAddr) {
        let Some(permit) = self.admission.room().await else { return };
        let (activity, signalled) = Activity::new(self.opened);
        let activity = Arc::new(activity);
        self.admission.take(activity.clone());
        let connection = connection::run(stream, peer, self.house.clone(), activity, signalled);
        tokio::spawn(async move {
            connection.await;
            drop(permit);
        });
    }
}
