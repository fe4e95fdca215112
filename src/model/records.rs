//! The records of a node in memory, and the rules by which rows come in and replace each other.
//!
//! Merging is a union: equal rows once, different rows with one Id side by side as versions of one person,
//! until somebody here settles them. What was settled is remembered in `Replaced`, so that a peer's stale
//! copy does not bring it back.

use crate::base::error::{Error, Result};
use crate::model::ids::PersonId;
use crate::model::limits::{MAX_OTHER_ROWS, MAX_PEOPLE, MAX_ROW, MAX_ROWS_BYTES};
use crate::model::reader::{Item, Kept};
use crate::model::row::Row;
use crate::model::section::Section;
use crate::model::writer::Snapshot;
use indexmap::IndexSet;
use std::collections::{HashMap, HashSet};

/// What became of a row that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// It is new here.
    New,
    /// It was here already.
    Known,
    /// Somebody here replaced it by a newer one; it stays replaced.
    Replaced,
    /// There is no room for further rows.
    Full,
}

/// All records of a node.
#[derive(Debug, Default)]
pub struct Records {
    people: IndexSet<Row>,
    vaccinations: IndexSet<Row>,
    camps: IndexSet<Row>,
    replaced: IndexSet<Row>,
    kept: Vec<Kept>,
    /// Bytes of all rows, each with its line break.
    bytes: u64,
}

impl Records {
    /// Takes what was read from the node's own file. Returns what became of it.
    pub fn load(&mut self, item: Item) -> Merged {
        match item {
            Item::Row(Section::People, row) => {
                self.replaced.swap_remove(&row);
                self.merge(row)
            }
            Item::Row(Section::Replaced, row) if self.people.contains(&row) => Merged::Known,
            Item::Row(section, row) => self.insert(section, row),
            Item::Kept(kept) => {
                self.kept.push(kept);
                Merged::New
            }
        }
    }

    /// Takes a row from a peer, or one that somebody wrote into the file while the node was running. What was
    /// replaced stays so.
    pub fn take(&mut self, section: Section, row: Row) -> Merged {
        match section {
            Section::People => self.merge(row),
            other => self.insert(other, row),
        }
    }

    /// Takes a row of `People` from a peer or from the menu.
    pub fn merge(&mut self, row: Row) -> Merged {
        if self.replaced.contains(&row) {
            return Merged::Replaced;
        }
        self.insert(Section::People, row)
    }

    /// Adds a row that a person here entered.
    pub fn add(&mut self, section: Section, row: Row) -> Result<()> {
        check_length(&row)?;
        let merged = match section {
            Section::People => {
                self.replaced.swap_remove(&row);
                self.merge(row)
            }
            other => self.insert(other, row),
        };
        match merged {
            Merged::Full => Err(Error::Full { what: "rows of this section" }),
            Merged::New | Merged::Known | Merged::Replaced => Ok(()),
        }
    }

    /// Replaces the versions `old` of a person by `new`, which takes the place of the first of them.
    pub fn settle(&mut self, old: &[Row], new: &Row) -> Result<()> {
        check_length(new)?;
        let place = old.iter().filter_map(|row| self.people.get_index_of(row)).min();
        let size = new.line().len() as u64 + 1;
        if self.bytes + size > MAX_ROWS_BYTES
            || (place.is_none() && self.people.len() >= MAX_PEOPLE)
        {
            return Err(Error::Full { what: "rows of people" });
        }
        for row in old.iter().filter(|row| *row != new) {
            if self.people.shift_remove(row) {
                self.replaced.insert(row.clone());
            }
        }
        self.replaced.swap_remove(new);
        self.people
            .shift_insert(place.unwrap_or(self.people.len()).min(self.people.len()), new.clone());
        Ok(())
    }

    /// The rows of a section.
    pub fn rows(&self, section: Section) -> &IndexSet<Row> {
        match section {
            Section::People => &self.people,
            Section::Vaccinations => &self.vaccinations,
            Section::Camps => &self.camps,
            Section::Replaced => &self.replaced,
        }
    }

