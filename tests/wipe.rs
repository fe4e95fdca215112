//! `reunite wipe` as a real process, on folders of real nodes: nothing of them is left, and nothing else is touched.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use support::{Folder, Node, reunite, to_own_address};

struct Network(Folder);

impl Network {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let out = folder.path().join("net");
        let output = reunite().args(["setup", "--local", "2", "--out"]).arg(&out).output();
        assert!(output.expect("it starts").status.success());
        to_own_address(&out.join("peers.json"));
        Self(folder)
    }

    fn peers(&self) -> PathBuf {
        self.0.path().join("net/peers.json")
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("net/node1")
    }

    fn start(&self) -> Node {
        let mut command = reunite();
        command.arg("tier1").arg("--peers").arg(self.peers()).args(["--number", "1", "--data"]);
        command.arg(self.data());
        let node = Node::start(command, "node 1".into());
        node.wait_for("Number (Enter");
        node
    }

    fn wipe(&self, more: &[&str]) -> Output {
        let mut command = reunite();
        command.arg("wipe").arg("--data").arg(self.data()).args(more).stdin(Stdio::null());
        command.output().expect("it starts")
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

#[test]
fn a_running_node_is_killed_and_nothing_of_it_is_left() {
    let network = Network::new("wipe-running");
    let mut node = network.start();
    let (peers, copy) = (network.peers(), network.peers().with_extension("json.old"));
    fs::copy(&peers, &copy).expect("copied");
    let output = network.wipe(&["--yes", "--peers", &text(&peers), "--peers", &text(&copy)]);
    assert!(output.status.success(), "{}{}", out(&output), errors(&output));
    assert!(!node.wait_exit().success());
    assert!(!network.data().exists() && !peers.exists() && !copy.exists());
    let said = out(&output);
    assert!(said.contains("has been killed") && said.contains("Flash memory"), "{said}");
    assert!(network.0.path().join("net/node2/identity.json").exists(), "it is another node's");
}

#[test]
fn no_byte_of_the_secrets_can_be_read_any_more_through_an_open_file() {
    let network = Network::new("wipe-bytes");
    let paths = [network.data().join("identity.json"), network.peers()];
    // Whoever has a file open sees what the disk has of it.
    let seen = paths.map(|path| {
        let second = path.with_extension("link");
        fs::hard_link(&path, network.0.path().join(second.file_name().expect("a name")))
            .expect("linked");
        network.0.path().join(second.file_name().expect("a name"))
    });
    assert!(seen.iter().all(|path| !fs::read(path).expect("there").is_empty()));
    let peers = text(&network.peers());
    assert!(network.wipe(&["--yes", "--peers", &peers]).status.success());
    for path in seen {
        assert_eq!(fs::read(&path).expect("there"), b"", "{}", path.display());
    }
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_destroyed() {
    let network = Network::new("wipe-unasked");
    let output = network.wipe(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("no terminal"), "{}", errors(&output));
    assert!(network.data().join("identity.json").exists());
}

#[test]
fn a_folder_that_no_node_has_used_is_not_touched() {
    let folder = Folder::new("wipe-home");
    fs::write(folder.path().join("thesis.txt"), "years of work").expect("written");
    let wipe = |data: &Path| {
        let output = reunite()
            .args(["wipe", "--yes", "--data"])
            .arg(data)
            .env("HOME", folder.path())
            .output();
        let output = output.expect("it starts");
        assert_eq!(output.status.code(), Some(1));
        errors(&output)
    };
    assert!(wipe(folder.path()).contains("not the folder of a node"), "its home");
    fs::create_dir(folder.path().join("below")).expect("made");
    fs::write(folder.path().join("below/a.txt"), "x").expect("written");
    assert!(wipe(&folder.path().join("below")).contains("no node has used"));
    assert!(wipe(Path::new("/")).contains("not the folder of a node"));
    assert!(wipe(&folder.path().join("missing")).contains("missing"));
    assert_eq!(fs::read(folder.path().join("thesis.txt")).expect("there"), b"years of work");
    assert!(folder.path().join("below/a.txt").exists());
}

#[test]
fn a_second_wipe_finishes_what_the_first_began() {
    let network = Network::new("wipe-again");
    fs::remove_file(network.data().join("identity.json")).expect("there");
    fs::write(network.data().join(".0123456789abcdef"), "half").expect("written");
    assert!(network.wipe(&["--yes"]).status.success());
    assert!(!network.data().exists());
    let output = network.wipe(&["--yes", "--peers", &text(&network.peers())]);
    assert!(!network.peers().exists(), "{}", errors(&output));
    assert!(out(&output).contains("node1"), "it says that there is no such folder");
}

#[test]
fn links_are_removed_folders_below_are_destroyed_and_a_missing_peers_file_is_told() {
    let network = Network::new("wipe-links");
    let outside = network.0.path().join("outside.txt");
    fs::write(&outside, "not ours").expect("written");
    symlink(&outside, network.data().join("DATABASE1.old")).expect("linked");
    fs::create_dir(network.data().join("below")).expect("made");
    fs::write(network.data().join("below/copy.txt"), "rows").expect("written");
    fs::set_permissions(network.data().join("below/copy.txt"), fs::Permissions::from_mode(0o400))
        .expect("ours");
    let output = network.wipe(&["--yes", "--peers", "/nowhere/peers.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("NOT destroyed") && out(&output).contains("/nowhere/peers.json"));
    assert!(!network.data().exists());
    assert_eq!(fs::read(&outside).expect("there"), b"not ours");
}
