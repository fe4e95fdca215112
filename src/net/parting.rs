//! Finds where two histories of one author part, when a peer has another than this node.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::codec::Decoder;
use crate::model::ledger::block::SignedHeader;
use crate::model::ledger::heads::Range;
use crate::model::ledger::names::LogName;
use crate::model::limits::{COMPARE_PATIENCE, FIND_PATIENCE, MAX_CLASHES};
use crate::model::meeting::{Having, Meeting};
use crate::net::declined;
use crate::net::sync::{Visit, unexpected};
use std::collections::BTreeSet;

impl Visit<'_> {
    /// Where a log here and there are not the same, finds the first block that differs: with both, its author is
    /// proved to have forked.
    pub(in crate::net) fn find_forks(&mut self, theirs: &Having) -> Result<()> {
        let now = self.context.members.now();
        let known = |name: &LogName| now.is_author(&name.author);
        let mut names: BTreeSet<_> = theirs.clashes.iter().copied().filter(known).collect();
        names.extend(self.context.database.with(|replica| {
            replica.clashes(&theirs.heads).iter().map(|head| head.name).collect::<Vec<_>>()
        }));
        let deadline = Deadline::after(FIND_PATIENCE);
        for name in names.into_iter().take(MAX_CLASHES) {
            let here = self.context.database.with(|replica| replica.chains().length(&name));
            let there = theirs.heads.head(&name).map_or(0, |head| head.length);
            // All before `same` is the same, and what stands at `differs` is not.
            let (mut same, mut differs) = (0, here.min(there).saturating_sub(1));
            let mut found = None;
            while same <= differs {
                if deadline.left().is_none() {
                    log::info!("peer {}: the next meeting looks for the other forks", self.peer);
                    return Ok(());
                }
                let middle = same + (differs - same) / 2;
                let theirs = self.find(name, middle)?;
                let own =
                    self.context.database.with(|replica| replica.chains().hash(&name, middle));
                match (own, theirs) {
                    (Some(own), Some(theirs)) if own == theirs.hash() => same = middle + 1,
                    (Some(_), Some(theirs)) => {
                        found = Some(theirs);
                        let Some(before) = middle.checked_sub(1) else { break };
                        differs = before;
                    }
                    _ => {
                        return Err(Error::peer("does not have the blocks that its heads tell of"));
                    }
                }
            }
            if let Some(found) = found {
                self.context.database.prove(*found)?;
            }
        }
        Ok(())
    }

    fn find(&mut self, name: LogName, sequence: u32) -> Result<Option<Box<SignedHeader>>> {
        self.send(&Meeting::Find { name, sequence })?;
        let body = self.channel.expect(Deadline::after(COMPARE_PATIENCE))?;
        match Meeting::decode(&body)? {
            Meeting::Found(Some(found)) => {
                let header = found.header();
                if (header.name, header.sequence) != (name, sequence) {
                    return Err(Error::peer("found another block than was asked for"));
                }
                found.check_signature()?;
                Ok(Some(found))
            }
            Meeting::Found(None) => Ok(None),
            Meeting::Refused(why) => Err(declined::by_taker(why)),
            _ => Err(unexpected()),
        }
    }

    pub(in crate::net) fn found(&mut self, name: LogName, sequence: u32) -> Result<()> {
        let range = Range { name, from: sequence, to: sequence.saturating_add(1) };
        let blocks = self.context.database.blocks(&range, 1)?;
        // The header alone: the entries of a large block are not hashed for every question.
        let header = |bytes: &Vec<u8>| SignedHeader::decode(&mut Decoder::new(bytes)).ok();
        let found = blocks.first().and_then(header).map(Box::new);
        self.send(&Meeting::Found(found))
    }
}
