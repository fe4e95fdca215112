//! Whom to bring into step with what is new, and when: the sealed dialect's part of `net::broadcast` that only decides.
//! The simulation of a thousand nodes goes by the same rules.
//!
//! What came in from a peer is passed on after a while to a few others, chosen at random, who pass it on in turn
//! (Demers et al., Epidemic Algorithms for Replicated Database Maintenance, 1987). Whatever was missed so is found when a
//! node meets a random peer, every few minutes.
//!
//! In a small network everybody is met at once after a change, a start, a return. In a large one some are: what a node does
//! for one event must not grow with the number of its peers.

use crate::model::beacon::HEADS_BYTES;
use crate::model::bucket::Buckets;
use crate::model::ids::PeerNumber;
use crate::model::limits::{
    AFTER_START, GOSSIP_AFTER, GOSSIP_TO, MEET, RETURN_SPREAD, RETURNS_BURST, RETURNS_RATE,
    TOLD_AT_ONCE,
};
use crate::model::liveness::State;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Whom to meet, each after how long.
pub type Plan = Vec<(PeerNumber, Duration)>;

/// Half as long to one and a half times as long, so that nodes do not all act at the same time.
pub fn about(wait: Duration, rng: &mut impl Rng) -> Duration {
    wait.mul_f64(rng.random_range(0.5..1.5))
}

/// Who is told at once of what a person has changed, or of where this node is now: all, or of many some, who pass it on.
pub fn changed(others: &[PeerNumber], rng: &mut impl Rng) -> Vec<PeerNumber> {
    others.sample(rng, TOLD_AT_ONCE).copied().collect()
}

/// This node has started: what was owed before, or edited while it was down, and what it missed.
pub fn started(others: &[PeerNumber], rng: &mut impl Rng) -> Plan {
    let peers = changed(others, rng);
    peers.into_iter().map(|peer| (peer, about(AFTER_START, rng))).collect()
}

/// Puts those first that are there: who does not answer keeps a call busy for seconds, and not all go at once.
pub fn there_first<T>(peers: &mut [T], state: impl Fn(&T) -> State) {
    peers.sort_by_key(|peer| state(peer) != State::Up);
}

/// Something new came from this peer.
pub fn applied(others: &[PeerNumber], from: PeerNumber, rng: &mut impl Rng) -> Plan {
    let others: Vec<_> = others.iter().filter(|peer| **peer != from).collect();
    let chosen: Vec<_> = others.sample(rng, GOSSIP_TO).collect();
    chosen.into_iter().map(|peer| (**peer, about(GOSSIP_AFTER, rng))).collect()
}

/// A peer's beacon says that it holds something else: when to meet it, if at all. All who heard it need not call it: a
/// few pass on what it has, or lacks. `near` is how many peers are heard here, which hear about as many.
pub fn differs(near: usize, rng: &mut impl Rng) -> Option<Duration> {
    let is_chosen = rng.random_range(0..near.max(1)) < GOSSIP_TO;
    is_chosen.then(|| about(GOSSIP_AFTER, rng))
}

/// What peers and this node held when a beacon said that it is not the same.
#[derive(Debug, Default)]
pub struct Apart(HashMap<PeerNumber, (Held, Held, u32)>);

/// The part of the hash of heads that stands in a beacon.
type Held = [u8; HEADS_BYTES];

impl Apart {
    /// Whether `peer`, which holds `theirs`, is to be met because this node holds `own`. Where meetings change nothing,
    /// since one of both is full or does not want what the other has, it is at fewer and fewer of its beacons.
    pub fn are(&mut self, peer: PeerNumber, own: Held, theirs: Held) -> bool {
        if own == theirs {
            self.0.remove(&peer);
            return false;
        }
        let (own_before, before, times) = self.0.entry(peer).or_insert((own, theirs, 0));
        if (*own_before, *before) != (own, theirs) {
            (*own_before, *before, *times) = (own, theirs, 0);
        }
        *times = times.saturating_add(1);
        times.is_power_of_two()
    }

    /// Forgets all others.
    pub fn keep(&mut self, is_peer: impl Fn(PeerNumber) -> bool) {
        self.0.retain(|peer, _| is_peer(*peer));
    }
}

/// Peers that come back. One of them is met at once by all, or of many by some. When many come back, this node was cut
/// off from them, or all of them from it: some bring it into step, and it the others of its own side.
#[derive(Debug)]
pub struct Returns(Buckets<()>);

impl Default for Returns {
    fn default() -> Self {
        Self(Buckets::new(RETURNS_BURST, RETURNS_RATE, 1))
    }
}

impl Returns {
    /// One that was quiet is there, of so many others: after how long it is met, if at all. Both see that the other is
    /// back: mostly one of them calls, and the other has been met then.
    pub fn one(&mut self, others: usize, now: Instant, rng: &mut impl Rng) -> Option<Duration> {
        let is_chosen = rng.random_range(0..others.max(1)) < TOLD_AT_ONCE;
        (is_chosen && self.0.take((), now)).then(|| RETURN_SPREAD.mul_f64(rng.random()))
    }
}

