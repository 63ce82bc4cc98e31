//! A listener on an abstract socket: for programs of the same user, and of root, on the same
//! machine.
//!
//! It answers as the listener of the same routes does, and admits connections as that one does: the
//! longest idle one makes room, so that programs that hang block no command. Connections of other
//! users are closed at once, and evict none.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::activity::Activity;
use super::admission::Admission;
use super::connection;
use super::house::House;
use super::limits::{DRAIN_AT_MOST, LOCAL_CONNECTIONS, Limits};
use super::routes::Routes;

/// The wait after a failed `accept`.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);
/// The user whose programs may do anything anyway.
const ROOT: u32 = 0;
/// The address of every client that comes through the socket.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A socket that is being served.
#[derive(Debug)]
pub struct LocalServer {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Serves a socket at a path; a path that begins with a NUL is a name without a file.
pub fn serve_local(
    path: &Path,
    routes: impl Routes + 'static,
    limits: Limits,
) -> io::Result<LocalServer> {
    let own_user = own_user()?;
    let listener = UnixListener::bind(path)?;
    let (stop, stopped) = watch::channel(false);
    let house = Arc::new(House::new(Box::new(routes), limits));
    let task = tokio::spawn(accept(listener, house, own_user, stopped));
    Ok(LocalServer { stop, task })
}

/// The user this process runs as, as the other end of a socket sees it.
fn own_user() -> io::Result<u32> {
    Ok(UnixStream::pair()?.0.peer_cred()?.uid())
}

impl LocalServer {
    /// Accepts nothing more, lets requests under way end, and returns after 5 s at the latest.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}

async fn accept(
    listener: UnixListener,
    house: Arc<House>,
    own_user: u32,
    mut stopped: watch::Receiver<bool>,
) {
    let (mut seats, opened) = (Admission::new(LOCAL_CONNECTIONS), Instant::now());
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) if !is_trusted(&stream, own_user) => {}
                Ok((stream, _)) => admit(stream, &mut seats, &house, opened).await,
                Err(_) => {
                    seats.evict_one();
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
    let _ = timeout(DRAIN_AT_MOST, seats.clear()).await;
}

fn is_trusted(stream: &UnixStream, own_user: u32) -> bool {
    stream.peer_cred().is_ok_and(|peer| [own_user, ROOT].contains(&peer.uid()))
}

async fn admit(stream: UnixStream, seats: &mut Admission, house: &Arc<House>, opened: Instant) {
    let Some(seat) = seats.room().await else { return };
    let (activity, signalled) = Activity::new(opened);
    let activity = Arc::new(activity);
    seats.take(activity.clone());
    let connection = connection::run_local(stream, HERE, house.clone(), activity, signalled);
    tokio::spawn(async move {
        connection.await;
        drop(seat);
    });
}
