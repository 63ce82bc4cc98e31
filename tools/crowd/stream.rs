//! One client that watches: its connection, what it holds, and when it comes back once the
//! connection has ended.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Socket, Type};

use crate::position::Position;
use crate::reader::{Heard, Reader};

/// What a client that was never told waits before it comes back.
const RETRY: Duration = Duration::from_secs(3);
/// What one that fails again and again waits at most.
const RETRY_AT_MOST: Duration = Duration::from_secs(10);
/// What one without manners waits.
const RUDE: Duration = Duration::from_millis(100);
/// Of a client that reads nothing, so that what it does not read stays with the server.
const SMALL_BUFFER: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Without a connection.
    Away,
    Connecting,
    /// It has asked, and was told nothing yet.
    Asked,
    /// It was told something.
    Open,
}

pub struct Stream {
    pub step: Step,
    socket: Option<TcpStream>,
    reader: Reader,
    /// The newest document's position, and the tag of that document; it outlives the connection.
    pub holds: Option<(Position, Box<str>)>,
    /// The newest position of any event on this connection.
    pub seen: Option<Position>,
    pub ack_id: Option<Box<str>>,
    pub ack_due: bool,
    /// One that churns leaves for good here.
    pub leaves_at: Option<Step>,
    /// The number of the last mark after which it was told.
    pub told_after: u32,
    retry: Duration,
    failures: u32,
}

/// Why a client has to come back.
pub enum Left {
    /// It was told to, and when.
    Asked(Duration),
    /// The connection ended after all.
    Ended,
    /// There was none to speak of.
    Failed,
}

impl Stream {
    pub fn new() -> Stream {
        Stream {
            step: Step::Away,
            socket: None,
            reader: Reader::default(),
            holds: None,
            seen: None,
            ack_id: None,
            ack_due: false,
            leaves_at: None,
            told_after: 0,
            retry: RETRY,
            failures: 0,
        }
    }

    /// Each from another address than its neighbours: one has too few ports for a crowd that comes
    /// back again and again.
    pub fn connect(
        &mut self,
        to: SocketAddr,
        number: usize,
        small: bool,
        registry: &Registry,
        token: Token,
    ) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if small {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
        }
        socket.bind(&SocketAddr::from(([127, 0, 1, (1 + number % 200) as u8], 0)).into())?;
        // That it is under way is an error here, and one that is really one shows itself as an
        // event.
        let _ = socket.connect(&to.into());
        let mut socket = TcpStream::from_std(socket.into());
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        *self = Stream {
            step: Step::Connecting,
            socket: Some(socket),
            reader: Reader::default(),
            seen: None,
            ack_id: None,
            ..std::mem::replace(self, Stream::new())
        };
        Ok(())
    }

    /// Asks, as soon as there is a connection to ask on.
    pub fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        // A fresh connection takes a few hundred bytes at once.
        if socket.write(request)? < request.len() {
            return Err(ErrorKind::WriteZero.into());
        }
        self.step = Step::Asked;
        Ok(())
    }

    /// Reads what there is; false once there will be no more. With edges a read that does not fill
    /// the buffer has emptied the socket.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        closed: bool,
        heard: &mut Vec<Heard>,
    ) -> io::Result<bool> {
        let Some(socket) = &mut self.socket else { return Ok(true) };
        loop {
            match socket.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    self.reader.take(&buffer[..read], heard);
                    if read < buffer.len() && !closed {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// One byte; false once there will be no more.
    pub fn sip(&mut self) -> bool {
        let byte = self.socket.as_mut().map(|socket| socket.read(&mut [0]));
        byte.is_none_or(|byte| {
            byte.map_or_else(|error| error.kind() == ErrorKind::WouldBlock, |read| read > 0)
        })
    }

    pub fn hear(&mut self, retry: Option<Duration>) {
        self.step = Step::Open;
        self.failures = 0;
        self.retry = retry.unwrap_or(self.retry);
    }

    pub fn leave(&mut self, registry: &Registry) {
        if let Some(mut socket) = self.socket.take() {
            let _ = registry.deregister(&mut socket);
        }
        self.step = Step::Away;
    }

    /// How long it stays away: never just as long as everybody else who was told the same.
    pub fn comes_back_after(&mut self, left: Left, rude: bool) -> Duration {
        let spread =
            |least: Duration, most: Duration| least + (most - least).mul_f64(fastrand::f64());
        match left {
            _ if rude => RUDE,
            Left::Asked(after) => spread(after, after.mul_f64(1.25)),
            Left::Ended => spread(self.retry, self.retry.mul_f64(1.25)),
            Left::Failed => {
                self.failures += 1;
                let wait = (self.retry * (1 << (self.failures - 1).min(8))).min(RETRY_AT_MOST);
                spread(wait / 2, wait)
            }
        }
    }
}
