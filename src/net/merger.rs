//! Puts rows that come from a peer of a classic network into the database, in batches, so that the lock is never
//! held for long.

use crate::base::error::{Error, Result};
use crate::model::ids::PeerNumber;
use crate::model::limits::{MERGE_BATCH, STORE_WAIT};
use crate::model::row::Row;
use crate::model::section::Section;
use crate::net::context::{Context, Order};
use crate::net::notice::{Notice, Tally};
use crate::store::database::Ticket;

/// The rows of one session.
pub struct Merger<'a> {
    context: &'a Context,
    peer: PeerNumber,
    batch: Vec<(Section, Row)>,
    tally: Tally,
    ticket: Ticket,
    /// Why rows could not be taken, if so.
    trouble: Option<Error>,
}

impl<'a> Merger<'a> {
    /// The merger for a session with `peer`.
    pub fn new(context: &'a Context, peer: PeerNumber) -> Self {
        let (tally, ticket) = (Tally::default(), Ticket::default());
        Self { context, peer, batch: Vec::new(), tally, ticket, trouble: None }
    }

    /// Takes a row.
    pub fn take(&mut self, section: Section, row: Row) {
        self.batch.push((section, row));
        if self.batch.len() >= MERGE_BATCH {
            self.merge();
        }
    }

    /// So many rows came that are not understood.
    pub fn note_strange(&mut self, count: usize) {
        self.tally.strange += count;
    }

    /// All has come, or it broke off. Tells the person, and waits until all is on the disk.
    pub fn finish(mut self, broken: bool) -> (Tally, Result<()>) {
        self.merge();
        self.tally.broken = broken;
        self.report();
        let saved = match self.trouble.take() {
            Some(trouble) => Err(trouble),
            None => self.wait_saved(),
        };
        (self.tally, saved)
    }

    fn wait_saved(&self) -> Result<()> {
        self.context.database.wait_saved(self.ticket, STORE_WAIT, &self.context.stop)
    }

    fn merge(&mut self) {
        let (batch, tally) = (std::mem::take(&mut self.batch), &mut self.tally);
        match self.context.database.merge(&batch) {
            Ok((merged, ticket)) => {
                tally.new += merged.new;
                tally.known += merged.known;
                tally.strange += merged.strange;
                tally.refused += merged.full;
                tally.contested += merged.contested;
                self.ticket = ticket;
            }
            Err(error) => {
                tally.refused += batch.len();
                self.trouble = Some(error);
            }
        }
        // No faster than the disk, or memory would fill.
        if self.context.database.is_long() {
            if let Err(error) = self.wait_saved() {
                self.trouble = Some(error);
            }
        }
    }

    fn report(&mut self) {
        let (context, peer, tally) = (self.context, self.peer, &self.tally);
        if tally.strange > 0 || tally.refused > 0 || tally.broken {
            if let Some(hushed) = context.monitor.trouble(peer) {
                log::warn!("the database of peer {peer}: {tally:?}; {hushed} such before");
            }
        }
        if tally.new > 0 {
            context.order(Order::Applied(peer));
        }
        if tally.new > 0 || tally.refused > 0 {
            context.notices.tell(Notice::Received { peer, tally: *tally });
        }
    }
}
