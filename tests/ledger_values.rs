//! The checks of `support/ledger_checks.rs` over right input with some of its bytes changed: what the fuzz targets
//! do for hours, in seconds and with the compiler that everybody has.
//!
//! `REUNITE_WRITE_SEEDS=1 cargo test --test ledger_values -- --ignored` writes the fuzzer's seeds anew.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/ledger_checks.rs"]
mod checks;
#[path = "support/seeds.rs"]
mod seeds;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use reunite::model::codec::Encoder;
use reunite::model::dialect::Dialect;
use reunite::model::ids::Organisation;
use reunite::model::keys::SecretKey;
use reunite::model::ledger::block::Verified;
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::fork::ForkProof;
use reunite::model::ledger::heads::{Head, Heads};
use reunite::model::ledger::import::import;
use reunite::model::ledger::membership::{
    Admitted, Founded, Heeded, Membership, Moved, Profile, Renamed, Revoked, Rule,
};
use reunite::model::ledger::names::{LogName, Namer};
use reunite::model::ledger::operation::Operation;
use reunite::model::ledger::pen::Pen;
use reunite::model::ledger::state::State;
use reunite::model::ledger::stored::{Birth, Stored};
use reunite::model::meeting::{Having, Meeting, Stored as Kept, bundle, fork_id};
use reunite::model::message::Declined;
use reunite::model::row::Row;
use reunite::model::secret::Token;
use reunite::model::section::Section;
use reunite::model::squeeze::{Effort, Squeezer};
use reunite::store::ledger_frame::{SegmentHead, encode_commit};
use seeds::{changed, folder, seeds};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

