//! The ledger's file as a whole: damage anywhere, disks that fail, many writers, and processes that are killed.
//!
//! `REUNITE_KILLS` says how many processes are killed while they write; the suite kills a few.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/sim_disk.rs"]
mod sim_disk;

use reunite::store::disk::RealDisk;
use reunite::store::ledger_file::{LedgerFile, Recovered};
use reunite::store::ledger_frame::Place;
use sim_disk::{Dice, Fault, Mutant, SimDisk};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const LEDGER: &str = "/data/DATABASE1.ledger";
const PATIENCE: Duration = Duration::from_secs(60);

type Entries = Vec<(Place, Vec<u8>)>;

fn open(disk: &SimDisk) -> (LedgerFile, Recovered, Entries) {
    let mut entries = Vec::new();
    let opened = LedgerFile::open(Arc::new(disk.clone()), Path::new(LEDGER), |place, entry| {
        entries.push((place, entry.to_vec()));
        Ok(())
    });
    let (ledger, recovered) = opened.expect("it starts whatever is in the file");
    (ledger, recovered, entries)
}

fn add(ledger: &LedgerFile, entry: &[u8]) -> Place {
    let ticket = ledger.append(entry.to_vec()).expect("taken");
    ledger.wait(&ticket, PATIENCE).expect("written")
}

/// A disk with the ledger of these commits, closed or killed.
fn written(commits: &[&[&[u8]]], is_closed: bool) -> SimDisk {
    let disk = SimDisk::new(Mutant::None);
    let (ledger, ..) = open(&disk);
    for commit in commits {
        let tickets: Vec<_> =
            commit.iter().map(|entry| ledger.append(entry.to_vec()).expect("taken")).collect();
        for ticket in tickets {
            ledger.wait(&ticket, PATIENCE).expect("written");
        }
    }
    if is_closed {
        ledger.close().expect("well");
    }
    disk
}

fn bodies(entries: &Entries) -> Vec<&[u8]> {
    entries.iter().map(|(_, entry)| entry.as_slice()).collect()
}

#[test]
fn entries_come_back_in_their_order_and_each_is_read_by_its_place() {
    let disk = written(&[&[b"one"], &[b"two", b"three"]], true);
    let (ledger, recovered, entries) = open(&disk);
    assert_eq!(bodies(&entries), [&b"one"[..], b"two", b"three"]);
    assert_eq!(recovered, Recovered { entries: 3, ..Recovered::default() });
    let four = add(&ledger, b"four");
    assert_eq!(ledger.read(four).expect("there"), b"four");
    for (place, entry) in &entries {
        assert_eq!(ledger.read(*place).expect("there"), *entry);
    }
    let nowhere = Place { segment: 0, offset: four.offset + 1 };
    assert!(ledger.read(nowhere).is_err());
    assert!(ledger.read(Place { segment: 9, offset: 512 }).is_err());
    let mut all = Vec::new();
    let walked = ledger.entries(|place, _| {
        all.push(place);
        Ok(())
    });
    assert_eq!(walked.expect("readable").entries, 4);
    assert_eq!(all.last(), Some(&four));
}

#[test]
fn an_entry_that_is_empty_or_too_long_is_refused() {
    let (ledger, ..) = open(&SimDisk::new(Mutant::None));
    assert!(ledger.append(Vec::new()).is_err());
    assert!(ledger.append(vec![0; 1024 * 1024 + 1]).is_err());
    let long = vec![7; 1024 * 1024];
    let place = add(&ledger, &long);
    assert_eq!(ledger.read(place).expect("there"), long);
}

#[test]
fn a_changed_byte_anywhere_in_a_closed_ledger_is_told_and_all_other_entries_are_read() {
    let long = [b'x'; 700];
    let all: [&[u8]; 5] = [b"one", b"two", &long, b"four", b"five"];
    let disk = written(&[&all[..1], &all[1..4], &all[4..]], true);
    let bytes = disk.content(Path::new(LEDGER)).expect("there");
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        let disk = SimDisk::new(Mutant::None);
        disk.put(Path::new(LEDGER), &changed);
        let (ledger, recovered, entries) = open(&disk);
        let read = bodies(&entries);
        assert!(read.len() + 1 >= all.len(), "byte {at}: {} entries", read.len());
        assert!(read.iter().all(|entry| all.contains(entry)), "byte {at}");
        let told = recovered.damages.iter().chain(&recovered.torn);
        let is_told = told.into_iter().any(|damage| damage.bytes.contains(&(at as u64)));
        assert!(is_told, "byte {at}: {recovered:?}");
        // The closing mark alone can be taken for torn: nothing shows that it was ever written.
        let is_mark = at >= bytes.len() - 512;
        assert_eq!(recovered.torn.is_some(), is_mark, "byte {at}");
        add(&ledger, b"more");
        ledger.close().expect("well");
        let (_, again, entries) = open(&disk);
        assert_eq!(bodies(&entries).last(), Some(&&b"more"[..]), "byte {at}");
        assert_eq!(entries.len() as u64, recovered.entries + 1, "byte {at}");
        assert_eq!((again.damages, again.new_damages), (recovered.damages, 0), "byte {at}");
    }
}

