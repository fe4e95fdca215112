//! What a large database costs a node: memory for each row, and time to start.

use crate::people;
use crate::support::Network;
use crate::table::{Line, Runs, processor_time, timed};
use std::fs;

const RUNS: usize = 5;
const SIZES: [usize; 3] = [0, 100_000, 1_000_000];

pub fn measure() -> Vec<Line> {
    let mut lines = Vec::new();
    let mut empty = f64::NAN;
    for count in SIZES {
        let text = people::file(count);
        let (mut memory, mut start) = (Vec::new(), Vec::new());
        let (mut busy, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let network = Network::new("bench-large", 2);
            network.put(1, &text);
            plain.push(timed(|| read_and_sort(&network)).0);
            let (time, node) = timed(|| network.tier1(1));
            start.push(time);
            let own = processor_time(&node.pid().to_string()).expect("running");
            busy.push(own);
            memory.push(node.memory_kb() as f64);
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
            }
        }
        lines.push(Line::new(format!("memory of a node with {count} rows"), memory));
        lines.push(Line::new(
            format!("processor time of the start of a node with {count} rows"),
            Runs::processor(&busy),
        ));
        let started = Line::new(format!("start of a node with {count} rows"), start)
            .against("a plain read and sort of its file", &Runs::times(&plain));
        lines.push(if count == 1_000_000 { started.goal(3000.0) } else { started });
    }
    lines
}

fn read_and_sort(network: &Network) {
    let text = fs::read_to_string(network.database(1)).expect("read");
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert!(!lines.is_empty());
}
