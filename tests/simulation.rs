//! A network of up to 999 nodes in one process, in virtual time: what discovery, monitoring and bringing into step cost
//! each node, and how long it takes until all know that somebody was admitted, shut out, or raised an alarm.
//!
//! Nodes are the pure layer of the program: `liveness`, `beacon` (sealed, signed and checked), the chains and heads of
//! `ledger`, `membership`, and the rules of `rumour`. Every node has its own logs and its own view of them; blocks, once
//! signed, are checked once and shared, and who has the same statements of members shares what follows from them. Links
//! lose datagrams, are slow and shared; one node in ten is away for hours; no clock is right.
//!
//! `REUNITE_SEED` replays a run. All figures, and their plot `tests/bench/network.svg`:
//!
//! ```sh
//! REUNITE_PLOT=1 REUNITE_NODES=10,30,100,300,999 \
//!     cargo test --release --test simulation -- --ignored --nocapture
//! ```

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "simulation/links.rs"]
mod links;
#[path = "simulation/node.rs"]
mod node;
#[path = "simulation/plot.rs"]
mod plot;
#[path = "simulation/story.rs"]
mod story;
#[path = "simulation/world.rs"]
mod world;

use reunite::model::ledger::heads::Head;
use reunite::model::ledger::names::LogName;
use reunite::model::limits::{BEACON_EVERY, PROBE_EVERY};
use reunite::model::meeting::{Having, Meeting};
use std::env;
use std::fs;
use std::time::{Duration, Instant};
use story::Figures;

/// Within this time all know what they are to know.
const SOON: Duration = Duration::from_secs(60);

fn seed() -> u64 {
    let given = env::var("REUNITE_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    println!("REUNITE_SEED={seed}");
    seed
}

fn shown(figures: &Figures) {
    let Figures { nodes, hourly, .. } = figures;
    let second = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    println!("{nodes} nodes: {hourly:?}");
    for (what, spread) in [
        ("admission", figures.admission),
        ("revocation", figures.revocation),
        ("alarm", figures.alarm),
    ] {
        println!("  {what}: half {}, all {}", second(spread.half), second(spread.all));
    }
    println!(
        "  back: {}; joined: {}, then {:.1} meetings and {:.2} MB each; {} calls refused, the oldest goes on for {}",
        second(figures.return_),
        second(figures.joined),
        figures.after_cut,
        figures.after_cut_megabytes,
        figures.refused,
        second(figures.oldest_call),
    );
}

/// What must hold however many nodes there are.
fn check(figures: &Figures) {
    let Figures { nodes, hourly, .. } = figures;
    // One probe each `PROBE_EVERY`, to whomever.
    let rate = 3600.0 / PROBE_EVERY.as_secs_f64();
    assert!(hourly.most_probes < rate * 1.05, "{nodes} nodes: too many probes: {hourly:?}");
    let beacons = 3600.0 / BEACON_EVERY.as_secs_f64();
    assert!((0.8..1.25).contains(&(hourly.beacons / beacons)), "{nodes} nodes: {hourly:?}");
    // Twenty at random, and some for each of a dozen changes.
    assert!((20.0..200.0).contains(&hourly.meetings), "{nodes} nodes: {hourly:?}");
    // Those who change something have more to do, and not without bound.
    assert!(hourly.most_meetings < 1000.0, "{nodes} nodes: too many meetings: {hourly:?}");
    assert!(hourly.sync < 3000.0, "{nodes} nodes: too many messages: {hourly:?}");
    let spreads = [figures.admission, figures.revocation, figures.alarm].map(|spread| spread.all);
    for time in spreads.into_iter().chain([figures.return_, figures.joined]) {
        assert!(time < SOON, "{nodes} nodes: it took {time:?} until all knew: {figures:?}");
    }
    assert!(figures.oldest_call < SOON, "{nodes} nodes: a call has no end: {figures:?}");
    assert!(figures.refused > 0, "{nodes} nodes: who was shut out tried nothing");
}

#[test]
fn all_know_soon_what_happened_and_no_node_has_more_to_do_because_there_are_more() {
    let seed = seed();
    let [small, large] = [10, 50].map(|nodes| story::tell(nodes, seed));
    for figures in [small, large] {
        shown(&figures);
        check(&figures);
    }
    assert!(large.hourly.sync < small.hourly.sync * 2.0, "{small:?} {large:?}");
}

#[test]
fn a_seed_tells_the_same_story_again() {
    let [one, again, other] = [1, 1, 2].map(|seed| format!("{:?}", story::tell(10, seed)));
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[test]
fn the_bytes_of_heads_are_counted_as_the_program_sends_them() {
    let head = |log: u64| {
        let name = LogName { author: [1; 32].into(), log: log.into() };
        Head { name, length: 1, hash: [2; 32].into() }
    };
    for count in [0, 1, 999] {
        let heads = (0..count).map(head).collect();
        let message = Meeting::Heads(Having { heads, ..Having::default() });
        assert_eq!(message.encode().len(), world::heads_bytes(count as usize));
    }
}

#[test]
#[ignore = "minutes of work: for the figures"]
fn what_a_network_of_a_thousand_costs() {
    let seed = seed();
    let counts = env::var("REUNITE_NODES").unwrap_or_else(|_| "10,30,100,300,999".into());
    let mut all = Vec::new();
    for count in counts.split(',') {
        let nodes = count.trim().parse().expect("numbers of nodes");
        let begun = Instant::now();
        let figures = story::tell(nodes, seed);
        shown(&figures);
        all.push(figures);
        println!("  ({:.0} s of work)", begun.elapsed().as_secs_f64());
    }
    table(&all);
    if env::var_os("REUNITE_PLOT").is_some() {
        fs::write(PLOT, plot::svg(&all, seed)).expect("written");
    }
}

/// Where the plot of the README is.
const PLOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/network.svg");

/// The figures as a table for the README.
fn table(all: &[Figures]) {
    let second = |time: Duration| format!("{:.0} s", time.as_secs_f64().ceil());
    println!(
        "| nodes | beacons | probes and answers | meetings | messages of meetings | MB of meetings | admission | revocation | alarm | returned | joined |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for one in all {
        let Figures { nodes, hourly, .. } = one;
        let costs = [hourly.beacons, hourly.probes, hourly.meetings, hourly.sync];
        let costs = costs.map(|cost| format!("{cost:.0}")).join(" | ");
        let times = [one.admission.all, one.revocation.all, one.alarm.all, one.return_, one.joined];
        let times = times.map(second).join(" | ");
        println!("| {nodes} | {costs} | {:.2} | {times} |", hourly.megabytes);
    }
}
