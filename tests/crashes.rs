//! What a power cut leaves of the ledger's file and of the text file, on a simulated disk: at every operation of
//! a script, in many outcomes, with faults of the disk, and for seeds without end.
//!
//! `REUNITE_CRASH_OUTCOMES` says how many outcomes every operation gets (64 for a full run), and
//! `REUNITE_CRASH_SEEDS` how many seeds are played (100000); the suite takes less of both. A failing one is told
//! with its numbers. Each thing that keeps the promise is left out once, by a mutant of the disk, to show that
//! the loss is found.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/sim_disk.rs"]
mod sim_disk;

use reunite::store::commit::Ticket;
use reunite::store::disk::{Disk, How};
use reunite::store::files;
use reunite::store::ledger_file::LedgerFile;
use reunite::store::ledger_frame::Place;
use sim_disk::{Dice, Fault, Mutant, SimDisk};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const LEDGER: &str = "/data/DATABASE1.ledger";
const TEXT: &str = "/data/DATABASE1.txt";
/// Far less than a real one, so that a script begins several.
const SEGMENT: u64 = 24 * 1024;
/// Operations of the long script.
const SCRIPT: usize = 200;
/// Operations of the script of a seed.
const SHORT_SCRIPT: usize = 12;
/// Longer than a disk in memory takes.
const PATIENCE: Duration = Duration::from_secs(60);

type Checked<T = ()> = Result<T, String>;

/// What a node does.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Hands in so many entries, and waits for all.
    Append(usize),
    /// Replaces the text file.
    Text,
    /// Reads an entry again.
    Read,
    /// Ends, and starts again.
    Close,
    /// Is killed, and starts again.
    Kill,
}

impl Step {
    fn drawn(dice: &mut Dice) -> Self {
        match dice.below(20) {
            0..=8 => Self::Append(1),
            9..=12 => Self::Append(2 + dice.below(12)),
            13..=15 => Self::Text,
            16..=17 => Self::Read,
            18 => Self::Close,
            _ => Self::Kill,
        }
    }
}

/// The entry of this number: its bytes say which it is, and no other has them.
fn entry(number: u64) -> Vec<u8> {
    let mut dice = Dice(number);
    let length = match dice.below(10) {
        0..=6 => 9 + dice.below(300),
        7..=8 => 400 + dice.below(700),
        _ => 1500 + dice.below(2500),
    };
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend((8..length).map(|_| dice.next() as u8));
    bytes
}

fn text(version: u64) -> Vec<u8> {
    format!("People:\nversion {version}\n").repeat(20 + version as usize % 90).into_bytes()
}

/// A node's store, on a disk that remembers what it said.
struct Node {
    disk: SimDisk,
    ledger: LedgerFile,
    places: BTreeMap<u64, Place>,
}

impl Node {
    /// Starts, and checks that all is there that was acknowledged, and nothing that never was.
    fn start(disk: SimDisk) -> Checked<Self> {
        let mut places = BTreeMap::new();
        let mut wrong = None;
        let mut seen = |place, bytes: &[u8]| {
            let number = bytes.first_chunk().map_or(u64::MAX, |bytes| u64::from_be_bytes(*bytes));
            let is_tried = disk.said(|said| number < said.tried);
            if !is_tried || entry(number) != bytes {
                wrong = Some(format!("what stands at {place:?} was never handed in"));
            } else if places.last_key_value().is_some_and(|(last, _)| *last >= number) {
                wrong = Some(format!("entry {number} comes late, or again"));
            }
            places.insert(number, place);
            Ok(())
        };
        let opened = LedgerFile::open_with_segments(
            Arc::new(disk.clone()),
            Path::new(LEDGER),
            SEGMENT,
            &mut seen,
        );
        let (ledger, recovered) = opened.map_err(|error| format!("it does not start: {error}"))?;
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        if !recovered.damages.is_empty() {
            return Err(format!("a power cut is told as damage: {:?}", recovered.damages));
        }
        check_entries(&disk, &places)?;
        check_text(&disk)?;
        Ok(Self { disk, ledger, places })
    }

