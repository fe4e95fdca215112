//! The rows of this node as they are given to others, made once for each state of the database and shared by
//! all sessions: all of them for members, the public ones for readers.

use crate::base::threads::lock;
use crate::model::offer::Offer;
use crate::model::parcel::{View, travels};
use crate::model::public::public;
use crate::model::reconcile::Index;
use crate::model::records::Records;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::store::database::{Database, Ticket};
use indexmap::IndexSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Rows, their index, and what is offered of them.
#[derive(Debug)]
pub struct Shelf {
    /// The rows; the index knows each by its place here.
    pub rows: Vec<(Section, Row)>,
    /// Their hashes.
    pub index: Index,
    /// What others compare with.
    pub offer: Offer,
    /// What is not wanted from others: the rows, and those that were replaced here. `None`: only the rows.
    known: Option<Index>,
    /// The state of the database.
    pub state: Ticket,
    made: Instant,
    /// How long it took to make.
    cost: Duration,
}

impl Shelf {
    fn new(rows: Vec<(Section, Row)>, replaced: &[Row], state: Ticket) -> Self {
        let mut index = Index::new(rows.iter().map(|(section, row)| (*section, row.line())));
        let rows = index.arrange(rows);
        let lines = || rows.iter().map(|(section, row)| (*section, row.line()));
        let known = (!replaced.is_empty()).then(|| {
            Index::new(lines().chain(replaced.iter().map(|row| (Section::People, row.line()))))
        });
        let offer = index.offer();
        Self { rows, index, offer, known, state, made: Instant::now(), cost: Duration::ZERO }
    }

    /// What is not wanted from others.
    pub fn known(&self) -> &Index {
        self.known.as_ref().unwrap_or(&self.index)
    }
}

/// Public rows that took no longer than this to make are made anew for every change.
const SHELF_CHEAP: Duration = Duration::from_millis(100);
/// How many times as long as it took to make them the public rows are given out before they are made anew.
const SHELF_REST: u32 = 20;

/// Sections whose rows travel between members.
const TRAVELLING: [Section; 3] = [Section::People, Section::Vaccinations, Section::Camps];

/// The shelves of the last state that somebody asked for.
#[derive(Debug, Default)]
pub struct Shelves {
    full: Mutex<Option<Arc<Shelf>>>,
    public: Mutex<Option<Arc<Shelf>>>,
}

impl Shelves {
    /// All rows that travel, as they are now.
    pub fn full(&self, database: &Database) -> Arc<Shelf> {
        newest(
            &self.full,
            database,
            |_| false,
            |state| {
                let (rows, replaced) = database.with(|records| {
                    let rows = TRAVELLING.into_iter().flat_map(|section| {
                        records.rows(section).iter().map(move |row| (section, row.clone()))
                    });
                    let replaced = records.rows(Section::Replaced).iter().cloned();
                    (rows.collect::<Vec<_>>(), replaced.collect::<Vec<_>>())
                });
                Shelf::new(that_travel(View::Full, rows), &replaced, state)
            },
        )
    }

    /// The public rows, as they are now or were lately; equal ones once. Of many rows they are not made anew for
    /// every change: no crowd of readers may keep the node busy with that.
    pub fn public(&self, database: &Database) -> Arc<Shelf> {
        let lately = |shelf: &Shelf| {
            shelf.cost > SHELF_CHEAP && shelf.made.elapsed() < shelf.cost * SHELF_REST
        };
        newest(&self.public, database, lately, |state| {
            let people = database.with(Records::people);
            let rows: IndexSet<_> = people.iter().map(public).collect();
            let rows = rows.into_iter().map(|row| (Section::People, row));
            Shelf::new(that_travel(View::Public, rows.collect()), &[], state)
        })
    }
}

/// The rows that another node would take: one that our own file would not hold is strange to all.
fn that_travel(view: View, mut rows: Vec<(Section, Row)>) -> Vec<(Section, Row)> {
    rows.retain(|(section, row)| travels(view, *section, row.line()));
    rows
}

fn newest(
    shelf: &Mutex<Option<Arc<Shelf>>>,
    database: &Database,
    will_do: impl Fn(&Shelf) -> bool,
    make: impl FnOnce(Ticket) -> Shelf,
) -> Arc<Shelf> {
    // Held while it is made, so that many who ask at once do not each make it.
    let mut shelf = lock(shelf);
    // Asked before the rows are taken: a change in between makes the shelf older than it is, never newer.
    let state = database.now();
    if let Some(made) = shelf.as_ref().filter(|made| made.state == state || will_do(made)) {
        return Arc::clone(made);
    }
    // The old one goes first: with a million rows there is no room for both.
    *shelf = None;
    let begun = Instant::now();
    let mut made = make(state);
    made.cost = begun.elapsed();
    let made = Arc::new(made);
    *shelf = Some(Arc::clone(&made));
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_was_replaced_here_is_not_wanted_from_others_and_not_given() {
        let (old, new) =
            (Row::new(&["Ana", "", "", "missing", "7"]), Row::new(&["Ana", "", "", "found", "7"]));
        let shelf = |rows: &[&Row], replaced: &[Row]| {
            let rows = rows.iter().map(|row| (Section::People, (*row).clone())).collect();
            Shelf::new(rows, replaced, Ticket::default())
        };
        let (settled, stale) = (shelf(&[&new], std::slice::from_ref(&old)), shelf(&[&old], &[]));
        let wants = settled.known().want(&stale.offer);
        let shown: usize =
            wants.flat_map(|want| want.buckets).map(|wanted| wanted.shown.len()).sum();
        assert_eq!(shown, 2, "it shows that it knows both");
        assert_eq!(settled.offer.rows, 1, "and offers one");
    }
}
