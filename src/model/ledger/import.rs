//! Rows of text as operations: an old database, rows of classic peers, what somebody wrote into the file by hand.
//!
//! A row that is imported is the same operation on every node that imports it. So who edits it where it was taken
//! up once has edited it everywhere, and a stale copy brings nothing back.

use crate::base::error::Result;
use crate::model::ledger::merkle::sha256;
use crate::model::ledger::names::{Namer, RecordId};
use crate::model::ledger::operation::{About, Field, Kind, Operation};
use crate::model::ledger::state::{State, values_of};
use crate::model::ledger::view::View;
use crate::model::records::id_of;
use crate::model::row::Row;
use crate::model::section::Section;
use rand::CryptoRng;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What a row from elsewhere brings: `None` if nothing. Of a record that is here only values count that it never
/// had: they stand beside what holds, as a conflict, until somebody settles it.
pub fn import(
    state: &State,
    namer: &Namer,
    section: Section,
    row: &Row,
) -> Result<Option<Operation>> {
    let about = meant(state, namer, section, row);
    let mut values = values_of(row);
    if state.has_record(about) {
        values.retain(|field, value| !value.is_empty() && !state.ever_held(about, *field, value));
        if values.is_empty() {
            return Ok(None);
        }
    }
    imported(namer, about, values).map(Some)
}

/// What a person says who enters this row here and now. A record that is here is edited, or shown again.
pub fn enter(
    state: &State,
    namer: &Namer,
    section: Section,
    row: &Row,
    rng: &mut impl CryptoRng,
) -> Result<Vec<Operation>> {
    let about = meant(state, namer, section, row);
    match state.view(about) {
        None => imported(namer, about, values_of(row)).map(|operation| vec![operation]),
        Some(view) => change(&view, row, rng),
    }
}

/// The people of whom an old database has rows under `Replaced:`: somebody said that another row is right.
#[derive(Debug)]
pub struct Replacements<'a> {
    namer: &'a Namer,
    /// Of each of them the first row of `People`.
    shown: BTreeMap<RecordId, Option<Row>>,
}

impl<'a> Replacements<'a> {
    /// Those with these rows under `Replaced:`.
    pub fn new<'r>(namer: &'a Namer, rows: impl Iterator<Item = &'r Row>) -> Self {
        let name = |row: &Row| (namer.record(Section::Replaced, row), None);
        Self { namer, shown: rows.map(name).collect() }
    }

    /// A row of `People` of the same database, in the order of the file.
    pub fn note(&mut self, row: &Row) {
        if self.shown.is_empty() {
            return;
        }
        if let Some(shown) = self.shown.get_mut(&self.namer.record(Section::People, row)) {
            shown.get_or_insert_with(|| row.clone());
        }
    }

    /// What people said. It is to be made when all rows, also the replaced ones, have been imported.
    pub fn said(self) -> impl Iterator<Item = (About, Replaced)> {
        self.shown.into_iter().map(|(record, by)| {
            let about = About { section: Section::People, record };
            (about, by.map_or(Replaced::Gone, Replaced::By))
        })
    }
}

/// What became of a row under `Replaced:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// This row of the same person stands instead.
    By(Row),
    /// A row that cannot be told from it stands instead.
    Gone,
}

