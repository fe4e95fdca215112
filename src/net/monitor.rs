//! What was seen of each peer. Silence is not guilt: a quiet peer stays in the list. Noise has a bound: a
//! peer that floods the screen is counted instead of shown.

use crate::base::threads::lock;
use crate::base::throttle::Throttle;
use crate::model::beacon::HEADS_BYTES;
use crate::model::bucket::Buckets;
use crate::model::datagram::CallId;
use crate::model::ids::PeerNumber;
use crate::model::ledger::heads::Heads;
use crate::model::ledger::merkle::Hash;
use crate::model::limits::{
    ALARM_BURST, ALARM_RATE, FLOOD, MAX_KEPT_LOGS, MAX_PEERS, MESSAGE_BURST, MESSAGE_RATE,
    OFFENCES, SET_ASIDE,
};
use crate::model::liveness::{Liveness, Sign, State};
use crate::model::status::Apart;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What was seen of each peer since this node started.
#[derive(Debug)]
pub struct Monitor(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    begun: Instant,
    liveness: Liveness,
    seen: HashMap<PeerNumber, Seen>,
    messages: Buckets<PeerNumber>,
    alarms: Buckets<PeerNumber>,
    offences: Buckets<PeerNumber>,
}

#[derive(Debug, Default)]
struct Seen {
    /// When it last called, was reached, or came.
    came: Option<Instant>,
    in_step: Option<Instant>,
    /// It had no room for all that it was given.
    is_full: bool,
    /// What both had when they were last brought into step.
    met: Option<Arc<Heads>>,
    /// When its last beacon came, and what it said of its heads.
    said: Option<(Instant, [u8; HEADS_BYTES])>,
    trouble: Throttle,
    /// Until when it is set aside.
    aside: Option<Instant>,
    /// What it said that was not shown.
    hushed: usize,
}

impl Default for Monitor {
    fn default() -> Self {
        Self::new([])
    }
}

impl Monitor {
    /// The monitor of a node with these peers.
    pub fn new(peers: impl IntoIterator<Item = PeerNumber>) -> Self {
        let begun = Instant::now();
        Self(Mutex::new(Inner {
            begun,
            liveness: Liveness::new(peers, begun),
            seen: HashMap::new(),
            messages: Buckets::new(MESSAGE_BURST, MESSAGE_RATE, MAX_PEERS),
            alarms: Buckets::new(ALARM_BURST, ALARM_RATE, MAX_PEERS),
            offences: Buckets::new(OFFENCES, 1.0 / SET_ASIDE.as_secs_f64(), MAX_PEERS),
        }))
    }

    /// These are the peers now. What was seen of those that are gone is forgotten.
    pub fn follow(&self, peers: &BTreeSet<PeerNumber>) {
        let mut inner = lock(&self.0);
        inner.liveness.follow(peers);
        inner.seen.retain(|peer, _| peers.contains(peer));
    }

    /// Since when the node runs.
    pub fn begun(&self) -> Instant {
        lock(&self.0).begun
    }

    // --- who is there ---

    /// A trusted peer gave a sign of life. Returns whether it was quiet before.
    pub fn heard(&self, peer: PeerNumber) -> bool {
        let (mut inner, now) = (lock(&self.0), Instant::now());
        inner.seen.entry(peer).or_default().came = Some(now);
        inner.liveness.heard(peer, now).is_back
    }

    /// When it last called, was reached, or came back: when it is worth to try again what failed before. That it goes on
    /// answering probes says nothing new.
    pub fn last_came(&self, peer: PeerNumber) -> Option<Instant> {
        lock(&self.0).seen.get(&peer).and_then(|seen| seen.came)
    }

    /// When it gave the last sign of life.
    pub fn last_heard(&self, peer: PeerNumber) -> Option<Instant> {
        lock(&self.0).liveness.last_heard(peer)
    }

