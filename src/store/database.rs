//! The database that all sessions and the menu share.
//!
//! ```text
//! session, menu --change--> Arc<Mutex<Inner>> --entries--> journal --> DATABASEx.ledger
//!                   ticket <------------------ durable -------+
//!                                  +--rows--> saver --> DATABASEx.txt
//! ```
//!
//! The lock is held for memory only. A change gets a ticket; who must know that it is on the disk waits on the
//! ticket without the lock, and all who wait share one write. The text follows.

use crate::base::clock::{Deadline, wall};
use crate::base::error::{Error, Result};
use crate::base::threads::{Stop, lock};
use crate::model::ids::PeerNumber;
use crate::model::keys::IdentityKey;
use crate::model::ledger::alarms::News;
use crate::model::ledger::bar::Bars;
use crate::model::ledger::block::{Received, Verified};
use crate::model::ledger::chains::{Refused, Rigour};
use crate::model::ledger::entry::Entry;
use crate::model::ledger::heads::{Heads, Range};
use crate::model::ledger::import;
use crate::model::ledger::listing::{Counts, Spot};
use crate::model::ledger::names::LogName;
use crate::model::ledger::operation::Operation;
use crate::model::ledger::replica::{Confirmed, Replica, Taken};
use crate::model::ledger::stored::Stored;
use crate::model::ledger::view::View;
use crate::model::limits::{MAX_BLOCK, SHOWN_BATCH, SLICE};
use crate::model::reader::Kept;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::store::disk::Print;
use crate::store::journal::Journal;
use crate::store::ledger_file::LedgerFile;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A handle to the database of this node; clones share it.
#[derive(Clone, Debug)]
pub struct Database(pub(in crate::store) Arc<Shared>);

#[derive(Debug)]
pub(in crate::store) struct Shared {
    /// The text file.
    pub path: PathBuf,
    pub inner: Mutex<Inner>,
    /// The text file as this node last read or wrote it; another print means that somebody edited it.
    pub seen: Mutex<Seen>,
    pub bell: Condvar,
    /// Held by who builds the state anew.
    pub building: Mutex<()>,
}

#[derive(Debug)]
pub(in crate::store) struct Seen {
    pub print: Option<Print>,
    /// How many people stood in it.
    pub people: usize,
    /// The ledger that it showed.
    pub showed: Heads,
}

#[derive(Debug)]
pub(in crate::store) struct Inner {
    pub replica: Replica,
    pub journal: Journal,
    /// What was not understood in the text file.
    pub kept: Vec<Kept>,
    /// Counts what the text file has to follow.
    pub version: u64,
    /// Up to where it has.
    pub texted: u64,
    /// Not before then the state is built anew.
    pub rebuild_at: Instant,
    /// Up to where it should at once, because a person at this node is waiting for it.
    pub asked: u64,
    /// Whose forks were proved, and nobody was told yet.
    pub forked: Vec<IdentityKey>,
}

/// Places of records, as many as may be looked at under one hold of the lock.
type Portion = std::ops::Range<usize>;

/// A state of the database that may or may not be on the disk yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What became of rows that came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Rows that say something new.
    pub new: usize,
    /// Rows that were here already, or that somebody replaced.
    pub known: usize,
    /// Rows of a text that somebody edited that say only what was before.
    pub stale: usize,
    /// Rows that cannot be taken.
    pub strange: usize,
    /// Rows for which there was no room.
    pub full: usize,
    /// Records of which there are several versions now, among those that came.
    pub contested: usize,
}

impl Merged {
    /// Adds what became of further rows.
    pub fn add(&mut self, other: Self) {
        self.new += other.new;
        self.known += other.known;
        self.stale += other.stale;
        self.strange += other.strange;
        self.full += other.full;
        self.contested += other.contested;
    }
}

impl Database {
    /// Looks at the ledger. `look` must not block: everybody else waits.
    pub fn with<T>(&self, look: impl FnOnce(&Replica) -> T) -> T {
        look(&lock(&self.0.inner).replica)
    }

