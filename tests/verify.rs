//! `reunite verify`, `history` and `ledger` as real processes, on ledgers that real nodes wrote: each way to tamper with
//! one is found out, named, and said to touch what it touches.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/ledger.rs"]
mod ledger;
mod support;

use ledger::{block, blocks_of, entries, signed_by, write_entries};
use reunite::model::hex::digits;
use reunite::model::identity::Identity;
use reunite::model::keys::SecretKey;
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::fork::ForkProof;
use reunite::model::ledger::pen::Pen;
use reunite::model::ledger::stored::Stored;
use reunite::store::ledger_check;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;
use support::{Network, Node, new_id, reunite};

/// A name that does not stand by chance in some kilobytes of hashes and signatures.
const LONG: &str = "Cyrillianne";

/// A network of two nodes that have stopped. Node 2 added Bo; node 1 has that, added Ana, Cyrillianne
/// and Di, and found Ana.
struct Made {
    network: Network,
    /// The Id of Ana.
    ana: String,
}

fn made(name: &str) -> Made {
    let network = Network::new(name, 2);
    let (mut one, mut two) = (network.tier1(1), network.tier1(2));
    two.ask(&["3", "Bo", "", "", "missing"]);
    one.wait_for_any("New here: 1 change.");
    let shown = one.ask(&["3", "Ana", "tall", "", "missing"]);
    let ana = shown.iter().find_map(|line| new_id(line)).expect("she was saved");
    one.ask(&["3", LONG, "", "", "missing"]);
    one.ask(&["4", "Ana", "", "", "", "found"]);
    one.ask(&["3", "Di", "", "", "missing"]);
    assert!(one.quit().success());
    two.kill();
    Made { network, ana }
}

impl Made {
    fn ledger(&self) -> PathBuf {
        self.network.data(1).join("DATABASE1.ledger")
    }

    fn identity(&self, number: usize) -> &Identity {
        &self.network.secrets.as_ref().expect("sealed").identities[number - 1]
    }

    fn entries(&self) -> Vec<Vec<u8>> {
        entries(&self.ledger())
    }

    /// The ledger with these entries instead.
    fn put(&self, entries: &[Vec<u8>]) {
        write_entries(&self.ledger(), entries);
    }

    /// Where the four blocks of node 1 stand among the entries.
    fn own(&self, entries: &[Vec<u8>]) -> Vec<usize> {
        let own = blocks_of(entries, self.identity(1));
        assert_eq!(own.len(), 4);
        own
    }

    fn verify(&self) -> (Option<i32>, String) {
        let (code, out, err) = self.run("verify", &[], true);
        assert_eq!(err, "");
        (code, out)
    }

    fn run(&self, command: &str, more: &[&str], peers: bool) -> (Option<i32>, String, String) {
        let mut run = reunite();
        run.arg(command).arg(self.network.data(1)).args(more);
        if peers {
            run.arg("--peers").arg(self.network.peers_tier2());
        }
        let output = run.stdin(Stdio::null()).output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        self.assert_no_secret(&output.stdout);
        self.assert_no_secret(&output.stderr);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    fn assert_no_secret(&self, said: &[u8]) {
        let said = String::from_utf8_lossy(said);
        let secrets = self.network.secrets.as_ref().expect("sealed");
        let keys = secrets.identities.iter().map(Identity::expose);
        let keys = keys.chain(&secrets.keys.network).chain([&secrets.keys.reader]);
        let keys = keys.map(|key| digits(key.expose()));
        for secret in keys.chain(self.network.tokens.iter().cloned()) {
            assert!(!said.contains(&secret), "a secret is told");
        }
    }

    /// Asserts that the ledger does not verify, with these words about it.
    #[track_caller]
    fn assert_found(&self, words: &[&str]) {
        let (code, out) = self.verify();
        assert_eq!(code, Some(1), "{out}");
        for word in words {
            assert!(out.contains(word), "{word:?} is not in:\n{out}");
        }
        assert!(out.contains("NOT VERIFIED") && out.contains("  -> "), "{out}");
    }
}

const ONE: &str = "peer 1 (Yangon General Hospital)";
const TWO: &str = "peer 2 (Mandalay General Hospital)";

/// All files of a folder, with their bytes and times.
fn everything(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let files = fs::read_dir(folder).expect("there").map(|entry| entry.expect("readable").path());
    let read = |path: PathBuf| {
        let time = fs::metadata(&path).and_then(|meta| meta.modified()).expect("there");
        (path.clone(), (fs::read(path).expect("readable"), time))
    };
    files.map(read).collect()
}

// --- what is right ---

#[test]
fn an_untouched_ledger_verifies_and_nothing_is_changed_by_looking() {
    let made = made("verify-right");
    let before = everything(&made.network.data(1));
    let (code, out) = made.verify();
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains(&format!("{ONE}: 4 blocks with 4 changes, in 1 log")), "{out}");
    assert!(out.contains(&format!("{TWO}: 1 block with 1 change, in 1 log")), "{out}");
    assert!(out.contains("DATABASE1.txt says the same as the ledger: 4 records."), "{out}");
    assert!(out.ends_with("Everything verifies: every signature, every hash, every chain.\n"));
    assert!(before == everything(&made.network.data(1)), "something was changed");
    // No identity is needed, so no passphrase is.
    fs::remove_file(made.network.data(1).join("identity.json")).expect("there");
    let (code, out, _) = made.run("verify", &[], false);
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(out.matches("the signing key ").count(), 2, "{out}");
}

