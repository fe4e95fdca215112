//! Sends one thing to one peer: the database, or an alarm.

use crate::base::clock::Deadline;
use crate::base::error::Result;
use crate::base::threads::Stop;
use crate::model::classic::{ALARM_PREFIX, Purpose};
use crate::model::limits::{BUFFER, FILE_CLOSE, FILE_SILENCE, TEXT_CLOSE, UNTERMINATED_FILE};
use crate::model::row::Row;
use crate::model::writer::{write_people, write_public};
use crate::net::context::Context;
use crate::net::dial::{dial, outcome_of};
use crate::net::notice::Outcome;
use crate::net::wire::Wire;
use crate::store::peer_book::Peer;
use std::io::{self, Write};

/// Sends all rows of people to `peer`.
pub fn database(context: &Context, peer: &Peer, people: &[Row]) -> Outcome {
    let sent = dial(context, peer, Purpose::File).and_then(|mut wire| {
        write_file(&mut wire, |out| write_people(people, out))?;
        Ok(wire)
    });
    close(sent, Deadline::after(FILE_CLOSE))
}

/// Sends an alarm to `peer`.
pub fn alarm(context: &Context, peer: &Peer, text: &str) -> Outcome {
    let sent = dial(context, peer, Purpose::Text).and_then(|mut wire| {
        wire.write_all(format!("{ALARM_PREFIX}{text}").as_bytes(), TEXT_CLOSE)?;
        Ok(wire)
    });
    close(sent, Deadline::after(TEXT_CLOSE))
}

/// Sends the public rows to a tier-2 node over a connection of its own.
pub fn public_copy(wire: &mut Wire, rows: &[Row], stop: &Stop) -> Result<()> {
    write_file(wire, |out| write_public(rows, out))?;
    wire.finish()?;
    stop.check()?;
    wire.wait_closed(Deadline::after(FILE_SILENCE))
}

fn close(sent: Result<Wire>, deadline: Deadline) -> Outcome {
    let mut wire = match sent {
        Ok(wire) => wire,
        Err(error) => return outcome_of(error),
    };
    match wire.finish().and_then(|()| wire.wait_closed(deadline)) {
        Ok(()) => Outcome::Delivered,
        Err(crate::base::error::Error::Deadline { .. }) => Outcome::Unconfirmed,
        Err(error) => outcome_of(error),
    }
}

fn write_file(wire: &mut Wire, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    // So much leaves in one piece even if this process is killed the moment after.
    wire.set_send_buffer(UNTERMINATED_FILE as usize * 2);
    let mut out = Pieces { wire, buffer: Vec::with_capacity(BUFFER), failed: None };
    let written = write(&mut &mut out).and_then(|()| out.flush());
    match (written, out.failed) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(error)) => Err(error),
        (Err(cause), None) => Err(crate::base::error::Error::device("write the file", cause)),
    }
}

/// Gathers a file into pieces for the connection.
struct Pieces<'a> {
    wire: &'a mut Wire,
    buffer: Vec<u8>,
    failed: Option<crate::base::error::Error>,
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let sent = self.wire.write_all(&self.buffer, FILE_SILENCE);
        self.buffer.clear();
        sent.map_err(|error| {
            self.failed = Some(error);
            io::Error::other("the connection failed")
        })
    }
}
