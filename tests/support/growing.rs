//! A network that grows by its own procedure, as people do it: by `reunite setup`, `reunite join` and menu 17.

#![allow(dead_code, missing_docs, reason = "each test uses its part of this")]

use crate::support::{Folder, Node, free_ports, reunite};
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;

/// A network that is being grown, on a loopback address of its own.
pub struct Growing {
    folder: Folder,
    /// Whether its nodes may be found on the local network.
    pub is_lit: bool,
    pub addresses: Vec<SocketAddr>,
}

impl Growing {
    pub fn new(name: &str, nodes: usize) -> Self {
        let [a, b, c]: [u8; 3] = rand::random();
        let ip = IpAddr::from([127, a.clamp(1, 254), b, c.clamp(2, 254)]);
        Self { folder: Folder::new(name), is_lit: false, addresses: free_ports(ip, nodes) }
    }

    pub fn data(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("node{number}"))
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
        let mut command = reunite();
        command.args(["tier1", "--data"]).arg(self.data(number));
        command.args(Some("--no-beacon").filter(|_| !self.is_lit));
        let node = Node::start(command, format!("node {number}"));
        node.wait_for("Number (Enter");
        node
    }

    /// A member lets the newcomer `number` in, by a code.
    pub fn let_in(&self, member: &mut Node, number: usize) {
        let (code, address) = open_door(member);
        let call = ["join".into(), "code".into(), "--member".into(), address];
        let arguments = [&call[..], &self.about(number)].concat();
        let (done, told) = std::thread::scope(|scope| {
            let joining = scope.spawn(|| run(&arguments, &format!("{code}\n")));
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

    /// How many members a node knows that have agreed with their admission.
    pub fn members(&self, number: usize) -> usize {
        let folder = self.file(&format!("node{number}"));
        let (_, told) = run(&["members".into(), folder, "--json".into()], "");
        told.matches("\"has_consented\": true").count()
    }
}

/// Runs the program with this input; returns its exit status and all that it said.
pub fn run(arguments: &[String], input: &str) -> (Option<i32>, String) {
    let mut command = reunite();
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
