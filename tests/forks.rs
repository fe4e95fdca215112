//! An author forked, and more of its changes wait than the journal may hold: all are taken over, a portion at a time.

mod support;

use reunite::base::threads::Stop;
use reunite::model::dialect::Dialect;
use reunite::model::identity::Identity;
use reunite::model::keys::SecretKey;
use reunite::model::ledger::block::{Received, Verified};
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::fork::ForkProof;
use reunite::model::ledger::names::Namer;
use reunite::model::ledger::operation::{About, Kind, Operation};
use reunite::model::ledger::pen::Pen;
use reunite::model::limits::JOURNAL_WAITING;
use reunite::model::section::Section;
use reunite::store::database::Database;
use reunite::store::opening::Owner;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use support::Folder;

const PATIENCE: Duration = Duration::from_secs(60);
/// Changes of one block.
const CHANGES: u32 = 100;

fn identity(byte: u8) -> Identity {
    Identity::new(SecretKey::from([byte; 32]))
}

/// A block full of changes, `at` which place in its log.
fn block(pen: &mut Pen, at: u32, text: &str) -> Verified {
    let change = |n: u32| {
        let mut name = [0; 16];
        name[..4].copy_from_slice(&(at * CHANGES + n).to_be_bytes());
        let about = About { section: Section::People, record: name.into() };
        let values = BTreeMap::from([(0, text.to_owned())]);
        let made = Operation::open(about, Kind::Set, name.into(), values, BTreeSet::new());
        Entry::Change(made.expect("right"))
    };
    pen.sign((0..CHANGES).map(change).collect(), u64::from(at) + 1, 0).expect("room")
}

fn received(block: &Verified) -> Received {
    Received::read(block.bytes()).expect("a block")
}

#[test]
fn more_than_may_wait_for_the_disk_is_taken_over_from_who_forked() {
    let folder = Folder::new("forks");
    let namer = Namer::new(&SecretKey::from([7; 32]));
    let owner = Owner { identity: identity(1), namer, dialect: Dialect::Sealed };
    let (database, _) =
        Database::open(&folder.path().join("DATABASE1.txt"), owner).expect("opened");
    let (other, stop) = (identity(2), Stop::default());
    let author = other.public().identity;
    let (mut left, mut right) = (Pen::begin(&other, 1.into()), Pen::begin(&other, 1.into()));
    let (text, mut bytes, mut all, mut first) = ("x".repeat(4000), 0, 0, None);
    while bytes < JOURNAL_WAITING * 5 / 4 {
        let block = block(&mut left, all, &text);
        bytes += block.bytes().len();
        let (_, ticket) = database.take(vec![received(&block)]).expect("taken");
        database.wait_saved(ticket, PATIENCE, &stop).expect("written");
        first.get_or_insert(block);
        all += 1;
    }
    assert!(!database.has_waiting(&author).expect("read"), "it did not fork yet");
    let proof = ForkProof::new(
        first.expect("some").signed().clone(),
        block(&mut right, 0, "y").signed().clone(),
    );
    let proof = proof.expect("two different blocks");
    assert!(database.convict(proof.clone()).0 && !database.convict(proof).0);
    assert_eq!((database.newly_forked(), database.newly_forked()), (vec![author], vec![]));
    assert!(database.has_waiting(&author).expect("read"));
    let (count, ticket) = database.take_over(&author, &stop).expect("there is room");
    assert_eq!(count, usize::try_from(all * CHANGES).expect("few"));
    database.wait_saved(ticket, PATIENCE, &stop).expect("all of it");
    assert!(!database.has_waiting(&author).expect("read"));
    assert_eq!(database.counts().shown, [count, 0, 0]);
}
