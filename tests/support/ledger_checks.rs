//! What must hold of the ledger whatever bytes its file has, or a peer sends. A check takes any input and panics
//! where something does not hold. `tests/ledger_values.rs` runs them over changed seeds, the targets of
//! `tests/fuzz` over what a fuzzer finds.

#![allow(dead_code, missing_docs, reason = "each user needs its part of this")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a check fails by panicking")]

#[path = "sim_disk.rs"]
mod sim_disk;

use reunite::model::codec::{Decoder, Encoder};
use reunite::model::identity::Identity;
use reunite::model::ids::PeerNumber;
use reunite::model::keys::SecretKey;
use reunite::model::ledger::block::{Received, Verified};
use reunite::model::ledger::chains::Rigour;
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::heads::Heads;
use reunite::model::ledger::membership::Membership;
use reunite::model::ledger::names::Namer;
use reunite::model::ledger::operation::About;
use reunite::model::ledger::pen::Pen;
use reunite::model::ledger::register::Register;
use reunite::model::ledger::replica::Replica;
use reunite::model::ledger::state::State;
use reunite::model::ledger::stored::Stored;
use reunite::model::ledger::view::View;
use reunite::model::limits::{MAX_BLOCK, MAX_ENTRIES, MAX_LEDGER_ENTRY};
use reunite::model::meeting::{MAX_BLOCKS_PIECE, Meeting, bundle, unbundle};
use reunite::model::membership::roster::Roster;
use reunite::model::squeeze::unsqueeze;
use reunite::model::writer::write_all;
use reunite::store::disk::Disk;
use reunite::store::ledger_file::LedgerFile;
use reunite::store::ledger_frame::Place;
use reunite::store::ledger_load::Load;
use sim_disk::{Mutant, SimDisk};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Most entries of one input: each costs a signature.
const MOST_ENTRIES: usize = 24;
const LEDGER: &str = "/data/DATABASE1.ledger";
/// So small that a few entries begin several segments.
const SEGMENT: u64 = 4 * 1024;
/// Longer than a disk in memory takes.
const PATIENCE: Duration = Duration::from_secs(60);

static IDENTITIES: LazyLock<[Identity; 3]> =
    LazyLock::new(|| [1, 2, 3].map(|byte| Identity::new(SecretKey::from([byte; 32]))));

pub fn identity(at: usize) -> &'static Identity {
    &IDENTITIES[at % IDENTITIES.len()]
}

fn namer() -> Namer {
    Namer::new(&SecretKey::from([7; 32]))
}

fn replica() -> Replica {
    Replica::new(Identity::new(SecretKey::from([9; 32])), namer())
}

// --- entries ---

/// The input is entries, one behind the other, as they stand in a block; of what follows the last whole one nothing
/// is read. Each says exactly the same again; signed by several authors, it does not matter in what order they come,
/// nor how often.
pub fn ledger_entries(input: &[u8]) {
    raw_entry(input);
    let (mut from, mut entries) = (Decoder::new(input), Vec::new());
    while entries.len() < MOST_ENTRIES && from.left() > 0 {
        let before = from.left();
        let Ok(entry) = Entry::decode(&mut from) else { break };
        let begin = input.len() - before;
        let mut again = Encoder::default();
        entry.encode(&mut again);
        assert_eq!(again.done(), input[begin..begin + before - from.left()], "{entry:?}");
        entries.push(entry);
    }
    let blocks = signed(&entries);
    let there = state(blocks.iter());
    let back = state(blocks.iter().rev());
    let twice = state(blocks.iter().flat_map(|block| [block, block]));
    assert_same(&there, &back);
    assert_same(&there, &twice);
    let mut text = Vec::new();
    write_all(&there.snapshot(), &mut text).expect("memory takes all");
    replicas_agree(&blocks);
    rosters_agree(&blocks);
}

