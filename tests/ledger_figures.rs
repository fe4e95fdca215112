//! What a million records cost in memory and time. Not part of the suite:
//! `cargo test --release --test ledger_figures -- --ignored --nocapture`, `REUNITE_RECORDS` for another number.

use reunite::model::identity::Identity;
use reunite::model::keys::SecretKey;
use reunite::model::ledger::block::Received;
use reunite::model::ledger::chains::{Chains, Rigour};
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::import::import;
use reunite::model::ledger::names::Namer;
use reunite::model::ledger::pen::Pen;
use reunite::model::ledger::state::State;
use reunite::model::limits::MAX_ENTRIES;
use reunite::model::row::Row;
use reunite::model::section::Section;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::time::Instant;

/// What a Pi with 1 GB has left for a node and its network, MB.
const MOST_OF_A_PI: u64 = 700;

/// Memory of this process, KiB: now, and at most so far.
fn memory() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("there");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    };
    (field("VmRSS:"), field("VmHWM:"))
}

fn row(n: usize) -> Row {
    let id = (482_915_736_620_194_857_u64 + n as u64 * 7).to_string();
    let name = format!("Nur Begum {n}");
    Row::new(&[
        name.as_str(),
        "thin, scar on left hand",
        "Balukhali market 12/8/24",
        "missing",
        id.as_str(),
    ])
}

#[test]
#[ignore = "it measures, for minutes"]
fn a_million_records_fit_into_a_pi() {
    let number = |name| env::var(name).ok().and_then(|text| text.parse().ok());
    let records: usize = number("REUNITE_RECORDS").unwrap_or(1_000_000);
    let namer = Namer::new(&SecretKey::from([7; 32]));
    let identity = Identity::new(SecretKey::from([1; 32]));
    let (mut pen, nothing) = (Pen::begin(&identity, 1.into()), State::default());
    let (mut chains, mut state, before) = (Chains::default(), State::default(), memory().0);
    let (mut bytes, mut made, mut taken) = (0, 0.0, 0.0);
    for start in (0..records).step_by(MAX_ENTRIES) {
        let begun = Instant::now();
        let rows = (start..records.min(start + MAX_ENTRIES)).map(row);
        let import = |row: Row| import(&nothing, &namer, Section::People, &row).expect("right");
        let entries = rows.map(|row| Entry::Change(import(row).expect("new"))).collect();
        let block = pen.sign(entries, chains.next_lamport(), 0).expect("room").bytes().to_vec();
        made += begun.elapsed().as_secs_f64();
        bytes += block.len();
        let begun = Instant::now();
        let run = vec![Received::read(&block).expect("right")];
        for block in chains.check(run, Rigour::Last).expect("right") {
            chains.extend(&block).expect("right");
            state.apply(&block).expect("room");
        }
        taken += begun.elapsed().as_secs_f64();
    }
    let (after, most) = memory();
    let per = |kib: u64| kib * 1024 / records as u64;
    println!("{records} records, {} bits: {} bytes each on the disk", usize::BITS, bytes / records);
    println!(
        "memory {} bytes each, {} at most; {} MB in all",
        per(after - before),
        per(most - before),
        most / 1024
    );
    println!("import and sign {made:.2} s, read and apply {taken:.2} s");
    assert!(most / 1024 < MOST_OF_A_PI, "{} MB do not fit", most / 1024);

    let mut rng = rand::rng();
    let edits: Vec<_> = (0..100)
        .flat_map(|n| {
            let about = reunite::model::ledger::operation::About {
                section: Section::People,
                record: namer.record(Section::People, &row(n * records / 100)),
            };
            let view = state.view(about).expect("there");
            view.edit(BTreeMap::from([(3, "found".to_owned())]), &mut rng).expect("right")
        })
        .collect();
    let entries = edits.into_iter().map(Entry::Change).collect();
    let block = pen.sign(entries, chains.next_lamport(), 0).expect("room");
    state.apply(&block).expect("room");
    println!("100 changes: {} bytes", block.bytes().len());
    let begun = Instant::now();
    let rows = state.rows(Section::People);
    println!("{} rows {:.2} s", rows.len(), begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    assert!(state.conflicts().is_empty());
    println!("conflicts {:.3} s", begun.elapsed().as_secs_f64());
}
