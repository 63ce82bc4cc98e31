//! Any bytes on a connection to a real service: a response that is not an internal error, or the
//! end of the connection; and the next request is served.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::bend::made_of;
use crate::support::{PATIENCE, Service, flag};

const GOOD: &[u8] =
    b"POST /v1/strategy/chat HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: 22\r\n\r\n{\"targetingKey\":\"u-1\"}";

const REQUESTS: [&[u8]; 6] = [
    GOOD,
    b"POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n\
      e;a=b\r\n{\"context\":{}}\r\n0\r\nx: y\r\n\r\n",
    b"GET /v1/strategy/chat HTTP/1.1\r\nhost: t\r\nauthorization: Bearer a.b.c\r\nif-none-match: \"abc\", W/\"def\"\r\n\r\n",
    b"OPTIONS /v1/strategy/chat HTTP/1.1\r\nhost: t\r\norigin: https://a.example.com\r\naccess-control-request-method: POST\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\nupgrade: h2c\r\n\r\nGET /readyz HTTP/1.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0",
];

/// Long enough for most responses. A late one costs the check only what it would have seen.
const MOMENT: Duration = Duration::from_millis(10);

/// A service and its clients.
pub struct Wire(Service);

impl Wire {
    pub async fn start() -> Wire {
        Wire(Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 50% }"))]).await)
    }

    pub async fn send(&self, input: &[u8]) {
        let answers = self.exchange(&made_of(&REQUESTS, input)).await;
        assert!(answers.is_empty() || answers.starts_with("HTTP/1."), "{answers:?}");
        assert!(!answers.contains("HTTP/1.1 5") && !answers.contains("HTTP/1.0 5"), "{answers:?}");
        let good = self.0.strategy("chat", "u-1").await;
        assert!(["polling", "realtime-v2"].contains(&&*good), "{good}");
    }

    /// What the service sends until it closes the connection. A half-closed connection is closed at
    /// once, so a whole question first gets a moment to be answered.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.0.app.address()).await.unwrap();
        let mut heard = Vec::new();
        // The service may close the connection before it has read everything.
        if stream.write_all(bytes).await.is_ok() {
            let _ = timeout(MOMENT, stream.readable()).await;
            let _ = stream.shutdown().await;
        }
        match timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("it never hangs up") {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => String::from_utf8_lossy(&heard).into_owned(),
        }
    }
}