    /// The rows of a section in their order, taken in portions, so that nobody waits for long.
    pub fn rows(&self, section: Section) -> Vec<Row> {
        let mut rows = Vec::new();
        self.each_row(section, |_, row| rows.push(row));
        rows
    }

    /// Rows of people that say all that is held of them, for those who have no ledger: of a record of which there
    /// are several versions there are several rows.
    pub fn people_with_versions(&self) -> Vec<Row> {
        let mut rows = self.rows(Section::People);
        self.each_changed(|view| {
            if view.about().section == Section::People && !view.is_hidden() {
                rows.extend(view.other_rows());
            }
        });
        rows
    }

    /// Hands on the records of a section and their rows, in their order, in portions, so that nobody waits for long.
    pub fn each_row(&self, section: Section, mut take: impl FnMut(Spot, Row)) {
        let order = self.with(|replica| replica.state().order(section));
        for spots in order.chunks(SHOWN_BATCH) {
            let rows: Vec<_> = self.with(|replica| {
                let row = |spot: &Spot| Some((*spot, replica.state().row(*spot)?));
                spots.iter().filter_map(row).collect()
            });
            rows.into_iter().for_each(|(spot, row)| take(spot, row));
        }
    }

    /// Hands on the records that somebody has changed or retracted, in portions. No others can be hidden or have
    /// several versions.
    pub fn each_changed(&self, mut take: impl FnMut(View)) {
        for places in self.portions() {
            let views = self.with(|replica| replica.state().changed_among(places));
            views.into_iter().for_each(&mut take);
        }
    }

