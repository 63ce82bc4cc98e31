//! The accept loop: a listener that is already bound, served until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a client may take to send a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long requests under way are given when the server stops.
const DRAIN_AT_MOST: Duration = Duration::from_secs(5);
/// The wait after a failed `accept`, which mostly means that there is no descriptor left.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// A listener that is being served.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Serves a bound listener.
pub fn serve(listener: TcpListener, routes: Router) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(listener, routes, stopped));
    Ok(Server { address, stop, task })
}

impl Server {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more, lets requests under way end, and returns after 5 s at the latest.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}

async fn accept(listener: TcpListener, routes: Router, mut stopped: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connection(stream, routes.clone(), &graceful),
                Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
            },
            () = told_to_stop(&mut stopped) => break,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN_AT_MOST, graceful.shutdown()).await;
}

async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn connection(stream: TcpStream, routes: Router, graceful: &GracefulShutdown) {
    // Answers are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let serving = graceful.watch(serving);
    tokio::spawn(async move {
        // A connection that breaks is its client's affair.
        let _ = serving.await;
    });
}
