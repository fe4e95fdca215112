//! What was seen of each peer. Silence is not guilt: a quiet peer stays in the list. Noise has a bound: a
//! peer that floods the screen is counted instead of shown.

use crate::base::threads::lock;
use crate::base::throttle::Throttle;
use crate::model::bucket::Buckets;
use crate::model::ids::PeerNumber;
use crate::model::limits::{ALARM_BURST, ALARM_RATE, MAX_PEERS, MESSAGE_BURST, MESSAGE_RATE};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// What was seen of each peer since this node started.
#[derive(Debug)]
pub struct Monitor(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    seen: HashMap<PeerNumber, Seen>,
    messages: Buckets<PeerNumber>,
    alarms: Buckets<PeerNumber>,
}

#[derive(Debug, Default)]
struct Seen {
    heard: Option<Instant>,
    in_step: Option<Instant>,
    /// It had no room for all that it was given.
    is_full: bool,
    trouble: Throttle,
}

impl Default for Monitor {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            seen: HashMap::new(),
            messages: Buckets::new(MESSAGE_BURST, MESSAGE_RATE, MAX_PEERS),
            alarms: Buckets::new(ALARM_BURST, ALARM_RATE, MAX_PEERS),
        }))
    }
}

impl Monitor {
    /// A trusted peer gave a sign of life.
    pub fn heard(&self, peer: PeerNumber) {
        lock(&self.0).seen.entry(peer).or_default().heard = Some(Instant::now());
    }

    /// When it gave the last one.
    pub fn last_heard(&self, peer: PeerNumber) -> Option<Instant> {
        lock(&self.0).seen.get(&peer).and_then(|seen| seen.heard)
    }

    /// Both ledgers were brought into step.
    pub fn in_step(&self, peer: PeerNumber) {
        lock(&self.0).seen.entry(peer).or_default().in_step = Some(Instant::now());
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
