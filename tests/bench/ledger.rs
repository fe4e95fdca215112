//! Durable appends to the ledger's file, and durable additions to the database, by one writer and by a hundred,
//! against the same bytes appended and synced by hand; and how fast a large ledger's file is read.

use crate::inside::{Inside, ledger};
use crate::support::{Folder, Network};
use crate::table::{Line, Runs, timed};
use reunite::store::disk::RealDisk;
use reunite::store::ledger_file::LedgerFile;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const RUNS: usize = 7;
/// Bytes of an entry: about a person, signed.
const ENTRY: usize = 350;
/// Appends of each run.
const APPENDS: usize = 2000;
/// Entries of the ledger that is read.
const LARGE: usize = 1_000_000;
/// Entries that are committed together when it is made.
const BATCH: usize = 10_000;
/// Longer than any of it takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn measure() -> Vec<Line> {
    let folder = Folder::new("bench-ledger");
    let (mut floor, mut one, mut hundred) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        let file = |name: &str| folder.path().join(format!("{name}-{run}.ledger"));
        floor.push(rate(timed(|| by_hand(&file("hand"), ENTRY)).0, APPENDS));
        one.push(rate(timed(|| append(&file("one"), 1)).0, APPENDS));
        hundred.push(rate(timed(|| append(&file("hundred"), 100)).0, APPENDS));
    }
    let [floor, one, hundred] = [floor, one, hundred].map(|runs| Runs::new("per s", runs));
    let by_hand = "append + fdatasync by hand, one writer";
    let mut lines = vec![
        Line::new("durable appends, 1 writer", one).against(by_hand, &floor),
        Line::new("durable appends, 100 writers", hundred).against(by_hand, &floor),
    ];
    lines.extend(additions(&folder));
    lines.extend(large(&folder));
    lines
}

/// People added to the database, each signed, and acknowledged when it is on the disk.
fn additions(folder: &Folder) -> Vec<Line> {
    let (mut floor, mut one, mut hundred) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        let network = Network::new("bench-additions", 2);
        let inside = Inside::open(&network, 1);
        let before = length(&network);
        one.push(rate(timed(|| add(&inside, 1, 0)).0, APPENDS));
        let each = (length(&network) - before) / APPENDS;
        hundred.push(rate(timed(|| add(&inside, 100, APPENDS)).0, APPENDS));
        let path = folder.path().join(format!("added-{run}"));
        floor.push(rate(timed(|| by_hand(&path, each)).0, APPENDS));
    }
    let [floor, one, hundred] = [floor, one, hundred].map(|runs| Runs::new("per s", runs));
    let by_hand = "append of the same bytes + fdatasync by hand, one writer";
    vec![
        Line::new("durable additions of a person, 1 writer", one).against(by_hand, &floor),
        Line::new("durable additions of a person, 100 writers", hundred)
            .against(by_hand, &floor)
            .goal_ratio_over(1.0),
    ]
}

fn length(network: &Network) -> usize {
    fs::metadata(ledger(network, 1)).expect("there").len() as usize
}

fn add(inside: &Inside, writers: usize, from: usize) {
    thread::scope(|scope| {
        for writer in 0..writers {
            scope.spawn(move || {
                for at in (writer..APPENDS).step_by(writers) {
                    inside.add(from + at);
                }
            });
        }
    });
}

/// Making and reading a ledger of a million entries.
fn large(folder: &Folder) -> [Line; 2] {
    let path = folder.path().join("large.ledger");
    let plain = folder.path().join("plain");
    let bytes = vec![b'x'; LARGE * ENTRY];
    let (copied, ()) = timed(|| {
        let mut file = File::create(&plain).expect("room");
        file.write_all(&bytes).and_then(|()| file.sync_all()).expect("room");
    });
    let (made, ()) = timed(|| {
        let ledger = open(&path);
        for _ in 0..LARGE / BATCH {
            for _ in 0..BATCH {
                let _ = ledger.append(vec![b'x'; ENTRY]).expect("taken");
            }
            ledger.flush().expect("written");
        }
        ledger.close().expect("written");
    });
    let (read, _) = timed(|| fs::read(&plain).expect("there"));
    let (walked, entries) = timed(|| {
        let mut entries = 0;
        let count = |_, entry: &[u8]| {
            entries += usize::from(entry.len() == ENTRY);
            Ok(())
        };
        LedgerFile::open(Arc::new(RealDisk), &path, count).expect("it starts");
        entries
    });
    assert_eq!(entries, LARGE);
    let times = |time| Runs::times(&[time]);
    [
        Line::new("1000000 entries written, synced each 10000", times(made))
            .against("the same bytes written and synced once", &times(copied)),
        Line::new("start with 1000000 entries", times(walked))
            .against("a plain read of the same bytes", &times(read)),
    ]
}

fn rate(time: Duration, count: usize) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn by_hand(path: &Path, bytes: usize) {
    let mut file = File::options().append(true).create_new(true).open(path).expect("room");
    let entry = vec![b'x'; bytes];
    for _ in 0..APPENDS {
        file.write_all(&entry).and_then(|()| file.sync_data()).expect("room");
    }
}

fn open(path: &Path) -> LedgerFile {
    LedgerFile::open(Arc::new(RealDisk), path, |_, _| Ok(())).expect("it starts").0
}

fn append(path: &Path, writers: usize) {
    let ledger = open(path);
    thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                for _ in 0..APPENDS / writers {
                    let ticket = ledger.append(vec![b'x'; ENTRY]).expect("taken");
                    ledger.wait(&ticket, PATIENCE).expect("written");
                }
            });
        }
    });
}
