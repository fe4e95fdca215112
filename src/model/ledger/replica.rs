//! A node's copy of the ledger: the logs of all authors, what they say together, and the pen for its own log.
//!
//! A block is applied here first and is then put on the disk by the store; nothing of it is told to anybody before
//! it is there. What does not count, because its author forked, is kept in its log and not applied.

use crate::base::error::{Error, Result};
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::model::keys::IdentityKey;
use crate::model::ledger::alarms::{Alarms, News};
use crate::model::ledger::bar::Bars;
use crate::model::ledger::block::{Received, Verified};
use crate::model::ledger::chains::{Chains, Refused, Rigour};
use crate::model::ledger::entry::Entry;
use crate::model::ledger::fault::Fault;
use crate::model::ledger::fork::ForkProof;
use crate::model::ledger::heads::{Head, Heads, Range};
use crate::model::ledger::merkle::sha256;
use crate::model::ledger::names::{LogId, LogName, Namer};
use crate::model::ledger::operation::{About, Operation};
use crate::model::ledger::pen::Pen;
use crate::model::ledger::register::Register;
use crate::model::ledger::room;
use crate::model::ledger::state::{Applied, State};
use crate::model::ledger::verdict::Verdicts;
use crate::model::limits::{MAX_BLOCK, MAX_LOGS, MAX_OWN_LOGS, MAX_SURE_LOGS, MAX_WATCHED};
use crate::model::section::Section;
use rand::CryptoRng;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

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
    /// Whether something was said of who belongs to the network.
    pub membership: bool,
    /// Whether something was said of alarms.
    pub alarms: bool,
    /// Whether something in it is to be passed on soon.
    pub news: bool,
}

impl Taken {
    /// What comes of blocks for which there is no room: none of them is taken.
    pub fn none_of(run: &[Received]) -> Self {
        let full = run.iter().map(|block| block.entries().len()).sum();
        Self { full, ..Self::default() }
    }

    /// Adds what came of further blocks.
    pub fn add(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.changes += other.changes;
        self.known += other.known;
        self.waiting += other.waiting;
        self.full += other.full;
        self.contested += other.contested;
        self.membership |= other.membership;
        self.alarms |= other.alarms;
        self.news |= other.news;
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
    register: Arc<Register>,
    alarms: Alarms,
    /// What of them nobody was told yet.
    news: News,
    own: Own,
    /// Up to where peers have said since the start that the own log does not go on beyond it.
    confirmed: BTreeMap<PeerNumber, Head>,
    /// What this node has signed that it saw of others.
    said: Heads,
    /// Logs of which blocks came for which there was no room: what stands behind those cannot be taken either.
    full: BTreeSet<LogName>,
    /// How often it had changed which blocks count when the state was built.
    built: u64,
    /// How often something was said of who belongs to the network.
    heard: u64,
}

impl Replica {
    /// An empty one.
    pub fn new(identity: Identity, namer: Namer) -> Self {
        Self {
            identity,
            namer,
            chains: Chains::default(),
            state: State::default(),
            register: Arc::default(),
            alarms: Alarms::default(),
            news: News::default(),
            own: Own::Unsure,
            confirmed: BTreeMap::new(),
            said: Heads::default(),
            full: BTreeSet::new(),
            built: 0,
            heard: 0,
        }
    }

    /// One without anything in it, of the same node.
    pub fn emptied(self) -> Self {
        Self::new(self.identity, self.namer)
    }

    /// What the state follows from, as one hash: the logs, and what of them counts.
    pub fn digest(&self) -> [u8; 32] {
        let shared = self.chains.heads().into_iter().filter_map(|head| self.chains.shared(head));
        let mut parts = vec![shared.collect::<Heads>().digest().to_vec()];
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

    /// What the blocks say of who belongs to the network, those that do not count among them.
    pub fn register(&self) -> &Register {
        &self.register
    }

    // --- membership ---

    /// What changes whenever something else may follow of who belongs to the network.
    pub fn news(&self) -> (u64, u64) {
        (self.heard, self.turns())
    }

    /// All that it takes to work out who belongs to the network, without the ledger.
    pub fn voices(&self) -> (Arc<Register>, Verdicts) {
        (Arc::clone(&self.register), self.chains.verdicts())
    }

    /// Says anew who is shut out, and how far what each of them wrote is good.
    pub fn bar(&mut self, bars: Bars) {
        self.chains.bar(bars);
    }

    // --- alarms ---

    /// What the blocks say of alarms, those that do not count among them: who calls for help may have lost its memory.
    pub fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// What was said of alarms since this was last asked.
    pub fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
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
        let mut changed = HashSet::new();
        for block in &new {
            self.chains.extend(block)?;
            taken.add(self.apply(block, &mut changed));
        }
        taken.contested = self.contested(&changed);
        Ok((new, taken))
    }

