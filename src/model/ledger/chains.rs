//! The logs of all authors: what may be put behind which block, who forked, and who saw what of whom.
//!
//! Of a run of blocks one signature is checked, the last: each block holds the hash of the one before, signature
//! included. A fork takes no data away: what its author wrote before it still counts, and what anybody else took
//! over. Everything after it waits until people have looked into it.

use crate::model::keys::IdentityKey;
use crate::model::ledger::block::{Header, Received, SignedHeader, Verified};
use crate::model::ledger::entry::Entry;
use crate::model::ledger::fault::{Fault, Wrong};
use crate::model::ledger::fork::ForkProof;
use crate::model::ledger::heads::{Head, Heads};
use crate::model::ledger::names::{BlockHash, LogId, LogName};
use crate::model::limits::{MAX_EXPECTED, MAX_LOGS};
use std::collections::{BTreeMap, BTreeSet};

/// How many signatures of a run are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rigour {
    /// The last one: with the chain of hashes that is proof for all.
    Last,
    /// Every one, to name each block that is wrong.
    Every,
}

/// Why a run was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong, and where.
    pub fault: Fault,
    /// For `Wrong::Fork`: the header that stands where another stands here. With that one it is a `ForkProof`.
    pub clash: Option<Box<SignedHeader>>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, clash: None }
    }
}

/// A peer's word against a log: it signed that it saw another block there. It can be the peer that lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Contradiction {
    /// What the peer saw.
    pub seen: Head,
    /// The log in which the peer says so.
    pub witness: LogName,
}

impl Contradiction {
    /// The block in question.
    pub fn fault(&self) -> Fault {
        Fault::at(Wrong::Rewritten, self.seen.name, self.seen.length.saturating_sub(1))
    }
}

#[derive(Debug, Default)]
struct Log {
    hashes: Vec<BlockHash>,
    lamport: u64,
}

impl Log {
    fn length(&self) -> u32 {
        u32::try_from(self.hashes.len()).unwrap_or(u32::MAX)
    }

    fn hash(&self, sequence: u32) -> Option<BlockHash> {
        self.hashes.get(usize::try_from(sequence).ok()?).copied()
    }
}

/// All logs, as chains of hashes.
#[derive(Debug, Default)]
pub struct Chains {
    logs: BTreeMap<LogName, Log>,
    forks: BTreeMap<LogName, ForkProof>,
    /// Who released which fork.
    releases: BTreeSet<(LogName, u32, LogName)>,
    /// What peers saw of blocks that have not come yet: of each log and witness the furthest.
    expected: BTreeMap<(LogName, LogName), (u32, BlockHash)>,
    contradictions: BTreeSet<Contradiction>,
}

impl Chains {
    /// Checks a run of blocks of one log, of which the first may be here already. Returns those that are new, in
    /// order. They are to be put on the disk, then to be given to `extend`.
    pub fn check(&self, run: Vec<Received>, rigour: Rigour) -> Result<Vec<Verified>, Refused> {
        let known = self.examine(&run, rigour)?;
        Ok(run.into_iter().skip(known).map(Verified::vouched).collect())
    }

    /// As `check`, for who needs the run also if it is refused. Returns how many of the first are here already.
    pub fn examine(&self, run: &[Received], rigour: Rigour) -> Result<usize, Refused> {
        let Some(first) = run.first().map(|block| *block.signed().header()) else {
            return Ok(0);
        };
        let nothing = Log::default();
        let log = self.logs.get(&first.name);
        if log.is_none() && self.logs.len() >= MAX_LOGS {
            return Err(Fault::at(Wrong::Full, first.name, first.sequence).into());
        }
        let log = log.unwrap_or(&nothing);
        let mut before = match first.sequence.checked_sub(1) {
            None => Some(BlockHash::NONE),
            Some(sequence) => log.hash(sequence),
        };
        let (mut lamport, mut sequence, mut here) = (0, first.sequence, 0);
        for (at, block) in run.iter().enumerate() {
            let signed = block.signed();
            let header = signed.header();
            if let Some(wrong) = out_of_place(header, first.name, sequence, before, lamport) {
                return Err(signed.fault(wrong).into());
            }
            if at + 1 == run.len() || rigour == Rigour::Every {
                signed.check_signature()?;
            }
            if sequence == log.length() && header.lamport < log.lamport {
                return Err(signed.fault(Wrong::Chain).into());
            }
            match log.hash(sequence) {
                Some(hash) if hash != signed.hash() => {
                    signed.check_signature()?;
                    let (fault, clash) = (signed.fault(Wrong::Fork), Box::new(signed.clone()));
                    return Err(Refused { fault, clash: Some(clash) });
                }
                Some(_) => here += 1,
                None => {}
            }
            (before, lamport, sequence) = (Some(signed.hash()), header.lamport, sequence + 1);
        }
        Ok(here)
    }

