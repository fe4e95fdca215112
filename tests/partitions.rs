//! Eight nodes whose links are cut and made whole at random while people write at all of them: afterwards all hold
//! the same to the byte, and of every field just the values that nobody has knowingly replaced.
//!
//! What is expected is worked out from what the screens showed: a change replaces the versions that its node listed
//! when it was typed, and no others. `REUNITE_PARTITION_SECONDS` says how long it goes on (600 for a full run),
//! `REUNITE_SEED` chooses the same again.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/links.rs"]
mod links;
mod support;

use links::Links;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reunite::model::section::Section;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};
use support::{Network, Node, contents, new_id, setting};

const NODES: usize = 8;
/// The column that is changed.
const APPEARANCE: u8 = 1;

/// A person, as the screens make one expect.
struct Person {
    name: String,
    /// Appearances that were saved and that nobody saw when another one was saved.
    current: BTreeSet<String>,
    /// All that were ever saved.
    all: BTreeSet<String>,
}

struct Trial {
    network: Network,
    links: Links,
    nodes: BTreeMap<usize, Node>,
    random: StdRng,
    count: usize,
    people: BTreeMap<String, Person>,
    /// Names of those who were retracted, by Id.
    retracted: BTreeMap<String, String>,
    done: BTreeMap<&'static str, usize>,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut network = Network::new("partitions", NODES);
        let links = Links::of(&mut network);
        let nodes = (1..=NODES).map(|number| (number, links.tier1(&network, number))).collect();
        Self {
            network,
            links,
            nodes,
            random: StdRng::seed_from_u64(seed),
            count: 0,
            people: BTreeMap::new(),
            retracted: BTreeMap::new(),
            done: BTreeMap::new(),
        }
    }

    /// Some links change, and people write at every node.
    fn round(&mut self) {
        match self.random.random_range(0..12) {
            0 => self.links.make_whole(),
            1 => {
                let number = self.random.random_range(1..=NODES);
                self.links.cut_off(number, true);
            }
            2 => {
                // Two halves that know nothing of each other.
                let half: Vec<_> = (1..=NODES).filter(|_| self.random.random_bool(0.5)).collect();
                for one in &half {
                    for other in (1..=NODES).filter(|other| !half.contains(other)) {
                        self.links.set(*one, other, true);
                    }
                }
            }
            _ => {
                let one = self.random.random_range(1..=NODES);
                let other = self.random.random_range(1..=NODES);
                if one != other {
                    let cut = self.random.random_bool(0.5);
                    self.links.set(one, other, cut);
                }
            }
        }
        for number in 1..=NODES {
            match self.random.random_range(0..10) {
                0..=2 => self.add(number),
                3..=6 => self.update(number),
                7..=8 => self.settle(number),
                _ => self.retract(number),
            }
        }
    }

    fn unique(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what} {}", self.count)
    }

    /// Whether each thing that people do was really done.
    fn has_done_all(&self) -> bool {
        ["added", "updated", "settled", "retracted"].iter().all(|what| self.done.contains_key(what))
    }

    /// Counts something that was really done.
    fn did(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    fn node(&mut self, number: usize) -> &mut Node {
        self.nodes.get_mut(&number).expect("it runs")
    }

    fn add(&mut self, number: usize) {
        let (name, appearance) = (self.unique("Person"), self.unique("added"));
        let shown = self.node(number).ask(&["3", &name, &appearance, "", "missing"]);
        let id = shown.iter().find_map(|line| new_id(line)).expect("saved");
        let values = BTreeSet::from([appearance]);
        let person = Person { name, current: values.clone(), all: values };
        self.people.insert(id, person);
        self.did("added");
    }

    fn somebody(&mut self) -> Option<String> {
        // Mostly of the last few, so that several change the same.
        let from = match self.random.random_bool(0.8) {
            true => self.people.len().saturating_sub(30),
            false => 0,
        };
        let at = self.random.random_range(from..self.people.len().max(from + 1));
        // In the order in which they were entered.
        let mut ids: Vec<_> =
            self.people.iter().map(|(id, one)| (one.name.len(), &one.name, id)).collect();
        ids.sort();
        ids.get(at).map(|(_, _, id)| (*id).clone())
    }

    /// Menu 4, at a node that may not know of the person yet.
    fn update(&mut self, number: usize) {
        if let Some(id) = self.somebody() {
            self.update_of(number, id);
        }
    }

    fn update_of(&mut self, number: usize, id: String) {
        let new = self.unique("updated");
        let node = self.node(number);
        node.type_lines(&["4", &id]);
        if node.wait_for_either("Nothing matches.", "An empty line keeps") {
            node.wait_for("Number (Enter");
            return;
        }
        let shown = node.ask(&["", &new, "", ""]);
        self.saved(&id, &seen(&shown), new, &shown);
        self.did("updated");
    }

    /// Menu 12: one of the records of which this node has several versions.
    fn settle(&mut self, number: usize) {
        let chosen = self.random.random_range(1..=30_usize);
        let new = self.unique("settled");
        let node = self.node(number);
        node.type_lines(&["12"]);
        if node.wait_for_either("There is no conflict.", "Several versions of") {
            node.wait_for("Number (Enter");
            return;
        }
        let listed = node.lines_until("Which one (1-");
        let rows: Vec<_> = listed.iter().filter(|line| line.contains(" People: ")).collect();
        let at = chosen % rows.len() + 1;
        let row = rows[at - 1].clone();
        let id = row.rsplit(", ").next().expect("an Id").to_owned();
        let node = self.node(number);
        let shown = node.ask(&[&at.to_string(), &format!("={new}")]);
        self.saved(&id, &seen(&shown), new, &shown);
        self.did("settled");
    }

    /// Takes note of a change that was saved by somebody who saw these versions.
    fn saved(&mut self, id: &str, seen: &BTreeSet<String>, new: String, shown: &[String]) {
        let saved = shown.iter().any(|line| line.contains("Saved. "));
        assert!(saved && !seen.is_empty(), "not saved, or nothing seen: {shown:#?}");
        let person = self.people.get_mut(id).expect("somebody who was entered");
        assert!(seen.is_subset(&person.all), "nobody ever wrote {seen:?}");
        person.current.retain(|value| !seen.contains(value));
        person.current.insert(new.clone());
        person.all.insert(new);
    }

    /// Menu 14, of somebody whom nobody changes: their name says so.
    fn retract(&mut self, number: usize) {
        let name = self.unique("Wrong");
        let node = self.node(number);
        let shown = node.ask(&["3", &name, "thin", "", "missing"]);
        let id = shown.iter().find_map(|line| new_id(line)).expect("saved");
        let shown = node.ask(&["14", "1", &id, "it is there twice"]);
        assert!(shown.iter().any(|line| line.contains("Saved. ")), "{shown:#?}");
        self.retracted.insert(id, name);
        self.did("retracted");
    }

    /// With all links cut, the same few people are changed at every node.
    fn divide(&mut self) {
        for number in 1..=NODES {
            self.links.cut_off(number, true);
        }
        let first: Vec<_> = self.people.keys().take(3).cloned().collect();
        for id in first {
            (1..=NODES).for_each(|number| self.update_of(number, id.clone()));
        }
    }

    // --- in the end ---

    fn texts(&self) -> Vec<Vec<u8>> {
        let read = |number| fs::read(self.network.database(number)).unwrap_or_default();
        (1..=NODES).map(read).collect()
    }

    /// All links are whole, and all nodes come to hold the same.
    fn come_together(&mut self) {
        self.links.make_whole();
        let (mut asked, mut turns) = (Instant::now(), 0);
        self.nodes.values_mut().for_each(|node| node.type_lines(&["9"]));
        let expected = self.people.len();
        loop {
            let texts = self.texts();
            let whole = contents(&texts[0]).rows[0].len() == expected;
            // Of what was retracted no text says whether it has come.
            if whole && texts.iter().all(|text| *text == texts[0]) && self.digests().len() == 1 {
                return;
            }
            // Calls that were begun while links were cut are in the way of new ones for some seconds.
            if asked.elapsed() > Duration::from_secs(2) {
                (asked, turns) = (Instant::now(), turns + 1);
                assert!(turns < 90, "they do not come together: {:?}", self.differences());
                self.nodes.values_mut().for_each(|node| node.type_lines(&["9"]));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The numbers under which the nodes show what they have.
    fn digests(&mut self) -> BTreeSet<String> {
        let digest = |number| {
            let shown = self.behind_all(number).ask(&["15"]);
            let line = shown.iter().find(|line| line.contains("have the same number"));
            line.expect("it is told").clone()
        };
        (1..=NODES).map(digest).collect()
    }

    /// A node, behind the answers to all that was typed at it.
    fn behind_all(&mut self, number: usize) -> &mut Node {
        let node = self.node(number);
        node.type_lines(&["99"]);
        node.wait_for("There is no such number in the menu.");
        node.wait_for("Number (Enter");
        node
    }

    /// How many people each node has, and how many rows that the first has not.
    fn differences(&self) -> Vec<(usize, usize)> {
        let rows = |text: &[u8]| -> BTreeSet<String> {
            contents(text).rows[0].iter().map(|row| row.line().to_owned()).collect()
        };
        let texts = self.texts();
        let first = rows(&texts[0]);
        texts.iter().map(|text| (rows(text).len(), rows(text).difference(&first).count())).collect()
    }

    fn check(mut self) {
        let contested = self.people.values().filter(|one| one.current.len() > 1).count();
        let mut listed = Vec::new();
        for number in 1..=NODES {
            let node = self.behind_all(number);
            node.type_lines(&["12"]);
            let mut shown = Vec::new();
            if !node.wait_for_either("There is no conflict.", "Several versions of") {
                shown.extend(node.lines_until("Which one (1-"));
                node.type_lines(&[""]);
            }
            node.wait_for("Number (Enter");
            shown.retain(|line| line.contains(" People: "));
            assert_eq!(shown.len(), contested.min(30), "node {number} lists {shown:#?}");
            listed.push(shown);
        }
        assert!(
            listed.iter().all(|one| *one == listed[0]),
            "other conflicts are listed: {listed:#?}"
        );
        for (_, node) in std::mem::take(&mut self.nodes) {
            let told = node.shown();
            assert!(!told.contains("two histories") && !told.contains("put back"), "{told}");
            assert!(node.quit().success());
        }
        (1..=NODES).for_each(|number| self.check_ledger(number));
        assert!(contested > 0, "nobody changed the same");
        println!("{:?}; {contested} with several versions in the end", self.done);
    }

    /// What a node's ledger says is what the screens make one expect.
    fn check_ledger(&self, number: usize) {
        let replica = self.network.ledger(number);
        let (state, mut seen) = (replica.state(), BTreeSet::new());
        for about in state.records().filter(|about| about.section == Section::People) {
            let view = state.view(about).expect("there");
            let id = view.row().field(4).into_owned();
            if let Some(name) = self.retracted.get(&id) {
                assert!(view.is_hidden(), "{name} is there");
                continue;
            }
            let person = self.people.get(&id).unwrap_or_else(|| panic!("nobody entered {id}"));
            let column = view.column(APPEARANCE).iter().filter_map(|one| one.value.clone());
            let current: BTreeSet<_> = column.collect();
            assert_eq!(current, person.current, "{}: {:?}", person.name, state.history(about));
            let history = state.history(about).into_iter().flat_map(|change| change.values);
            let all: BTreeSet<_> = history
                .filter(|(field, _)| *field == APPEARANCE)
                .filter_map(|(_, value)| value)
                .collect();
            assert_eq!(all, person.all, "{}: the history", person.name);
            assert!(!view.is_hidden());
            seen.insert(id);
        }
        assert_eq!(seen.len(), self.people.len(), "somebody who was saved is not there");
    }
}

/// The versions of the appearance that were shown while a person was changed.
fn seen(shown: &[String]) -> BTreeSet<String> {
    let one = shown.iter().find_map(|line| {
        let (_, rest) = line.split_once("Appearance [")?;
        Some(rest.trim_end().strip_suffix("]:")?.to_owned())
    });
    if let Some(one) = one {
        return BTreeSet::from([one]);
    }
    let from = shown.iter().position(|line| line.contains("Appearance has "));
    let listed = shown.iter().skip(from.map_or(usize::MAX, |from| from + 1));
    // What comes in from peers may stand between them.
    let listed = listed.take_while(|line| !line.contains("or what is right;"));
    let version = |line: &String| {
        let (number, rest) = line.trim_start().split_once(' ')?;
        number.parse::<usize>().ok()?;
        Some(rest.split_once("  (")?.0.to_owned())
    };
    listed.filter_map(version).collect()
}

#[test]
fn eight_nodes_whose_links_are_cut_at_random_lose_nothing_and_end_with_the_same_bytes() {
    let seconds = setting("REUNITE_PARTITION_SECONDS").unwrap_or(6);
    let seed = setting("REUNITE_SEED").unwrap_or_else(rand::random);
    println!("to choose the same again: REUNITE_SEED={seed}");
    let mut trial = Trial::new(seed);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) || !trial.has_done_all() {
        trial.round();
        assert!(begun.elapsed() < Duration::from_secs(seconds + 60), "only {:?}", trial.done);
    }
    trial.divide();
    let written = Instant::now();
    trial.come_together();
    println!("they are together {:?} after all links are whole", written.elapsed());
    trial.check();
}
