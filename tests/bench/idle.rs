//! What a node costs that nobody uses: a minute of one in a network of three, with a thousand rows.

use crate::people;
use crate::support::{Network, Node};
use crate::table::{Line, Runs, processor_time};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

const WATCHED: Duration = Duration::from_secs(60);
/// Ticks of the kernel's clock in a second: fixed by Linux for what it tells programs.
const TICKS: f64 = 100.0;

pub fn measure() -> Vec<Line> {
    let network = Network::new("bench-idle", 3);
    network.put(1, &people::file(1000));
    let nodes: Vec<_> = (1..=3).map(|number| network.tier1(number)).collect();
    let (begun, before) = (Instant::now(), nodes.iter().map(ticks).collect::<Vec<_>>());
    let exactly_before: Vec<_> = nodes.iter().map(nanoseconds).collect();
    thread::sleep(WATCHED);
    let seconds = begun.elapsed().as_secs_f64();
    let of = |used: f64| used / seconds * 100.0;
    let percent =
        nodes.iter().zip(&before).map(|(node, before)| of((ticks(node) - before) / TICKS));
    let exactly = nodes.iter().zip(&exactly_before);
    let exactly = exactly.map(|(node, before)| of((nanoseconds(node) - before) / 1e9));
    vec![
        Line::new(
            "CPU of an idle node over 60 s (utime + stime)",
            Runs::new("%", percent.collect()),
        )
        .original(63.0, 100.0)
        .goal(0.05),
        Line::new(
            "CPU of an idle node over 60 s (scheduler's count)",
            Runs::new("%", exactly.collect()),
        ),
    ]
}

/// Processor time of a node so far, user and system, in the kernel's ticks.
fn ticks(node: &Node) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", node.pid())).expect("running");
    // The name of the program stands in parentheses; utime and stime are the 12th and 13th field after it.
    let (_, behind) = stat.rsplit_once(')').expect("a name");
    let fields = behind.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<f64>().expect("a number")).sum()
}

/// Processor time of all threads that a node has now, in nanoseconds.
fn nanoseconds(node: &Node) -> f64 {
    let pid = node.pid();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("running");
    let names = threads.map(|thread| thread.expect("an entry").file_name());
    let times =
        names.filter_map(|name| processor_time(&format!("{pid}/task/{}", name.to_string_lossy())));
    times.sum::<Duration>().as_nanos() as f64
}
