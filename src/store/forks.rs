//! Authors who signed two histories: how that is proved here, and what becomes of their changes that wait.

use crate::base::error::Result;
use crate::base::threads::{Stop, lock};
use crate::model::keys::IdentityKey;
use crate::model::ledger::block::{Received, SignedHeader};
use crate::model::ledger::fork::ForkProof;
use crate::model::ledger::heads::Range;
use crate::model::ledger::replica::Replica;
use crate::model::ledger::stored::Stored;
use crate::model::limits::{MAX_BLOCK, STORE_WAIT};
use crate::store::database::{Database, Ticket};

impl Database {
    /// Takes a proof of a fork from a peer. Returns whether it says something new.
    pub fn convict(&self, proof: ForkProof) -> (bool, Ticket) {
        let mut inner = lock(&self.0.inner);
        let (name, entry) = (proof.name(), Stored::proof(&proof));
        let is_first = inner.replica.chains().fork(&name).is_none();
        let is_new = inner.replica.convict(proof);
        if is_new {
            if is_first {
                inner.forked.push(name.author);
            }
            inner.append(None, entry);
            self.0.bell.notify_all();
        }
        (is_new, inner.ticket())
    }

    /// Proves that the author of this header signed something else in its place, which is here.
    pub fn prove(&self, other: SignedHeader) -> Result<bool> {
        let header = *other.header();
        let range = Range { name: header.name, from: header.sequence, to: header.sequence + 1 };
        let own = self.blocks(&range, 1)?;
        let own = own.first().and_then(|bytes| Received::read(bytes).ok());
        let Some(own) = own else { return Ok(false) };
        let proof = ForkProof::new(own.signed().clone(), other)?;
        Ok(self.convict(proof).0)
    }

    /// Whose forks were proved since this was asked last.
    pub fn newly_forked(&self) -> Vec<IdentityKey> {
        std::mem::take(&mut lock(&self.0.inner).forked)
    }

    /// Whether this node has ever forked.
    pub fn has_forked(&self) -> bool {
        self.with(|replica| {
            let me = replica.author();
            replica.chains().forks().any(|fork| fork.name().author == me)
        })
    }

    /// Whether this node has forked, and nobody else has said yet that it may go on: then nothing that it writes
    /// counts.
    pub fn is_convicted(&self) -> bool {
        self.with(|replica| {
            let (me, chains) = (replica.author(), replica.chains());
            let mut own = chains.forks().filter(|fork| fork.name().author == me);
            own.any(|fork| !chains.is_released(fork))
        })
    }

    /// Whether anything of an author waits because it forked, and is not here otherwise.
    pub fn has_waiting(&self, author: &IdentityKey) -> Result<bool> {
        let mut found = false;
        self.each_suspect(author, |block, _| {
            found = self.with(|replica| !replica.waiting(block).is_empty());
            Ok(!found)
        })?;
        Ok(found)
    }

    /// Takes over, in this node's name, what of an author waits: no faster than the disk, or memory would fill.
    /// Returns how many changes.
    pub fn take_over(&self, author: &IdentityKey, stop: &Stop) -> Result<(usize, Ticket)> {
        let (mut count, mut ticket) = (0, self.now());
        let (mut portion, mut bytes) = (Vec::new(), 0);
        self.each_suspect(author, |block, size| {
            portion.push(block);
            bytes += size;
            if bytes >= MAX_BLOCK {
                bytes = 0;
                let (new, state) = self.sign_waiting(std::mem::take(&mut portion))?;
                (count, ticket) = (count + new, state);
                self.wait_saved(state, STORE_WAIT, stop)?;
            }
            Ok(true)
        })?;
        let (new, state) = self.sign_waiting(portion)?;
        Ok((count + new, ticket.max(state)))
    }

    fn sign_waiting(&self, blocks: Vec<Received>) -> Result<(usize, Ticket)> {
        self.write(|replica| {
            let made: Vec<_> =
                blocks.into_iter().flat_map(|block| replica.waiting(block)).collect();
            let count = made.len();
            Ok((made, count))
        })
    }

    /// Hands on the blocks of an author, those that surely count left out, and the bytes of each, while `take` says
    /// so.
    fn each_suspect(
        &self,
        author: &IdentityKey,
        mut take: impl FnMut(Received, usize) -> Result<bool>,
    ) -> Result<()> {
        // What does not count any more still seems to be here until then.
        self.rebuild()?;
        for head in self.heads().iter().filter(|head| head.name.author == *author) {
            let fork =
                |replica: &Replica| replica.chains().fork(&head.name).map(ForkProof::sequence);
            let from = self.with(fork).unwrap_or_default();
            let range = Range { name: head.name, from, to: head.length };
            let goes_on = self.each_block(range, |bytes| match Received::read(bytes) {
                Ok(block) => take(block, bytes.len()),
                Err(_) => Ok(true),
            })?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }
}