    /// Whether it is there.
    pub fn state(&self, peer: PeerNumber) -> State {
        lock(&self.0).liveness.state(peer)
    }

    /// How long its last answer took.
    pub fn round_trip(&self, peer: PeerNumber) -> Option<Duration> {
        lock(&self.0).liveness.round_trip(peer)
    }

    /// Whom to probe now, and how many probes of it were missed; and if nobody, when to look again.
    pub fn to_probe(&self, now: Instant) -> Result<(PeerNumber, u32), Option<Instant>> {
        let mut inner = lock(&self.0);
        inner.liveness.due(now).ok_or_else(|| inner.liveness.next())
    }

    /// A probe was sent.
    pub fn probed(&self, peer: PeerNumber, call: CallId, now: Instant) {
        lock(&self.0).liveness.asked(peer, call, now, rand::random());
    }

    /// A probe was answered.
    pub fn answered(&self, call: CallId, now: Instant) -> Option<Sign> {
        let mut inner = lock(&self.0);
        let sign = inner.liveness.answered(call, now)?;
        if sign.is_back || sign.is_new {
            inner.seen.entry(sign.peer).or_default().came = Some(now);
        }
        Some(sign)
    }

    // --- who has what ---

    /// Both ledgers were brought into step: both have these heads.
    pub fn in_step(&self, peer: PeerNumber, heads: Heads) {
        let mut inner = lock(&self.0);
        let seen = inner.seen.entry(peer).or_default();
        seen.in_step = Some(Instant::now());
        seen.met = (heads.len() <= MAX_KEPT_LOGS).then(|| Arc::new(heads));
    }

    /// When that was last done.
    pub fn last_in_step(&self, peer: PeerNumber) -> Option<Instant> {
        lock(&self.0).seen.get(&peer).and_then(|seen| seen.in_step)
    }

    /// Whether the peer had no room for all that it was given last. Returns whether that is news.
    pub fn filled(&self, peer: PeerNumber, is_full: bool) -> bool {
        let mut inner = lock(&self.0);
        let seen = inner.seen.entry(peer).or_default();
        let was_full = std::mem::replace(&mut seen.is_full, is_full);
        is_full && !was_full
    }

    /// A peer's beacon tells of its heads.
    pub fn said(&self, peer: PeerNumber, heads: [u8; HEADS_BYTES]) {
        lock(&self.0).seen.entry(peer).or_default().said = Some((Instant::now(), heads));
    }

    /// How far apart a peer and this node are, which has these heads of this digest.
    pub fn apart(&self, peer: PeerNumber, own: &Heads, digest: &Hash) -> Apart {
        let (met, in_step, said) = match lock(&self.0).seen.get(&peer) {
            Some(seen) => (seen.met.clone(), seen.in_step, seen.said),
            None => return Apart::Unknown,
        };
        // What a beacon said before they met does not count any more.
        let said = said.filter(|(at, _)| Some(*at) > in_step).map(|(_, heads)| heads);
        let is_same = said.map(|said| digest.starts_with(&said));
        let lacks = met.map(|met| {
            own.beyond(&met).iter().map(|range| u64::from(range.to - range.from)).sum::<u64>()
        });
        match (is_same, lacks) {
            (Some(true), _) | (None, Some(0)) => Apart::InStep,
            (_, Some(blocks)) if blocks > 0 => Apart::Behind(blocks),
            (Some(false), _) => Apart::Differs,
            (None, _) => Apart::Unknown,
        }
    }

    // --- conduct ---

    /// A peer did what no honest one does. Returns whether it is set aside for it from now on: this node alone does so,
    /// for a while, since nobody else has seen it and a failing memory does the same.
    pub fn offended(&self, peer: PeerNumber) -> bool {
        let (mut inner, now) = (lock(&self.0), Instant::now());
        let is_over = !inner.offences.take(peer, now);
        let aside = &mut inner.seen.entry(peer).or_default().aside;
        let was_aside = aside.is_some_and(|until| now < until);
        if is_over && !was_aside {
            *aside = Some(now + SET_ASIDE);
        }
        is_over && !was_aside
    }

