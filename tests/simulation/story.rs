//! What happens in a simulated network, and the figures of it: an ordinary quarter of an hour, then somebody is admitted,
//! somebody shut out, an alarm raised, and a local network cut off from the others and joined again.

use super::node::{Node, Views, identity, index, number, secs};
use super::world::{Count, Fact, World};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use reunite::model::keys::IdentityKey;
use reunite::model::ledger::block::Verified;
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::heads::Heads;
use reunite::model::ledger::membership::{
    Admitted, Founded, Membership, Profile, Renamed, Revoked, Rule,
};
use reunite::model::ledger::names::NetworkId;
use reunite::model::ledger::pen::Pen;
use reunite::model::rumour;
use reunite::model::secret::Token;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// How long messages are counted.
const COUNTED: Duration = Duration::from_secs(15 * 60);
/// Changes of people in that time, in the whole network.
const CHANGES: usize = 3;
/// How long news are waited for, before it is said that they do not spread.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// One in so many nodes is away for hours, or comes back after hours, in the time that is counted.
const AWAY: usize = 10;

/// What all nodes have sent on average in an hour in which they were there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hourly {
    pub beacons: f64,
    /// Hellos and their answers.
    pub probes: f64,
    /// Meetings that a node asked for.
    pub meetings: f64,
    /// Datagrams and frames for them.
    pub sync: f64,
    /// Megabytes for them.
    pub megabytes: f64,
    /// Probes of the node that sent most.
    pub most_probes: f64,
    /// Meetings of the node that asked for most.
    pub most_meetings: f64,
}

/// How long it took until all who were there knew it, and until half of them did.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub all: Duration,
    pub half: Duration,
}

#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub nodes: usize,
    pub hourly: Hourly,
    pub admission: Spread,
    pub revocation: Spread,
    pub alarm: Spread,
    /// Until all who had been away knew all of that, from when the last of them was back.
    pub return_: Duration,
    /// Until all of a local network that was cut off knew what had been said meanwhile, from when it was joined.
    pub joined: Duration,
    /// Meetings that a node asked for in the five minutes behind that, and megabytes for them.
    pub after_cut: f64,
    pub after_cut_megabytes: f64,
    /// Calls of who was shut out that nobody answered.
    pub refused: u64,
    /// How long the oldest call has lasted that goes on in the end.
    pub oldest_call: Duration,
}

/// Founded by node 0, which admitted all but the last; each has consented.
fn founded(nodes: usize, seed: u64) -> (World, Vec<Rc<Verified>>, Vec<Pen>, StdRng) {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x5eed);
    let founded = Founded::new("aid".parse().expect("a name"), Rule::default(), &mut rng);
    let network = founded.network(&identity(0).public().identity);
    let mut pens: Vec<_> = (0..nodes).map(|node| Pen::begin(&identity(node), 7.into())).collect();
    let admitted: Vec<_> = (0..nodes - 1)
        .map(|node| Membership::Admitted(admission(network, node, &mut rng)))
        .collect();
    let mut blocks = Vec::new();
    let entries = [Membership::Founded(founded)].into_iter().chain(admitted.iter().cloned());
    for portion in Pen::portions(entries.map(Entry::from).collect()) {
        blocks.push(pens[0].sign(portion, 1, 0).expect("room"));
    }
    for (node, consent) in admitted.into_iter().enumerate().skip(1) {
        blocks.push(pens[node].sign(vec![consent.into()], 2, 0).expect("room"));
    }
    let blocks: Vec<_> = blocks.into_iter().map(Rc::new).collect();
    let world = World::new(network, nodes, seed, Views::new(network));
    (world, blocks, pens, rng)
}

fn admission(network: NetworkId, node: usize, rng: &mut StdRng) -> Admitted {
    let organisation = format!("Clinic {node}").parse().expect("a name");
    let address = SocketAddr::from(([10, 1, (node / 250) as u8, (node % 250) as u8 + 1], 33_001));
    let address = address.try_into().expect("an address");
    let keys = identity(node).public();
    let profile = Profile { number: number(node), organisation, keys, address };
    let token = format!("{:012}", 700_000_000_000 + node);
    let token = Token::try_from(token.as_bytes()).expect("digits");
    Admitted::new(network, profile, token.into(), rng)
}

/// The network of the story.
struct Story {
    world: World,
    nodes: usize,
    away: BTreeSet<usize>,
    rng: StdRng,
    newcomer: Option<Pen>,
}

