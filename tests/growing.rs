//! Networks of some size, end to end: one that grows from one node to twelve as people do it, and one in two halves that
//! only a laptop connects, which goes from the one to the other and back.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/growing.rs"]
mod growing;
#[path = "support/links.rs"]
mod links;
mod support;

use growing::Growing;
use links::Links;
use std::collections::BTreeMap;
use std::fs;
use support::{Network, until};

const NODES: usize = 12;

fn has(growing: &Growing, number: usize, name: &str) -> bool {
    fs::read_to_string(growing.database(number)).is_ok_and(|text| text.contains(name))
}

#[test]
fn twelve_nodes_join_one_after_the_other_each_by_the_one_before_and_all_know_all() {
    let growing = Growing::on_a_bridge("twelve", NODES);
    let mut nodes = vec![growing.begin()];
    nodes[0].ask(&["3", "Ana", "tall", "", "missing"]);
    for number in 2..=NODES {
        // Who lets somebody in has to know first that it belongs to the network itself.
        until("the newest member is one", || growing.members(number - 1) == number - 1);
        let newest = nodes.last_mut().expect("one at least");
        growing.let_in(newest, number);
        nodes.push(growing.start(number));
    }
    let all: BTreeMap<_, _> =
        (1..).zip(growing.addresses.iter().map(ToString::to_string)).collect();
    for number in 1..=NODES {
        until("it knows all members", || growing.members(number) == NODES);
        until("it reaches all members where they are", || growing.reached(number) == all);
        until("the first person is there", || has(&growing, number, "Ana"));
    }
    // The last one speaks with all, though nobody has told it of any but the one before it.
    nodes[NODES - 1].ask(&["3", "Cyrillianne", "", "", "found"]);
    nodes[NODES - 1].broadcast_until(&format!("reached {0} of {0} peers", NODES - 1));
    for number in 1..=NODES {
        until("the last person is there", || has(&growing, number, "Cyrillianne"));
    }
    assert!(nodes.into_iter().all(|node| node.quit().success()));
    let database = |number| fs::read(growing.database(number)).expect("there");
    let first = database(1);
    assert!((2..=NODES).all(|number| database(number) == first), "not the same everywhere");
}

#[test]
fn two_halves_that_met_only_through_one_laptop_end_equal() {
    let halves = [[1, 2], [3, 4]];
    let laptop = 5;
    let mut network = Network::new("laptop", 5);
    let mut links = Links::of(&mut network);
    let cut = |links: &mut Links, half: &[usize; 2], cut| {
        half.iter().for_each(|node| links.set(*node, laptop, cut));
    };
    for one in halves[0] {
        halves[1].iter().for_each(|other| links.set(one, *other, true));
    }
    halves.iter().for_each(|half| cut(&mut links, half, true));
    let mut nodes: Vec<_> = (1..=5).map(|number| links.tier1(&network, number)).collect();
    for number in 1..=4 {
        nodes[number - 1].ask(&["3", &format!("Person of {number}"), "", "", "missing"]);
    }
    let has = |number: usize, whose: &[usize]| {
        let text = network.people(number).join("\n");
        whose.iter().all(|one| text.contains(&format!("Person of {one}")))
    };
    // There, and back again.
    for (half, then) in [(0, &[1, 2][..]), (1, &[1, 2, 3, 4]), (0, &[1, 2, 3, 4])] {
        cut(&mut links, &halves[half], false);
        nodes[laptop - 1].type_lines(&["9"]);
        until("the laptop has what this half has", || has(laptop, then));
        until("this half has what the laptop has", || {
            halves[half].iter().all(|number| has(*number, then))
        });
        cut(&mut links, &halves[half], true);
    }
    let all: Vec<_> = (1..=5).map(|number| fs::read(network.database(number))).collect();
    let all: Vec<_> = all.into_iter().map(|text| text.expect("there")).collect();
    assert!(all.iter().all(|text| *text == all[0]), "not the same everywhere");
}
