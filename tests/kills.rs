//! kill -9 at random moments, while people are entered and while nodes bring each other into step: all that was
//! said to be saved is in the ledger's file each time, no file is unreadable, the next start needs nobody, and in
//! the end all nodes hold the same.
//!
//! `REUNITE_KILLS` says how many nodes are killed (10000 for a full run), `REUNITE_SEED` chooses the same moments
//! again as far as a seed can.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};
use support::{Network, Node, contents, new_id, setting, until};

const NODES: usize = 3;
/// The one at which people are entered.
const WRITER: usize = 1;
/// Kills in one network, before the next one begins with nothing.
const KILLS_OF_NETWORK: usize = 100;

/// What somebody typed, and what it puts into the ledger that nothing else does.
enum Typed {
    Add(String),
    Update { id: String, appearance: String },
}

struct Trial {
    network: Network,
    nodes: BTreeMap<usize, Node>,
    random: StdRng,
    /// What was typed at the writer since it was started.
    typed: Vec<Typed>,
    count: usize,
    /// Names and appearances that were said to be saved.
    saved: BTreeSet<String>,
    /// By node, what was in its ledger's file when it was last killed.
    held: BTreeMap<usize, BTreeSet<String>>,
    /// Of those who were entered and saved, by Id, the last appearance that was typed, and the last that was saved.
    people: BTreeMap<String, (String, String)>,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let network = Network::new("kills", NODES);
        let nodes = (1..=NODES).map(|number| (number, network.tier1(number))).collect();
        Self {
            network,
            nodes,
            random: StdRng::seed_from_u64(seed),
            typed: Vec::new(),
            count: 0,
            saved: BTreeSet::new(),
            held: BTreeMap::new(),
            people: BTreeMap::new(),
        }
    }

    fn writer(&mut self) -> &mut Node {
        self.nodes.get_mut(&WRITER).expect("it runs")
    }

    /// People are entered and changed, and at a random moment a node is killed and started again.
    fn round(&mut self) {
        for _ in 0..self.random.random_range(1..=8) {
            self.type_something();
        }
        if self.random.random_bool(0.2) {
            let number = self.random.random_range(1..=NODES);
            self.nodes.get_mut(&number).expect("it runs").type_lines(&["9"]);
        }
        if self.random.random_bool(0.5) {
            // Waits for nothing: it makes every moment one at which a node may be killed.
            thread::sleep(Duration::from_micros(self.random.random_range(0..30_000)));
        } else {
            let typed = self.typed.len();
            let answers = self.random.random_range(1..=typed);
            self.writer().wait_for_times("Saved. ", answers);
        }
        let victim = [WRITER, WRITER, WRITER, 2, 3][self.random.random_range(0..5)];
        self.kill_and_restart(victim);
    }

    fn type_something(&mut self) {
        self.count += 1;
        let text = format!("unique {}", self.count);
        let update = (self.random.random_bool(0.3))
            .then(|| self.random.random_range(0..self.people.len().max(1)))
            .and_then(|at| self.people.keys().nth(at).cloned());
        if let Some(id) = update {
            self.writer().type_lines(&["4", &id, "", &text, "", ""]);
            self.people.get_mut(&id).expect("chosen of them").0 = text.clone();
            self.typed.push(Typed::Update { id, appearance: text });
        } else {
            self.writer().type_lines(&["3", &text, "thin", "", "missing"]);
            self.typed.push(Typed::Add(text));
        }
    }

    fn kill_and_restart(&mut self, victim: usize) {
        let shown = self.nodes.remove(&victim).expect("it runs").kill_and_read();
        if victim == WRITER {
            self.note(&shown);
        }
        let values = self.values(victim);
        if victim == WRITER {
            let lost: Vec<_> = self.saved.difference(&values).collect();
            assert!(lost.is_empty(), "lost though it was saved: {lost:?}\n{}", shown.join("\n"));
        }
        let before = self.held.remove(&victim).unwrap_or_default();
        let lost: Vec<_> = before.difference(&values).collect();
        assert!(lost.is_empty(), "node {victim} had it on its disk, and lost it: {lost:?}");
        self.held.insert(victim, values);
        let text = fs::read(self.network.database(victim)).expect("the file is there");
        assert_eq!(text.last(), Some(&b'\n'), "node {victim}: the last line is cut off");
        let node = self.network.tier1(victim);
        assert!(!node.shown().contains("WARNING"), "it needs somebody:\n{}", node.shown());
        self.nodes.insert(victim, node);
    }

    /// Takes note of what the writer said was saved: one answer for each thing that was typed.
    fn note(&mut self, shown: &[String]) {
        let answers = shown.iter().filter(|line| line.starts_with("Saved. "));
        for (typed, answer) in std::mem::take(&mut self.typed).into_iter().zip(answers) {
            match typed {
                Typed::Add(name) => {
                    let id = new_id(answer).expect("an Id");
                    self.people.insert(id, ("thin".into(), "thin".into()));
                    self.saved.insert(name);
                }
                Typed::Update { id, appearance } => {
                    assert_eq!(answer, "Saved. The person is up to date.");
                    self.people.get_mut(&id).expect("known").1.clone_from(&appearance);
                    self.saved.insert(appearance);
                }
            }
        }
    }

    /// All values in the ledger's file of a node that does not run: it is whole, and verifies.
    fn values(&self, number: usize) -> BTreeSet<String> {
        let replica = self.network.ledger(number);
        let state = replica.state();
        let changes = state.records().flat_map(|about| state.history(about));
        changes.flat_map(|change| change.values).filter_map(|(_, value)| value).collect()
    }

    /// All nodes hold the same, and nothing is lost.
    fn settle(mut self) {
        let shown = self.nodes.remove(&WRITER).expect("it runs").kill_and_read();
        self.note(&shown);
        self.nodes.insert(WRITER, self.network.tier1(WRITER));
        let mut asked = Instant::now();
        self.nodes.values_mut().for_each(|node| node.type_lines(&["9"]));
        let read = |number| fs::read(self.network.database(number)).unwrap_or_default();
        let (nodes, people) = (&mut self.nodes, &self.people);
        until("all nodes hold the same, and all that was saved", || {
            // A call can meet another one, or a node that has just been started: it is tried again, but late.
            if asked.elapsed() > Duration::from_secs(1) {
                asked = Instant::now();
                nodes.values_mut().for_each(|node| node.type_lines(&["9"]));
            }
            let first = read(WRITER);
            (1..=NODES).all(|number| read(number) == first) && wrong(people, &first).is_empty()
        });
        for (number, node) in std::mem::take(&mut self.nodes) {
            let told = node.shown();
            assert!(!told.contains("two histories") && !told.contains("put back"), "{told}");
            assert!(node.quit().success());
            // Also what was replaced since then, which no text shows.
            let values = self.values(number);
            let lost: Vec<_> = self.saved.difference(&values).collect();
            assert!(lost.is_empty(), "it was saved, and node {number} has it not: {lost:?}");
        }
    }
}

