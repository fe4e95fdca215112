//! Writes the own log: puts entries into blocks and signs them.

use crate::base::error::{Error, Result};
use crate::model::codec::Encoder;
use crate::model::identity::Identity;
use crate::model::ledger::block::{Header, Received, SIGNED_BYTES, SignedHeader, Verified, root};
use crate::model::ledger::entry::Entry;
use crate::model::ledger::heads::{Head, Heads};
use crate::model::ledger::names::{BlockHash, LogId, LogName};
use crate::model::limits::{MAX_BLOCK, MAX_ENTRIES, MAX_LOG_LENGTH};
use ring::signature::Ed25519KeyPair;

/// A log of this node, at its end.
pub struct Pen {
    key: Ed25519KeyPair,
    name: LogName,
    length: u32,
    last: BlockHash,
}

impl std::fmt::Debug for Pen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pen({}, {})", self.name, self.length)
    }
}

impl Pen {
    /// Begins a log. Its number must be new: one from the operating system's randomness is.
    pub fn begin(identity: &Identity, log: LogId) -> Self {
        let name = LogName { author: identity.public().identity, log };
        Self { key: identity.signer(), name, length: 0, last: BlockHash::NONE }
    }

    /// Goes on behind this head, which must be of the own log and the last that was ever signed: an older one
    /// makes a fork. Who is not sure begins a log that resumes the old ones.
    pub fn go_on(identity: &Identity, head: &Head) -> Self {
        let pen = Self::begin(identity, head.name.log);
        Self { length: head.length, last: head.hash, ..pen }
    }

    /// Begins a log behind the author's old ones, after a memory was lost or put back. Returns the entry for its
    /// first block too.
    pub fn resume(identity: &Identity, log: LogId, old: &Heads) -> (Self, Entry) {
        let own = old.iter().filter(|head| head.name.author == identity.public().identity);
        (Self::begin(identity, log), Entry::Resume(own.collect()))
    }

    /// Which log it writes.
    pub fn name(&self) -> LogName {
        self.name
    }

    /// Signs the next block. `lamport` must be more than that of every block seen, `wall` is what the clock says.
    /// Nothing may be told to others before the block is on the disk.
    pub fn sign(&mut self, entries: Vec<Entry>, lamport: u64, wall: u64) -> Result<Verified> {
        let count = Some(entries.len()).filter(|count| (1..=MAX_ENTRIES).contains(count));
        let count = count.and_then(|count| u16::try_from(count).ok());
        let count = count.ok_or(Error::Full { what: "entries of a block" })?;
        if self.length >= MAX_LOG_LENGTH {
            return Err(Error::Full { what: "blocks of a log" });
        }
        let (name, sequence, before) = (self.name, self.length, self.last);
        let root = root(&entries);
        let header = Header { name, sequence, before, lamport, wall, count, root };
        let mut out = Encoder::default();
        out.bytes(SignedHeader::sign(header, &self.key).bytes());
        entries.iter().for_each(|entry| entry.encode(&mut out));
        let block = Received::read(&out.done()).map_err(|_| Error::Full {
            what: "bytes of a block, or its entries do not belong there",
        })?;
        (self.length, self.last) = (sequence + 1, block.signed().hash());
        Ok(Verified::vouched(block))
    }

    /// Sorts entries into as many blocks as they need, in their order.
    pub fn portions(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
        let (mut portions, mut portion, mut bytes) = (Vec::new(), Vec::new(), SIGNED_BYTES);
        for entry in entries {
            let mut out = Encoder::default();
            entry.encode(&mut out);
            let size = out.done().len();
            if portion.len() >= MAX_ENTRIES || bytes + size > MAX_BLOCK {
                portions.push(std::mem::take(&mut portion));
                bytes = SIGNED_BYTES;
            }
            bytes += size;
            portion.push(entry);
        }
        if !portion.is_empty() {
            portions.push(portion);
        }
        portions
    }
}
