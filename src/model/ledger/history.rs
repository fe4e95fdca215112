//! The past of a record: who changed what, when by their clock, over what.

use crate::model::ledger::names::{LogName, OpId};
use crate::model::ledger::operation::{Field, Kind};
use std::cmp::Ordering;

/// A block in which an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// In which log: it says who wrote it.
    pub name: LogName,
    /// Which block of it.
    pub sequence: u32,
    /// Its place among all blocks: more than that of every block which its author had seen.
    pub lamport: u64,
    /// The author's clock, in seconds since 1970; it can be wrong by years.
    pub wall: u64,
}

impl Note {
    /// The order in which changes are told: the same on all nodes.
    pub fn order(&self, other: &Self) -> Ordering {
        let key = |note: &Self| (note.lamport, note.name, note.sequence);
        key(self).cmp(&key(other))
    }
}

/// One operation on the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub operation: OpId,
    /// What it did.
    pub kind: Kind,
    /// The values that it wrote, or the reason that it gave; `None` for one that was withheld.
    pub values: Vec<(Field, Option<String>)>,
    /// What the person saw; some of it may not have come yet.
    pub over: Vec<OpId>,
    /// All blocks in which it stands, the first first. More than one if the same row was imported apart, or if
    /// somebody took it over.
    pub notes: Vec<Note>,
}
