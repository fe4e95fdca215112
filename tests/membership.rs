//! Who belongs to a network, attacked: each test is one thing that somebody could try, or that goes wrong.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/membership.rs"]
mod world;

use reunite::model::identity::Identity;
use reunite::model::keys::{PublicKeys, SecretKey};
use reunite::model::ledger::block::Received;
use reunite::model::ledger::chains::Rigour;
use reunite::model::ledger::fork::ForkProof;
use reunite::model::ledger::heads::Heads;
use reunite::model::ledger::membership::{Founded, Heeded, Membership, Profile, Revoked, Rule};
use reunite::model::ledger::names::{LogName, Namer};
use reunite::model::ledger::pen::Pen;
use reunite::model::ledger::replica::Replica;
use reunite::model::limits::{LOWEST_SPARE_NUMBER, MAX_ADDRESSES, MAX_VOICES_EACH};
use reunite::model::membership::roster::{Known, Roster};
use reunite::model::secret::Token;
use world::{World, address, key, keys, number, profile, register, token};

fn nobody() -> Heads {
    Heads::default()
}

// --- growing ---

#[test]
fn a_network_grows_from_one_to_twelve_and_everybody_is_known_by_number_and_key() {
    let mut world = World::new(1, Rule::default());
    for node in 1..12 {
        let roster = world.roster();
        let next = roster.next_number().expect("there are numbers");
        assert_eq!(next, number(node as u64 + 1));
        // Everybody is admitted by who came just before.
        let admitted = world.admits(node - 1, node);
        world.say(node, admitted);
    }
    let roster = world.roster();
    assert_eq!((roster.len(), roster.name().to_string().as_str()), (12, "aid"));
    let numbers: Vec<_> = roster.members().map(|member| member.number.value()).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    for node in 0..12 {
        let member = roster.by_number(number(node as u64 + 1)).expect("a member");
        assert_eq!(roster.member(&key(node)), Some(member));
        assert_eq!((member.keys, member.depth), (keys(node), node as u32));
        assert!(member.has_consented && member.wanted.is_none());
        assert!(roster.member(&key(node)).expect("a member").token().matches(&token(node)));
    }
    assert!(roster.open().is_empty() && roster.clashing().is_empty());
}

#[test]
fn without_its_founding_a_network_is_not_there_and_without_the_founders_profile_empty() {
    let mut world = World::of(2);
    let all = register(&world.blocks[1..]);
    assert!(Roster::new(&all, world.network, &|_, _, _| true).is_none());
    world.blocks.truncate(1);
    assert!(world.roster().is_empty());
}

#[test]
fn where_two_admit_the_founder_admits_the_second_alone_and_nobody_after_that() {
    let mut world = World::new(1, Rule::new(2, 2).expect("a rule"));
    world.admits(0, 1);
    assert_eq!(world.members(), [0, 1]);
    let third = world.admits(0, 2);
    assert_eq!(world.members(), [0, 1]);
    let roster = world.roster();
    assert_eq!(roster.open().len(), 1);
    assert_eq!(roster.open()[0].said, third);
    assert_eq!(roster.next_number(), Some(number(4)), "not what is proposed already");
    // Who is to be admitted, a stranger and the same one again do not make two.
    for node in [2, 9, 0] {
        world.say(node, third.clone());
        assert_eq!(world.members(), [0, 1], "{node}");
    }
    world.say(1, third);
    assert_eq!(world.members(), [0, 1, 2]);
    // In another log the founder begins as little anew as in its own.
    world.forget(0, 1);
    world.admits(0, 3);
    assert_eq!(world.members(), [0, 1, 2]);
}

// --- admissions ---

#[test]
fn an_admission_by_a_stranger_makes_nobody_a_member() {
    let mut world = World::of(3);
    let before = world.roster();
    world.admits(8, 9);
    world.admits(9, 9);
    world.say(8, Membership::Founded(founded(&mut world_rng(), 1)));
    world.renames(8, "Clinic 1");
    world.moves(8, 1, address(99));
    world.revokes(8, 1);
    world.revokes(9, 1);
    assert_eq!(world.roster(), before);
}

fn world_rng() -> rand::rngs::StdRng {
    rand::SeedableRng::seed_from_u64(5)
}

fn founded(rng: &mut rand::rngs::StdRng, revoke: u8) -> Founded {
    Founded::new("aid".parse().expect("a name"), Rule::new(1, revoke).expect("a rule"), rng)
}