    /// Whether a peer is set aside now: nothing is said with it.
    pub fn is_aside(&self, peer: PeerNumber) -> bool {
        self.aside(peer).is_some()
    }

    /// For how long a peer is set aside still.
    pub fn aside(&self, peer: PeerNumber) -> Option<Duration> {
        let until = lock(&self.0).seen.get(&peer)?.aside?;
        until.checked_duration_since(Instant::now())
    }

    // --- noise ---

    /// One more of what a peer said is not shown. Returns whether that is an offence: one in `FLOOD` is.
    pub fn is_flood(&self, peer: PeerNumber) -> bool {
        let mut inner = lock(&self.0);
        let hushed = &mut inner.seen.entry(peer).or_default().hushed;
        *hushed = hushed.wrapping_add(1);
        *hushed % FLOOD == 0
    }

    /// A session with the peer went wrong. `Some(n)`: log it, and say that `n` before it were not logged.
    pub fn trouble(&self, peer: PeerNumber) -> Option<u64> {
        lock(&self.0).seen.entry(peer).or_default().trouble.note(Instant::now())
    }

    /// Whether one more message of the peer may be shown now.
    pub fn may_speak(&self, peer: PeerNumber) -> bool {
        lock(&self.0).messages.take(peer, Instant::now())
    }

    /// Whether one more alarm of the peer may be shown now.
    pub fn may_alarm(&self, peer: PeerNumber) -> bool {
        lock(&self.0).alarms.take(peer, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ledger::heads::Head;
    use crate::model::ledger::names::LogName;

    fn heads(length: u32) -> Heads {
        let name = LogName { author: [1; 32].into(), log: 1.into() };
        [Head { name, length, hash: [length as u8; 32].into() }].into_iter().collect()
    }

    fn half(heads: &Heads) -> [u8; HEADS_BYTES] {
        *heads.digest().first_chunk().expect("32 bytes")
    }

    #[test]
    fn who_offends_again_and_again_is_set_aside_and_nobody_else() {
        let (monitor, peer) = (Monitor::default(), 2.try_into().expect("2"));
        let offences = (0..OFFENCES as usize + 9).filter(|_| monitor.offended(peer));
        assert_eq!(offences.count(), 1, "it is told once");
        assert!(monitor.is_aside(peer) && monitor.aside(peer) <= Some(SET_ASIDE));
        assert!(!monitor.is_aside(3.try_into().expect("3")));
        assert!(!monitor.offended(3.try_into().expect("3")), "one offence is none");
    }

    fn apart(monitor: &Monitor, own: &Heads) -> Apart {
        monitor.apart(2.try_into().expect("2"), own, &own.digest())
    }

    #[test]
    fn how_far_apart_a_peer_is_follows_from_the_last_meeting_and_the_last_beacon() {
        let (monitor, peer) = (Monitor::default(), 2.try_into().expect("2"));
        assert_eq!(apart(&monitor, &heads(3)), Apart::Unknown);
        monitor.said(peer, half(&heads(3)));
        assert_eq!(apart(&monitor, &heads(3)), Apart::InStep);
        assert_eq!(apart(&monitor, &heads(4)), Apart::Differs);
        monitor.in_step(peer, heads(4));
        assert_eq!(apart(&monitor, &heads(4)), Apart::InStep);
        assert_eq!(apart(&monitor, &heads(9)), Apart::Behind(5));
        // It got them from somebody else.
        monitor.said(peer, half(&heads(9)));
        assert_eq!(apart(&monitor, &heads(9)), Apart::InStep);
        // It has something that we lack.
        monitor.said(peer, half(&heads(10)));
        assert_eq!(apart(&monitor, &heads(4)), Apart::Differs);
    }
}
