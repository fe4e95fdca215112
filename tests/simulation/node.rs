//! One node: the pure layer of the program, and what it is about to do.

use rand::rngs::StdRng;
use reunite::model::beacon::{Audience, HEADS_BYTES, Lamp, Rhythm, Seal, Watch};
use reunite::model::identity::Identity;
use reunite::model::ids::PeerNumber;
use reunite::model::keys::{IdentityKey, NetworkKeys, SecretKey};
use reunite::model::ledger::block::Verified;
use reunite::model::ledger::chains::Chains;
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::heads::Heads;
use reunite::model::ledger::membership::Membership;
use reunite::model::ledger::names::NetworkId;
use reunite::model::ledger::pen::Pen;
use reunite::model::ledger::register::Register;
use reunite::model::limits::{RETRY_FIRST, RETRY_LAST};
use reunite::model::liveness::Liveness;
use reunite::model::membership::roster::Roster;
use reunite::model::rumour::{self, Apart, Plan, Returns};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The keys that all nodes share.
pub fn network_keys() -> NetworkKeys {
    let network = Some(SecretKey::from([7; 32]));
    NetworkKeys { epoch: 1, network, reader: SecretKey::from([9; 32]) }
}

pub fn number(node: usize) -> PeerNumber {
    (node as u64 + 1).try_into().expect("at most as many nodes as there are numbers")
}

pub fn index(number: PeerNumber) -> usize {
    usize::from(number.value()) - 1
}

/// Who belongs to the network, for whoever has the same statements of that.
pub struct View {
    /// Which statements.
    pub key: u64,
    pub register: Register,
    pub roster: Roster,
}

/// The views that there are: who has the same blocks has the same, so that it is worked out and held once.
pub struct Views {
    network: NetworkId,
    all: HashMap<u64, Rc<View>>,
}

impl Views {
    pub fn new(network: NetworkId) -> Self {
        Self { network, all: HashMap::new() }
    }

    /// What follows when these come to what was known. That others have seen somebody shut out weighs only where two
    /// revoke each other, and is left away.
    pub fn with<'a>(
        &mut self,
        before: Option<&Rc<View>>,
        blocks: impl IntoIterator<Item = &'a Verified>,
    ) -> Option<Rc<View>> {
        let new: Vec<_> = blocks.into_iter().filter(|block| tells_of_members(block)).collect();
        let mut key = before.map_or(0, |view| view.key);
        for block in &new {
            let hash = block.signed().hash();
            let (first, _) = hash.as_bytes().split_first_chunk().expect("32 bytes");
            key ^= u64::from_be_bytes(*first);
        }
        if new.is_empty() {
            return before.cloned();
        }
        if let Some(known) = self.all.get(&key) {
            return Some(Rc::clone(known));
        }
        let mut register = before.map(|view| view.register.clone()).unwrap_or_default();
        new.iter().for_each(|block| {
            register.take(block);
        });
        let roster = Roster::new(&register, self.network, &|_, _, _| true)?;
        let view = Rc::new(View { key, register, roster });
        self.all.insert(key, Rc::clone(&view));
        Some(view)
    }
}

fn tells_of_members(block: &Verified) -> bool {
    let heeded = |said: &Membership| matches!(said, Membership::Heeded(_));
    let tells = |entry: &Entry| matches!(entry, Entry::Membership(said) if !heeded(said));
    block.entries().iter().any(tells)
}

/// What a peer may lack, and when it gets it; see `net::broadcast`.
#[derive(Clone, Copy)]
pub struct Debt {
    pub state: u64,
    pub due: Instant,
    pub failures: u32,
    pub is_urgent: bool,
}

/// What is sent to many at once: to whom still, and how many are being called.
#[derive(Default)]
pub struct Errand {
    pub left: VecDeque<usize>,
    pub active: usize,
    /// Whom it did not reach.
    pub missed: Vec<usize>,
    pub round: usize,
}

