//! Sizes, counts and periods of finding peers and of watching them. `limits` has them too, with all others.

use std::time::Duration;

// --- discovery ---

/// How often a node says where it is, give or take `BEACON_JITTER`.
pub const BEACON_EVERY: Duration = Duration::from_secs(45);
/// See `BEACON_EVERY`.
pub const BEACON_JITTER: Duration = Duration::from_secs(15);
/// After a start and a change of address, a few come so long after each other: on a radio any one may be lost.
pub const BEACON_QUICK: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(6)];
/// Shortest time between two, whatever happens.
pub const BEACON_GAP: Duration = Duration::from_secs(1);
/// Beacons from one address whose signature is checked: at once, and each second after that. One costs half a
/// millisecond on a Pi, and only who has the key can cause it.
pub const BEACONS_BURST: f64 = 100.0;
/// See `BEACONS_BURST`.
pub const BEACONS_RATE: f64 = 5.0;
/// The same of all that come from where their member was not heard last.
pub const BEACONS_ELSEWHERE_BURST: f64 = 200.0;
/// See `BEACONS_ELSEWHERE_BURST`.
pub const BEACONS_ELSEWHERE_RATE: f64 = 20.0;
/// Addresses from which beacons are counted.
pub const BEACON_SOURCES: usize = 1024;
/// Ports to which one beacon is sent: those of the members, which mostly have the same. Of more, some at random.
pub const BEACON_PORTS: usize = 16;
/// Addresses of its machine at which a node listens and from which it sends beacons.
pub const OWN_ADDRESSES: usize = 8;
/// How often a node looks which addresses its machine has.
pub const LOOK_AT_ADDRESSES: Duration = Duration::from_secs(2);
/// Addresses of a peer that handshakes proved and that are kept: a laptop has two cards.
pub const PROVED_ADDRESSES: usize = 3;
/// How long a node of several addresses is called at one before the next is tried too.
pub const NEXT_WAY: Duration = Duration::from_secs(1);
/// How long a reader waits for beacons when no node answers where it should be: one comes within a minute.
pub const READER_LISTENS: Duration = Duration::from_secs(65);
/// How long several peers that are called because one of them came back wait at most before they are called.
pub const RETURN_SPREAD: Duration = Duration::from_millis(500);
/// Peers that have come back, or were found elsewhere, and are called at the same time.
pub const MAX_RETURNS: usize = 16;
/// Largest file of learned addresses that is read, bytes.
pub const MAX_ADDRESSES_FILE: u64 = 256 * 1024;

// --- monitoring ---

/// A node probes one peer after this long, give or take `PROBE_JITTER`, however many peers there are. So twelve peers
/// that are all cut off are known to be within half a minute.
pub const PROBE_EVERY: Duration = Duration::from_millis(650);
/// See `PROBE_EVERY`.
pub const PROBE_JITTER: Duration = Duration::from_millis(150);
/// A peer that is up is not probed again sooner.
pub const PROBE_UP: Duration = Duration::from_secs(9);
/// One that is quiet is not probed again sooner.
pub const PROBE_QUIET: Duration = Duration::from_secs(2);
/// How long the answer to a probe is waited for: two turns by satellite.
pub const PROBE_PATIENCE: Duration = Duration::from_millis(1500);
/// How long a late answer is still a sign of life.
pub const PROBE_MEMORY: Duration = Duration::from_secs(10);
/// So many probes without an answer, one after the other, and a peer is quiet.
pub const PROBES_MISSED: u32 = 3;
/// So many probes without an answer, whomever they went to, and this node itself may be cut off.
pub const PROBES_ALONE: u32 = 3;
/// How often it is looked whether what the files of the monitor say has changed.
pub const STATUS_EVERY: Duration = Duration::from_secs(3);
/// How often they are written though nothing has changed, so that it is seen that the node lives.
pub const STATUS_STALE: Duration = Duration::from_secs(15);
/// Largest status file that is read, bytes.
pub const MAX_STATUS_FILE: u64 = 1024 * 1024;
/// Longest heads of a peer that are kept to tell how far it is apart, logs: those of 999 peers fit 40 MB.
pub const MAX_KEPT_LOGS: usize = 512;
