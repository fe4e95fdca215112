//! A node's copy of the ledger: the logs of all authors, what they say together, and the pen for its own log.
//!
//! A block is applied here first and is then put on the disk by the store; nothing of it is told to anybody before
//! it is there. What does not count, because its author forked, is kept in its log and not applied.

use crate::base::error::{Error, Result};
use crate::model::identity::Identity;
use crate::model::keys::IdentityKey;
use crate::model::ledger::block::{Received, Verified};
use crate::model::ledger::chains::{Chains, Refused, Rigour};
use crate::model::ledger::entry::Entry;
use crate::model::ledger::fork::ForkProof;
use crate::model::ledger::heads::{Head, Heads, Range};
use crate::model::ledger::merkle::sha256;
use crate::model::ledger::names::{LogId, Namer};
use crate::model::ledger::operation::Operation;
use crate::model::ledger::pen::Pen;
use crate::model::ledger::state::{Applied, State};
use crate::model::limits::MAX_OWN_LOGS;
use rand::CryptoRng;

/// What came of blocks that were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Blocks that were not here.
    pub blocks: usize,
    /// Changes that were not here.
    pub changes: usize,
    /// Changes that were: somebody else had made the same, or imported the same row.
    pub known: usize,
    /// Changes of a forked author, which wait until people have looked.
    pub waiting: usize,
    /// Changes for which there was no room in memory.
    pub full: usize,
    /// Records of which there are several versions now, among those that were changed.
    pub contested: usize,
}

impl Taken {
    /// Adds what came of further blocks.
    pub fn add(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.changes += other.changes;
        self.known += other.known;
        self.waiting += other.waiting;
        self.full += other.full;
        self.contested += other.contested;
    }
}

/// How the node goes on in its own log.
#[derive(Debug)]
enum Own {
    /// Behind the head that the pen knows.
    Log(Pen),
    /// Nobody has confirmed yet that the own log ends where it does here: the memory may have been put back. What
    /// is written before that goes into a new log.
    Unsure,
}

/// A node's copy of the ledger.
#[derive(Debug)]
pub struct Replica {
    identity: Identity,
    namer: Namer,
    chains: Chains,
    state: State,
    own: Own,
    /// What this node has signed that it saw of others.
    said: Heads,
    /// Whether blocks that were applied count no more, or others count now.
    is_stale: bool,
}

impl Replica {
    /// An empty one.
    pub fn new(identity: Identity, namer: Namer) -> Self {
        Self {
            identity,
            namer,
            chains: Chains::default(),
            state: State::default(),
            own: Own::Unsure,
            said: Heads::default(),
            is_stale: false,
        }
    }

    /// One without anything in it, of the same node.
    pub fn emptied(self) -> Self {
        Self::new(self.identity, self.namer)
    }

