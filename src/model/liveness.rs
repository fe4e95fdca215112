//! Who is there: every peer is up, quiet since some moment, or was never seen. Says whom to probe and when, at one small
//! rate however many peers there are, and learns from what comes. Silence is not guilt: a quiet peer is probed for ever.
//!
//! ```text
//! never --heard--> up --3 probes missed--> quiet --heard--> up, and come back
//! ```

use crate::model::datagram::CallId;
use crate::model::ids::PeerNumber;
use crate::model::limits::{
    PROBE_EVERY, PROBE_JITTER, PROBE_MEMORY, PROBE_PATIENCE, PROBE_QUIET, PROBE_UP, PROBES_ALONE,
    PROBES_MISSED,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// How a peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was heard of it since this node started.
    Never,
    /// It answers.
    Up,
    /// It does not answer; it was last heard then.
    Quiet(Instant),
}

/// What was seen of a peer.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    heard: Option<Instant>,
    probed: Option<Instant>,
    /// Probes without an answer since it was last heard.
    missed: u32,
    round_trip: Option<Duration>,
}

impl Life {
    fn state(&self) -> State {
        match self.heard {
            None => State::Never,
            Some(heard) if self.missed >= PROBES_MISSED => State::Quiet(heard),
            Some(_) => State::Up,
        }
    }

    /// Whether it may be about to become quiet.
    fn is_doubtful(&self) -> bool {
        self.state() == State::Up && self.missed > 0
    }

    /// When to probe it, if it was ever probed or heard.
    fn due(&self) -> Option<Instant> {
        match self.state() {
            State::Up if self.missed > 0 => self.probed.map(|last| last + PROBE_PATIENCE),
            State::Up => self.probed.max(self.heard).map(|last| last + PROBE_UP),
            State::Never | State::Quiet(_) => self.probed.map(|last| last + PROBE_QUIET),
        }
    }
}

/// A probe under way.
#[derive(Clone, Copy, Debug)]
struct Asked {
    peer: PeerNumber,
    call: CallId,
    at: Instant,
    is_missed: bool,
}

/// A sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign {
    /// Whose.
    pub peer: PeerNumber,
    /// Whether it was quiet before.
    pub is_back: bool,
    /// Whether it was never seen before.
    pub is_new: bool,
}

/// What is known of all peers. It grows with their number alone.
#[derive(Debug)]
pub struct Liveness {
    peers: BTreeMap<PeerNumber, Life>,
    /// In the order in which they were sent; the rate bounds how many are remembered.
    asked: VecDeque<Asked>,
    next: Instant,
    /// Probes in a row, of whomever, without an answer.
    missed: u32,
}

impl Liveness {
    /// Of these peers nothing is known yet.
    pub fn new(peers: impl IntoIterator<Item = PeerNumber>, now: Instant) -> Self {
        let peers = peers.into_iter().map(|peer| (peer, Life::default())).collect();
        Self { peers, asked: VecDeque::new(), next: now, missed: 0 }
    }

    /// These are the peers now: of new ones nothing is known yet, those that are gone are forgotten.
    pub fn follow(&mut self, peers: &BTreeSet<PeerNumber>) {
        self.peers.retain(|peer, _| peers.contains(peer));
        self.asked.retain(|asked| peers.contains(&asked.peer));
        for peer in peers {
            self.peers.entry(*peer).or_default();
        }
    }

    /// The peer to be probed now, and how many probes of it had no answer: each time another of its addresses can be
    /// tried.
    pub fn due(&mut self, now: Instant) -> Option<(PeerNumber, u32)> {
        self.expire(now);
        if now < self.next {
            return None;
        }
        // Then this node itself may be cut off, and nobody is there any more.
        let is_alone = self.missed >= PROBES_ALONE;
        let is_due = |life: &Life| match life.state() {
            State::Up if is_alone => life.probed.is_none_or(|last| last + PROBE_PATIENCE <= now),
            _ => life.due().is_none_or(|due| due <= now),
        };
        let due = self.peers.iter().filter(|(_, life)| is_due(life));
        // Doubtful ones first: they are few probes away from being known. Then whoever waits longest.
        let is_known = |life: &Life| is_alone && matches!(life.state(), State::Quiet(_));
        let (peer, life) =
            due.min_by_key(|(_, life)| (!life.is_doubtful(), is_known(life), life.due()))?;
        Some((*peer, life.missed))
    }

    /// When somebody is due, as far as is known now; `None` if there is nobody.
    pub fn next(&self) -> Option<Instant> {
        let due = self.peers.values().map(|life| life.due().unwrap_or(self.next)).min();
        due.map(|due| due.max(self.next))
    }

