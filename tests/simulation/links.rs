//! The links: ten nodes share a local network (of fewer than twenty, each half one), and all local networks are joined by
//! slow and lossy links, each of which all nodes behind it share.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::{Duration, Instant};

/// Nodes that share a local network.
const LAN_NODES: usize = 10;
/// What a local network carries, bytes per second: 20 Mbit/s.
const LAN_RATE: f64 = 2_500_000.0;
/// What the link of a local network to the others carries in either direction, bytes per second: 2 Mbit/s.
const UPLINK_RATE: f64 = 250_000.0;
/// Some packets, bytes.
const FEW: usize = 4000;
/// Datagrams that are lost, of all, on a local network and on each uplink.
const LOSS: [f64; 2] = [0.005, 0.02];

/// The uplink of one local network.
struct Uplink {
    /// One way.
    latency: Duration,
    /// Until when what was given to it before travels.
    busy: [Instant; 2],
    is_cut: bool,
}

pub struct Links {
    /// Nodes that share a local network.
    share: usize,
    uplinks: Vec<Uplink>,
}

impl Links {
    pub fn new(nodes: usize, seed: u64, now: Instant) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let uplink = |_| Uplink {
            latency: Duration::from_millis(rng.random_range(10..150)),
            busy: [now; 2],
            is_cut: false,
        };
        let share = LAN_NODES.min(nodes.div_ceil(2));
        Self { share, uplinks: (0..=nodes / share).map(uplink).collect() }
    }

    /// On which local network a node is.
    pub fn lan(&self, node: usize) -> usize {
        node / self.share
    }

    pub fn cut(&mut self, lan: usize, is_cut: bool) {
        self.uplinks[lan].is_cut = is_cut;
    }

    pub fn is_cut(&self, one: usize, other: usize) -> bool {
        let (one, other) = (self.lan(one), self.lan(other));
        one != other && (self.uplinks[one].is_cut || self.uplinks[other].is_cut)
    }

    /// How long a datagram takes, if it is not lost.
    pub fn datagram(&self, from: usize, to: usize, rng: &mut StdRng) -> Option<Duration> {
        if self.is_cut(from, to) {
            return None;
        }
        let (from, to) = (self.lan(from), self.lan(to));
        let near = Duration::from_micros(rng.random_range(500..4000));
        if from == to {
            return (!rng.random_bool(LOSS[0])).then_some(near);
        }
        let far = self.uplinks[from].latency + self.uplinks[to].latency;
        let is_lost = rng.random_bool(LOSS[1]) || rng.random_bool(LOSS[1]);
        (!is_lost).then(|| near + far.mul_f64(rng.random_range(1.0..1.5)))
    }

    /// There and back, when nothing is lost: TCP repeats what is.
    pub fn round_trip(&self, one: usize, other: usize) -> Duration {
        let (one, other) = (self.lan(one), self.lan(other));
        match one == other {
            true => Duration::from_millis(4),
            false => (self.uplinks[one].latency + self.uplinks[other].latency) * 2,
        }
    }

    /// How long so many bytes take that are sent now. What goes over one uplink goes one behind the other; a few packets
    /// come through between those of others.
    pub fn transfer(&mut self, from: usize, to: usize, bytes: usize, now: Instant) -> Duration {
        let (from, to) = (self.lan(from), self.lan(to));
        if from == to {
            return Duration::from_secs_f64(bytes as f64 / LAN_RATE);
        }
        let time = Duration::from_secs_f64(bytes as f64 / UPLINK_RATE);
        if bytes <= FEW {
            return time;
        }
        let mut last = now;
        for (lan, direction) in [(from, 0), (to, 1)] {
            let busy = &mut self.uplinks[lan].busy[direction];
            *busy = now.max(*busy) + time;
            last = last.max(*busy);
        }
        last.duration_since(now)
    }
}
