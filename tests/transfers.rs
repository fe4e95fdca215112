//! What passes between two nodes when they are brought into step, counted by somebody in between: a meeting that
//! breaks off is gone on with and not begun anew, and some changes in a large database cost what they are, not what
//! the database is. All bounds are of bytes, none of time.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/links.rs"]
mod links;
mod support;

use links::relay::{Counted, Relay};
use reunite::model::ledger::stored::Stored;
use reunite::model::limits::{MAX_BLOCK, ROWS_PIECE};
use reunite::store::disk::RealDisk;
use reunite::store::ledger_walk::walk;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use support::{Network, Node, database, reunite, until};

/// What a session costs besides blocks: the TLS handshake with raw keys, the heads of a few logs both ways, and
/// what is said around the blocks.
const SESSION: u64 = 4 * 1024;
/// Records from which on it is a large database, in this suite.
const LARGE: usize = 50_000;
/// Records that are given while links break: many more than a break may cost.
const MANY: usize = 40_000;

fn id(at: usize) -> String {
    (100_000_000_000_000_000 + at as u64 * 7_919).to_string()
}

fn rows(count: usize) -> String {
    let row = |at| {
        let (name, id) = (format!("Nur Begum {at}"), id(at));
        format!("{name}, \"thin, scar on left hand\", Balukhali market 12/8/24, missing, {id}")
    };
    database(&(0..count).map(row).collect::<Vec<_>>())
}

/// A network of which node 1 reaches each other one through a relay, and nobody reaches node 1.
struct Star {
    network: Network,
    relays: Vec<Relay>,
    _nowhere: Vec<Relay>,
}

impl Star {
    fn new(name: &str, nodes: usize, records: usize) -> Self {
        let network = Network::new(name, nodes);
        network.put(1, &rows(records));
        let relays: Vec<_> = network.addresses[1..].iter().map(|to| Relay::new(*to)).collect();
        links::write_peers(&network, 1, |to| {
            to.checked_sub(2).and_then(|at| relays.get(at)).map(|relay| relay.address)
        });
        let nowhere: Vec<_> = network.addresses.iter().map(|to| Relay::new(*to)).collect();
        nowhere.iter().for_each(|relay| relay.stall(true));
        for from in 2..=nodes {
            links::write_peers(&network, from, |to| (to != from).then(|| nowhere[to - 1].address));
        }
        Self { network, relays, _nowhere: nowhere }
    }

    fn tier1(&self, number: usize) -> Node {
        let mut command = reunite();
        command.arg("tier1").arg("--peers").arg(links::peers(&self.network, number));
        command
            .arg("--number")
            .arg(number.to_string())
            .arg("--data")
            .arg(self.network.data(number));
        let node = Node::start(command, format!("node {number}"));
        node.wait_for("Number (Enter");
        node
    }

    /// The relay to a node.
    fn relay(&self, number: usize) -> &Relay {
        &self.relays[number - 2]
    }

    fn blocks(&self, number: usize) -> (usize, u64) {
        blocks_of(&self.network.database(number).with_extension("ledger"))
    }

    fn until_same(&self, number: usize) {
        until(&format!("node {number} has it all"), || {
            self.network.people(1) == self.network.people(number)
        });
    }
}

/// How many blocks stand in a ledger's file, and their bytes.
fn blocks_of(ledger: &Path) -> (usize, u64) {
    let (mut count, mut bytes) = (0, 0);
    let walked = walk(&RealDisk, ledger, |_, entry| {
        if let Some(block) = Stored::block_of(entry) {
            (count, bytes) = (count + 1, bytes + block.len() as u64);
        }
        Ok(())
    });
    walked.expect("it can be read");
    (count, bytes)
}