    /// How many records there are, counted in portions.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for places in self.portions() {
            self.with(|replica| replica.state().count_among(places, &mut counts));
        }
        counts
    }

    fn portions(&self) -> impl Iterator<Item = Portion> + use<> {
        let all = self.with(|replica| replica.state().len());
        (0..all).step_by(SHOWN_BATCH).map(move |from| from..all.min(from + SHOWN_BATCH))
    }

    /// What is not understood in the text file.
    pub fn kept(&self) -> Vec<Kept> {
        lock(&self.0.inner).kept.clone()
    }

    // --- changing ---

    /// Makes changes in the name of this node. `make` must not block. The ticket names the state that holds them.
    pub fn write<T>(
        &self,
        make: impl FnOnce(&Replica) -> Result<(Vec<Operation>, T)>,
    ) -> Result<(T, Ticket)> {
        let mut inner = lock(&self.0.inner);
        let (operations, value) = make(&inner.replica)?;
        let signed = inner.sign(operations.into_iter().map(Entry::Change).collect());
        inner.asked = inner.version;
        signed?;
        self.0.bell.notify_all();
        Ok((value, inner.ticket()))
    }

    /// Signs entries that are no changes of records.
    pub fn note(&self, make: impl FnOnce(&Replica) -> Vec<Entry>) -> Result<Ticket> {
        let mut inner = lock(&self.0.inner);
        let entries = make(&inner.replica);
        inner.sign(entries)?;
        self.0.bell.notify_all();
        Ok(inner.ticket())
    }

    /// Says anew who is shut out: what they wrote beyond their last good blocks does not count any more.
    pub fn bar(&self, bars: Bars) {
        lock(&self.0.inner).replica.bar(bars);
        self.0.bell.notify_all();
    }

    /// Takes rows that somebody sent who has no ledger.
    pub fn merge(&self, rows: &[(Section, Row)]) -> Result<(Merged, Ticket)> {
        let mut inner = lock(&self.0.inner);
        let merged = inner.merge(rows, &mut Vec::new())?;
        self.0.bell.notify_all();
        Ok((merged, inner.ticket()))
    }

    /// Takes blocks of one log, one behind the other, from a peer. If its author forked, that is proved first.
    pub fn take(&self, run: Vec<Received>) -> Result<(Taken, Ticket)> {
        let (fault, other) = {
            let mut inner = lock(&self.0.inner);
            if inner.journal.has_failed() {
                return Err(Error::Full { what: "the disk, which cannot be written now" });
            }
            match inner.take(run) {
                Ok(taken) => {
                    self.0.bell.notify_all();
                    return Ok((taken, inner.ticket()));
                }
                Err(Refused { fault, clash: None }) => return Err(fault.into()),
                Err(Refused { fault, clash: Some(clash) }) => (fault, clash),
            }
        };
        self.prove(*other)?;
        Err(fault.into())
    }

    /// One of so many peers has shown its heads: what they say of the own log.
    pub fn confirm(&self, theirs: &Heads, by: PeerNumber, peers: usize) -> Confirmed {
        lock(&self.0.inner).replica.confirm(theirs, by, peers)
    }

    /// What was said of alarms since this was last asked.
    pub fn alarm_news(&self) -> News {
        lock(&self.0.inner).replica.take_news()
    }

    // --- for peers ---

    /// The heads of what is on the disk: what may be told to others.
    pub fn heads(&self) -> Heads {
        lock(&self.0.inner).heads()
    }

    /// Blocks that are on the disk here and that a peer with these heads lacks.
    pub fn beyond(&self, theirs: &Heads) -> Vec<Range> {
        let mut inner = lock(&self.0.inner);
        let durable = inner.heads();
        inner.replica.beyond(&durable, theirs)
    }

    // --- the disk ---

    /// The state as it is now.
    pub fn now(&self) -> Ticket {
        lock(&self.0.inner).ticket()
    }

    /// The last state that is on the disk: whoever meets this node has not been told of more.
    pub fn saved(&self) -> Ticket {
        Ticket(lock(&self.0.inner).journal.saved())
    }

    /// Waits until the state of `ticket` is on the disk, the node ends, or `patience` does.
    pub fn wait_saved(&self, ticket: Ticket, patience: Duration, stop: &Stop) -> Result<()> {
        let deadline = Deadline::after(patience);
        loop {
            let (file, written) = {
                let mut inner = lock(&self.0.inner);
                let file = inner.journal.file().clone();
                match inner.journal.written(ticket.0)? {
                    None => return Ok(()),
                    Some(written) => (file, written),
                }
            };
            stop.check()?;
            let Some(slice) = deadline.slice(SLICE) else {
                return Err(Error::Deadline { what: "writing the ledger" });
            };
            match file.wait(&written, slice) {
                Ok(_) | Err(Error::Deadline { .. }) => {}
                Err(error) => {
                    self.wake();
                    return Err(error);
                }
            }
        }
    }

    /// Whether the state of `ticket` is on the disk.
    pub fn is_saved(&self, ticket: Ticket) -> bool {
        lock(&self.0.inner).journal.saved() >= ticket.0
    }

    /// Whether so much waits for the disk that whoever brings more waits for it first, or memory would fill.
    pub fn is_long(&self) -> bool {
        let mut inner = lock(&self.0.inner);
        inner.journal.saved();
        inner.journal.is_long()
    }

    /// Wakes the saver thread: there is something to do, or its stop flag was set.
    pub fn wake(&self) {
        // With the lock, so that it cannot fall between the thread's look at its flag and its waiting.
        let _inner = lock(&self.0.inner);
        self.0.bell.notify_all();
    }

    /// The file of the ledger.
    pub(in crate::store) fn file(&self) -> LedgerFile {
        lock(&self.0.inner).journal.file().clone()
    }
}

impl Inner {
    pub fn ticket(&self) -> Ticket {
        Ticket(self.journal.appended())
    }

    pub fn heads(&mut self) -> Heads {
        self.journal.heads(self.replica.chains())
    }

    /// Hands an entry to the journal; the text has to follow.
    pub fn append(&mut self, log: Option<LogName>, entry: Vec<u8>) {
        self.journal.append(log, entry);
        self.version += 1;
    }

    fn append_blocks(&mut self, blocks: &[Verified]) {
        for block in blocks {
            self.append(Some(block.header().name), Stored::block(block.bytes()));
        }
    }

