//! Each way to tamper with a ledger is found out, by its name and with the block that it touches.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/ledger.rs"]
mod ledger;

use ledger::{bytes, key, signed_by};
use reunite::base::error::Error;
use reunite::model::codec::{Decoder, Encoder};
use reunite::model::identity::Identity;
use reunite::model::keys::SecretKey;
use reunite::model::ledger::block::{HEADER_BYTES, Received, SIGNED_BYTES, SignedHeader, Verified};
use reunite::model::ledger::chains::{Chains, Refused, Rigour};
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::fault::{Fault, Wrong};
use reunite::model::ledger::fork::ForkProof;
use reunite::model::ledger::heads::Heads;
use reunite::model::ledger::import::import;
use reunite::model::ledger::names::{LogName, Namer};
use reunite::model::ledger::operation::Operation;
use reunite::model::ledger::pen::Pen;
use reunite::model::ledger::state::State;
use reunite::model::limits::{MAX_AUTHOR_LOGS, MAX_ENTRIES, MAX_LOG_LENGTH, MAX_LOWER_PROOFS};
use reunite::model::row::Row;
use reunite::model::section::Section;

fn identity(byte: u8) -> Identity {
    Identity::new(SecretKey::from([byte; 32]))
}

fn pen(byte: u8) -> Pen {
    Pen::begin(&identity(byte), u64::from(byte).into())
}

fn person(name: &str) -> Operation {
    let namer = Namer::new(&SecretKey::from([7; 32]));
    let row = Row::new(&[name, "tall", "", "missing", ""]);
    import(&State::default(), &namer, Section::People, &row).expect("right").expect("new")
}

fn change(name: &str) -> Entry {
    Entry::Change(person(name))
}

/// So many blocks of this author, each with two people.
fn log(pen: &mut Pen, count: u64) -> Vec<Verified> {
    let block = |n: u64| {
        let entries = vec![change(&format!("Ana {n}")), change(&format!("Bo {n}"))];
        pen.sign(entries, n + 1, 1_760_000_000).expect("room")
    };
    (0..count).map(block).collect()
}

/// What a node that has `known` says to these.
fn check(known: &Chains, blocks: &[Vec<u8>], rigour: Rigour) -> Result<Vec<Verified>, Refused> {
    let run: Result<Vec<_>, Fault> = blocks.iter().map(|bytes| Received::read(bytes)).collect();
    known.check(run?, rigour)
}

fn wrong(blocks: &[Vec<u8>]) -> (Wrong, Option<u32>) {
    let refused = check(&Chains::default(), blocks, Rigour::Last).expect_err("refused");
    (refused.fault.wrong, refused.fault.block.map(|(_, sequence)| sequence))
}

fn chains(blocks: &[Verified]) -> Chains {
    let mut chains = Chains::default();
    blocks.iter().for_each(|block| chains.extend(block).expect("right"));
    chains
}

#[test]
fn a_right_run_is_taken_and_what_is_known_is_no_news() {
    let blocks = log(&mut pen(1), 4);
    for rigour in [Rigour::Last, Rigour::Every] {
        let taken = check(&Chains::default(), &bytes(&blocks), rigour).expect("right");
        assert_eq!(taken, blocks);
    }
    let known = chains(&blocks[..2]);
    assert_eq!(check(&known, &bytes(&blocks), Rigour::Last).expect("right"), blocks[2..]);
    assert!(check(&known, &bytes(&blocks[..1]), Rigour::Last).expect("right").is_empty());
}

#[test]
fn a_changed_byte_anywhere_is_found() {
    let right = bytes(&log(&mut pen(1), 3));
    for block in 0..right.len() {
        for at in 0..right[block].len() {
            let mut blocks = right.clone();
            blocks[block][at] ^= 1;
            for rigour in [Rigour::Last, Rigour::Every] {
                let refused = check(&Chains::default(), &blocks, rigour);
                assert!(refused.is_err(), "byte {at} of block {block}");
            }
            if at >= SIGNED_BYTES {
                assert_eq!(wrong(&blocks), (Wrong::Content, Some(block as u32)), "byte {at}");
            }
        }
    }
}

