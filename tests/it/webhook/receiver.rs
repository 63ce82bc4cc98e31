//! A receiver on this machine that answers as the test chooses, and checks signatures by itself.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use turnout::auth::SigningKey;
use turnout::webhook::{AddressPolicy, Target, WebhookConfig};

pub const SECRET: &str = "sentinel-secret-4711-0123456789abcdef0123456789abcdef";
pub const PATH: &str = "/sentinel-path-4711?sentinel-query=4711";

/// How it answers.
#[derive(Clone, Debug)]
pub enum Answer {
    Status(u16),
    /// With a redirect to another address.
    Redirect(u16, String),
    /// Takes the request, and closes the connection without a response.
    HangUp,
    /// Resets the connection as soon as it is open.
    Reset,
    /// Begins a response and never ends it.
    Half,
    /// Sends nothing and keeps the connection open.
    Silence,
    /// A status line and headers, and a body that never comes.
    WithoutBody,
}

/// One request that arrived.
#[derive(Clone, Debug)]
pub struct Post {
    pub head: String,
    pub body: Vec<u8>,
}

pub struct Receiver {
    pub address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    /// Every request, and whether it was answered with a 2xx.
    came: Arc<Mutex<Vec<(Post, bool)>>>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Receiver {
    pub async fn start(answer: Answer) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, came) = (Arc::new(Mutex::new(answer)), Arc::new(Mutex::new(Vec::new())));
        let connections: Arc<AtomicUsize> = Arc::default();
        let (answering, coming, connecting) = (answer.clone(), came.clone(), connections.clone());
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connecting.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answering.clone(), coming.clone()));
            }
        });
        Receiver { address, answer, came, connections, accepting }
    }

    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub fn webhook_config(&self) -> WebhookConfig {
        let target =
            Target::parse(&format!("http://{}{PATH}", self.address), AddressPolicy::Anywhere)
                .unwrap();
        WebhookConfig { target, key: SigningKey::of(SECRET.as_bytes()).unwrap() }
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// All requests that arrived, received or not.
    pub fn came(&self) -> Vec<Post> {
        self.came.lock().unwrap().iter().map(|(post, _)| post.clone()).collect()
    }

    /// The requests it confirmed as received.
    pub fn received(&self) -> Vec<Post> {
        self.came
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, taken)| *taken)
            .map(|(post, _)| post.clone())
            .collect()
    }

    pub fn revisions(&self) -> Vec<u64> {
        self.received().iter().map(|post| post.json()["revision"].as_u64().unwrap()).collect()
    }
}

impl Post {
    pub fn header(&self, name: &str) -> &str {
        let line =
            self.head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
            .split_once(':')
            .unwrap()
            .1
            .trim()
    }

    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether it is signed with a secret, computed independently in this file.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let (id, timestamp) =
            (self.header("turnout-webhook-id"), self.header("turnout-webhook-timestamp"));
        let signed = [format!("{id}.{timestamp}.").as_bytes(), &self.body].concat();
        self.header("turnout-webhook-signature")
            == format!("v1={}", hmac(secret.as_bytes(), &signed))
    }
}

/// RFC 2104 over SHA-256, for keys of at most 64 bytes.
pub fn hmac(key: &[u8], message: &[u8]) -> String {
    let pad = |byte: u8| -> Vec<u8> {
        (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ byte).collect()
    };
    let inner = Sha256::digest([&pad(0x36), message].concat());
    let outer = Sha256::digest([&pad(0x5c)[..], &inner].concat());
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn serve(
    mut stream: TcpStream,
    answer: Arc<Mutex<Answer>>,
    came: Arc<Mutex<Vec<(Post, bool)>>>,
) {
    if matches!(*answer.lock().unwrap(), Answer::Reset) {
        stream.set_zero_linger().unwrap();
        return;
    }
    let Some(post) = read(&mut stream).await else { return };
    let answer = answer.lock().unwrap().clone();
    let taken = matches!(answer, Answer::Status(200..300) | Answer::WithoutBody);
    came.lock().unwrap().push((post, taken));
    let text = match answer {
        Answer::Status(status) => format!("HTTP/1.1 {status} As Told\r\ncontent-length: 0\r\n\r\n"),
        Answer::Redirect(status, to) => {
            format!("HTTP/1.1 {status} Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
        }
        Answer::HangUp | Answer::Reset => return,
        Answer::Half => "HTTP/1.1 200 OK\r\ncontent-le".to_owned(),
        Answer::WithoutBody => "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_owned(),
        Answer::Silence => String::new(),
    };
    let _ = stream.write_all(text.as_bytes()).await;
    // Until the other side closes.
    let _ = stream.read(&mut [0; 16]).await;
}

async fn read(stream: &mut TcpStream) -> Option<Post> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let post = Post { head, body: bytes[end + 4..].to_vec() };
        if post.body.len() >= post.header("content-length").parse().unwrap() {
            return Some(post);
        }
    }
}
