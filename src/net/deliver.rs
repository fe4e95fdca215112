//! Sends one thing to one peer in the dialect of the network: the database, or an alarm.

use crate::model::row::Row;
use crate::net::classic::send;
use crate::net::context::Context;
use crate::net::notice::Outcome;
use crate::net::talk;
use crate::store::peer_book::Peer;

/// Sends all rows of people to `peer`, unless an earlier sending to it still goes on.
pub fn database(context: &Context, peer: &Peer, people: &[Row]) -> Outcome {
    send::database(context, peer, people)
}

/// Sends an alarm to `peer`.
pub fn alarm(context: &Context, peer: &Peer, text: &str) -> Outcome {
    match &context.sealed {
        Some(sealed) => talk::alarm(context, sealed, peer, text),
        None => send::alarm(context, peer, text),
    }
}
