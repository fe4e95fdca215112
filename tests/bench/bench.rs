//! Measures what reunite promises: `cargo bench --bench bench` prints a table, `… -- NAME` a part of it.
//!
//! Every figure is the median of several runs, with the least and the most beside it. Where there is
//! something to compare with, it is measured in the same run, so that a slow or busy machine slows both:
//! the ratio is what counts. The original's figures are those measured of it before, side by side.

#![allow(clippy::indexing_slicing, reason = "a measurement that cannot be made fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod alarm;
mod broadcast;
mod calls;
mod flood;
mod idle;
mod inside;
mod large;
mod ledger;
mod others;
mod people;
mod relay;
mod rows;
mod sealed;
mod sessions;
mod sync;
mod table;
mod transfer;

use table::Line;

/// A measurement: its name on the command line, and what it measures.
type Measurement = (&'static str, fn() -> Vec<Line>);

const ALL: [Measurement; 10] = [
    ("alarm", alarm::measure),
    ("knock", calls::measure),
    ("flood", flood::measure),
    ("transfer", transfer::measure),
    ("rows", rows::measure),
    ("sessions", sessions::measure),
    ("broadcast", broadcast::measure),
    ("large", large::measure),
    ("ledger", ledger::measure),
    ("sync", sync::measure),
];

/// Takes a minute in which nothing may happen, so it comes last.
const IDLE: Measurement = ("idle", idle::measure);

fn main() {
    let wanted: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let known: Vec<_> = ALL.into_iter().chain([IDLE]).collect();
    if let Some(word) = wanted.iter().find(|word| known.iter().all(|(name, _)| name != word)) {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no measurement {word:?}; there are {}", names.join(", "));
        std::process::exit(2);
    }
    println!("{}", table::HEAD);
    for (_, measure) in known.iter().filter(|(name, _)| is_wanted(name)) {
        for line in measure() {
            println!("{line}");
        }
    }
}