#[test]
fn a_ledger_verifies_while_its_node_runs() {
    let network = Network::new("verify-running", 1);
    let mut node = network.tier1(1);
    node.ask(&["3", "Ana", "tall", "", "missing"]);
    let output = reunite().arg("verify").arg(network.data(1)).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    node.ask(&["3", "Bo", "tall", "", "missing"]);
    assert!(node.quit().success());
}

#[test]
fn what_makes_no_sense_is_refused_with_another_status() {
    let made = made("verify-misused");
    for (folder, more) in [
        (made.network.folder.path().to_owned(), None),
        (made.network.data(9), Some("--peers")),
        (made.network.data(1), Some("--unknown")),
    ] {
        let mut run = reunite();
        let code = run.arg("verify").arg(&folder).args(more).output().expect("it starts").status;
        assert_eq!(code.code(), Some(2), "{}", folder.display());
    }
}

// --- tampering ---

#[test]
fn a_changed_byte_anywhere_is_found() {
    let made = made("verify-byte");
    let right = fs::read(made.ledger()).expect("there");
    for at in 0..right.len() {
        let mut bytes = right.clone();
        bytes[at] ^= 1;
        fs::write(made.ledger(), bytes).expect("written");
        let report = ledger_check::check(&made.ledger(), |_| ()).expect("readable").report;
        let found = report.findings.iter().any(|finding| !finding.is_mended);
        assert!(found, "byte {at} of {}", right.len());
        if at % 97 == 0 {
            let (code, out) = made.verify();
            assert_eq!(code, Some(1), "byte {at}: {out}");
            assert!(out.contains("NOT VERIFIED (1)"), "byte {at}: {out}");
        }
    }
}

#[test]
fn a_changed_byte_is_said_to_be_in_its_block_and_to_touch_its_record() {
    let made = made("verify-place");
    let mut bytes = fs::read(made.ledger()).expect("there");
    let at = bytes.windows(4).position(|four| four == b"tall").expect("Ana is there");
    bytes[at] ^= 1;
    fs::write(made.ledger(), bytes).expect("written");
    made.assert_found(&[
        "changed bytes: the disk does not give back",
        "DATABASE1.ledger, bytes ",
        "block 0 of log ",
        ONE,
        "Touches: Ana",
        &made.ana,
        "3 blocks that cannot be linked without it",
    ]);
    // The same by somebody who knows the format of the disk.
    let mut all = Vec::new();
    for entry in made_anew(&made, &mut all) {
        let at = entry.windows(4).position(|four| four == b"tbll" || four == b"tall");
        at.into_iter().for_each(|at| entry[at + 1] = b'u');
    }
    made.put(&all);
    made.assert_found(&[
        "changed content: a block does not hold",
        "block 0 of log ",
        "Touches: Ana",
    ]);
}