/// When to meet a random peer next, whatever has happened.
pub fn next_meeting(rng: &mut impl Rng) -> Duration {
    about(MEET, rng)
}

/// The random peer.
pub fn anybody(others: &[PeerNumber], rng: &mut impl Rng) -> Option<PeerNumber> {
    others.choose(rng).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use std::collections::BTreeSet;

    fn peers(count: u64) -> Vec<PeerNumber> {
        (1..=count).map(|number| number.try_into().expect("1 to 999")).collect()
    }

    fn rng() -> StdRng {
        StdRng::seed_from_u64(1)
    }

    #[test]
    fn what_came_is_passed_on_to_a_few_others_and_not_to_whom_it_came_from() {
        let (all, mut rng) = (peers(9), rng());
        let mut told = BTreeSet::new();
        for _ in 0..100 {
            let plan = applied(&all, all[0], &mut rng);
            let peers: BTreeSet<_> = plan.iter().map(|(peer, _)| *peer).collect();
            assert!(peers.len() == GOSSIP_TO && !peers.contains(&all[0]));
            let range = GOSSIP_AFTER / 2..GOSSIP_AFTER * 3 / 2;
            assert!(plan.iter().all(|(_, wait)| range.contains(wait)), "{plan:?}");
            told.extend(peers);
        }
        assert_eq!(told.len(), 8, "each of them now and then");
        assert_eq!(applied(&all[..2], all[0], &mut rng).len(), 1);
    }

    #[test]
    fn of_all_who_hear_a_beacon_a_few_call() {
        let mut rng = rng();
        let called = (0..10_000).filter(|_| differs(100, &mut rng).is_some()).count();
        assert!((200..400).contains(&called), "{called} of 10,000 are not 3 in a hundred");
        assert!(differs(1, &mut rng).is_some() && differs(0, &mut rng).is_some());
    }

    #[test]
    fn who_stays_different_is_met_less_and_less_often_until_something_changes() {
        let (mut apart, peer, of) = (Apart::default(), peers(1)[0], |byte| [byte; HEADS_BYTES]);
        assert!(!apart.are(peer, of(1), of(1)), "the same");
        let met: Vec<_> = (1..=20).filter(|_| apart.are(peer, of(1), of(2))).collect();
        assert_eq!(met, [1, 2, 4, 8, 16]);
        assert!(apart.are(peer, of(1), of(3)) && apart.are(peer, of(2), of(3)), "news at once");
        assert!(!apart.are(peer, of(3), of(3)) && apart.are(peer, of(2), of(3)));
        apart.keep(|_| false);
        assert!(apart.0.is_empty());
    }

    #[test]
    fn in_a_small_network_all_are_met_at_once_and_in_a_large_one_as_many() {
        let mut rng = rng();
        for (count, met) in [(0, 0), (7, 7), (TOLD_AT_ONCE, TOLD_AT_ONCE), (998, TOLD_AT_ONCE)] {
            let all = peers(count as u64);
            let told: BTreeSet<_> = changed(&all, &mut rng).into_iter().collect();
            let plan: BTreeSet<_> =
                started(&all, &mut rng).into_iter().map(|(peer, _)| peer).collect();
            assert_eq!((told.len(), plan.len()), (met, met));
        }
    }

    #[test]
    fn who_comes_back_is_met_at_once_unless_all_do() {
        let (mut returns, mut rng, now) = (Returns::default(), rng(), Instant::now());
        let mut met =
            |now| (0..998).filter(|_| returns.one(TOLD_AT_ONCE, now, &mut rng).is_some()).count();
        assert_eq!(met(now), RETURNS_BURST as usize);
        assert_eq!(met(now + Duration::from_secs(60)), 6);
        assert_eq!(met(now + Duration::from_secs(3600)), RETURNS_BURST as usize);
    }

    #[test]
    fn who_is_there_is_called_first() {
        let mut all = peers(6);
        let is_up = |peer: &PeerNumber| peer.value() % 2 == 0;
        there_first(&mut all, |peer| if is_up(peer) { State::Up } else { State::Never });
        let numbers: Vec<_> = all.iter().map(|peer| peer.value()).collect();
        assert_eq!(numbers, [2, 4, 6, 1, 3, 5]);
    }

    #[test]
    fn of_many_who_see_one_come_back_some_call_it() {
        let (mut rng, now) = (rng(), Instant::now());
        let mut called = |others| {
            let calls = |_: &usize| Returns::default().one(others, now, &mut rng).is_some();
            (0..others).filter(calls).count()
        };
        assert_eq!(called(TOLD_AT_ONCE), TOLD_AT_ONCE);
        assert!((TOLD_AT_ONCE / 2..TOLD_AT_ONCE * 2).contains(&called(998)));
    }
}
