//! How a call of the admin listener reaches the server without showing the token to any other
//! program.
//!
//! On its own machine a server is asked through the socket that its data folder names, where it
//! answers there. Over plain http the server first proves that it knows the token, on the very
//! connection that the token then goes over: another program may have taken the port of a server
//! that is down. Over https the server's certificate proves who it is.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use reqwest::Client;
use turnout_api::admin::hello::{Hello, HelloRequest};

use super::answer::RefusedAnswer;
use super::connection::Connection;
use super::http_client::{self, CONNECT_PATIENCE, Silence, Target};
use crate::auth::{ServerProof, TokenId, random_secret};
use crate::ledger::ContentHash;

/// How long a server may take to answer on its own socket before it is asked over TCP.
const SOCKET_PATIENCE: Duration = Duration::from_secs(1);
/// The most bytes of the response in which a server proves who it is, or says why not.
const MAX_HELLO_BYTES: usize = 16 * 1024;

/// A token, and where it is valid.
#[derive(Clone)]
pub struct Token {
    pub secret: String,
    /// Whether it is the data folder's own token, and so only for the server on this machine.
    pub is_local: bool,
}

/// One call.
pub struct Call {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(HeaderName, String)>,
    /// JSON.
    pub body: Option<String>,
    pub patience: Duration,
}

/// Why a call got no response from the server.
#[derive(Clone, Debug)]
pub enum NoAnswer {
    Silence(Silence),
    /// The server does not know the token, or says why it does not look at it: the token was not
    /// sent.
    Refused(RefusedAnswer),
    /// The program that answers did not prove that it is the server: the token was not sent.
    Unproven,
    /// The program is the server, but on another address than the one that was asked.
    Elsewhere(String),
}

/// The way to one admin listener.
pub struct AdminClient {
    target: Target,
    /// The data folder of the server, where it is on this machine.
    data: Option<PathBuf>,
    token: Option<Token>,
    way: Way,
}

enum Way {
    Tls(Client),
    /// The connection of the previous call: the program it led to has proved that it is the server.
    Plain(RefCell<Option<Connection>>),
}

impl From<Silence> for NoAnswer {
    fn from(silence: Silence) -> NoAnswer {
        NoAnswer::Silence(silence)
    }
}

impl NoAnswer {
    /// Whether the request or its response may have been lost on the way: asked again it may
    /// succeed.
    pub fn may_be_lost(&self) -> bool {
        matches!(self, NoAnswer::Silence(Silence::NotReached | Silence::Broken))
    }
}

impl AdminClient {
    pub fn new(
        target: Target,
        data: Option<PathBuf>,
        token: Option<Token>,
    ) -> Result<AdminClient, http_client::CliError> {
        let way = if target.speaks_tls() {
            Way::Tls(target.client()?)
        } else {
            Way::Plain(RefCell::default())
        };
        Ok(AdminClient { target, data, token, way })
    }

