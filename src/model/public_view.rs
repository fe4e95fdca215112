//! What tier 2 may see of a database, in the one order that all nodes give it: its bytes follow from the ledger alone.

use crate::model::parcel::travels;
use crate::model::public::public;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::model::statement::Hash;
use crate::model::withheld::census;
use crate::model::writer::write_view;
use ring::digest;
use std::io::{self, Write};

/// Public rows of people and camps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicView {
    people: Vec<Row>,
    camps: Vec<Row>,
}

impl PublicView {
    /// The view of these rows, which are public and each there once, in the order in which they come.
    pub fn of(rows: impl IntoIterator<Item = (Section, Row)>) -> Self {
        let mut view = Self::default();
        for (section, row) in rows {
            match section {
                Section::People => view.people.push(row),
                Section::Camps => view.camps.push(row),
                Section::Vaccinations | Section::Replaced => {}
            }
        }
        view
    }

    /// What tier 2 may see of these rows of people and these censuses, in the order that all nodes give it. Rows that
    /// a copy could not hold are left out.
    pub fn project(
        people: impl IntoIterator<Item = Row>,
        censuses: impl IntoIterator<Item = Row>,
    ) -> Self {
        let mut people: Vec<_> = people.into_iter().map(|row| public(&row)).collect();
        let mut camps: Vec<_> = censuses.into_iter().filter_map(|row| census(&row)).collect();
        people.retain(|row| travels(Section::People, row.line()));
        camps.retain(|row| travels(Section::Camps, row.line()));
        Self { people, camps }.ordered()
    }

    /// The same rows in the order that all nodes give them.
    pub fn ordered(mut self) -> Self {
        for rows in [&mut self.people, &mut self.camps] {
            rows.sort_unstable();
            rows.dedup();
        }
        self
    }

    /// The people.
    pub fn people(&self) -> &[Row] {
        &self.people
    }

    /// The censuses.
    pub fn camps(&self) -> &[Row] {
        &self.camps
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = (Section, &Row)> {
        let people = self.people.iter().map(|row| (Section::People, row));
        people.chain(self.camps.iter().map(|row| (Section::Camps, row)))
    }

    /// All rows.
    pub fn into_rows(self) -> Vec<(Section, Row)> {
        let people = self.people.into_iter().map(|row| (Section::People, row));
        people.chain(self.camps.into_iter().map(|row| (Section::Camps, row))).collect()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.people.len() + self.camps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes it as a copy holds it.
    pub fn write(&self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        write_view(&self.people, &self.camps, out)
    }

    /// The hash of what `write` writes.
    pub fn hash(&self) -> Hash {
        let mut text = HashedText::default();
        // It takes everything.
        let _ = self.write(&mut text);
        text.hash()
    }
}

/// The hash of a text that is written to it.
pub struct HashedText(digest::Context);

impl Default for HashedText {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl HashedText {
    /// The hash of all that was written.
    pub fn hash(self) -> Hash {
        let mut hash = [0; 32];
        hash.iter_mut().zip(self.0.finish().as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }
}

impl Write for HashedText {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Row {
        Row::new(&text.split("; ").collect::<Vec<_>>())
    }

    #[test]
    fn a_view_has_one_text_whatever_the_order_of_its_rows() {
        let people = ["Nur; scar; ; missing; 17", "Ana; ; ; found; 7", "Ana; ; ; found; 8"];
        let census = "C; d; s; 9; 10; 10; 0; 0; 0; 0; 0; 0; 0; 0; 0";
        let view = PublicView::project(people.map(row), [row(census), row("no; census")]);
        let turned = people.iter().rev().map(|text| row(text));
        assert_eq!(PublicView::project(turned, [row(census)]).hash(), view.hash());
        let mut text = Vec::new();
        view.write(&mut text).expect("memory");
        let text = String::from_utf8(text).expect("text");
        let head = "People:\nName, Appearance, Last Seen, Status\n\nAna, , , found\nNur, scar, , missing\n";
        assert!(text.starts_with(&format!("{head}\nCamps:\nCamp, Date, Source")), "{text}");
        assert!(text.ends_with("\n\nC, d, s, 9, 10, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0\n"), "{text}");
        assert_eq!((view.len(), view.people().len(), view.camps().len()), (3, 2, 1));
    }

    #[test]
    fn a_row_that_a_copy_could_not_hold_is_in_no_view() {
        let view = PublicView::project([row("; ; ; ; 7"), row("Camps:; ; ; ; 8")], []);
        assert!(view.is_empty());
        let rows = [(Section::Vaccinations, row("a")), (Section::Replaced, row("a"))];
        assert!(PublicView::of(rows).is_empty(), "no vaccination, whoever says so");
    }
}
