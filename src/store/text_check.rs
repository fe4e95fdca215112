//! Holds the text file of a database against what its ledger says, and changes neither.

use crate::base::error::Result;
use crate::model::ledger::import::row_key;
use crate::model::ledger::names::RecordId;
use crate::model::ledger::operation::{About, Kind, Operation};
use crate::model::ledger::state::{State, values_of};
use crate::model::limits::{MAX_DIFFERENCES, MAX_TEXT_FILE};
use crate::model::reader::{Item, Origin, Reader};
use crate::model::records::id_of;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::store::files;
use crate::store::text::Base;
use ring::digest::{Context, SHA256};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// How a text differs from its ledger.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Rows that both have.
    pub same: usize,
    /// Rows that the ledger shows otherwise, and how it shows them.
    pub changed: Vec<(Section, Row, Row)>,
    /// Rows of which the ledger knows nothing.
    pub added: Vec<(Section, Row)>,
    /// Rows of the ledger that the text does not have.
    pub missing: Vec<(Section, Row)>,
    /// Differences for which there was no room above.
    pub more: usize,
    /// Lines that are no rows, and are kept as they are.
    pub kept: usize,
    /// How many of the changed rows only say what the ledger once said.
    pub older: usize,
    /// Whether the node wrote the text as it is, by what it noted beside it; nobody signs that note.
    pub is_as_written: bool,
}

impl Difference {
    /// Whether the text says what the ledger says.
    pub fn is_none(&self) -> bool {
        self.count() == 0
    }

    /// Whether the text only shows an earlier state of the ledger.
    pub fn is_older(&self) -> bool {
        self.is_as_written && self.added.is_empty() && self.older == self.changed.len()
    }

    /// How many rows differ.
    pub fn count(&self) -> usize {
        self.changed.len() + self.added.len() + self.missing.len() + self.more
    }
}

/// Compares the text at `path` with what `state` shows; `None` if there is no text.
pub fn compare(path: &Path, state: &State) -> Result<Option<Difference>> {
    if files::is_missing(path)? {
        return Ok(None);
    }
    // A hash a row: a million of them are not in memory a second time.
    let mut rows: HashMap<[u8; 16], bool> = HashMap::with_capacity(state.len());
    for section in Section::ALL {
        for spot in state.order(section) {
            rows.extend(state.row(spot).map(|row| (row_key(section, row.line()), false)));
        }
    }
    let (mut difference, mut strange) = (Difference::default(), Vec::new());
    let mut take = |item| match item {
        // It is taken up at the next start; nothing of it is in the ledger before.
        Item::Row(Section::Replaced, _) | Item::Kept(_) => difference.kept += 1,
        Item::Row(section, row) => match rows.get_mut(&row_key(section, row.line())) {
            Some(seen) => difference.same += usize::from(!std::mem::replace(seen, true)),
            None if !can_be_shared(section, &row) => difference.kept += 1,
            None if strange.len() < MAX_DIFFERENCES => strange.push((section, row)),
            None => difference.more += 1,
        },
    };
    let (mut reader, mut hash) = (Reader::new(Origin::Own), Context::new(&SHA256));
    files::read_pieces(path, MAX_TEXT_FILE, |piece| {
        hash.update(piece);
        reader.feed(piece, &mut take);
    })?;
    reader.finish(true, &mut take);
    let hash = hash.finish();
    difference.is_as_written = Base::read(path).is_some_and(|base| base.text == *hash.as_ref());
    let mut missing = Vec::new();
    for section in Section::ALL.into_iter().filter(|_| rows.values().any(|seen| !seen)) {
        let shown = |spot| Some((state.about(spot)?, state.row(spot)?));
        for (about, row) in state.order(section).into_iter().filter_map(shown) {
            match rows.get(&row_key(section, row.line())) {
                Some(false) if missing.len() < MAX_DIFFERENCES => missing.push((about, row)),
                Some(false) => difference.more += 1,
                _ => {}
            }
        }
    }
    pair(state, strange, missing, &mut difference);
    Ok(Some(difference))
}

