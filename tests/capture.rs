//! What somebody reads who listens: a tour of every feature is recorded on the loopback interface, and all that
//! was sent is searched for every secret in every form that a test can look for.
//!
//! Each tour runs in a network namespace of its own, so that nothing else is heard. This takes root, tcpdump
//! and, for the namespace, `ip`. Without them the test says so and passes, unless `CI` is set: there it must run.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/needles.rs"]
mod needles;
#[path = "support/pcap.rs"]
mod pcap;
mod support;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use needles::{Form, Hit, Kind, LEAST_BYTES, Needle, Search, View};
use pcap::{Made, Part};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use reunite::model::section::Section;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::{env, fs};
use support::{Folder, contents, not_tested, until};

/// What is sent last, so that it is known when tcpdump has written everything.
const LAST: &[u8] = b"the tour is over, and this is its last datagram";
/// What the tour types. A test checks that the tour still does.
const MESSAGES: [&str; 2] = ["Rohima's brother is with us.", "He can come to "];
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
            let why = "nothing can be recorded: this takes root and tcpdump";
            not_tested("what somebody reads who listens", why);
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

    /// What was found, for people: a line for each kind and form, without the secrets.
    fn told(&self, found: &BTreeMap<Hit, String>) -> String {
        let mut lines: BTreeMap<_, (usize, &String)> = BTreeMap::new();
        for (hit, part) in found {
            let line = (self.needles[hit.needle].kind, hit.form, hit.view);
            lines.entry(line).or_insert((0, part)).0 += 1;
        }
        let mut told = String::from("found:\n");
        for ((kind, form, view), (count, part)) in lines {
            told +=
                &format!("{count} of kind {kind:?} as {form:?}, {view:?}; the first in {part}\n");
        }
        told
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
                // In a file, and on the classic wire, a quote is written twice.
                let name = row.field(0);
                let longest = name.split('"').max_by_key(|piece| piece.len()).unwrap_or_default();
                needles.insert(Needle::new(Kind::Name, longest.trim()));
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
        needle.bytes.len() >= LEAST_BYTES && !OWN_WORDS.iter().any(is_own)
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
fn who_listens_to_a_sealed_tour_reads_nothing() {
    let Some(tour) = Tour::record(&[]) else { return };
    for kind in [Kind::Token, Kind::Key, Kind::Organisation, Kind::Id, Kind::Name, Kind::Health] {
        assert!(!tour.of_kind(kind).is_empty(), "no {kind:?} is looked for");
    }
    // The network's and the readers', two public ones of each node, and the secrets of the nodes.
    assert_eq!(tour.of_kind(Kind::Key).len(), 2 + 3 * 2 + 3);
    // All of the tour: the databases alone are so long.
    assert!(tour.bytes() > 20_000, "only {} bytes were recorded", tour.bytes());
    let found = tour.found();
    assert!(found.is_empty(), "{}", tour.told(&found));
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
    for kind in [Kind::Token, Kind::Id, Kind::Name, Kind::Message, Kind::Alarm] {
        let (read, all) = share(kind);
        assert!(all > 0, "no {kind:?} is looked for");
        assert_eq!(read, all, "of the {kind:?}s");
    }
    // No organisation travels by itself: peers know each other's from the peers file. This one somebody typed.
    assert_eq!(share(Kind::Organisation), (1, 3));
    // Nor do vaccinations and censuses, of which the classic wire knows nothing. (It has no keys either.) That
    // they would be found, the tests below show.
    assert_eq!(share(Kind::Health), (0, HEALTH.len()));
}

// --- that the search finds what is there ---

/// One of every kind, and of every script and length that matters to a form.
fn samples() -> Vec<Needle> {
    let key = Needle {
        kind: Kind::Key,
        bytes: (0..32_u8).map(|byte| byte.wrapping_mul(37) ^ 0x5a).collect(),
    };
    let texts = [
        (Kind::Token, "006264416662"),
        (Kind::Token, "951035982654"),
        (Kind::Id, "14793046138578315"),
        (Kind::Id, "855991174504383851"),
        (Kind::Id, "7278825356014391578"),
        (Kind::Organisation, "Cox's Bazar NW 1"),
        (Kind::Name, "Minara"),
        (Kind::Name, "Rohima Bibi"),
        (Kind::Name, "Md. Rafique (\u{e9}t\u{e9})"),
        (Kind::Name, "নুর কায়েস"),
        (Kind::Name, "ကိုဇော်မင်း"),
        (Kind::Name, "𐴇𐴝𐴏𐴞𐴕𐴝 𐴁𐴠𐴒𐴟𐴔𐴢"),
        (Kind::Message, MESSAGES[0]),
        (Kind::Alarm, ALARM),
        (Kind::Health, HEALTH[1]),
    ];
    texts.iter().map(|(kind, text)| Needle::new(*kind, text)).chain([key]).collect()
}

fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// What is found in datagrams with these payloads, among noise.
fn found_in(needles: &[Needle], payloads: &[Vec<u8>]) -> BTreeSet<Hit> {
    let mut made = Made::default();
    for (seed, payload) in (0..).zip(payloads) {
        made.datagram(&[&noise(seed, 11)[..], payload, &noise(!seed, 5)].concat());
    }
    let parts = pcap::parts(made.bytes()).expect("a capture");
    Search::new(needles).hits(&parts).into_keys().collect()
}

/// All needles in all forms in which they are long enough, written with this many bytes before them.
fn written(needles: &[Needle], lead: usize) -> Vec<(usize, Form, Vec<u8>)> {
    let mut all = Vec::new();
    for (at, needle) in needles.iter().enumerate() {
        for form in Form::ALL {
            let Some(alone) = form.write(needle).filter(|bytes| bytes.len() >= LEAST_BYTES) else {
                continue;
            };
            let whole = [&noise(1, lead)[..], &needle.bytes, &noise(2, 4)].concat();
            let bytes = match form {
                Form::Base32 | Form::Base64 | Form::Base64Url => {
                    form.write(&Needle { kind: Kind::Key, bytes: whole }).expect("of any bytes")
                }
                _ => alone,
            };
            all.push((at, form, bytes));
        }
    }
    all
}

#[test]
fn every_kind_of_secret_is_found_in_every_form() {
    let needles = samples();
    for lead in 0..5 {
        let all = written(&needles, lead);
        let payloads: Vec<_> = all.iter().map(|(_, _, bytes)| bytes.clone()).collect();
        let hits = found_in(&needles, &payloads);
        for (needle, form, _) in all {
            let hit = Hit { needle, form, view: View::AsIs };
            assert!(hits.contains(&hit), "{:?} {lead}", (&needles[needle], form));
        }
    }
    let forms: BTreeSet<_> = written(&needles, 0).into_iter().map(|(_, form, _)| form).collect();
    assert_eq!(forms.len(), Form::ALL.len());
}

#[test]
fn every_form_is_written_as_its_rules_say() {
    let text = |form: Form, text: &str| {
        let bytes = form.write(&Needle::new(Kind::Message, text)).expect("can be written");
        String::from_utf8(bytes).expect("text")
    };
    // RFC 4648, section 10.
    assert_eq!(text(Form::Base32, "foobarfoob"), "MZXW6YTBOJTG633C");
    assert_eq!(text(Form::Base64, "foobar"), "Zm9vYmFy");
    assert_eq!(text(Form::Base64, "a?>~"), "YT8+f");
    assert_eq!(text(Form::Base64Url, "a?>~"), "YT8-f");
    assert_eq!(text(Form::Hex, "foobar"), "666f6f626172");
    assert_eq!(text(Form::Percent, "Cox's é"), "Cox%27s%20%c3%a9");
    assert_eq!(text(Form::PercentAll, "Cox"), "%43%6f%78");
    assert_eq!(text(Form::PercentPlus, "a b'"), "a+b%27");
    assert_eq!(text(Form::Json, "\"é𐴇"), "\\\"\\u00e9\\ud803\\udd07");
    assert_eq!(text(Form::JsonAll, "Ab"), "\\u0041\\u0062");
    assert_eq!(text(Form::Quoted, "a=é"), "a=3d=c3=a9");
    assert_eq!(text(Form::Rot13, "Rohima"), "Ebuvzn");
    assert_eq!(text(Form::ReversedText, "aé"), "éa");
    let bytes = |form: Form, text: &str| form.write(&Needle::new(Kind::Id, text)).expect("written");
    assert_eq!(bytes(Form::Utf16Le, "aé"), [0x61, 0, 0xe9, 0]);
    assert_eq!(bytes(Form::Utf16Be, "𐴇"), [0xd8, 0x03, 0xdd, 0x07]);
    assert_eq!(bytes(Form::Utf32Be, "𐴇"), [0, 1, 0x0d, 0x07]);
    assert_eq!(bytes(Form::NumberBe, "001234567890123"), 1_234_567_890_123_u64.to_be_bytes());
    assert_eq!(bytes(Form::NumberLe, "123456789012"), 123_456_789_012_i64.to_le_bytes());
    assert_eq!(bytes(Form::Bcd, "1234567890123"), [0x12, 0x34, 0x56, 0x78, 0x90, 0x12]);
    assert_eq!(bytes(Form::BcdSwapped, "123456789012"), [0x21, 0x43, 0x65, 0x87, 0x09, 0x21]);
}

#[test]
fn any_case_is_found() {
    let needles = samples();
    let name = needles.iter().position(|one| one.bytes == b"Rohima Bibi").expect("a sample");
    for text in ["ROHIMA BIBI", "rohima bibi"] {
        let all = written(&[Needle::new(Kind::Name, text)], 1);
        let payloads: Vec<_> = all.iter().map(|(_, _, bytes)| bytes.clone()).collect();
        let hits = found_in(&needles, &payloads);
        for (_, form, _) in all {
            assert!(
                hits.contains(&Hit { needle: name, form, view: View::AsIs }),
                "{text} {form:?}"
            );
        }
    }
    let loud: Vec<_> =
        b"52 6f 68 69 6D 61 20 42 69 62 69".iter().copied().filter(|b| *b != b' ').collect();
    let hit = Hit { needle: name, form: Form::Hex, view: View::AsIs };
    assert!(found_in(&needles, &[loud]).contains(&hit));
}

#[test]
fn what_is_inverted_or_mixed_with_any_one_byte_is_found() {
    let mut needles = samples();
    // Of six bytes there are but five differences.
    needles.retain(|needle| needle.bytes.len() > LEAST_BYTES);
    let forms = [Form::Plain, Form::Utf16Le, Form::Utf16Be, Form::ReversedBytes, Form::NumberLe];
    let mut payloads = Vec::new();
    for (_, _, bytes) in written(&needles, 0).iter().filter(|(_, form, _)| forms.contains(form)) {
        payloads.extend((1..=255).map(|mask| bytes.iter().map(|byte| byte ^ mask).collect()));
    }
    for masks in payloads.chunks(255) {
        let hits = found_in(&needles, masks);
        assert!(hits.iter().any(|hit| hit.view == View::Mixed), "{:?}", masks[0]);
    }
    // With each mask, not only with one of them.
    let name = [Needle::new(Kind::Name, "Rohima Bibi")];
    for mask in 1..=255_u8 {
        let mixed = name[0].bytes.iter().map(|byte| byte ^ mask).collect();
        let hit = Hit { needle: 0, form: Form::Plain, view: View::Mixed };
        assert!(found_in(&name, &[mixed]).contains(&hit), "{mask}");
    }
}

#[test]
fn what_is_packed_is_found() {
    let needles = samples();
    let mut text = noise(3, 30);
    for needle in &needles {
        text.extend([&noise(4, 3), &needle.bytes[..]].concat());
    }
    // Long enough to be unpacked in several pieces, with what is looked for at the end.
    let filling = "Kutupalong, missing, about 40\n".repeat(1000);
    for text in [text.clone(), [filling.as_bytes(), &text].concat()] {
        for level in [Compression::none(), Compression::fast(), Compression::best()] {
            let packed = [
                written_by(DeflateEncoder::new(Vec::new(), level), &text, |to| to.finish()),
                written_by(ZlibEncoder::new(Vec::new(), level), &text, |to| to.finish()),
                written_by(GzEncoder::new(Vec::new(), level), &text, |to| to.finish()),
            ];
            for packed in packed {
                let hits = found_in(&needles, &[packed]);
                for (needle, sample) in needles.iter().enumerate() {
                    let hit = Hit { needle, form: Form::Plain, view: View::Unpacked };
                    assert!(hits.contains(&hit) || sample.bytes.len() < 8, "{sample:?}");
                }
            }
        }
    }
}

fn written_by<W: Write>(
    mut to: W,
    text: &[u8],
    finish: impl Fn(W) -> std::io::Result<Vec<u8>>,
) -> Vec<u8> {
    to.write_all(text).expect("memory");
    finish(to).expect("memory")
}

#[test]
fn what_is_folded_into_lines_is_found() {
    let needles = samples();
    for (needle, form, bytes) in written(&needles, 2) {
        let end = if form == Form::Quoted { "=\r\n" } else { "\r\n" };
        let lines: Vec<_> = bytes.chunks(5).collect();
        let hits = found_in(&needles, &[lines.join(end.as_bytes())]);
        // A message without its line ends is one that was looked for; bytes that are line ends are lost.
        let lost = bytes.contains(&b'\n') || bytes.chunks(5).any(|line| line.ends_with(b"="));
        assert!(hits.contains(&Hit { needle, form, view: View::Unfolded }) || lost, "{form:?}");
    }
}

#[test]
fn what_straddles_segments_that_come_in_any_order_and_twice_is_found() {
    let needle = Needle::new(Kind::Name, "Rohima Bibi");
    let text = [&noise(5, 40)[..], &needle.bytes, &noise(6, 40)].concat();
    for size in [1, 2, 3, 7] {
        // Sequence numbers begin again in the middle of it.
        let first = u32::MAX - 45;
        let mut segments: Vec<_> = text
            .chunks(size)
            .enumerate()
            .map(|(at, bytes)| (first.wrapping_add((at * size) as u32), bytes.to_vec()))
            .collect();
        // Some again, and longer than the first time.
        segments.extend(
            text.chunks(size * 3)
                .take(9)
                .enumerate()
                .map(|(at, bytes)| (first.wrapping_add((at * size * 3) as u32), bytes.to_vec())),
        );
        segments.shuffle(&mut StdRng::seed_from_u64(size as u64));
        let mut made = Made::default();
        made.segment(7000, first.wrapping_sub(1), true, b"");
        made.segment(7001, 9, false, b"another stream");
        segments.iter().for_each(|(at, bytes)| made.segment(7000, *at, false, bytes));
        let parts = pcap::parts(made.bytes()).expect("a capture");
        assert!(parts.iter().any(|part| part.bytes == text), "{size}");
        let hits = Search::new(std::slice::from_ref(&needle)).hits(&parts);
        assert!(hits.contains_key(&Hit { needle: 0, form: Form::Plain, view: View::AsIs }));
    }
}

#[test]
fn two_streams_between_the_same_ports_are_two() {
    let mut made = Made::default();
    made.segment(7000, 99, true, b"");
    made.segment(7000, 100, false, b"one");
    made.segment(7000, 5_000, true, b"");
    made.segment(7000, 5_001, false, b"two");
    // It asks whether the other is still there, with a byte that was sent before.
    made.segment(7000, 5_000, false, b"?");
    let parts = pcap::parts(made.bytes()).expect("a capture");
    let bytes: Vec<_> = parts.iter().map(|part| &part.bytes[..]).collect();
    assert_eq!(bytes, [&b"?"[..], b"one", b"two"]);
}

#[test]
fn a_capture_that_is_not_whole_is_refused() {
    let mut made = Made::default();
    made.segment(7000, 0, true, b"");
    made.segment(7000, 1, false, b"Rohima");
    let whole = made.bytes().to_vec();
    assert!(pcap::parts(&whole).is_ok());
    assert!(pcap::parts(b"").is_err());
    for end in 24..whole.len() {
        let is_between_packets = end == 24 || end == whole.len() - (16 + 14 + 20 + 20 + 6);
        assert_eq!(pcap::parts(&whole[..end]).is_ok(), is_between_packets, "{end}");
    }
    made.segment(7000, 9, false, b"Bibi");
    let why = pcap::parts(made.bytes()).expect_err("a hole");
    assert!(why.contains("missing"), "{why}");
    let mut snapped = whole;
    snapped[24 + 12] += 1;
    assert!(pcap::parts(&snapped).is_err());
}

#[test]
fn nothing_is_found_in_noise() {
    let part = |seed| Part { name: "noise".into(), bytes: noise(seed, 1 << 17) };
    let found = Search::new(&samples()).hits(&[part(7), part(8), part(9)]);
    assert!(found.is_empty(), "{found:?}");
}
