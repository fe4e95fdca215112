//! Puts into the ledger what a peer gives, beside the session that takes it in: while some blocks go into memory and
//! onto the disk, the next are decrypted and hashed.

use crate::base::error::{Error, Result};
use crate::model::ledger::block::Received;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::replica::Taken;
use crate::model::limits::{INTAKE_RUNS, STORE_WAIT};
use crate::model::meeting::unbundle;
use crate::net::context::Context;
use crate::net::members::Standing;
use crate::store::database::Ticket;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Blocks of one log, one behind the other.
pub type Run = Vec<Received>;

/// The blocks in a piece that came: by an author whom this node knows, and with all their values.
pub fn run(now: &Standing, piece: &[u8]) -> Result<Run> {
    let blocks = unbundle(piece)?.into_iter().map(read).collect::<Result<Run>>()?;
    if blocks.first().is_some_and(|block| !now.is_author(&block.signed().header().name.author)) {
        return Err(Error::peer("gave blocks of an author whom this node does not know"));
    }
    Ok(blocks)
}

/// A block with all its values. One with a value closed has the same signature and the same hash: taken once, it would
/// never be asked for again, and whoever passed it on would have erased the value here for ever.
fn read(bytes: &[u8]) -> Result<Received> {
    let block = Received::read(bytes)?;
    let is_closed =
        |entry: &Entry| matches!(entry, Entry::Change(change) if change.secret().is_none());
    match block.entries().iter().any(is_closed) {
        true => Err(Error::peer("gave a block with closed values")),
        false => Ok(block),
    }
}

/// What was done with all runs.
#[derive(Debug)]
pub struct TakenIn {
    /// What came of them.
    pub taken: Taken,
    /// The state that holds them, which may not be on the disk yet.
    pub ticket: Ticket,
    /// Whether all of them were taken; behind one that was not, none was.
    pub done: Result<()>,
}

/// The way of blocks into the ledger. A meeting in which nothing comes has no thread for it.
#[derive(Debug)]
pub struct Intake<'a> {
    context: &'a Context,
    begun: Option<(SyncSender<Run>, Receiver<TakenIn>)>,
}

impl<'a> Intake<'a> {
    /// The one of a session.
    pub fn new(context: &'a Context) -> Self {
        Self { context, begun: None }
    }

    /// Takes a run that came by `stream`. Returns whether to go on: if not, `finish` says why. Should a run not be
    /// taken later, nothing more is read from there, so that the session does not wait for what comes next.
    pub fn take(&mut self, run: Run, stream: &TcpStream) -> Result<bool> {
        let (runs, _) = match &mut self.begun {
            Some(begun) => begun,
            none => none.insert(begin(self.context, stream)?),
        };
        Ok(runs.send(run).is_ok())
    }

    /// Waits until all runs are in memory.
    pub fn finish(self) -> TakenIn {
        let nothing = |done| TakenIn { taken: Taken::default(), ticket: Ticket::default(), done };
        let Some((runs, outcome)) = self.begun else { return nothing(Ok(())) };
        drop(runs);
        outcome.recv().unwrap_or_else(|_| {
            let ended = io::Error::other("the thread that did it has ended");
            nothing(Err(Error::device("take blocks", ended)))
        })
    }
}

fn begin(context: &Context, stream: &TcpStream) -> Result<(SyncSender<Run>, Receiver<TakenIn>)> {
    let wrong = |cause| Error::device("take blocks", cause);
    let stream = stream.try_clone().map_err(wrong)?;
    let (runs, given) = sync_channel::<Run>(INTAKE_RUNS);
    let (tell, outcome) = sync_channel(1);
    let (database, stop) = (context.database.clone(), context.stop.clone());
    context.crew.spawn("intake", move || {
        let (mut taken, mut ticket) = (Taken::default(), Ticket::default());
        let done = given.iter().try_for_each(|run| {
            let (new, state) = database.take(run)?;
            taken.add(new);
            ticket = ticket.max(state);
            // No faster than the disk, or memory would fill.
            if database.is_long() {
                database.wait_saved(ticket, STORE_WAIT, &stop)?;
            }
            Ok(())
        });
        drop(given);
        if done.is_err() {
            if let Err(cause) = stream.shutdown(Shutdown::Read) {
                log::debug!("the end of an intake: {cause}");
            }
        }
        // The session may have ended.
        let _ = tell.send(TakenIn { taken, ticket, done });
        Ok(())
    })?;
    Ok((runs, outcome))
}
