//! Two ledgers brought into step over a sealed session: everything to a node that has nothing, and a few changes of
//! many records.

use crate::inside::{Inside, ledger};
use crate::others;
use crate::people;
use crate::relay::{self, Passed, Relay};
use crate::sealed::streams;
use crate::support::Network;
use crate::table::{Line, Runs, busy_time, timed};
use reunite::model::codec::Encoder;
use reunite::model::ledger::heads::Heads;
use reunite::model::ledger::listing::Spot;
use reunite::model::ledger::packed;
use reunite::model::section::Section;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

const SMALL: usize = 100_000;
const LARGE: usize = 1_000_000;
/// Records that change.
const CHANGES: usize = 100;
/// How often so many change.
const FEW_RUNS: usize = 5;
/// A link that slows nothing.
const FREE: Relay = Relay { bytes_per_second: None };
/// Records over the slow link, and its bytes per second: some seconds of it.
const SLOW: usize = 30_000;
const SLOW_LINK: u64 = 1_000_000;
/// The column of the status.
const STATUS: u8 = 3;
/// Bytes copied at a time.
const PIECE: usize = 1024 * 1024;
/// Turns of the two sides for which no change waits: two while TLS is agreed, and when all is on both disks the
/// caller's last word and the answerer's goodbye.
const OTHER_TURNS: u64 = 4;

pub fn measure() -> Vec<Line> {
    let mut lines = first(SMALL, 5);
    lines.extend(others::measure(SMALL));
    lines.extend(first(LARGE, 3));
    lines.extend(few());
    lines.extend(slowly());
    lines
}

/// A node that has nothing gets everything.
fn first(count: usize, runs: usize) -> Vec<Line> {
    let (mut synced, mut copied, mut busy) = (Vec::new(), Vec::new(), Vec::new());
    let network = Network::new("bench-sync", 2);
    network.put(1, &people::file(count));
    let one = Inside::open(&network, 1);
    let from = ledger(&network, 1);
    for _ in 0..runs {
        copied.push(timed(|| copy(&from, &from.with_extension("copy"))).0);
        let two = Inside::open(&network, 2);
        let before = busy_time(std::process::id());
        let (time, stored) = one.meet(&two, streams());
        assert_eq!(stored.new as usize, count);
        synced.push(time);
        busy.push(busy_time(std::process::id()) - before);
        drop(two);
        fs::remove_dir_all(network.data(2)).expect("there");
        fs::create_dir_all(network.data(2)).expect("made");
    }
    vec![
        Line::new(
            format!("first sync of {count} records, on the disk of both"),
            Runs::times(&synced),
        )
        .against("copying the ledger's file with fsync", &Runs::times(&copied))
        .goal_ratio(3.0),
        Line::new(
            format!("processor time of the first sync of {count} records, both nodes together"),
            Runs::processor(&busy),
        ),
    ]
}

fn copy(from: &Path, to: &Path) {
    let (mut from, mut to) = (File::open(from).expect("there"), File::create(to).expect("room"));
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece).expect("there") {
            0 => break,
            count => to.write_all(&piece[..count]).expect("room"),
        }
    }
    to.sync_all().expect("room");
}

/// A hundred of a million records change: signed together, as an import is, and one by one, as people type.
fn few() -> Vec<Line> {
    let network = Network::new("bench-few", 2);
    network.put(1, &people::file(LARGE));
    let (one, two) = (Inside::open(&network, 1), Inside::open(&network, 2));
    one.meet(&two, streams());
    let spots = one.database().with(|replica| replica.state().order(Section::People));
    let mut apart =
        spots.chunks(LARGE / (2 * FEW_RUNS * CHANGES)).filter_map(|spots| spots.first());
    let mut run = |most: usize| {
        let before = one.database().heads();
        let spots: Vec<_> = apart.by_ref().take(CHANGES).copied().collect();
        let own = spots.chunks(most).map(|spots| edit(&one, spots)).sum::<usize>();
        let (all, (streams, ended)) = (signed(&one, &before), relay::streams(FREE));
        let (time, stored) = one.meet(&two, streams);
        assert_eq!(stored.new as usize, CHANGES);
        (if most == 1 { all } else { own }, time, ended.join())
    };
    let together: Vec<_> = (0..FEW_RUNS).map(|_| run(CHANGES)).collect();
    let apart: Vec<_> = (0..FEW_RUNS).map(|_| run(1)).collect();
    let mut lines = travelled("100 changes in 1000000 records", "the changes' own", &together);
    let what = "100 changes in 1000000 records, each signed by itself";
    lines.extend(travelled(what, "the changes' own, with a signature each", &apart));
    lines
}