#[test]
fn a_forged_signature_is_found_and_named() {
    let mut blocks = bytes(&log(&mut pen(1), 3));
    blocks[2][HEADER_BYTES] ^= 1;
    assert_eq!(wrong(&blocks), (Wrong::Signature, Some(2)));
    // In the middle of a run it breaks the chain too; looked at one by one it is named itself.
    let mut blocks = bytes(&log(&mut pen(1), 3));
    blocks[1][HEADER_BYTES] ^= 1;
    assert_eq!(wrong(&blocks), (Wrong::Chain, Some(2)));
    let refused = check(&Chains::default(), &blocks, Rigour::Every).expect_err("refused");
    assert_eq!(refused.fault, Fault::at(Wrong::Signature, pen(1).name(), 1));
}

#[test]
fn a_block_removed_or_out_of_order_is_found_and_named() {
    let blocks = bytes(&log(&mut pen(1), 4));
    let some = |places: &[usize]| places.iter().map(|at| blocks[*at].clone()).collect::<Vec<_>>();
    assert_eq!(wrong(&some(&[0, 2, 3])), (Wrong::Gap, Some(2)), "removed");
    assert_eq!(wrong(&some(&[1, 2])), (Wrong::Gap, Some(1)), "the first removed");
    assert_eq!(wrong(&some(&[0, 2, 1, 3])), (Wrong::Gap, Some(2)), "reordered");
    assert_eq!(wrong(&some(&[0, 1, 1])), (Wrong::Chain, Some(1)), "doubled");
    assert_eq!(wrong(&some(&[0, 1, 0])), (Wrong::Chain, Some(0)), "doubled");
}

#[test]
fn a_block_removed_and_the_next_renumbered_is_found() {
    let blocks = log(&mut pen(1), 3);
    let mut header = *blocks[2].header();
    (header.sequence, header.before) = (1, blocks[0].signed().hash());
    let forged = signed_by(&identity(2), header, blocks[2].bytes());
    assert_eq!(wrong(&[blocks[0].bytes().to_vec(), forged]), (Wrong::Signature, Some(1)));
}

#[test]
fn a_block_copied_under_another_author_is_found_and_named() {
    let blocks = log(&mut pen(1), 2);
    let mut copied = bytes(&blocks);
    for block in &mut copied {
        block[1..33].copy_from_slice(identity(2).public().identity.as_bytes());
    }
    assert_eq!(wrong(&copied[..1]), (Wrong::Signature, Some(0)));
    let mixed = [blocks[0].bytes().to_vec(), log(&mut pen(2), 2)[1].bytes().to_vec()];
    assert_eq!(wrong(&mixed), (Wrong::Foreign, Some(1)));
}

#[test]
fn an_entry_left_out_or_put_in_is_found() {
    let blocks = log(&mut pen(1), 1);
    let whole = blocks[0].bytes();
    let mut less = Encoder::default();
    less.bytes(&whole[..SIGNED_BYTES]);
    blocks[0].entries()[0].encode(&mut less);
    assert_eq!(wrong(&[less.done()]), (Wrong::Content, Some(0)));
    let mut more = Encoder::default();
    more.bytes(whole);
    change("Eve").encode(&mut more);
    assert_eq!(wrong(&[more.done()]), (Wrong::Content, Some(0)));
}

#[test]
fn a_block_with_closed_values_verifies_and_says_nothing_of_them() {
    let blocks = log(&mut pen(1), 2);
    let shut: Vec<_> = blocks.iter().map(|block| block.closed(|_, field| field == 0)).collect();
    let taken = check(&Chains::default(), &shut, Rigour::Every).expect("right");
    assert_eq!(taken[1].signed(), blocks[1].signed());
    assert!(!shut.concat().windows(3).any(|part| part == b"Ana"));
    let mut state = State::default();
    for block in &taken {
        state.apply(block).expect("room");
    }
    assert!(state.rows(Section::People).iter().all(|row| row.line() == ", tall, , missing,"));
    // The open copy opens them.
    let about = person("Ana 0").about();
    let held = |state: &State| state.view(about).expect("there").row().field(0).into_owned();
    state.apply(&blocks[0]).expect("room");
    assert_eq!(held(&state), "Ana 0");
    assert_eq!(state.history(about)[0].notes.len(), 1);
}