/// Tells the story of a network that has so many nodes in the end.
pub fn tell(nodes: usize, seed: u64) -> Figures {
    let (mut world, blocks, mut pens, mut rng) = founded(nodes, seed);
    let before: Vec<_> = blocks.iter().map(|block| &**block).collect();
    let first = world.views().with(None, before).expect("it was founded");
    let newcomer = pens.pop();
    let all_away: BTreeSet<usize> = (0..nodes - 1).filter(|node| node % AWAY == 5).collect();
    // Half of them are away, the others will be.
    let away: BTreeSet<usize> = all_away.iter().copied().step_by(2).collect();
    for (node, pen) in pens.into_iter().enumerate() {
        let mut new = Node::new(node, &first, world.now, &mut rng);
        new.pen = pen;
        world.add(new, &blocks, |node| !away.contains(&node));
    }
    let mut story = Story { world, nodes, away: all_away, rng, newcomer };
    // Until nothing is left of how it began.
    story.world.run(secs(60.0));
    let hourly = story.ordinary(&away);
    let (admission, who) = story.admits();
    let (revocation, shut) = story.revokes(who);
    let alarm = story.alarms(shut);
    let return_ = story.all_return();
    let (joined, after_cut, after_cut_megabytes) = story.cut(shut);
    let refused = story.shut_out(shut);
    story.nobody_is_gone(shut);
    let oldest_call = story.world.oldest_call().unwrap_or_default();
    Figures {
        nodes,
        hourly,
        admission,
        revocation,
        alarm,
        return_,
        joined,
        after_cut,
        after_cut_megabytes,
        refused,
        oldest_call,
    }
}

impl Story {
    fn clear(&mut self) {
        self.world.counts.iter_mut().for_each(|count| *count = Count::default());
    }

    fn key(&self, node: usize) -> IdentityKey {
        self.world.nodes[node].key()
    }

    /// Somebody changes something.
    fn change(&mut self, by: usize) -> Fact {
        let organisation = format!("Clinic {}", self.rng.next_u64()).parse().expect("a name");
        let renamed = Renamed { network: self.world.network, organisation };
        let (log, sequence) = self.world.sign(by, Membership::Renamed(renamed));
        self.world.broadcast(by);
        Fact::Said(log, sequence)
    }

    fn ordinary(&mut self, away: &BTreeSet<usize>) -> Hourly {
        for node in self.away.clone() {
            let when = COUNTED.mul_f64(self.rng.random_range(0.0..0.9));
            match away.contains(&node) {
                true => self.world.back(node, when),
                false => self.world.leave(node, when),
            }
        }
        self.clear();
        let mut presence = 0.0;
        let steps = 30;
        for step in 0..steps {
            if step % (steps / CHANGES) == 0 {
                let by = self.world.anybody(|_| true);
                self.change(by);
            }
            self.world.run(COUNTED / steps as u32);
            presence += self.world.nodes.iter().filter(|node| node.is_there).count() as f64;
        }
        let hours = presence / steps as f64 * COUNTED.as_secs_f64() / 3600.0;
        let counts = &self.world.counts;
        let mean = |of: fn(&Count) -> u64| counts.iter().map(of).sum::<u64>() as f64 / hours;
        let most = |of: fn(&Count) -> u64| {
            let most = counts.iter().map(of).max().unwrap_or_default();
            most as f64 / COUNTED.as_secs_f64() * 3600.0
        };
        Hourly {
            beacons: mean(|count| count.beacons),
            probes: mean(|count| count.probes + count.answers),
            meetings: mean(|count| count.calls),
            sync: mean(|count| count.messages),
            megabytes: mean(|count| count.bytes) / 1e6,
            most_probes: most(|count| count.probes),
            most_meetings: most(|count| count.calls),
        }
    }

    fn spread(&mut self, what: &str) -> Spread {
        let all = self.world.until_known(PATIENCE);
        let all = all.unwrap_or_else(|| panic!("{what} is not known to all in {PATIENCE:?}"));
        Spread { all, half: self.world.half_knew() }
    }

    /// A node takes in the last one, which gets from it all that it has.
    fn admits(&mut self) -> (Spread, usize) {
        let (newcomer, by) = (self.nodes - 1, self.world.anybody(|_| true));
        let admitted = admission(self.world.network, newcomer, &mut self.rng);
        let key = admitted.member();
        self.world.tell_of(Fact::Member(key));
        self.world.sign(by, Membership::Admitted(admitted.clone()));
        let all: Vec<_> = self.world.all_of(by);
        let view = Rc::clone(&self.world.nodes[by].view);
        let mut new = Node::new(newcomer, &view, self.world.now, &mut self.rng);
        new.pen = self.newcomer.take().expect("it comes once");
        self.world.add(new, &all, |_| true);
        self.world.sign(newcomer, Membership::Admitted(admitted));
        self.world.back(newcomer, Duration::ZERO);
        self.world.broadcast(by);
        (self.spread("an admission"), newcomer)
    }

