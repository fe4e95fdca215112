//! A memory card that is put back as it was some time ago, and one that is copied and runs twice. The first is no
//! fault of anybody: the node finds out from its peers, goes on in a new log, and nothing is lost. The second makes
//! two histories: that is proved, everybody learns it, and nothing is lost when people have decided.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/links.rs"]
mod links;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use support::{Network, Node, new_id, reunite, until};

/// What is shown of somebody who wrote two histories.
const FORKED: &str = "signed two different blocks";

fn add(node: &mut Node, name: &str) -> String {
    let shown = node.ask(&["3", name, "thin", "", "missing"]);
    shown.iter().find_map(|line| new_id(line)).unwrap_or_else(|| panic!("{name}: {shown:#?}"))
}

/// The names in the text file of a folder.
fn names_in(text: &Path) -> BTreeSet<String> {
    let rows = support::people_of(&fs::read_to_string(text).unwrap_or_default());
    rows.iter().filter_map(|row| row.split_once(", ")).map(|(name, _)| name.to_owned()).collect()
}

fn names(network: &Network, number: usize) -> BTreeSet<String> {
    names_in(&network.database(number))
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn until_all_have(network: &Network, numbers: &[usize], expected: &[&str]) {
    let expected = set(expected);
    until(&format!("{numbers:?} have {expected:?}"), || {
        numbers.iter().all(|number| names(network, *number) == expected)
    });
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("there") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
    }
}

/// The card as it was when it was copied: whatever came to it since is gone.
fn put_back(network: &Network, number: usize, image: &Path) {
    fs::remove_dir_all(network.data(number)).expect("removed");
    copy_folder(image, &network.data(number));
}

fn image(network: &Network, number: usize) -> PathBuf {
    let image = network.folder.path().join("image");
    copy_folder(&network.data(number), &image);
    image
}

/// The line of menu 15 about this node's own logs.
fn own_logs(node: &mut Node) -> String {
    let shown = node.ask(&["15"]);
    let line = shown.iter().find(|line| line.contains("this node: "));
    line.unwrap_or_else(|| panic!("{shown:#?}")).clone()
}

fn nobody_forked(nodes: &mut [&mut Node]) {
    for node in nodes {
        let shown = decide(node, "");
        assert!(!shown.contains(FORKED) && !shown.contains("WARNING"), "{shown}");
    }
}

/// Nodes 1 to 3, of which node 1 wrote "One"; the card of node 1 as it was then; and after that "Two", which came to
/// those nodes that are to hear of it. Node 1 does not run.
fn written_on(name: &str, hear: &[usize]) -> (Network, PathBuf) {
    let network = Network::new(name, 3);
    let mut one = network.tier1(1);
    let others: Vec<_> = [2, 3].map(|number| network.tier1(number)).into();
    add(&mut one, "One");
    until_all_have(&network, &[1, 2, 3], &["One"]);
    assert!(one.quit().success());
    let image = image(&network, 1);
    others.into_iter().for_each(|node| assert!(node.quit().success()));
    let mut one = network.tier1(1);
    let others: Vec<_> = hear.iter().map(|number| network.tier1(*number)).collect();
    // It goes on in its log, which everybody who can be reached confirms.
    one.ask(&["9"]);
    one.wait_for("The database reached");
    add(&mut one, "Two");
    add(&mut one, "Three");
    until_all_have(&network, hear, &["One", "Two", "Three"]);
    others.into_iter().for_each(|node| assert!(node.quit().success()));
    assert!(one.quit().success());
    (network, image)
}

#[test]
fn a_card_that_was_put_back_is_found_out_by_the_peers_and_loses_nothing() {
    let (network, image) = written_on("put-back", &[2, 3]);
    put_back(&network, 1, &image);
    assert_eq!(names(&network, 1), set(&["One"]));
    let (mut two, mut three) = (network.tier1(2), network.tier1(3));
    let mut one = network.tier1(1);
    one.ask(&["9"]);
    until_all_have(&network, &[1], &["One", "Two", "Three"]);
    add(&mut one, "Four");
    until_all_have(&network, &[1, 2, 3], &["One", "Two", "Three", "Four"]);
    nobody_forked(&mut [&mut one, &mut two, &mut three]);
}

