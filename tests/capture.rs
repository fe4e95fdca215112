//! What somebody reads who listens: a tour of every feature is recorded on the loopback interface, and all that
//! was sent is searched for every secret in every form that a test can look for.
//!
//! Each tour runs in a network namespace of its own, so that nothing else is heard. This takes root, tcpdump
//! and, for the namespace, `ip`. Without them the test says so and passes, unless `CI` is set: there it must run.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;
#[path = "support/needles.rs"]
mod needles;
#[path = "support/pcap.rs"]
mod pcap;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use needles::{Form, Hit, Kind, LEAST_BYTES, Needle, Search, View};
use pcap::{Made, Part};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use reunite::model::section::Section;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::{env, fs};
use support::{Folder, contents, until};

/// What is sent last, so that it is known when tcpdump has written everything.
const LAST: &[u8] = b"the tour is over, and this is its last datagram";
/// What the tour types. A test checks that the tour still does.
const MESSAGES: [&str; 2] = ["Rohima's brother is with us.", "He can come on Monday."];
const ALARM: &str = "Fire at Camp 9, block C. Leave by the north road.";
const HEALTH: [&str; 4] = ["Euvichol-Plus", "EVP2411-30", "Camp 9 Health Post", "majhi lists"];
/// Names of people that are words of the protocol or of its texts, too: they would be found, and say nothing.
const OWN_WORDS: [&str; 3] = ["unknown", "missing", "reunite"];

// --- recording ---

/// A recorder, in a network namespace of its own if there can be one.
struct Recorder {
    tcpdump: Child,
    said: BufReader<ChildStderr>,
    file: PathBuf,
    in_namespace: bool,
}

impl Recorder {
    /// None if it is not permitted here, or tcpdump is not installed.
    fn start(folder: &Path) -> Option<Self> {
        Self::start_with(folder, true).or_else(|| Self::start_with(folder, false))
    }

    fn start_with(folder: &Path, in_namespace: bool) -> Option<Self> {
        let file = folder.join("tour.pcap");
        let mut command = match in_namespace {
            true => {
                let mut command = Command::new("unshare");
                let script = "ip link set lo up && exec \"$@\"";
                command.args(["--net", "sh", "-c", script, "sh", "tcpdump"]);
                command
            }
            false => Command::new("tcpdump"),
        };
        // As root to the end: the folder is ours alone. Each packet at once, and 64 MiB for those that wait.
        command.args(["-i", "lo", "-Z", "root", "--immediate-mode", "-U", "-n"]);
        command.args(["-s", "0", "-B", "65536", "-w"]).arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut tcpdump = command.spawn().ok()?;
        let mut said = BufReader::new(tcpdump.stderr.take().expect("piped"));
        let mut line = String::new();
        while said.read_line(&mut line).is_ok_and(|read| read > 0) {
            if line.contains("listening on") {
                return Some(Self { tcpdump, said, file, in_namespace });
            }
        }
        let _ = tcpdump.wait();
        eprintln!("tcpdump: {}", line.trim());
        None
    }

    /// A command that is heard.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        if !self.in_namespace {
            return Command::new(program.as_ref());
        }
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.tcpdump.id())).arg(program.as_ref());
        command
    }

    /// Ends the recording, and returns all that was sent.
    fn finish(mut self) -> Vec<Part> {
        let text = std::str::from_utf8(LAST).expect("text");
        let mut last = self.command("bash");
        last.args(["-c", "printf %s \"$0\" >/dev/udp/127.0.0.1/9", text]);
        assert!(last.status().expect("bash starts").success());
        until("the last datagram is recorded", || {
            let file = fs::read(&self.file).expect("a file");
            file.windows(LAST.len()).any(|bytes| bytes == LAST)
        });
        let pid = Pid::from_child(&self.tcpdump);
        kill_process(pid, Signal::INT).expect("it runs");
        assert!(self.tcpdump.wait().expect("a child").success(), "tcpdump failed");
        let mut said = String::new();
        self.said.read_to_string(&mut said).expect("text");
        let whole = said.lines().any(|line| line.trim() == "0 packets dropped by kernel");
        assert!(whole, "not everything was recorded:\n{said}");
        pcap::parts(&fs::read(&self.file).expect("a file")).expect("a capture")
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}

/// A tour that was recorded.
struct Tour {
    parts: Vec<Part>,
    needles: Vec<Needle>,
}

impl Tour {
    /// Plays and records the tour of this dialect. None if recording is not possible here.
    fn record(options: &[&str]) -> Option<Self> {
        // Where there are no namespaces, one tour must not hear the other.
        static ALONE: Mutex<()> = Mutex::new(());
        let folder = Folder::new("capture");
        let mut recorder = Recorder::start(folder.path());
        let _alone = match &recorder {
            Some(recorder) if recorder.in_namespace => None,
            _ => {
                drop(recorder);
                let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
                recorder = Recorder::start(folder.path());
                Some(alone)
            }
        };
        let Some(recorder) = recorder else {
            let what = "nothing can be recorded: this takes root and tcpdump";
            assert!(env::var_os("CI").is_none(), "{what}");
            eprintln!("\n!!! NOT TESTED: what somebody reads who listens. {what}\n");
            return None;
        };
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/local-demo.sh");
        let mut command = recorder.command(demo);
        command.args(["--tour", "--keep", "--binary", env!("CARGO_BIN_EXE_reunite")]).args(options);
        command.env("TMPDIR", folder.path()).stdin(Stdio::null());
        let played = command.output().expect("the tour starts");
        let shown = String::from_utf8_lossy(&played.stdout);
        assert!(
            played.status.success(),
            "the tour failed:\n{shown}\n{}",
            String::from_utf8_lossy(&played.stderr)
        );
        for text in MESSAGES.iter().chain([&ALARM]).chain(&HEALTH) {
            assert!(shown.contains(text), "the tour does not type {text:?} any more");
        }
        let kept = shown.lines().find_map(|line| line.strip_prefix("left in ")).expect("a folder");
        let needles = needles_of(&Path::new(kept).join("network"));
        Some(Self { parts: recorder.finish(), needles })
    }

