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
    let networks = [Network::new("bench-idle", 3), Network::classic("bench-idle", 3)];
    let nodes = networks.each_ref().map(|network| {
        network.put(1, &people::file(1000));
        (1..=3).map(|number| network.tier1(number)).collect::<Vec<_>>()
    });
    let both = |of: fn(&Node) -> f64| {
        nodes.each_ref().map(|nodes| nodes.iter().map(of).collect::<Vec<_>>())
    };
    let begun = Instant::now();
    let (before, exactly_before) = (both(processor_seconds), both(exact_seconds));
    thread::sleep(WATCHED);
    let seconds = begun.elapsed().as_secs_f64();
    let percent = |after: &[f64], before: &[f64]| {
        let used = after.iter().zip(before).map(|(after, before)| after - before);
        Runs::new("%", used.map(|used| used / seconds * 100.0).collect())
    };
    let (after, exactly) = (both(processor_seconds), both(exact_seconds));
    let what = "CPU of an idle node over 60 s";
    vec![
        Line::new(format!("{what} (utime + stime)"), percent(&after[0], &before[0]))
            .original(63.0, 100.0)
            .goal(0.05),
        Line::new(format!("{what} (scheduler's count)"), percent(&exactly[0], &exactly_before[0])),
        Line::new(format!("{what} (utime + stime), classic"), percent(&after[1], &before[1]))
            .original(63.0, 100.0)
            .goal(0.05),
    ]
}

/// Processor time of a node so far, user and system, as the kernel counts it in ticks.
pub fn processor_seconds(node: &Node) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", node.pid())).expect("running");
    // The name of the program stands in parentheses; utime and stime are the 12th and 13th field after it.
    let (_, behind) = stat.rsplit_once(')').expect("a name");
    let fields = behind.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / TICKS
}

/// Processor time of all threads that a node has now, to the nanosecond.
fn exact_seconds(node: &Node) -> f64 {
    let pid = node.pid();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("running");
    let names = threads.map(|thread| thread.expect("an entry").file_name());
    let times =
        names.filter_map(|name| processor_time(&format!("{pid}/task/{}", name.to_string_lossy())));
    times.sum::<Duration>().as_secs_f64()
}
