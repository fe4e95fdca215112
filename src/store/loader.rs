//! Reads a ledger's file at start, on all processors.
//!
//! ```text
//! the file --pieces, by turns--> readers: entries, hashed --in the order of the file--> load: chains, state
//! ```
//!
//! Nearly all of the time goes into hashes, and each block's are its own: only what is behind them has an order.

use crate::base::error::{Error, Result};
use crate::base::threads::spawn;
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
        let (mut readers, mut read) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (pieces, taken) = sync_channel::<Piece>(1);
            let (given, entries) = sync_channel::<Read>(1);
            spawn("reader", move || {
                // If nobody listens any more, the load has failed, and who waits for it is told.
                let _ = taken.iter().try_for_each(|piece| given.send(piece.read()));
                Ok(())
            })?;
            readers.push(pieces);
            read.push(entries);
        }
        let (all, done) = sync_channel(1);
        spawn("load", move || {
            let mut load = Load::new(replica);
            for turn in read.iter().cycle() {
                let Ok(entries) = turn.recv() else { break };
                entries
                    .into_iter()
                    .for_each(|(place, length, entry)| load.take(place, length, entry));
            }
            let _ = all.send(load.finish());
            Ok(())
        })?;
        Ok(Self { piece: Piece::default(), readers, turn: 0, count: 0, done })
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