/// Two logs of one author that go apart from sequence 2 on.
fn forked() -> (Vec<Verified>, Vec<Verified>) {
    let (mut one, mut other) = (pen(1), pen(1));
    let (mut left, mut right) = (log(&mut one, 2), log(&mut other, 2));
    for n in 0..2 {
        left.push(one.sign(vec![change(&format!("left {n}"))], 10 + n, 0).expect("room"));
        right.push(other.sign(vec![change(&format!("right {n}"))], 12 + n, 0).expect("room"));
    }
    (left, right)
}

fn proof(left: &[Verified], right: &[Verified]) -> ForkProof {
    ForkProof::new(left[2].signed().clone(), right[2].signed().clone()).expect("a fork")
}

#[test]
fn a_signed_fork_is_found_named_and_proved_to_anybody() {
    let (left, right) = forked();
    let known = chains(&left);
    let refused = check(&known, &bytes(&right), Rigour::Last).expect_err("refused");
    assert_eq!(refused.fault, Fault::at(Wrong::Fork, pen(1).name(), 2));
    let clash = *refused.clash.expect("the other header");
    let proof = ForkProof::new(left[2].signed().clone(), clash).expect("a fork");
    assert_eq!(ForkProof::read(&proof.bytes()).expect("checked"), proof);
    assert_eq!((proof.sequence(), proof.lamport()), (2, 10));
    // From heads alone it is seen that something is wrong.
    assert_eq!(known.clashes(&chains(&right[..3]).heads()).len(), 1);
    // Who comes with what stands behind the fork only is told that the chain is broken.
    let refused = check(&known, &bytes(&right[3..]), Rigour::Last).expect_err("refused");
    assert_eq!(refused.fault, Fault::at(Wrong::Chain, pen(1).name(), 3));
}

#[test]
fn what_proves_nothing_is_no_proof_of_a_fork() {
    let (left, right) = forked();
    let signed = |blocks: &[Verified], at: usize| blocks[at].signed().clone();
    assert!(ForkProof::new(signed(&left, 2), signed(&left, 2)).is_err(), "the same");
    assert!(ForkProof::new(signed(&left, 2), signed(&right, 3)).is_err(), "another sequence");
    let mut bytes = proof(&left, &right).bytes();
    bytes[SIGNED_BYTES + HEADER_BYTES] ^= 1;
    assert_eq!(ForkProof::read(&bytes).expect_err("forged").wrong, Wrong::Signature);
    assert!(ForkProof::read(&bytes[1..]).is_err() && ForkProof::read(&[]).is_err());
}

fn rows(chains: &Chains, blocks: &[Verified]) -> Vec<String> {
    let mut state = State::default();
    for block in blocks.iter().filter(|block| chains.counts(block.header())) {
        state.apply(block).expect("room");
    }
    state.rows(Section::People).iter().map(|row| row.field(0).into_owned()).collect()
}

#[test]
fn a_fork_takes_nothing_before_it_and_everybody_sees_the_same() {
    let (left, right) = forked();
    let (mut one, mut other) = (chains(&left), chains(&right));
    assert!(one.convict(proof(&left, &right)) && other.convict(proof(&right, &left)));
    assert!(!one.convict(proof(&left, &right)), "known");
    let before = ["Ana 0", "Bo 0", "Ana 1", "Bo 1"];
    assert_eq!(rows(&one, &left), before);
    assert_eq!(rows(&other, &right), before);
}

#[test]
fn after_a_fork_nothing_of_its_author_counts_until_others_have_looked_into_it() {
    let (left, right) = forked();
    let mut chains = chains(&left);
    let proof = proof(&left, &right);
    let mut later = Pen::begin(&identity(1), 99.into());
    let resume = Entry::Resume(chains.heads());
    let lamport = chains.next_lamport();
    let later = later.sign(vec![resume, change("later")], lamport, 0).expect("room");
    chains.extend(&later).expect("right");
    assert!(chains.counts(later.header()));
    chains.convict(proof.clone());
    assert!(!chains.counts(later.header()));
    let release = || vec![Entry::Release { name: proof.name(), sequence: proof.sequence() }];
    let mut own = Pen::begin(&identity(1), 100.into());
    chains.extend(&own.sign(release(), 50, 0).expect("room")).expect("right");
    assert!(!chains.is_released(&proof), "nobody releases himself");
    // Another node releases it, and takes over what it finds true of the branches: the same operations.
    let mut entries = release();
    entries.extend(right[2].entries().to_vec());
    let release = pen(2).sign(entries, 51, 0).expect("room");
    chains.extend(&release).expect("right");
    assert!(chains.is_released(&proof) && chains.counts(later.header()));
    assert!(!chains.counts(left[2].header()), "neither branch counts by itself");
    let all = [left, vec![later, release]].concat();
    assert_eq!(rows(&chains, &all), ["Ana 0", "Bo 0", "Ana 1", "Bo 1", "later", "right 0"]);
}

