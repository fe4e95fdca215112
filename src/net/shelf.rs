//! What this node gives to readers, and signs: made once for each state of the ledger and shared by all sessions.

use crate::base::clock::wall;
use crate::base::error::{Error, Result};
use crate::base::threads::{Stop, lock, lock_unless};
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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
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
    /// Whether there are two newer ones: who is still being given this one must ask again.
    outdated: AtomicBool,
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

/// A view of no more rows stays until the next one is made; of a larger one there is no room for both.
const BOTH_ROWS: usize = 100_000;

impl Shelf {
    /// Whether it should not be given to anybody any more.
    pub fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Relaxed)
    }
}

/// The shelves that are given out: slow readers keep no more than two alive, and those that are about to end.
#[derive(Debug, Default)]
struct Given {
    /// Of the last state that somebody asked for.
    last: Option<Arc<Shelf>>,
    /// The last one and the one before it, which readers may still have.
    alive: [Weak<Shelf>; 2],
}

impl Given {
    /// A new one is about to be made: the older one ends.
    fn make_room(&self) {
        if let Some(older) = self.alive.first().and_then(Weak::upgrade) {
            older.outdated.store(true, Ordering::Relaxed);
        }
    }

    fn put(&mut self, made: &Arc<Shelf>) {
        self.last = Some(Arc::clone(made));
        self.alive.rotate_left(1);
        if let Some(last) = self.alive.last_mut() {
            *last = Arc::downgrade(made);
        }
    }
}

/// The shelf of the last state that somebody asked for.
#[derive(Debug, Default)]
pub struct Shelves {
    public: Mutex<Given>,
    /// What was signed lately, the newest last.
    known: Mutex<VecDeque<Signed>>,
}

impl Shelves {
    /// What tier 2 may see, as it is now or was lately. Of many rows it is not made anew for every change: no crowd of
    /// readers may keep the node busy with that.
    pub fn public(&self, database: &Database, signer: &Signer, stop: &Stop) -> Result<Arc<Shelf>> {
        for _ in 0..VIEW_TRIES {
            if let Some(made) = self.now(database, signer, stop)? {
                return Ok(made);
            }
            // Without the lock.
            settled(database, stop)?;
        }
        Err(UNSETTLED)
    }

    /// The same without waiting for the ledger: `None` while its state is being built anew and none was made before.
    fn now(&self, database: &Database, signer: &Signer, stop: &Stop) -> Result<Option<Arc<Shelf>>> {
        // Held while it is made, so that many who ask at once do not each make it.
        let mut given = lock_unless(&self.public, stop)?;
        // Asked before the rows are taken: a change in between makes the shelf older than it is, never newer.
        let state = database.now();
        let will_do = |shelf: &&Arc<Shelf>| {
            let lately = shelf.cost > SHELF_CHEAP && shelf.made.elapsed() < shelf.cost * SHELF_REST;
            // While the state is being built anew there is no newer one to be had; this one names its heads.
            shelf.state == state || lately || database.with(Replica::is_stale)
        };
        if let Some(made) = given.last.as_ref().filter(will_do) {
            return Ok(Some(Arc::clone(made)));
        }
        if database.with(Replica::is_stale) {
            return Ok(None);
        }
        given.make_room();
        // A large one goes before the next is made.
        given.last = given.last.take().filter(|last| last.rows.len() <= BOTH_ROWS);
        let Some(made) = make(database, state, signer).map(Arc::new) else {
            return Ok(given.last.clone());
        };
        given.put(&made);
        drop(given);
        let mut known = lock(&self.known);
        known.retain(|signed| signed.heads != made.signed.heads);
        if known.len() >= KNOWN_VIEWS {
            known.pop_front();
        }
        known.push_back(made.signed);
        Ok(Some(made))
    }

    /// What this node signed of the ledger with these heads, if it was lately.
    pub fn signed(&self, heads: &Hash) -> Option<Signed> {
        lock(&self.known).iter().find(|signed| signed.heads == *heads).copied()
    }
}

/// `None` if the state of the ledger is being built anew.
fn make(database: &Database, state: Ticket, signer: &Signer) -> Option<Shelf> {
    let begun = Instant::now();
    let (heads, view) = project(database)?;
    let rows = u32::try_from(view.len()).unwrap_or(u32::MAX);
    let signed = signer.sign(heads, rows, view.hash(), wall());
    let rows = view.into_rows();
    let mut index = Index::new(rows.iter().map(|(section, row)| (*section, row.line())));
    let rows = index.arrange(rows);
    let offer = index.offer();
    let made = Instant::now();
    let (outdated, cost) = (AtomicBool::new(false), begun.elapsed());
    Some(Shelf { rows, index, offer, signed, state, outdated, made, cost })
}