#[test]
fn a_card_that_was_put_back_and_written_on_alone_loses_nothing_either() {
    let (network, image) = written_on("alone", &[2, 3]);
    put_back(&network, 1, &image);
    let mut one = network.tier1(1);
    add(&mut one, "Alone");
    one.kill();
    let mut one = network.tier1(1);
    add(&mut one, "Alone again");
    let (mut two, mut three) = (network.tier1(2), network.tier1(3));
    one.ask(&["9"]);
    let all = ["One", "Two", "Three", "Alone", "Alone again"];
    until_all_have(&network, &[1, 2, 3], &all);
    add(&mut one, "Later");
    until_all_have(&network, &[1, 2, 3], &[&all[..], &["Later"]].concat());
    nobody_forked(&mut [&mut one, &mut two, &mut three]);
}

#[test]
fn a_peer_that_was_away_too_does_not_make_a_card_that_was_put_back_fork() {
    // Node 3 knows no more of node 1 than the old card does.
    let (network, image) = written_on("away", &[2]);
    put_back(&network, 1, &image);
    let (mut one, mut three) = (network.tier1(1), network.tier1(3));
    one.broadcast_until("The database reached 1 of 2 peers: 3.");
    add(&mut one, "Four");
    until_all_have(&network, &[1, 3], &["One", "Four"]);
    let own = own_logs(&mut one);
    assert!(own.contains("in 2 logs"), "{own}");
    let mut two = network.tier1(2);
    one.ask(&["9"]);
    two.ask(&["9"]);
    until_all_have(&network, &[1, 2], &["One", "Two", "Three", "Four"]);
    three.ask(&["9"]);
    until_all_have(&network, &[1, 2, 3], &["One", "Two", "Three", "Four"]);
    nobody_forked(&mut [&mut one, &mut two, &mut three]);
}

#[test]
fn a_node_that_all_its_peers_confirm_goes_on_in_its_log() {
    let network = Network::new("goes-on", 3);
    let mut one = network.tier1(1);
    let others = [2, 3].map(|number| network.tier1(number));
    add(&mut one, "One");
    until_all_have(&network, &[1, 2, 3], &["One"]);
    assert!(one.quit().success());
    let mut one = network.tier1(1);
    one.broadcast_until("The database reached 2 of 2 peers");
    add(&mut one, "Two");
    until_all_have(&network, &[1, 2, 3], &["One", "Two"]);
    let own = own_logs(&mut one);
    assert!(own.contains("in 1 log"), "{own}");
    drop(others);
}

// --- one card in two devices ---

/// Node 3 twice, at two addresses, from one card. It wrote "Before"; then the one wrote "Left", the other "Right".
struct Twins {
    network: Network,
    one: Node,
    two: Node,
    left: Node,
    right: Node,
    right_text: PathBuf,
}

impl Twins {
    fn new(name: &str) -> Self {
        let network = Network::new(name, 3);
        let (mut one, mut two, mut left) = (network.tier1(1), network.tier1(2), network.tier1(3));
        add(&mut left, "Before");
        until_all_have(&network, &[1, 2, 3], &["Before"]);
        assert!(left.quit().success());
        let copied = network.folder.path().join("copied");
        copy_folder(&network.data(3), &copied);
        let mut left = network.tier1(3);
        let mut right = device(&network, &copied);
        // Both are told that their log ends where they think.
        for node in [&mut left, &mut right] {
            node.broadcast_until("The database reached 2 of 2 peers");
        }
        add(&mut left, "Left");
        until_all_have(&network, &[1, 2, 3], &["Before", "Left"]);
        add(&mut right, "Right");
        for node in [&mut one, &mut two, &mut left, &mut right] {
            node.ask(&["9"]);
        }
        let right_text = copied.join("DATABASE3.txt");
        Self { network, one, two, left, right, right_text }
    }

    fn all(&mut self) -> [&mut Node; 4] {
        [&mut self.one, &mut self.two, &mut self.left, &mut self.right]
    }

    fn until_all_know(&mut self) {
        for node in self.all() {
            until("the fork is known", || {
                node.ask(&["9"]);
                decide(node, "").contains(FORKED)
            });
        }
    }

