//! The world: all nodes, their links, and what happens next, in virtual time.
//!
//! What a node sends and when is what the pure layer says. What the layer above adds is copied here: how many calls go at
//! once (`net::broadcast`), how long a call without an answer takes, what a meeting sends (`model::meeting`).

use super::links::Links;
use super::node::{Errand, Node, Views, index, number, secs};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use reunite::model::beacon::Beacon;
use reunite::model::datagram::{COOKIE, CallId, HELLO, KNOCK, PORT};
use reunite::model::keys::IdentityKey;
use reunite::model::ledger::block::Verified;
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::heads::{HEAD_BYTES, Heads};
use reunite::model::ledger::membership::{Heeded, Membership};
use reunite::model::ledger::names::{LogName, NetworkId};
use reunite::model::limits::{
    ALARM_AGAIN, CALL_AGAIN, CALL_PATIENCE, IDLE_LOOK, LINK_SILENCE, MAX_DIALS, MAX_RETRIES,
    MAX_RETURNS, MAX_SPOKEN, PASS_ON_SHARE, PROBE_EVERY, PROBE_JITTER, RETRY_LAST,
};
use reunite::model::liveness::{Sign, State};
use reunite::model::rumour;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Longest time until a node looks whom to probe.
const LONGEST: Duration = Duration::from_secs(1);
/// What TLS sends to open a session, bytes there and back, in 3 messages.
const TLS: usize = 806;
/// The small frames of a meeting, with what TLS adds: bind, given, stored.
const SMALL: usize = 200;
/// Where all nodes listen.
const PORT_OF_ALL: u16 = 33_001;

/// What a node has sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub beacons: u64,
    pub probes: u64,
    pub answers: u64,
    /// Meetings that it asked for.
    pub calls: u64,
    /// Datagrams and frames for meetings.
    pub messages: u64,
    /// Bytes for meetings.
    pub bytes: u64,
}

/// Why one node calls another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// To pass something on.
    Debt,
    /// It has come back.
    Return,
    /// A person has changed something.
    Change,
    /// To raise an alarm.
    Alarm,
}

struct Call {
    from: usize,
    to: usize,
    lives: [u32; 2],
    why: Why,
    begun: Instant,
    states: [u64; 2],
    given: Vec<Rc<Verified>>,
    taken: Vec<Rc<Verified>>,
}

#[derive(Clone, Debug)]
enum What {
    Probe,
    Answer { of: usize, call: CallId },
    Light,
    Hear { from: usize, bytes: Rc<[u8]> },
    Look,
    Compare(u64),
    Done(u64),
    Failed(u64),
    Rested,
    AlarmAgain,
    Leave,
    Back,
}

struct Event {
    at: Instant,
    order: u64,
    node: usize,
    life: u32,
    what: What,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Something that all are to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    Member(IdentityKey),
    Shut(IdentityKey),
    /// This block.
    Said(LogName, u32),
}

/// Since when each knows it.
pub struct News {
    pub fact: Fact,
    pub begun: Instant,
    pub known: Vec<Option<Instant>>,
}

pub struct World {
    pub now: Instant,
    pub nodes: Vec<Node>,
    pub links: Links,
    pub rng: StdRng,
    pub counts: Vec<Count>,
    pub news: Vec<News>,
    /// Calls of who is shut out that were not answered, and those that were.
    pub refused: u64,
    pub let_in: u64,
    pub network: NetworkId,
    views: Views,
    blocks: HashMap<(LogName, u32), Rc<Verified>>,
    queue: BinaryHeap<Reverse<Event>>,
    calls: BTreeMap<u64, Call>,
    order: u64,
}

