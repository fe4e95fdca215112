//! A network that grows by its own procedure until it is not small any more, and halves of one that only one laptop
//! connects, now with the one, now with the other.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/links.rs"]
mod links;
mod support;

use links::Links;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use support::{Folder, Network, Node, free_ports, reunite, until};

const NODES: usize = 12;

/// A network of which nobody has typed an address but that of the own node, and that of the member that lets it in.
struct Growing {
    folder: Folder,
    addresses: Vec<SocketAddr>,
}

impl Growing {
    fn new() -> Self {
        let [a, b, c]: [u8; 3] = rand::random();
        let ip = IpAddr::from([127, a.clamp(1, 254), b, c.clamp(2, 254)]);
        Self { folder: Folder::new("twelve"), addresses: free_ports(ip, NODES) }
    }

    fn data(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("node{number}"))
    }

    /// Runs a command of the newcomer `number`.
    fn run(&self, number: usize, arguments: &[&str], input: &str) -> String {
        let mut command = reunite();
        command.args(arguments).arg("--organisation").arg(format!("Clinic {number}"));
        command.arg("--address").arg(self.addresses[number - 1].to_string());
        command.arg("--data").arg(self.data(number));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("text");
        assert!(output.status.success(), "{text}");
        text
    }

    fn start(&self, number: usize) -> Node {
        let (data, n) = (self.data(number), number.to_string());
        let mut command = reunite();
        command.args(["tier1", "--number", &n, "--no-beacon"]);
        command.arg("--peers").arg(data.join("peers.json")).arg("--data").arg(&data);
        let node = Node::start(command, format!("node {number}"));
        node.wait_for("Number (Enter");
        node
    }

    /// How many members a node knows that have agreed with their admission.
    fn members(&self, number: usize) -> usize {
        let mut command = reunite();
        command.arg("members").arg(self.data(number)).arg("--json");
        let told = String::from_utf8(command.output().expect("it runs").stdout).expect("text");
        told.matches("\"has_consented\": true").count()
    }

    /// A member lets the newcomer `number` in.
    fn let_in(&self, member: &mut Node, number: usize) -> Node {
        member.type_lines(&["17", "1"]);
        let last = |line: String| line.split_whitespace().last().expect("a word").to_owned();
        let (code, door) =
            (last(member.wait_for("    code ")), last(member.wait_for("    address ")));
        let told = std::thread::scope(|scope| {
            let call = ["join", "code", "--member", &door];
            let joining = scope.spawn(move || self.run(number, &call, &format!("{code}\n")));
            member.wait_for("Type YES");
            member.type_lines(&["YES"]);
            joining.join().expect("no panic")
        });
        assert!(told.contains(&format!("This is node {number} of")), "{told}");
        member.wait_for(&format!("Node {number} has joined"));
        self.start(number)
    }

    fn has(&self, number: usize, name: &str) -> bool {
        let path = self.data(number).join(format!("DATABASE{number}.txt"));
        fs::read_to_string(path).is_ok_and(|text| text.contains(name))
    }
}

#[test]
fn twelve_nodes_join_one_after_the_other_each_by_the_one_before_and_all_know_all() {
    let growing = Growing::new();
    growing.run(1, &["setup", "--begin", "aid"], "");
    let mut nodes = vec![growing.start(1)];
    nodes[0].ask(&["3", "Ana", "tall", "", "missing"]);
    for number in 2..=NODES {
        // Who lets somebody in has to know first that it belongs to the network itself.
        until("the newest member is one", || growing.members(number - 1) == number - 1);
        let newest = nodes.last_mut().expect("one at least");
        let node = growing.let_in(newest, number);
        nodes.push(node);
    }
    for number in 1..=NODES {
        until("it knows all members", || growing.members(number) == NODES);
        until("the first person is there", || growing.has(number, "Ana"));
    }
    // The last one speaks with all, though nobody has told it of any but the one before it.
    nodes[NODES - 1].ask(&["3", "Cyrillianne", "", "", "found"]);
    nodes[NODES - 1].wait_for(&format!("reached {0} of {0} peers", NODES - 1));
    for number in 1..=NODES {
        until("the last person is there", || growing.has(number, "Cyrillianne"));
    }
    assert!(nodes.into_iter().all(|node| node.quit().success()));
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