#[test]
fn a_cycle_of_admissions_leads_nowhere() {
    let mut world = World::of(2);
    for (by, node) in [(5, 6), (6, 7), (7, 5)] {
        let admitted = world.admits(by, node);
        world.say(node, admitted);
    }
    assert_eq!(world.members(), [0, 1]);
    // One way in is enough for all of them.
    world.admits(1, 7);
    assert_eq!(world.members(), [0, 1, 5, 6, 7]);
}

#[test]
fn the_founder_changes_no_rule_by_founding_once_more() {
    let mut world = World::of(4);
    let before = world.roster();
    world.say(0, Membership::Founded(founded(&mut world_rng(), 1)));
    world.revokes(0, 1);
    assert_eq!(world.roster().rule(), before.rule());
    assert!(world.roster().member(&key(1)).is_some());
}

#[test]
fn nobody_is_admitted_under_the_key_of_a_member() {
    let mut world = World::of(4);
    // The attacker puts its own knock key, address and token beside the key of member 1, and dates that back.
    world.forget(3, 1);
    let stolen = Profile { keys: keys(1), number: number(9), ..profile(30, 2) };
    let mut knock = stolen.clone();
    knock.keys.knock = keys(30).knock;
    let admitted = world.admission(knock, token(30));
    world.sign(3, vec![admitted.clone().into()], 0);
    let before = world.roster().member(&key(1)).expect("a member").clone();
    assert_eq!(before.keys, keys(1));
    assert_eq!((before.number, before.addresses[0]), (number(2), address(2)));
    assert!(world.roster().member(&key(1)).expect("itself").token().matches(&token(1)));
    // The founder itself cannot, once member 1 has consented.
    world.say(0, admitted);
    assert_eq!(world.roster().member(&key(1)).map(|member| member.keys), Some(keys(1)));
    assert_eq!(world.roster().next_number(), Some(number(10)), "the number is used up");
}

#[test]
fn who_was_admitted_twice_is_a_member_once_as_it_consented() {
    let mut world = World::of(3);
    let one = world.admits_as(1, profile(5, 4), token(5));
    let other = world.admits_as(2, profile(5, 5), token(6));
    assert_eq!(world.roster().len(), 4);
    assert_eq!(world.roster().member(&key(5)).map(|member| member.number), Some(number(4)));
    world.say(5, other);
    let roster = world.roster();
    assert_eq!(roster.member(&key(5)).map(|member| member.number), Some(number(5)));
    assert!(roster.by_number(number(4)).is_none() && roster.next_number() == Some(number(6)));
    world.say(5, one);
    assert_eq!(world.roster().member(&key(5)).map(|member| member.number), Some(number(4)));
}

#[test]
fn a_number_that_two_halves_gave_is_of_one_and_both_are_members() {
    let mut world = World::of(3);
    world.admits_as(1, profile(5, 4), token(5));
    world.admits_as(2, profile(6, 4), token(6));
    let roster = world.roster();
    assert_eq!(roster.len(), 5);
    assert_eq!(roster.by_number(number(4)).map(|member| member.keys), Some(keys(5)));
    let moved = roster.member(&key(6)).expect("a member");
    assert!(moved.number.value() >= LOWEST_SPARE_NUMBER && moved.wanted == Some(number(4)));
    assert_eq!(roster.next_number(), Some(number(5)));
    // It keeps its new number whatever numbers are given after that.
    let known = moved.number;
    for node in 7..12 {
        world.admits_as(1, profile(node, node as u64 - 2), token(node));
    }
    assert_eq!(world.roster().member(&key(6)).map(|member| member.number), Some(known));
}

#[test]
fn an_insider_takes_nobodys_number_knock_key_or_token() {
    let mut world = World::of(4);
    let before = world.roster();
    world.forget(3, 1);
    let same_number = world.admission(profile(20, 2), token(20));
    let mut same_knock = profile(21, 21);
    same_knock.keys.knock = keys(1).knock;
    let same_knock = world.admission(same_knock, token(21));
    let same_token = world.admission(profile(22, 22), token(1));
    // Also under a number before all others, which they do not get.
    let mut low_knock = profile(23, 1);
    low_knock.keys.knock = keys(1).knock;
    let low_knock = world.admission(low_knock, token(23));
    let low_token = world.admission(profile(24, 1), token(2));
    for said in [same_number, same_knock, same_token, low_knock, low_token] {
        world.sign(3, vec![said.into()], 0);
    }
    let after = world.roster();
    for node in 0..4 {
        assert_eq!(after.member(&key(node)), before.member(&key(node)), "{node}");
    }
    assert!(after.member(&key(20)).is_some_and(|member| member.wanted == Some(number(2))));
    for thief in 21..=24 {
        assert!(after.member(&key(thief)).is_none(), "{thief}");
    }
    assert_eq!(after.clashing().len(), 4);
}

