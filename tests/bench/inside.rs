//! Nodes of a sealed network in this process, without their menus, listeners and savers: what is measured is what
//! two ledgers cost, and nothing runs beside it.

use crate::people;
use crate::sealed::{PATIENCE, Pair};
use crate::support::Network;
use crate::table::timed;
use reunite::base::seats::Seats;
use reunite::base::threads::Stop;
use reunite::model::dialect::Dialect;
use reunite::model::fields;
use reunite::model::identity::Identity;
use reunite::model::ids::PeerNumber;
use reunite::model::keys::SecretKey;
use reunite::model::ledger::import;
use reunite::model::ledger::names::Namer;
use reunite::model::limits::MAX_PEERS;
use reunite::model::meeting::Stored;
use reunite::model::row::Row;
use reunite::model::section::Section;
use reunite::net::context::Context;
use reunite::net::members::Members;
use reunite::net::notice::Notices;
use reunite::net::sealed::Sealed;
use reunite::net::sync;
use reunite::store::database::{Database, Ticket};
use reunite::store::opening::{Owner, ledger_path};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

/// A node.
pub struct Inside {
    pub context: Context,
    number: usize,
}

impl Inside {
    /// The node of this number, with what is in its folder; all of it is on the disk when this returns.
    pub fn open(network: &Network, number: usize) -> Self {
        let secrets = network.secrets.as_ref().expect("sealed");
        let identity =
            Identity::new(SecretKey::from(*secrets.identities[number - 1].expose().expose()));
        let shared = secrets.keys.network.as_ref().expect("tier 1");
        let (me, book) = (numbered(number), network.book());
        let sealed = Arc::new(Sealed::new(&book, me, &identity).expect("keys are right"));
        let owner = Owner { identity, namer: Namer::new(shared), dialect: Dialect::Sealed };
        let (database, _) = Database::open(&network.database(number), owner).expect("read");
        // Nobody reads them.
        let (orders, _) = sync_channel(1);
        let context = Context {
            members: Arc::new(Members::new(book, me, None, None)),
            is_lit: false,
            post: None,
            database,
            notices: Notices::new(|_| true),
            stop: Stop::default(),
            socket: None,
            addresses: Default::default(),
            sealed: Some(sealed),
            classic: Default::default(),
            monitor: Default::default(),
            sending: Seats::new(MAX_PEERS, 1),
            alarms: Seats::new(1, 1),
            shelves: Default::default(),
            crew: Default::default(),
            orders,
            lost_orders: Default::default(),
            work: Default::default(),
        };
        let inside = Self { context, number };
        inside.saved(inside.database().now());
        inside
    }

    pub fn database(&self) -> &Database {
        &self.context.database
    }

    pub fn saved(&self, ticket: Ticket) {
        self.database().wait_saved(ticket, PATIENCE, &self.context.stop).expect("written");
    }

    /// Enters person `number` as somebody at the menu does, who waits until it is saved.
    pub fn add(&self, number: usize) {
        let line = people::row(number);
        let row = Row::new(&fields::split(&line).collect::<Vec<_>>());
        let made = self.database().write(|replica| {
            let (state, namer) = (replica.state(), replica.namer());
            let made = import::enter(state, namer, Section::People, &row, &mut rand::rng());
            made.map(|made| (made, ()))
        });
        self.saved(made.expect("right").1);
    }

    /// Brings its ledger into step with another's over these streams, from the first byte of TLS to the last word
    /// that both have everything on their disks. Returns how long it took, and what the other took.
    pub fn meet(&self, other: &Self, (to, from): (TcpStream, TcpStream)) -> (Duration, Stored) {
        let (mut client, mut server) = Pair::new().channels(to, from);
        thread::scope(|scope| {
            let (time, stored) = timed(|| {
                let answered = scope.spawn(move || {
                    sync::answer(&other.context, numbered(self.number), &mut server).expect("well");
                });
                let stored = sync::meet(&self.context, numbered(other.number), &mut client);
                answered.join().expect("no panic");
                stored.expect("well")
            });
            (time, stored)
        })
    }
}

/// The file of a node's ledger, which is one segment up to more than a million records.
pub fn ledger(network: &Network, number: usize) -> PathBuf {
    ledger_path(&network.database(number))
}

fn numbered(number: usize) -> PeerNumber {
    (number as u64).try_into().expect("1 to 999")
}