    /// Two others shut somebody out, the second when it has seen the first.
    fn revokes(&mut self, not: usize) -> (Spread, usize) {
        let target = self.world.anybody(|node| node != 0 && node != not);
        let mut by = BTreeSet::new();
        for _ in 0..2 {
            let known = by.clone();
            let voter = self.world.anybody(|node| node != target && !known.contains(&node));
            by.insert(voter);
            let key = self.key(target);
            let heads = self.world.nodes[voter].heads();
            let good: Heads = heads.iter().filter(|head| head.name.author == key).collect();
            let reason = "taken".parse().expect("a reason");
            let said = Revoked::new(self.world.network, key, &good, reason).expect("few logs");
            if by.len() == 2 {
                self.world.tell_of(Fact::Shut(key));
            }
            self.world.sign(voter, Membership::Revoked(said));
            self.world.broadcast(voter);
            if by.len() == 1 {
                self.world.run(secs(60.0));
            }
        }
        (self.spread("a revocation"), target)
    }

    fn alarms(&mut self, shut: usize) -> Spread {
        let by = self.world.anybody(|node| node != shut);
        let network = self.world.network;
        let organisation = "stands for the text".parse().expect("a name");
        let said = Membership::Renamed(Renamed { network, organisation });
        let (log, sequence) = self.world.sign(by, said);
        self.world.tell_of(Fact::Said(log, sequence));
        self.world.alarm(by);
        let plan = rumour::applied(&self.world.nodes[by].others, number(by), &mut self.rng);
        self.world.owe_all(by, plan);
        self.spread("an alarm")
    }

    /// Who is away comes back, one after the other. Returns the longest time until one of them knew all.
    fn all_return(&mut self) -> Duration {
        let gone = |node: &usize| !self.world.nodes[*node].is_there;
        let away: Vec<_> = self.away.iter().copied().filter(gone).collect();
        let mut longest = Duration::ZERO;
        for node in away {
            self.world.back(node, Duration::ZERO);
            let begun = self.world.now;
            while self.world.news.iter().any(|news| news.known[node].is_none()) {
                self.world.run(secs(0.25));
                let took = self.world.now.duration_since(begun);
                assert!(took < PATIENCE, "node {node} does not learn what happened meanwhile");
                longest = longest.max(took);
            }
        }
        longest
    }

    /// The last local network is cut off for four minutes, in which something is said elsewhere.
    fn cut(&mut self, shut: usize) -> (Duration, f64, f64) {
        let lan = self.world.links.lan(self.nodes - 1);
        self.world.links.cut(lan, true);
        self.world.run(secs(120.0));
        let inside: Vec<_> =
            (0..self.nodes).map(|node| self.world.links.lan(node) == lan).collect();
        let by = self.world.anybody(|node| !inside[node] && node != shut);
        let fact = self.change(by);
        self.world.tell_of(fact);
        self.world.run(secs(120.0));
        self.world.links.cut(lan, false);
        self.clear();
        let begun = self.world.now;
        let took = self.world.until_known(PATIENCE).expect("all are joined again");
        let joined = self.world.news.last().expect("news").begun + took;
        let rest = secs(300.0).saturating_sub(self.world.now.duration_since(begun));
        self.world.run(rest);
        let sum = |of: fn(&Count) -> u64| self.world.counts.iter().map(of).sum::<u64>() as f64;
        let nodes = self.nodes as f64;
        let after = (sum(|count| count.calls) / nodes, sum(|count| count.bytes) / nodes / 1e6);
        (joined.saturating_duration_since(begun), after.0, after.1)
    }

    /// Who is shut out is refused by all, whatever it tries.
    fn shut_out(&mut self, shut: usize) -> u64 {
        self.world.refused = 0;
        self.world.broadcast(shut);
        self.world.run(secs(120.0));
        assert_eq!(self.world.let_in, 0, "who was shut out came in");
        self.world.refused
    }

    /// Nobody but who was shut out is missing anywhere, however long it was away.
    fn nobody_is_gone(&self, shut: usize) {
        for (node, who) in self.world.nodes.iter().enumerate().filter(|(node, _)| *node != shut) {
            assert_eq!(who.view.roster.len(), self.nodes - 1, "node {node} misses members");
            assert!(!who.knows(shut) && who.view.roster.is_revoked(&self.key(shut)));
            let peers: BTreeSet<_> = who.others.iter().map(|peer| index(*peer)).collect();
            assert_eq!(peers.len(), self.nodes - 2);
        }
    }
}