pub struct Node {
    pub identity: Identity,
    pub pen: Pen,
    /// What its clock says, seconds since 1970: hardly ever the time.
    pub wall: u64,
    pub is_there: bool,
    /// Counts its starts; what was planned before one is void.
    pub life: u32,
    // What it knows.
    pub chains: Chains,
    pub blocks: u64,
    pub view: Rc<View>,
    pub others: Vec<PeerNumber>,
    heads: OnceCell<(Rc<Heads>, [u8; HEADS_BYTES])>,
    /// What it has not said yet of who is shut out.
    pub unheeded: BTreeSet<IdentityKey>,
    // Discovery and monitoring.
    pub lamp: Lamp,
    pub watch: Watch,
    pub rhythm: Rhythm,
    pub count: u32,
    pub liveness: Liveness,
    // Bringing into step.
    pub debts: BTreeMap<usize, Debt>,
    pub comebacks: Returns,
    pub apart: Apart,
    pub calling: BTreeSet<usize>,
    pub retries: usize,
    pub returns: usize,
    pub change: Errand,
    pub alarm: Errand,
    pub meet: Instant,
    /// When it is woken for that.
    pub look: Option<Instant>,
}

impl Node {
    pub fn new(node: usize, view: &Rc<View>, now: Instant, rng: &mut StdRng) -> Self {
        let identity = identity(node);
        let keys = network_keys();
        let seal = || Seal::new(Audience::Members, &keys, "aid").expect("it has the key");
        let walls = [0, 2_145_916_800, 4_294_967_295, 1_760_000_000];
        let mut new = Self {
            pen: Pen::begin(&identity, 7.into()),
            wall: walls[node % walls.len()],
            is_there: true,
            life: 0,
            chains: Chains::default(),
            blocks: 0,
            view: Rc::clone(view),
            others: Vec::new(),
            heads: OnceCell::new(),
            unheeded: BTreeSet::new(),
            lamp: Lamp::new(seal(), &identity),
            watch: Watch::new(seal(), Some(number(node)), []),
            rhythm: Rhythm::new(now),
            count: 0,
            liveness: Liveness::new([], now),
            debts: BTreeMap::new(),
            comebacks: Returns::default(),
            apart: Apart::default(),
            calling: BTreeSet::new(),
            retries: 0,
            returns: 0,
            change: Errand::default(),
            alarm: Errand::default(),
            meet: now + rumour::next_meeting(rng),
            look: None,
            identity,
        };
        new.follow(node);
        new.liveness = Liveness::new(new.others.iter().copied(), now);
        new
    }

    pub fn key(&self) -> IdentityKey {
        self.identity.public().identity
    }

    pub fn knows(&self, other: usize) -> bool {
        self.others.binary_search(&number(other)).is_ok()
    }

    /// The members are those of its view now.
    fn follow(&mut self, node: usize) {
        let roster = &self.view.roster;
        self.others = roster.members().map(|member| member.number).collect();
        self.others.retain(|peer| *peer != number(node));
        let keys = network_keys();
        let seal = Seal::new(Audience::Members, &keys, "aid").expect("it has the key");
        let members = roster.members().map(|member| (member.number, member.keys.identity));
        self.watch = Watch::new(seal, Some(number(node)), members);
        let me = self.key();
        let heeded = roster.unheeded(&me).into_iter().filter_map(|said| match said {
            Membership::Heeded(heeded) => Some(heeded.member),
            _ => None,
        });
        self.unheeded.extend(heeded);
    }

    /// It has these blocks since long; its view follows from them.
    pub fn hold(&mut self, blocks: &[Rc<Verified>]) {
        for block in blocks {
            self.chains.extend(block).expect("it stands behind the others");
        }
        self.blocks += blocks.len() as u64;
    }

