//! What the text of a database holds: rows, each once, and what is not understood. And how rows are found in it.

use crate::model::ids::PersonId;
use crate::model::limits::{MAX_OTHER_ROWS, MAX_PEOPLE, MAX_ROWS_BYTES};
use crate::model::reader::{Item, Kept};
use crate::model::row::Row;
use crate::model::section::Section;
use crate::model::writer::Snapshot;
use indexmap::IndexSet;

/// What became of something that was found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// It is new.
    New,
    /// It was there already.
    Known,
    /// There is no room for further rows.
    Full,
}

/// What a text holds.
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
    /// Takes what was found in a text. Returns what became of it.
    pub fn load(&mut self, item: Item) -> Loaded {
        match item {
            Item::Row(Section::People, row) => {
                self.replaced.swap_remove(&row);
                self.insert(Section::People, row)
            }
            Item::Row(Section::Replaced, row) if self.people.contains(&row) => Loaded::Known,
            Item::Row(section, row) => self.insert(section, row),
            Item::Kept(kept) => {
                self.kept.push(kept);
                Loaded::New
            }
        }
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

    /// The rows of people.
    pub fn people(&self) -> Vec<Row> {
        self.people.iter().cloned().collect()
    }

    /// All that a file holds.
    pub fn snapshot(&self) -> Snapshot {
        let rows = Section::ALL.map(|section| self.rows(section).iter().cloned().collect());
        Snapshot { rows, kept: self.kept.clone() }
    }

    /// Puts a row into a section if there is room: in rows, and in bytes, since what is written must be
    /// readable again.
    fn insert(&mut self, section: Section, row: Row) -> Loaded {
        let size = row.line().len() as u64 + 1;
        let room = self.bytes + size <= MAX_ROWS_BYTES;
        let most = if section == Section::People { MAX_PEOPLE } else { MAX_OTHER_ROWS };
        let table = self.table_mut(section);
        if table.contains(&row) {
            return Loaded::Known;
        }
        if !room || table.len() >= most {
            return Loaded::Full;
        }
        table.insert(row);
        self.bytes += size;
        Loaded::New
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

/// The Id of a row of people. It is the last field and never quoted, so the line need not be split.
pub fn id_of(row: &Row) -> Option<&str> {
    let (_, last) = row.line().rsplit_once(',')?;
    Some(last.trim_start()).filter(|id| PersonId::is_one(id))
}

/// What is looked for: a part of any field, in any case.
#[derive(Clone, Debug)]
pub struct Part(String);

impl Part {
    /// What a person typed.
    pub fn new(typed: &str) -> Self {
        Self(typed.trim().to_lowercase())
    }

    /// Whether nothing is looked for, which everything holds.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some field of the row holds it.
    pub fn is_in(&self, row: &Row) -> bool {
        // What is in a field is in the line, but for doubled quotes: few lines have to be taken apart.
        (self.0.contains('"') || row.line().to_lowercase().contains(&self.0))
            && row.fields().any(|field| field.to_lowercase().contains(&self.0))
    }
}

/// The rows of which some field holds `part`, in any case.
pub fn search<'a>(rows: &'a [Row], part: &str) -> Vec<&'a Row> {
    let part = Part::new(part);
    rows.iter().filter(|row| part.is_in(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, status: &str, id: &str) -> Row {
        Row::new(&[name, "", "", status, id])
    }

    #[test]
    fn equal_rows_are_once_and_versions_stay_side_by_side() {
        let mut records = Records::default();
        let (missing, found) = (row("Ana", "missing", "7"), row("Ana", "found", "7"));
        let mut load = |row: &Row| records.load(Item::Row(Section::People, row.clone()));
        assert_eq!(load(&missing), Loaded::New);
        assert_eq!(load(&missing), Loaded::Known);
        assert_eq!(load(&found), Loaded::New);
        assert_eq!(records.people(), [missing, found]);
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
    fn people_are_found_by_part_of_any_field_in_any_case() {
        let people =
            [row("Nur Begum", "missing", "17"), row("MD. NUR", "found", "18"), row("Éva", "", "")];
        assert_eq!(search(&people, " nur ").len(), 2);
        assert_eq!(search(&people, "éV").len(), 1);
        assert_eq!(search(&people, "17"), [&people[0]]);
        assert!(Part::new("  ").is_empty());
    }

    #[test]
    fn the_id_is_the_last_field_also_behind_quotes() {
        assert_eq!(id_of(&row("a, b", "", "-12")), Some("-12"));
        assert_eq!(id_of(&row("Ana", "12", "")), None);
        assert_eq!(id_of(&Row::new(&["x, 12"])), None);
    }
}
