//! Takes up what stands in the text and not in the ledger: an old database, and what somebody wrote into it by hand.

use crate::base::error::Result;
use crate::base::threads::lock;
use crate::model::ledger::block::Verified;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::heads::Heads;
use crate::model::ledger::import::{self, HandEdits, Replacements};
use crate::model::ledger::operation::{About, Operation};
use crate::model::limits::{MERGE_BATCH, READ_BLOCKS};
use crate::model::reader::Kept;
use crate::model::records::Records;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::store::blocks::Step;
use crate::store::database::{Database, Inner, Merged};
use std::collections::HashSet;

impl Database {
    /// Imports the rows of a text.
    pub(in crate::store) fn import(&self, records: &Records) -> Result<Merged> {
        let replaced = records.rows(Section::Replaced);
        let namer = self.with(|replica| replica.namer().clone());
        let mut replacements = Replacements::new(&namer, replaced.iter());
        let rows = all_rows(records);
        for (_, row) in rows.iter().filter(|(section, _)| *section == Section::People) {
            replacements.note(row);
        }
        let sum = self.import_rows(&rows)?;
        for (about, said) in replacements.said() {
            let mut inner = lock(&self.0.inner);
            let Some(view) = inner.replica.state().view(about) else { continue };
            let operations = said.settle(&view, REPLACED, &mut rand::rng())?;
            inner.sign(operations.into_iter().map(Entry::Change).collect())?;
            let is_long = inner.journal.is_long();
            drop(inner);
            if is_long {
                self.write_out();
            }
        }
        Ok(sum)
    }

    /// Imports rows, in portions between which others have their turn, no faster than the disk.
    fn import_rows(&self, rows: &[(Section, Row)]) -> Result<Merged> {
        let (mut sum, mut strange) = (Merged::default(), Vec::new());
        for rows in rows.chunks(MERGE_BATCH) {
            let mut inner = lock(&self.0.inner);
            sum.add(inner.merge(rows, &mut strange)?);
            let is_long = inner.journal.is_long();
            drop(inner);
            if is_long {
                self.write_out();
            }
        }
        lock(&self.0.inner).keep(&strange);
        Ok(sum)
    }

    /// Has the disk take what waits. What it does not take goes on waiting.
    pub(in crate::store) fn write_out(&self) {
        if let Err(error) = self.file().flush() {
            log::warn!("{error}");
        }
        lock(&self.0.inner).journal.saved();
    }

    /// Takes up a text that was edited and showed the ledger up to these heads: edits are over what it showed. Of
    /// records that changed since, that cannot be told any more: values that never were are new, and all others are
    /// stale.
    pub(in crate::store) fn take_edited(
        &self,
        records: &Records,
        showed: &Heads,
    ) -> Result<Merged> {
        let (mut changed, mut found) = (HashSet::new(), None);
        self.follow(showed.clone(), READ_BLOCKS, |step| match step {
            Step::Block(block, _) => changed.extend(changed_by(block)),
            // What the edits are over is found before anything else can come; they are signed afterwards.
            Step::End(inner) => found = Some(inner.edits(records, &changed)),
        })?;
        let Some((edits, late)) = found else {
            // Too much changed to look at.
            return self.import(records);
        };
        let HandEdits { operations, strange, stale } = edits;
        let mut merged =
            Merged { new: operations.len(), strange: strange.len(), stale, ..Merged::default() };
        lock(&self.0.inner).keep(&strange);
        self.sign_in_portions(operations)?;
        merged.add(self.import_rows(&late)?);
        Ok(merged)
    }

    fn sign_in_portions(&self, operations: Vec<Operation>) -> Result<()> {
        let mut operations = operations.into_iter().map(Entry::Change).peekable();
        while operations.peek().is_some() {
            let mut inner = lock(&self.0.inner);
            inner.sign(operations.by_ref().take(MERGE_BATCH).collect())?;
            let is_long = inner.journal.is_long();
            drop(inner);
            if is_long {
                self.write_out();
            }
        }
        Ok(())
    }
}

/// The records that a block is about.
fn changed_by(block: &Verified) -> impl Iterator<Item = About> {
    block.entries().iter().filter_map(|entry| match entry {
        Entry::Change(operation) => Some(operation.about()),
        _ => None,
    })
}