/// Each entry in a block of its own, by authors in turns.
fn signed(entries: &[Entry]) -> Vec<Verified> {
    let mut pens = [1_u64, 2].map(|log| Pen::begin(identity(log as usize), log.into()));
    let numbered = entries.iter().enumerate().filter_map(|(at, entry)| {
        // What may not stand there is refused.
        pens[at % 2].sign(vec![entry.clone()], at as u64 + 1, 0).ok()
    });
    let blocks: Vec<_> = numbered.collect();
    for block in &blocks {
        assert!(block.bytes().len() <= MAX_BLOCK);
        let read = Received::read(block.bytes()).expect("our own");
        assert_eq!(read.signed(), block.signed());
    }
    blocks
}

fn state<'a>(blocks: impl Iterator<Item = &'a Verified>) -> State {
    let mut state = State::default();
    for block in blocks {
        state.apply(block).expect("room");
    }
    state
}

fn assert_same(one: &State, other: &State) {
    assert_eq!(one.len(), other.len());
    assert_eq!(one.awaited(), other.awaited());
    assert!(one.snapshot().rows == other.snapshot().rows, "other rows");
    let views = |state: &State| -> BTreeMap<_, View> {
        let key = |about: About| (about.section.title(), *about.record.as_bytes());
        let view = |about: About| Some((key(about), state.view(about)?));
        state.records().filter_map(view).collect()
    };
    assert_eq!(views(one), views(other));
    for about in one.records() {
        assert_eq!(one.is_contested(about), other.is_contested(about));
        assert_eq!(one.history(about).len(), other.history(about).len());
    }
}

/// Who belongs to each network that is begun here is the same in any order.
fn rosters_agree(blocks: &[Verified]) {
    let (mut there, mut back) = (Register::default(), Register::default());
    for (one, other) in blocks.iter().zip(blocks.iter().rev()) {
        there.take(one);
        back.take(other);
    }
    assert_eq!(there, back);
    for (spot, statement) in there.statements() {
        let Membership::Founded(founded) = &statement.said else { continue };
        let network = founded.network(&spot.log.author);
        let roster = |register| Roster::new(register, network, &|_, _, _| true).expect("founded");
        assert_eq!(roster(&there), roster(&back));
        assert_eq!(roster(&there).members().count(), roster(&there).len());
    }
}

/// Two replicas that take the logs in another order say the same, and lack nothing of each other's.
fn replicas_agree(blocks: &[Verified]) {
    let of = |parity: usize| -> Vec<Received> {
        let own = blocks.iter().filter(|block| block.header().name.log.value() as usize == parity);
        own.map(|block| Received::read(block.bytes()).expect("our own")).collect()
    };
    let (mut one, mut other) = (replica(), replica());
    for log in [1, 2] {
        one.take(of(log), Rigour::Every).expect("right");
    }
    for log in [2, 1] {
        for block in of(log) {
            other.take(vec![block], Rigour::Last).expect("right");
        }
    }
    assert_eq!(one.digest(), other.digest());
    assert_same(one.state(), other.state());
    let heads = one.chains().heads();
    assert!(other.beyond(&heads, &other.chains().heads()).is_empty());
    assert!(one.clashes(&other.chains().heads()).is_empty());
}

/// The input is an entry of the ledger's file, or a block.
fn raw_entry(input: &[u8]) {
    if let Ok(block) = Received::read(input) {
        assert_read_whole(&block, input);
    }
    match Stored::read(input) {
        Ok(Stored::Block(block)) => assert_read_whole(&block, &input[1..]),
        Ok(Stored::Proof(proof)) => {
            assert_eq!(Stored::proof(&proof), input);
            assert_eq!(proof.both().map(|one| one.check_signature().is_ok()), [true; 2]);
        }
        Ok(Stored::Birth(birth)) => assert_eq!(Stored::birth(&birth), input),
        Err(fault) => assert!(!fault.to_string().contains('\n')),
    }
}