/// A proof that the author of `byte` forked this log at its first block, with this lower Lamport number.
fn made_up(byte: u8, log: u64, lamport: u64) -> ForkProof {
    let header = |wall| {
        let mut pen = Pen::begin(&identity(byte), log.into());
        let entry = Entry::Checkpoint(Heads::default());
        pen.sign(vec![entry], lamport, wall).expect("room").signed().clone()
    };
    ForkProof::new(header(1), header(2)).expect("a fork")
}

#[test]
fn an_author_who_makes_up_forks_for_ever_is_not_listened_to_for_ever() {
    let mut known = chains(&log(&mut pen(2), 2));
    for log in 0..2 * MAX_AUTHOR_LOGS as u64 {
        known.convict(made_up(1, log, 5));
    }
    assert_eq!(known.forks().count(), MAX_AUTHOR_LOGS);
    assert!(known.convict(made_up(3, 7, u64::MAX)), "others are");
    let taken = (0..200).filter(|n| known.convict(made_up(3, 7, 1_000_000 - n)));
    assert_eq!(taken.count(), usize::from(MAX_LOWER_PROOFS));
}

#[test]
fn the_state_is_built_anew_only_for_what_changes_it() {
    let (left, right) = forked();
    let mut chains = chains(&left);
    chains.convict(made_up(9, 7, 1));
    assert_eq!(chains.turns(), 0, "nothing of that author is here");
    let proof = proof(&left, &right);
    chains.convict(proof.clone());
    assert_eq!(chains.turns(), 1);
    let release = || vec![Entry::Release { name: proof.name(), sequence: proof.sequence() }];
    let (mut own, mut other) = (Pen::begin(&identity(1), 100.into()), pen(2));
    let say = |chains: &mut Chains, pen: &mut Pen| {
        chains.extend(&pen.sign(release(), 50, 0).expect("room")).expect("right");
        chains.turns()
    };
    assert_eq!(say(&mut chains, &mut own), 1, "its own word is none");
    assert_eq!(say(&mut chains, &mut other), 2);
    assert_eq!(say(&mut chains, &mut other), 2, "it said so already");
    assert_eq!(say(&mut chains, &mut pen(3)), 2, "somebody had said so already");
    // Who said so forked, too: only the word of the third is left.
    chains.convict(made_up(2, 77, 1));
    assert_eq!(chains.turns(), 3);
    assert!(chains.is_released(&proof));
}

#[test]
fn nobody_witnesses_for_ever_what_others_witnessed() {
    let mut chains = chains(&log(&mut pen(1), 2));
    let key = |byte| identity(byte).public().identity;
    for (byte, said) in [(2, true), (3, true), (2, false), (3, false)] {
        let entry = chains.checkpoint(&key(byte), &chains_said(&chains, byte));
        assert_eq!(entry.is_some(), said, "node {byte}");
        let mut pen = Pen::begin(&identity(byte), u64::from(byte).into());
        if let Some(entry) = entry {
            chains.extend(&pen.sign(vec![entry], 9, 0).expect("room")).expect("right");
        }
    }
}

/// What a node has said that it saw: all but its own, once it has said anything.
fn chains_said(chains: &Chains, byte: u8) -> Heads {
    let own = identity(byte).public().identity;
    let said = chains.heads().iter().any(|head| head.name.author == own);
    chains.heads().iter().filter(|head| said && head.name.author != own).collect()
}