/// The entries before anything was changed, to be changed.
fn made_anew<'a>(made: &Made, all: &'a mut Vec<Vec<u8>>) -> &'a mut Vec<Vec<u8>> {
    let mut bytes = fs::read(made.ledger()).expect("there");
    let at = bytes.windows(3).position(|three| three == b"all").expect("Ana is there") - 1;
    bytes[at] = b't';
    fs::write(made.ledger(), bytes).expect("written");
    *all = made.entries();
    all
}

#[test]
fn a_removed_block_is_found_and_its_place_is_told() {
    let made = made("verify-removed");
    let mut entries = made.entries();
    let own = made.own(&entries);
    // The one with Ana: what was changed of her later builds on it.
    let ana = entries.remove(own[0]);
    made.put(&entries);
    made.assert_found(&[
        "removed blocks",
        "missing before DATABASE1.ledger, bytes ",
        "block 0 of log ",
        "3 blocks that cannot be linked without it",
        "only in the file: Ana, tall",
    ]);
    // What a node gets again from its peers mends it.
    entries.push(ana);
    let rest: Vec<_> = own[1..].iter().map(|at| entries[at - 1].clone()).collect();
    entries.extend(rest);
    made.put(&entries);
    let (code, out) = made.verify();
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn a_cut_off_end_is_found_by_the_text() {
    let made = made("verify-cut");
    let mut entries = made.entries();
    let own = made.own(&entries);
    entries.remove(own[3]);
    made.put(&entries);
    let (code, out) = made.verify();
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("only in the file: Di, ") && out.contains("may be missing"), "{out}");
}

#[test]
fn damage_that_peers_have_mended_is_told_and_no_fault() {
    let made = made("verify-mended");
    let right = made.entries();
    let own = made.own(&right);
    let mut all = right.clone();
    all.extend(own[1..].iter().map(|at| right[*at].clone()));
    made.put(&all);
    let mut bytes = fs::read(made.ledger()).expect("there");
    let at = bytes.windows(LONG.len()).position(|part| part == LONG.as_bytes());
    let at = at.expect("she is there");
    bytes[at] ^= 1;
    fs::write(made.ledger(), bytes).expect("written");
    let (code, out) = made.verify();
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("Mended: changed bytes") && out.contains("block 1 of log "), "{out}");
}

#[test]
fn reordered_blocks_are_found() {
    let made = made("verify-order");
    let mut entries = made.entries();
    let own = made.own(&entries);
    entries.swap(own[1], own[2]);
    made.put(&entries);
    made.assert_found(&["reordered blocks", "blocks 2 to 3 of log ", ONE, "Touches: Ana (Id"]);
}

#[test]
fn a_block_copied_under_another_author_is_found_and_its_true_author_named() {
    let made = made("verify-copied");
    let mut entries = made.entries();
    let own = made.own(&entries);
    let mut copy = entries[own[0]].clone();
    copy[2..34].copy_from_slice(made.identity(2).public().identity.as_bytes());
    entries.push(copy);
    made.put(&entries);
    let really = format!("Really signed by {ONE}");
    made.assert_found(&["copied under another author", "block 0 of log ", TWO, &really, "Ana"]);
}

#[test]
fn a_forged_signature_is_found() {
    let made = made("verify-forged");
    let mut entries = made.entries();
    let own = made.own(&entries);
    let last = block(&entries[own[3]]);
    let bytes = Stored::block_of(&entries[own[3]]).expect("a block").to_vec();
    let forged = signed_by(made.identity(2), *last.signed().header(), &bytes);
    entries[own[3]] = Stored::block(&forged);
    made.put(&entries);
    made.assert_found(&["a forged signature", "block 3 of log ", ONE, "Touches: Di"]);
}

#[test]
fn a_tail_that_somebody_else_rewrote_is_found() {
    let made = made("verify-tail");
    let mut entries = made.entries();
    let own = made.own(&entries);
    let thief = Identity::new(SecretKey::from([66; 32]));
    let mut before = block(&entries[own[0]]).signed().hash();
    for at in &own[1..] {
        let bytes = Stored::block_of(&entries[*at]).expect("a block").to_vec();
        let mut header = *block(&entries[*at]).signed().header();
        header.before = before;
        entries[*at] = Stored::block(&signed_by(&thief, header, &bytes));
        before = block(&entries[*at]).signed().hash();
    }
    made.put(&entries);
    made.assert_found(&[
        "a rewritten tail",
        "blocks 1 to 3 of log ",
        ONE,
        "Touches: Cyrillianne",
        "Di",
    ]);
}

