//! The logs of all authors: what may be put behind which block, who forked, and who saw what of whom.
//!
//! Of a run of blocks one signature is checked, the last: each block holds the hash of the one before, signature
//! included. A fork takes no data away: all blocks are kept. What its author wrote before it still counts, by the
//! author's own Lamport numbers, and what anybody else took over; who has its key can so make all of it wait, until
//! people have looked into it.

use crate::model::keys::IdentityKey;
use crate::model::ledger::bar::{Bars, is_moved};
use crate::model::ledger::block::{Header, Received, SignedHeader, Verified};
use crate::model::ledger::entry::Entry;
use crate::model::ledger::fault::{Fault, Wrong};
use crate::model::ledger::fork::ForkProof;
use crate::model::ledger::heads::{Head, Heads};
use crate::model::ledger::names::{BlockHash, LogName, all_of, highest, lowest};
use crate::model::ledger::room::{self, Room};
use crate::model::ledger::verdict::{Verdict, Verdicts};
use crate::model::limits::{
    MAX_AUTHOR_LOGS, MAX_EXPECTED, MAX_EXPECTED_OF, MAX_LOGS, MAX_LOWER_PROOFS, MAX_RELEASES,
};
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
    /// Up to the last block with more in it than what its author saw of others.
    told: u32,
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
    /// How often a lower proof of a fork came.
    lowered: BTreeMap<LogName, u8>,
    /// Who released which fork, and how often each did so.
    releases: BTreeMap<(LogName, u32), BTreeSet<[u8; 32]>>,
    released: BTreeMap<[u8; 32], usize>,
    room: Room,
    /// What does not count because its author is shut out.
    bars: Bars,
    /// How often it changed which blocks count.
    turns: u64,
    /// What peers saw of blocks that have not come yet: of each log and witness the furthest.
    expected: BTreeMap<(LogName, LogName), (u32, BlockHash)>,
    contradictions: BTreeSet<Contradiction>,
    /// How many of these each witness has said.
    heeded: BTreeMap<[u8; 32], usize>,
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
        if block.entries().iter().any(|entry| !matches!(entry, Entry::Checkpoint(_))) {
            log.told = log.length();
        }
        let weight = room::weight(block.bytes().len(), block.entries());
        self.room.take(&header.name, weight, header.sequence == 0);
        for entry in block.entries() {
            match entry {
                Entry::Checkpoint(heads) => {
                    heads.iter().for_each(|seen| self.heed(seen, header.name))
                }
                Entry::Release { name, sequence } => {
                    self.release((*name, *sequence), *header.name.author.as_bytes());
                }
                Entry::Change(_) | Entry::Resume(_) | Entry::Membership(_) | Entry::Alarm(_) => {}
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

    /// The part of a log that all nodes can have in common: what stands before a known fork of it; `None` if nothing.
    pub fn shared(&self, head: Head) -> Option<Head> {
        let Some(fork) = self.fork(&head.name) else { return Some(head) };
        if head.length <= fork.sequence() {
            return Some(head);
        }
        let hash = self.hash(&head.name, fork.sequence().checked_sub(1)?)?;
        Some(Head { length: fork.sequence(), hash, ..head })
    }

    /// Whether all that these heads tell of is here.
    pub fn hold(&self, heads: &Heads) -> bool {
        let is_here = |head: Head| {
            let last = head.length.checked_sub(1);
            last.and_then(|last| self.hash(&head.name, last)) == Some(head.hash)
        };
        heads.iter().all(is_here)
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
        // Not of what others saw alone: else all would witness each other's witness for ever.
        let told = |name: &LogName| self.logs.get(name).map_or(0, |log| log.told);
        let new = heads.iter().filter(|head| {
            let before = said.head(&head.name).map_or(0, |said| said.length);
            head.name.author != *own && told(&head.name) > before
        });
        let new: Heads = new.collect();
        (!new.is_empty()).then_some(Entry::Checkpoint(new))
    }

    /// Takes a proof of a fork. Returns whether it says something new. An author who makes up more forks than it may
    /// have logs, or ever lower ones of one log, is not listened to any more: it is convicted all the same. Nodes can
    /// then hold different proofs of it, and show different things that it wrote, until people settle what is true.
    pub fn convict(&mut self, proof: ForkProof) -> bool {
        let rank = |proof: &ForkProof| (proof.sequence(), proof.lamport(), proof.bytes());
        let name = proof.name();
        match self.forks.get(&name).map(rank) {
            Some(known) if known <= rank(&proof) => return false,
            Some(_) => {
                let lowered = self.lowered.entry(name).or_default();
                if *lowered >= MAX_LOWER_PROOFS {
                    return false;
                }
                *lowered += 1;
            }
            None => {
                let of_author = self.forks_of(&name.author).count();
                if of_author >= MAX_AUTHOR_LOGS || self.forks.len() >= MAX_LOGS {
                    return false;
                }
            }
        }
        self.turns += u64::from(self.reaches(&proof) || self.releases_by(&name.author));
        self.forks.insert(name, proof);
        true
    }

    /// Whether a block is here that a proof may keep from counting.
    fn reaches(&self, proof: &ForkProof) -> bool {
        let logs = self.logs.range(all_of(&proof.name().author));
        logs.into_iter().any(|(name, log)| match *name == proof.name() {
            true => log.length() > proof.sequence(),
            false => log.lamport >= proof.lamport(),
        })
    }

    /// Whether somebody may go on because this author says so: whose word does not count when it forked.
    fn releases_by(&self, author: &IdentityKey) -> bool {
        self.released.contains_key(author.as_bytes())
    }

    /// Notes that an author says that people have looked into a fork.
    fn release(&mut self, which: (LogName, u32), by: [u8; 32]) {
        let said = self.released.entry(by).or_default();
        if *said >= MAX_RELEASES || !self.releases.entry(which).or_default().insert(by) {
            return;
        }
        *said += 1;
        let fork = self.forks.get(&which.0).filter(|fork| fork.sequence() == which.1);
        let others = self.releases.get(&which).map_or(0, BTreeSet::len);
        // One word is enough; further ones change nothing, unless those before did not count.
        let is_first = others == 1 || fork.is_some_and(|fork| !self.is_released_without(fork, &by));
        self.turns += u64::from(is_first && fork.is_some_and(|fork| self.is_released(fork)));
    }

    /// How often it changed which blocks count: then the state is to be built anew from those that do.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// How much room the logs take.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Whether blocks of a log may come from a peer.
    pub fn takes(&self, name: &LogName) -> bool {
        (self.logs.contains_key(name) || self.room.has_log(name)) && self.room.has(name, 1)
    }

    /// That there is no room for blocks that a peer gives, if so.
    pub fn too_much(&self, run: &[Received]) -> Option<Fault> {
        let name = run.first()?.signed().header().name;
        let weigh = |block: &Received| room::weight(block.bytes().len(), block.entries());
        let weight = run.iter().map(weigh).sum();
        let is_begun = self.logs.contains_key(&name);
        let fits = (is_begun || self.room.has_log(&name)) && self.room.has(&name, weight);
        if fits { None } else { room::full(run) }
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
        self.is_released_without(fork, &[0; 32])
    }

    /// The same if this author had said nothing.
    fn is_released_without(&self, fork: &ForkProof, author: &[u8; 32]) -> bool {
        let (name, sequence) = (fork.name(), fork.sequence());
        let all = self.releases.get(&(name, sequence));
        all.into_iter().flatten().filter(|by| *by != author).any(|by| {
            let by = IdentityKey::from(*by);
            by != name.author && self.forks_of(&by).next().is_none()
        })
    }

    /// Whether a block may be applied. What does not count is kept all the same, and passed on.
    pub fn counts(&self, header: &Header) -> bool {
        let bar = self.bars.get(&header.name.author);
        self.counts_at(&header.name, header.sequence, header.lamport)
            && !bar.is_some_and(|bar| bar.is_beyond(&header.name, header.sequence))
    }

    /// Says anew who is shut out, and how far what each of them wrote is good.
    pub fn bar(&mut self, bars: Bars) {
        let is_moved =
            |(name, log): (&LogName, &Log)| is_moved(&self.bars, &bars, name, log.length());
        self.turns += u64::from(self.logs.iter().any(is_moved));
        self.bars = bars;
    }

    /// What all forks decide that are known.
    pub fn verdicts(&self) -> Verdicts {
        let verdict = |fork| Verdict::new(fork, self.is_released(fork));
        Verdicts(self.forks.values().map(verdict).collect())
    }

    /// As `counts`, of the block that stands there with this Lamport number, whoever is shut out.
    pub fn counts_at(&self, name: &LogName, sequence: u32, lamport: u64) -> bool {
        self.forks_of(&name.author).all(|fork| {
            if fork.name() == *name {
                return sequence < fork.sequence();
            }
            lamport < fork.lamport() || self.is_released(fork)
        })
    }

    /// Where peers saw other blocks than stand here, and no fork is known that says why.
    pub fn contradictions(&self) -> impl Iterator<Item = &Contradiction> {
        self.contradictions.iter().filter(|one| self.shared(one.seen) == Some(one.seen))
    }

    /// What peers say they saw of logs beyond what is here, each with the log of the peer: it has not come yet, or
    /// is here no more.
    pub fn awaited(&self) -> impl Iterator<Item = (Head, LogName)> {
        let seen = self.expected.iter().map(|((name, witness), (length, hash))| {
            (Head { name: *name, length: *length, hash: *hash }, *witness)
        });
        seen.filter(|(head, _)| self.shared(*head) == Some(*head))
    }

    fn forks_of(&self, author: &IdentityKey) -> impl Iterator<Item = &ForkProof> {
        self.forks.range(all_of(author)).map(|(_, fork)| fork)
    }

    /// A peer saw this head. If the block is not here yet, it is compared when it comes.
    fn heed(&mut self, seen: Head, witness: LogName) {
        match self.hash(&seen.name, seen.length.saturating_sub(1)) {
            Some(hash) if hash == seen.hash => {}
            Some(_) => self.contradict(seen, witness),
            None => {
                let known = self.expected.get(&(seen.name, witness)).map(|(length, _)| *length);
                let is_further = known.is_none_or(|length| length < seen.length);
                if is_further && (known.is_some() || self.heeds(&witness)) {
                    self.expected.insert((seen.name, witness), (seen.length, seen.hash));
                }
            }
        }
    }

    /// Whether a witness may say one thing more that is kept, and notes that it does. Each has a share: nobody fills it
    /// all, so that no true witness is heard any more.
    fn heeds(&mut self, witness: &LogName) -> bool {
        let kept = self.heeded.entry(*witness.author.as_bytes()).or_default();
        let is_room = *kept < MAX_EXPECTED_OF
            && self.expected.len().saturating_add(self.contradictions.len()) < MAX_EXPECTED;
        *kept += usize::from(is_room);
        is_room
    }

    fn unheeded(&mut self, witness: &LogName) {
        if let Some(kept) = self.heeded.get_mut(witness.author.as_bytes()) {
            *kept = kept.saturating_sub(1);
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
            self.unheeded(&witness);
            if hash != head.hash {
                self.contradict(Head { name: head.name, length, hash }, witness);
            }
        }
    }

    fn contradict(&mut self, seen: Head, witness: LogName) {
        let one = Contradiction { seen, witness };
        if !self.contradictions.contains(&one) && self.heeds(&witness) {
            self.contradictions.insert(one);
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
