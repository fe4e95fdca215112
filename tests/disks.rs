//! Disks that are really full, and really read-only: small ones that are mounted for a test, in a mount namespace of
//! their own. One clear line each time, nothing is lost that is in memory or on the disk, and the node goes on when
//! it can, without anybody. Where nothing can be mounted the test says so and passes, unless `CI` is set.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::{Network, Node, not_tested, people_of, reunite, until};

const FAILING: &str = "WARNING: the disk cannot be written: ";
const WELL: &str = "The disk can be written again; everything is saved.";

/// A mount namespace with a small disk at the data folder of node 1.
struct Mounted {
    holder: Child,
    at: PathBuf,
}

impl Mounted {
    /// Mounts what `mount` says at `$1`. `Err` says why it cannot be done here.
    fn new(at: &Path, mount: &str) -> Result<Self, String> {
        let script = format!("{mount} && echo mounted && exec sleep 1000000");
        let mut command = Command::new("unshare");
        command.arg("--mount").args(["sh", "-c", &script, "sh"]).arg(at);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn().map_err(|cause| format!("unshare: {cause}"))?;
        let mut line = String::new();
        let _ = BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut line);
        if line.trim() == "mounted" {
            return Ok(Self { holder, at: at.to_owned() });
        }
        let output = holder.wait_with_output().expect("it ended");
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    /// A command that sees the disk.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id())).arg(program);
        command
    }

    fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        let done = self.command("mount").args(["-o", &options]).arg(&self.at).status();
        assert!(done.expect("mount starts").success(), "remounted {how}");
    }

    /// A file on the disk, as it is seen from here.
    fn file(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.at.strip_prefix("/").expect("absolute")).join(name)
    }

    fn people(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.file("DATABASE1.txt")).unwrap_or_default();
        people_of(&text).iter().filter_map(|row| Some(row.split_once(", ")?.0.to_owned())).collect()
    }

    /// Takes all the room that there is.
    fn fill(&self) {
        let mut filler = File::create(self.file("filler")).expect("made");
        let mut size = 64 * 1024;
        while size > 0 {
            match filler.write_all(&vec![1; size]).and_then(|()| filler.sync_all()) {
                Ok(()) => {}
                Err(_) => size /= 2,
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.file("filler")).expect("removed");
    }

    fn tier1(&self, network: &Network) -> Node {
        let own = reunite();
        let mut command = self.command(own.get_program().to_str().expect("text"));
        command.envs(own.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.arg("tier1").arg("--peers").arg(network.peers()).args(["--number", "1"]);
        command.arg("--data").arg(network.data(1));
        let node = Node::start(command, "node 1".into());
        node.wait_for("Number (Enter");
        node
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A network of two nodes, the first with its data on a disk that `mount` mounts.
fn mounted(name: &str, mount: &str) -> Option<(Network, Mounted)> {
    let network = Network::new(name, 2);
    let identity = fs::read(network.data(1).join("identity.json")).expect("there");
    // An image for a loop device stands beside the folder.
    let image = network.folder.path().join("image");
    File::create(&image).and_then(|file| file.set_len(2 * 1024 * 1024)).expect("made");
    match Mounted::new(&network.data(1), mount) {
        Ok(mounted) => {
            let own = mounted.file("identity.json");
            fs::write(&own, identity).expect("written");
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(own, private).expect("set");
            Some((network, mounted))
        }
        Err(why) => {
            not_tested(name, &format!("nothing can be mounted here: {why}"));
            None
        }
    }
}

const IN_MEMORY: &str = "mount -t tmpfs -o size=1m,mode=0700 none \"$1\"";
const ON_A_LOOP: &str = "mkfs.ext4 -q -m 0 -O ^has_journal -b 1024 \"$1/../image\" && \
     mount -o loop \"$1/../image\" \"$1\" && chmod 0700 \"$1\"";

fn add(node: &mut Node, name: &str) -> bool {
    let shown = node.ask(&["3", name, &"thin, ".repeat(60), "", "missing"]);
    let told = |text: &str| shown.iter().any(|line| line.contains(text));
    assert!(told("Saved.") != told("NOT on the disk yet: "), "{shown:#?}");
    told("Saved.")
}

fn survives_a_full_disk(name: &str, mount: &str) {
    let Some((network, disk)) = mounted(name, mount) else { return };
    let mut all: BTreeSet<String> = BTreeSet::new();
    let mut node = disk.tier1(&network);
    let mut enter = |node: &mut Node, name: String| {
        let saved = add(node, &name);
        all.insert(name);
        saved
    };
    assert!(enter(&mut node, "Before".into()));
    until("the text is there", || disk.people().len() == 1);
    for round in 0..3 {
        disk.fill();
        let (failing, well) = (node.count(FAILING), node.count(WELL));
        // A sector or two may still be there.
        let refused = (0..40).filter(|at| !enter(&mut node, format!("Full {round} {at}"))).count();
        assert!(refused > 20, "the disk is not full: {refused}");
        node.wait_for_times(FAILING, failing + 1);
        assert_eq!(node.count(FAILING), failing + 1, "it is told once: {}", node.shown());
        let shown = node.ask(&["2", &format!("Full {round} 39")]).join("\n");
        assert!(shown.contains("1 match."), "it is in memory: {shown}");
        assert!(!disk.people().is_empty(), "the text is gone");
        disk.make_room();
        node.wait_for_times(WELL, well + 1);
        until("the text has all of them", || disk.people().len() == 1 + 40 * (round + 1) + round);
        assert!(enter(&mut node, format!("After {round}")), "there is room");
        // The next start has them all, though nobody ended this one.
        let people = 1 + 41 * (round + 1);
        until("the text follows", || disk.people().len() == people);
        if round == 1 {
            node.kill();
            node = disk.tier1(&network);
            node.wait_for_any(&format!("DATABASE1.txt: {people} people"));
            assert!(!node.shown().contains("WARNING"), "{}", node.shown());
        }
    }
    until("the text has everybody", || disk.people() == all);
    // It starts on a full disk too.
    assert!(node.quit().success());
    disk.fill();
    let mut node = disk.tier1(&network);
    assert!(node.ask(&["2", "After 2"]).join("\n").contains("1 match."));
    // A peer gets them too.
    let _two = network.tier1(2);
    node.type_lines(&["9"]);
    until("node 2 has all", || network.people(2).len() == all.len());
    assert!(node.quit().success());
}

#[test]
fn a_disk_in_memory_that_is_full_is_told_once_and_nothing_is_lost() {
    survives_a_full_disk("full-tmpfs", IN_MEMORY);
}

#[test]
fn a_disk_with_a_file_system_that_is_full_is_told_once_and_nothing_is_lost() {
    survives_a_full_disk("full-ext4", ON_A_LOOP);
}

#[test]
fn a_command_whose_voice_is_signed_and_that_the_disk_does_not_take_says_both() {
    let Some((network, disk)) = mounted("signed", IN_MEMORY) else { return };
    let run = |what: &[&str]| {
        let mut command = disk.command(env!("CARGO_BIN_EXE_reunite"));
        command.args(what).args(["--number", "1", "--peers"]).arg(network.peers());
        command.arg("--data").arg(network.data(1)).stdin(Stdio::null());
        let done = command.output().expect("it runs");
        let told = String::from_utf8([done.stdout, done.stderr].concat()).expect("text");
        (done.status.code(), told)
    };
    assert_eq!(run(&["network", "begin"]).0, Some(0));
    // What a node writes at its first start, it has written.
    assert_eq!(run(&["members", "rename", "Camp 8"]).0, Some(0));
    disk.remount("ro");
    let (code, told) = run(&["members", "rename", "Camp 9"]);
    assert!(told.contains("It is signed. Whether it is on the disk is not known yet: "), "{told}");
    assert!(
        !told.contains("Saved.") && told.contains("All members will see the new name"),
        "{told}"
    );
    assert!(code == Some(1) && told.contains("the disk could not be written"), "{told}");
}

#[test]
fn a_node_on_a_disk_that_is_read_only_shows_what_it_has_and_writes_as_soon_as_it_can() {
    let Some((network, disk)) = mounted("read-only", IN_MEMORY) else { return };
    let mut node = disk.tier1(&network);
    assert!(add(&mut node, "Before"));
    assert!(node.quit().success());
    disk.remount("ro");
    let mut node = disk.tier1(&network);
    let shown = node.shown();
    assert_eq!(shown.matches("WARNING: the ledger cannot be written: ").count(), 1, "{shown}");
    assert!(node.ask(&["2", "Before"]).join("\n").contains("1 match."));
    assert!(!add(&mut node, "Meanwhile"));
    disk.remount("rw");
    node.wait_for_any(WELL);
    until("the text has both", || disk.people().len() == 2);
    node.kill();
    let mut node = disk.tier1(&network);
    assert!(node.ask(&["2", "Meanwhile"]).join("\n").contains("1 match."));
    assert!(node.quit().success());
}
