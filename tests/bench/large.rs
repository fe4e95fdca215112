//! What a large database costs a node: memory for each row, and time to start.

use crate::inside::ledger;
use crate::people;
use crate::support::Network;
use crate::table::{Line, Runs, busy_time, timed};
use std::fs;

const RUNS: usize = 5;
const SIZES: [usize; 3] = [0, 100_000, 1_000_000];

pub fn measure() -> Vec<Line> {
    let mut lines = Vec::new();
    let mut empty = f64::NAN;
    for count in SIZES {
        let text = people::file(count);
        let network = Network::new("bench-large", 2);
        network.put(1, &text);
        let (taken, node) = timed(|| network.tier1(1));
        assert!(node.quit().success());
        let (mut memory, mut start) = (Vec::new(), Vec::new());
        let (mut busy, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            plain.push(timed(|| read_and_hash(&network)).0);
            let (time, node) = timed(|| network.tier1(1));
            start.push(time);
            busy.push(busy_time(node.pid()));
            memory.push(node.memory_kb() as f64);
            assert!(node.quit().success());
        }
        let (memory, start) = (Runs::new("kB", memory), Runs::times(&start));
        match count {
            0 => empty = memory.median(),
            _ => {
                let bytes = (memory.median() - empty) * 1024.0 / count as f64;
                let each = Runs::new("bytes", vec![bytes]);
                let row = (text.len() / count) as f64;
                lines.push(
                    Line::new(format!("memory for each of {count} rows"), each)
                        .against("the row's own length", &Runs::new("bytes", vec![row])),
                );
                let what = format!("start of a node that takes up a text of {count} rows");
                lines.push(Line::new(what, Runs::times(&[taken])));
            }
        }
        lines.push(Line::new(format!("memory of a node with {count} rows"), memory));
        lines.push(Line::new(
            format!("processor time of the start of a node with {count} rows"),
            Runs::processor(&busy),
        ));
        let started = Line::new(format!("start of a node with {count} rows"), start)
            .against("reading and hashing its files", &Runs::times(&plain));
        lines.push(if count == 1_000_000 { started.goal(3000.0) } else { started });
    }
    lines
}

fn read_and_hash(network: &Network) {
    for path in [ledger(network, 1), network.database(1)] {
        let bytes = fs::read(path).expect("read");
        let hash = ring::digest::digest(&ring::digest::SHA256, &bytes);
        assert_eq!(hash.as_ref().len(), 32);
    }
}
