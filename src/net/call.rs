//! A call: one text session to one peer, in a thread of its own, so that typing never waits for a link.

use crate::base::clock::Deadline;
use crate::base::error::Result;
use crate::model::classic::datagram::{Purpose, QUIT};
use crate::model::ids::PeerNumber;
use crate::model::limits::{MAX_MESSAGES, SLICE, TEXT_CLOSE};
use crate::net::classic::dial::dial;
use crate::net::context::Context;
use crate::net::notice::{Notice, Outcome, Sent};
use crate::net::post;
use crate::net::talk::Talk;
use crate::net::wire::Wire;
use crate::store::peer_book::Peer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Lines typed and not yet sent.
const QUEUE: usize = 64;
/// Lines of which it is told whether they reached the peer: as many as one message may have.
const MOST_TOLD: usize = MAX_MESSAGES;
/// Shortest time between two sends, so that the other side reads them as two messages.
const BETWEEN: Duration = Duration::from_millis(30);

/// How long the end of a call waits for the last lines, before the person is asked what shall become of them.
const SETTLE: Duration = Duration::from_millis(1500);

/// A call that goes on; it ends when this is dropped.
#[derive(Debug)]
pub struct Call {
    lines: SyncSender<String>,
    wish: Arc<Wish>,
    /// Of each line whether it reached the peer.
    reached: Receiver<bool>,
}

/// What person and call say to each other besides lines.
#[derive(Debug, Default)]
struct Wish {
    /// What does not reach the peer waits until it is back.
    keeps: AtomicBool,
    /// So many lines did not reach it that no more are taken.
    is_full: AtomicBool,
}

/// How a call stands when the person has ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The peer has all lines.
    Sent,
    /// It has not all of them.
    Failed,
    /// That is not known yet.
    Open,
}

impl Call {
    /// Begins a call to the peer `number`.
    pub fn begin(context: &Arc<Context>, number: PeerNumber) -> Result<Self> {
        let (lines, typed) = sync_channel(QUEUE);
        // As many as the lines that wait, the one under way, and those that are not asked for any more.
        let (tell, reached) = sync_channel(MOST_TOLD);
        let (caller, work) = (Arc::clone(context), context.work.clone());
        let wish = Arc::new(Wish::default());
        let asked = Arc::clone(&wish);
        context.crew.spawn("call", move || {
            run(&caller, number, (&typed, &tell), &asked);
            drop(work);
            Ok(())
        })?;
        Ok(Self { lines, wish, reached })
    }

    /// Sends a line. Returns false when too many wait already, or the call has failed.
    pub fn say(&self, line: String) -> bool {
        !self.wish.is_full.load(Ordering::Relaxed) && self.lines.try_send(line).is_ok()
    }

    /// Waits, not long, until it is known whether the peer has all of so many lines.
    pub fn settle(&mut self, said: usize, context: &Context) -> Settled {
        let deadline = Deadline::after(SETTLE);
        for _ in 0..said {
            loop {
                if context.stop.is_set() {
                    return Settled::Open;
                }
                let Some(slice) = deadline.slice(SLICE) else { return Settled::Open };
                match self.reached.recv_timeout(slice) {
                    Ok(true) => break,
                    Ok(false) | Err(RecvTimeoutError::Disconnected) => return Settled::Failed,
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
        }
        Settled::Sent
    }

    /// Ends the call; lines that did not reach the peer wait until it is back.
    pub fn keep(self) {
        // The call ends with its last handle, and looks at this then.
        self.wish.keeps.store(true, Ordering::SeqCst);
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

fn run(
    context: &Context,
    number: PeerNumber,
    (typed, tell): (&Receiver<String>, &SyncSender<bool>),
    wish: &Wish,
) {
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
                // What is not asked for any more need not be told.
                let _ = tell.try_send(line.is_ok());
            }
            Err(RecvTimeoutError::Timeout) if context.stop.is_set() => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        wish.is_full.store(unsent.len() >= QUEUE, Ordering::Relaxed);
    }
    let outcome = match line.and_then(Line::end) {
        Ok(()) => Outcome::Delivered,
        Err(_) if unsent.is_empty() && sent > 0 => Outcome::Unconfirmed,
        Err(error) => error.into(),
    };
    if sent == 0 && unsent.is_empty() {
        return;
    }
    if wish.keeps.load(Ordering::SeqCst) && !unsent.is_empty() {
        let kept = post::keep(context, number, &unsent).map_err(|error| error.to_string());
        context.notices.tell(Notice::Kept { peer: number, unsent, kept });
        return;
    }
    let what = Sent::Messages { sent, unsent };
    context.notices.tell(Notice::Delivered { what, outcomes: vec![(number, outcome)] });
}
