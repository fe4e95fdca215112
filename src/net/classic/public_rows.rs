//! The public rows of people, made once for each state of the database and shared by all refreshes.

use crate::base::threads::lock;
use crate::model::public::public;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::store::database::{Database, Ticket};
use indexmap::IndexSet;
use std::sync::{Arc, Mutex};

/// The rows of the last state that somebody asked for.
#[derive(Debug, Default)]
pub struct PublicRows(Mutex<Option<(Ticket, Arc<[Row]>)>>);

impl PublicRows {
    /// The public rows of the database as it is now; equal ones once.
    pub fn now(&self, database: &Database) -> Arc<[Row]> {
        // Held while the rows are made, so that many who ask at once do not each make them.
        let mut cached = lock(&self.0);
        let now = database.now();
        if let Some((_, rows)) = cached.as_ref().filter(|(state, _)| *state == now) {
            return Arc::clone(rows);
        }
        // The old ones go first, and no row is held twice: there may be a million.
        *cached = None;
        let mut rows = IndexSet::new();
        database.each_row(Section::People, |_, row| {
            rows.insert(public(&row));
        });
        let rows: Arc<[Row]> = rows.into_iter().collect();
        *cached = Some((now, Arc::clone(&rows)));
        rows
    }
}