/// What tier 2 may see, and the heads of exactly the ledger from which it follows. The rows are taken in portions, so
/// that nobody waits for long; if the ledger does not stand still meanwhile, at last with one hold of the lock.
fn project(database: &Database) -> Option<(Hash, PublicView)> {
    for _ in 0..VIEW_TRIES {
        let heads = database.with(heads_of)?;
        let people = database.rows(Section::People);
        let censuses = database.rows(Section::Camps);
        if database.with(heads_of) == Some(heads) {
            return Some((heads, PublicView::project(people, censuses)));
        }
    }
    let (heads, people, censuses) = database.with(|replica| {
        let rows = |section| replica.state().rows(section);
        heads_of(replica).map(|heads| (heads, rows(Section::People), rows(Section::Camps)))
    })?;
    Some((heads, PublicView::project(people, censuses)))
}

const UNSETTLED: Error = Error::Deadline { what: "the ledger, which is being read anew" };

/// Waits until the state follows from the heads.
fn settled(database: &Database, stop: &Stop) -> Result<()> {
    for _ in 0..STALE_SLICES {
        if !database.with(Replica::is_stale) {
            return Ok(());
        }
        if stop.wait(SLICE) {
            return Err(Error::Stopped);
        }
    }
    Err(UNSETTLED)
}

/// How the view follows from the ledger. It changes whenever that does: nodes of different versions are not in step, and
/// none of them is taken for a liar.
const PROJECTION: &[u8] = b"rn-view2";

/// The heads of the ledger, and what of it counts, as one hash; none while the state does not follow from them.
fn heads_of(replica: &Replica) -> Option<Hash> {
    (!replica.is_stale()).then(|| sha256(&[PROJECTION, &replica.digest()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dialect::Dialect;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::block::{Received, Verified};
    use crate::model::ledger::entry::Entry;
    use crate::model::ledger::fork::ForkProof;
    use crate::model::ledger::heads::Heads;
    use crate::model::ledger::names::Namer;
    use crate::model::ledger::pen::Pen;
    use crate::store::opening::Owner;
    use std::sync::TryLockError;
    use std::thread;

    fn shelf() -> Arc<Shelf> {
        let index = Index::default();
        let signed = Signed { heads: [0; 32], rows: 0, hash: [0; 32], time: 0, signature: [0; 64] };
        Arc::new(Shelf {
            rows: Vec::new(),
            offer: index.offer(),
            index,
            signed,
            state: Ticket::default(),
            outdated: AtomicBool::new(false),
            made: Instant::now(),
            cost: Duration::ZERO,
        })
    }

    #[test]
    fn who_holds_an_old_shelf_must_give_it_back_when_the_second_newer_one_is_made() {
        let mut given = Given::default();
        let shelves = [(); 4].map(|()| shelf());
        let outdated = || shelves.each_ref().map(|shelf| shelf.is_outdated());
        let known =
            [[false; 4], [false; 4], [true, false, false, false], [true, true, false, false]];
        for (shelf, known) in shelves.iter().zip(known) {
            given.make_room();
            given.put(shelf);
            assert_eq!(outdated(), known);
        }
        assert_eq!(given.last.map(|last| last.is_outdated()), Some(false));
    }

    fn block(wall: u64) -> Verified {
        let mut pen = Pen::begin(&Identity::new(SecretKey::from([2; 32])), 3.into());
        pen.sign(vec![Entry::Checkpoint(Heads::default())], 1, wall).expect("room")
    }

    #[test]
    fn while_the_ledger_is_read_anew_nobody_waits_with_the_lock_of_the_shelves() {
        let folder = std::env::temp_dir().join(format!("reunite-shelf-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let identity = Identity::new(SecretKey::from([1; 32]));
        let signer = Signer::new(&identity, "a network");
        let namer = Namer::new(&SecretKey::from([7; 32]));
        let owner = Owner { identity, namer, dialect: Dialect::Sealed };
        let (database, _) = Database::open(&folder.join("DATABASE1.txt"), owner).expect("opened");
        // Nothing here builds it anew.
        database.take(vec![Received::read(block(1).bytes()).expect("right")]).expect("taken");
        let [one, other] = [1, 2].map(|wall| block(wall).signed().clone());
        database.convict(ForkProof::new(one, other).expect("a fork"));
        assert!(database.with(Replica::is_stale));
        let (shelves, stop) = (Shelves::default(), Stop::default());
        thread::scope(|scope| {
            let asks = scope.spawn(|| shelves.public(&database, &signer, &stop));
            for _ in 0..20 {
                thread::sleep(Duration::from_millis(5));
                let locked = shelves.public.try_lock();
                // It is held for the moment of a look.
                if matches!(locked, Err(TryLockError::WouldBlock)) {
                    lock_unless(&shelves.public, &stop).map(drop).expect("free at once");
                }
            }
            stop.set();
            assert!(matches!(asks.join().expect("no panic"), Err(Error::Stopped)));
        });
        let _ = std::fs::remove_dir_all(&folder);
    }
}