    /// The whole response.
    pub async fn send(&self, call: &Call) -> Result<Response<Bytes>, NoAnswer> {
        let request = self.request(call)?;
        match &self.way {
            Way::Tls(client) => {
                let (head, _) = request.into_parts();
                let sent =
                    client.request(head.method, self.target.url(&call.path)).headers(head.headers);
                let sent = sent.body(call.body.clone().unwrap_or_default());
                Ok(http_client::whole(sent.timeout(call.patience)).await?)
            }
            Way::Plain(kept) => {
                let kept_open = kept.take().filter(Connection::is_open);
                let mut connection = match kept_open {
                    Some(connection) => connection,
                    None => self.connect().await?,
                };
                let response = connection.ask(request, call.patience, None).await?;
                kept.replace(Some(connection));
                Ok(response)
            }
        }
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, NoAnswer> {
        let mut request =
            Request::new(Full::new(Bytes::from(call.body.clone().unwrap_or_default())));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = self.target.path(&call.path).parse().map_err(|_| Silence::NoUrl)?;
        let headers = request.headers_mut();
        if call.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &call.headers {
            headers.insert(name, value.parse().map_err(|_| Silence::NoUrl)?);
        }
        if let Some(Token { secret, .. }) = &self.token {
            let mut bearer: HeaderValue =
                format!("Bearer {secret}").parse().map_err(|_| Silence::NoUrl)?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Ok(request)
    }

    /// A connection over which the token may be sent.
    async fn connect(&self) -> Result<Connection, NoAnswer> {
        let Some(data) = &self.data else { return self.connect_by_tcp().await };
        let Some(mut connection) = Connection::by_socket(data).await else {
            return self.connect_by_tcp().await;
        };
        if self.answers(&mut connection).await {
            return Ok(connection);
        }
        match self.connect_by_tcp().await {
            // A server that answers on neither may be busy: the call waits for it on its own socket.
            Err(NoAnswer::Silence(silence)) => {
                Connection::by_socket(data).await.ok_or(NoAnswer::Silence(silence))
            }
            connected => connected,
        }
    }

    /// Over TCP the server first proves that it is the one the token is for.
    async fn connect_by_tcp(&self) -> Result<Connection, NoAnswer> {
        let mut connection = Connection::by_tcp(&self.target).await?;
        if let Some(token) = &self.token {
            self.prove(&mut connection, token).await?;
        }
        Ok(connection)
    }

    /// Whether the server answers on its own socket, whatever the answer is. The system also connects
    /// a client to a socket from which the server accepts no connection.
    async fn answers(&self, connection: &mut Connection) -> bool {
        let token = self.token.as_ref().map_or(&b""[..], |token| token.secret.as_bytes());
        let Some(nonce) = random_secret() else { return true };
        let Ok(hello) = self.hello(ContentHash::of(token), &nonce) else { return true };
        connection.ask(hello, SOCKET_PATIENCE, Some(MAX_HELLO_BYTES)).await.is_ok()
            && connection.is_open()
    }

    fn hello(&self, token: ContentHash, nonce: &str) -> Result<Request<Full<Bytes>>, NoAnswer> {
        let asked = HelloRequest { nonce: nonce.to_owned(), token: TokenId::of(token).to_string() };
        let asked = serde_json::to_vec(&asked).map_err(|_| NoAnswer::Unproven)?;
        let mut request = Request::new(Full::new(Bytes::from(asked)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.path("/v1/hello").parse().map_err(|_| Silence::NoUrl)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(request)
    }

    /// Has the server prove that it knows the token.
    async fn prove(&self, connection: &mut Connection, token: &Token) -> Result<(), NoAnswer> {
        let hash = ContentHash::of(token.secret.as_bytes());
        let nonce = random_secret().ok_or(NoAnswer::Unproven)?;
        let request = self.hello(hash, &nonce)?;
        let response = connection.ask(request, CONNECT_PATIENCE, Some(MAX_HELLO_BYTES)).await?;
        if response.status() != StatusCode::OK {
            return Err(NoAnswer::Refused(RefusedAnswer::of(response.status(), response.body())));
        }
        let Ok(Hello { address, proof: answered }) = serde_json::from_slice(response.body()) else {
            return Err(NoAnswer::Unproven);
        };
        match ServerProof::of(hash, &nonce, &address) {
            Some(proof) if proof.is(&answered) => {}
            _ => return Err(NoAnswer::Unproven),
        }
        // A token that is meant for other machines too may be sent through a tunnel.
        let is_here = connection.peer().is_some_and(|peer| listens_on(&address, peer));
        if token.is_local && !is_here { Err(NoAnswer::Elsewhere(address)) } else { Ok(()) }
    }
}

/// Whether the peer of the connection is a listener of this address.
fn listens_on(address: &str, peer: SocketAddr) -> bool {
    let same = |own: SocketAddr| {
        own.ip().to_canonical() == peer.ip().to_canonical() || own.ip().is_unspecified()
    };
    address.parse().is_ok_and(|own: SocketAddr| own.port() == peer.port() && same(own))
}
