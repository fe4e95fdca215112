//! Membership as a model: members and strangers who admit, consent, speak against each other, move, forget and date
//! back, at random. Whatever they do: who has the same blocks has the same roster, in whatever order they came and
//! however often; and a revocation that was complete is undone by nothing but the fall of its own voices.
//!
//! `REUNITE_SCHEDULES=10000 REUNITE_SEED=7 cargo test --test membership_model` runs so many schedules from that seed
//! on; a failure prints its seed.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/membership.rs"]
mod world;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use reunite::model::ledger::block::Verified;
use reunite::model::ledger::membership::{Membership, Rule};
use reunite::model::membership::roster::Roster;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::{World, address, key, keys, profile, register, token};

/// Schedules in the suite.
const SCHEDULES: u64 = 300;
/// Nodes that take part.
const NODES: usize = 9;

fn step(world: &mut World, rng: &mut StdRng, said: &mut Vec<Membership>) {
    let (by, node) = (rng.random_range(0..NODES), rng.random_range(0..NODES));
    match rng.random_range(0..100) {
        0..30 => {
            let mut profile = profile(node, rng.random_range(1..12));
            if rng.random_bool(0.1) {
                profile.keys.knock = keys(rng.random_range(0..NODES)).knock;
            }
            let whose = if rng.random_bool(0.1) {
                rng.random_range(0..NODES)
            } else {
                20 + said.len() % 19
            };
            let admitted = world.admits_as(by, profile, token(whose));
            said.push(admitted);
        }
        // Somebody agrees, or replays.
        30..55 => {
            if let Some(admitted) = said.choose(rng).cloned() {
                let Membership::Admitted(one) = &admitted else { panic!("an admission") };
                let own = (0..NODES).find(|node| key(*node) == one.member());
                let who = if rng.random_bool(0.5) { own.unwrap_or(by) } else { by };
                world.say(who, admitted);
            }
        }
        55..80 => {
            let heads = world.heads(node);
            let doubt = if rng.random_bool(0.6) { 0 } else { rng.random_range(0..4) };
            world.against(by, node, &World::earlier(&heads, doubt));
        }
        80..86 => world.moves(by, node, address(rng.random_range(1..250))),
        86..88 => world.renames(by, "Other Clinic"),
        88..90 => world.heeds(by),
        90..95 => world.restart(by, rng.random()),
        _ => world.forget(by, rng.random()),
    }
}

fn any_world(seed: u64) -> World {
    let mut rng = StdRng::seed_from_u64(seed);
    let rule = Rule::new(*[1, 1, 2].choose(&mut rng).expect("some"), rng.random_range(1..=3));
    let mut world = World::new(seed, rule.expect("a rule"));
    let mut said = Vec::new();
    for node in 1..rng.random_range(1..NODES) {
        said.push(world.admits(0, node));
    }
    for _ in 0..rng.random_range(0..60) {
        step(&mut world, &mut rng, &mut said);
    }
    world
}

/// What somebody can have of these blocks: of each log a beginning.
fn part(blocks: &[Verified], rng: &mut StdRng) -> Vec<Verified> {
    let mut lengths = BTreeMap::new();
    for block in blocks {
        *lengths.entry(block.header().name).or_insert(0_u32) += 1;
    }
    for length in lengths.values_mut() {
        if rng.random_bool(0.5) {
            *length = rng.random_range(0..=*length);
        }
    }
    // The founder's first block is what a node begins with.
    let first = blocks[0].header().name;
    lengths.entry(first).and_modify(|length| *length = (*length).max(1));
    let here = |block: &&Verified| block.header().sequence < lengths[&block.header().name];
    blocks.iter().filter(here).cloned().collect()
}

fn unique(roster: &Roster) {
    let all: Vec<_> = roster.members().collect();
    let count = |set: BTreeSet<String>| assert_eq!(set.len(), all.len());
    count(all.iter().map(|member| member.number.to_string()).collect());
    count(all.iter().map(|member| member.keys.identity.to_string()).collect());
    count(all.iter().map(|member| member.keys.knock.to_string()).collect());
    count(all.iter().map(|member| format!("{:?}", member.token().expose())).collect());
    for member in &all {
        assert!(!roster.is_revoked(&member.keys.identity));
        assert!(!member.admitted_by.is_empty() && !member.addresses.is_empty());
        assert_eq!(roster.member(&member.keys.identity), Some(*member));
        assert_ne!(roster.next_number(), Some(member.number));
        assert_ne!(roster.next_number(), member.wanted);
    }
}

