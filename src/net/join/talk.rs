//! A connection between a newcomer and a door: frames in clear, and sealed ones once both have shown the code.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::frame::{self, Frames};
use crate::model::join::limits::{JOIN_PATIENCE, MAX_JOIN_CLEAR};
use crate::model::join::line::{Line, SEAL_BYTES};
use crate::model::join::message::{Clear, Sealed};
use crate::net::wire::{Wire, is_not_yet};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};

/// Bytes read at a time.
const READ: usize = 4096;

/// A connection on which short messages go in clear.
#[derive(Debug)]
pub struct Talk {
    wire: Wire,
    frames: Frames,
    ready: VecDeque<Vec<u8>>,
}

/// A connection on which everything is sealed.
#[derive(Debug)]
pub struct SealedTalk {
    talk: Talk,
    line: Box<Line>,
}

impl Talk {
    /// Takes over a connection.
    pub fn new(stream: TcpStream, stop: &Stop) -> Result<Self> {
        Ok(Self::on(Wire::new(stream, stop)?))
    }

    /// Connects to a door.
    pub fn connect(to: SocketAddr, stop: &Stop) -> Result<Self> {
        Ok(Self::on(Wire::connect(to, Deadline::after(JOIN_PATIENCE), stop)?))
    }

    fn on(wire: Wire) -> Self {
        let mut frames = Frames::new();
        frames.limit(MAX_JOIN_CLEAR);
        Self { wire, frames, ready: VecDeque::new() }
    }

    /// The connection, to wait for bytes on it together with others.
    pub fn stream(&self) -> &TcpStream {
        self.wire.stream()
    }

    /// Says something in clear.
    pub fn say(&mut self, said: &Clear) -> Result<()> {
        self.wire.write_all(&frame::encode(&said.encode()), JOIN_PATIENCE)
    }

    /// Says something short to somebody who must hold up nobody: all that the system takes at once.
    pub fn say_at_once(&mut self, said: &Clear) -> Result<()> {
        let patience = std::time::Duration::ZERO;
        self.wire.write_all(&frame::encode(&said.encode()), patience)
    }

    /// The next message, if it has come.
    pub fn heard(&mut self) -> Result<Option<Vec<u8>>> {
        if self.ready.is_empty() {
            let mut buffer = [0; READ];
            match self.wire.stream().read(&mut buffer) {
                Ok(0) => return Err(gone()),
                Ok(count) => self.take(buffer.get(..count).unwrap_or_default())?,
                Err(cause) if is_not_yet(&cause) => {}
                Err(cause) => return Err(Error::device("read from the connection", cause)),
            }
        }
        Ok(self.ready.pop_front())
    }

    /// The next message, which has to come before `deadline`.
    pub fn hear(&mut self, deadline: Deadline) -> Result<Vec<u8>> {
        loop {
            self.wire.check(deadline)?;
            if let Some(body) = self.heard()? {
                return Ok(body);
            }
            self.wire.wait_to_read(deadline)?;
        }
    }

    fn take(&mut self, mut piece: &[u8]) -> Result<()> {
        while let Some(body) = self.frames.take(&mut piece)? {
            self.ready.push_back(body);
        }
        Ok(())
    }

    /// From now on all is sealed, and the other side may say at most so many bytes at once.
    pub fn sealed(mut self, line: Box<Line>, most: usize) -> SealedTalk {
        self.frames.limit(1 + most + SEAL_BYTES);
        SealedTalk { talk: self, line }
    }
}

impl SealedTalk {
    /// What this line alone has: for the signature of a request.
    pub fn binding(&self) -> &[u8; 32] {
        self.line.binding()
    }

    /// Says something.
    pub fn say(&mut self, said: &Sealed) -> Result<()> {
        let sealed = self.line.seal(&said.encode())?;
        self.talk.wire.write_all(&frame::encode(&sealed), JOIN_PATIENCE)
    }

    /// What is said next, which has to come before `deadline`.
    pub fn hear(&mut self, deadline: Deadline) -> Result<Sealed> {
        let body = self.talk.hear(deadline)?;
        Sealed::decode(&self.line.open(&body)?)
    }

    /// Whether the other side has gone, or says something where it has to wait.
    pub fn is_gone(&mut self) -> bool {
        !matches!(self.talk.heard(), Ok(None))
    }

    /// Ends the connection so that what was said last arrives.
    pub fn end(mut self) {
        let done = self.talk.wire.finish();
        let closed = done.and_then(|()| self.talk.wire.wait_closed(Deadline::after(JOIN_PATIENCE)));
        if let Err(error) = closed {
            log::debug!("the end of a join: {error}");
        }
    }
}

fn gone() -> Error {
    Error::device("talk to the other side", ErrorKind::UnexpectedEof.into())
}