impl World {
    pub fn new(network: NetworkId, nodes: usize, seed: u64, views: Views) -> Self {
        let now = Instant::now();
        Self {
            now,
            nodes: Vec::new(),
            links: Links::new(nodes, seed, now),
            rng: StdRng::seed_from_u64(seed),
            counts: vec![Count::default(); nodes],
            news: Vec::new(),
            refused: 0,
            let_in: 0,
            network,
            views,
            blocks: HashMap::new(),
            queue: BinaryHeap::new(),
            calls: BTreeMap::new(),
            order: 0,
        }
    }

    /// The oldest call that goes on.
    pub fn oldest_call(&self) -> Option<Duration> {
        self.calls.values().map(|call| self.now.duration_since(call.begun)).max()
    }

    pub fn views(&mut self) -> &mut Views {
        &mut self.views
    }

    /// Adds a node that runs since long, and heard all others that do not long ago.
    pub fn add(&mut self, mut node: Node, blocks: &[Rc<Verified>], there: impl Fn(usize) -> bool) {
        let me = self.nodes.len();
        node.hold(blocks);
        node.is_there = there(me);
        for peer in node.others.clone().into_iter().filter(|peer| there(index(*peer))) {
            node.liveness.heard(peer, self.now);
        }
        node.debts.clear();
        self.nodes.push(node);
        self.keep(blocks);
        if there(me) {
            let (probe, light) = (self.spread(1.0), self.spread(45.0));
            self.at(me, probe, What::Probe);
            self.at(me, light, What::Light);
            self.look_later(me);
        }
    }

    fn spread(&mut self, seconds: f64) -> Instant {
        self.now + secs(self.rng.random_range(0.0..seconds))
    }

    fn keep(&mut self, blocks: &[Rc<Verified>]) {
        for block in blocks {
            let header = block.header();
            self.blocks.insert((header.name, header.sequence), Rc::clone(block));
        }
    }

    fn at(&mut self, node: usize, at: Instant, what: What) {
        self.order += 1;
        let life = self.nodes[node].life;
        let event = Event { at: at.max(self.now), order: self.order, node, life, what };
        self.queue.push(Reverse(event));
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.queue.peek().is_some_and(|Reverse(event)| event.at <= end) {
            let Some(Reverse(event)) = self.queue.pop() else { break };
            self.now = event.at;
            let node = &self.nodes[event.node];
            let is_valid = match event.what {
                What::Leave | What::Back => true,
                // Whose other side must not wait for ever.
                What::Compare(_) | What::Done(_) | What::Failed(_) => true,
                _ => node.is_there && node.life == event.life,
            };
            if is_valid {
                self.happens(event.node, event.what);
            }
        }
        self.now = end;
    }

    /// Lets time pass until all who are there know the last news, or this time is over. Returns how long it took.
    pub fn until_known(&mut self, patience: Duration) -> Option<Duration> {
        let end = self.now + patience;
        while self.now < end {
            self.run(secs(0.25));
            let news = self.news.last().expect("there are news");
            let mut there = (0..self.nodes.len()).filter(|node| self.counts_for(*node, news));
            if there.all(|node| news.known[node].is_some()) {
                let last = news.known.iter().flatten().max().expect("somebody knows it");
                return Some(last.duration_since(news.begun));
            }
        }
        None
    }

    fn counts_for(&self, node: usize, news: &News) -> bool {
        let node = &self.nodes[node];
        node.is_there && news.fact != Fact::Shut(node.key()) && !self.is_shut_out(&node.key())
    }

    /// All blocks that a node has, those of one log one behind the other.
    pub fn all_of(&self, node: usize) -> Vec<Rc<Verified>> {
        let heads = self.nodes[node].heads();
        let ranges = heads.beyond(&Heads::default()).into_iter();
        let blocks = ranges
            .flat_map(|range| (range.from..range.to).map(move |sequence| (range.name, sequence)));
        blocks.map(|block| Rc::clone(&self.blocks[&block])).collect()
    }

    fn is_shut_out(&self, key: &IdentityKey) -> bool {
        self.news.iter().any(|news| news.fact == Fact::Shut(*key))
    }