    /// A probe was sent. `jitter`, from 0 to 1, is random.
    pub fn asked(&mut self, peer: PeerNumber, call: CallId, now: Instant, jitter: f64) {
        self.next = now + PROBE_EVERY - PROBE_JITTER + (PROBE_JITTER * 2).mul_f64(jitter);
        if let Some(life) = self.peers.get_mut(&peer) {
            life.probed = Some(now);
            self.asked.push_back(Asked { peer, call, at: now, is_missed: false });
        }
    }

    /// An answer came. `None` if nobody was asked that.
    pub fn answered(&mut self, call: CallId, now: Instant) -> Option<Sign> {
        self.expire(now);
        let at = self.asked.iter().position(|asked| asked.call == call)?;
        let asked = self.asked.remove(at)?;
        let sign = self.heard(asked.peer, now);
        if let Some(life) = self.peers.get_mut(&asked.peer) {
            life.round_trip = Some(now.saturating_duration_since(asked.at));
        }
        Some(sign)
    }

    /// A peer gave a sign of life.
    pub fn heard(&mut self, peer: PeerNumber, now: Instant) -> Sign {
        // One that left while its call was under way stays away.
        let Some(life) = self.peers.get_mut(&peer) else {
            return Sign { peer, is_back: false, is_new: false };
        };
        let before = life.state();
        (life.heard, life.missed, self.missed) = (Some(now), 0, 0);
        // What was asked before says nothing any more of whether it is there.
        for asked in self.asked.iter_mut().filter(|asked| asked.peer == peer) {
            asked.is_missed = true;
        }
        let (is_back, is_new) = (matches!(before, State::Quiet(_)), before == State::Never);
        Sign { peer, is_back, is_new }
    }

    /// How a peer stands.
    pub fn state(&self, peer: PeerNumber) -> State {
        self.peers.get(&peer).map_or(State::Never, Life::state)
    }

    /// When it was last heard.
    pub fn last_heard(&self, peer: PeerNumber) -> Option<Instant> {
        self.peers.get(&peer).and_then(|life| life.heard)
    }

    /// How long its last answer took.
    pub fn round_trip(&self, peer: PeerNumber) -> Option<Duration> {
        self.peers.get(&peer).and_then(|life| life.round_trip)
    }