fn assert_read_whole(block: &Received, input: &[u8]) {
    let header = block.signed().header();
    assert!(input.starts_with(block.signed().bytes()) && input.len() <= MAX_BLOCK);
    assert!((1..=MAX_ENTRIES).contains(&usize::from(header.count)));
}

// --- the file ---

/// The first byte says what the rest is: the bytes of a segment as they are, or entries that are written, and after
/// that changes of the files' bytes. Whatever the files are, the ledger opens or says why it does not; what it hands
/// on was written; it opens the same again; and what is added then is there.
pub fn ledger_file(input: &[u8]) {
    let Some((how, rest)) = input.split_first() else { return };
    if how % 2 == 0 {
        let disk = SimDisk::new(Mutant::None);
        disk.put(Path::new(LEDGER), rest);
        opens_and_goes_on(&disk, None);
    } else {
        written_and_damaged(*how, rest);
    }
}

/// How a script writes: a byte for the length of each entry in eights, 255 ends them; each change is four bytes:
/// file, place twice, byte.
fn written_and_damaged(how: u8, mut script: &[u8]) {
    let disk = SimDisk::new(Mutant::None);
    let mut entries: Vec<Vec<u8>> = Vec::new();
    let (ledger, _) = open(&disk, &mut Vec::new()).expect("a new one");
    while let Some((length, rest)) = script.split_first() {
        script = rest;
        if *length == u8::MAX || entries.len() >= MOST_ENTRIES {
            break;
        }
        let length = (usize::from(*length) * 8 + 1).min(script.len());
        let (entry, rest) = script.split_at(length);
        script = rest;
        let entry = [&[entries.len() as u8], entry].concat();
        entries.push(entry.clone());
        let ticket = ledger.append(entry).expect("short enough");
        // Some are committed together.
        if how & 2 == 0 || entries.len() % 3 == 0 {
            ledger.wait(&ticket, PATIENCE).expect("written");
        }
    }
    ledger.flush().expect("written");
    if how & 4 != 0 {
        ledger.close().expect("written");
    }
    drop(ledger);
    let names: Vec<_> = disk.names();
    // Without entries there is no file yet.
    for change in script.chunks_exact(4).filter(|_| !names.is_empty()) {
        let path = &names[usize::from(change[0]) % names.len()];
        let mut bytes = disk.content(path).expect("there");
        let at = usize::from(u16::from_be_bytes([change[1], change[2]])) % (bytes.len() + 1);
        match bytes.get_mut(at) {
            Some(byte) if change[3] != 0xee => *byte = change[3],
            _ => bytes.truncate(at),
        }
        disk.put(path, &bytes);
    }
    let untouched = script.len() < 4;
    let found = opens_and_goes_on(&disk, Some(&entries));
    assert!(!untouched || found == Some(entries), "something is lost though nothing was changed");
}

fn open(
    disk: &SimDisk,
    entries: &mut Vec<Vec<u8>>,
) -> Option<(LedgerFile, reunite::store::ledger_file::Recovered)> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    LedgerFile::open_with_segments(disk, Path::new(LEDGER), SEGMENT, |_, entry| {
        assert!((1..=MAX_LEDGER_ENTRY).contains(&entry.len()));
        entries.push(entry.to_vec());
        Ok(())
    })
    .ok()
}

