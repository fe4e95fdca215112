//! Sends one thing to one peer in the dialect of the network: the database, or an alarm.

use crate::base::clock::Deadline;
use crate::model::limits::{KNOCK_PATIENCE, TURN_PAUSE};
use crate::model::records::Records;
use crate::model::row::Row;
use crate::net::classic::send;
use crate::net::context::Context;
use crate::net::notice::Outcome;
use crate::net::sealed::Sealed;
use crate::net::shelf::Shelf;
use crate::net::{sync, talk};
use crate::store::database::Ticket;
use crate::store::peer_book::Peer;
use std::sync::Arc;

/// The database as it was at some moment, ready to be sent to any number of peers.
#[derive(Debug)]
pub struct Load {
    /// Which moment.
    pub state: Ticket,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    Classic(Vec<Row>),
    Sealed(Arc<Sealed>, Arc<Shelf>),
}

impl Load {
    /// The database as it is now.
    pub fn now(context: &Context) -> Self {
        match &context.sealed {
            Some(sealed) => {
                let shelf = context.shelves.full(&context.database);
                Self { state: shelf.state, rows: Rows::Sealed(Arc::clone(sealed), shelf) }
            }
            None => {
                let state = context.database.now();
                Self { state, rows: Rows::Classic(context.database.with(Records::people)) }
            }
        }
    }
}

/// Sends the database to `peer`, unless an earlier sending to it still goes on.
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
    match &load.rows {
        Rows::Classic(people) => send::database(context, peer, people),
        Rows::Sealed(sealed, shelf) => sync::give(context, sealed, peer, shelf),
    }
}

/// Sends an alarm to `peer`.
pub fn alarm(context: &Context, peer: &Peer, text: &str) -> Outcome {
    match &context.sealed {
        Some(sealed) => talk::alarm(context, sealed, peer, text),
        None => send::alarm(context, peer, text),
    }
}