    /// How long after it began half of those who know it knew it.
    pub fn half_knew(&self) -> Duration {
        let news = self.news.last().expect("there are news");
        let mut known: Vec<_> = news.known.iter().flatten().copied().collect();
        known.sort();
        known[known.len() / 2].duration_since(news.begun)
    }

    // --- what people do ---

    pub fn tell_of(&mut self, fact: Fact) {
        let known = vec![None; self.counts.len()];
        self.news.push(News { fact, begun: self.now, known });
        (0..self.nodes.len()).for_each(|node| self.note(node));
    }

    /// Notes which of the news a node knows.
    fn note(&mut self, node: usize) {
        let (who, now) = (&self.nodes[node], self.now);
        for news in self.news.iter_mut().filter(|news| news.known[node].is_none()) {
            let is_known = match news.fact {
                Fact::Member(key) => who.view.roster.member(&key).is_some(),
                Fact::Shut(key) => who.view.roster.is_revoked(&key),
                Fact::Said(log, sequence) => who.chains.length(&log) > sequence,
            };
            news.known[node] = is_known.then_some(now);
        }
    }

    /// A node signs something. Returns where it stands.
    pub fn sign(&mut self, node: usize, said: Membership) -> (LogName, u32) {
        let who = &mut self.nodes[node];
        let (lamport, wall) = (who.chains.next_lamport(), who.wall);
        let entry = Entry::from(said);
        let block = Rc::new(who.pen.sign(vec![entry], lamport, wall).expect("room"));
        self.keep(std::slice::from_ref(&block));
        self.takes(node, &[Rc::clone(&block)]);
        (block.header().name, block.header().sequence)
    }

    /// A person has changed something: it goes to all at once.
    pub fn broadcast(&mut self, node: usize) {
        let mut peers = rumour::changed(&self.nodes[node].others, &mut self.rng);
        rumour::there_first(&mut peers, |peer| self.nodes[node].liveness.state(*peer));
        self.nodes[node].change.left.extend(peers.into_iter().map(index));
        self.pump(node, Why::Change);
    }

    /// A person raises an alarm: all are called for that alone, and it travels with the ledger, as all else.
    pub fn alarm(&mut self, node: usize) {
        let mut peers = self.nodes[node].others.clone();
        rumour::there_first(&mut peers, |peer| self.nodes[node].liveness.state(*peer));
        let peers = peers.into_iter().map(index).collect();
        self.nodes[node].alarm = Errand { left: peers, ..Errand::default() };
        self.pump(node, Why::Alarm);
    }

    pub fn leave(&mut self, node: usize, after: Duration) {
        self.at(node, self.now + after, What::Leave);
    }

    pub fn back(&mut self, node: usize, after: Duration) {
        self.at(node, self.now + after, What::Back);
    }

    // --- what happens ---

    fn happens(&mut self, node: usize, what: What) {
        match what {
            What::Probe => self.probe(node),
            What::Answer { of, call } => self.answered(node, of, call),
            What::Light => self.light(node),
            What::Hear { from, bytes } => self.hears(node, from, &bytes),
            What::Look => {
                if self.nodes[node].look == Some(self.now) {
                    self.look(node);
                }
            }
            What::Compare(call) => self.compare(call),
            What::Done(call) => self.done(call),
            What::Failed(call) => self.failed(call),
            What::Rested => {
                self.nodes[node].retries -= 1;
                self.look_later(node);
            }
            What::AlarmAgain => {
                let alarm = &mut self.nodes[node].alarm;
                alarm.left.extend(std::mem::take(&mut alarm.missed));
                self.pump(node, Why::Alarm);
            }
            What::Leave => self.nodes[node].is_there = false,
            What::Back => self.comes_back(node),
        }
    }

    fn comes_back(&mut self, node: usize) {
        let plan = self.nodes[node].start(self.now, &mut self.rng);
        self.owe_all(node, plan);
        self.at(node, self.now, What::Probe);
        self.at(node, self.now, What::Light);
    }

