//! Reads blocks back from the ledger's file, without the lock of the database.

use crate::base::error::Result;
use crate::base::threads::lock;
use crate::model::ledger::block::{Received, Verified};
use crate::model::ledger::heads::{Heads, Range};
use crate::model::ledger::replica::Replica;
use crate::model::ledger::stored::Stored;
use crate::model::limits::{LOAD_RUN, READ_BLOCKS};
use crate::store::database::{Database, Inner};

/// How often more may have come while it is looked what has.
const MOST_LOOKS: usize = 10;

/// What who follows the ledger is handed.
pub(in crate::store) enum Step<'a> {
    /// A block, and whether it counts.
    Block(&'a Verified, bool),
    /// All were handed on; before this is done with, nothing more can come.
    End(&'a mut Inner),
}

impl Database {
    /// The first blocks of a range, of about `most` bytes together, at least one. None if they are not on the disk.
    pub fn blocks(&self, range: &Range, most: usize) -> Result<Vec<Vec<u8>>> {
        let (file, places) = {
            let inner = lock(&self.0.inner);
            (inner.journal.file().clone(), inner.journal.places(range, READ_BLOCKS))
        };
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        for place in places {
            let entry = file.read(place)?;
            let block = Stored::block_of(&entry).unwrap_or_default().to_vec();
            bytes += block.len();
            blocks.push(block);
            if bytes >= most {
                break;
            }
        }
        Ok(blocks)
    }

    /// Hands on the blocks of a range that are on the disk, in portions, while `take` says so. Returns whether it did to
    /// the end.
    pub(in crate::store) fn each_block(
        &self,
        mut range: Range,
        mut take: impl FnMut(&[u8]) -> Result<bool>,
    ) -> Result<bool> {
        while range.from < range.to {
            let blocks = self.blocks(&range, LOAD_RUN)?;
            if blocks.is_empty() {
                break;
            }
            range.from = range.from.saturating_add(u32::try_from(blocks.len()).unwrap_or(u32::MAX));
            for block in blocks {
                if !take(&block)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Hands on the blocks behind the heads `since`: nearly all of them without the lock, and with it the last ones and
    /// the end. Returns whether it came to that: not if there are `most` blocks or more, or ever more come meanwhile.
    pub(in crate::store) fn follow(
        &self,
        mut since: Heads,
        most: usize,
        mut take: impl FnMut(Step<'_>),
    ) -> Result<bool> {
        let mut count = 0_usize;
        for _ in 0..MOST_LOOKS {
            let mut inner = lock(&self.0.inner);
            let heads = inner.heads();
            let ranges = heads.beyond(&since);
            if ranges.is_empty() {
                for entry in inner.journal.waiting() {
                    let block =
                        Stored::block_of(entry).and_then(|bytes| Received::read(bytes).ok());
                    let block = block.and_then(|block| standing(&inner.replica, block));
                    block.iter().for_each(|(block, counts)| take(Step::Block(block, *counts)));
                }
                take(Step::End(&mut inner));
                return Ok(true);
            }
            drop(inner);
            for range in ranges {
                let is_done = self.each_block(range, |bytes| {
                    count += 1;
                    let block = Received::read(bytes).ok();
                    let block = block.and_then(|block| self.with(|now| standing(now, block)));
                    block.iter().for_each(|(block, counts)| take(Step::Block(block, *counts)));
                    Ok(count < most)
                })?;
                if !is_done {
                    return Ok(false);
                }
            }
            since = heads;
        }
        Ok(false)
    }
}

/// A block that stands in its log, and whether it counts.
fn standing(replica: &Replica, block: Received) -> Option<(Verified, bool)> {
    let block = replica.chains().again(block)?;
    let counts = replica.chains().counts(block.header());
    Some((block, counts))
}