#[test]
fn what_was_said_in_one_network_counts_in_no_other() {
    let mut other = World::new(2, Rule::default());
    other.admits(0, 1);
    other.admits(1, 5);
    other.revokes(0, 2);
    other.revokes(1, 2);
    let mut world = World::of(3);
    assert_ne!(world.network, other.network);
    let before = world.roster();
    // The same nodes wrote it, in logs that are new here: blocks say nothing of the network.
    for node in [0, 1] {
        world.forget(node, 99);
    }
    for block in other.blocks {
        let entries = block.entries().to_vec();
        let node = usize::from(block.header().name.author != key(0));
        world.sign(node, entries, 50);
    }
    assert_eq!(world.roster(), before);
}

// --- revocations ---

#[test]
fn one_voice_its_echo_the_targets_own_and_strangers_shut_nobody_out() {
    let mut world = World::of(5);
    world.revokes(1, 4);
    world.revokes(1, 4);
    world.revokes(4, 4);
    world.revokes(20, 4);
    world.restart(1, 8);
    world.revokes(1, 4);
    let roster = world.roster();
    assert!(!roster.is_revoked(&key(4)) && roster.member(&key(4)).is_some());
    assert_eq!(roster.open().len(), 1);
    assert_eq!(roster.open()[0].by, [key(1)].into());
    world.revokes(2, 4);
    let roster = world.roster();
    assert!(roster.is_revoked(&key(4)) && roster.member(&key(4)).is_none());
    assert!(roster.open().is_empty());
    let (_, shut) = roster.shut().next().expect("one");
    assert_eq!((shut.by.len(), shut.reasons.len()), (2, 1));
    assert_eq!(shut.known_as, Known::Member(number(5), profile(4, 5).organisation));
}

#[test]
fn a_revoked_key_knock_key_token_and_number_never_return() {
    let mut world = World::of(5);
    let accepted = world.blocks.iter().flat_map(|block| block.entries().to_vec());
    let accepted = accepted.collect::<Vec<_>>();
    world.revokes(1, 4);
    world.revokes(2, 4);
    let before = world.roster();
    // Its acceptance is replayed, by itself and by members who were tricked; it comes back under another number.
    for entry in accepted {
        for node in [0, 1, 4] {
            let lamport = world.blocks.len() as u64 + 1;
            world.sign(node, vec![entry.clone()], lamport);
        }
    }
    world.admits_as(0, profile(4, 30), token(30));
    world.moves(4, 4, address(77));
    assert!(world.roster().is_revoked(&key(4)) && world.roster().member(&key(4)).is_none());
    assert_eq!(world.roster().len(), before.len());
    // Under another identity key it lacks what it had.
    let mut disguised = profile(21, 31);
    disguised.keys.knock = keys(4).knock;
    world.admits_as(0, disguised.clone(), token(21));
    world.admits_as(0, profile(22, 32), token(4));
    world.admits_as(0, profile(23, 5), token(23));
    // By the founder's own word, dated back, under the lowest number: it stays with who is shut out.
    let mut low = profile(24, 1);
    low.keys.knock = keys(4).knock;
    let low = world.admission(low, token(24));
    world.forget(0, 77);
    world.sign(0, vec![low.into()], 0);
    let roster = world.roster();
    assert!(roster.is_shut_out(&disguised.keys) && roster.is_shut_out(&keys(4)));
    assert!(!roster.is_shut_out(&keys(1)) && !roster.is_shut_out(&keys(22)));
    for disguised in [21, 22, 24] {
        assert!(roster.member(&key(disguised)).is_none(), "{disguised}");
    }
    assert!(roster.by_number(number(5)).is_none());
    assert_ne!(roster.member(&key(23)).map(|member| member.number), Some(number(5)));
    assert!(roster.next_number().is_some_and(|next| next != number(5)));
}

