//! Reads a ledger's file into memory at start. What cannot be verified is left out and told: it has to come from
//! peers, and everything behind it in its log with it.

use crate::base::error::Result;
use crate::model::ledger::block::{Received, Verified};
use crate::model::ledger::chains::Rigour;
use crate::model::ledger::fault::{Fault, Wrong};
use crate::model::ledger::names::LogName;
use crate::model::ledger::replica::Replica;
use crate::model::ledger::stored::{Birth, Stored};
use crate::model::limits::LOAD_RUN;
use crate::store::ledger_frame::Place;
use std::collections::BTreeMap;

/// A ledger that is being read.
#[derive(Debug)]
pub struct Load {
    replica: Replica,
    found: Found,
    runs: BTreeMap<LogName, Run>,
}

/// Blocks of one log that are to be checked together.
#[derive(Debug, Default)]
struct Run {
    blocks: Vec<Received>,
    places: Vec<Place>,
    bytes: usize,
}

/// What was found besides what is in the replica.
#[derive(Debug, Default)]
pub struct Found {
    /// Of each log where its blocks stand.
    pub places: BTreeMap<LogName, Vec<Place>>,
    /// What the ledger began with; none in one that has no entry yet, or a damaged one.
    pub birth: Option<Birth>,
    /// What cannot be verified: of each log the first.
    pub faults: Vec<Fault>,
    /// Whether there are entries at all.
    pub entries: u64,
}

impl Load {
    /// Reads into this replica, which is empty.
    pub fn new(replica: Replica) -> Self {
        Self { replica, found: Found::default(), runs: BTreeMap::new() }
    }

    /// Takes an entry of the file, in its order.
    pub fn entry(&mut self, place: Place, entry: &[u8]) -> Result<()> {
        self.take(place, entry.len(), Stored::read(entry));
        Ok(())
    }

    /// Takes an entry that somebody else has read, and its length.
    pub fn take(&mut self, place: Place, length: usize, entry: std::result::Result<Stored, Fault>) {
        self.found.entries += 1;
        match entry {
            Ok(Stored::Block(block)) => self.block(place, *block, length),
            Ok(Stored::Proof(proof)) => {
                self.replica.convict(*proof);
            }
            Ok(Stored::Birth(birth)) => self.found.birth = self.found.birth.or(Some(birth)),
            Err(fault) => self.refuse(fault),
        }
    }

    fn block(&mut self, place: Place, block: Received, bytes: usize) {
        let header = block.signed().header();
        let (name, sequence) = (header.name, header.sequence);
        let run = self.runs.entry(name).or_default();
        let behind =
            run.blocks.last().map(|last| last.signed().header().sequence.saturating_add(1));
        if behind.is_some_and(|behind| behind != sequence) || run.bytes >= LOAD_RUN {
            self.check(name);
        }
        let run = self.runs.entry(name).or_default();
        run.blocks.push(block);
        run.places.push(place);
        run.bytes += bytes;
    }

    fn check(&mut self, name: LogName) {
        let Some(run) = self.runs.remove(&name) else { return };
        let Run { blocks, places, .. } = run;
        if self.replica.chains().examine(&blocks, Rigour::Last).is_ok() {
            return self.apply(name, blocks, &places);
        }
        // One of them is wrong: those before it are right all the same.
        for (block, place) in blocks.into_iter().zip(places) {
            self.apply(name, vec![block], &[place]);
        }
    }

    fn apply(&mut self, name: LogName, blocks: Vec<Received>, places: &[Place]) {
        let first = blocks.first().map_or(0, |block| block.signed().header().sequence);
        match self.replica.take(blocks, Rigour::Last) {
            Err(refused) => self.refuse(refused.fault),
            Ok((new, _)) => {
                let at =
                    |block: &Verified| (block.header().sequence.saturating_sub(first)) as usize;
                let places = new.iter().filter_map(|block| places.get(at(block)).copied());
                self.found.places.entry(name).or_default().extend(places);
            }
        }
    }

    fn refuse(&mut self, fault: Fault) {
        let name = |fault: &Fault| fault.block.map(|(name, _)| name);
        let is_first = !self.found.faults.iter().any(|other| name(other) == name(&fault));
        // What stands behind a gap is right, and waits for what is missing.
        if is_first || fault.wrong != Wrong::Gap {
            log::warn!("the ledger: {fault}");
        }
        if is_first {
            self.found.faults.push(fault);
        }
    }

    /// All entries were taken.
    pub fn finish(mut self) -> (Replica, Found) {
        let names: Vec<_> = self.runs.keys().copied().collect();
        names.into_iter().for_each(|name| self.check(name));
        (self.replica, self.found)
    }
}