    /// What the state follows from, as one hash: the logs, and what of them counts.
    pub fn digest(&self) -> [u8; 32] {
        let mut parts = vec![self.chains.heads().digest().to_vec()];
        for fork in self.chains.forks() {
            parts.push(fork.bytes());
            parts.push(vec![self.chains.is_released(fork).into()]);
        }
        sha256(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// Who writes here.
    pub fn author(&self) -> IdentityKey {
        self.identity.public().identity
    }

    /// What names records.
    pub fn namer(&self) -> &Namer {
        &self.namer
    }

    /// All operations that count, and what they say.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The logs.
    pub fn chains(&self) -> &Chains {
        &self.chains
    }

    // --- taking ---

    /// Takes blocks of one log, one behind the other. Returns those that are new, to be put on the disk.
    pub fn take(
        &mut self,
        run: Vec<Received>,
        rigour: Rigour,
    ) -> std::result::Result<(Vec<Verified>, Taken), Refused> {
        let new = self.chains.check(run, rigour)?;
        let mut taken = Taken::default();
        for block in &new {
            self.chains.extend(block)?;
            taken.add(self.apply(block));
        }
        Ok((new, taken))
    }

    /// Takes a proof that somebody forked. Returns whether it says something new.
    pub fn convict(&mut self, proof: ForkProof) -> bool {
        if proof.name().author == self.author() {
            // The pen must not go on behind what does not count.
            self.own = Own::Unsure;
        }
        let is_new = self.chains.convict(proof);
        self.is_stale |= is_new;
        is_new
    }

    /// Whether what counts has changed, so that the state must be built anew from all blocks.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// The state was built anew, of all blocks that are here and count.
    pub fn renewed(&mut self, state: State) {
        (self.state, self.is_stale) = (state, false);
    }

    /// The changes of a block that stands in its log, does not count, and says what is not here otherwise.
    pub fn waiting(&self, block: Received) -> Vec<Operation> {
        let block = self.chains.again(block).filter(|block| !self.chains.counts(block.header()));
        let entries = block.as_ref().map(Verified::entries).unwrap_or_default();
        let changes = entries.iter().filter_map(|entry| match entry {
            Entry::Change(operation) if !self.state.has(&operation.id()) => Some(operation.clone()),
            _ => None,
        });
        changes.collect()
    }

    /// Applies a block that stands in its log. Changes for which there is no room stay in the log alone.
    pub fn apply(&mut self, block: &Verified) -> Taken {
        let mut taken = Taken { blocks: 1, ..Taken::default() };
        let header = block.header();
        let mut changes = 0;
        for entry in block.entries() {
            match entry {
                Entry::Change(_) => changes += 1,
                Entry::Checkpoint(heads) if header.name.author == self.author() => {
                    self.said = self.said.iter().chain(heads.iter()).collect();
                }
                Entry::Release { name, .. } => {
                    self.is_stale |= self.chains.forks().any(|fork| fork.name() == *name);
                }
                Entry::Checkpoint(_) | Entry::Resume(_) => {}
            }
        }
        if !self.chains.counts(header) {
            taken.waiting = changes;
            return taken;
        }
        match self.state.apply(block) {
            Ok(Applied { new, known, contested }) => {
                (taken.changes, taken.known, taken.contested) = (new, known, contested);
            }
            Err(_) => taken.full = changes,
        }
        taken
    }

    // --- writing ---

    /// Signs changes of this node, and applies them. `wall` is what the clock says. The blocks are to be put on the
    /// disk also if an error follows.
    pub fn write(
        &mut self,
        entries: Vec<Entry>,
        wall: u64,
        rng: &mut impl CryptoRng,
        signed: &mut Vec<Verified>,
    ) -> Result<()> {
        for portion in Pen::portions(self.begun(entries, rng)) {
            let lamport = self.chains.next_lamport();
            let Own::Log(pen) = &mut self.own else { return Err(Error::Full { what: "logs" }) };
            let block = pen.sign(portion, lamport, wall)?;
            self.chains.extend(&block).map_err(Error::from)?;
            let full = self.apply(&block).full;
            signed.push(block);
            if full > 0 {
                return Err(Error::Full { what: "records in memory" });
            }
        }
        Ok(())
    }

    /// Has a pen ready; the first block of a log that follows on others says so.
    fn begun(&mut self, mut entries: Vec<Entry>, rng: &mut impl CryptoRng) -> Vec<Entry> {
        if matches!(self.own, Own::Log(_)) || entries.is_empty() {
            return entries;
        }
        let old: Heads = self.own_heads().collect();
        // A log more for each start is safe, but not for ever.
        if old.len() >= MAX_OWN_LOGS && self.go_on() {
            return entries;
        }
        let log = LogId::from(rng.next_u64());
        self.own = Own::Log(match old.is_empty() {
            true => Pen::begin(&self.identity, log),
            false => {
                let (pen, resume) = Pen::resume(&self.identity, log, &old);
                entries.insert(0, resume);
                pen
            }
        });
        entries
    }

    fn own_heads(&self) -> impl Iterator<Item = Head> {
        let me = self.author();
        self.chains.heads().into_iter().filter(move |head| head.name.author == me)
    }

    /// The head of the own log to go on behind: the last one of those that did not fork.
    fn last_own(&self) -> Option<Head> {
        let own = self.own_heads().filter(|head| self.chains.fork(&head.name).is_none());
        own.max_by_key(|head| self.chains.lamport(&head.name))
    }

    /// Goes on in the last of the own logs, if there is one: nobody else can have more of it than is here.
    pub fn go_on(&mut self) -> bool {
        let last = self.last_own();
        if let Some(last) = &last {
            self.own = Own::Log(Pen::go_on(&self.identity, last));
        }
        last.is_some()
    }

    /// What of the others' logs this node can witness and has not yet; `None` if nothing is new.
    pub fn checkpoint(&self) -> Option<Entry> {
        self.chains.checkpoint(&self.author(), &self.said)
    }

    /// A peer has shown its heads. If it knows all of the own log and nothing beyond it, the node goes on in that
    /// log; if it knows more, or something else, the memory here was put back, and what follows is a new log.
    pub fn confirm(&mut self, theirs: &Heads) -> Confirmed {
        let me = self.author();
        if !self.chains.ahead(&me, theirs).is_empty() {
            let was_sure = matches!(self.own, Own::Log(_));
            self.own = Own::Unsure;
            return if was_sure { Confirmed::PutBack } else { Confirmed::Behind };
        }
        // Who knows less of this node, or nothing, cannot tell whether it wrote more.
        let is_known = self.last_own().is_some_and(|last| theirs.head(&last.name) == Some(last));
        if is_known && matches!(self.own, Own::Unsure) {
            self.go_on();
        }
        Confirmed::Well
    }

    // --- what others lack ---

    /// Blocks that are here up to `durable` and that `theirs` lack. Of a log that forked, only what stands before.
    pub fn beyond(&self, durable: &Heads, theirs: &Heads) -> Vec<Range> {
        durable.beyond(theirs).into_iter().filter_map(|range| self.before_fork(range)).collect()
    }

    /// Heads of a peer that tell of other blocks than stand here, of logs that are not known to have forked there.
    pub fn clashes(&self, theirs: &Heads) -> Vec<Head> {
        let mut clashes = self.chains.clashes(theirs);
        let reaches = |head: &Head| {
            self.chains.fork(&head.name).is_none_or(|fork| head.length <= fork.sequence())
        };
        clashes.retain(reaches);
        clashes
    }

    fn before_fork(&self, range: Range) -> Option<Range> {
        let end = self.chains.fork(&range.name).map_or(range.to, |fork| fork.sequence());
        let range = Range { to: range.to.min(end), ..range };
        (range.from < range.to).then_some(range)
    }
}

/// What a peer's heads say of the own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// Nothing that is not known here.
    Well,
    /// It goes on beyond what is here, as was to be feared since the start.
    Behind,
    /// It goes on beyond what is here, or differently, though it was thought to end here.
    PutBack,
}