#[test]
fn a_meeting_that_breaks_off_is_gone_on_with_and_nothing_travels_twice() {
    let star = Star::new("broken-off", 4, MANY);
    // Nobody reaches node 4 before its turn.
    (2..=4).for_each(|number| star.relay(number).close_after(0));
    let mut one = star.tier1(1);
    let (two, three) = (star.tier1(2), star.tier1(3));
    // What it costs without a break, at node 3.
    star.relay(3).close_none();
    star.relay(3).take_counted();
    one.type_lines(&["8", "3"]);
    one.wait_for("The database reached peer 3");
    star.until_same(3);
    let whole = star.relay(3).take_counted().bytes();
    let (_, own) = star.blocks(1);
    assert!(whole > own / 2, "{whole} bytes for {own} bytes of blocks: squeezed?");
    // The same with breaks, at node 2: each time some more has come.
    star.relay(2).take_counted();
    let (mut cuts, mut before, mut passed) = (0, 0, 0);
    for part in [4, 3, 5] {
        star.relay(2).close_after(whole / part);
        passed += whole / part;
        let sessions = one.logged().matches("peer 2 does not have the database yet").count();
        one.type_lines(&["8", "2"]);
        until("it broke off", || {
            one.logged().matches("peer 2 does not have the database yet").count() > sessions
        });
        cuts += 1;
        // A busy machine has not put all on the disk by then that came: the next meeting would ask for it again.
        until("what came is there", || {
            let there = star.network.people(2).len();
            there > before && there == taken_by(&two)
        });
        before = star.network.people(2).len();
    }
    assert!(before < MANY, "all of it came before the end");
    star.relay(2).close_none();
    one.type_lines(&["8", "2"]);
    star.until_same(2);
    let counted = star.relay(2).take_counted();
    let all = counted.bytes();
    // What is lost by a break is the piece that is on its way, and a session. Some break off that were begun by a node.
    let lost = SESSION + (ROWS_PIECE + MAX_BLOCK) as u64;
    let most = whole + counted.sessions.max(cuts) * lost;
    println!("{own} bytes of blocks; {whole} bytes at once; {counted:?} with {cuts} breaks");
    let least = whole + cuts * lost;
    assert!(least < whole + passed * 3 / 4, "to begin anew at each break would cost hardly more");
    assert!(all < most, "{all} bytes with {cuts} breaks, {whole} without; {counted:?}");
    assert_eq!(star.blocks(1).0, star.blocks(2).0);

    // One that comes late, over a slow link: it catches up, and both see how far it is.
    star.relay(4).slow_down(200_000);
    star.relay(4).close_none();
    let four = star.tier1(4);
    one.type_lines(&["8", "4"]);
    four.wait_for("peer 1 (Yangon General Hospital) sends: ");
    star.relay(4).slow_down(0);
    star.until_same(4);
    for node in [one, two, three, four] {
        assert!(node.quit().success());
    }
}

/// How many changes a node has said that it took in, of all meetings.
fn taken_by(node: &Node) -> usize {
    let of_meeting = |line: &str| -> Option<usize> {
        line.split_once("New here: ")?.1.split(' ').next()?.parse().ok()
    };
    node.shown().lines().filter_map(of_meeting).sum()
}

#[test]
fn who_asks_for_what_is_under_way_already_is_told_when_it_has_arrived() {
    let star = Star::new("under-way", 2, MANY);
    star.relay(2).slow_down(200_000);
    let (mut one, two) = (star.tier1(1), star.tier1(2));
    // Node 1 brings it by itself, after its start.
    two.wait_for("peer 1 (Yangon General Hospital) sends: ");
    one.type_lines(&["8", "2"]);
    one.wait_for("an earlier sending to it still goes on");
    star.relay(2).slow_down(0);
    one.wait_for("The database reached peer 2");
    star.until_same(2);
    assert!(one.quit().success() && two.quit().success());
}

#[test]
fn a_hundred_changes_in_a_large_database_cost_what_they_are() {
    let star = Star::new("changes", 2, LARGE);
    let (mut one, two) = (star.tier1(1), star.tier1(2));
    one.type_lines(&["9"]);
    star.until_same(2);
    one.wait_for("The database reached peer 2");
    // Nothing passes while people write.
    star.relay(2).close_after(0);
    let (count, bytes) = star.blocks(1);
    for at in 0..100 {
        one.type_lines(&["4", &id(at * LARGE / 100), "", "", "", "found"]);
    }
    one.wait_for_times("Saved. The person is up to date.", 100);
    let (after, own) = star.blocks(1);
    assert_eq!(after - count, 100, "a block for each change");
    let own = own - bytes;
    until("nobody is calling", || {
        let quiet = star.relay(2).take_counted().sessions == 0;
        std::thread::sleep(Duration::from_millis(300));
        quiet
    });
    star.relay(2).close_none();
    let reached = one.count("The database reached peer 2");
    let mut asked = Instant::now();
    one.type_lines(&["8", "2"]);
    until("node 2 has it", || {
        // Its doors for calls that broke off are open for some seconds; then there is place for this one.
        if asked.elapsed() > Duration::from_secs(1) {
            asked = Instant::now();
            one.type_lines(&["8", "2"]);
        }
        one.count("The database reached peer 2") > reached
    });
    let counted: Counted = star.relay(2).take_counted();
    star.until_same(2);
    let found = star.network.people(2).iter().filter(|row| row.contains(", found, ")).count();
    assert_eq!(found, 100);
    println!("100 changes are {own} bytes; {counted:?}");
    let most = own * 3 / 2 + SESSION;
    assert!(counted.bytes() < most, "{} bytes passed for {own}", counted.bytes());
    // Handshake: three turns. Binding and heads, heads, blocks, stored, letters: each side speaks when it has heard.
    assert!(counted.sessions > 1 || counted.turns_to_the_end() <= MOST_TURNS, "{counted:?}");
    let size = fs::metadata(star.network.database(1)).expect("there").len();
    assert!(size > 50 * most, "the database is not large: {size} bytes");
    assert!(one.quit().success() && two.quit().success());
}

/// Times that the other side began to speak in the session of a hundred changes.
const MOST_TURNS: u64 = 11;
