//! Many nodes at once: all of them change and broadcast, some are killed in the middle of it, and in the end
//! all hold the same.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::thread;
use std::time::Duration;
use support::original::Original;
use support::{Network, Node, contents, database, new_id, setting, until, until_within};

/// Nodes of a full network.
const NODES: usize = 8;

/// The rows of people in a node's file, as reunite itself reads them. Everything in the file is understood,
/// and its last line is whole.
fn rows(network: &Network, number: usize) -> BTreeSet<String> {
    let text = fs::read(network.database(number)).expect("the file is there");
    assert_eq!(text.last(), Some(&b'\n'), "node {number}: the last line is cut off");
    let found = contents(&text);
    assert_eq!(found.kept, [], "node {number}: a line is not understood");
    let rows: BTreeSet<_> = found.rows[0].iter().map(|row| row.line().to_owned()).collect();
    assert_eq!(rows.len(), found.rows[0].len(), "node {number}: a row is there twice");
    rows
}

/// The first `count` fields of a row.
fn fields(row: &str, count: usize) -> Vec<String> {
    let found = contents(database(&[row]).as_bytes());
    found.rows[0][0].fields().take(count).map(|field| field.into_owned()).collect()
}

/// Rows as they are found in the camps: commas, quotes, line breaks, scripts, fields without content.
fn people(whose: &str, count: usize) -> Vec<String> {
    let row = |at| {
        let (name, id) = (format!("{whose} {at}"), id_for(&format!("{whose} {at}")));
        match at % 5 {
            0 => format!("{name}, \"thin, scar\", Balukhali 12/8/24, missing, {id}"),
            1 => format!("မောင် {name}, အသက် ၃၀, ရန်ကုန်, found, {id}"),
            2 => format!("\"{name}, called \"\"Nuru\"\"\", , , deceased, {id}"),
            3 => format!("{name}, \"one line\nanother line\", Camp 4, missing, {id}"),
            _ => format!("{name}, a long description of what was worn on that day, , , {id}"),
        }
    };
    (0..count).map(row).collect()
}

/// An Id of 18 digits that is always the same for a name.
fn id_for(name: &str) -> u64 {
    let hash = name.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31) + u64::from(byte));
    100_000_000_000_000_000 + hash % 800_000_000_000_000_000
}

#[test]
fn eight_nodes_that_broadcast_at_once_end_with_equal_rows_and_four_readers_see_them_without_ids() {
    let network = Network::new("eight", NODES);
    let mut expected: BTreeSet<String> = people("Shared", 40).into_iter().collect();
    for number in 1..=NODES {
        let mut own = people(&format!("Only {number}"), 20);
        expected.extend(own.iter().cloned());
        own.extend(people("Shared", 40));
        network.put(number, &database(&own));
    }
    let mut nodes: Vec<_> = (1..=NODES).map(|number| network.tier1(number)).collect();
    for (number, node) in (1..).zip(&mut nodes) {
        for name in ["First", "Second"] {
            let name = format!("{name} of {number}");
            let shown = node.ask(&["3", &name, "tall, thin", "", "missing"]);
            let id = shown.iter().find_map(|line| new_id(line)).expect("saved");
            expected.insert(format!("{name}, \"tall, thin\", , missing, {id}"));
        }
    }
    nodes.iter_mut().for_each(|node| node.type_lines(&["9"]));
    for number in 1..=NODES {
        until("all rows are everywhere", || rows(&network, number) == expected);
    }

    let public: BTreeSet<_> = expected.iter().map(|row| fields(row, 4)).collect();
    let mut readers: Vec<_> = (1..=4).map(|number| network.tier2(number)).collect();
    readers.iter_mut().for_each(|reader| reader.type_lines(&["3"]));
    for (number, reader) in (1..).zip(&readers) {
        reader.wait_for(&format!("Your copy is new: {} people", public.len()));
        let path = network.folder.path().join(format!("tier2-{number}/T2DATABASE.txt"));
        let copy = fs::read_to_string(path).expect("there");
        let found = contents(copy.as_bytes());
        let seen: BTreeSet<_> = found.rows[0].iter().map(|row| fields(row.line(), 4)).collect();
        assert_eq!(seen, public);
        let id = |row: &String| fields(row, 5).pop().expect("an Id");
        assert!(expected.iter().all(|row| !copy.contains(&id(row))), "an Id is in the copy");
    }
    for node in nodes.into_iter().chain(readers) {
        assert!(node.quit().success());
    }
}

// --- kill -9 ---

