//! Short calls beside the streams, on a few connections that are kept: acknowledgements, and
//! questions after what a stream should hold.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::answer::Answer;

/// How many connections.
pub const LINES: usize = 8;
/// A kept connection may have been closed meanwhile; more often than this it is no accident.
const TRIES: u32 = 3;

pub struct Call {
    pub purpose: Purpose,
    pub request: Vec<u8>,
    tries: u32,
}

#[derive(Clone, Copy)]
pub enum Purpose {
    Acknowledge,
    /// Which document is this stream's?
    Check(usize),
}

impl Call {
    pub fn post(purpose: Purpose, path: &str, body: &str) -> Call {
        let length = body.len();
        let request =
            format!("POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: {length}\r\n\r\n{body}")
                .into_bytes();
        Call { purpose, request, tries: 0 }
    }
}

pub struct Calls {
    address: SocketAddr,
    waiting: VecDeque<Call>,
    lines: [Line; LINES],
    first: Token,
}

#[derive(Default)]
struct Line {
    socket: Option<TcpStream>,
    call: Option<Call>,
    written: usize,
    got: Vec<u8>,
}

impl Calls {
    /// Its connections have the tokens from `first` on.
    pub fn to(address: SocketAddr, first: Token) -> Calls {
        Calls { address, waiting: VecDeque::new(), lines: Default::default(), first }
    }

    pub fn make(
        &mut self,
        call: Call,
        registry: &Registry,
        answered: &mut Vec<(Purpose, Option<Answer>)>,
    ) {
        self.waiting.push_back(call);
        if let Some(free) = self.lines.iter().position(|line| line.call.is_none()) {
            self.go_on(free, registry, answered);
        }
    }

    /// Something happened on a line. What was answered is added to `answered`; no answer stands for
    /// a call that failed.
    pub fn go_on(
        &mut self,
        number: usize,
        registry: &Registry,
        answered: &mut Vec<(Purpose, Option<Answer>)>,
    ) {
        let (address, token) = (self.address, Token(self.first.0 + number));
        let line = &mut self.lines[number];
        loop {
            if line.call.is_none() {
                (line.call, line.written) = (self.waiting.pop_front(), 0);
            }
            match line.turn(address, token, registry) {
                Ok(Some(answer)) => {
                    answered.extend(line.call.take().map(|call| (call.purpose, Some(answer))));
                }
                Ok(None) => return,
                Err(_) => {
                    *line = Line { call: line.call.take(), ..Line::default() };
                    let Some(mut call) = line.call.take() else { return };
                    call.tries += 1;
                    if call.tries < TRIES {
                        self.waiting.push_front(call);
                    } else {
                        answered.push((call.purpose, None));
                    }
                }
            }
        }
    }
}

impl Line {
    /// As far as it goes now: an answer, or nothing yet.
    fn turn(
        &mut self,
        address: SocketAddr,
        token: Token,
        registry: &Registry,
    ) -> std::io::Result<Option<Answer>> {
        if self.socket.is_none() && self.call.is_some() {
            let mut socket = TcpStream::connect(address)?;
            registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
            let _ = socket.set_nodelay(true);
            self.socket = Some(socket);
        }
        let Some(socket) = &mut self.socket else { return Ok(None) };
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        while let Some(rest) = self
            .call
            .as_ref()
            .map(|call| &call.request[self.written..])
            .filter(|rest| !rest.is_empty())
        {
            match socket.write(rest) {
                Ok(written) => self.written += written,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        let mut piece = [0; 4096];
        loop {
            match socket.read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.got.extend_from_slice(&piece[..read]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
            if let Some(answer) = Answer::whole(&self.got) {
                self.got.clear();
                return Ok(Some(answer));
            }
        }
    }
}
