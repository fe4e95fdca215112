//! When each peer was last heard of. Silence is not guilt: a quiet peer stays in the list.

use crate::base::threads::lock;
use crate::base::throttle::Throttle;
use crate::model::ids::PeerNumber;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// What was seen of each peer since this node started.
#[derive(Debug, Default)]
pub struct Monitor(Mutex<HashMap<PeerNumber, Seen>>);

#[derive(Debug, Default)]
struct Seen {
    heard: Option<Instant>,
    trouble: Throttle,
}

impl Monitor {
    /// A trusted peer gave a sign of life.
    pub fn heard(&self, peer: PeerNumber) {
        lock(&self.0).entry(peer).or_default().heard = Some(Instant::now());
    }

    /// When it gave the last one.
    pub fn last_heard(&self, peer: PeerNumber) -> Option<Instant> {
        lock(&self.0).get(&peer).and_then(|seen| seen.heard)
    }

    /// A session with the peer went wrong. `Some(n)`: log it, and say that `n` before it were not logged.
    pub fn trouble(&self, peer: PeerNumber) -> Option<u64> {
        lock(&self.0).entry(peer).or_default().trouble.note(Instant::now())
    }
}