    /// Counts the probes that had no answer in time, and forgets the old ones.
    fn expire(&mut self, now: Instant) {
        let age = |asked: &Asked| now.saturating_duration_since(asked.at);
        while self.asked.front().is_some_and(|first| age(first) > PROBE_MEMORY) {
            self.asked.pop_front();
        }
        for asked in self.asked.iter_mut() {
            if !asked.is_missed && age(asked) >= PROBE_PATIENCE {
                asked.is_missed = true;
                self.missed = self.missed.saturating_add(1);
                if let Some(life) = self.peers.get_mut(&asked.peer) {
                    life.missed = life.missed.saturating_add(1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(50);

    fn peer(number: u64) -> PeerNumber {
        number.try_into().expect("1 to 999")
    }

    /// Peers in virtual time: those in `away` do not answer.
    struct World {
        liveness: Liveness,
        now: Instant,
        away: BTreeSet<PeerNumber>,
        calls: u128,
        sent: usize,
        /// Who came back, and when.
        back: Vec<(PeerNumber, Instant)>,
    }

    impl World {
        fn new(peers: u64) -> Self {
            let now = Instant::now();
            let liveness = Liveness::new((1..=peers).map(peer), now);
            let (away, back) = (BTreeSet::new(), Vec::new());
            Self { liveness, now, away, calls: 0, sent: 0, back }
        }

        fn run(&mut self, time: Duration) {
            let end = self.now + time;
            while self.now < end {
                if let Some((peer, _)) = self.liveness.due(self.now) {
                    self.calls += 1;
                    self.sent += 1;
                    let call = CallId(self.calls.to_be_bytes());
                    let jitter = (self.calls * 7 % 11) as f64 / 10.0;
                    self.liveness.asked(peer, call, self.now, jitter);
                    if !self.away.contains(&peer) {
                        let answered = self.liveness.answered(call, self.now + TICK / 2);
                        let sign = answered.expect("it was asked");
                        assert_eq!(sign.peer, peer);
                        self.back.extend(sign.is_back.then_some((peer, self.now)));
                    }
                }
                self.now += TICK;
            }
        }

        fn are(&self, peers: std::ops::RangeInclusive<u64>, is: fn(State) -> bool) -> bool {
            peers.map(peer).all(|peer| is(self.liveness.state(peer)))
        }
    }

    fn up(state: State) -> bool {
        state == State::Up
    }

    fn quiet(state: State) -> bool {
        matches!(state, State::Quiet(_))
    }

    #[test]
    fn who_answers_is_up_and_who_never_did_was_never_seen() {
        let mut world = World::new(12);
        world.away.insert(peer(3));
        world.run(Duration::from_secs(60));
        assert_eq!(world.liveness.state(peer(3)), State::Never);
        assert!(world.are(1..=2, up) && world.are(4..=12, up));
        assert_eq!(world.liveness.round_trip(peer(1)), Some(TICK / 2));
        assert!(world.back.is_empty());
    }

    #[test]
    fn one_that_is_cut_off_is_quiet_within_30_s_and_up_again_within_5() {
        for cut in 1..=12 {
            let mut world = World::new(12);
            world.run(Duration::from_secs(30));
            world.away.insert(peer(cut));
            let heard = world.liveness.last_heard(peer(cut)).expect("heard");
            world.run(Duration::from_secs(30));
            assert_eq!(world.liveness.state(peer(cut)), State::Quiet(heard));
            let others = (1..=12).filter(|other| *other != cut);
            assert!(others.map(peer).all(|other| world.liveness.state(other) == State::Up));
            world.away.clear();
            world.run(Duration::from_secs(5));
            assert!(world.are(1..=12, up));
            assert_eq!(world.back.len(), 1, "it is told once");
        }
    }

    #[test]
    fn all_that_are_cut_off_at_once_are_quiet_within_30_s_and_never_given_up() {
        let mut world = World::new(12);
        world.run(Duration::from_secs(20));
        world.away = (1..=12).map(peer).collect();
        world.run(Duration::from_secs(30));
        assert!(world.are(1..=12, quiet));
        world.run(Duration::from_secs(24 * 3600));
        assert!(world.are(1..=12, quiet));
        world.away.clear();
        world.run(Duration::from_secs(15));
        assert!(world.are(1..=12, up));
        assert_eq!(world.back.len(), 12);
    }

    #[test]
    fn the_rate_is_the_same_however_many_peers_there_are_and_less_for_few() {
        let most = 60_000 / (PROBE_EVERY - PROBE_JITTER).as_millis() as usize;
        for (peers, away) in [(1, 0), (12, 3), (999, 0), (999, 500)] {
            let mut world = World::new(peers);
            world.away = (1..=away).map(peer).collect();
            world.run(Duration::from_secs(60));
            assert!(world.sent <= most, "{peers} peers: {} probes a minute", world.sent);
            if peers == 1 {
                assert!(world.sent <= 13, "{} probes a minute for one peer", world.sent);
            }
            assert!(world.liveness.asked.len() <= 20);
        }
    }

    #[test]
    fn every_one_of_many_is_probed_in_turn() {
        let mut world = World::new(100);
        world.away = (1..=60).map(peer).collect();
        world.run(Duration::from_secs(150));
        assert!(world.are(61..=100, up));
        assert!(world.liveness.peers.values().all(|life| life.probed.is_some()));
    }

    #[test]
    fn a_late_answer_is_a_sign_of_life_and_an_answer_that_nobody_asked_for_is_none() {
        let (start, one) = (Instant::now(), peer(1));
        let mut liveness = Liveness::new([one], start);
        assert_eq!(liveness.answered(CallId([1; 16]), start), None);
        liveness.asked(one, CallId([1; 16]), start, 0.5);
        let late = start + PROBE_PATIENCE * 2;
        assert_eq!(liveness.due(late), Some((one, 1)));
        assert_eq!(liveness.answered(CallId([1; 16]), late).map(|sign| sign.peer), Some(one));
        assert_eq!(liveness.state(one), State::Up);
        assert_eq!(liveness.answered(CallId([1; 16]), late), None, "once");
        liveness.asked(one, CallId([2; 16]), late, 0.5);
        assert_eq!(liveness.answered(CallId([2; 16]), late + PROBE_MEMORY * 2), None);
    }

    #[test]
    fn another_sign_of_life_counts_as_much_as_an_answer() {
        let mut world = World::new(2);
        world.run(Duration::from_secs(10));
        world.away.insert(peer(1));
        world.run(Duration::from_secs(30));
        assert!(world.are(1..=1, quiet));
        let sign = world.liveness.heard(peer(1), world.now);
        assert_eq!(sign, Sign { peer: peer(1), is_back: true, is_new: false });
        assert!(!world.liveness.heard(peer(1), world.now).is_back);
        assert!(world.are(1..=1, up));
    }
}
