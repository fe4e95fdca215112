//! A session's line: messages in frames, in TLS, on a TCP connection. Every wait has a bound.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::frame::{self, Frames};
use crate::model::limits::{
    FILE_GRACE, LINK_SILENCE, MAX_FIRST_FRAME, MESSAGE_PATIENCE, SEND_PATIENCE,
};
use crate::net::tls;
use crate::net::wire::{Wire, is_not_yet};
use rustls::Connection;
use std::collections::VecDeque;
use std::io::{BufRead, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Weak;
use std::time::Instant;

/// A line over which whole messages go both ways, once its handshake is done.
pub struct Channel {
    tls: Connection,
    wire: Wire,
    frames: Frames,
    ready: VecDeque<Vec<u8>>,
    ended: bool,
    /// Bytes that have come, as they travelled.
    came: u64,
    /// Bytes that have gone, as they travelled.
    gone: u64,
}

/// How fast a transfer goes: it may pause, but not for long, and on the whole not be slower than it may be.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    begun: Instant,
    /// Bytes that had come and gone before.
    before: u64,
    slowest: u64,
}

impl Flow {
    fn check(&self, bytes: u64) -> Result<()> {
        let (lasted, bytes) = (self.begun.elapsed(), bytes.saturating_sub(self.before));
        match lasted > FILE_GRACE && bytes / lasted.as_secs().max(1) < self.slowest {
            true => Err(Error::peer("it is too slow")),
            false => Ok(()),
        }
    }
}

/// Bytes read from the connection at a time: a record. TLS by itself asks for a quarter of one. It stands on the
/// stack, and stays with its thread.
const READ: usize = 16 * 1024;
impl Channel {
    /// A line on which TLS has still to be agreed. Until `limit` says otherwise, only the first short message
    /// may come: nobody has shown yet that the session is theirs.
    pub fn new(tls: Connection, wire: Wire) -> Self {
        let mut frames = Frames::new();
        frames.limit(MAX_FIRST_FRAME);
        Self { tls, wire, frames, ready: VecDeque::new(), ended: false, came: 0, gone: 0 }
    }

    /// From now on messages of at most `most` bytes may come.
    pub fn limit(&mut self, most: usize) {
        self.frames.limit(most);
    }

    /// Whether nothing has come yet.
    pub fn is_silent(&self) -> bool {
        self.came == 0
    }

    /// Bytes that have come and gone, as they travelled.
    pub fn travelled(&self) -> u64 {
        self.came + self.gone
    }

    /// The connection, to wait for bytes on it together with others.
    pub fn stream(&self) -> &TcpStream {
        self.wire.stream()
    }

    /// The connection, for who may have to break it off.
    pub fn handle(&self) -> Weak<TcpStream> {
        self.wire.handle()
    }

    /// Does what can be done of the handshake without waiting. Returns the first message once it has come.
    pub fn progress(&mut self) -> Result<Option<Vec<u8>>> {
        if !self.ended {
            self.take_in()?;
        }
        self.give_out()?;
        match self.ready.pop_front() {
            None if self.ended => Err(Error::peer("it went away")),
            first => Ok(first),
        }
    }

    /// Sends a message, which is with the system when this returns.
    pub fn send(&mut self, body: &[u8]) -> Result<()> {
        self.send_parts(&[body])
    }

    /// Sends a message whose body stands in several places.
    pub fn send_parts(&mut self, body: &[&[u8]]) -> Result<()> {
        let length = frame::length(body.iter().map(|part| part.len()).sum());
        let all = [&length[..]].into_iter().chain(body.iter().copied());
        let mut slices: Vec<_> = all.map(IoSlice::new).collect();
        let mut rest = slices.as_mut_slice();
        while !rest.is_empty() {
            // It takes no more than it has room for until that is sent.
            let given = self.tls.writer().write_vectored(rest);
            let given = given.map_err(|cause| Error::device("encrypt", cause))?;
            if given == 0 {
                return Err(Error::device("encrypt", ErrorKind::WriteZero.into()));
            }
            IoSlice::advance_slices(&mut rest, given);
            self.flush()?;
        }
        Ok(())
    }

    /// The next message; `None` if the other side has ended the session as it should.
    pub fn receive(&mut self, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        let (mut begun, mut deadline) = (false, deadline);
        loop {
            if let Some(body) = self.ready.pop_front() {
                return Ok(Some(body));
            }
            if self.ended {
                return Ok(None);
            }
            self.wire.check(deadline)?;
            if !self.take_in()? {
                self.wire.wait_to_read(deadline)?;
                continue;
            }
            // Somebody who has begun a message does not take for ever to end it.
            if self.ready.is_empty() && !begun {
                (begun, deadline) = (true, deadline.or_after(MESSAGE_PATIENCE));
            }
            // Alerts and key updates: small, and a side that takes none of them is gone anyway.
            self.give_out()?;
        }
    }

