//! Raises an alarm at all peers, and goes on at those it did not reach.

use crate::base::clock::Deadline;
use crate::model::ids::PeerNumber;
use crate::model::limits::{ALARM_AGAIN, SLICE};
use crate::net::broadcast::to_all;
use crate::net::context::Context;
use crate::net::deliver;
use crate::net::notice::{Notice, Outcome, Sent};
use std::time::Instant;

/// Sends an alarm to all peers at once; says whom it reached.
pub fn raise(context: &Context, text: &str) -> Vec<(PeerNumber, Outcome)> {
    let now = context.members.now();
    let others = now.book.others(now.me);
    to_all(context, others, |peer| deliver::alarm(context, peer, text))
}

/// Tries again at those whom it did not reach, for some minutes, and at once at whoever is heard of. A peer may
/// see it twice, when it was its confirmation that was lost.
pub fn go_on(context: &Context, missed: &[(PeerNumber, Outcome)], text: &str) {
    let failed = |(_, outcome): &&(PeerNumber, Outcome)| {
        !outcome.is_success() && *outcome != Outcome::Stopped
    };
    let mut missed: Vec<_> = missed.iter().filter(failed).map(|(peer, _)| *peer).collect();
    // If many alarms are gone on with already, this one was sent, once, like them.
    let Some(_seat) = context.alarms.take(&()) else { return };
    for wait in ALARM_AGAIN {
        if missed.is_empty() || !rest(context, &missed, Deadline::after(wait)) {
            return;
        }
        let now = context.members.now();
        let left = now.book.others(now.me).filter(|peer| missed.contains(&peer.number));
        let outcomes = to_all(context, left, |peer| deliver::alarm(context, peer, text));
        let reached: Vec<_> = outcomes.into_iter().filter(|(_, one)| one.is_success()).collect();
        missed.retain(|peer| !reached.iter().any(|(other, _)| other == peer));
        if !reached.is_empty() {
            context.notices.tell(Notice::Delivered { what: Sent::Alarm, outcomes: reached });
        }
    }
}

/// Waits, but not when one of these peers is heard of. Returns whether the node goes on.
fn rest(context: &Context, peers: &[PeerNumber], deadline: Deadline) -> bool {
    let begun = Some(Instant::now());
    while let Some(slice) = deadline.slice(SLICE) {
        if context.stop.wait(slice) {
            return false;
        }
        if peers.iter().any(|peer| context.monitor.last_came(*peer) > begun) {
            break;
        }
    }
    true
}