    /// What was not understood.
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// What is not understood in an edited file: instead of what was known, or besides it.
    pub fn take_kept(&mut self, kept: &[Kept], instead: bool) {
        if instead {
            self.kept.clear();
        }
        for one in kept {
            let same = |known: &Kept| (known.section, &known.bytes) == (one.section, &one.bytes);
            if instead || !self.kept.iter().any(same) {
                self.kept.push(one.clone());
            }
        }
    }

    /// The lines on which the file holds now what is not understood, in the same order.
    pub fn renumber_kept(&mut self, lines: &[u64]) {
        if lines.len() == self.kept.len() {
            self.kept.iter_mut().zip(lines).for_each(|(kept, line)| kept.line = *line);
        }
    }

    /// The rows of people, to be sent or shown without holding the lock.
    pub fn people(&self) -> Vec<Row> {
        self.people.iter().cloned().collect()
    }

    /// All that a file holds.
    pub fn snapshot(&self) -> Snapshot {
        let rows = Section::ALL.map(|section| self.rows(section).iter().cloned().collect());
        Snapshot { rows, kept: self.kept.clone() }
    }

    /// All versions of the person of `row`, in the order of the file: itself, and the rows with its Id.
    pub fn versions(&self, row: &Row) -> Vec<Row> {
        match id_of(row) {
            None => self.people.get(row).into_iter().cloned().collect(),
            Some(id) => {
                self.people.iter().filter(|other| id_of(other) == Some(id)).cloned().collect()
            }
        }
    }

    /// Whether there is a person with this Id.
    pub fn has(&self, id: &PersonId) -> bool {
        self.people.iter().any(|row| id_of(row) == Some(id.as_str()))
    }

    /// Puts a row into a section if there is room: in rows, and in bytes, since what is written must be
    /// readable again.
    fn insert(&mut self, section: Section, row: Row) -> Merged {
        let size = row.line().len() as u64 + 1;
        let room = self.bytes + size <= MAX_ROWS_BYTES;
        let most = if section == Section::People { MAX_PEOPLE } else { MAX_OTHER_ROWS };
        let table = self.table_mut(section);
        if table.contains(&row) {
            return Merged::Known;
        }
        if !room || table.len() >= most {
            return Merged::Full;
        }
        table.insert(row);
        self.bytes += size;
        Merged::New
    }

    fn table_mut(&mut self, section: Section) -> &mut IndexSet<Row> {
        match section {
            Section::People => &mut self.people,
            Section::Vaccinations => &mut self.vaccinations,
            Section::Camps => &mut self.camps,
            Section::Replaced => &mut self.replaced,
        }
    }
}

/// A row longer than this is not read again, so it is not taken in the first place.
fn check_length(row: &Row) -> Result<()> {
    if row.line().len() <= MAX_ROW {
        return Ok(());
    }
    Err(Error::input("this record", "it is longer than 4096 bytes", "write less in its fields"))
}

/// The Id of a row of people. It is the last field and never quoted, so the line need not be split.
pub fn id_of(row: &Row) -> Option<&str> {
    let (_, last) = row.line().rsplit_once(',')?;
    Some(last.trim_start()).filter(|id| PersonId::is_one(id))
}

/// The Ids that more than one of `people` has: persons with several versions.
pub fn contested(people: &[Row]) -> HashSet<&str> {
    let mut seen: HashMap<&str, bool> = HashMap::with_capacity(people.len());
    for id in people.iter().filter_map(id_of) {
        seen.entry(id).and_modify(|twice| *twice = true).or_insert(false);
    }
    seen.into_iter().filter_map(|(id, twice)| twice.then_some(id)).collect()
}

/// The rows of which some field holds `part`, in any case.
pub fn search<'a>(rows: &'a [Row], part: &str) -> Vec<&'a Row> {
    let part = part.trim().to_lowercase();
    let in_a_field = |row: &Row| row.fields().any(|field| field.to_lowercase().contains(&part));
    // What is in a field is in the line, but for doubled quotes: few lines have to be taken apart.
    let holds = |row: &&Row| {
        (part.contains('"') || row.line().to_lowercase().contains(&part)) && in_a_field(row)
    };
    rows.iter().filter(holds).collect()
}

