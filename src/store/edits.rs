//! Takes up what stands in the text and not in the ledger: an old database, and what somebody wrote into it by hand.

use crate::base::error::Result;
use crate::base::threads::lock;
use crate::model::ledger::block::{Received, Verified};
use crate::model::ledger::entry::Entry;
use crate::model::ledger::heads::Heads;
use crate::model::ledger::import::{self, HandEdits, Replacements};
use crate::model::ledger::operation::About;
use crate::model::ledger::replica::Replica;
use crate::model::ledger::stored::Stored;
use crate::model::limits::{MERGE_BATCH, READ_BLOCKS};
use crate::model::reader::Kept;
use crate::model::records::Records;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::store::database::{Database, Inner, Merged};
use std::collections::HashSet;

/// How often more may have come while it is looked what has.
const MOST_LOOKS: usize = 10;

impl Database {
    /// Imports the rows of a text, in portions between which others have their turn, no faster than the disk.
    pub(in crate::store) fn import(&self, records: &Records) -> Result<Merged> {
        let replaced = records.rows(Section::Replaced);
        let namer = self.with(|replica| replica.namer().clone());
        let mut replacements = Replacements::new(&namer, replaced.iter());
        let (mut sum, mut strange) = (Merged::default(), Vec::new());
        for rows in all_rows(records).chunks(MERGE_BATCH) {
            for (section, row) in rows {
                if *section == Section::People {
                    replacements.note(row);
                }
            }
            let mut inner = lock(&self.0.inner);
            sum.add(inner.merge(rows, &mut strange)?);
            let is_long = inner.journal.is_long();
            drop(inner);
            if is_long {
                self.write_out();
            }
        }
        lock(&self.0.inner).keep(&strange);
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

    /// Has the disk take what waits. What it does not take goes on waiting.
    pub(in crate::store) fn write_out(&self) {
        if let Err(error) = self.file().flush() {
            log::warn!("{error}");
        }
        lock(&self.0.inner).journal.saved();
    }

    /// Takes up a text that was edited and showed the ledger up to these heads: edits are over what it showed. Of
    /// records that changed since, that cannot be told any more.
    pub(in crate::store) fn take_edited(
        &self,
        records: &Records,
        showed: &Heads,
    ) -> Result<Merged> {
        let (mut since, mut changed, mut count) = (showed.clone(), HashSet::new(), 0);
        for _ in 0..MOST_LOOKS {
            let mut inner = lock(&self.0.inner);
            let heads = inner.heads();
            let ranges = heads.beyond(&since);
            let places = ranges.iter().flat_map(|range| inner.journal.places(range, READ_BLOCKS));
            let places: Vec<_> = places.take(READ_BLOCKS).collect();
            if places.is_empty() {
                // All the rest is in memory, and nothing can come before the edits are taken.
                for entry in inner.journal.waiting() {
                    changed.extend(changed_by(&inner.replica, entry));
                }
                return inner.take_edits(records, &changed);
            }
            let file = inner.journal.file().clone();
            drop(inner);
            count += places.len();
            if count >= READ_BLOCKS {
                break;
            }
            for place in places {
                let entry = file.read(place)?;
                self.with(|replica| changed.extend(changed_by(replica, &entry)));
            }
            since = heads;
        }
        // Too much changed to look at.
        self.import(records)
    }
}

/// The records that a block is about.
fn changed_by(replica: &Replica, entry: &[u8]) -> Vec<About> {
    let block = Stored::block_of(entry).and_then(|bytes| Received::read(bytes).ok());
    let block = block.and_then(|block| replica.chains().again(block));
    let entries = block.as_ref().map(Verified::entries).unwrap_or_default();
    let about = |entry: &Entry| match entry {
        Entry::Change(operation) => Some(operation.about()),
        _ => None,
    };
    entries.iter().filter_map(about).collect()
}

impl Inner {
    /// Takes what somebody changed in the text while it showed what the ledger says now, but for the records that
    /// `changed` since: of these, values that never were are new, and all others are stale.
    pub fn take_edits(&mut self, records: &Records, changed: &HashSet<About>) -> Result<Merged> {
        let (state, namer) = (self.replica.state(), self.replica.namer());
        let meant = |(section, row): &(Section, Row)| import::meant(state, namer, *section, row);
        let (late, rows): (Vec<_>, Vec<_>) =
            all_rows(records).into_iter().partition(|row| changed.contains(&meant(row)));
        let HandEdits { operations, strange, stale } =
            import::hand_edits(state, namer, &rows, &mut rand::rng());
        let (new, count) = (operations.len(), strange.len());
        let mut merged = Merged { new, strange: count, stale, ..Merged::default() };
        self.keep(&strange);
        self.sign(operations.into_iter().map(Entry::Change).collect())?;
        merged.add(self.merge(&late, &mut Vec::new())?);
        Ok(merged)
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
    use crate::model::dialect::Dialect;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::import::enter;
    use crate::model::ledger::names::Namer;
    use crate::model::reader::Item;
    use crate::store::opening::Owner;

    fn row(status: &str) -> Row {
        Row::new(&["Ana", "tall", "", status, "14729384756392834"])
    }

    fn enter_row(database: &Database, status: &str) {
        let made = database.write(|replica| {
            let (state, namer) = (replica.state(), replica.namer());
            Ok((enter(state, namer, Section::People, &row(status), &mut rand::rng())?, ()))
        });
        made.expect("room");
    }

    #[test]
    fn a_text_that_is_stale_changes_nothing_wherever_the_newer_change_stands() {
        let folder = std::env::temp_dir().join(format!("reunite-edits-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let key = |byte| SecretKey::from([byte; 32]);
        let (identity, namer) = (Identity::new(key(1)), Namer::new(&key(7)));
        let owner = Owner { identity, namer, dialect: Dialect::Sealed };
        let (database, _) = Database::open(&folder.join("DATABASE1.txt"), owner).expect("opened");
        enter_row(&database, "missing");
        let mut records = Records::default();
        records.load(Item::Row(Section::People, row("missing")));
        let showed = || database.with(|replica| replica.chains().heads());
        let old = showed();
        enter_row(&database, "found");
        for is_on_disk in [false, true] {
            if is_on_disk {
                database.write_out();
            }
            assert_eq!(database.is_saved(database.now()), is_on_disk);
            let taken = database.take_edited(&records, &old).expect("taken");
            assert_eq!((taken.new, database.rows(Section::People)), (0, vec![row("found")]));
        }
        // Also over what it shows now, but what was never said is an edit.
        let taken = database.take_edited(&records, &showed()).expect("taken");
        assert_eq!((taken.new, taken.stale), (0, 1));
        let mut records = Records::default();
        records.load(Item::Row(Section::People, row("deceased")));
        let taken = database.take_edited(&records, &showed()).expect("taken");
        assert_eq!((taken.new, database.rows(Section::People)), (1, vec![row("deceased")]));
        drop(database);
        let _ = std::fs::remove_dir_all(&folder);
    }
}