#[test]
fn a_rewritten_tail_is_found_by_what_a_peer_saw() {
    let (left, right) = forked();
    let said = |seen: &Chains| {
        let entry = seen.checkpoint(&identity(2).public().identity, &Heads::default());
        pen(2).sign(vec![entry.expect("new")], 99, 0).expect("room")
    };
    let checkpoint = said(&chains(&left));
    // Whichever comes first: the word of the witness, or the rewritten log.
    for witness_first in [true, false] {
        let mut all = right.clone();
        all.insert(if witness_first { 0 } else { all.len() }, checkpoint.clone());
        let chains = chains(&all);
        let found: Vec<_> = chains.contradictions().map(|one| (one.fault(), one.witness)).collect();
        assert_eq!(found, [(Fault::at(Wrong::Rewritten, pen(1).name(), 3), pen(2).name())]);
    }
    let quiet = chains(&[left.clone(), vec![checkpoint]].concat());
    assert_eq!(quiet.contradictions().count(), 0);
    assert!(quiet.checkpoint(&identity(2).public().identity, &chains(&left).heads()).is_none());
}

#[test]
fn a_node_whose_card_was_put_back_knows_it_from_its_peers_and_resumes() {
    let all = log(&mut pen(1), 4);
    let (old, peer) = (chains(&all[..2]), chains(&all));
    let own = identity(1).public().identity;
    assert_eq!(old.ahead(&own, &peer.heads()), peer.heads().iter().collect::<Vec<_>>());
    assert!(peer.ahead(&own, &old.heads()).is_empty());
    assert!(old.ahead(&identity(2).public().identity, &peer.heads()).is_empty());
    let (mut pen, resume) = Pen::resume(&identity(1), 77.into(), &peer.heads());
    let block = pen.sign(vec![resume.clone()], 9, 0).expect("room");
    assert_eq!(block.header().name, LogName { author: own, log: 77.into() });
    let mut peer = peer;
    peer.extend(&block).expect("right");
    assert!(pen.sign(vec![resume], 10, 0).is_err(), "only the first block resumes");
    // After a restart the pen goes on behind the last block.
    let head = block.signed().head();
    let next = Pen::go_on(&identity(1), &head).sign(vec![change("next")], 10, 0).expect("room");
    peer.extend(&next).expect("right");
}

#[test]
fn what_is_too_large_is_refused_and_portions_fit() {
    let many: Vec<_> = (0..2 * MAX_ENTRIES + 5).map(|n| change(&format!("Ana {n}"))).collect();
    assert!(pen(1).sign(many.clone(), 1, 0).is_err() && pen(1).sign(Vec::new(), 1, 0).is_err());
    let long: Vec<_> = (0..400).map(|n| change(&format!("{n} {}", "x".repeat(3000)))).collect();
    assert!(pen(1).sign(long.clone(), 1, 0).is_err());
    for (entries, count) in [(many, 3), (long, 3)] {
        let (mut pen, portions) = (pen(1), Pen::portions(entries.clone()));
        assert_eq!((portions.len(), portions.concat() == entries), (count, true));
        for portion in portions {
            pen.sign(portion, 1, 0).expect("fits");
        }
    }
    let mut header = *log(&mut pen(1), 2)[1].header();
    header.sequence = MAX_LOG_LENGTH;
    let signed = SignedHeader::sign(header, &key(&identity(1)));
    assert!(SignedHeader::decode(&mut Decoder::new(signed.bytes())).is_err());
}

#[test]
fn mutated_blocks_are_refused_without_panic_and_cost_what_they_weigh() {
    let blocks = log(&mut pen(1), 2);
    let (mut dice, mut taken) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    let mut roll = |most: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice % most as u64) as usize
    };
    for _ in 0..20_000 {
        let mut bytes = blocks[roll(2)].bytes().to_vec();
        for _ in 0..=roll(3) {
            let at = roll(bytes.len());
            match roll(4) {
                0 => bytes[at] = roll(256) as u8,
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, roll(256) as u8),
                _ => bytes[at..].fill(0xff),
            }
        }
        match Received::read(&bytes) {
            Ok(block) => taken += usize::from(block.signed().check_signature().is_ok()),
            Err(fault) => assert!(!Error::from(fault).to_string().contains("Ana")),
        }
    }
    // Some mutations change nothing.
    assert!(taken < 200, "{taken}");
}