    fn found(&self) -> BTreeMap<Hit, String> {
        Search::new(&self.needles).hits(&self.parts)
    }

    fn of_kind(&self, kind: Kind) -> BTreeSet<usize> {
        (0..self.needles.len()).filter(|at| self.needles[*at].kind == kind).collect()
    }

    fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }
}

/// The secrets of a network, from its files.
fn needles_of(network: &Path) -> Vec<Needle> {
    let mut needles = BTreeSet::new();
    let mut files = vec![network.join("peers.json")];
    for number in 1..=3 {
        let data = network.join(format!("node{number}"));
        let text = fs::read(data.join(format!("DATABASE{number}.txt"))).expect("a database");
        let found = contents(&text);
        for section in [Section::People, Section::Replaced] {
            let at = Section::ALL.iter().position(|one| *one == section).expect("one of all");
            for row in &found.rows[at] {
                needles.insert(Needle::new(Kind::Name, row.field(0).trim()));
                needles.insert(Needle::new(Kind::Id, row.field(4).trim_matches([' ', '-'])));
            }
        }
        files.push(data.join("identity.json"));
    }
    for file in files {
        // A classic network has no identities.
        let Ok(text) = fs::read(&file) else { continue };
        json_needles(&serde_json::from_slice(&text).expect("JSON"), "", &mut needles);
    }
    needles.extend(MESSAGES.map(|text| Needle::new(Kind::Message, text)));
    needles.insert(Needle::new(Kind::Alarm, ALARM));
    needles.extend(HEALTH.map(|text| Needle::new(Kind::Health, text)));
    needles.retain(|needle| {
        let is_own = |word: &&str| needle.bytes.eq_ignore_ascii_case(word.as_bytes());
        needle.bytes.len() >= LEAST_BYTES && !OWN_WORDS.iter().any(|word| is_own(&word))
    });
    needles.into_iter().collect()
}

/// Tokens, organisations and keys, wherever they stand in a file of JSON.
fn json_needles(value: &serde_json::Value, name: &str, needles: &mut BTreeSet<Needle>) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| json_needles(value, name, needles));
        }
        serde_json::Value::Array(values) => {
            values.iter().for_each(|value| json_needles(value, name, needles));
        }
        serde_json::Value::String(text) => {
            if let Some(key) = reunite::model::hex::bytes::<32>(text) {
                needles.insert(Needle { kind: Kind::Key, bytes: key.to_vec() });
            } else if name == "token" {
                // As a number it has no zeros in front, whoever prints it.
                needles.insert(Needle::new(Kind::Token, text.trim_start_matches('0')));
                needles.insert(Needle::new(Kind::Token, text));
            } else if name == "organisation" {
                needles.insert(Needle::new(Kind::Organisation, text));
            }
        }
        _ => {}
    }
}

// --- what is heard ---

#[test]
#[ignore = "the sealed dialect does not run end to end yet"]
fn who_listens_to_a_sealed_tour_reads_nothing() {
    let Some(tour) = Tour::record(&[]) else { return };
    for kind in [Kind::Token, Kind::Key, Kind::Organisation, Kind::Id, Kind::Name, Kind::Health] {
        assert!(!tour.of_kind(kind).is_empty(), "no {kind:?} is looked for");
    }
    // All of the tour: the databases alone are so long.
    assert!(tour.bytes() > 20_000, "only {} bytes were recorded", tour.bytes());
    let found = tour.found();
    let told: Vec<_> = found
        .iter()
        .map(|(hit, part)| {
            let kind = tour.needles[hit.needle].kind;
            format!("a {kind:?} as {:?}, {:?}, in {part}", hit.form, hit.view)
        })
        .collect();
    assert!(found.is_empty(), "{} were found:\n{}", told.len(), told.join("\n"));
}

#[test]
fn the_same_search_reads_all_that_a_classic_tour_sends() {
    let Some(tour) = Tour::record(&["--classic"]) else { return };
    let found = tour.found();
    let plain: BTreeSet<usize> = found
        .keys()
        .filter(|hit| (hit.form, hit.view) == (Form::Plain, View::AsIs))
        .map(|hit| hit.needle)
        .collect();
    let share = |kind| {
        let all = tour.of_kind(kind);
        (all.intersection(&plain).count(), all.len())
    };
    for kind in [Kind::Token, Kind::Message, Kind::Alarm] {
        let (read, all) = share(kind);
        assert_eq!(read, all, "of the {kind:?}s");
        assert!(all > 0);
    }
    for kind in [Kind::Id, Kind::Name, Kind::Organisation, Kind::Health] {
        eprintln!("{kind:?}: {:?}", share(kind));
    }
}

// --- that the search finds what is there ---