/// A network in which nodes are killed at random, and what is known of it.
struct Trial {
    network: Network,
    random: StdRng,
    members: BTreeMap<usize, Member>,
    /// The rows that all nodes had at the beginning.
    initial: BTreeSet<String>,
    /// People ever entered anywhere, as their rows without the Id.
    entered: BTreeSet<String>,
    /// Rows that were said to be saved, by the number of the node that said it.
    acknowledged: BTreeMap<usize, BTreeSet<String>>,
}

/// A node, and the people entered at it since it was started, in their order.
struct Member {
    node: Node,
    entered: Vec<String>,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let network = Network::new("kill", NODES);
        // More than goes over the wire in one piece.
        let initial = people("Before", 800);
        (1..=NODES).for_each(|number| network.put(number, &database(&initial)));
        let start = |number| (number, Member { node: network.tier1(number), entered: Vec::new() });
        Self {
            members: (1..=NODES).map(start).collect(),
            random: StdRng::seed_from_u64(seed),
            initial: initial.into_iter().collect(),
            entered: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            network,
        }
    }

    /// All nodes broadcast, some add people before, and up to three of these are killed meanwhile.
    fn round(&mut self, round: usize) {
        let mut order: Vec<_> = (1..=NODES).collect();
        order.shuffle(&mut self.random);
        let victims = order[..self.random.random_range(1..=3)].to_vec();
        for number in order {
            let adds = if victims.contains(&number) { 4 } else { self.random.random_range(0..=1) };
            for nth in 0..adds {
                self.add(number, &format!("Person {nth} of node {number} in round {round}"));
            }
            self.member(number).node.type_lines(&["9"]);
        }
        // Waits for nothing: it makes every moment one at which a node may be killed.
        thread::sleep(Duration::from_micros(self.random.random_range(0..60_000)));
        for number in victims {
            self.kill_and_restart(number);
        }
    }

    fn member(&mut self, number: usize) -> &mut Member {
        self.members.get_mut(&number).expect("it runs")
    }

    fn add(&mut self, number: usize, name: &str) {
        let member = self.member(number);
        member.node.type_lines(&["3", name, "thin, scar", "", "missing"]);
        let row = format!("{name}, \"thin, scar\", , missing");
        member.entered.push(row.clone());
        self.entered.insert(row);
    }

    fn kill_and_restart(&mut self, number: usize) {
        let Member { node, entered } = self.members.remove(&number).expect("it runs");
        let shown = node.kill_and_read();
        let ids = shown.iter().filter_map(|line| new_id(line));
        let saved = entered.iter().zip(ids).map(|(person, id)| format!("{person}, {id}"));
        self.acknowledged.entry(number).or_default().extend(saved);
        self.check(number);
        let node = self.network.tier1(number);
        // What was saved is in the ledger; the text follows it.
        until("what was said to be saved is there", || {
            self.lost(number, &self.check(number)).is_empty()
        });
        self.members.insert(number, Member { node, entered: Vec::new() });
    }

    /// Checks a node's file, whatever happened to the node, and returns its rows: every row is one that was
    /// entered.
    fn check(&self, number: usize) -> BTreeSet<String> {
        let rows = rows(&self.network, number);
        for row in rows.difference(&self.initial) {
            let (person, id) = row.rsplit_once(", ").expect("an Id");
            assert!(self.entered.contains(person), "node {number}: nobody entered {row:?}");
            assert!((18..=19).contains(&id.len()), "node {number}: the Id is cut off: {row:?}");
        }
        assert!(rows.is_superset(&self.initial), "node {number} lost what it began with");
        rows
    }

    /// What a node said was saved, and is not among these rows.
    fn lost(&self, number: usize, rows: &BTreeSet<String>) -> Vec<String> {
        let saved = self.acknowledged.get(&number).cloned().unwrap_or_default();
        saved.difference(rows).cloned().collect()
    }

    /// All nodes broadcast once more, in peace: all hold the same, and nothing is lost.
    fn settle(mut self) {
        for member in self.members.values_mut() {
            member.node.ask(&["9"]);
        }
        until("all nodes hold the same", || {
            let mut all = (1..=NODES).map(|number| self.check(number));
            let first = all.next().expect("a node");
            all.all(|rows| rows == first)
        });
        let rows = self.check(1);
        let lost: Vec<_> =
            self.acknowledged.values().flatten().filter(|row| !rows.contains(*row)).collect();
        assert!(lost.is_empty(), "{lost:#?}");
        let persons: BTreeSet<_> = rows.iter().map(|row| row.rsplit_once(", ")).collect();
        assert_eq!(persons.len(), rows.len());
        let people: BTreeSet<_> = rows.iter().map(|row| fields(row, 4)).collect();
        assert_eq!(people.len(), rows.len(), "somebody has two Ids");
    }
}