#[test]
fn whom_a_revoked_member_admitted_before_stays_and_whom_it_admits_afterwards_never_comes() {
    let mut world = World::of(4);
    world.admits(3, 10);
    world.admits(10, 11);
    world.revokes(1, 3);
    world.revokes(2, 3);
    assert_eq!(world.members(), [0, 1, 2, 10, 11]);
    let before = world.roster();
    // It goes on in its log, in a new one, and dates back.
    world.admits(3, 12);
    world.forget(3, 3);
    let admitted = world.admission(profile(13, 14), token(13));
    world.sign(3, vec![admitted.into()], 0);
    world.restart(3, 4);
    world.admits(3, 14);
    world.admits(14, 15);
    assert_eq!(world.roster(), before);
    // What it wrote before is still passed on, and nothing of those.
    let is_author = |node| before.is_author(&key(node));
    assert_eq!([3, 12, 13, 14, 15].map(is_author), [true, false, false, false, false]);
    // Who is shut out with it is no stranger, and what it was called there may be another's name.
    world.revokes(1, 14);
    world.revokes(2, 14);
    assert_eq!(known_as(&world.roster(), 14), Known::Doubtful);
}

fn known_as(roster: &Roster, node: usize) -> Known {
    let mut shut = roster.shut();
    shut.find(|(one, _)| **one == key(node)).expect("it is shut out").1.known_as.clone()
}

#[test]
fn what_is_beyond_the_last_good_block_falls_with_all_that_rests_on_it() {
    let mut world = World::of(5);
    let good = world.heads(3);
    // Taken from here on, but nobody knows yet.
    world.admits(3, 10);
    world.admits(10, 11);
    world.moves(3, 1, address(66));
    world.revokes(10, 2);
    world.revokes(11, 2);
    assert_eq!(world.members(), [0, 1, 3, 4, 10, 11], "two of its own shut out member 2");
    world.against(1, 3, &good);
    world.against(4, 3, &good);
    assert_eq!(world.members(), [0, 1, 2, 4], "and were never there");
    let roster = world.roster();
    assert_eq!(roster.member(&key(1)).expect("a member").addresses, [address(2)]);
    let log = world.blocks.iter().find(|block| block.header().name.author == key(3));
    let log = log.expect("it wrote").header().name;
    assert!(roster.is_beyond(&log, 1) && !roster.is_beyond(&log, 0));
}

#[test]
fn of_many_words_of_one_against_another_the_first_few_count() {
    let mut world = World::of(5);
    world.admits(3, 10);
    world.revokes(1, 3);
    for _ in 0..2 * MAX_VOICES_EACH {
        world.revokes(2, 3);
    }
    world.against(2, 3, &nobody());
    world.against(1, 3, &nobody());
    assert_eq!(world.members(), [0, 1, 2, 4, 10], "one of the two has changed its mind too often");
}

#[test]
fn one_voter_alone_voids_nothing() {
    let mut world = World::of(5);
    world.admits(3, 10);
    // Member 4 works for somebody who wants node 10 out, and says that nothing of member 3 was ever good.
    world.revokes(1, 3);
    world.against(4, 3, &nobody());
    assert_eq!(world.members(), [0, 1, 2, 4, 10]);
    world.against(2, 3, &nobody());
    assert_eq!(world.members(), [0, 1, 2, 4]);
}

#[test]
fn who_is_revoked_has_no_voice_any_more() {
    let mut world = World::of(6);
    for node in [4, 5] {
        world.revokes(1, node);
        world.revokes(2, node);
    }
    for node in 0..4 {
        world.heeds(node);
        assert!(world.roster().unheeded(&key(node)).is_empty());
    }
    let before = world.roster();
    let (_, shut) = before.shut().next().expect("two");
    assert_eq!((shut.by.len(), shut.heeded_by.len()), (2, 2));
    // Both devices are in one hand now, which dates back.
    for node in 0..4 {
        for taken in [4, 5] {
            world.against(taken, node, &nobody());
            world.forget(taken, 20 + node as u64);
            let (network, member) = (world.network, key(node));
            let heeded = Membership::Heeded(Heeded { network, member });
            world.sign(taken, vec![heeded.into()], 0);
        }
    }
    assert_eq!(world.roster(), before);
}

