//! A listener on an abstract socket: for programs of the same user, and of root, on the same
//! machine.
//!
//! It answers as the listener of the same routes does. It has few bounds, as connections of other
//! users are closed.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::House;
use super::activity::Activity;
use super::hijack::Handover;
use super::limits::{DRAIN_AT_MOST, LOCAL_CONNECTIONS, Limits, MAX_HEAD_BYTES};
use super::service::{Routes, exchange};

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
    let (seats, graceful) = (Arc::new(Semaphore::new(LOCAL_CONNECTIONS)), GracefulShutdown::new());
    let accepting = async {
        while let Ok(seat) = seats.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _))
                    if !stream
                        .peer_cred()
                        .is_ok_and(|peer| [own_user, ROOT].contains(&peer.uid())) => {}
                Ok((stream, _)) => admit(stream, seat, &house, &graceful),
                Err(_) => sleep(ACCEPT_RETRY).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    drop(listener);
    let _ = timeout(DRAIN_AT_MOST, graceful.shutdown()).await;
}

fn admit(
    stream: UnixStream,
    seat: OwnedSemaphorePermit,
    house: &Arc<House>,
    graceful: &GracefulShutdown,
) {
    let (activity, told) = Activity::new(Instant::now());
    let activity = Arc::new(activity);
    let service = exchange(house.clone(), HERE, activity.clone(), Handover::default());
    let wire = Unstuck { stream, activity, patience: house.limits.write, stuck: None };
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        // From the response before it to the end of a head.
        .header_read_timeout(house.limits.idle)
        .half_close(true)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(wire), service);
    let serving = graceful.watch(serving);
    tokio::spawn(async move {
        tokio::select! {
            // A connection that breaks needs no report: its client broke it.
            _ = serving => {}
            // The memory it holds is needed for others.
            Ok(_) = told => {}
        }
        drop(seat);
    });
}

/// A socket that is closed if its client does not take what is sent.
struct Unstuck {
    stream: UnixStream,
    activity: Arc<Activity>,
    patience: Duration,
    /// Fires when nothing was taken for too long.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Unstuck {
    fn poll_taken<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.activity.wrote(written.is_ready());
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let patience = self.patience;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(patience)));
        stuck.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Unstuck {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.activity.heard(buffer.filled().len() - before);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Unstuck {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.poll_taken(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
