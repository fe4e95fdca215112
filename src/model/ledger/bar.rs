//! What somebody who is shut out wrote beyond the last good block: it is kept and passed on, so that all nodes have the
//! same and decide the same, and does not count.

use crate::model::keys::IdentityKey;
use crate::model::ledger::names::LogName;
use std::collections::BTreeMap;

/// How far what one author wrote is good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// How long the good part of each log is.
    pub ends: BTreeMap<LogName, u32>,
    /// That of all other logs.
    pub otherwise: u32,
}

/// The bars of all who are shut out.
pub type Bars = BTreeMap<IdentityKey, Bar>;

impl Bar {
    /// How long the good part of this log is.
    pub fn end(&self, log: &LogName) -> u32 {
        self.ends.get(log).copied().unwrap_or(self.otherwise)
    }

    /// Whether what stands there is beyond the good part.
    pub fn is_beyond(&self, log: &LogName, sequence: u32) -> bool {
        sequence >= self.end(log)
    }
}

/// Whether of a log that is so long other blocks count under new bars than under old ones.
pub fn is_moved(old: &Bars, new: &Bars, log: &LogName, length: u32) -> bool {
    let end = |bars: &Bars| bars.get(&log.author).map_or(u32::MAX, |bar| bar.end(log));
    let (old, new) = (end(old), end(new));
    old != new && old.min(new) < length
}