/// The rows of people whom `words` mean: by Id if it is one, else by part of any field.
pub fn meant<'a>(people: &'a [Row], words: &str) -> Vec<&'a Row> {
    let words = words.trim();
    let by_id: Vec<_> = people.iter().filter(|row| id_of(row) == Some(words)).collect();
    if by_id.is_empty() && !words.is_empty() { search(people, words) } else { by_id }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(name: &str, status: &str, id: &str) -> Row {
        Row::new(&[name, "", "", status, id])
    }

    #[test]
    fn equal_rows_are_once_and_versions_stay_side_by_side() {
        let mut records = Records::default();
        let (missing, found) = (row("Ana", "missing", "7"), row("Ana", "found", "7"));
        assert_eq!(records.merge(missing.clone()), Merged::New);
        assert_eq!(records.merge(missing.clone()), Merged::Known);
        assert_eq!(records.merge(found.clone()), Merged::New);
        assert_eq!(records.versions(&found), [missing, found]);
        assert_eq!(contested(&records.people()), HashSet::from(["7"]));
    }

    #[test]
    fn what_was_settled_stays_settled_when_a_stale_copy_comes() {
        let mut records = Records::default();
        let (missing, found) = (row("Ana", "missing", "7"), row("Ana", "found", "7"));
        let other = row("Bo", "missing", "8");
        for one in [&missing, &other, &found] {
            records.merge(one.clone());
        }
        records.settle(&[missing.clone(), found.clone()], &found).expect("room");
        assert_eq!(records.people(), [found.clone(), other.clone()]);
        assert_eq!(records.merge(missing.clone()), Merged::Replaced);
        records.settle(std::slice::from_ref(&found), &missing).expect("room");
        assert_eq!(records.people(), [missing.clone(), other]);
        assert_eq!(records.merge(found), Merged::Replaced);
        assert_eq!(records.merge(missing), Merged::Known);
    }

    #[test]
    fn a_replaced_row_that_a_person_wrote_back_into_the_file_counts_again() {
        let mut records = Records::default();
        let ana = row("Ana", "missing", "7");
        records.load(Item::Row(Section::People, ana.clone()));
        records.load(Item::Row(Section::Replaced, ana.clone()));
        assert_eq!(records.people(), [ana]);
        assert!(records.rows(Section::Replaced).is_empty());
    }

    #[test]
    fn people_are_found_by_id_or_by_part_of_any_field_in_any_case() {
        let people =
            [row("Nur Begum", "missing", "17"), row("MD. NUR", "found", "18"), row("Éva", "", "")];
        assert_eq!(search(&people, " nur ").len(), 2);
        assert_eq!(search(&people, "éV").len(), 1);
        assert_eq!(meant(&people, "17"), [&people[0]]);
        assert_eq!(meant(&people, "missing"), [&people[0]]);
        assert!(meant(&people, "  ").is_empty());
    }

    #[test]
    fn the_id_is_the_last_field_also_behind_quotes() {
        assert_eq!(id_of(&row("a, b", "", "-12")), Some("-12"));
        assert_eq!(id_of(&row("Ana", "12", "")), None);
        assert_eq!(id_of(&Row::new(&["x, 12"])), None);
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter(
            rows in prop::collection::vec(("[ab]", "missing|found", "[1-3]"), 0..12),
            seed in any::<usize>(),
        ) {
            let rows: Vec<_> = rows.iter().map(|(name, status, id)| row(name, status, id)).collect();
            let (mut one, mut other) = (Records::default(), Records::default());
            for row in &rows {
                one.merge(row.clone());
            }
            for at in 0..rows.len() * 2 {
                other.merge(rows[(seed % 7 + at * 5) % rows.len()].clone());
            }
            for row in rows.iter().rev() {
                other.merge(row.clone());
            }
            let (mut one, mut other) = (one.people(), other.people());
            one.sort();
            other.sort();
            prop_assert_eq!(one, other);
        }
    }
}