#[test]
fn where_two_admit_a_captured_founder_turns_no_tables() {
    let mut world = World::new(1, Rule::new(2, 2).expect("a rule"));
    for node in 1..6 {
        let admitted = world.admits(0, node);
        for other in [1, node] {
            world.say(other, admitted.clone());
        }
    }
    for node in [0, 5] {
        world.revokes(1, node);
        world.revokes(2, node);
    }
    (1..5).for_each(|node| world.heeds(node));
    let before = world.roster();
    assert_eq!(world.members(), [1, 2, 3, 4]);
    // Who has both devices admits many, and lets all of them speak against everybody else.
    for taken in [0, 5] {
        world.forget(taken, 30);
    }
    let own: Vec<_> = (10..20).collect();
    for node in &own {
        let admitted = world.admits(0, *node);
        world.say(5, admitted);
    }
    for by in own.into_iter().chain([0, 5]) {
        for node in 1..5 {
            world.against(by, node, &nobody());
        }
    }
    assert_eq!(world.roster(), before);
}

#[test]
fn a_revocation_falls_only_with_its_voices() {
    let mut world = World::of(6);
    let good = world.heads(1);
    world.revokes(1, 5);
    world.revokes(2, 5);
    assert!(world.roster().is_revoked(&key(5)));
    // Member 1 turns out to have been taken before it spoke: one voice is left, and people are asked again.
    world.against(3, 1, &good);
    world.against(4, 1, &good);
    let roster = world.roster();
    assert!(roster.is_revoked(&key(1)) && !roster.is_revoked(&key(5)));
    assert_eq!(roster.open().len(), 1);
    world.revokes(3, 5);
    assert!(world.roster().is_revoked(&key(5)));
    // Shut out later, with what was said before left standing, member 2 takes nothing with it.
    world.revokes(3, 2);
    world.revokes(4, 2);
    assert_eq!(world.members(), [0, 3, 4]);
}

#[test]
fn two_who_collude_shut_out_who_is_not_answered_for_and_fall_to_the_others_who_answer() {
    let mut world = World::of(5);
    let (good_3, good_4) = (world.heads(3), world.heads(4));
    for node in [0, 1, 2] {
        world.against(3, node, &nobody());
        world.against(4, node, &nobody());
    }
    // The rule says two, and they are two. They do not tear down the network: what the founder admitted was never good,
    // they say, but that would be their own admission.
    assert!((0..3).all(|node| world.roster().is_revoked(&key(node))));
    assert_eq!(world.members(), [3, 4]);
    // The three others answer, and put that beyond what is good of the two.
    for node in [0, 1, 2] {
        world.against(node, 3, &good_3);
        world.against(node, 4, &good_4);
    }
    assert_eq!(world.members(), [0, 1, 2]);
    let roster = world.roster();
    assert!(roster.is_revoked(&key(3)) && roster.is_revoked(&key(4)));
}

#[test]
fn who_admits_alone_brings_a_second_voice_of_its_own_and_where_two_admit_cannot() {
    let mut world = World::of(4);
    world.admits(3, 10);
    world.revokes(3, 2);
    world.revokes(10, 2);
    assert!(world.roster().is_revoked(&key(2)));
    let mut world = World::new(1, Rule::new(2, 2).expect("a rule"));
    for node in 1..4 {
        let admitted = world.admits(0, node);
        world.say(1, admitted);
    }
    assert_eq!(world.members(), [0, 1, 2, 3]);
    world.admits(3, 10);
    world.revokes(3, 2);
    world.revokes(10, 2);
    assert_eq!(world.members(), [0, 1, 2, 3]);
}

#[test]
fn two_against_two_of_one_rank_are_decided_by_a_third_voice() {
    for third in [None, Some(5)] {
        let mut world = World::of(6);
        let heads: Vec<_> = (0..6).map(|node| world.heads(node)).collect();
        for (by, against) in [([1, 2], [3, 4]), ([3, 4], [1, 2])] {
            for (node, target) in by.into_iter().flat_map(|one| against.map(|other| (one, other))) {
                world.against(node, target, &heads[target]);
            }
        }
        let out = |world: &World| -> Vec<_> {
            (0..6).filter(|node| world.roster().is_revoked(&key(*node))).collect()
        };
        // One of the two sides is out, and the other is not.
        assert!([vec![1, 2], vec![3, 4]].contains(&out(&world)), "{:?}", out(&world));
        if let Some(third) = third {
            world.against(third, 1, &heads[1]);
            world.against(third, 2, &heads[2]);
            assert_eq!(out(&world), [1, 2]);
        }
    }
}