    // --- monitoring ---

    fn probe(&mut self, node: usize) {
        let now = self.now;
        let Some((peer, _)) = self.nodes[node].liveness.due(now) else {
            let next = self.nodes[node].liveness.next().unwrap_or(now + LONGEST);
            return self.at(node, next.clamp(now + secs(0.001), now + LONGEST), What::Probe);
        };
        let (call, jitter) = (CallId(self.rng.random()), self.rng.random());
        self.nodes[node].liveness.asked(peer, call, now, jitter);
        self.counts[node].probes += 1;
        let of = index(peer);
        let there = self.links.datagram(node, of, &mut self.rng);
        let back = self.links.datagram(of, node, &mut self.rng);
        if let Some(there) = there.filter(|_| self.nodes[of].is_there) {
            self.counts[of].answers += 1;
            if let Some(back) = back {
                self.at(node, now + there + back, What::Answer { of, call });
            }
        }
        // It has nothing to do before; then it looks.
        let pause = PROBE_EVERY - PROBE_JITTER + (PROBE_JITTER * 2).mul_f64(jitter);
        self.at(node, now + pause, What::Probe);
    }

    fn answered(&mut self, node: usize, of: usize, call: CallId) {
        let sign = self.nodes[node].liveness.answered(call, self.now);
        if let Some(Sign { is_back: true, .. }) = sign {
            self.returned(node, of);
        }
    }

    fn heard(&mut self, node: usize, of: usize) {
        if self.nodes[node].liveness.heard(number(of), self.now).is_back {
            self.returned(node, of);
        }
    }

    fn returned(&mut self, node: usize, of: usize) {
        let others = self.nodes[node].others.len();
        let wait = self.nodes[node].comebacks.one(others, self.now, &mut self.rng);
        if let Some(wait) = wait {
            let due = self.now + wait;
            self.nodes[node].hurry(of, due);
            self.look_later(node);
        }
    }

    // --- discovery ---

    fn address(&self, node: usize) -> SocketAddrV4 {
        let lan = self.links.lan(node);
        let ip = Ipv4Addr::new(10, (lan / 250) as u8, (lan % 250) as u8, 1 + (node % 100) as u8);
        SocketAddrV4::new(ip, PORT_OF_ALL)
    }

    fn light(&mut self, node: usize) {
        let (now, address) = (self.now, self.address(node));
        let who = &mut self.nodes[node];
        let (boot, heads) = (u64::from(who.life), who.half());
        let beacon = Beacon { member: number(node), boot, count: who.count, address, heads };
        let bytes: Rc<[u8]> = who.lamp.light(&beacon, self.rng.random()).into();
        who.count += 1;
        who.rhythm.lit(now, self.rng.random());
        let next = who.rhythm.next();
        self.counts[node].beacons += 1;
        self.at(node, next, What::Light);
        let lan = self.links.lan(node);
        let near = (0..self.nodes.len()).filter(|other| *other != node);
        let near: Vec<_> = near.filter(|other| self.links.lan(*other) == lan).collect();
        for other in near {
            if let Some(time) = self.links.datagram(node, other, &mut self.rng) {
                let bytes = Rc::clone(&bytes);
                self.at(other, now + time, What::Hear { from: node, bytes });
            }
        }
    }

    fn hears(&mut self, node: usize, from: usize, bytes: &[u8]) {
        let (now, address) = (self.now, self.address(from));
        let who = &mut self.nodes[node];
        let Ok(sighting) = who.watch.datagram(bytes, address.into(), now) else { return };
        let (peer, other, own) = (sighting.member, index(sighting.member), who.half());
        if matches!(who.liveness.state(peer), State::Quiet(_)) {
            self.returned(node, other);
        } else if who.apart.are(peer, own, sighting.heads) {
            let wait = rumour::differs(who.watch.near(now), &mut self.rng);
            if let Some(wait) = wait.filter(|_| !who.calling.contains(&other)) {
                self.owe_all(node, vec![(peer, wait)]);
            }
        }
    }

