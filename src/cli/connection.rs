//! One connection over plain http to a server: through the socket that its data folder names, or by
//! TCP. Every request on it reaches the program that answered the one before, and no other.

use std::io;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::http_client::{CONNECT_PATIENCE, Silence, Target};
use crate::data_dir::NamedSocket;

/// The most bytes of a response.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// An open connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    /// The address it led to; `None` for an abstract socket.
    peer: Option<std::net::SocketAddr>,
}

impl Connection {
    /// Connects through the socket that a data folder names. `None` where the folder names none,
    /// where no program listens any more, or where the listening program belongs to another user
    /// than the one who wrote the name.
    pub async fn by_socket(data: &Path) -> Option<Connection> {
        let user = UnixStream::pair().ok()?.0.peer_cred().ok()?.uid();
        let NamedSocket { name, owner } = NamedSocket::read(data, user)?;
        let stream =
            timeout(CONNECT_PATIENCE, UnixStream::connect(name.as_path())).await.ok()?.ok()?;
        if stream.peer_cred().ok()?.uid() != owner {
            return None;
        }
        Connection::over(stream, "localhost".to_owned(), None).await.ok()
    }

    pub async fn by_tcp(target: &Target) -> Result<Connection, Silence> {
        let connected = timeout(CONNECT_PATIENCE, connect(target)).await;
        let stream = connected.map_err(|_| Silence::TimedOut)?.map_err(|_| Silence::NotReached)?;
        let _ = stream.set_nodelay(true);
        let peer = stream.peer_addr().map_err(|_| Silence::NotReached)?;
        Connection::over(stream, target.authority(), Some(peer)).await
    }

    async fn over<S>(
        stream: S,
        host: String,
        peer: Option<std::net::SocketAddr>,
    ) -> Result<Connection, Silence>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|_| Silence::Broken)?;
        // The next sender notices the end of the connection.
        tokio::spawn(connection);
        Ok(Connection { sender, host, peer })
    }

    pub fn peer(&self) -> Option<std::net::SocketAddr> {
        self.peer
    }

    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request, and reads the whole response. `at_most` bounds the response where a
    /// stranger may be answering.
    pub async fn ask(
        &mut self,
        mut request: Request<Full<Bytes>>,
        patience: Duration,
        at_most: Option<usize>,
    ) -> Result<Response<Bytes>, Silence> {
        let broken = |_| Silence::Broken;
        request.headers_mut().insert(HOST, self.host.parse().map_err(|_| Silence::NoUrl)?);
        let asked = async {
            self.sender.ready().await.map_err(broken)?;
            let (head, body) =
                self.sender.send_request(request).await.map_err(broken)?.into_parts();
            let body = Limited::new(body, at_most.unwrap_or(MAX_ANSWER_BYTES)).collect().await;
            Ok(Response::from_parts(head, body.map_err(|_| Silence::Broken)?.to_bytes()))
        };
        timeout(patience, asked).await.unwrap_or(Err(Silence::TimedOut))
    }
}

/// The names of this machine lead to this machine, whatever a resolver says.
async fn connect(target: &Target) -> io::Result<TcpStream> {
    match target.loopback() {
        Some(addresses) => TcpStream::connect(&addresses[..]).await,
        None => TcpStream::connect((target.host(), target.port())).await,
    }
}