    /// Of how many of these records there are several versions, as far as it is quickly told.
    fn contested(&self, changed: &HashSet<About>) -> usize {
        let is_short = |about: &&About| !self.state.has_more(**about, MAX_WATCHED);
        changed.iter().filter(is_short).filter(|about| self.state.is_contested(**about)).count()
    }

    /// Whether there is room for further blocks of a log, as far as is known.
    pub fn takes(&self, name: &LogName) -> bool {
        !self.full.contains(name) && self.chains.takes(name)
    }

    /// Whether blocks that a peer gives, of one log, are too much: of what kind.
    pub fn too_much(&self, run: &[Received]) -> Option<Fault> {
        match self.has_room(run.iter().flat_map(Received::entries)) {
            true => self.chains.too_much(run),
            false => room::full(run),
        }
    }

    /// Leaves out blocks that are too much, and from now on all that stand behind them in their log. By what its author
    /// did not sign nobody has a log left out.
    pub fn leave_out(&mut self, run: &[Received]) -> std::result::Result<Taken, Refused> {
        self.chains.examine(run, Rigour::Last)?;
        let name = run.first().map(|block| block.signed().header().name);
        self.full.extend(name.filter(|_| self.full.len() < MAX_LOGS));
        Ok(Taken::none_of(run))
    }

    /// Whether there is room for the records that these entries may begin.
    fn has_room<'a>(&self, entries: impl Iterator<Item = &'a Entry>) -> bool {
        let mut more = [0_usize; Section::SHOWN.len()];
        for entry in entries {
            let Entry::Change(operation) = entry else { continue };
            let at = Section::SHOWN.iter().position(|one| *one == operation.about().section);
            if let Some(more) = at.and_then(|at| more.get_mut(at)) {
                *more += usize::from(!self.state.has_record(operation.about()));
            }
        }
        Section::SHOWN.iter().zip(more).all(|(section, more)| self.state.has_room(*section, more))
    }

    /// Takes a proof that somebody forked. Returns whether it says something new.
    pub fn convict(&mut self, proof: ForkProof) -> bool {
        let is_own = proof.name().author == self.author();
        let is_new = self.chains.convict(proof);
        if is_new && is_own {
            // The pen must not go on behind what does not count.
            self.own = Own::Unsure;
            self.confirmed.clear();
        }
        is_new
    }

    /// Whether what counts has changed, so that the state must be built anew from all blocks.
    pub fn is_stale(&self) -> bool {
        self.turns() != self.built
    }

    /// How often it changed which blocks count.
    pub fn turns(&self) -> u64 {
        self.chains.turns()
    }