/// Of whom a text does not say what was saved last, or typed after that.
fn wrong(people: &BTreeMap<String, (String, String)>, text: &[u8]) -> Vec<String> {
    let found = contents(text);
    assert_eq!(found.kept, [], "a line is not understood");
    let rows = found.rows[0].iter();
    let rows: BTreeMap<String, String> =
        rows.map(|row| (row.field(4).into_owned(), row.field(1).into_owned())).collect();
    let number = |text: &str| text.strip_prefix("unique ").map_or(0, digits);
    let is_wrong = |id: &&String| {
        let (typed, saved) = &people[*id];
        rows.get(*id).is_none_or(|one| !(number(saved)..=number(typed)).contains(&number(one)))
    };
    people.keys().filter(is_wrong).cloned().collect()
}

fn digits(text: &str) -> usize {
    text.parse().expect("a number")
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_saved_and_the_next_start_needs_nobody() {
    let kills = setting("REUNITE_KILLS").unwrap_or(60) as usize;
    let seed = setting("REUNITE_SEED").unwrap_or_else(rand::random);
    println!("to choose the same again: REUNITE_SEED={seed} (and for how many: REUNITE_KILLS)");
    let (begun, mut done, mut saved) = (Instant::now(), 0, 0);
    while done < kills {
        let of_network = KILLS_OF_NETWORK.min(kills - done);
        let mut trial = Trial::new(seed.wrapping_add(done as u64));
        (0..of_network).for_each(|_| trial.round());
        done += of_network;
        let people = trial.people.len();
        saved += trial.saved.len();
        trial.settle();
        println!(
            "{done} kills, {people} people here, {saved} changes saved, {:?}",
            begun.elapsed()
        );
    }
    assert!(saved > 0, "nothing was ever saved");
}