    /// Puts blocks behind those that it has. Returns whether something new in them is to be passed on.
    pub fn take(&mut self, node: usize, blocks: &[Rc<Verified>], views: &mut Views) -> bool {
        let mut new = Vec::new();
        for block in blocks {
            let header = block.header();
            if self.chains.length(&header.name) == header.sequence {
                self.chains.extend(block).expect("it stands behind the others");
                new.push(&**block);
            }
        }
        if new.is_empty() {
            return false;
        }
        let is_news = new.iter().flat_map(|block| block.entries()).any(Entry::is_news);
        self.blocks += new.len() as u64;
        self.heads = OnceCell::new();
        let view = views.with(Some(&self.view), new).expect("it has a view");
        if view.key != self.view.key {
            self.view = view;
            self.follow(node);
        }
        is_news
    }

    fn heads_and_half(&self) -> &(Rc<Heads>, [u8; HEADS_BYTES]) {
        self.heads.get_or_init(|| {
            let heads = self.chains.heads();
            let half = *heads.digest().first_chunk().expect("32 bytes");
            (Rc::new(heads), half)
        })
    }

    pub fn heads(&self) -> Rc<Heads> {
        Rc::clone(&self.heads_and_half().0)
    }

    /// What its beacon says of its heads.
    pub fn half(&self) -> [u8; HEADS_BYTES] {
        self.heads_and_half().1
    }

    /// It is switched on again after hours, knowing what it knew.
    pub fn start(&mut self, now: Instant, rng: &mut StdRng) -> Plan {
        self.is_there = true;
        self.life += 1;
        self.count = 0;
        self.rhythm = Rhythm::new(now);
        self.liveness = Liveness::new(self.others.iter().copied(), now);
        self.debts.clear();
        (self.comebacks, self.apart) = (Returns::default(), Apart::default());
        self.calling.clear();
        (self.retries, self.returns) = (0, 0);
        (self.change, self.alarm) = (Errand::default(), Errand::default());
        (self.meet, self.look) = (now + rumour::next_meeting(rng), None);
        rumour::started(&self.others, rng)
    }

    // --- what peers may lack ---

    pub fn owe(&mut self, peer: usize, due: Instant) {
        let state = self.blocks;
        let new = Debt { state, due, failures: 0, is_urgent: false };
        self.debts.entry(peer).or_insert(new).state = state;
    }

    pub fn hurry(&mut self, peer: usize, due: Instant) {
        self.owe(peer, due);
        if let Some(debt) = self.debts.get_mut(&peer).filter(|debt| !debt.is_urgent) {
            (debt.due, debt.is_urgent) = (due, true);
        }
    }

    pub fn missed(&mut self, peer: usize, now: Instant) {
        let failures = self.debts.get(&peer).map_or(0, |debt| debt.failures) + 1;
        let wait = RETRY_LAST.min(RETRY_FIRST * 2_u32.saturating_pow(failures - 1));
        let debt = Debt { state: self.blocks, due: now + wait, failures, is_urgent: false };
        self.debts.insert(peer, debt);
    }

    pub fn paid(&mut self, peer: usize, state: u64) {
        if self.debts.get(&peer).is_some_and(|debt| debt.state <= state) {
            self.debts.remove(&peer);
        }
    }

    /// Whom to meet now, if somebody is due. It is not due again before the try has ended.
    pub fn next_due(&mut self, now: Instant, is_urgent: bool) -> Option<usize> {
        let calling = &self.calling;
        let due = self.debts.iter_mut().filter(|(peer, debt)| {
            debt.is_urgent == is_urgent && debt.due <= now && !calling.contains(peer)
        });
        let (peer, debt) = due.min_by_key(|(_, debt)| debt.due)?;
        (debt.due, debt.is_urgent) = (now + RETRY_LAST, false);
        Some(*peer)
    }

    pub fn earliest(&self, is_urgent: bool) -> Option<Instant> {
        let debts = self.debts.values().filter(|debt| debt.is_urgent == is_urgent);
        debts.map(|debt| debt.due).min()
    }
}

pub fn identity(node: usize) -> Identity {
    let mut secret = [1; 32];
    secret[..8].copy_from_slice(&(node as u64).to_be_bytes());
    Identity::new(SecretKey::from(secret))
}

pub fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}