#[test]
fn the_seeds_themselves_are_right() {
    for (target, check) in [
        ("ledger_entries", checks::ledger_entries as fn(&[u8])),
        ("ledger_file", checks::ledger_file),
        ("meetings", checks::meetings),
    ] {
        seeds(target).iter().for_each(|seed| check(seed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn entries_say_the_same_in_whatever_order_they_come(bytes in changed("ledger_entries")) {
        checks::ledger_entries(&bytes);
    }

    #[test]
    fn a_ledger_of_any_bytes_opens_and_goes_on(bytes in changed("ledger_file")) {
        checks::ledger_file(&bytes);
    }

    #[test]
    fn what_a_peer_sends_is_refused_or_says_exactly_the_same_again(bytes in changed("meetings")) {
        checks::meetings(&bytes);
    }
}

// --- the seeds ---

fn operation(state: &State, line: &[&str]) -> Operation {
    let namer = Namer::new(&SecretKey::from([7; 32]));
    import(state, &namer, Section::People, &Row::new(line)).expect("right").expect("new")
}

fn encoded(entries: &[Entry]) -> Vec<u8> {
    let mut out = Encoder::default();
    entries.iter().for_each(|entry| entry.encode(&mut out));
    out.done()
}

/// Somebody who is added, updated by two, settled, retracted and brought back; and what is said of logs.
fn life() -> Vec<Entry> {
    let (mut state, mut entries) = (State::default(), Vec::new());
    let mut pen = Pen::begin(checks::identity(1), 1.into());
    let mut lamport = 0;
    let mut note = |state: &mut State, made: Vec<Operation>, entries: &mut Vec<Entry>| {
        for one in made {
            lamport += 1;
            let entry = Entry::Change(one);
            state.apply(&pen.sign(vec![entry.clone()], lamport, 0).expect("room")).expect("room");
            entries.push(entry);
        }
    };
    let ana = operation(&state, &["Ana", "tall, thin", "Camp 4", "missing", "14729384756392834"]);
    let about = ana.about();
    note(&mut state, vec![ana], &mut entries);
    let (mut rng, view) = (rand::rng(), |state: &State| state.view(about).expect("there"));
    let seen = view(&state);
    for status in ["found", "deceased"] {
        let values = BTreeMap::from([(3, status.to_owned())]);
        let made = seen.edit(values, &mut rng).expect("right");
        note(&mut state, made, &mut entries);
    }
    assert!(state.is_contested(about));
    let values = BTreeMap::from([(3, "found".to_owned())]);
    let made = view(&state).edit(values, &mut rng).expect("right");
    note(&mut state, made, &mut entries);
    let made = view(&state).retract("twice in the list", &mut rng).expect("right");
    note(&mut state, made, &mut entries);
    let made = view(&state).restore(&mut rng).expect("right");
    note(&mut state, made, &mut entries);
    entries
}

fn blocks() -> Vec<Verified> {
    let mut pen = Pen::begin(checks::identity(0), 5.into());
    let entries = life().into_iter().enumerate();
    entries.map(|(at, entry)| pen.sign(vec![entry], at as u64 + 1, 1_000).expect("room")).collect()
}

fn proof() -> ForkProof {
    let block = |wall| {
        let mut pen = Pen::begin(checks::identity(2), 6.into());
        pen.sign(vec![Entry::Checkpoint(Heads::default())], 1, wall).expect("room")
    };
    ForkProof::new(block(1).signed().clone(), block(2).signed().clone()).expect("a fork")
}

/// A network as two authors write it in turns, the first of them its founder.
fn members() -> Vec<Entry> {
    let mut rng = StdRng::seed_from_u64(1);
    let (one, two) = (checks::identity(1).public(), checks::identity(2).public());
    let founded = Founded::new("aid".parse().expect("a name"), Rule::default(), &mut rng);
    let network = founded.network(&one.identity);
    let address = SocketAddr::from(([10, 0, 0, 1], 33_001)).try_into().expect("an address");
    let organisation = "Clinic".parse::<Organisation>().expect("a name");
    let mut admitted = |keys, number: u64| {
        let number = number.try_into().expect("a number");
        let token = Token::random(&mut rng).into();
        let profile = Profile { number, organisation: organisation.clone(), keys, address };
        Membership::Admitted(Admitted::new(network, profile, token, &mut rng))
    };
    let (first, second, third) =
        (admitted(one, 1), admitted(two, 2), admitted(checks::identity(0).public(), 2));
    let head = |length| {
        let name = LogName { author: two.identity, log: 2.into() };
        [Head { name, length, hash: [9; 32].into() }].into_iter().collect::<Heads>()
    };
    let revoked = |member, heads| {
        let reason = "taken".parse().expect("a reason");
        Membership::Revoked(Revoked::new(network, member, &heads, reason).expect("few logs"))
    };
    let said = [
        Membership::Founded(founded),
        Membership::Renamed(Renamed { network, organisation: organisation.clone() }),
        first,
        second.clone(),
        second,
        Membership::Moved(Moved { network, member: two.identity, address }),
        Membership::Moved(Moved { network, member: two.identity, address }),
        third,
        revoked(two.identity, head(3)),
        Membership::Heeded(Heeded { network, member: two.identity }),
        revoked(one.identity, Heads::default()),
    ];
    said.map(Entry::from).into()
}

fn of_entries() -> Vec<(&'static str, Vec<u8>)> {
    let life = life();
    let heads: Heads = blocks().iter().map(|block| block.signed().head()).collect();
    let name = LogName { author: checks::identity(0).public().identity, log: 5.into() };
    let said = [
        Entry::Resume(heads.clone()),
        Entry::Checkpoint(heads),
        Entry::Release { name, sequence: 3 },
    ];
    let Some(Entry::Change(first)) = life.first() else { panic!("a change") };
    let shut = Entry::Change(first.clone().closed(|field| field == 4));
    let block = blocks().remove(0);
    vec![
        ("a-life", encoded(&life)),
        ("backwards", encoded(&life.iter().rev().cloned().collect::<Vec<_>>())),
        ("said-of-logs", encoded(&said)),
        ("members", encoded(&members())),
        ("closed", encoded(&[shut, life[1].clone()])),
        ("a-block", block.bytes().to_vec()),
        ("a-stored-block", Stored::block(block.bytes())),
        ("a-proof", Stored::proof(&proof())),
        ("a-birth", birth()),
    ]
}

fn birth() -> Vec<u8> {
    Stored::birth(&Birth::new(Dialect::Sealed, &Namer::new(&SecretKey::from([7; 32]))))
}

/// The bytes of a ledger's file with these commits.
fn segment(commits: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut bytes = SegmentHead { number: 0, previous: None }.encode().to_vec();
    for entries in commits {
        let (commit, _) = encode_commit(0, bytes.len() as u64, entries).expect("short");
        bytes.extend(commit);
    }
    bytes
}

fn of_files() -> Vec<(&'static str, Vec<u8>)> {
    let stored: Vec<_> = blocks().iter().map(|block| Stored::block(block.bytes())).collect();
    let whole = segment(&[vec![birth()], stored[..2].to_vec(), stored[2..].to_vec(), vec![]]);
    let torn = segment(&[vec![birth()], stored.clone()]);
    let torn = torn[..torn.len() - 700].to_vec();
    let forked = segment(&[vec![birth(), Stored::proof(&proof())], vec![stored[0].clone()]]);
    let bare = |bytes: Vec<u8>| [&[0][..], &bytes].concat();
    let script = |how: u8, lengths: &[u8], changes: &[u8]| {
        let mut out = vec![how];
        for length in lengths {
            out.push(*length);
            out.extend(vec![b'x'; usize::from(*length) * 8 + 1]);
        }
        out.push(u8::MAX);
        out.extend(changes);
        out
    };
    vec![
        ("whole", bare(whole)),
        ("torn", bare(torn)),
        ("forked", bare(forked)),
        ("script", script(1, &[1, 2, 60, 3, 120, 4], &[])),
        ("script-closed", script(7, &[9, 30, 80, 80, 80, 2], &[])),
        ("script-changed", script(3, &[1, 2, 60, 3, 120, 4], &[0, 3, 0, 7, 1, 0, 9, 0xee])),
        ("script-cut", script(1, &[70, 70, 70], &[0, 4, 0, 0xee])),
    ]
}

fn of_meetings() -> Vec<(&'static str, Vec<u8>)> {
    let all: Vec<_> = blocks().iter().map(|block| block.bytes().to_vec()).collect();
    let (piece, _) = bundle(&all);
    let squeezed =
        |effort| Meeting::Blocks(Squeezer::new().squeeze(&piece, effort).into()).encode();
    let name = LogName { author: checks::identity(0).public().identity, log: 5.into() };
    let heads: Heads = blocks().iter().map(|block| block.signed().head()).collect();
    let forks = vec![fork_id(&proof())];
    let having = Having { heads, forks, clashes: vec![name], spare: vec![name] };
    let found = Some(Box::new(blocks()[0].signed().clone()));
    vec![
        ("heads", Meeting::Heads(having).encode()),
        ("find", Meeting::Find { name, sequence: 2 }.encode()),
        ("found", Meeting::Found(found).encode()),
        ("proof", Meeting::Proof(Box::new(proof())).encode()),
        ("blocks", squeezed(Effort::Stored)),
        ("squeezed", squeezed(Effort::Squeezed)),
        ("given", Meeting::Given { spare: vec![name] }.encode()),
        ("stored", Meeting::Stored(Kept { new: 1, known: 2, waiting: 3, full: 4 }).encode()),
        ("refused", Meeting::Refused(Declined::Full).encode()),
        ("piece", piece),
    ]
}

#[test]
#[ignore = "it writes the seeds anew"]
fn write_the_seeds() {
    if std::env::var_os("REUNITE_WRITE_SEEDS").is_none() {
        return;
    }
    for (target, seeds) in
        [("ledger_entries", of_entries()), ("ledger_file", of_files()), ("meetings", of_meetings())]
    {
        fs::create_dir_all(folder(target)).expect("made");
        for (name, bytes) in seeds {
            fs::write(folder(target).join(name), bytes).expect("written");
        }
    }
}
