//! A call: one text session to one peer, in a thread of its own, so that typing never waits for a link.

use crate::base::clock::Deadline;
use crate::base::error::Result;
use crate::model::classic::datagram::{Purpose, QUIT};
use crate::model::ids::PeerNumber;
use crate::model::limits::{SLICE, TEXT_CLOSE};
use crate::net::classic::dial::dial;
use crate::net::context::Context;
use crate::net::notice::{Notice, Outcome, Sent};
use crate::net::talk::Talk;
use crate::net::wire::Wire;
use crate::store::peer_book::Peer;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Lines typed and not yet sent.
const QUEUE: usize = 64;
/// Shortest time between two sends, so that the other side reads them as two messages.
const BETWEEN: Duration = Duration::from_millis(30);

/// A call that goes on; it ends when this is dropped.
#[derive(Debug)]
pub struct Call(SyncSender<String>);

impl Call {
    /// Begins a call to the peer `number`.
    pub fn begin(context: &Arc<Context>, number: PeerNumber) -> Result<Self> {
        let (lines, typed) = sync_channel(QUEUE);
        let (caller, work) = (Arc::clone(context), context.work.clone());
        context.crew.spawn("call", move || {
            run(&caller, number, &typed);
            drop(work);
            Ok(())
        })?;
        Ok(Self(lines))
    }

    /// Sends a line. Returns false when too many wait already, or the call has failed.
    pub fn say(&self, line: String) -> bool {
        self.0.try_send(line).is_ok()
    }
}

/// The session of a call, in the dialect of the network.
enum Line {
    Sealed(Box<Talk>),
    /// The wire, and when it was last written to.
    Classic(Wire, Option<Instant>),
}

impl Line {
    fn open(context: &Context, peer: &Peer) -> Result<Self> {
        match &context.sealed {
            Some(sealed) => {
                Talk::open(context, sealed, peer).map(|talk| Self::Sealed(Box::new(talk)))
            }
            None => dial(context, peer, Purpose::Text).map(|wire| Self::Classic(wire, None)),
        }
    }

    fn is_closed(&mut self) -> bool {
        match self {
            Self::Sealed(talk) => talk.is_closed(),
            Self::Classic(wire, _) => wire.is_closed(),
        }
    }

    fn send(&mut self, text: &str) -> Result<()> {
        match self {
            Self::Sealed(talk) => talk.say(text),
            Self::Classic(wire, last) => {
                if let Some(wait) = last.and_then(|last| BETWEEN.checked_sub(last.elapsed())) {
                    std::thread::sleep(wait);
                }
                wire.write_all(text.as_bytes(), TEXT_CLOSE)?;
                *last = Some(Instant::now());
                Ok(())
            }
        }
    }

    fn end(mut self) -> Result<()> {
        if let Self::Classic(..) = &self {
            self.send(QUIT)?;
        }
        match self {
            Self::Sealed(talk) => {
                // Every line was confirmed; how the session ends does not matter any more.
                if let Err(error) = talk.end() {
                    log::debug!("the end of a talk: {error}");
                }
                Ok(())
            }
            Self::Classic(mut wire, _) => {
                wire.finish()?;
                wire.wait_closed(Deadline::after(TEXT_CLOSE))
            }
        }
    }
}

fn run(context: &Context, number: PeerNumber, typed: &Receiver<String>) {
    let book = context.book();
    let Some(peer) = book.peer(number) else { return };
    let mut line = Line::open(context, peer);
    let (mut sent, mut unsent) = (0, Vec::new());
    loop {
        match typed.recv_timeout(SLICE) {
            Ok(text) => {
                // The other side closes when nobody has typed for long: then the call begins again.
                if line.as_mut().is_ok_and(Line::is_closed) {
                    line = Line::open(context, peer);
                }
                match line.as_mut().map(|line| line.send(&text)) {
                    Ok(Ok(())) => sent += 1,
                    Ok(Err(error)) => {
                        line = Err(error);
                        unsent.push(text);
                    }
                    Err(_) => unsent.push(text),
                }
            }
            Err(RecvTimeoutError::Timeout) if context.stop.is_set() => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if line.is_err() && unsent.len() >= QUEUE {
            break;
        }
    }
    let outcome = match line.and_then(Line::end) {
        Ok(()) => Outcome::Delivered,
        Err(_) if unsent.is_empty() && sent > 0 => Outcome::Unconfirmed,
        Err(error) => error.into(),
    };
    if sent == 0 && unsent.is_empty() {
        return;
    }
    let what = Sent::Messages { sent, unsent };
    context.notices.tell(Notice::Delivered { what, outcomes: vec![(number, outcome)] });
}
