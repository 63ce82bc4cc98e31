//! The server at several ports, byte for byte. A browser opens six connections to an origin, and a
//! client of ours at most three that stay open; twenty clients need seven origins
//! (`docs/decisions/0080`).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How many clients the page has.
pub const CLIENTS: usize = 20;
/// How many connections that stay open a client's library takes of an origin.
const OPEN_PER_ORIGIN: usize = 3;
/// How long to wait when the system accepts no connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens the ports, and returns their origins.
pub async fn open(server: SocketAddr, tasks: &mut JoinSet<()>) -> io::Result<Vec<String>> {
    let mut origins = Vec::new();
    for _ in 0..CLIENTS.div_ceil(OPEN_PER_ORIGIN) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        origins.push(format!("http://{}", listener.local_addr()?));
        tasks.spawn(forward(listener, server));
    }
    Ok(origins)
}

async fn forward(listener: TcpListener, server: SocketAddr) {
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((client, _)) => drop(open.spawn(pass_on(client, server))),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn pass_on(mut client: TcpStream, server: SocketAddr) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