    fn until_all_hold(&mut self, expected: &[&str]) {
        let expected = set(expected);
        for _ in 0..200 {
            let texts = [1, 2, 3].map(|number| self.network.database(number));
            let right = names_in(&self.right_text) == expected;
            if right && texts.iter().all(|text| names_in(text) == expected) {
                return;
            }
            for node in self.all() {
                node.ask(&["9"]);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let found = [1, 2, 3].map(|number| names(&self.network, number));
        panic!("{found:?}, {:?}, not {expected:?}", names_in(&self.right_text));
    }
}

/// The other device with the number 3: it believes itself to be somewhere else.
fn device(network: &Network, data: &Path) -> Node {
    let free = Network::new("address", 1).addresses[0];
    links::write_peers(network, 3, |number| (number == 3).then_some(free));
    let mut command = reunite();
    command.arg("tier1").arg("--peers").arg(links::peers(network, 3));
    command.arg("--number").arg("3").arg("--data").arg(data);
    let node = Node::start(command, "the other node 3".into());
    node.wait_for("Number (Enter");
    node
}

/// What menu 15 shows, and, if it asks what is to become of the fork, what it shows at this answer.
fn decide(node: &mut Node, answer: &str) -> String {
    node.type_lines(&["15"]);
    if node.wait_for_either("Which (Enter: decide later)", "Number (Enter") {
        node.type_lines(&[answer]);
        node.wait_for("Number (Enter");
    }
    let shown = node.shown();
    shown[shown.rfind("Nodes that have the same").expect("menu 15")..].to_owned()
}

#[test]
fn two_devices_with_one_card_are_found_out_by_everybody_and_nothing_is_lost_when_people_decide() {
    let mut twins = Twins::new("twins");
    twins.until_all_know();
    for node in [&mut twins.one, &mut twins.two] {
        let shown = decide(node, "");
        assert!(shown.contains("peer 3 (Cox's Bazar NW 1) signed two different blocks"), "{shown}");
    }
    let own = "peer 3 (Cox's Bazar NW 1), which is this node, signed two different histories";
    twins.left.wait_for_any(own);
    twins.right.wait_for_any(own);
    twins.one.wait_for_any("peer 3 (Cox's Bazar NW 1) signed two different histories");
    twins.two.wait_for_any("peer 3 (Cox's Bazar NW 1) signed two different histories");
    // What it writes after that does not count at the others, and it is told so.
    add(&mut twins.left, "After");
    twins.left.wait_for_any("But it does NOT count yet");
    twins.left.ask(&["9"]);
    twins.one.wait_for_any(" by somebody who wrote two histories or was shut out, and wait");
    for node in [&mut twins.one, &mut twins.two] {
        let shown = node.ask(&["2", "After"]).join("\n");
        assert!(shown.contains("Nothing matches."), "{shown}");
    }
    // It cannot say itself that it may go on, nor that what it wrote is right.
    for answer in ["1", "2"] {
        let shown = decide(&mut twins.left, answer);
        assert!(shown.contains("Another organisation has to say that it may go on."), "{shown}");
        assert!(!shown.contains("Taken over"), "{shown}");
    }
    // "Left", and "After" if that has come already.
    let shown = decide(&mut twins.one, "2");
    assert!(shown.contains("Taken over in this node's name: "), "{shown}");
    assert!(!shown.contains("in this node's name: 0"), "{shown}");
    let shown = decide(&mut twins.two, "1");
    assert!(shown.contains("It may go on"), "{shown}");
    until("the other device knows that it may go on", || {
        twins.right.ask(&["9"]);
        decide(&mut twins.right, "").contains("people have looked into it")
    });
    let shown = decide(&mut twins.right, "2");
    assert!(shown.contains("Taken over in this node's name: 1 change."), "{shown}");
    twins.until_all_hold(&["Before", "Left", "Right", "After"]);
    add(&mut twins.left, "Left later");
    add(&mut twins.right, "Right later");
    twins.until_all_hold(&["Before", "Left", "Right", "After", "Left later", "Right later"]);
    let shown = decide(&mut twins.one, "");
    assert!(shown.contains("people have looked into it"), "{shown}");
}

#[test]
fn what_waits_can_be_taken_over_also_when_somebody_said_before_that_the_node_may_go_on() {
    let mut twins = Twins::new("released");
    twins.until_all_know();
    decide(&mut twins.two, "1");
    for node in twins.all() {
        until("it is known that it may go on", || {
            node.ask(&["9"]);
            decide(node, "").contains("people have looked into it")
        });
    }
    for node in [&mut twins.one, &mut twins.right] {
        let shown = decide(node, "2");
        assert!(shown.contains("Taken over in this node's name: 1 change."), "{shown}");
    }
    twins.until_all_hold(&["Before", "Left", "Right"]);
}

#[test]
fn a_fork_stays_known_after_a_restart_and_the_decision_too() {
    let mut twins = Twins::new("remembered");
    twins.until_all_know();
    twins.one.kill();
    twins.one = twins.network.tier1(1);
    let shown = decide(&mut twins.one, "1");
    assert!(shown.contains(FORKED) && shown.contains("It may go on"), "{shown}");
    twins.one.kill();
    twins.one = twins.network.tier1(1);
    let shown = decide(&mut twins.one, "");
    assert!(shown.contains("people have looked into it"), "{shown}");
    assert_eq!(names(&twins.network, 1), set(&["Before"]));
}
