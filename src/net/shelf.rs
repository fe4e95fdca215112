//! The public rows of this node as they are given to readers, made once for each state of the database and shared by
//! all sessions.

use crate::base::threads::lock;
use crate::model::offer::Offer;
use crate::model::parcel::{View, travels};
use crate::model::public::public;
use crate::model::reconcile::Index;
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
    /// The state of the database.
    pub state: Ticket,
    made: Instant,
    /// How long it took to make.
    cost: Duration,
}

impl Shelf {
    fn new(rows: Vec<(Section, Row)>, state: Ticket) -> Self {
        let mut index = Index::new(rows.iter().map(|(section, row)| (*section, row.line())));
        let rows = index.arrange(rows);
        let offer = index.offer();
        Self { rows, index, offer, state, made: Instant::now(), cost: Duration::ZERO }
    }
}

/// Public rows that took no longer than this to make are made anew for every change.
const SHELF_CHEAP: Duration = Duration::from_millis(100);
/// How many times as long as it took to make them the public rows are given out before they are made anew.
const SHELF_REST: u32 = 20;

/// The shelf of the last state that somebody asked for.
#[derive(Debug, Default)]
pub struct Shelves {
    public: Mutex<Option<Arc<Shelf>>>,
}

impl Shelves {
    /// The public rows, as they are now or were lately; equal ones once. Of many rows they are not made anew for
    /// every change: no crowd of readers may keep the node busy with that.
    pub fn public(&self, database: &Database) -> Arc<Shelf> {
        let lately = |shelf: &Shelf| {
            shelf.cost > SHELF_CHEAP && shelf.made.elapsed() < shelf.cost * SHELF_REST
        };
        newest(&self.public, database, lately, |state| {
            let people = database.rows(Section::People);
            let rows: IndexSet<_> = people.iter().map(public).collect();
            let rows = rows.into_iter().map(|row| (Section::People, row));
            Shelf::new(that_travel(View::Public, rows.collect()), state)
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
