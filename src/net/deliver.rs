//! Sends one thing to one peer in the dialect of the network: what is new in the database, or an alarm.

use crate::base::clock::Deadline;
use crate::model::ledger::alarm::Raised;
use crate::model::limits::{KNOCK_PATIENCE, TURN_PAUSE};
use crate::model::row::Row;
use crate::net::classic::send;
use crate::net::context::Context;
use crate::net::notice::Outcome;
use crate::net::{sync, talk};
use crate::store::database::Ticket;
use crate::store::peer_book::Peer;

/// The database as it was at some moment, ready to be brought to any number of peers.
#[derive(Debug)]
pub struct Load {
    /// Which moment.
    pub state: Ticket,
    /// In a classic network the rows of people; in a sealed one what a peer lacks is found out with it.
    people: Vec<Row>,
}

impl Load {
    /// The database as it is now.
    pub fn now(context: &Context) -> Self {
        let state = context.database.now();
        let people = match context.sealed {
            Some(_) => Vec::new(),
            None => context.database.people_with_versions(),
        };
        Self { state, people }
    }
}

/// Brings `peer` up to date, unless an earlier such work with it still goes on.
pub fn database(context: &Context, peer: &Peer, load: &Load) -> Outcome {
    let deadline = Deadline::after(KNOCK_PATIENCE);
    let _seat = loop {
        match context.sending.take(&peer.number) {
            Some(seat) => break seat,
            None if deadline.left().is_none() => return Outcome::Busy,
            None if context.stop.wait(TURN_PAUSE) => return Outcome::Stopped,
            None => {}
        }
    };
    match &context.sealed {
        Some(sealed) => sync::call(context, sealed, peer),
        None => send::database(context, peer, &load.people),
    }
}

/// An alarm, in the dialect of the network.
#[derive(Clone, Debug)]
pub enum Call {
    /// Its words.
    Classic(String),
    /// As it stands in the ledger.
    Sealed(Raised),
}

/// Sends an alarm to `peer`.
pub fn alarm(context: &Context, peer: &Peer, call: &Call) -> Outcome {
    match (call, &context.sealed) {
        (Call::Sealed(raised), Some(sealed)) => talk::alarm(context, sealed, peer, raised),
        (Call::Sealed(raised), None) => send::alarm(context, peer, raised.text().as_str()),
        (Call::Classic(text), _) => send::alarm(context, peer, text),
    }
}