    /// The next message of a transfer, which may take long as long as it goes on: see `Flow`.
    pub fn receive_of(&mut self, flow: &Flow) -> Result<Vec<u8>> {
        loop {
            if let Some(body) = self.ready.pop_front() {
                return Ok(body);
            }
            if self.ended {
                return Err(Error::peer("it ended the session too early"));
            }
            let patience = Deadline::after(LINK_SILENCE);
            self.wire.check(patience)?;
            if !self.take_in()? {
                self.wire.wait_to_read(patience)?;
                continue;
            }
            self.give_out()?;
            self.check(flow)?;
        }
    }

    /// The first message of a transfer, which may begin until `deadline` and then come as slowly as `Flow` lets it.
    pub fn receive_first(&mut self, deadline: Deadline, slowest: u64) -> Result<Vec<u8>> {
        if self.ready.is_empty() && !self.ended {
            self.wire.wait_to_read(deadline)?;
        }
        let flow = self.flow(slowest);
        self.receive_of(&flow)
    }

    /// The flow of what travels from now on, in both directions together.
    pub fn flow(&self, slowest: u64) -> Flow {
        Flow { begun: Instant::now(), before: self.came + self.gone, slowest }
    }

    /// Whether it still flows.
    pub fn check(&self, flow: &Flow) -> Result<()> {
        flow.check(self.came + self.gone)
    }

    /// The next message, which has to come.
    pub fn expect(&mut self, deadline: Deadline) -> Result<Vec<u8>> {
        self.receive(deadline)?.ok_or_else(|| Error::peer("it ended the session too early"))
    }

    /// What the other side still said before the session broke off: to be asked when sending to it has failed.
    pub fn last_word(&mut self) -> Option<Vec<u8>> {
        while self.ready.is_empty() && !self.ended && self.take_in().is_ok_and(|came| came) {}
        self.ready.pop_front()
    }

    /// Whether the other side has ended or broken the session, as far as is known here. What it says is kept.
    pub fn is_closed(&mut self) -> bool {
        // What cannot be read may have been the end.
        let broken = !self.ended && self.take_in().is_err();
        broken || self.ended
    }

    /// Says that nothing more comes: without this the other side takes the end for a broken line.
    pub fn finish(&mut self) -> Result<()> {
        self.tls.send_close_notify();
        self.flush()
    }

    /// Waits as long as a full buffer of the system takes on a slow link. That a link is dead the system finds
    /// out much earlier, and a side that reads a few bytes at a time has no longer for all.
    fn flush(&mut self) -> Result<()> {
        let deadline = Deadline::after(SEND_PATIENCE);
        while self.give_out()? {
            self.wire.wait_to_write(deadline)?;
        }
        Ok(())
    }

    /// Writes as much as the system takes now; returns whether something is left.
    fn give_out(&mut self) -> Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.wire.stream()) {
                Ok(count) => self.gone += count as u64,
                Err(cause) if is_not_yet(&cause) => return Ok(true),
                Err(cause) => return Err(Error::device("write to the connection", cause)),
            }
        }
        Ok(false)
    }

    /// Takes in what has come, at most one read of it, and puts its messages together. Returns whether anything
    /// had come.
    fn take_in(&mut self) -> Result<bool> {
        let mut buffer = [0; READ];
        let count = match self.wire.stream().read(&mut buffer) {
            // Without a goodbye inside of TLS somebody has cut the line.
            Ok(0) => return Err(Error::peer("the connection broke off")),
            Ok(count) => count,
            Err(cause) if is_not_yet(&cause) => return Ok(false),
            Err(cause) => return Err(Error::device("read from the connection", cause)),
        };
        self.came += count as u64;
        let mut bytes = buffer.get(..count).unwrap_or_default();
        while !bytes.is_empty() && !self.ended {
            let taken = self.tls.read_tls(&mut bytes);
            taken.map_err(|cause| Error::device("read from the connection", cause))?;
            self.decrypt()?;
        }
        Ok(true)
    }

    /// Opens the records that have come, and puts the messages in them together.
    fn decrypt(&mut self) -> Result<()> {
        if let Err(error) = self.tls.process_new_packets() {
            // The alert that says why.
            if let Err(error) = self.give_out() {
                log::debug!("the alert could not be sent: {error}");
            }
            return Err(tls::failed(error));
        }
        loop {
            let mut reader = self.tls.reader();
            let piece = match reader.fill_buf() {
                Ok(piece) => piece,
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(cause) => return Err(Error::device("decrypt", cause)),
            };
            if piece.is_empty() {
                self.ended = true;
                return match self.frames.is_amid() {
                    true => Err(Error::peer("it ended in the middle of a message")),
                    false => Ok(()),
                };
            }
            let mut rest = piece;
            while let Some(body) = self.frames.take(&mut rest)? {
                self.ready.push_back(body);
            }
            let taken = piece.len();
            reader.consume(taken);
        }
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channel(…)")
    }
}
