//! What this node gives to readers, and signs: made once for each state of the ledger and shared by all sessions.

use crate::base::clock::wall;
use crate::base::error::{Error, Result};
use crate::base::threads::{Stop, lock};
use crate::model::ledger::merkle::sha256;
use crate::model::ledger::replica::Replica;
use crate::model::limits::{KNOWN_VIEWS, SLICE, VIEW_TRIES};
use crate::model::offer::Offer;
use crate::model::public_view::PublicView;
use crate::model::reconcile::Index;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::model::statement::{Hash, Signed, Signer};
use crate::store::database::{Database, Ticket};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A view, its index, and what is offered and signed of it.
#[derive(Debug)]
pub struct Shelf {
    /// The rows; the index knows each by its place here.
    pub rows: Vec<(Section, Row)>,
    /// Their hashes.
    pub index: Index,
    /// What others compare with.
    pub offer: Offer,
    /// What this node says of it.
    pub signed: Signed,
    /// The state of the database.
    state: Ticket,
    made: Instant,
    /// How long it took to make.
    cost: Duration,
}

/// A view that took no longer than this to make is made anew for every change.
const SHELF_CHEAP: Duration = Duration::from_millis(100);
/// How many times as long as it took to make it a view is given out before it is made anew.
const SHELF_REST: u32 = 20;
/// How long somebody waits for a state that is being built anew, as after a fork was proved.
const STALE_SLICES: usize = 50;

/// The shelf of the last state that somebody asked for.
#[derive(Debug, Default)]
pub struct Shelves {
    public: Mutex<Option<Arc<Shelf>>>,
    /// What was signed lately, the newest last.
    known: Mutex<VecDeque<Signed>>,
}

impl Shelves {
    /// What tier 2 may see, as it is now or was lately. Of many rows it is not made anew for every change: no crowd of
    /// readers may keep the node busy with that.
    pub fn public(&self, database: &Database, signer: &Signer, stop: &Stop) -> Result<Arc<Shelf>> {
        // Held while it is made, so that many who ask at once do not each make it.
        let mut shelf = lock(&self.public);
        // Asked before the rows are taken: a change in between makes the shelf older than it is, never newer.
        let state = database.now();
        let will_do = |shelf: &&Arc<Shelf>| {
            let lately = shelf.cost > SHELF_CHEAP && shelf.made.elapsed() < shelf.cost * SHELF_REST;
            shelf.state == state || lately
        };
        if let Some(made) = shelf.as_ref().filter(will_do) {
            return Ok(Arc::clone(made));
        }
        // The old one goes first: with a million rows there is no room for both.
        *shelf = None;
        let made = Arc::new(make(database, state, signer, stop)?);
        *shelf = Some(Arc::clone(&made));
        let mut known = lock(&self.known);
        known.retain(|signed| signed.heads != made.signed.heads);
        if known.len() >= KNOWN_VIEWS {
            known.pop_front();
        }
        known.push_back(made.signed);
        Ok(made)
    }

    /// What this node signed of the ledger with these heads, if it was lately.
    pub fn signed(&self, heads: &Hash) -> Option<Signed> {
        lock(&self.known).iter().find(|signed| signed.heads == *heads).copied()
    }
}

fn make(database: &Database, state: Ticket, signer: &Signer, stop: &Stop) -> Result<Shelf> {
    let begun = Instant::now();
    let (heads, view) = project(database, stop)?;
    let rows = u32::try_from(view.len()).unwrap_or(u32::MAX);
    let signed = signer.sign(heads, rows, view.hash(), wall());
    let rows = view.into_rows();
    let mut index = Index::new(rows.iter().map(|(section, row)| (*section, row.line())));
    let rows = index.arrange(rows);
    let offer = index.offer();
    let made = Instant::now();
    Ok(Shelf { rows, index, offer, signed, state, made, cost: begun.elapsed() })
}

/// What tier 2 may see, and the heads of exactly the ledger from which it follows. The rows are taken in portions, so
/// that nobody waits for long; if the ledger does not stand still meanwhile, at last with one hold of the lock.
fn project(database: &Database, stop: &Stop) -> Result<(Hash, PublicView)> {
    for _ in 0..VIEW_TRIES {
        let heads = settled(database, stop)?;
        let people = database.rows(Section::People);
        let censuses = database.rows(Section::Camps);
        if database.with(heads_of) == Some(heads) {
            return Ok((heads, PublicView::project(people, censuses)));
        }
    }
    settled(database, stop)?;
    let taken = database.with(|replica| {
        let rows = |section| replica.state().rows(section);
        heads_of(replica).map(|heads| (heads, rows(Section::People), rows(Section::Camps)))
    });
    let (heads, people, censuses) = taken.ok_or(UNSETTLED)?;
    Ok((heads, PublicView::project(people, censuses)))
}

const UNSETTLED: Error = Error::Deadline { what: "the ledger, which is being read anew" };

/// The heads once the state follows from them.
fn settled(database: &Database, stop: &Stop) -> Result<Hash> {
    for _ in 0..STALE_SLICES {
        if let Some(heads) = database.with(heads_of) {
            return Ok(heads);
        }
        if stop.wait(SLICE) {
            return Err(Error::Stopped);
        }
    }
    Err(UNSETTLED)
}

/// How the view follows from the ledger. It changes whenever that does: nodes of different versions are not in step, and
/// none of them is taken for a liar.
const PROJECTION: &[u8] = b"rn-view1";

/// The heads of the ledger, and what of it counts, as one hash; none while the state does not follow from them.
fn heads_of(replica: &Replica) -> Option<Hash> {
    (!replica.is_stale()).then(|| sha256(&[PROJECTION, &replica.digest()]))
}
