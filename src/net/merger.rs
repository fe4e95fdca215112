//! Puts rows that come from a peer into the database, in batches, so that the lock is never held for long.

use crate::base::error::Result;
use crate::model::ids::PeerNumber;
use crate::model::limits::{MERGE_BATCH, STORE_WAIT};
use crate::model::records::{Merged, contested};
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
    ticket: Option<Ticket>,
}

impl<'a> Merger<'a> {
    /// The merger for a session with `peer`.
    pub fn new(context: &'a Context, peer: PeerNumber) -> Self {
        Self { context, peer, batch: Vec::new(), tally: Tally::default(), ticket: None }
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
        let saved = match self.ticket {
            Some(ticket) => {
                self.context.database.wait_saved(ticket, STORE_WAIT, &self.context.stop)
            }
            None => Ok(()),
        };
        (self.tally, saved)
    }

    fn merge(&mut self) {
        let (batch, tally) = (std::mem::take(&mut self.batch), &mut self.tally);
        tally.rows += batch.len();
        let ((), ticket) = self.context.database.change(|records| {
            let before = tally.new;
            for (section, row) in batch {
                match records.take(section, row) {
                    Merged::New => tally.new += 1,
                    Merged::Known => tally.known += 1,
                    Merged::Replaced => tally.replaced += 1,
                    Merged::Full => tally.refused += 1,
                }
            }
            (tally.new > before, ())
        });
        self.ticket = Some(ticket);
    }

    fn report(&mut self) {
        let (context, peer, tally) = (self.context, self.peer, &mut self.tally);
        if tally.strange > 0 || tally.refused > 0 || tally.broken {
            if let Some(hushed) = context.monitor.trouble(peer) {
                log::warn!("the database of peer {peer}: {tally:?}; {hushed} such before");
            }
        }
        if tally.new > 0 {
            context.order(Order::Applied(peer));
            let people = context.database.with(|records| records.people());
            tally.contested = contested(&people).len();
        }
        if tally.new > 0 || tally.refused > 0 {
            context.notices.tell(Notice::Received { peer, tally: *tally });
        }
    }
}