#[test]
fn in_a_network_of_two_one_revokes_and_that_holds_when_it_grows() {
    let mut world = World::of(2);
    world.revokes(0, 1);
    assert_eq!(world.members(), [0]);
    for node in 2..6 {
        world.admits(0, node);
        assert!(world.roster().is_revoked(&key(1)), "{node} more");
    }
    // The founder forgot nothing by a restart.
    let mut world = World::of(2);
    world.revokes(1, 0);
    world.restart(1, 8);
    world.admits(1, 5);
    assert_eq!(world.members(), [1, 5]);
}

#[test]
fn in_a_network_of_three_one_voice_is_not_enough_whatever_its_log() {
    for log in [None, Some(1)] {
        let mut world = World::of(3);
        if let Some(log) = log {
            world.forget(0, log);
        }
        let revoked = world.heads(1);
        world.against(0, 1, &revoked);
        assert_eq!(world.members(), [0, 1, 2]);
        // When the third is out, it is a network of two.
        world.revokes(0, 2);
        world.revokes(1, 2);
        assert!(world.roster().is_revoked(&key(2)));
    }
    // Whom the target admitted is one more, too: else the second member could undo all that the founder did.
    let mut world = World::of(2);
    world.admits(1, 5);
    world.against(0, 1, &nobody());
    assert_eq!(world.members(), [0, 1, 5]);
}

#[test]
fn of_two_who_revoke_each_other_at_once_the_older_stays() {
    let mut world = World::of(2);
    let heads = [world.heads(0), world.heads(1)];
    world.against(1, 0, &heads[0]);
    world.against(0, 1, &heads[1]);
    assert_eq!(world.members(), [0]);
    // Not at once: the founder had seen that it was shut out, and doubts it not.
    let mut world = World::of(2);
    world.revokes(1, 0);
    world.revokes(0, 1);
    assert_eq!(world.members(), [1]);
    // With others behind each.
    let mut world = World::of(5);
    world.admits(4, 10);
    let heads = [world.heads(1), world.heads(10)];
    world.against(10, 1, &heads[0]);
    world.against(4, 1, &heads[0]);
    world.against(1, 10, &heads[1]);
    world.against(2, 10, &heads[1]);
    assert_eq!(world.members(), [0, 1, 2, 3, 4]);
}

#[test]
fn the_founder_can_be_shut_out_and_the_network_goes_on() {
    let mut world = World::of(5);
    world.revokes(1, 0);
    world.revokes(2, 0);
    assert_eq!(world.members(), [1, 2, 3, 4]);
    world.admits(1, 10);
    world.admits(0, 11);
    assert_eq!(world.members(), [1, 2, 3, 4, 10]);
}

#[test]
fn somebody_is_shut_out_before_its_admission_has_come() {
    let mut world = World::of(4);
    world.admits(1, 10);
    world.revokes(1, 10);
    world.revokes(2, 10);
    let late = world.blocks.remove(world.blocks.len() - 3);
    assert!(world.roster().is_revoked(&key(10)));
    assert_eq!(known_as(&world.roster(), 10), Known::Stranger);
    world.blocks.push(late);
    assert!(matches!(known_as(&world.roster(), 10), Known::Member(..)));
    assert!(world.roster().is_revoked(&key(10)) && world.roster().member(&key(10)).is_none());
}

#[test]
fn what_a_forked_log_says_is_left_away_until_people_have_looked() {
    let mut world = World::of(4);
    world.admits(3, 10);
    world.renames(3, "Better Clinic");
    let register = world.register();
    let forked = key(3);
    let counts = |name: &LogName, sequence: u32, _| name.author != forked || sequence == 0;
    let roster = Roster::new(&register, world.network, &counts).expect("founded");
    assert!(roster.member(&key(10)).is_none());
    let member = roster.member(&key(3)).expect("it stays a member");
    assert_eq!(member.organisation.to_string(), "Clinic 3");
    assert!(world.roster().member(&key(10)).is_some());
}