    /// Signs entries in the name of this node.
    pub fn sign(&mut self, entries: Vec<Entry>) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        if !self.journal.has_room(MAX_BLOCK) {
            return Err(Error::Full { what: "changes in memory, which the disk has not taken" });
        }
        let mut signed = Vec::new();
        let done = self.replica.write(entries, wall(), &mut rand::rng(), &mut signed);
        self.append_blocks(&signed);
        done
    }

    /// Takes blocks of a peer. If there is no room for them, none is taken, and none of their log will be asked for.
    pub fn take(&mut self, run: Vec<Received>) -> std::result::Result<Taken, Refused> {
        if run.first().is_some_and(|block| !self.replica.takes(&block.signed().header().name)) {
            return Ok(Taken::none_of(&run));
        }
        if let Some(fault) = self.replica.too_much(&run) {
            log::warn!("{fault}");
            return self.replica.leave_out(&run);
        }
        let (new, taken) = self.replica.take(run, Rigour::Last)?;
        self.append_blocks(&new);
        Ok(taken)
    }

    /// Takes rows of text. Rows of one record are taken one after the other, so that each sees those before it.
    /// Those that cannot be operations come out as `strange`.
    pub fn merge(
        &mut self,
        rows: &[(Section, Row)],
        strange: &mut Vec<(Section, Row)>,
    ) -> Result<Merged> {
        let (mut merged, mut made, mut records) = (Merged::default(), Vec::new(), HashSet::new());
        for (section, row) in rows {
            let (state, namer) = (self.replica.state(), self.replica.namer());
            if records.contains(&import::meant(state, namer, *section, row)) {
                self.sign_all(&mut made)?;
                records.clear();
            }
            let (state, namer) = (self.replica.state(), self.replica.namer());
            match import::import(state, namer, *section, row) {
                Ok(None) => merged.known += 1,
                Ok(Some(operation)) => {
                    merged.new += 1;
                    merged.contested += usize::from(state.has_record(operation.about()));
                    records.insert(operation.about());
                    made.push(operation);
                }
                Err(_) => {
                    merged.strange += 1;
                    strange.push((*section, row.clone()));
                }
            }
        }
        match self.sign_all(&mut made) {
            Err(Error::Full { .. }) => (merged.full, merged.new) = (merged.new, 0),
            done => done?,
        }
        Ok(merged)
    }

    fn sign_all(&mut self, made: &mut Vec<Operation>) -> Result<()> {
        self.sign(std::mem::take(made).into_iter().map(Entry::Change).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dialect::Dialect;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::names::Namer;
    use crate::model::ledger::pen::Pen;
    use crate::store::opening::Owner;

    impl From<u64> for Ticket {
        fn from(state: u64) -> Self {
            Self(state)
        }
    }

    #[test]
    fn what_is_told_is_on_the_disk_and_what_stands_behind_blocks_without_room_is_no_fault() {
        let folder = std::env::temp_dir().join(format!("reunite-room-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let identity = |byte| Identity::new(SecretKey::from([byte; 32]));
        let namer = Namer::new(&SecretKey::from([7; 32]));
        let owner = Owner { identity: identity(1), namer, dialect: Dialect::Sealed };
        let (database, _) = Database::open(&folder.join("DATABASE1.txt"), owner).expect("opened");
        let mut pen = Pen::begin(&identity(2), 3.into());
        let runs = [1, 2, 3].map(|lamport| {
            let block = pen.sign(vec![Entry::Checkpoint(Heads::default())], lamport, 0);
            vec![Received::read(block.expect("room").bytes()).expect("right")]
        });
        let [first, second, third] = runs;
        let (_, ticket) = database.take(first).expect("taken");
        assert!(database.saved() < ticket && database.heads().is_empty(), "not on the disk yet");
        database.wait_saved(ticket, SLICE * 100, &Stop::default()).expect("written");
        assert_eq!((database.saved(), database.heads().len()), (ticket, 1));
        lock(&database.0.inner).replica.leave_out(&second).expect("signed");
        let (taken, _) = database.take(third).expect("no gap");
        assert_eq!((taken.blocks, taken.full), (0, 1));
        let _ = std::fs::remove_dir_all(&folder);
    }
}