    // --- whom to meet ---

    pub fn owe_all(&mut self, node: usize, plan: rumour::Plan) {
        let now = self.now;
        plan.into_iter().for_each(|(peer, wait)| self.nodes[node].owe(index(peer), now + wait));
        self.look_later(node);
    }

    /// Plans when the node looks next whom to meet.
    fn look_later(&mut self, node: usize) {
        let idle = IDLE_LOOK.mul_f64(self.rng.random());
        let who = &mut self.nodes[node];
        let urgent = who.earliest(true).filter(|_| who.returns < MAX_RETURNS);
        let other = who.earliest(false).filter(|_| who.retries < MAX_RETRIES);
        let times = [urgent, other.map(|due| due.max(self.now) + idle), Some(who.meet)];
        let next = times.into_iter().flatten().min().expect("a random peer is met in any case");
        let next = next.max(self.now + secs(0.05));
        if who.look.is_none_or(|planned| planned <= self.now || next < planned) {
            who.look = Some(next);
            self.at(node, next, What::Look);
        }
    }

    fn look(&mut self, node: usize) {
        let now = self.now;
        let who = &mut self.nodes[node];
        who.look = None;
        if who.meet <= now {
            who.meet = now + rumour::next_meeting(&mut self.rng);
            if let Some(peer) = rumour::anybody(&who.others, &mut self.rng) {
                who.owe(index(peer), now);
            }
        }
        while self.nodes[node].returns < MAX_RETURNS {
            let Some(peer) = self.nodes[node].next_due(now, true) else { break };
            self.nodes[node].returns += 1;
            self.call(node, peer, Why::Return);
        }
        while self.nodes[node].retries < MAX_RETRIES {
            let Some(peer) = self.nodes[node].next_due(now, false) else { break };
            self.nodes[node].retries += 1;
            self.call(node, peer, Why::Debt);
        }
        self.look_later(node);
    }

    /// Goes on with what is sent to many.
    fn pump(&mut self, node: usize, why: Why) {
        let now = self.now;
        loop {
            let who = &mut self.nodes[node];
            let errand = if why == Why::Alarm { &mut who.alarm } else { &mut who.change };
            if errand.active >= MAX_DIALS {
                return;
            }
            let Some(peer) = errand.left.pop_front() else { break };
            if why == Why::Change && who.calling.contains(&peer) {
                who.missed(peer, now);
                continue;
            }
            errand.active += 1;
            self.call(node, peer, why);
        }
        let alarm = &mut self.nodes[node].alarm;
        if why == Why::Alarm && alarm.active == 0 && !alarm.missed.is_empty() {
            if let Some(wait) = ALARM_AGAIN.get(alarm.round) {
                alarm.round += 1;
                self.at(node, now + *wait, What::AlarmAgain);
            }
        }
    }

    // --- a call ---

    fn call(&mut self, from: usize, to: usize, why: Why) {
        let (now, id) = (self.now, self.order);
        self.order += 1;
        self.counts[from].calls += 1;
        if why != Why::Alarm {
            self.nodes[from].calling.insert(to);
        }
        let (caller, peer) = (&self.nodes[from], &self.nodes[to]);
        let is_reached = peer.is_there && !self.links.is_cut(from, to);
        let is_known = peer.knows(from) && caller.knows(to);
        if is_reached && peer.view.roster.is_revoked(&caller.key()) {
            self.refused += 1;
        }
        let (lives, states) = ([caller.life, peer.life], [caller.blocks, peer.blocks]);
        let (given, taken) = (Vec::new(), Vec::new());
        let call = Call { from, to, lives, why, begun: now, states, given, taken };
        self.calls.insert(id, call);
        let knock = (is_reached && is_known).then(|| {
            let hello = self.exchange(from, to, HELLO, COOKIE)?;
            Some(hello + self.exchange(from, to, KNOCK, PORT)?)
        });
        match knock.flatten() {
            Some(time) => {
                self.sent(from, 3, TLS / 2);
                self.sent(to, 2, TLS / 2);
                let time = time + self.links.round_trip(from, to) * 3;
                self.at(from, now + time, What::Compare(id));
            }
            None => {
                let tries = CALL_AGAIN.len() + 1;
                self.sent(from, tries as u64, tries * HELLO);
                self.at(from, now + CALL_PATIENCE, What::Failed(id));
            }
        }
    }