#[test]
fn a_ledger_cut_off_at_any_byte_starts_with_all_that_was_before() {
    let all: [&[u8]; 4] = [b"one", b"two", b"three", b"four"];
    let disk = written(&[&all[..1], &all[1..3], &all[3..]], true);
    let bytes = disk.content(Path::new(LEDGER)).expect("there");
    for length in 0..bytes.len() {
        let disk = SimDisk::new(Mutant::None);
        disk.put(Path::new(LEDGER), &bytes[..length]);
        let (ledger, recovered, entries) = open(&disk);
        let read = bodies(&entries);
        assert_eq!(read, all[..read.len()], "length {length}");
        assert!(length < 512 || recovered.damages.is_empty(), "length {length}: {recovered:?}");
        add(&ledger, b"more");
        let (_, _, after) = open(&disk);
        assert_eq!(after.len(), read.len() + 1, "length {length}");
    }
}

#[test]
fn what_is_damaged_in_the_middle_is_kept_aside_once_and_stays_where_it_is() {
    let disk = written(&[&[b"one"], &[b"two"], &[b"three"]], false);
    let mut bytes = disk.content(Path::new(LEDGER)).expect("there");
    bytes[1024..1536].fill(0xEE);
    disk.put(Path::new(LEDGER), &bytes);
    let (_, recovered, entries) = open(&disk);
    assert_eq!(bodies(&entries), [&b"one"[..], b"three"]);
    assert_eq!((recovered.damages[0].bytes.clone(), recovered.new_damages), (1024..1536, 1));
    let copy = PathBuf::from(format!("{LEDGER}.damaged-0-1024"));
    assert_eq!(disk.content(&copy).expect("copied"), [0xEE; 512]);
    assert_eq!(disk.content(Path::new(LEDGER)).expect("there"), bytes);
    let (_, again, _) = open(&disk);
    assert_eq!((again.damages, again.new_damages), (recovered.damages, 0));
}

#[test]
fn what_power_cut_short_is_cut_off_and_a_copy_stays_beside_it() {
    let disk = written(&[&[b"one"], &[b"two", b"three", b"four"]], false);
    let mut bytes = disk.content(Path::new(LEDGER)).expect("there");
    // The second of three frames that were committed together: what is behind it builds on it.
    let frame = 1024 + 24 + 3;
    bytes[frame + 26] ^= 1;
    disk.put(Path::new(LEDGER), &bytes);
    let (ledger, recovered, entries) = open(&disk);
    assert_eq!(bodies(&entries), [&b"one"[..], b"two"]);
    assert!(recovered.damages.is_empty());
    assert_eq!(recovered.torn.expect("torn").bytes, frame as u64..1536);
    let copy = disk.content(Path::new(&format!("{LEDGER}.torn"))).expect("copied");
    assert_eq!(copy, bytes[frame..]);
    add(&ledger, b"more");
    let (_, recovered, entries) = open(&disk);
    assert_eq!(bodies(&entries), [&b"one"[..], b"two", b"more"]);
    assert_eq!(recovered, Recovered { entries: 3, ..Recovered::default() });
}

#[test]
fn garbage_of_any_kind_in_place_of_a_ledger_never_keeps_a_node_from_starting() {
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let disk = written(&[&[b"one"], &[b"two", &[9; 900]], &[b"three"]], dice.coin());
        let mut bytes = disk.content(Path::new(LEDGER)).expect("there");
        for _ in 0..=dice.below(6) {
            let (from, to) = (dice.below(bytes.len()), dice.below(bytes.len()));
            let length = dice.below(bytes.len() - from.max(to));
            match dice.below(4) {
                0 => bytes.copy_within(from..from + length, to),
                1 => bytes[from..from + length].fill(0),
                2 => bytes[from..from + length].fill_with(|| dice.next() as u8),
                _ => bytes.truncate(from.max(1)),
            }
        }
        disk.put(Path::new(LEDGER), &bytes);
        let (ledger, _, entries) = open(&disk);
        let known: [&[u8]; 4] = [b"one", b"two", &[9; 900], b"three"];
        assert!(bodies(&entries).iter().all(|entry| known.contains(entry)), "seed {seed}");
        add(&ledger, b"more");
        let (_, _, after) = open(&disk);
        assert_eq!(after.len(), entries.len() + 1, "seed {seed}");
    }
}