    /// Puts a verified block behind the others of its log, and takes note of what it says of logs.
    pub fn extend(&mut self, block: &Verified) -> Result<(), Fault> {
        let header = *block.header();
        let log = self.logs.entry(header.name).or_default();
        let before = log.hashes.last().copied().unwrap_or(BlockHash::NONE);
        if log.length() != header.sequence || before != header.before {
            let wrong = if log.length() < header.sequence { Wrong::Gap } else { Wrong::Chain };
            return Err(block.signed().fault(wrong));
        }
        log.hashes.push(block.signed().hash());
        log.lamport = header.lamport;
        for entry in block.entries() {
            match entry {
                Entry::Checkpoint(heads) => {
                    heads.iter().for_each(|seen| self.heed(seen, header.name))
                }
                Entry::Release { name, sequence } => {
                    self.releases.insert((*name, *sequence, header.name));
                }
                Entry::Change(_) | Entry::Resume(_) => {}
            }
        }
        self.compare(block.signed().head());
        Ok(())
    }

    /// The heads of all logs, to be compared with a peer's.
    pub fn heads(&self) -> Heads {
        let head = |(name, log): (&LogName, &Log)| {
            let hash = *log.hashes.last()?;
            Some(Head { name: *name, length: log.length(), hash })
        };
        self.logs.iter().filter_map(head).collect()
    }

    /// The hash of one block.
    pub fn hash(&self, name: &LogName, sequence: u32) -> Option<BlockHash> {
        self.logs.get(name)?.hash(sequence)
    }

    /// The Lamport number of the last block of a log.
    pub fn lamport(&self, name: &LogName) -> u64 {
        self.logs.get(name).map_or(0, |log| log.lamport)
    }

    /// How many blocks of a log are here.
    pub fn length(&self, name: &LogName) -> u32 {
        self.logs.get(name).map_or(0, Log::length)
    }

    /// A block that stands here already, read again: it is as verified as it was.
    pub fn again(&self, block: Received) -> Option<Verified> {
        let header = block.signed().header();
        let is_here = self.hash(&header.name, header.sequence) == Some(block.signed().hash());
        is_here.then(|| Verified::vouched(block))
    }

    /// What the next block of this node must have at least: more than every block here.
    pub fn next_lamport(&self) -> u64 {
        self.logs.values().map(|log| log.lamport).max().unwrap_or_default().saturating_add(1)
    }

    /// Heads of a peer that do not fit to the log here: in one of the two, something stands that its author also
    /// wrote differently. Blocks from an earlier sequence on have to be asked for, until the first that differs.
    pub fn clashes(&self, theirs: &Heads) -> Vec<Head> {
        let clash = |head: &Head| {
            let here = self.hash(&head.name, head.length.saturating_sub(1));
            here.is_some_and(|hash| hash != head.hash)
        };
        theirs.iter().filter(clash).collect()
    }

    /// Logs of this author of which a peer has more, or something else, than is here. If the author is the own
    /// node, its memory was put back: it must fetch these, and go on in a new log.
    pub fn ahead(&self, author: &IdentityKey, theirs: &Heads) -> Vec<Head> {
        let own = theirs.iter().filter(|head| head.name.author == *author);
        own.filter(|head| self.hash(&head.name, head.length.saturating_sub(1)) != Some(head.hash))
            .collect()
    }

    /// What this node can witness of the others' logs that it has not said before; `None` if nothing is new.
    pub fn checkpoint(&self, own: &IdentityKey, said: &Heads) -> Option<Entry> {
        let heads = self.heads();
        let new = heads.iter().filter(|head| {
            head.name.author != *own && said.head(&head.name).as_ref() != Some(head)
        });
        let new: Heads = new.collect();
        (!new.is_empty()).then_some(Entry::Checkpoint(new))
    }