    /// A datagram and its answer, each sent again when it is lost.
    fn exchange(&mut self, from: usize, to: usize, asks: usize, says: usize) -> Option<Duration> {
        for again in [Duration::ZERO].into_iter().chain(CALL_AGAIN) {
            self.sent(from, 1, asks);
            let Some(there) = self.links.datagram(from, to, &mut self.rng) else { continue };
            self.sent(to, 1, says);
            if let Some(back) = self.links.datagram(to, from, &mut self.rng) {
                return Some(again + there + back);
            }
        }
        None
    }

    fn sent(&mut self, node: usize, messages: u64, bytes: usize) {
        self.counts[node].messages += messages;
        self.counts[node].bytes += bytes as u64;
    }

    fn is_broken(&self, call: &Call) -> bool {
        let ends = [call.from, call.to].into_iter().zip(call.lives);
        let is_gone = |(node, life): (usize, u32)| {
            let node = &self.nodes[node];
            !node.is_there || node.life != life
        };
        ends.into_iter().any(is_gone) || self.links.is_cut(call.from, call.to)
    }

    /// Both are connected and tell their heads.
    fn compare(&mut self, id: u64) {
        let Some(call) = self.calls.get(&id) else { return };
        let (from, to, why, now) = (call.from, call.to, call.why, self.now);
        if self.is_broken(call) {
            self.at(from, now + LINK_SILENCE, What::Failed(id));
            return;
        }
        self.heard(from, to);
        self.heard(to, from);
        let trip = self.links.round_trip(from, to);
        if why == Why::Alarm {
            self.sent(from, 2, MAX_SPOKEN + SMALL);
            self.sent(to, 1, SMALL);
            let there = self.links.transfer(from, to, MAX_SPOKEN + SMALL, now);
            self.at(from, now + there + trip, What::Done(id));
            return;
        }
        let heads = [self.nodes[from].heads(), self.nodes[to].heads()];
        let given = self.lacked(to, &heads[0], &heads[1]);
        let taken = self.lacked(from, &heads[1], &heads[0]);
        let size = |blocks: &[Rc<Verified>]| blocks.iter().map(|block| block.bytes().len()).sum();
        let told = heads.map(|heads| heads_bytes(heads.len()));
        let bytes: [usize; 2] = [size(&given), size(&taken)];
        let logs = |blocks: usize| blocks as u64;
        self.sent(from, 4 + logs(given.len()), SMALL + told[0] + bytes[0]);
        self.sent(to, 4 + logs(taken.len()), SMALL + told[1] + bytes[1]);
        let links = &mut self.links;
        let there = links.transfer(from, to, told[0] + bytes[0], now);
        let back = links.transfer(to, from, told[1] + bytes[1], now);
        if let Some(call) = self.calls.get_mut(&id) {
            (call.given, call.taken) = (given, taken);
        }
        self.at(from, now + there + back + trip * 2, What::Done(id));
    }

