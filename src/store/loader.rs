//! Reads a ledger's file at start, on all processors.
//!
//! ```text
//! the file --pieces, by turns--> readers: entries, hashed --in the order of the file--> load: chains, state
//! ```
//!
//! Nearly all of the time goes into hashes, and each block's are its own: only what is behind them has an order.

use crate::base::error::{Error, Result};
use crate::base::threads::{Joined, spawn};
use crate::model::ledger::fault::Fault;
use crate::model::ledger::replica::Replica;
use crate::model::ledger::stored::Stored;
use crate::model::limits::{LOAD_PIECE, LOAD_READERS};
use crate::store::ledger_frame::Place;
use crate::store::ledger_load::{Found, Load};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::available_parallelism;

/// Threads that read a ledger. They end when this is dropped.
#[derive(Debug)]
pub struct Loader {
    piece: Piece,
    readers: Vec<SyncSender<Piece>>,
    /// Whose turn it is.
    turn: usize,
    /// Entries taken so far.
    count: u64,
    done: Receiver<(Replica, Found)>,
    /// Joined last: they end when nobody hands them anything any more.
    _threads: Joined,
}

/// Entries as they stand in the file, one behind the other.
#[derive(Debug, Default)]
struct Piece {
    bytes: Vec<u8>,
    /// Of each where it stands in the file, and its length.
    entries: Vec<(Place, usize)>,
}

/// The entries of a piece, read, with their places and lengths.
type Read = Vec<(Place, usize, std::result::Result<Stored, Fault>)>;

impl Loader {
    /// Reads into this replica, which is empty.
    pub fn new(replica: Replica) -> Result<Self> {
        let count = available_parallelism().map_or(1, usize::from).min(LOAD_READERS);
        // First, to be dropped last: see the fields.
        let mut threads = Joined::default();
        let (mut readers, mut read) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (pieces, taken) = sync_channel::<Piece>(1);
            let (given, entries) = sync_channel::<Read>(1);
            threads.add(spawn("reader", move || {
                // If nobody listens any more, the load has failed, and who waits for it is told.
                let _ = taken.iter().try_for_each(|piece| given.send(piece.read()));
                Ok(())
            })?);
            readers.push(pieces);
            read.push(entries);
        }
        let (all, done) = sync_channel(1);
        threads.add(spawn("load", move || {
            let mut load = Load::new(replica);
            for turn in read.iter().cycle() {
                let Ok(entries) = turn.recv() else { break };
                entries
                    .into_iter()
                    .for_each(|(place, length, entry)| load.take(place, length, entry));
            }
            let _ = all.send(load.finish());
            Ok(())
        })?);
        Ok(Self { piece: Piece::default(), readers, turn: 0, count: 0, done, _threads: threads })
    }

    /// Takes an entry of the file, in its order.
    pub fn entry(&mut self, place: Place, entry: &[u8]) -> Result<()> {
        self.count += 1;
        self.piece.bytes.extend_from_slice(entry);
        self.piece.entries.push((place, entry.len()));
        if self.piece.bytes.len() >= LOAD_PIECE { self.hand_on() } else { Ok(()) }
    }

    /// All entries were taken.
    pub fn finish(mut self) -> Result<(Replica, Found)> {
        self.hand_on()?;
        self.readers.clear();
        let all = self.done.recv().ok();
        // A reader that ended in the midst is the end of what was loaded.
        all.filter(|(_, found)| found.entries == self.count).ok_or_else(broken)
    }

    fn hand_on(&mut self) -> Result<()> {
        let reader = self.readers.get(self.turn % self.readers.len().max(1));
        self.turn += 1;
        let piece = std::mem::take(&mut self.piece);
        reader.and_then(|reader| reader.send(piece).ok()).ok_or_else(broken)
    }
}

impl Piece {
    fn read(&self) -> Read {
        let mut rest = self.bytes.as_slice();
        let entries = self.entries.iter().map(|(place, length)| {
            let (entry, behind) = rest.split_at_checked(*length).unwrap_or_default();
            rest = behind;
            (*place, *length, Stored::read(entry))
        });
        entries.collect()
    }
}

fn broken() -> Error {
    Error::device("read the ledger", io::Error::other("a thread that read it has ended"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::entry::Entry;
    use crate::model::ledger::heads::Heads;
    use crate::model::ledger::names::Namer;
    use crate::model::ledger::operation::{About, Kind, Operation};
    use crate::model::ledger::pen::Pen;
    use crate::model::section::Section;
    use std::collections::{BTreeMap, BTreeSet};

    fn replica() -> Replica {
        let key = |byte| SecretKey::from([byte; 32]);
        Replica::new(Identity::new(key(9)), Namer::new(&key(7)))
    }

    /// Entries of two authors by turns, of several pieces together.
    fn entries() -> Vec<Vec<u8>> {
        let identities = [1, 2].map(|byte| Identity::new(SecretKey::from([byte; 32])));
        let mut pens = identities.each_ref().map(|identity| Pen::begin(identity, 1.into()));
        let long = "x".repeat(4000);
        let mut entries = Vec::new();
        for n in 0..200_u8 {
            let about = About { section: Section::People, record: [n; 16].into() };
            let values = BTreeMap::from([(0, long.clone())]);
            let made = Operation::open(about, Kind::Set, [n; 16].into(), values, BTreeSet::new());
            let entry = Entry::Change(made.expect("right"));
            let block = pens[usize::from(n % 2)].sign(vec![entry], u64::from(n) + 1, 0);
            entries.push(Stored::block(block.expect("room").bytes()));
        }
        entries
    }

    fn place(at: usize) -> Place {
        Place { segment: 0, offset: u32::try_from(at).expect("few") }
    }

    fn told((replica, found): (Replica, Found)) -> (Heads, usize, Found) {
        (replica.chains().heads(), replica.state().len(), found)
    }

    #[test]
    fn many_threads_find_what_one_finds_also_in_what_was_changed() {
        let right = entries();
        assert!(right.iter().map(Vec::len).sum::<usize>() > 2 * LOAD_PIECE);
        let mut wrong = right.clone();
        wrong[101][1000] ^= 1;
        wrong[7] = vec![99];
        for (entries, faults) in [(right, 0), (wrong, 2), (Vec::new(), 0)] {
            let (mut one, mut many) = (Load::new(replica()), Loader::new(replica()).expect("room"));
            for (at, entry) in entries.iter().enumerate() {
                one.entry(place(at), entry).expect("taken");
                many.entry(place(at), entry).expect("taken");
            }
            let (one, many) = (told(one.finish()), told(many.finish().expect("read")));
            assert_eq!((&one.0, one.1), (&many.0, many.1));
            let (one, many) = (one.2, many.2);
            assert_eq!(many.entries, entries.len() as u64);
            assert_eq!((one.places, one.faults), (many.places, many.faults.clone()));
            assert_eq!(many.faults.len(), faults, "{:?}", many.faults);
        }
    }

    #[test]
    fn a_load_that_is_given_up_ends_its_threads() {
        let mut many = Loader::new(replica()).expect("room");
        for (at, entry) in entries().iter().enumerate() {
            many.entry(place(at), entry).expect("taken");
        }
        drop(many);
    }
}