impl Replaced {
    /// The operations that say so: over all that `view` shows.
    pub fn settle(
        self,
        view: &View,
        reason: &str,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Operation>> {
        match self {
            Self::By(row) => view.edit(values_of(&row), rng),
            Self::Gone => view.retract(reason, rng),
        }
    }
}

/// What somebody changed in a file by hand.
#[derive(Debug, Default)]
pub struct HandEdits {
    /// The changes.
    pub operations: Vec<Operation>,
    /// Rows that cannot be operations, as they are.
    pub strange: Vec<(Section, Row)>,
    /// Rows that say only what was said of their record before: a stale copy says the same, and undoes nothing.
    pub stale: usize,
}

/// What somebody changed in the file by hand. `base` is the state that the file showed. A changed row with an Id is
/// an edit over what was shown, an unknown row is new, and a missing one means nothing: a file that was cut off
/// deletes nobody.
pub fn hand_edits(
    base: &State,
    namer: &Namer,
    rows: &[(Section, Row)],
    rng: &mut impl CryptoRng,
) -> HandEdits {
    let (mut changed, mut intact) = (Vec::new(), HashSet::new());
    for (section, row) in rows.iter().filter(|(section, _)| *section != Section::Replaced) {
        let about = about(namer, *section, row);
        match base.view(about) {
            Some(view) if !view.is_hidden() && view.row() == *row => {
                intact.insert(about);
            }
            _ => changed.push((*section, row)),
        }
    }
    let (mut edits, mut seen) = (HandEdits::default(), BTreeSet::new());
    let shown = if changed.is_empty() { Shown::default() } else { Shown::new(base) };
    // A record is named by the Id that it once had: its row is known by what it says.
    let by_line = |section, row: &Row| shown.lines.get(&row_key(section, row.line())).copied();
    intact.extend(changed.iter().filter_map(|(section, row)| by_line(*section, row)));
    for (section, row) in changed {
        if by_line(section, row).is_some() {
            continue;
        }
        let own = about(namer, section, row);
        let by_id = (section == Section::People).then(|| id_of(row)).flatten();
        let by_id = by_id.and_then(|id| shown.ids.get(&row_key(section, id)).copied());
        let meant = by_id.unwrap_or(own);
        // Beside its intact row, another row of the same person is another version and no edit.
        let view = base.view(meant).filter(|_| !intact.contains(&meant));
        let made = match view {
            Some(view) => by_hand(base, &view, row, rng),
            None => import(base, namer, section, row).map(|made| made.into_iter().collect()),
        };
        match made {
            Ok(made) if made.is_empty() => edits.stale += 1,
            Ok(made) => {
                edits.operations.extend(made.into_iter().filter(|one| seen.insert(one.id())));
            }
            Err(_) => edits.strange.push((section, row.clone())),
        }
    }
    edits
}

/// What a row says that was never said of its record before. Who saved an old copy of the file did not mean to undo
/// what others wrote since, and a row that was retracted does not come back by it.
fn by_hand(
    base: &State,
    view: &View,
    row: &Row,
    rng: &mut impl CryptoRng,
) -> Result<Vec<Operation>> {
    let mut values = view.changes(row);
    values.retain(|field, value| !base.ever_held(view.about(), *field, value));
    if values.is_empty() { Ok(Vec::new()) } else { view.edit(values, rng) }
}

/// What the rows of a state say, as hashes.
#[derive(Default)]
struct Shown {
    lines: HashMap<[u8; 16], About>,
    /// The records that show these Ids.
    ids: HashMap<[u8; 16], About>,
}

impl Shown {
    fn new(state: &State) -> Self {
        let mut shown = Self::default();
        for view in state.records().filter_map(|about| state.view(about)) {
            if view.is_hidden() {
                continue;
            }
            let (section, row) = (view.about().section, view.row());
            shown.lines.insert(row_key(section, row.line()), view.about());
            if let Some(id) = (section == Section::People).then(|| id_of(&row)).flatten() {
                shown.ids.insert(row_key(section, id), view.about());
            }
        }
        shown
    }
}

/// What the row of a section, or an Id in it, is known by: half of a hash.
pub fn row_key(section: Section, text: &str) -> [u8; 16] {
    let hash = sha256(&[section.title().as_bytes(), b"\0", text.as_bytes()]);
    let (half, _) = hash.split_first_chunk().expect("a hash has 32 bytes");
    *half
}

/// What somebody wants who puts `row` in the place of what `view` shows.
fn change(view: &View, row: &Row, rng: &mut impl CryptoRng) -> Result<Vec<Operation>> {
    let values = view.changes(row);
    match (values.is_empty(), view.is_hidden()) {
        (true, true) => view.restore(rng),
        (true, false) => Ok(Vec::new()),
        (false, _) => view.edit(values, rng),
    }
}

/// The record that a row means: the one of its name, or one that somebody gave its Id later.
pub fn meant(state: &State, namer: &Namer, section: Section, row: &Row) -> About {
    let named = about(namer, section, row);
    let id = (section == Section::People && !state.has_record(named)).then(|| id_of(row)).flatten();
    let later = id.and_then(|id| state.given(id));
    later.map_or(named, |record| About { record, ..named })
}

fn about(namer: &Namer, section: Section, row: &Row) -> About {
    let record = namer.record(section, row);
    let section = if section == Section::Replaced { Section::People } else { section };
    About { section, record }
}

/// The operation that is the same wherever this is imported.
fn imported(namer: &Namer, about: About, values: BTreeMap<Field, String>) -> Result<Operation> {
    let mut said = about.record.as_bytes().to_vec();
    for (field, value) in &values {
        said.push(*field);
        said.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        said.extend_from_slice(value.as_bytes());
    }
    let secret = namer.import_secret(&[&said]);
    Operation::open(about, Kind::Set, secret.into(), values, BTreeSet::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::entry::Entry;
    use crate::model::ledger::pen::Pen;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    /// A node with its text, for tests.
    struct Node {
        pen: Pen,
        lamport: u64,
        state: State,
        namer: Namer,
        rng: StdRng,
    }

    fn node(byte: u8) -> Node {
        let identity = Identity::new(SecretKey::from([byte; 32]));
        let namer = Namer::new(&SecretKey::from([7; 32]));
        let (pen, rng) = (Pen::begin(&identity, 1.into()), StdRng::seed_from_u64(byte.into()));
        Node { pen, lamport: 0, state: State::default(), namer, rng }
    }

    impl Node {
        fn write(&mut self, operations: Vec<Operation>) {
            if operations.is_empty() {
                return;
            }
            self.lamport += 1;
            let entries = operations.into_iter().map(Entry::Change).collect();
            let block = self.pen.sign(entries, self.lamport, 0).expect("room");
            self.state.apply(&block).expect("room");
        }

        fn import(&mut self, row: &Row) -> bool {
            let made = import(&self.state, &self.namer, Section::People, row).expect("right");
            let is_new = made.is_some();
            self.write(made.into_iter().collect());
            is_new
        }

        fn enter(&mut self, row: &Row) {
            let made = enter(&self.state, &self.namer, Section::People, row, &mut self.rng);
            self.write(made.expect("right"));
        }

        fn view(&self, row: &Row) -> View {
            self.state.view(about(&self.namer, Section::People, row)).expect("there")
        }

        fn retract(&mut self, row: &Row) {
            let made = self.view(row).retract("twice", &mut self.rng).expect("right");
            self.write(made);
        }

        /// Takes up a text that somebody edited. Returns how many operations that made.
        fn edited(&mut self, rows: &[Row]) -> usize {
            let rows: Vec<_> = rows.iter().map(|row| (Section::People, row.clone())).collect();
            let edits = hand_edits(&self.state, &self.namer, &rows, &mut self.rng);
            assert!(edits.strange.is_empty());
            let count = edits.operations.len();
            self.write(edits.operations);
            count
        }

        fn lines(&self) -> Vec<String> {
            let rows = self.state.rows(Section::People);
            rows.iter().map(|row| row.line().to_owned()).collect()
        }

        fn conflicts(&self) -> usize {
            self.state.conflicts().len()
        }
    }

    fn row(name: &str, status: &str, id: &str) -> Row {
        Row::new(&[name, "", "", status, id])
    }

    #[test]
    fn one_row_imported_on_two_nodes_is_one_operation() {
        let (mut one, mut other) = (node(1), node(2));
        let ana = row("Ana", "missing", "17");
        assert!(one.import(&ana) && other.import(&ana) && !one.import(&ana));
        assert_eq!(one.view(&ana).heads(), other.view(&ana).heads());
    }

    #[test]
    fn a_stale_row_brings_nothing_back_and_a_new_value_is_a_version() {
        let mut node = node(1);
        let (missing, found) = (row("Ana", "missing", "17"), row("Ana", "found", "17"));
        node.import(&missing);
        node.enter(&found);
        assert!(!node.import(&missing), "stale");
        assert_eq!(node.lines(), ["Ana, , , found, 17"]);
        assert!(node.import(&row("Ana", "deceased", "17")));
        assert_eq!((node.conflicts(), node.lines().len()), (1, 1));
        let view = node.view(&found);
        let values = view.column(3).iter().map(|one| one.value.as_deref());
        assert_eq!(values.collect::<Vec<_>>(), [Some("deceased"), Some("found")]);
        // Written once more it is settled, also as what it is shown as already.
        let settled = view.edit(BTreeMap::from([(3, "deceased".into())]), &mut node.rng);
        node.write(settled.expect("right"));
        assert_eq!((node.conflicts(), node.lines()), (0, vec!["Ana, , , deceased, 17".into()]));
    }

    #[test]
    fn what_was_retracted_stays_so_until_a_person_enters_it_again() {
        let mut node = node(1);
        let ana = row("Ana", "missing", "17");
        node.import(&ana);
        node.retract(&ana);
        assert!(!node.import(&ana) && node.lines().is_empty());
        node.enter(&ana);
        assert_eq!(node.lines(), ["Ana, , , missing, 17"]);
        let kinds: Vec<_> =
            node.state.history(node.view(&ana).about()).iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [Kind::Set, Kind::Retract, Kind::Restore]);
    }

    #[test]
    fn edits_by_hand_are_changes_of_what_the_file_showed_and_missing_rows_are_none() {
        let mut node = node(1);
        let rows = [row("Ana", "missing", "17"), row("Bo", "missing", "18"), row("Cy", "", "")];
        rows.iter().for_each(|row| node.enter(row));
        assert_eq!(node.edited(&rows), 0, "nothing was changed");
        assert_eq!(node.edited(&[]), 0, "cut off");
        assert_eq!(node.edited(&[row("Bo", "found", "18"), row("Di", "", "")]), 2);
        let lines = ["Ana, , , missing, 17", "Bo, , , found, 18", "Cy, , , ,", "Di, , , ,"];
        assert_eq!((node.lines(), node.conflicts()), (lines.map(str::to_owned).to_vec(), 0));
    }

    #[test]
    fn two_rows_of_one_person_written_by_hand_are_versions() {
        let mut one = node(1);
        let ana = row("Ana", "missing", "17");
        one.enter(&ana);
        one.edited(&[ana.clone(), row("Ana", "found", "17")]);
        assert_eq!(one.conflicts(), 1, "beside the row that was there");
        let mut other = node(1);
        other.enter(&ana);
        other.edited(&[row("Ana", "deceased", "17"), row("Ana", "found", "17")]);
        assert_eq!(other.conflicts(), 1, "instead of it");
        let view = other.view(&ana);
        assert!(view.column(3).iter().all(|one| one.value.as_deref() != Some("missing")));
    }

    #[test]
    fn a_person_whose_id_was_changed_is_found_by_the_id_that_is_shown() {
        let mut node = node(1);
        let ana = row("Ana", "missing", "17");
        node.enter(&ana);
        let change = node.view(&ana).edit(BTreeMap::from([(4, "18".into())]), &mut node.rng);
        node.write(change.expect("right"));
        assert_eq!(node.edited(&[row("Ana", "missing", "18")]), 0);
        assert_eq!(node.edited(&[row("Ana", "found", "18")]), 1);
        assert_eq!(node.lines(), ["Ana, , , found, 18"]);
    }

    #[test]
    fn a_row_with_an_id_that_was_given_here_is_no_new_person() {
        let mut node = node(1);
        node.enter(&row("Ana", "missing", ""));
        let change = node
            .view(&row("Ana", "missing", ""))
            .edit(BTreeMap::from([(4, "17".into())]), &mut node.rng);
        node.write(change.expect("right"));
        assert!(!node.import(&row("Ana", "missing", "17")));
        assert!(node.import(&row("Ana", "found", "17")));
        assert_eq!((node.lines().len(), node.conflicts()), (1, 1));
    }

    #[test]
    fn an_old_database_is_taken_up_with_what_was_replaced_in_it() {
        let mut node = node(1);
        let old = [
            (Section::People, row("Ana", "found", "17")),
            (Section::People, row("Bo", "", "18")),
            (Section::People, row("Bo", "found", "18")),
            (Section::Replaced, row("Ana", "missing", "17")),
            (Section::Replaced, row("Cy", "", "")),
        ];
        let namer = Namer::new(&SecretKey::from([7; 32]));
        let mut replaced = Replacements::new(&namer, old.iter().skip(3).map(|(_, row)| row));
        for (section, row) in &old {
            if *section == Section::People {
                replaced.note(row);
            }
            node.import(row);
        }
        for (about, replaced) in replaced.said() {
            let view = node.state.view(about).expect("there");
            let made = replaced.settle(&view, "replaced", &mut node.rng);
            node.write(made.expect("right"));
        }
        assert_eq!((node.lines().len(), node.conflicts()), (2, 1));
        assert_eq!(node.lines()[0], "Ana, , , found, 17");
        for (_, stale) in &old {
            assert!(!node.import(stale));
        }
    }
}