/// Says that these people are found, in one block. Returns the bytes of the changes, without header and signature.
fn edit(one: &Inside, spots: &[Spot]) -> usize {
    let made = one.database().write(|replica| {
        let (state, mut made, mut out) = (replica.state(), Vec::new(), Encoder::default());
        for spot in spots {
            let view = state.about(*spot).and_then(|about| state.view(about)).expect("there");
            let found = BTreeMap::from([(STATUS, "found alive".to_owned())]);
            made.extend(view.edit(found, &mut rand::rng())?);
        }
        made.iter().for_each(|operation| packed::encode(operation, &mut out));
        Ok((made, out.done().len()))
    });
    let (bytes, ticket) = made.expect("right");
    one.saved(ticket);
    bytes
}

/// The bytes of the blocks that came after these heads.
fn signed(one: &Inside, before: &Heads) -> usize {
    let ranges = one.database().beyond(before);
    let blocks = |range| one.database().blocks(range, usize::MAX).expect("there");
    ranges.iter().flat_map(blocks).map(|block| block.len()).sum()
}

fn travelled(what: &str, against: &str, runs: &[(usize, Duration, Passed)]) -> Vec<Line> {
    let bytes = runs.iter().map(|(_, _, passed)| passed.bytes as f64).collect();
    let own = runs.iter().map(|(own, _, _)| *own as f64).collect();
    let times: Vec<_> = runs.iter().map(|(_, time, _)| *time).collect();
    // Where both sides speak at the same time without waiting, turns are counted that are none: the least are right.
    let turns = runs.iter().map(|(_, _, passed)| passed.turns).min().unwrap_or_default();
    let trips = turns.saturating_sub(OTHER_TURNS) as f64 / 2.0;
    vec![
        Line::new(format!("{what}: bytes both ways, with TLS"), Runs::new("bytes", bytes))
            .against(against, &Runs::new("bytes", own))
            .goal_ratio(1.5),
        Line::new(
            format!("{what}: round trips between that of TLS and the goodbye"),
            Runs::new("", vec![trips]),
        )
        .goal(2.01),
        Line::new(format!("{what}: time, with TLS"), Runs::times(&times)),
    ]
}

/// A link of a megabyte a second.
fn slowly() -> Vec<Line> {
    let network = Network::new("bench-slow", 2);
    network.put(1, &people::file(SLOW));
    let (one, two) = (Inside::open(&network, 1), Inside::open(&network, 2));
    let bytes = signed(&one, &Heads::default());
    let (streams, ended) = relay::streams(Relay { bytes_per_second: Some(SLOW_LINK) });
    let (time, stored) = one.meet(&two, streams);
    assert_eq!(stored.new as usize, SLOW);
    let passed = ended.join();
    let seconds = |bytes: f64| Duration::from_secs_f64(bytes / SLOW_LINK as f64);
    let runs = |unit, value: f64| Runs::new(unit, vec![value]);
    vec![
        Line::new("first sync of 30000 records over a link of 1 MB/s", Runs::times(&[time]))
            .against("the ledger's bytes over it", &Runs::times(&[seconds(bytes as f64)])),
        Line::new("bytes that travelled of it", runs("bytes", passed.bytes as f64))
            .against("the ledger's", &runs("bytes", bytes as f64)),
    ]
}
