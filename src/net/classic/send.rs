//! Sends one thing to one peer: the database, or an alarm.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::classic::datagram::{ALARM_PREFIX, Purpose};
use crate::model::limits::{
    FILE_CLOSE, FILE_GRACE, FILE_SILENCE, SEND_PIECE, SLOWEST_COPY, SLOWEST_FILE, TEXT_CLOSE,
};
use crate::model::row::Row;
use crate::model::writer::{write_people, write_public};
use crate::net::classic::dial::dial;
use crate::net::context::Context;
use crate::net::notice::Outcome;
use crate::net::wire::Wire;
use crate::store::peer_book::Peer;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Sends all rows of people to `peer`.
pub fn database(context: &Context, peer: &Peer, people: &[Row]) -> Outcome {
    match dial(context, peer, Purpose::File) {
        Ok(wire) => {
            close(send_file(wire, SLOWEST_FILE, |out| write_people(people, out)), FILE_CLOSE)
        }
        Err(error) => error.into(),
    }
}

/// Sends an alarm to `peer`.
pub fn alarm(context: &Context, peer: &Peer, text: &str) -> Outcome {
    let sent = dial(context, peer, Purpose::Text).and_then(|mut wire| {
        wire.write_all(format!("{ALARM_PREFIX}{text}").as_bytes(), TEXT_CLOSE)?;
        Ok(wire)
    });
    close(sent, TEXT_CLOSE)
}

/// Sends the public rows to a tier-2 node over a connection of its own.
pub fn public_copy(wire: Wire, rows: &[Row]) -> Result<()> {
    let mut wire = send_file(wire, SLOWEST_COPY, |out| write_public(rows, out))?;
    wire.finish()?;
    wire.wait_closed(Deadline::after(FILE_SILENCE))
}

fn close(sent: Result<Wire>, patience: Duration) -> Outcome {
    let mut wire = match sent {
        Ok(wire) => wire,
        Err(error) => return error.into(),
    };
    match wire.finish().and_then(|()| wire.wait_closed(Deadline::after(patience))) {
        Ok(()) => Outcome::Delivered,
        Err(Error::Deadline { .. }) => Outcome::Unconfirmed,
        Err(error) => error.into(),
    }
}

/// Sends a file, to a side that reads at least `slowest` bytes a second. If that fails the connection is
/// broken off, so that the other side sees that it is not whole.
fn send_file(
    wire: Wire,
    slowest: u64,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Wire> {
    // A short file leaves in one piece even if this process is killed the moment after.
    wire.set_send_buffer(SEND_PIECE * 4);
    wire.break_off_at_end(true);
    let mut out =
        Pieces { wire, buffer: Vec::new(), sent: 0, slowest, begun: Instant::now(), failed: None };
    let written = write(&mut out).and_then(|()| out.send(out.buffer.len()));
    match (written, out.failed) {
        (Ok(()), _) => {
            out.wire.break_off_at_end(false);
            Ok(out.wire)
        }
        (Err(cause), failed) => {
            Err(failed.unwrap_or_else(|| Error::device("write the file", cause)))
        }
    }
}

/// Gathers a file into pieces for the connection. None but the last ends with a line break, so that a file
/// that ends between two pieces does not look whole.
struct Pieces {
    wire: Wire,
    buffer: Vec<u8>,
    sent: u64,
    slowest: u64,
    begun: Instant,
    failed: Option<Error>,
}

impl Pieces {
    fn send(&mut self, count: usize) -> io::Result<()> {
        let rest = self.buffer.split_off(count.min(self.buffer.len()));
        let piece = std::mem::replace(&mut self.buffer, rest);
        let lasted = self.begun.elapsed();
        self.sent += piece.len() as u64;
        let slow = lasted > FILE_GRACE && self.sent / lasted.as_secs().max(1) < self.slowest;
        let sent = match slow {
            true => Err(Error::peer("it reads too slowly")),
            false => self.wire.write_all(&piece, FILE_SILENCE),
        };
        sent.map_err(|error| {
            self.failed = Some(error);
            io::Error::other("the connection failed")
        })
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() > SEND_PIECE {
            self.send(self.buffer.len() - 1)?;
        }
        Ok(bytes.len())
    }

    /// Nothing: the end is not known here.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