#[test]
fn a_replica_has_the_register_of_its_blocks_and_drops_what_a_fork_takes_away() {
    let mut world = World::of(3);
    world.admits(2, 10);
    let identity = Identity::new(SecretKey::from([99; 32]));
    let mut replica = Replica::new(identity, Namer::new(&SecretKey::from([7; 32])));
    for node in 0..3 {
        let own = world.blocks.iter().filter(|block| block.header().name.author == key(node));
        let run = own.map(|block| Received::read(block.bytes()).expect("right")).collect();
        let (_, taken) = replica.take(run, Rigour::Last).expect("right");
        assert!(taken.membership);
    }
    assert_eq!(*replica.register(), world.register());
    let members = |replica: &Replica| {
        let counts =
            |name: &LogName, sequence, lamport| replica.chains().counts_at(name, sequence, lamport);
        Roster::new(replica.register(), world.network, &counts).expect("founded").len()
    };
    assert_eq!(members(&replica), 4);
    // Member 2 signed another block where its admission of node 10 stands.
    let mut other = World::of(3);
    other.renames(2, "Other");
    let [one, another] = [&world, &other].map(|world| {
        let mut own = world.blocks.iter().filter(|block| block.header().name.author == key(2));
        own.next_back().expect("two").signed().clone()
    });
    assert!(replica.convict(ForkProof::new(one, another).expect("a fork")));
    assert_eq!(members(&replica), 3);
}

/// The worst that two members can do by speaking: everybody is named by one, and then by both.
#[test]
fn a_full_network_in_which_everybody_is_named_is_counted_soon() {
    let mut world = World::of(3);
    let stranger = |n: u64| {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        bytes
    };
    let mut entries = Vec::new();
    for n in 4..=999 {
        let keys = PublicKeys { identity: stranger(n).into(), knock: stranger(n).into() };
        let profile = Profile { keys, number: number(n), ..profile(1, 1) };
        let token = Token::try_from(format!("{:012}", n).as_bytes()).expect("digits");
        entries.push(world.admission(profile, token).into());
    }
    for portion in Pen::portions(entries) {
        world.sign(0, portion, 10);
    }
    assert_eq!(world.roster().len(), 999);
    for by in [0, 1] {
        let voice = |n| {
            let (key, reason) = (stranger(n).into(), "".parse().expect("none"));
            let revoked = Revoked::new(world.network, key, &nobody(), reason);
            Membership::Revoked(revoked.expect("few logs")).into()
        };
        let entries = (4..=999).map(voice).collect();
        for portion in Pen::portions(entries) {
            world.sign(by, portion, 20);
        }
        let begin = std::time::Instant::now();
        let register = world.register();
        let middle = begin.elapsed();
        let roster = world.roster_of(&register);
        println!("{middle:?} for the register, {:?} with the roster", begin.elapsed());
        assert_eq!(roster.len(), [999, 3][by]);
    }
}

// --- addresses and names ---

#[test]
fn a_members_own_word_on_where_it_is_comes_first() {
    let mut world = World::of(4);
    world.moves(3, 1, address(60));
    let first = |world: &World| world.roster().member(&key(1)).expect("a member").addresses.clone();
    assert_eq!(first(&world), [address(2), address(60)]);
    world.moves(1, 1, address(50));
    world.moves(1, 1, address(51));
    world.moves(2, 1, address(61));
    world.moves(20, 1, address(62));
    let all = [address(51), address(61), address(60), address(2)];
    assert_eq!(first(&world), all);
    // One who types much displaces nobody.
    for last in 100..120 {
        world.moves(3, 1, address(last));
    }
    assert_eq!(first(&world), [address(51), address(119), address(61), address(2)]);
    world.revokes(0, 3);
    world.revokes(2, 3);
    assert_eq!(first(&world), [address(51), address(61), address(2)]);
}

#[test]
fn many_who_type_addresses_leave_the_right_ones_in_place() {
    let mut world = World::of(20);
    for node in 2..20 {
        world.moves(node, 1, address(100 + node as u8));
    }
    world.moves(1, 1, address(50));
    let addresses = world.roster().member(&key(1)).expect("a member").addresses.clone();
    assert_eq!(addresses.len(), MAX_ADDRESSES);
    assert_eq!((addresses.first(), addresses.last()), (Some(&address(50)), Some(&address(2))));
}

#[test]
fn a_name_is_changed_by_its_bearer_alone() {
    let mut world = World::of(3);
    world.renames(1, "Better Clinic");
    world.renames(1, "Best Clinic");
    let roster = world.roster();
    let name = |node| roster.member(&key(node)).map(|member| member.organisation.to_string());
    assert_eq!(name(1).as_deref(), Some("Best Clinic"));
    assert_eq!(name(2).as_deref(), Some("Clinic 2"));
}

#[test]
fn a_roster_shows_no_token() {
    let shown = format!("{:?}", World::of(3).roster());
    assert!(!shown.contains("70000000000"), "{shown}");
}
