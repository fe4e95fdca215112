//! What of the ledger is in memory and not on the disk yet, and where on the disk the rest stands.
//!
//! An entry stays here until it is durable. If the disk fails, nothing that waits is lost: it is handed in again, in
//! its order, when the disk takes it. An entry can so stand twice in the file, which does not matter.

use crate::base::error::{Error, Result};
use crate::model::ledger::chains::Chains;
use crate::model::ledger::heads::{Head, Heads, Range};
use crate::model::ledger::names::LogName;
use crate::model::limits::{JOURNAL_WAITING, LEDGER_GROUP};
use crate::store::commit;
use crate::store::ledger_file::LedgerFile;
use crate::store::ledger_frame::Place;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The entry of a file that is waited for.
pub type Written = Arc<commit::Ticket<Place>>;

/// The ledger's file, and what is on its way to it.
#[derive(Debug)]
pub struct Journal {
    file: LedgerFile,
    /// Of each log where its blocks stand, those that are durable.
    places: BTreeMap<LogName, Vec<Place>>,
    waiting: VecDeque<Waiting>,
    /// Bytes of what waits.
    bytes: usize,
    /// Entries handed in so far.
    appended: u64,
}

#[derive(Debug)]
struct Waiting {
    /// Of which log it is a block, if it is one.
    log: Option<LogName>,
    entry: Vec<u8>,
    /// `None` if the file did not take it.
    written: Option<Written>,
}

impl Journal {
    /// The journal of a file in which the blocks of each log stand at these places.
    pub fn new(file: LedgerFile, places: BTreeMap<LogName, Vec<Place>>) -> Self {
        Self { file, places, waiting: VecDeque::new(), bytes: 0, appended: 0 }
    }

    /// The file.
    pub fn file(&self) -> &LedgerFile {
        &self.file
    }

    /// How many entries were handed in so far.
    pub fn appended(&self) -> u64 {
        self.appended
    }

    /// How many of them are durable. Looks what the disk has done meanwhile.
    pub fn saved(&mut self) -> u64 {
        while let Some(first) = self.waiting.front() {
            let settled = first.written.as_ref().and_then(|written| self.file.settled(written));
            let Some(Ok(place)) = settled else { break };
            if let Some(Waiting { log, entry, .. }) = self.waiting.pop_front() {
                self.bytes -= entry.len();
                if let Some(log) = log {
                    self.places.entry(log).or_default().push(place);
                }
            }
        }
        self.appended - self.waiting.len() as u64
    }

    /// Whether so many bytes may still wait. When the disk fails, memory must not fill instead.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.bytes + bytes <= JOURNAL_WAITING
    }

    /// Whether so much waits that it should be written now.
    pub fn is_long(&self) -> bool {
        self.bytes >= LEDGER_GROUP
    }

    /// Whether anything waits.
    pub fn is_idle(&mut self) -> bool {
        self.saved() == self.appended
    }

    /// Whether entries wait that the file did not take.
    pub fn has_failed(&mut self) -> bool {
        self.saved();
        self.waiting.front().is_some_and(|first| match &first.written {
            None => true,
            Some(written) => matches!(self.file.settled(written), Some(Err(_))),
        })
    }

    /// Hands in an entry: a block of `log`, or anything else.
    pub fn append(&mut self, log: Option<LogName>, entry: Vec<u8>) {
        // Behind one that was not taken none may be: their order would be lost.
        let behind = self.waiting.back().is_some_and(|last| last.written.is_none());
        let behind = behind || self.has_failed();
        let written = if behind { None } else { self.file.append(entry.clone()).ok() };
        self.bytes += entry.len();
        self.appended += 1;
        self.waiting.push_back(Waiting { log, entry, written: written.map(Arc::new) });
    }

    /// Hands in again what the file did not take. It must take entries again: see `LedgerFile::resume`.
    pub fn again(&mut self) {
        self.saved();
        let file = &self.file;
        let failed = |written: &Written| matches!(file.settled(written), Some(Err(_)));
        let first = self.waiting.iter().position(|one| one.written.as_ref().is_none_or(failed));
        for one in self.waiting.iter_mut().skip(first.unwrap_or(usize::MAX)) {
            one.written = file.append(one.entry.clone()).ok().map(Arc::new);
            if one.written.is_none() {
                break;
            }
        }
    }

    /// The entry of which all before `count`, and it, are to be waited for; `None` if it is durable, an error if the
    /// file did not take it.
    pub fn written(&mut self, count: u64) -> Result<Option<Written>> {
        let saved = self.saved();
        let Some(at) = count.checked_sub(saved + 1) else { return Ok(None) };
        let last = self.waiting.len().saturating_sub(1) as u64;
        let wanted = self.waiting.get(usize::try_from(at.min(last)).unwrap_or(usize::MAX));
        match wanted.map(|one| one.written.clone()) {
            None => Ok(None),
            Some(Some(written)) => Ok(Some(written)),
            Some(None) => Err(Error::device("write the ledger", self.trouble())),
        }
    }

    fn trouble(&self) -> std::io::Error {
        let other = || std::io::Error::other("it waits for what stands before it");
        self.file.trouble().unwrap_or_else(other)
    }

    /// The heads of what is durable: what may be told to others.
    pub fn heads(&mut self, chains: &Chains) -> Heads {
        self.saved();
        let head = |(name, places): (&LogName, &Vec<Place>)| {
            let length = u32::try_from(places.len()).unwrap_or(u32::MAX);
            let hash = chains.hash(name, length.checked_sub(1)?)?;
            Some(Head { name: *name, length, hash })
        };
        self.places.iter().filter_map(head).collect()
    }

    /// Where these blocks stand, as far as they are durable, and no more than `most` of them.
    pub fn places(&self, range: &Range, most: usize) -> Vec<Place> {
        let places = self.places.get(&range.name).map(Vec::as_slice).unwrap_or_default();
        let (from, to) = (range.from as usize, (range.to as usize).min(places.len()));
        places.get(from..to).unwrap_or_default().iter().take(most).copied().collect()
    }

    /// The blocks that wait, as they are in the file.
    pub fn waiting(&self) -> impl Iterator<Item = &[u8]> {
        self.waiting.iter().map(|one| one.entry.as_slice())
    }
}
