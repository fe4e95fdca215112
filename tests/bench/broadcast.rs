//! The database of 18 rows to two peers, as menu 9 sends it: until both have merged it, and until the sender
//! knows that both have it on their disks.

use crate::calls::bare_calls;
use crate::people;
use crate::support::Network;
use crate::table::{Line, Runs};
use std::time::{Duration, Instant};

const ROWS: usize = 18;
const RUNS: usize = 15;

pub fn measure() -> Vec<Line> {
    let bare = Runs::times(&bare_calls(2, RUNS));
    let of = |network: fn() -> Network| {
        let times = (0..RUNS).map(|_| broadcast(&network()));
        let (merged, confirmed): (Vec<_>, Vec<_>) = times.unzip();
        (Runs::times(&merged), Runs::times(&confirmed))
    };
    let (merged, confirmed) = of(|| Network::new("bench-broadcast", 3));
    let (classic, _) = of(|| Network::classic("bench-broadcast", 3));
    let what = "18 rows broadcast to 2 peers";
    vec![
        Line::new(format!("{what}, merged"), merged).original(330.0, 710.0),
        Line::new(format!("{what}, merged, classic"), classic).original(330.0, 710.0),
        Line::new(format!("{what}, on both disks and confirmed"), confirmed)
            .against("2 bare UDP round trips and TCP connects", &bare),
    ]
}

/// How long it takes until both have merged it, and until both have confirmed it.
fn broadcast(network: &Network) -> (Duration, Duration) {
    network.put(1, &people::file(ROWS));
    let (mut one, two, three) = (network.tier1(1), network.tier1(2), network.tier1(3));
    let begun = Instant::now();
    one.type_lines(&["9"]);
    two.wait_for_any("sent what it has");
    three.wait_for_any("sent what it has");
    let merged = begun.elapsed();
    one.wait_for("The database reached 2 of 2");
    (merged, begun.elapsed())
}
