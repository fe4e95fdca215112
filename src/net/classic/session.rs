//! A session of a peer that came in: its messages are shown, its database is merged.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::classic::datagram::{ALARM_PREFIX, Purpose};
use crate::model::classic::text_session::{Said, TextSession};
use crate::model::ids::PeerNumber;
use crate::model::limits::{
    ALARM_HOLD, BUFFER, FILE_GRACE, FILE_SILENCE, MAX_FILE, SLOWEST_FILE, TEXT_SILENCE,
    UNTERMINATED_FILE,
};
use crate::model::reader::{Item, Origin, Reader};
use crate::model::section::Section;
use crate::net::context::Context;
use crate::net::merger::Merger;
use crate::net::notice::Notice;
use crate::net::wire::Wire;
use std::time::Instant;

/// Runs the session until the peer closes it, breaks a limit, or the node stops.
pub fn run(context: &Context, peer: PeerNumber, purpose: Purpose, wire: Wire) -> Result<()> {
    match purpose {
        Purpose::Text => hear(context, peer, wire),
        Purpose::File => receive(context, peer, wire),
    }
}

fn hear(context: &Context, peer: PeerNumber, mut wire: Wire) -> Result<()> {
    let (mut session, mut buffer) = (TextSession::default(), [0; 4096]);
    let mut silence = Deadline::after(TEXT_SILENCE);
    loop {
        let deadline = if session.holds() { silence.or_after(ALARM_HOLD) } else { silence };
        let said = match wire.read(&mut buffer, deadline) {
            Ok(0) => break,
            Ok(count) => {
                silence = Deadline::after(TEXT_SILENCE);
                session.feed(buffer.get(..count).unwrap_or_default())
            }
            Err(Error::Deadline { .. }) if session.holds() && silence.left().is_some() => {
                // The rest may have come while this thread had to wait for its turn.
                if wire.has_come() {
                    continue;
                }
                // A cut-off character may stay held: then the silence decides.
                match session.moment_passed() {
                    None => wait_for_more(&mut wire, silence, &mut session, &mut buffer)?,
                    said => said,
                }
            }
            Err(error) => {
                tell(context, peer, session.finish());
                return Err(error);
            }
        };
        match said {
            Some(Said::Quit) => return Ok(()),
            Some(Said::TooMuch) => return Err(Error::peer("too much text in one session")),
            said => tell(context, peer, said),
        }
    }
    tell(context, peer, session.finish());
    Ok(())
}

/// Only the beginning of a character has come: waits for the rest of it.
fn wait_for_more(
    wire: &mut Wire,
    silence: Deadline,
    session: &mut TextSession,
    buffer: &mut [u8],
) -> Result<Option<Said>> {
    match wire.read(buffer, silence)? {
        0 => Ok(Some(Said::Quit)),
        count => Ok(session.feed(buffer.get(..count).unwrap_or_default())),
    }
}

fn tell(context: &Context, peer: PeerNumber, said: Option<Said>) {
    let monitor = &context.monitor;
    match said {
        Some(Said::Message(text)) if monitor.may_speak(peer) => {
            context.notices.tell(Notice::Message { peer, text });
        }
        Some(Said::Alarm(text)) if monitor.may_alarm(peer) => {
            context.notices.tell(Notice::Alarm { peer, text, id: None, wall: None });
        }
        Some(Said::Message(_) | Said::Alarm(_)) => {
            if let Some(hushed) = monitor.trouble(peer) {
                log::warn!("peer {peer} floods the screen: not shown; {hushed} such before");
            }
        }
        Some(Said::Quit | Said::TooMuch) | None => {}
    }
}

fn receive(context: &Context, peer: PeerNumber, mut wire: Wire) -> Result<()> {
    // If this process is killed before all is stored, the peer sees a broken connection.
    wire.break_off_at_end(true);
    let mut start = Vec::new();
    let mut merger = Merger::new(context, peer);
    let mut reader = Reader::new(Origin::Peer);
    let read = read_file(&mut wire, |bytes| {
        let missing = BEGINNING.saturating_sub(start.len());
        start.extend(bytes.iter().take(missing));
        if is_database(&start)? {
            reader.feed(bytes, &mut |item| take(&mut merger, item));
        }
        Ok(())
    });
    if let Some(alarm) = start.strip_prefix(ALARM_PREFIX.as_bytes()) {
        // An alarm at the wrong door is an alarm.
        let text = String::from_utf8_lossy(alarm).into_owned();
        tell(context, peer, Some(Said::Alarm(text)));
        wire.break_off_at_end(false);
        return Ok(());
    }
    // A connection that broke, or a long file without an end, may have cut the last row in two.
    let whole = read.as_ref().is_ok_and(|bytes| *bytes <= UNTERMINATED_FILE);
    let broken = reader.finish(whole, &mut |item| take(&mut merger, item)) || read.is_err();
    let (tally, saved) = merger.finish(broken);
    // Only if all of it is safe here, the peer may believe so.
    wire.break_off_at_end(saved.is_err() || tally.refused > 0 || read.is_err());
    saved.and(read.map(|_| ()))
}

/// Only people travel in the classic dialect.
fn take(merger: &mut Merger<'_>, item: Item) {
    match item {
        Item::Row(Section::People, row) => merger.take(Section::People, row),
        Item::Row(..) | Item::Kept(_) => merger.note_strange(1),
    }
}

/// How a database file begins. Anything else came to the wrong door.
const TITLE: &str = "People:";
/// Bytes from which it can be told what came.
const BEGINNING: usize = 1024;

/// Whether what came so far begins a database; false while it may still become an alarm.
fn is_database(start: &[u8]) -> Result<bool> {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    if ALARM_PREFIX.as_bytes().starts_with(start) {
        return Ok(false);
    }
    let common = text.len().min(TITLE.len());
    let same = |(one, other): (&u8, &u8)| one.eq_ignore_ascii_case(other);
    match text.iter().zip(TITLE.as_bytes()).take(common).all(same) {
        true => Ok(true),
        false => Err(Error::peer("what it sent is no database")),
    }
}

/// Reads until the end; returns how many bytes came.
fn read_file(wire: &mut Wire, mut piece: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
    let (mut buffer, mut bytes, begun) = (vec![0; BUFFER], 0, Instant::now());
    loop {
        let count = wire.read(&mut buffer, Deadline::after(FILE_SILENCE))?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes += count as u64;
        piece(buffer.get(..count).unwrap_or_default())?;
        let lasted = begun.elapsed();
        if bytes > MAX_FILE {
            return Err(Error::peer("its file is larger than a node takes"));
        }
        if lasted > FILE_GRACE && bytes / lasted.as_secs().max(1) < SLOWEST_FILE {
            return Err(Error::peer("it sends too slowly"));
        }
    }
}
