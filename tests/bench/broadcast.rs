//! The database of 18 rows to two peers, as menu 9 sends it: until both have merged it, and until the sender
//! knows that both have it on their disks.

use crate::calls::bare_calls;
use crate::people;
use crate::support::Network;
use crate::table::{Line, Runs};
use std::time::Instant;

const ROWS: usize = 18;
const RUNS: usize = 15;

pub fn measure() -> Vec<Line> {
    let bare = Runs::times(&bare_calls(2, RUNS));
    let (mut merged, mut confirmed) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let network = Network::new("bench-broadcast", 3);
        network.put(1, &people::file(ROWS));
        let (mut one, two, three) = (network.tier1(1), network.tier1(2), network.tier1(3));
        let begun = Instant::now();
        one.type_lines(&["9"]);
        two.wait_for_any("sent its database");
        three.wait_for_any("sent its database");
        merged.push(begun.elapsed());
        one.wait_for("The database reached 2 of 2");
        confirmed.push(begun.elapsed());
    }
    vec![
        Line::new("18 rows broadcast to 2 peers, merged", Runs::times(&merged))
            .original(330.0, 710.0),
        Line::new(
            "18 rows broadcast to 2 peers, on both disks and confirmed",
            Runs::times(&confirmed),
        )
        .against("2 bare UDP round trips and TCP connects", &bare),
    ]
}