/// What node 1 writes in the place of its last block, with its own key: what stood in another one.
fn another_last(made: &Made, entries: &[Vec<u8>]) -> Vec<u8> {
    let own = made.own(entries);
    let head = block(&entries[own[2]]).signed().head();
    let said = block(&entries[own[1]]).entries().to_vec();
    let lamport = block(&entries[own[3]]).signed().header().lamport;
    let mut pen = Pen::go_on(made.identity(1), &head);
    Stored::block(pen.sign(said, lamport, 0).expect("room").bytes())
}

#[test]
fn a_tail_that_its_author_rewrote_is_found_by_what_a_peer_saw() {
    let made = made("verify-rewritten");
    let mut entries = made.entries();
    let own = made.own(&entries);
    let seen = block(&entries[own[3]]).signed().head();
    let others = blocks_of(&entries, made.identity(2));
    let last = block(&entries[*others.last().expect("Bo")]);
    let mut witness = Pen::go_on(made.identity(2), &last.signed().head());
    let said = Entry::Checkpoint([seen].into_iter().collect());
    entries.push(Stored::block(witness.sign(vec![said], 99, 0).expect("room").bytes()));
    entries[own[3]] = another_last(&made, &entries);
    made.put(&entries);
    let who = format!("Who saw another block: {TWO}");
    made.assert_found(&["a rewritten past", "block 3 of log ", ONE, &who, "Touches: Cyrillianne"]);
}

#[test]
fn a_block_in_the_place_of_another_is_found() {
    let made = made("verify-replaced");
    let mut entries = made.entries();
    let own = made.own(&entries);
    let head = block(&entries[own[0]]).signed().head();
    let header = *block(&entries[own[1]]).signed().header();
    let said = block(&entries[own[3]]).entries().to_vec();
    let other = Pen::go_on(made.identity(1), &head).sign(said, header.lamport, 0).expect("room");
    entries[own[1]] = Stored::block(other.bytes());
    made.put(&entries);
    made.assert_found(&["a block put in the place of another", "block 2 of log ", "Touches: Ana"]);
}

#[test]
fn a_signed_fork_is_found_until_people_have_looked_into_it() {
    let made = made("verify-fork");
    let mut entries = made.entries();
    let own = made.own(&entries);
    let other = another_last(&made, &entries);
    let proof =
        ForkProof::new(block(&entries[own[3]]).signed().clone(), block(&other).signed().clone());
    let proof = proof.expect("a fork");
    entries.push(other);
    made.put(&entries);
    made.assert_found(&["a signed fork", "block 3 of log ", ONE, "Touches: ", LONG, "Di"]);
    // As a node keeps it that was told by its peers.
    entries.pop();
    entries.push(Stored::proof(&proof));
    made.put(&entries);
    made.assert_found(&["a signed fork", "block 3 of log ", "Touches: Di"]);
    let others = blocks_of(&entries, made.identity(2));
    let last = block(&entries[*others.last().expect("Bo")]);
    let release = Entry::Release { name: proof.name(), sequence: proof.sequence() };
    let mut pen = Pen::go_on(made.identity(2), &last.signed().head());
    entries.push(Stored::block(pen.sign(vec![release], 99, 0).expect("room").bytes()));
    made.put(&entries);
    let (_, out) = made.verify();
    assert!(out.contains("Mended: a signed fork") && !out.contains("NOT VERIFIED"), "{out}");
}

#[test]
fn a_missing_beginning_is_found() {
    let made = made("verify-birth");
    let mut entries = made.entries();
    entries.remove(0);
    made.put(&entries);
    made.assert_found(&["the beginning of the ledger is missing", "Touches: no record"]);
}

