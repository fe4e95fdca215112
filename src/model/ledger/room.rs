//! How much room the logs take, so that no author can fill the memory and the disk of all others.
//!
//! What a block weighs is about what it costs in memory. An author has a share of the whole, whatever it writes;
//! blocks for which there is no room are not taken, and peers are told not to give them.

use crate::model::ledger::block::Received;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::fault::{Fault, Wrong};
use crate::model::ledger::names::LogName;
use crate::model::limits::{
    MAX_AUTHOR_LOGS, MAX_AUTHOR_WEIGHT, MAX_LEDGER_WEIGHT, MAX_LOGS, OWN_RESERVE,
};
use std::collections::BTreeMap;

/// What a block costs besides its bytes: its name, its place, what is known of it.
const BLOCK: u64 = 128;
/// What an operation costs besides its bytes.
const OPERATION: u64 = 64;
/// What a link to an operation costs, which may have a place of its own.
const LINK: u64 = 64;

/// What authors have written.
#[derive(Debug, Default)]
pub struct Room {
    authors: BTreeMap<[u8; 32], Share>,
    logs: usize,
    weight: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Share {
    logs: usize,
    weight: u64,
}

impl Room {
    /// Notes a block that was put behind the others; `is_first` of its log.
    pub fn take(&mut self, name: &LogName, weight: u64, is_first: bool) {
        let share = self.authors.entry(*name.author.as_bytes()).or_default();
        share.weight += weight;
        self.weight += weight;
        if is_first {
            share.logs += 1;
            self.logs += 1;
        }
    }

    /// Whether this author may begin a log more.
    pub fn has_log(&self, name: &LogName) -> bool {
        self.share(name).logs < MAX_AUTHOR_LOGS && self.logs < MAX_LOGS
    }

    /// Whether blocks of this weight may come from a peer.
    pub fn has(&self, name: &LogName, weight: u64) -> bool {
        self.share(name).weight.saturating_add(weight) <= MAX_AUTHOR_WEIGHT
            && self.weight.saturating_add(weight) <= MAX_LEDGER_WEIGHT
    }

    /// Whether this author, who is this node, may write blocks of this weight: what others fill leaves it a reserve, but
    /// no more than its share would ever be taken by others.
    pub fn has_own(&self, name: &LogName, weight: u64) -> bool {
        self.share(name).weight.saturating_add(weight) <= MAX_AUTHOR_WEIGHT
            && self.weight.saturating_add(weight) <= MAX_LEDGER_WEIGHT + OWN_RESERVE
    }

    fn share(&self, name: &LogName) -> Share {
        self.authors.get(name.author.as_bytes()).copied().unwrap_or_default()
    }
}

/// What a block with so many bytes and these entries weighs.
pub fn weight(bytes: usize, entries: &[Entry]) -> u64 {
    let links = |entry: &Entry| match entry {
        Entry::Change(operation) => operation.over().len() as u64,
        _ => 0,
    };
    let links: u64 = entries.iter().map(links).sum();
    BLOCK + bytes as u64 + entries.len() as u64 * OPERATION + links * LINK
}

/// That there is no room for these blocks of one log.
pub fn full(run: &[Received]) -> Option<Fault> {
    let header = run.first()?.signed().header();
    Some(Fault::at(Wrong::Full, header.name, header.sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(author: u8, log: u64) -> LogName {
        LogName { author: [author; 32].into(), log: log.into() }
    }

    #[test]
    fn one_author_fills_neither_the_others_share_nor_all_logs() {
        let mut room = Room::default();
        for log in 0..MAX_AUTHOR_LOGS as u64 {
            assert!(room.has_log(&name(1, log)));
            room.take(&name(1, log), 0, true);
        }
        assert!(!room.has_log(&name(1, 9999)) && room.has_log(&name(2, 1)));
        room.take(&name(1, 0), MAX_AUTHOR_WEIGHT, false);
        assert!(!room.has(&name(1, 0), 1));
        assert!(room.has(&name(2, 1), MAX_LEDGER_WEIGHT - MAX_AUTHOR_WEIGHT));
    }

    #[test]
    fn what_others_fill_leaves_room_to_write() {
        let mut room = Room::default();
        room.take(&name(1, 0), MAX_AUTHOR_WEIGHT, true);
        room.take(&name(2, 0), MAX_LEDGER_WEIGHT - MAX_AUTHOR_WEIGHT, true);
        assert!(!room.has(&name(3, 0), 1));
        assert!(room.has_own(&name(3, 0), OWN_RESERVE));
        assert!(!room.has_own(&name(3, 0), OWN_RESERVE + 1) && !room.has_own(&name(1, 0), 1));
    }
}