/// Finds out which rows are other versions of which.
fn pair(
    state: &State,
    strange: Vec<(Section, Row)>,
    missing: Vec<(About, Row)>,
    difference: &mut Difference,
) {
    let mut by_name: HashMap<(usize, String), Vec<usize>> = HashMap::new();
    for (at, (about, row)) in missing.iter().enumerate() {
        for name in names(about.section, row) {
            by_name.entry(name).or_default().push(at);
        }
    }
    let mut paired = BTreeSet::new();
    for (section, row) in strange {
        let others = names(section, &row).into_iter().filter_map(|name| by_name.get(&name));
        let other = others.flatten().find(|at| !paired.contains(*at)).copied();
        match other.and_then(|at| Some((at, missing.get(at)?))) {
            Some((at, (about, shown))) => {
                paired.insert(at);
                difference.older += usize::from(was_once(state, *about, &row, shown));
                difference.changed.push((section, row, shown.clone()));
            }
            None => difference.added.push((section, row)),
        }
    }
    let rest = missing.into_iter().enumerate().filter(|(at, _)| !paired.contains(at));
    difference.missing.extend(rest.map(|(_, (about, row))| (about.section, row)));
}

/// Whether all that a row says otherwise than is shown was said of the record before.
fn was_once(state: &State, about: About, row: &Row, shown: &Row) -> bool {
    let both = (0..).zip(row.fields().zip(shown.fields()));
    both.filter(|(_, (one, other))| one != other)
        .all(|(field, (one, _))| state.ever_held(about, field, &one))
}

/// What tells which record a row is of, what tells it best first.
fn names(section: Section, row: &Row) -> Vec<(usize, String)> {
    let id = (section == Section::People).then(|| id_of(row)).flatten().map(str::to_owned);
    let first = Some(row.field(0).into_owned()).filter(|first| !first.is_empty());
    // Beside its number in `ALL`, so that no camp is a person.
    let tag = Section::ALL.iter().position(|one| *one == section).unwrap_or_default();
    let id = id.map(|id| (tag, id));
    id.into_iter().chain(first.map(|first| (tag, first))).collect()
}

/// Whether a row can be in the ledger at all. What cannot stays in the text alone.
fn can_be_shared(section: Section, row: &Row) -> bool {
    let about = About { section, record: RecordId::from([0; 16]) };
    Operation::open(about, Kind::Set, [0; 16].into(), values_of(row), BTreeSet::new()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::entry::Entry;
    use crate::model::ledger::import::import;
    use crate::model::ledger::names::Namer;
    use crate::model::ledger::pen::Pen;
    use std::fs;

    const HEAD: &str = "People:\nName, Appearance, Last Seen, Status, Id\n\n";

    fn state(rows: &[&[&str; 5]]) -> State {
        let namer = Namer::new(&SecretKey::from([7; 32]));
        let made = rows.iter().map(|row| {
            let made = import(&State::default(), &namer, Section::People, &Row::new(*row));
            Entry::Change(made.expect("right").expect("new"))
        });
        let mut pen = Pen::begin(&Identity::new(SecretKey::from([1; 32])), 1.into());
        let mut state = State::default();
        state.apply(&pen.sign(made.collect(), 1, 0).expect("room")).expect("room");
        state
    }

    fn compared(name: &str, text: &str) -> Difference {
        let path = std::env::temp_dir().join(format!("reunite-text-{name}-{}", std::process::id()));
        fs::write(&path, text).expect("written");
        let state = state(&[
            &["Ana", "tall", "", "missing", "12345678901234567"],
            &["Bo", "", "", "missing", ""],
        ]);
        let found = compare(&path, &state).expect("readable").expect("there");
        fs::remove_file(&path).expect("there");
        found
    }

    #[test]
    fn a_text_that_says_the_same_in_another_form_is_the_same() {
        let found = compared(
            "same",
            &format!(
                "{HEAD}Bo,,,missing,\nAna, tall, , missing, 12345678901234567\nCy, tall, 4/4/23, missing, call me\n"
            ),
        );
        assert!(found.is_none() && (found.same, found.kept) == (2, 1), "{found:?}");
    }

    #[test]
    fn rows_of_one_person_are_compared_and_others_are_told() {
        let found = compared(
            "other",
            &format!("{HEAD}Anna, tall, , missing, 12345678901234567\nCy, , , missing,\n"),
        );
        let count = (found.changed.len(), found.added.len(), found.missing.len());
        assert_eq!((count, found.same, found.older), ((1, 1, 1), 0, 0), "{found:?}");
        assert!(found.added[0].1.line().starts_with("Cy") && !found.is_older());
    }

    #[test]
    fn no_text_is_no_difference() {
        let path = std::env::temp_dir().join("reunite-text-that-is-not-there");
        assert_eq!(compare(&path, &State::default()).expect("clear"), None);
    }
}