#[test]
fn a_full_disk_is_told_and_the_ledger_goes_on_when_there_is_room() {
    let disk = written(&[&[b"one"]], false);
    let (ledger, ..) = open(&disk);
    disk.fault_in(0, Fault::Full(1000));
    let (two, three) = (ledger.append(b"two".to_vec()), ledger.append(b"three".to_vec()));
    let error = ledger.wait(&two.expect("taken"), PATIENCE).expect_err("no room");
    assert!(error.advice().is_some_and(|advice| advice.contains("room")), "{error}");
    assert!(ledger.wait(&three.expect("taken"), PATIENCE).is_err());
    let refused = ledger.append(b"four".to_vec()).expect_err("it has failed");
    assert!(refused.to_string().contains("write /data/DATABASE1.ledger"), "{refused}");
    assert_eq!(ledger.trouble().map(|cause| cause.kind()), Some(ErrorKind::StorageFull));
    assert!(ledger.resume().is_err());
    disk.repair();
    ledger.resume().expect("there is room");
    assert!(ledger.trouble().is_none());
    add(&ledger, b"five");
    let (_, recovered, entries) = open(&disk);
    assert_eq!(bodies(&entries), [&b"one"[..], b"five"]);
    assert!(recovered.damages.is_empty());
}

#[test]
fn nothing_more_is_written_to_a_file_after_a_failed_sync() {
    let disk = written(&[&[b"one"]], false);
    let (ledger, ..) = open(&disk);
    // The write is the first operation, its sync the second.
    disk.fault_in(1, Fault::Broken);
    let place = add(&ledger, b"two");
    assert_eq!(place.segment, 1);
    let left = disk.content(Path::new(LEDGER)).expect("there");
    assert_eq!(add(&ledger, b"three").segment, 1);
    assert_eq!(disk.content(Path::new(LEDGER)).expect("there"), left);
    let (_, recovered, entries) = open(&disk);
    assert_eq!(bodies(&entries), [&b"one"[..], b"two", b"three"]);
    assert!(recovered.damages.is_empty() && recovered.torn.is_none());
}

#[test]
fn a_lost_segment_is_told_with_what_stood_in_it() {
    let disk = written(&[&[b"one"]], false);
    for entry in [b"two", b"six"] {
        let (ledger, ..) = open(&disk);
        disk.fault_in(1, Fault::Broken);
        add(&ledger, entry);
    }
    let names = disk.names();
    assert_eq!(names.len(), 3, "{names:?}");
    let without = SimDisk::new(Mutant::None);
    for name in names.iter().filter(|name| !name.to_string_lossy().ends_with(".1")) {
        without.put(name, &disk.content(name).expect("there"));
    }
    let (_, recovered, entries) = open(&without);
    // The second was tried in the first segment before, and nothing says any more that it does not count there.
    assert_eq!(bodies(&entries), [b"one", b"two", b"six"]);
    let damage = &recovered.damages[0];
    assert_eq!((damage.segment, damage.bytes.clone()), (1, 0..1024));
}

#[test]
fn a_segment_of_a_newer_program_is_refused_and_left_as_it_is() {
    let disk = written(&[&[b"one"]], false);
    let mut bytes = disk.content(Path::new(LEDGER)).expect("there");
    bytes[19] = 2;
    let sum = crc32fast::hash(&bytes[..36]);
    bytes[36..40].copy_from_slice(&sum.to_be_bytes());
    disk.put(Path::new(LEDGER), &bytes);
    let opened = LedgerFile::open(Arc::new(disk.clone()), Path::new(LEDGER), |_, _| Ok(()));
    let error = opened.expect_err("it is newer");
    assert!(error.to_string().contains("version 2") && error.advice().is_some(), "{error}");
    assert_eq!(disk.content(Path::new(LEDGER)).expect("there"), bytes);
}

#[test]
fn a_closed_ledger_takes_nothing_more() {
    let disk = SimDisk::new(Mutant::None);
    let (ledger, ..) = open(&disk);
    let _ = ledger.append(b"one".to_vec()).expect("taken");
    ledger.close().expect("well");
    ledger.close().expect("closed already");
    assert!(ledger.append(b"two".to_vec()).is_err());
    let (_, _, entries) = open(&disk);
    assert_eq!(bodies(&entries), [b"one"]);
}