    /// The state was built anew, of all blocks that are here and count: of some of them what counted when this was
    /// the number of `turns`.
    pub fn renewed(&mut self, state: State, turns: u64) {
        (self.state, self.built) = (state, turns);
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
    pub fn apply(&mut self, block: &Verified, changed: &mut HashSet<About>) -> Taken {
        let mut taken = Taken { blocks: 1, ..Taken::default() };
        let header = block.header();
        // Who works it out may have it still: then it is copied, but not for every block.
        taken.membership = Register::is_for(block) && Arc::make_mut(&mut self.register).take(block);
        self.heard += u64::from(taken.membership);
        taken.alarms = self.alarms.take(block, &mut self.news);
        taken.news = block.entries().iter().any(Entry::is_news);
        let mut changes = 0;
        for entry in block.entries() {
            match entry {
                Entry::Change(_) => changes += 1,
                Entry::Checkpoint(heads) if header.name.author == self.author() => {
                    self.said = self.said.iter().chain(heads.iter()).collect();
                }
                Entry::Checkpoint(_)
                | Entry::Release { .. }
                | Entry::Resume(_)
                | Entry::Membership(_)
                | Entry::Alarm(_) => {}
            }
        }
        if !self.chains.counts(header) {
            taken.waiting = changes;
            return taken;
        }
        match self.state.apply(block) {
            Ok(Applied { new, known, records }) => {
                (taken.changes, taken.known) = (new, known);
                changed.extend(records);
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
        let own = LogName { author: self.author(), log: 0.into() };
        for portion in Pen::portions(self.begun(entries, rng)) {
            let lamport = self.chains.next_lamport();
            let weight = room::weight(MAX_BLOCK, &portion);
            if !self.chains.room().has_own(&own, weight) || !self.has_room(portion.iter()) {
                return Err(Error::Full { what: "changes in the ledger" });
            }
            let Own::Log(pen) = &mut self.own else { return Err(Error::Full { what: "logs" }) };
            let block = pen.sign(portion, lamport, wall)?;
            self.chains.extend(&block).map_err(Error::from)?;
            let full = self.apply(&block, &mut HashSet::new()).full;
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
        let name = LogName { author: self.author(), log: 0.into() };
        let is_many = old.len() >= MAX_OWN_LOGS || !self.chains.room().has_log(&name);
        if is_many && self.go_on() {
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

    /// A peer has shown its heads. When none of the `peers` has more of the own log than is here, the node goes on in
    /// it: one alone does not tell, it may have been away when the rest was written. If one has more, or something
    /// else, the memory here was put back. What is written before all are heard, and after that, is a new log.
    pub fn confirm(&mut self, theirs: &Heads, by: PeerNumber, peers: usize) -> Confirmed {
        let me = self.author();
        if self.chains.ahead(&me, theirs).iter().any(|head| self.is_news(head)) {
            let was_sure = matches!(self.own, Own::Log(_));
            self.own = Own::Unsure;
            self.confirmed.clear();
            return if was_sure { Confirmed::PutBack } else { Confirmed::Behind };
        }
        // Where there were two devices with one key there may be two now: a log that one began the other must not go on
        // in. Each writes its own.
        if self.chains.forks().any(|fork| fork.name().author == me) {
            return Confirmed::Well;
        }
        if let (Own::Unsure, Some(last)) = (&self.own, self.last_own()) {
            self.confirmed.insert(by, last);
            let heard = self.confirmed.values().filter(|head| **head == last).count();
            // A peer may be away for ever; the logs of all starts until then would be too many.
            let is_enough = self.own_heads().count() >= MAX_SURE_LOGS && heard * 2 >= peers;
            if heard >= peers || is_enough {
                self.go_on();
            }
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
        clashes.retain(|head| self.is_news(head));
        clashes
    }

    /// Whether a head tells of no more than what stands before a known fork: behind it, nodes have different blocks,
    /// and nobody gives his to the others.
    fn is_news(&self, head: &Head) -> bool {
        self.chains.shared(*head) == Some(*head)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::bar::Bar;

    fn replica() -> Replica {
        let identity = Identity::new(SecretKey::from([1; 32]));
        Replica::new(identity, Namer::new(&SecretKey::from([7; 32])))
    }

    fn said(replica: &mut Replica) -> Heads {
        let entry = Entry::Checkpoint(Heads::default());
        replica.write(vec![entry], 0, &mut rand::rng(), &mut Vec::new()).expect("room");
        replica.chains().heads()
    }

    #[test]
    fn of_a_log_for_which_there_is_no_room_nothing_more_is_wanted_but_only_by_what_its_author_signed()
     {
        let block = |log: u64| {
            let mut pen = Pen::begin(&Identity::new(SecretKey::from([2; 32])), log.into());
            let entry = Entry::Checkpoint(Heads::default());
            let block = pen.sign(vec![entry], 1, 1).expect("room");
            (block.header().name, block.bytes().to_vec())
        };
        let mut replica = replica();
        let ((name, bytes), (other, mut forged)) = (block(3), block(4));
        *forged.get_mut(150).expect("a block is longer") ^= 1;
        for bytes in [&bytes, &forged] {
            if let Ok(received) = Received::read(bytes) {
                let _ = replica.leave_out(&[received]);
            }
        }
        assert!(!replica.takes(&name) && replica.takes(&other));
    }

    #[test]
    fn a_state_that_was_built_while_somebody_was_found_out_is_built_once_more() {
        let block = |wall| {
            let mut pen = Pen::begin(&Identity::new(SecretKey::from([2; 32])), 3.into());
            let entry = Entry::Checkpoint(Heads::default());
            pen.sign(vec![entry], 1, wall).expect("room")
        };
        let mut replica = replica();
        let received = Received::read(block(1).bytes()).expect("right");
        replica.take(vec![received], Rigour::Last).expect("right");
        let turns = replica.turns();
        let [one, other] = [1, 2].map(|wall| block(wall).signed().clone());
        assert!(replica.convict(ForkProof::new(one, other).expect("a fork")));
        replica.renewed(State::default(), turns);
        assert!(replica.is_stale(), "of the first blocks it held what counted before");
        replica.renewed(State::default(), replica.turns());
        assert!(!replica.is_stale());
    }

    #[test]
    fn what_stands_beyond_the_bar_of_an_author_is_kept_and_does_not_count() {
        let mut pen = Pen::begin(&Identity::new(SecretKey::from([2; 32])), 3.into());
        let blocks = [1, 2, 3].map(|wall| {
            let entry = Entry::Checkpoint(Heads::default());
            pen.sign(vec![entry], wall, wall).expect("room")
        });
        let mut replica = took(replica(), &blocks[..2]);
        let name = blocks[0].header().name;
        let bars = |ends: &[(LogName, u32)]| {
            let bar = Bar { ends: ends.iter().copied().collect(), otherwise: 0 };
            Bars::from([(name.author, bar)])
        };
        let counts = |replica: &Replica| {
            [0, 1, 2].map(|at: usize| replica.chains().counts(blocks[at].header()))
        };
        let turns = replica.turns();
        replica.bar(bars(&[(name, 2)]));
        assert_eq!(replica.turns(), turns, "nothing beyond it is here");
        assert_eq!(counts(&replica), [true, true, false]);
        let mut replica = took(replica, &blocks[2..]);
        assert_eq!(replica.chains().length(&name), 3, "it is kept, and passed on");
        replica.bar(bars(&[(name, 1)]));
        assert_eq!((replica.turns(), counts(&replica)), (turns + 1, [true, false, false]));
        replica.bar(bars(&[(name, 1)]));
        assert_eq!(replica.turns(), turns + 1, "the same again");
        replica.bar(bars(&[]));
        assert_eq!((replica.turns(), counts(&replica)), (turns + 2, [false; 3]));
        replica.bar(Bars::new());
        assert_eq!((replica.turns(), counts(&replica)), (turns + 3, [true; 3]));
    }

    /// Two branches of the own log from its second block on.
    fn branches(replica: &Replica) -> [Vec<Verified>; 2] {
        let sign = |pen: &mut Pen, wall| {
            let entry = Entry::Checkpoint(Heads::default());
            pen.sign(vec![entry], 1, wall).expect("room")
        };
        [1, 2].map(|branch| {
            let mut pen = Pen::begin(&replica.identity, 7.into());
            (0..3).map(|at| sign(&mut pen, if at == 0 { 0 } else { branch })).collect()
        })
    }

    fn took(mut replica: Replica, blocks: &[Verified]) -> Replica {
        let read = |block: &Verified| Received::read(block.bytes()).expect("right");
        replica.take(blocks.iter().map(read).collect(), Rigour::Last).expect("right");
        replica
    }

    #[test]
    fn after_a_fork_all_show_one_number_and_nobody_is_put_back_by_the_other_branch() {
        let [left, right] = branches(&replica());
        let fork = ForkProof::new(left[1].signed().clone(), right[1].signed().clone());
        let fork = fork.expect("a fork");
        let mut nodes = [&left[..], &right[..], &left[..1]].map(|blocks| took(replica(), blocks));
        for node in &mut nodes {
            node.convict(fork.clone());
        }
        let [mut one, other, third] = nodes;
        assert_eq!([one.digest(), other.digest()], [third.digest(); 2]);
        let peer = PeerNumber::try_from(2_u64).expect("a number");
        let theirs = other.chains().heads();
        let (mut logs, mut signed) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            assert_eq!(one.confirm(&theirs, peer, 1), Confirmed::Well);
            let entry = Entry::Checkpoint(Heads::default());
            one.write(vec![entry], 0, &mut rand::rng(), &mut signed).expect("room");
            logs.push(one.chains().heads().len());
        }
        assert_eq!(logs, [2, 2, 2], "one log more, and no more for each meeting");
        // The other device hears of that log, and that all have it. It is not its own.
        let mut other = took(other, &signed);
        assert_eq!(other.confirm(&one.chains().heads(), peer, 1), Confirmed::Well);
        assert_eq!(said(&mut other).len(), 3, "each device writes a log of its own");
    }

    #[test]
    fn only_all_peers_together_tell_that_the_own_log_ends_where_it_does_here() {
        let peer = |number: u64| PeerNumber::try_from(number).expect("a number");
        let mut replica = replica();
        let heads = said(&mut replica);
        replica.own = Own::Unsure;
        let nothing = Heads::default();
        for (theirs, by) in [(&heads, 2), (&heads, 2), (&nothing, 3)] {
            assert_eq!(replica.confirm(theirs, peer(by), 3), Confirmed::Well);
            assert!(matches!(replica.own, Own::Unsure));
        }
        assert_eq!(replica.confirm(&heads, peer(4), 3), Confirmed::Well);
        assert!(matches!(replica.own, Own::Log(_)));
        assert_eq!(said(&mut replica).len(), 1);
    }

    #[test]
    fn a_peer_that_is_away_for_ever_does_not_cost_a_log_at_every_start() {
        let peer = PeerNumber::try_from(2).expect("a number");
        let mut replica = replica();
        for _ in 0..2 * MAX_SURE_LOGS {
            let heads = said(&mut replica);
            replica.own = Own::Unsure;
            replica.confirm(&heads, peer, 2);
        }
        assert_eq!(replica.chains().heads().len(), MAX_SURE_LOGS);
    }
}
