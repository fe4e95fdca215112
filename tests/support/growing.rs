//! A network that grows by its own procedure, as people do it: by `reunite setup`, `reunite join` and menu 17.

#![allow(dead_code, missing_docs, reason = "each test uses its part of this")]

use crate::support::bridge::{self, Bridge};
use crate::support::{Folder, Node, free_ports, no_bridge, reunite};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A network that is being grown, on a loopback address of its own or on a bridge.
pub struct Growing {
    folder: Folder,
    bridge: Option<Bridge>,
    /// Whether its nodes may be found on the local network.
    pub is_lit: bool,
    pub addresses: Vec<SocketAddr>,
}

impl Growing {
    pub fn new(name: &str, nodes: usize) -> Self {
        let [a, b, c]: [u8; 3] = rand::random();
        let ip = IpAddr::from([127, a.clamp(1, 254), b, c.clamp(2, 254)]);
        let (folder, addresses) = (Folder::new(name), free_ports(ip, nodes));
        Self { folder, bridge: None, is_lit: false, addresses }
    }

    /// One whose nodes may be found, each in a network namespace of its own on a bridge where they can be made.
    pub fn on_a_bridge(name: &str, nodes: usize) -> Self {
        let mut growing = Self { is_lit: true, ..Self::new(name, nodes) };
        match Bridge::new(nodes) {
            Ok(bridge) => {
                growing.addresses =
                    (1..=nodes).map(|number| bridge::address(number).into()).collect();
                println!("each node is in a network namespace of its own, on a bridge");
                growing.bridge = Some(bridge);
            }
            Err(why) => no_bridge(&why),
        }
        growing
    }

    /// The program where a node is.
    fn program(&self, number: usize) -> Command {
        match &self.bridge {
            Some(bridge) => bridge.command(number, &reunite()),
            None => reunite(),
        }
    }

    pub fn data(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("node{number}"))
    }

    pub fn database(&self, number: usize) -> PathBuf {
        self.data(number).join(format!("DATABASE{number}.txt"))
    }

    pub fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("text").to_owned()
    }

    /// What a newcomer says of itself.
    pub fn about(&self, number: usize) -> Vec<String> {
        let (address, data) = (self.addresses[number - 1].to_string(), self.data(number));
        let data = data.to_str().expect("text").to_owned();
        let name = format!("Clinic {number}");
        ["--organisation", &name, "--address", &address, "--data", &data].map(str::to_owned).into()
    }

    pub fn begin(&self) -> Node {
        let arguments = [&["setup".into(), "--begin".into(), "aid".into()][..], &self.about(1)];
        let (code, text) = run(&arguments.concat(), "");
        assert!(code == Some(0) && text.contains("begins with this node"), "{text}");
        self.start(1)
    }

    pub fn start(&self, number: usize) -> Node {
        let mut command = self.program(number);
        command.args(["tier1", "--data"]).arg(self.data(number));
        command.args(Some("--no-beacon").filter(|_| !self.is_lit));
        let node = Node::start(command, format!("node {number}"));
        node.wait_for("Number (Enter");
        node
    }

    /// A member lets the newcomer `number` in, by a code. Who may be found is looked for by that alone; the address is
    /// typed only if doors of other tests have the same number.
    pub fn let_in(&self, member: &mut Node, number: usize) {
        let (code, address) = open_door(member);
        let typed = match self.is_lit {
            true => Vec::new(),
            false => vec!["--member".into(), address.clone()],
        };
        let call = [&["join".into(), "code".into()][..], &typed, &self.about(number)].concat();
        let input = match self.bridge {
            Some(_) => format!("{code}\n"),
            None => format!("{code}\n{address}\n"),
        };
        let (done, told) = std::thread::scope(|scope| {
            let joining = scope.spawn(|| run_as(self.program(number), &call, &input));
            let asked = member.wait_for("organisation");
            assert!(asked.contains(&format!("Clinic {number}")), "{asked}");
            member.wait_for("Type YES");
            member.type_lines(&["YES"]);
            joining.join().expect("no panic")
        });
        assert_eq!(done, Some(0), "{told}");
        assert!(told.contains(&format!("This is node {number} of the network \"aid\"")), "{told}");
        member.wait_for(&format!("Node {number} has joined"));
    }

    /// The members that a node sees answer, and where; itself among them.
    pub fn reached(&self, number: usize) -> BTreeMap<u64, String> {
        let text = fs::read_to_string(self.data(number).join("status.json")).unwrap_or_default();
        let status: Value = serde_json::from_str(&text).unwrap_or_default();
        let own = (number as u64, self.addresses[number - 1].to_string());
        let peers = status["peers"].as_array().into_iter().flatten();
        let up = peers.filter(|peer| peer["state"] == "up");
        let places = up.filter_map(|peer| {
            Some((peer["number"].as_u64()?, peer["address"].as_str()?.to_owned()))
        });
        places.chain([own]).collect()
    }

    /// How many members a node knows that have agreed with their admission.
    pub fn members(&self, number: usize) -> usize {
        let folder = self.file(&format!("node{number}"));
        let (_, told) = run(&["members".into(), folder, "--json".into()], "");
        told.matches("\"has_consented\": true").count()
    }
}

/// Runs the program with this input; returns its exit status and all that it said.
pub fn run(arguments: &[String], input: &str) -> (Option<i32>, String) {
    run_as(reunite(), arguments, input)
}

fn run_as(mut command: Command, arguments: &[String], input: &str) -> (Option<i32>, String) {
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

/// Opens the door in the menu of a node; returns the code and the address that it shows.
pub fn open_door(member: &mut Node) -> (String, String) {
    member.type_lines(&["17", "1"]);
    let last = |line: String| line.split_whitespace().last().expect("a word").to_owned();
    (last(member.wait_for("    code ")), last(member.wait_for("    address ")))
}