    /// What one with these heads gives a node, which wants what members wrote.
    fn lacked(&self, node: usize, has: &Heads, lacks: &Heads) -> Vec<Rc<Verified>> {
        let roster = &self.nodes[node].view.roster;
        let ranges = has.beyond(lacks).into_iter();
        let wanted = ranges.filter(|range| roster.is_author(&range.name.author));
        let blocks = wanted
            .flat_map(|range| (range.from..range.to).map(move |sequence| (range.name, sequence)));
        blocks.map(|block| Rc::clone(&self.blocks[&block])).collect()
    }

    fn done(&mut self, id: u64) {
        let Some(call) = self.calls.remove(&id) else { return };
        if self.is_broken(&call) {
            self.calls.insert(id, call);
            self.at(self.calls[&id].from, self.now + LINK_SILENCE, What::Failed(id));
            return;
        }
        let Call { from, to, .. } = call;
        let caller = Fact::Shut(self.nodes[from].key());
        let known =
            self.news.iter().find(|news| news.fact == caller).and_then(|news| news.known[to]);
        self.let_in += u64::from(known.is_some_and(|known| known <= call.begun));
        if call.why == Why::Alarm {
            // It is on the screen; the block of the ledger that says the same comes behind it.
            self.shown(to);
        } else {
            for (node, other, blocks) in [(to, from, &call.given), (from, to, &call.taken)] {
                if self.takes(node, blocks) {
                    let others = &self.nodes[node].others;
                    let plan = rumour::applied(others, number(other), &mut self.rng);
                    self.owe_all(node, plan);
                }
            }
            self.nodes[from].paid(to, call.states[0]);
            self.nodes[to].paid(from, call.states[1]);
        }
        self.over(&call, true);
    }

    /// The last news were shown by a call for them alone.
    fn shown(&mut self, to: usize) {
        let now = self.now;
        if let Some(news) = self.news.last_mut() {
            news.known[to].get_or_insert(now);
        }
    }

    fn takes(&mut self, node: usize, blocks: &[Rc<Verified>]) -> bool {
        let is_news = self.nodes[node].take(node, blocks, &mut self.views);
        self.note(node);
        // Of whom it has seen that they are shut out, a node says so by itself.
        while let Some(member) = self.nodes[node].unheeded.pop_first() {
            self.sign(node, Membership::Heeded(Heeded { network: self.network, member }));
        }
        is_news
    }

    fn failed(&mut self, id: u64) {
        let Some(call) = self.calls.remove(&id) else { return };
        let Call { from, to, why, lives, .. } = call;
        if self.nodes[from].life != lives[0] {
            return;
        }
        match why {
            Why::Alarm => self.nodes[from].alarm.missed.push(to),
            _ => self.nodes[from].missed(to, self.now),
        }
        self.over(&call, false);
    }

    fn over(&mut self, call: &Call, is_well: bool) {
        let (from, now) = (call.from, self.now);
        if call.why != Why::Alarm {
            self.nodes[from].calling.remove(&call.to);
        }
        match call.why {
            Why::Change => {
                self.nodes[from].change.active -= 1;
                self.pump(from, Why::Change);
            }
            Why::Alarm => {
                self.nodes[from].alarm.active -= 1;
                self.pump(from, Why::Alarm);
            }
            Why::Return => self.nodes[from].returns -= 1,
            Why::Debt => {
                // The link has a rest before the next one.
                let cost = now.duration_since(call.begun);
                let rest = (cost * PASS_ON_SHARE).min(RETRY_LAST);
                let rest = if is_well { rest } else { Duration::ZERO };
                self.at(from, now + rest, What::Rested);
            }
        }
        self.look_later(from);
    }

    /// A random node that is there, of which this is true.
    pub fn anybody(&mut self, is: impl Fn(usize) -> bool) -> usize {
        let all = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_there && is(*node));
        let all: Vec<_> = all.collect();
        all[self.rng.next_u64() as usize % all.len()]
    }
}

/// The bytes of a message that tells of so many heads, and of nothing else.
pub fn heads_bytes(heads: usize) -> usize {
    1 + 2 + heads * HEAD_BYTES + 3 * 2
}
