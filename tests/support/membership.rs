//! A network in memory for tests of membership: nodes that sign, and what follows for who has which of their blocks.

#![allow(dead_code, missing_docs, reason = "each user needs its part of this")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use rand::SeedableRng;
use rand::rngs::StdRng;
use reunite::model::address::Address;
use reunite::model::identity::Identity;
use reunite::model::ids::PeerNumber;
use reunite::model::keys::{IdentityKey, PublicKeys, SecretKey};
use reunite::model::ledger::block::Verified;
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::heads::{Head, Heads};
use reunite::model::ledger::membership::{
    Admitted, Founded, Membership, Moved, Profile, Renamed, Revoked, Rule,
};
use reunite::model::ledger::names::NetworkId;
use reunite::model::ledger::pen::Pen;
use reunite::model::ledger::register::Register;
use reunite::model::membership::roster::Roster;
use reunite::model::secret::Token;
use std::net::SocketAddr;
use std::sync::LazyLock;

/// Nodes that there can be.
pub const NODES: usize = 40;

static IDENTITIES: LazyLock<Vec<Identity>> = LazyLock::new(|| {
    (0..NODES as u8).map(|byte| Identity::new(SecretKey::from([byte + 1; 32]))).collect()
});

/// A network. Node 0 is its founder and has number 1.
pub struct World {
    pub network: NetworkId,
    pub blocks: Vec<Verified>,
    pub rng: StdRng,
    pens: Vec<Pen>,
}

pub fn keys(node: usize) -> PublicKeys {
    IDENTITIES[node].public()
}

pub fn key(node: usize) -> IdentityKey {
    keys(node).identity
}

pub fn number(number: u64) -> PeerNumber {
    number.try_into().expect("a number")
}

pub fn address(last: u8) -> Address {
    SocketAddr::from(([10, 0, 0, last], 33_001)).try_into().expect("an address")
}

pub fn token(node: usize) -> Token {
    Token::try_from(format!("{:012}", 700_000_000_000 + node).as_bytes()).expect("digits")
}

pub fn profile(node: usize, number_of: u64) -> Profile {
    let organisation = format!("Clinic {node}").parse().expect("a name");
    let (number, keys, address) = (number(number_of), keys(node), address(node as u8 + 1));
    Profile { number, organisation, keys, address }
}

impl World {
    pub fn new(seed: u64, rule: Rule) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let pens = IDENTITIES.iter().map(|identity| Pen::begin(identity, 7.into())).collect();
        let founded = Founded::new("aid".parse().expect("a name"), rule, &mut rng);
        let network = founded.network(&key(0));
        let mut world = Self { network, blocks: Vec::new(), rng, pens };
        world.say(0, Membership::Founded(founded));
        world.admits(0, 0);
        world
    }

    /// A network of so many, all admitted by the founder; each has consented.
    pub fn of(count: usize) -> Self {
        let mut world = Self::new(1, Rule::default());
        for node in 1..count {
            let admitted = world.admits(0, node);
            world.say(node, admitted);
        }
        world
    }

    /// A node signs this behind all that was ever signed. Returns the place of its block.
    pub fn say(&mut self, node: usize, said: Membership) -> usize {
        let lamport = self.blocks.len() as u64 + 1;
        self.sign(node, vec![said.into()], lamport)
    }

    pub fn sign(&mut self, node: usize, entries: Vec<Entry>, lamport: u64) -> usize {
        let block = self.pens[node].sign(entries, lamport, 0).expect("room");
        self.blocks.push(block);
        self.blocks.len() - 1
    }

    /// A node begins another log, as if it had never written.
    pub fn forget(&mut self, node: usize, log: u64) {
        self.pens[node] = Pen::begin(&IDENTITIES[node], log.into());
    }

    /// A node begins a log behind its others, as after a restart.
    pub fn restart(&mut self, node: usize, log: u64) {
        let (pen, resume) = Pen::resume(&IDENTITIES[node], log.into(), &self.heads(node));
        self.pens[node] = pen;
        let lamport = self.blocks.len() as u64 + 1;
        self.sign(node, vec![resume], lamport);
    }

    pub fn admission(&mut self, profile: Profile, token: Token) -> Membership {
        Membership::Admitted(Admitted::new(self.network, profile, token.into(), &mut self.rng))
    }

    /// One node admits another, under its own number.
    pub fn admits(&mut self, by: usize, node: usize) -> Membership {
        self.admits_as(by, profile(node, node as u64 + 1), token(node))
    }

    pub fn admits_as(&mut self, by: usize, profile: Profile, token: Token) -> Membership {
        let admitted = self.admission(profile, token);
        self.say(by, admitted.clone());
        admitted
    }

    /// One node speaks against another, of which it believes all up to these heads.
    pub fn against(&mut self, by: usize, node: usize, last_good: &Heads) {
        let reason = "taken".parse().expect("a reason");
        let revoked = Revoked::new(self.network, key(node), last_good, reason).expect("few logs");
        self.say(by, Membership::Revoked(revoked));
    }

    /// One node speaks against another, and believes all that it has written so far.
    pub fn revokes(&mut self, by: usize, node: usize) {
        let heads = self.heads(node);
        self.against(by, node, &heads);
    }

    /// A node says of whom it has seen that they are shut out, as nodes do by themselves.
    pub fn heeds(&mut self, by: usize) {
        for said in self.roster().unheeded(&key(by)) {
            self.say(by, said);
        }
    }

    pub fn moves(&mut self, by: usize, node: usize, to: Address) {
        let (network, member) = (self.network, key(node));
        self.say(by, Membership::Moved(Moved { network, member, address: to }));
    }

    pub fn renames(&mut self, node: usize, to: &str) {
        let (network, organisation) = (self.network, to.parse().expect("a name"));
        self.say(node, Membership::Renamed(Renamed { network, organisation }));
    }

    /// The heads of the logs of a node.
    pub fn heads(&self, node: usize) -> Heads {
        let own = self.blocks.iter().filter(|block| block.header().name.author == key(node));
        own.map(|block| block.signed().head()).collect()
    }

    /// These heads, each so many blocks earlier.
    pub fn earlier(heads: &Heads, by: u32) -> Heads {
        let shorter = heads.iter().filter(|head| head.length > by);
        shorter.map(|head| Head { length: head.length - by, ..head }).collect()
    }

    pub fn register(&self) -> Register {
        register(&self.blocks)
    }

    pub fn roster(&self) -> Roster {
        self.roster_of(&self.register())
    }

    pub fn roster_of(&self, register: &Register) -> Roster {
        Roster::new(register, self.network, &|_, _, _| true).expect("it was founded")
    }

    /// Who is a member, by node.
    pub fn members(&self) -> Vec<usize> {
        let roster = self.roster();
        (0..NODES).filter(|node| roster.member(&key(*node)).is_some()).collect()
    }
}

pub fn register<'a>(blocks: impl IntoIterator<Item = &'a Verified>) -> Register {
    let mut register = Register::default();
    for block in blocks {
        register.take(block);
    }
    register
}