    fn play(&mut self, step: Step, dice: &mut Dice) -> Checked {
        match step {
            Step::Append(count) => self.append(count),
            Step::Text => self.write_text(),
            Step::Read => self.read(dice),
            Step::Close => {
                let _ = self.ledger.close();
                self.start_again()
            }
            Step::Kill => self.start_again(),
        }
    }

    fn append(&mut self, count: usize) -> Checked {
        if self.ledger.trouble().is_some() && self.ledger.resume().is_err() {
            return Ok(());
        }
        let mut tickets: Vec<(u64, Ticket<Place>)> = Vec::new();
        for _ in 0..count {
            let number = self.disk.said(|said| {
                said.tried += 1;
                said.tried - 1
            });
            let ticket = self.ledger.append(entry(number));
            tickets.push((number, ticket.map_err(|error| format!("not taken: {error}"))?));
        }
        for (number, ticket) in tickets {
            match self.ledger.wait(&ticket, PATIENCE) {
                Ok(place) => {
                    self.disk.said(|said| said.acknowledged.insert(number));
                    self.places.insert(number, place);
                }
                Err(_) => drop(self.disk.said(|said| said.failed.insert(number))),
            }
        }
        Ok(())
    }

    fn write_text(&mut self) -> Checked {
        let version = self.disk.said(|said| {
            said.text_tried += 1;
            said.text_tried
        });
        let written = files::replace_on(
            &self.disk,
            Path::new(TEXT),
            || true,
            |out| out.write_all(&text(version)),
        );
        if written.is_ok() {
            self.disk.said(|said| said.text_acknowledged = version);
        }
        Ok(())
    }

    fn read(&self, dice: &mut Dice) -> Checked {
        let Some((number, place)) = self.places.iter().nth(dice.below(self.places.len())) else {
            return Ok(());
        };
        match self.ledger.read(*place) {
            Ok(bytes) if bytes == entry(*number) => Ok(()),
            _ if self.disk.is_off() => Ok(()),
            other => Err(format!("entry {number} at {place:?} is read as {other:?}")),
        }
    }

    fn start_again(&mut self) -> Checked {
        match Self::start(self.disk.clone()) {
            Ok(node) => {
                *self = node;
                Ok(())
            }
            // It was met by a fault: the disk is looked at after the power cut, or by the next start.
            Err(wrong) if wrong.starts_with("it does not start") && !self.disk.is_off() => {
                self.disk.repair();
                *self = Self::start(self.disk.clone())?;
                Ok(())
            }
            Err(_) if self.disk.is_off() => Ok(()),
            Err(wrong) => Err(wrong),
        }
    }

    /// Shows that the node is fit for use: it takes an entry, and has it after another start.
    fn show_fit(mut self) -> Checked {
        let before = self.disk.said(|said| said.acknowledged.len());
        self.append(1)?;
        self.write_text()?;
        if self.disk.said(|said| said.acknowledged.len()) != before + 1 {
            return Err("the next entry is not taken".to_owned());
        }
        self.start_again()
    }
}

/// All acknowledged entries are there, and of the others no one without those before it, but for those of which
/// was said that they failed. What is there from now on counts as acknowledged: a node builds on it.
fn check_entries(disk: &SimDisk, places: &BTreeMap<u64, Place>) -> Checked {
    disk.said(|said| {
        if let Some(lost) = said.acknowledged.iter().find(|number| !places.contains_key(number)) {
            return Err(format!("entry {lost} was acknowledged, and is lost"));
        }
        let last = places.last_key_value().map_or(0, |(last, _)| *last);
        for number in 0..last {
            if !places.contains_key(&number) && !said.failed.contains(&number) {
                return Err(format!("entry {number} is missing, and {last} is there"));
            }
        }
        said.failed.extend((0..said.tried).filter(|number| !places.contains_key(number)));
        said.acknowledged.extend(places.keys());
        Ok(())
    })
}