/// Who could be a member at most: whom the founder, or one of these, has ever signed for.
fn at_most(blocks: &[Verified]) -> BTreeSet<[u8; 32]> {
    let mut all = BTreeSet::from([*key(0).as_bytes()]);
    loop {
        let before = all.len();
        for block in blocks {
            if !all.contains(block.header().name.author.as_bytes()) {
                continue;
            }
            for entry in block.entries() {
                let reunite::model::ledger::entry::Entry::Membership(said) = entry else {
                    continue;
                };
                if let Membership::Admitted(admitted) = said.as_ref() {
                    all.insert(*admitted.member().as_bytes());
                }
            }
        }
        if all.len() == before {
            return all;
        }
    }
}

/// Whoever was shut out and is not any more was shut out by somebody whose voice fell, or by fewer than the rule asks
/// for where it seemed that there were no others.
fn only_voices_fall(less: &Roster, more: &Roster) -> usize {
    let mut fell = 0;
    for (target, shut) in less.shut() {
        if more.is_revoked(target) {
            continue;
        }
        fell += 1;
        let has_fallen = |voice| more.is_revoked(voice) || more.member(voice).is_none();
        let is_lone = shut.by.len() < less.rule().revoke();
        assert!(is_lone || shut.by.iter().any(has_fallen), "{target} came back");
    }
    fell
}

fn check(seed: u64) -> (usize, usize, usize) {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x5eed);
    let world = any_world(seed);
    let roster = world.roster();
    unique(&roster);
    let most = at_most(&world.blocks);
    assert!(roster.members().all(|member| most.contains(member.keys.identity.as_bytes())));
    // The same in any order and any number.
    let mut mixed = world.blocks.clone();
    mixed.extend(part(&world.blocks, &mut rng));
    mixed.shuffle(&mut rng);
    let mixed = register(&mixed);
    assert_eq!(mixed, world.register());
    assert_eq!(world.roster_of(&mixed), roster);
    // What has come so far, and then the rest of it.
    let mut fell = 0;
    let mut some = world.blocks.clone();
    let mut later = roster.clone();
    for _ in 0..4 {
        some = part(&some, &mut rng);
        let register = register(&some);
        let earlier = world.roster_of(&register);
        unique(&earlier);
        fell += only_voices_fall(&earlier, &later);
        let mut grown = register;
        world.blocks.iter().for_each(|block| {
            grown.take(block);
        });
        assert_eq!(world.roster_of(&grown), roster, "the rest came later");
        later = earlier;
    }
    (roster.len(), roster.shut().count(), fell)
}

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn who_has_the_same_blocks_has_the_same_roster_and_revocations_stay() {
    let (first, count) = (number("REUNITE_SEED", 1), number("REUNITE_SCHEDULES", SCHEDULES));
    let (mut members, mut shut, mut fell) = (0, 0, 0);
    for seed in first..first + count {
        let run = catch_unwind(AssertUnwindSafe(|| check(seed)));
        let run = run.unwrap_or_else(|_| panic!("REUNITE_SEED={seed} REUNITE_SCHEDULES=1 fails"));
        (members, shut, fell) = (members + run.0, shut + run.1, fell + run.2);
    }
    println!(
        "{count} schedules from {first}: {members} members, {shut} shut out, {fell} came back"
    );
    if count >= SCHEDULES {
        assert!(members > 0 && shut > 0, "the schedules show nothing");
    }
}

/// As people use it: only members act, nobody who is shut out does, and who speaks against somebody doubts nothing of
/// what is there. Then whoever was shut out once is so for ever.
#[test]
fn where_nobody_doubts_what_is_there_whoever_was_shut_out_stays_out() {
    for seed in 0..number("REUNITE_SCHEDULES", SCHEDULES) / 3 {
        let mut rng = StdRng::seed_from_u64(seed);
        let rule = Rule::new(1, rng.random_range(1..=3)).expect("a rule");
        let mut world = World::new(seed, rule);
        let mut out: BTreeSet<usize> = BTreeSet::new();
        for _ in 0..40 {
            let members = world.members();
            let Some(by) = members.choose(&mut rng).copied() else { break };
            let node = rng.random_range(0..NODES);
            match rng.random_range(0..3) {
                0 if !out.contains(&node) && !members.contains(&node) => {
                    let admitted = world.admits(by, node);
                    world.say(node, admitted);
                }
                1 if by != node => world.revokes(by, node),
                2 => {
                    world.restart(by, rng.random());
                    world.heeds(by);
                }
                _ => {}
            }
            let roster = world.roster();
            for node in &out {
                assert!(roster.is_revoked(&key(*node)), "seed {seed}: node {node} came back");
            }
            out.extend((0..NODES).filter(|node| roster.is_revoked(&key(*node))));
        }
    }
}