#[test]
fn a_kill_at_any_moment_cuts_no_file_and_loses_nothing_that_was_acknowledged() {
    let rounds = if env::var_os("REUNITE_FULL").is_some() { 300 } else { 20 };
    let seed = setting("REUNITE_SEED").unwrap_or_else(rand::random);
    println!("to choose the same again: REUNITE_SEED={seed}");
    let mut trial = Trial::new(seed);
    for round in 0..rounds {
        trial.round(round);
    }
    assert!(trial.acknowledged.values().any(|rows| !rows.is_empty()), "nothing was ever saved");
    trial.settle();
}

// --- coming back ---

const ANA: &str = "Ana, tall, , missing, 14729384756392834";
const ANA_FOUND: &str = "Ana, tall, , found, 14729384756392834";

/// Two nodes that have Ana; node 2 is killed, and misses that node 1 has found her.
fn missed(name: &str) -> (Network, Node) {
    let network = Network::new(name, 2);
    (1..=2).for_each(|number| network.put(number, &database(&[ANA])));
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    two.kill();
    one.ask(&["4", "Ana", "", "", "", "found"]);
    one.wait_for_any("peer 2 (Mandalay General Hospital): does NOT have it: no answer.");
    (network, one)
}

fn until_it_is_known(network: &Network) {
    until("node 2 knows", || rows(network, 2).contains(ANA_FOUND));
}

#[test]
fn a_peer_that_comes_back_gets_what_it_missed_as_soon_as_it_is_heard_of() {
    let (network, one) = missed("heard");
    let mut two = network.tier1(2);
    two.ask(&["7", "1", "I am back", "quit"]);
    until_it_is_known(&network);
    one.wait_for_any("The database reached peer 2 (Mandalay General Hospital).");
}

#[test]
fn a_peer_that_comes_back_and_says_nothing_gets_what_it_missed_by_itself() {
    let (network, one) = missed("silent");
    let _two = network.tier1(2);
    until_it_is_known(&network);
    one.wait_for_any("The database reached peer 2 (Mandalay General Hospital).");
}

#[test]
fn a_peer_that_comes_back_and_broadcasts_its_old_copy_gets_what_it_missed() {
    let (network, _one) = missed("stale");
    let mut two = network.tier1(2);
    two.ask(&["9"]);
    two.wait_for_any("The database reached peer 1");
    until_it_is_known(&network);
}

#[test]
fn a_peer_whose_file_has_a_row_twice_gets_what_it_missed() {
    let network = Network::classic("doubled", 2);
    network.put(1, &database(&[ANA, "Bo, , , missing, 77"]));
    let (peer, mut one) = (Original::new(&network, 2), network.tier1(1));
    one.ask(&["9"]);
    one.wait_for_any("peer 2 (Mandalay General Hospital): does NOT have it: no answer.");
    peer.waiting();
    peer.deliver(&database(&[ANA, ANA]));
    assert!(peer.receive().1.contains("Bo, , , missing, 77"));
}

#[test]
fn a_peer_that_comes_back_gets_what_it_missed_from_a_node_that_was_restarted() {
    let (network, one) = missed("restarted");
    one.kill();
    let _one = network.tier1(1);
    let mut two = network.tier1(2);
    two.ask(&["7", "1", "I am back", "quit"]);
    until_it_is_known(&network);
}

#[test]
fn a_peer_that_comes_back_does_not_wait_because_another_one_is_still_away() {
    let network = Network::new("two-away", 3);
    let mut one = network.tier1(1);
    one.ask(&["3", "Nur", "", "", "missing"]);
    one.wait_for_any("The database reached 0 of 2 peers");
    // One of the two is tried again, in vain.
    until("a second try", || one.logged().matches("does not have the database yet").count() > 2);
    let mut three = network.tier1(3);
    three.ask(&["7", "1", "I am back", "quit"]);
    one.wait_for_any("Message from peer 3");
    until_within(Duration::from_secs(20), "node 3 has it", || !rows(&network, 3).is_empty());
}

#[test]
fn a_peer_that_is_killed_before_it_has_stored_what_came_is_not_said_to_have_it() {
    let network = Network::new("unstored", 2);
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    // Stopped in the middle, it can store nothing; its kernel goes on to hold the connections until it is killed.
    two.pause();
    one.ask(&["3", "Nur", "", "", "missing"]);
    two.kill();
    let said = one.wait_for_any("peer 2 (Mandalay General Hospital)");
    assert!(said.contains("does NOT have it"), "{said}");
    let _two = network.tier1(2);
    until("node 2 has it", || !rows(&network, 2).is_empty());
}
