//! The call that changes something, made so that the moment before it is sent is known: on a
//! connection of its own that stands already.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use mio::Waker;

use crate::answer::Answer;

/// Until a connection that was just made is at rest.
const SETTLED: Duration = Duration::from_millis(20);

pub struct Trigger {
    pub address: SocketAddr,
    pub bearer: Option<String>,
    pub path: String,
    pub body: String,
}

/// When the call was sent, and then its answer with how long that took. Nothing comes if the call
/// fails.
pub type Sent = (Instant, Receiver<(Answer, Duration)>);

impl Trigger {
    pub fn pull(&self, waker: Arc<Waker>) -> io::Result<Sent> {
        let Trigger { path, body, .. } = self;
        let bearer = self
            .bearer
            .as_ref()
            .map(|bearer| format!("authorization: Bearer {bearer}\r\n"))
            .unwrap_or_default();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{bearer}content-length: {length}\r\n\r\n{body}",
            self.address
        );
        let mut connection = TcpStream::connect(self.address)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(Duration::from_secs(60)))?;
        thread::sleep(SETTLED);
        let (sender, receiver) = channel();
        let began = Instant::now();
        connection.write_all(request.as_bytes())?;
        thread::spawn(move || {
            let (mut got, mut piece) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = connection.read(&mut piece) {
                got.extend_from_slice(&piece[..read]);
                if let Some(answer) = Answer::whole(&got) {
                    let _ = sender.send((answer, began.elapsed()));
                    break;
                }
            }
            drop(sender);
            let _ = waker.wake();
        });
        Ok((began, receiver))
    }
}