impl Inner {
    /// What somebody changed in the text while it showed what the ledger says now, and the rows of the records that
    /// `changed` since.
    fn edits(
        &self,
        records: &Records,
        changed: &HashSet<About>,
    ) -> (HandEdits, Vec<(Section, Row)>) {
        let (state, namer) = (self.replica.state(), self.replica.namer());
        let meant = |(section, row): &(Section, Row)| import::meant(state, namer, *section, row);
        let (late, rows): (Vec<_>, Vec<_>) =
            all_rows(records).into_iter().partition(|row| changed.contains(&meant(row)));
        (import::hand_edits(state, namer, &rows, &mut rand::rng()), late)
    }

    /// Rows that cannot be operations stay in the text, as what is not understood.
    fn keep(&mut self, strange: &[(Section, Row)]) {
        for (section, row) in strange {
            let (section, bytes) = (Some(*section), row.line().as_bytes().to_vec());
            let why = "it cannot be shared: it is too long, or written unusually";
            if !self.kept.iter().any(|kept| kept.bytes == bytes) {
                self.kept.push(Kept { section, line: 0, bytes, why });
            }
        }
    }
}

/// Why a row under `Replaced:` is hidden of which no newer one is there.
const REPLACED: &str = "replaced in an old database";

/// The rows of a text, those under `Replaced:` last.
fn all_rows(records: &Records) -> Vec<(Section, Row)> {
    let rows = |section| records.rows(section).iter().map(move |row| (section, row.clone()));
    Section::ALL.into_iter().flat_map(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limits::MAX_BLOCK;
    use crate::model::reader::Item;
    use crate::store::opening::tests::Scratch;

    fn row(status: &str) -> Row {
        Row::new(&["Ana", "tall", "", status, "14729384756392834"])
    }

    fn text(rows: &[Row]) -> Records {
        let mut records = Records::default();
        rows.iter().for_each(|row| {
            records.load(Item::Row(Section::People, row.clone()));
        });
        records
    }

    #[test]
    fn a_text_that_is_stale_changes_nothing_wherever_the_newer_change_stands() {
        let scratch = Scratch::new("edits");
        let (database, _) = scratch.open();
        scratch.enter(&database, &row("missing"));
        let showed = || database.with(|replica| replica.chains().heads());
        let (old, stale) = (showed(), text(&[row("missing")]));
        scratch.enter(&database, &row("found"));
        for is_on_disk in [false, true] {
            if is_on_disk {
                database.write_out();
            }
            assert_eq!(database.is_saved(database.now()), is_on_disk);
            let taken = database.take_edited(&stale, &old).expect("taken");
            assert_eq!((taken.new, database.rows(Section::People)), (0, vec![row("found")]));
        }
        // Also over what it shows now, but what was never said is an edit.
        let taken = database.take_edited(&stale, &showed()).expect("taken");
        assert_eq!((taken.new, taken.stale), (0, 1));
        let taken = database.take_edited(&text(&[row("deceased")]), &showed()).expect("taken");
        assert_eq!((taken.new, database.rows(Section::People)), (1, vec![row("deceased")]));
    }

    #[test]
    fn a_large_edit_is_signed_in_portions_and_what_cannot_be_shared_of_it_stays_in_the_text() {
        let scratch = Scratch::new("portions");
        let (database, _) = scratch.open();
        scratch.enter(&database, &row("missing"));
        let old = database.with(|replica| replica.chains().heads());
        scratch.enter(&database, &row("found"));
        let many = 2 * MERGE_BATCH + 1;
        let mut rows: Vec<_> =
            (0..many).map(|n| Row::new(&[format!("Bo {n}").as_str(), "", "", "missing"])).collect();
        // Of somebody who was changed meanwhile, and too long for an operation.
        let long = "x".repeat(MAX_BLOCK);
        rows.push(Row::new(&["Ana", long.as_str(), "", "missing", "14729384756392834"]));
        let taken = database.take_edited(&text(&rows), &old).expect("taken");
        assert_eq!((taken.new, taken.strange), (many, 1));
        assert_eq!(database.rows(Section::People).len(), many + 1);
        assert_eq!(database.kept().len(), 1);
    }
}