fn check_text(disk: &SimDisk) -> Checked {
    let (least, most) = disk.said(|said| (said.text_acknowledged, said.text_tried));
    match disk.content(Path::new(TEXT)) {
        None if least == 0 => Ok(()),
        None => Err(format!("version {least} of the text was acknowledged, and is gone")),
        Some(bytes) if (least.max(1)..=most).any(|version| text(version) == bytes) => Ok(()),
        Some(_) => Err(format!("the text is none of the versions {least} to {most}")),
    }
}

fn count(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Plays the long script, and returns what the disk looked like before each of its operations.
fn pictures(mutant: Mutant) -> Checked<Vec<sim_disk::Picture>> {
    let disk = SimDisk::new(mutant);
    disk.take_pictures();
    let mut dice = Dice(4);
    let mut node = Node::start(disk.clone())?;
    for _ in 0..SCRIPT {
        let step = Step::drawn(&mut dice);
        node.play(step, &mut dice)?;
    }
    Ok(disk.pictures())
}

/// Cuts the power at every operation of the long script, and hands on what is wrong then until `tell` says that
/// it is enough. Returns how many operations there are.
fn cut_everywhere(
    mutant: Mutant,
    outcomes: u64,
    mut tell: impl FnMut(String) -> bool,
) -> Checked<usize> {
    let pictures = pictures(mutant)?;
    for (at, picture) in pictures.iter().enumerate() {
        for outcome in 0..outcomes {
            // The mixed outcomes of each operation are its own.
            let seed = if outcome < 4 { outcome } else { outcome + 1000 * at as u64 };
            let shown = Node::start(picture.clone().after_crash(seed)).and_then(Node::show_fit);
            if let Err(wrong) = shown {
                if tell(format!("operation {at}, outcome {outcome}: {wrong}")) {
                    return Ok(pictures.len());
                }
            }
        }
    }
    Ok(pictures.len())
}

/// One seed: scripts with faults, cut at any operation, three times one behind the other.
fn play_seed(seed: u64, mutant: Mutant) -> Checked {
    let mut dice = Dice(seed);
    let mut disk = SimDisk::new(mutant);
    for _ in 0..3 {
        if dice.coin() {
            let fault = match dice.below(4) {
                0 | 1 => Fault::Broken,
                2 => Fault::Full(1 + dice.below(20) as u64),
                _ => Fault::Short,
            };
            disk.fault_in(dice.below(30) as u64, fault);
        }
        disk.fault_in(dice.below(60) as u64, Fault::PowerCut);
        let started = match Node::start(disk.clone()) {
            Err(wrong) if wrong.starts_with("it does not start") && !disk.is_off() => {
                // A fault met it; the next start needs no person.
                disk.repair();
                Some(Node::start(disk.clone())?)
            }
            Err(_) if disk.is_off() => None,
            other => Some(other?),
        };
        if let Some(mut node) = started {
            for _ in 0..SHORT_SCRIPT {
                if disk.is_off() {
                    break;
                }
                let step = Step::drawn(&mut dice);
                node.play(step, &mut dice)?;
            }
        }
        disk = disk.after_crash(4 + dice.next());
    }
    Node::start(disk)?.show_fit()
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_that_was_acknowledged() {
    let outcomes = count("REUNITE_CRASH_OUTCOMES", 8);
    let operations = cut_everywhere(Mutant::None, outcomes, |wrong| panic!("{wrong}"));
    let operations = operations.expect("the script itself meets no fault");
    println!("{operations} operations, {outcomes} outcomes each");
    assert!(operations > 2 * SCRIPT, "the script does more than {operations} operations");
}

#[test]
fn any_fault_at_any_operation_loses_nothing_that_was_acknowledged() {
    let operations = pictures(Mutant::None).expect("without a fault").len() as u64;
    for fault in [Fault::Broken, Fault::Full(1), Fault::Full(7), Fault::Full(80), Fault::Short] {
        for at in 0..operations {
            fail_at(at, fault).unwrap_or_else(|wrong| panic!("{fault:?} at {at}: {wrong}"));
        }
    }
}

/// Plays the long script with a fault, some steps more behind it, and then a power cut.
fn fail_at(at: u64, fault: Fault) -> Checked {
    let disk = SimDisk::new(Mutant::None);
    disk.fault_in(at, fault);
    let mut dice = Dice(4);
    let mut node = match Node::start(disk.clone()) {
        Err(wrong) if wrong.starts_with("it does not start") => Node::start(disk.clone())?,
        other => other?,
    };
    for _ in 0..SCRIPT {
        let step = Step::drawn(&mut dice);
        node.play(step, &mut dice)?;
        if disk.operations() > at + 25 {
            break;
        }
    }
    for outcome in [0, 1, 3, 4 + at] {
        Node::start(disk.after_crash(outcome))?.show_fit()?;
    }
    disk.repair();
    node.show_fit()
}

#[test]
fn seeds_of_scripts_faults_and_power_cuts_lose_nothing_that_was_acknowledged() {
    let first = count("REUNITE_CRASH_FIRST_SEED", 0);
    for seed in first..first + count("REUNITE_CRASH_SEEDS", 3000) {
        play_seed(seed, Mutant::None).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
}

/// Shows that one of these losses is found in a store that leaves something out.
fn caught(mutant: Mutant, losses: &[&str]) {
    let mut found = None;
    let played = cut_everywhere(mutant, 8, |wrong| {
        found = losses.iter().any(|loss| wrong.contains(loss)).then_some(wrong);
        found.is_some()
    });
    played.expect("without a power cut nothing is lost");
    println!("{mutant:?}: {}", found.expect("a loss has to be found"));
}

/// An entry, and a version of the text, that was acknowledged and cannot be had any more.
const ENTRY_LOST: &str = "was acknowledged, and is lost";
const TEXT_LOST: &str = "the text is none of";
const TEXT_GONE: &str = "of the text was acknowledged, and is gone";

#[test]
fn a_store_that_does_not_sync_its_entries_is_caught() {
    caught(Mutant::NoDataSync, &[ENTRY_LOST]);
}

#[test]
fn a_store_that_does_not_sync_its_files_is_caught() {
    caught(Mutant::NoFileSync, &[ENTRY_LOST]);
    caught(Mutant::NoFileSync, &[TEXT_LOST]);
}

#[test]
fn a_store_that_does_not_sync_its_folder_is_caught() {
    caught(Mutant::NoFolderSync, &[ENTRY_LOST]);
    caught(Mutant::NoFolderSync, &[TEXT_GONE, TEXT_LOST]);
}

#[test]
fn a_store_that_does_not_check_what_it_reads_is_caught() {
    caught(Mutant::NoCheck, &["was never handed in"]);
}

#[test]
fn a_store_that_acknowledges_before_it_syncs_is_caught() {
    caught(Mutant::LateSync, &[ENTRY_LOST]);
}

#[test]
fn the_simulated_disk_keeps_what_was_synced_and_nothing_else_for_sure() {
    let disk = SimDisk::new(Mutant::None);
    let (path, other) = (Path::new("/data/a"), Path::new("/data/b"));
    let file = disk.open(path, How::Anew).expect("free");
    file.write_at(b"synced", 0).expect("room");
    file.sync_all().expect("well");
    disk.sync_folder(Path::new("/data")).expect("well");
    file.write_at(b"SYNCED, and more", 0).expect("room");
    disk.rename(path, other).expect("there");
    assert_eq!(disk.after_crash(0).content(path).as_deref(), Some(&b"synced"[..]));
    assert_eq!(disk.after_crash(1).content(other).as_deref(), Some(&b"SYNCED, and more"[..]));
    assert_eq!(disk.after_crash(2).content(other).as_deref(), Some(&[0; 16][..]));
    file.sync_data().expect("well");
    for seed in 4..50 {
        let crashed = disk.after_crash(seed);
        let content = crashed.content(path).or_else(|| crashed.content(other));
        assert_eq!(content.as_deref(), Some(&b"SYNCED, and more"[..]), "seed {seed}");
    }
}