    /// Takes a proof of a fork. Returns whether it changes what counts: then the state is to be built anew from
    /// the blocks that count.
    pub fn convict(&mut self, proof: ForkProof) -> bool {
        let rank = |proof: &ForkProof| (proof.sequence(), proof.lamport(), proof.bytes());
        let name = proof.name();
        match self.forks.get(&name) {
            Some(known) if rank(known) <= rank(&proof) => false,
            _ => {
                self.forks.insert(name, proof);
                true
            }
        }
    }

    /// The proofs of all forks, to be shown and passed on.
    pub fn forks(&self) -> impl Iterator<Item = &ForkProof> {
        self.forks.values()
    }

    /// The proof that this log forked, if it did.
    pub fn fork(&self, name: &LogName) -> Option<&ForkProof> {
        self.forks.get(name)
    }

    /// Whether people have looked into this fork: another author says so, who never forked.
    pub fn is_released(&self, fork: &ForkProof) -> bool {
        let (name, sequence) = (fork.name(), fork.sequence());
        let mut all = self.releases.iter().filter(|one| (one.0, one.1) == (name, sequence));
        all.any(|(_, _, by)| by.author != name.author && self.forks_of(&by.author).next().is_none())
    }

    /// Whether a block may be applied. What does not count is kept all the same, and passed on.
    pub fn counts(&self, header: &Header) -> bool {
        self.forks_of(&header.name.author).all(|fork| {
            if fork.name() == header.name {
                return header.sequence < fork.sequence();
            }
            header.lamport < fork.lamport() || self.is_released(fork)
        })
    }

    /// Where peers saw other blocks than stand here.
    pub fn contradictions(&self) -> impl Iterator<Item = &Contradiction> {
        self.contradictions.iter()
    }

    /// What peers say they saw of logs beyond what is here, each with the log of the peer: it has not come yet, or
    /// is here no more.
    pub fn awaited(&self) -> impl Iterator<Item = (Head, LogName)> {
        self.expected.iter().map(|((name, witness), (length, hash))| {
            (Head { name: *name, length: *length, hash: *hash }, *witness)
        })
    }

    fn forks_of(&self, author: &IdentityKey) -> impl Iterator<Item = &ForkProof> {
        let name = |log: u64| LogName { author: *author, log: LogId::from(log) };
        self.forks.range(name(0)..=name(u64::MAX)).map(|(_, fork)| fork)
    }

    /// A peer saw this head. If the block is not here yet, it is compared when it comes.
    fn heed(&mut self, seen: Head, witness: LogName) {
        match self.hash(&seen.name, seen.length.saturating_sub(1)) {
            Some(hash) if hash == seen.hash => {}
            Some(_) => self.contradict(seen, witness),
            None => {
                let room = self.expected.len() < MAX_EXPECTED;
                let known = self.expected.get(&(seen.name, witness)).copied();
                if known.map_or(room, |(length, _)| length < seen.length) {
                    self.expected.insert((seen.name, witness), (seen.length, seen.hash));
                }
            }
        }
    }

    /// Compares a block that came with what peers saw in its place.
    fn compare(&mut self, head: Head) {
        let all = (head.name, lowest())..=(head.name, highest());
        let due = |length: u32| length == head.length;
        let waiting = self.expected.range(all).filter(|(_, (length, _))| due(*length));
        let waiting: Vec<_> =
            waiting.map(|((_, by), (length, hash))| (*by, *length, *hash)).collect();
        for (witness, length, hash) in waiting {
            self.expected.remove(&(head.name, witness));
            if hash != head.hash {
                self.contradict(Head { name: head.name, length, hash }, witness);
            }
        }
    }

    fn contradict(&mut self, seen: Head, witness: LogName) {
        if self.contradictions.len() < MAX_EXPECTED {
            self.contradictions.insert(Contradiction { seen, witness });
        }
    }
}

/// Why a block cannot stand where it stands in its run, if it cannot.
fn out_of_place(
    header: &Header,
    name: LogName,
    sequence: u32,
    before: Option<BlockHash>,
    lamport: u64,
) -> Option<Wrong> {
    if header.name != name {
        return Some(Wrong::Foreign);
    }
    if header.sequence > sequence || before.is_none() {
        return Some(Wrong::Gap);
    }
    let continues = header.sequence == sequence && before == Some(header.before);
    (!continues || header.lamport < lamport).then_some(Wrong::Chain)
}

fn lowest() -> LogName {
    LogName { author: [0; 32].into(), log: 0.into() }
}

fn highest() -> LogName {
    LogName { author: [u8::MAX; 32].into(), log: u64::MAX.into() }
}