/// Opens what is there; `written` is what stands in it at most, in this order. Returns what was found.
fn opens_and_goes_on(disk: &SimDisk, written: Option<&[Vec<u8>]>) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let (ledger, recovered) = open(disk, &mut found)?;
    assert_eq!(recovered.entries as usize, found.len());
    if let Some(written) = written {
        let mut rest = written.iter();
        let all = found.iter().all(|entry| rest.any(|one| one == entry));
        assert!(all, "something was handed on that was not written there");
    }
    let mut load = Load::new(replica());
    for (at, entry) in found.iter().enumerate() {
        let place = Place { segment: 0, offset: at as u32 };
        load.entry(place, entry).expect("damage is no error");
    }
    let (replica, loaded) = load.finish();
    let heads = replica.chains().heads();
    for (name, places) in &loaded.places {
        let length = heads.head(name).map_or(0, |head| head.length as usize);
        assert_eq!(length, places.len(), "a place for each block");
    }
    let ticket = ledger.append(b"one more".to_vec()).expect("it takes entries");
    let place = ledger.wait(&ticket, PATIENCE).expect("written");
    assert_eq!(ledger.read(place).expect("there"), b"one more");
    drop(ledger);
    let mut again = Vec::new();
    let (_, second) = open(disk, &mut again).expect("it opened before");
    let gone =
        format!("what was acknowledged at {place:?} is gone: {recovered:?}, then {second:?}");
    assert_eq!(again.pop().as_deref(), Some(&b"one more"[..]), "{gone}");
    assert!(again == found, "the second time there is something else");
    assert_eq!(second.new_damages, 0, "told twice as new: {recovered:?}, then {second:?}");
    assert!(second.torn.is_none(), "acknowledged, but torn: {recovered:?}, then {second:?}");
    Some(found)
}

// --- what peers send ---

/// The input is the body of a frame of a meeting, the piece in it, or blocks: refused, or said exactly the same
/// again. A replica takes what is right of it and stays as it was otherwise.
pub fn meetings(input: &[u8]) {
    if let Ok(message) = Meeting::decode(input) {
        assert_eq!(message.encode(), input);
        match message {
            Meeting::Blocks(squeezed) => {
                if let Ok(piece) = unsqueeze(&squeezed, MAX_BLOCKS_PIECE) {
                    assert!((1..=MAX_BLOCKS_PIECE).contains(&piece.len()));
                    taken(&piece);
                }
            }
            Meeting::Heads(having) => compared(&having.heads),
            Meeting::Proof(proof) => {
                let mut replica = replica();
                assert!(replica.convict(*proof.clone()) && !replica.convict(*proof));
            }
            _ => {}
        }
    }
    taken(input);
}

fn taken(piece: &[u8]) {
    let Ok(blocks) = unbundle(piece) else { return };
    let owned: Vec<_> = blocks.iter().map(|block| block.to_vec()).collect();
    let (mut again, mut from) = (Vec::new(), 0);
    while from < owned.len() {
        let (piece, count) = bundle(&owned[from..]);
        assert!(count > 0 && piece.len() <= MAX_BLOCKS_PIECE);
        again.extend(piece);
        from += count;
    }
    assert_eq!(again, piece);
    let run = blocks.into_iter().map(Received::read).collect::<Result<Vec<_>, _>>();
    let Ok(run) = run else { return };
    for block in &run {
        assert!(block.signed().bytes().len() < MAX_BLOCK);
    }
    let mut replica = replica();
    let before = replica.digest();
    match replica.take(run.clone(), Rigour::Last) {
        Ok((new, taken)) => {
            assert_eq!(new.len(), run.len());
            assert_eq!(taken.blocks, run.len());
            let again = replica.take(run, Rigour::Last).expect("it is here").1;
            assert_eq!((again.blocks, again.changes), (0, 0));
        }
        Err(_) => assert_eq!(replica.digest(), before, "what was refused left something"),
    }
}

fn compared(theirs: &Heads) {
    let mut replica = replica();
    let nothing = Heads::default();
    assert!(replica.beyond(&nothing, theirs).is_empty() && replica.clashes(theirs).is_empty());
    let all: u64 = theirs.iter().map(|head| u64::from(head.length)).sum();
    let lacked = nothing.missing(theirs);
    assert_eq!(lacked.iter().map(|range| u64::from(range.to - range.from)).sum::<u64>(), all);
    replica.confirm(theirs, PeerNumber::try_from(1).expect("a number"), 1);
}
