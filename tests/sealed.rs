//! What the sealed dialect does that the classic one cannot: all sections travel, only what differs does, and
//! what broke off goes on where it stopped.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reunite::shell::words;
use std::fs;
use support::{HEAD, Network, Node, contents, database, until};

const ROWS: usize = 200_000;

fn people(count: usize) -> String {
    let row = |at| format!("Person {at}, tall and thin, Camp 4, missing, {}\n", 1_000_000 + at);
    format!("{HEAD}{}", (0..count).map(row).collect::<String>())
}

/// The rows of each section in a node's file, sorted.
fn rows(network: &Network, number: usize) -> [Vec<String>; 3] {
    let text = fs::read(network.database(number)).unwrap_or_default();
    let [people, vaccinations, camps, _] = contents(&text).rows;
    [people, vaccinations, camps].map(|rows| {
        let mut lines: Vec<_> = rows.iter().map(|row| row.line().to_owned()).collect();
        lines.sort();
        lines
    })
}

/// The numbers in the line that a node logs of what another has stored.
fn stored(line: &str) -> Vec<usize> {
    let (_, numbers) = line.split_once("Stored").expect("what was stored");
    let numbers = numbers.split(|letter: char| !letter.is_ascii_digit());
    numbers.filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn people_vaccinations_and_censuses_travel_and_two_nodes_end_equal() {
    let network = Network::new("sections", 2);
    let census = "Camp 4, 2024-06-30, UNHCR, 3, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1";
    let one = database(&["Ana, tall, , missing, 14729384756392834"])
        + "\nVaccinations:\nPerson Id, Vaccine, Brand, Lot, Date, Dose, Country, Centre\n\n\
           14729384756392834, Polio, bOPV, L7, 2/3/24, 2, Bangladesh, Ukhiya\n";
    let two = database(&["\"Bo, son of Ana\", , , found, 77"])
        + "\nCamps:\nCamp, Date, Source, Households, Individuals, F 0-4, F 5-11, F 12-17, F 18-59, \
           F 60+, M 0-4, M 5-11, M 12-17, M 18-59, M 60+\n\n"
        + census
        + "\n";
    network.put(1, &one);
    network.put(2, &two);
    let (mut first, mut second) = (network.tier1(1), network.tier1(2));
    first.ask(&["9"]);
    second.ask(&["9"]);
    until("both hold everything", || {
        rows(&network, 1) == rows(&network, 2)
            && rows(&network, 1).iter().all(|rows| !rows.is_empty())
    });
    assert_eq!(rows(&network, 1)[2], [census]);
    // What is recorded now travels by itself.
    let dose = ["5", "77", "OCV", "Euvichol", "L9", "3/3/25", "1", "Bangladesh", "Ukhiya"];
    first.ask(&dose);
    until("the vaccination is there", || rows(&network, 2)[1].len() == 2);
}

#[test]
fn only_changes_that_the_other_lacks_travel() {
    let network = Network::new("differ", 2);
    network.put(1, &people(5000));
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    one.ask(&["8", "2"]);
    two.wait_for("New here: 5000 changes.");
    one.ask(&["4", "1000007", "", "", "", "found"]);
    two.wait_for("New here: 1 change.");
    one.wait_for_times("The database reached peer 2", 2);
    // Each line: new, known, waiting, without room. They also meet by themselves, and node 2 may have fetched it.
    one.wait_for_log("peer 2: Stored");
    let logged = one.logged();
    for line in logged.lines().filter(|line| line.contains("peer 2: Stored")) {
        let known = [[5000, 0, 0, 0], [1, 0, 0, 0], [0; 4]];
        assert!(known.iter().any(|counts| stored(line) == counts), "{logged}");
    }
}

#[test]
fn the_same_file_taken_up_by_two_nodes_is_one_set_of_records() {
    let network = Network::new("same", 2);
    network.put(1, &people(500));
    network.put(2, &people(490));
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    one.ask(&["8", "2"]);
    two.wait_for("New here: 10 changes.");
    // If node 2 called first, it got what it lacks, and gave the others, which were taken up here too.
    let line = one.wait_for_log("peer 2: Stored");
    assert!(stored(&line) == [10, 490, 0, 0] || stored(&line) == [0; 4], "{line}");
    until("both hold the same", || rows(&network, 1) == rows(&network, 2));
    assert_eq!(rows(&network, 1)[0].len(), 500);
}

#[test]
fn a_database_whose_receiver_was_killed_goes_on_where_it_stopped() {
    // Should the receiver be done before it can be killed, that proved nothing: once more.
    for _ in 0..5 {
        let network = Network::new("resume", 2);
        network.put(1, &people(ROWS));
        let (mut one, two) = (network.tier1(1), network.tier1(2));
        one.type_lines(&["8", "2"]);
        let ledger = network.database(2).with_extension("ledger");
        let size = || fs::metadata(&ledger).map_or(0, |there| there.len());
        until("some blocks are stored", || size() > 1_000_000);
        two.kill();
        if one.logged().contains("peer 2: Stored") {
            continue;
        }
        let two = network.tier1(2);
        let before = two.wait_for_any("DATABASE2.txt:");
        let before = before.split(' ').nth(1).and_then(|count| count.parse().ok());
        let before: usize = before.expect("a number");
        assert!(before > 0, "nothing was kept of what came");
        // Either side may call first. That nothing travels twice is counted in `transfers`.
        one.wait_for("The database reached peer 2");
        until("all rows are there", || rows(&network, 2) == rows(&network, 1));
        return;
    }
    panic!("the receiver was never killed in time");
}

/// More rows than share a digest.
const BUCKET: usize = 1000;

/// The number in the line that a reader logs of what came of a copy.
fn rows_that_came(line: &str) -> usize {
    let (_, rest) = line.split_once("of the new copy ").expect("how many came");
    rest.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn a_copy_whose_node_was_killed_goes_on_where_it_stopped_also_on_a_device_that_was_restarted() {
    for _ in 0..5 {
        let network = Network::new("resume-copy", 1);
        network.put(1, &people(ROWS));
        let (one, mut reader) = (network.tier1(1), network.tier2(1));
        network.wait_written(1);
        let before = bytes_written(&one);
        reader.type_lines(&["3"]);
        reader.wait_for("Asking node");
        // The node stops in the middle: its kernel goes on to hold the connection until it is killed.
        until("it gives", || bytes_written(&one) > before + 1_000_000);
        one.pause();
        one.kill();
        reader.wait_for("Your ");
        let part = network.copy(1).with_file_name(".T2DATABASE.part");
        if !part.exists() {
            continue;
        }
        let rows_in = |file| contents(&fs::read(file).expect("there")).rows[0].len();
        assert_eq!(rows_in(network.copy(1)), 0, "the copy is never half of one");
        let came = rows_in(part.clone());
        reader.quit();
        let (_one, mut reader) = (network.tier1(1), network.tier2(1));
        assert!(reader.ask(&["3"]).contains(&words::refreshed(ROWS, 0)));
        let missing = rows_that_came(&reader.wait_for_log("of the new copy"));
        // The bucket in which it broke off comes once more.
        assert!((ROWS - came..ROWS - came + BUCKET).contains(&missing), "{missing}, after {came}");
        assert!(!part.exists());
        return;
    }
    panic!("the node was never killed in time");
}

/// Bytes that a node has given to the kernel.
fn bytes_written(node: &Node) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", node.pid())).unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    written.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

#[test]
fn a_second_refresh_brings_what_changed_and_drops_what_is_gone() {
    let network = Network::new("renew", 1);
    network.put(1, &people(3000));
    let (mut one, mut reader) = (network.tier1(1), network.tier2(1));
    assert!(reader.ask(&["3"]).contains(&words::refreshed(3000, 0)));
    one.ask(&["3", "Nur Begum", "", "Balukhali", "missing"]);
    one.ask(&["4", "1000005", "", "", "", "found"]);
    assert!(reader.ask(&["3"]).contains(&words::refreshed(3001, 3000)));
    until("both are logged", || reader.logged().matches("of the new copy").count() == 2);
    let logged = reader.logged();
    let last = logged.lines().rfind(|line| line.contains("of the new copy"));
    let came = rows_that_came(last.expect("a second refresh"));
    assert!((2..1500).contains(&came), "a few buckets come, not the whole copy: {came} rows");
    let copy = fs::read_to_string(network.copy(1)).expect("there");
    assert!(copy.contains("Person 5, tall and thin, Camp 4, found\n"));
    assert!(!copy.contains("Person 5, tall and thin, Camp 4, missing\n"));
}

#[test]
fn a_node_that_was_started_anew_is_reached_at_once_and_reaches_others() {
    let network = Network::new("anew", 2);
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    one.message(2, "first");
    two.wait_for("first");
    one.wait_for_any("Your message reached peer 2");
    two.kill();
    let mut two = network.tier1(2);
    one.message(2, "second");
    two.wait_for("second");
    two.message(1, "third");
    one.wait_for("third");
}

#[test]
fn a_message_counts_only_when_it_is_on_the_screen_of_the_other() {
    let network = Network::new("unheard", 2);
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    one.type_lines(&["7", "2", "are you there?"]);
    two.wait_for("are you there?");
    two.pause();
    one.type_lines(&["nobody hears this"]);
    one.type_lines(&["quit", "n"]);
    one.wait_for("does NOT have it");
    // The first line may have been on the screen before its confirmation left.
    one.wait_for("nobody hears this");
    two.resume();
}