#[test]
fn many_writers_share_few_syncs_and_each_gets_its_own_place() {
    const WRITERS: u64 = 16;
    const ENTRIES: u64 = 40;
    let disk = SimDisk::new(Mutant::None);
    let (ledger, ..) = open(&disk);
    let write = |writer: u64| {
        let ledger = ledger.clone();
        move || {
            let own = (0..ENTRIES).map(|number| (writer * ENTRIES + number).to_be_bytes());
            own.map(|entry| (add(&ledger, &entry), entry)).collect::<Vec<_>>()
        }
    };
    let threads: Vec<_> = (0..WRITERS).map(|writer| thread::spawn(write(writer))).collect();
    let mut places = BTreeSet::new();
    for thread in threads {
        for (place, entry) in thread.join().expect("no panic") {
            assert_eq!(ledger.read(place).expect("there"), entry);
            places.insert(place);
        }
    }
    assert_eq!(places.len() as u64, WRITERS * ENTRIES);
    let (_, _, entries) = open(&disk);
    assert_eq!(entries.iter().map(|(place, _)| *place).collect::<BTreeSet<_>>(), places);
}

// --- processes that are killed ---

/// Set in a child: the folder in which it writes until it is killed.
const FOLDER: &str = "REUNITE_KILLED_WRITER";
const THREADS: u64 = 4;

/// Not a test of its own: in a child process it writes, and says what was acknowledged, without end.
#[test]
fn a_writer_that_will_be_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let path = Path::new(&folder).join("DATABASE1.ledger");
    let mut first = 0;
    let opened =
        LedgerFile::open_with_segments(Arc::new(RealDisk), &path, 64 * 1024, |_, entry| {
            first = first.max(number_of(entry) / THREADS + 1);
            Ok(())
        });
    let (ledger, _) = opened.expect("it starts");
    let write = |thread: u64| {
        let ledger = ledger.clone();
        move || {
            for round in first.. {
                let number = round * THREADS + thread;
                add(&ledger, &entry(number));
                let mut out = std::io::stdout().lock();
                writeln!(out, "acknowledged {number}").and_then(|()| out.flush()).expect("heard");
            }
        }
    };
    let threads: Vec<_> = (0..THREADS).map(|thread| thread::spawn(write(thread))).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("killed before that"));
}

fn entry(number: u64) -> Vec<u8> {
    let mut dice = Dice(number);
    let length = 8 + dice.below(1500);
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend((0..length).map(|_| dice.next() as u8));
    bytes
}

fn number_of(entry: &[u8]) -> u64 {
    u64::from_be_bytes(*entry.first_chunk().expect("a number"))
}

#[test]
fn what_was_acknowledged_is_there_after_a_process_was_killed() {
    let kills: u64 =
        std::env::var("REUNITE_KILLS").map_or(20, |text| text.parse().expect("a number"));
    let folder = std::env::temp_dir().join(format!("reunite-kills-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let path = folder.join("DATABASE1.ledger");
    let (mut acknowledged, mut torn) = (BTreeSet::new(), 0);
    for kill in 0..kills {
        acknowledged.extend(write_and_be_killed(&folder, &mut Dice(kill)));
        let mut there = BTreeSet::new();
        let opened = LedgerFile::open(Arc::new(RealDisk), &path, |_, bytes| {
            assert_eq!(entry(number_of(bytes)), bytes, "kill {kill}");
            assert!(there.insert(number_of(bytes)), "kill {kill}: an entry comes twice");
            Ok(())
        });
        let (_, recovered) = opened.expect("the next start needs no person");
        assert!(recovered.damages.is_empty(), "kill {kill}: {:?}", recovered.damages);
        torn += u64::from(recovered.torn.is_some());
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "kill {kill}: {lost:?}");
    }
    println!("{kills} kills, {} entries acknowledged, {torn} torn", acknowledged.len());
    assert!(!acknowledged.is_empty());
    std::fs::remove_dir_all(&folder).expect("ours");
}

/// Lets a process write until it has said a number of things, kills it, and returns what it said.
fn write_and_be_killed(folder: &Path, dice: &mut Dice) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["a_writer_that_will_be_killed", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let (mut said, last) = (Vec::new(), 1 + dice.below(40));
    for line in lines {
        // Lines are whole: a pipe takes so few bytes at once or not at all.
        let Ok(line) = line else { break };
        let Some((_, number)) = line.split_once("acknowledged ") else { continue };
        said.extend(number.parse::<u64>());
        if said.len() == last {
            // A moment that depends on no clock: somewhere in the work that follows.
            (0..dice.below(2_000_000))
                .for_each(|turn| assert!(std::hint::black_box(turn) < 2_000_000));
            child.kill().expect("ours");
        }
    }
    child.wait().expect("ours");
    said
}