#[test]
fn a_text_changed_by_hand_is_told_row_by_row() {
    let made = made("verify-text");
    let path = made.network.database(1);
    let right = fs::read_to_string(&path).expect("there");
    let edited: Vec<_> = right
        .lines()
        .filter(|line| !line.starts_with("Cyrillianne, "))
        .map(|line| {
            if line.starts_with("Di, ") { line.replace("missing", "deceased") } else { line.into() }
        })
        .chain(["Eve, , , missing,".to_owned()])
        .collect();
    fs::write(&path, edited.join("\n") + "\n").expect("written");
    let (code, out) = made.verify();
    assert_eq!(code, Some(1), "{out}");
    for words in [
        "DATABASE1.txt differs from the ledger in 3 records; in 2 it is the same",
        "changed: Di, , , deceased, ",
        "ledger: Di, , , missing, ",
        "only in the file: Eve, , , missing",
        "only in the ledger: Cyrillianne, ",
        "changed by hand",
        "The ledger verifies; the text file does not say the same.",
    ] {
        assert!(out.contains(words), "{words:?} is not in:\n{out}");
    }
}

// --- the past of a record, and the whole ledger ---

#[test]
fn history_tells_what_menu_13_tells() {
    let made = made("verify-history");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (code, by_id, _) = made.run("history", &[&made.ana], true);
    assert_eq!(code, Some(0), "{by_id}");
    let (_, by_name, _) = made.run("history", &["ana"], true);
    assert_eq!(by_id, by_name);
    let told = lines(&by_id);
    assert_eq!(told[0], format!("People: Ana, tall, , found, {}", made.ana));
    assert!(told[1].starts_with(&format!("{ONE}, 20")) && told[1].ends_with(" by its clock"));
    assert_eq!(told.last().map(String::as_str), Some("    Status: missing -> found"));
    let mut node: Node = made.network.tier1(1);
    let menu = node.ask(&["13", &made.ana]);
    let menu: Vec<_> = menu.iter().map(|line| line.replace("node 1, this node", ONE)).collect();
    assert!(menu.ends_with(&told[1..]), "{menu:#?}\n{told:#?}");
    assert!(node.quit().success());
}

#[test]
fn history_asks_to_choose_and_finds_who_was_retracted() {
    let made = made("verify-choose");
    let (code, out, err) = made.run("history", &["missing"], false);
    assert_eq!(code, Some(1));
    assert!(out.contains("People: Cyrillianne, ") && out.contains("People: Di, "), "{out}");
    assert!(err.contains("3 matches") && err.contains("  -> Give the Id"), "{err}");
    let (code, _, err) = made.run("history", &["nobody"], false);
    assert!(code == Some(1) && err.contains("nothing matches"), "{err}");
    let mut node = made.network.tier1(1);
    node.ask(&["14", "1", &made.ana, "entered twice"]);
    assert!(node.quit().success());
    let (code, out, _) = made.run("history", &[&made.ana], true);
    assert_eq!(code, Some(0));
    assert!(out.contains("It is retracted.") && out.contains("retracted: entered twice"), "{out}");
}

#[test]
fn the_ledger_as_json_says_every_block_whole() {
    let made = made("verify-json");
    let (code, out, _) = made.run("ledger", &["--json"], true);
    assert_eq!(code, Some(0));
    let lines: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), made.entries().len());
    assert_eq!(lines[0]["type"], "birth");
    assert!(lines.iter().all(|line| line["verified"] == true));
    let own: Vec<_> = lines.iter().filter(|line| line["peer"] == 1).collect();
    assert_eq!(own.len(), 4);
    for (at, pair) in own.windows(2).enumerate() {
        assert_eq!(pair[0]["hash"], pair[1]["before"]);
        assert_eq!(
            (&pair[0]["sequence"], pair[0]["signature"].as_str().map(str::len)),
            (&at.into(), Some(128))
        );
    }
    let (added, found) = (&own[0]["entries"][0], &own[2]["entries"][0]);
    assert_eq!(added["fields"]["Name"], "Ana");
    assert_eq!(found["fields"], serde_json::json!({ "Status": "found" }));
    assert_eq!(found["over"], serde_json::json!([added["operation"]]));
    assert_eq!(found["record"], added["record"]);
    assert_eq!(own[0]["organisation"], "Yangon General Hospital");
    assert_eq!(made.run("ledger", &[], false).0, Some(2), "only when it is asked for");
    // What does not verify says so.
    let mut entries = made.entries();
    let own = made.own(&entries);
    entries.remove(own[1]);
    made.put(&entries);
    let (_, out, _) = made.run("ledger", &["--json"], false);
    assert_eq!(out.matches("\"verified\":false").count(), 2, "{out}");
    assert!(out.contains("blocks before it are missing"), "{out}");
}
