//! Raises an alarm at all peers, goes on at those it did not reach, and has it in the ledger for who is away.

use crate::base::clock::Deadline;
use crate::base::error::Result;
use crate::model::ids::PeerNumber;
use crate::model::ledger::alarm::{Alarm, Raised};
use crate::model::ledger::entry::Entry;
use crate::model::limits::{ALARM_AGAIN, SLICE};
use crate::model::spoken::Spoken;
use crate::net::broadcast::to_all;
use crate::net::context::{Context, Order};
use crate::net::deliver::{self, Call};
use crate::net::notice::{Notice, Outcome, Sent};
use std::time::Instant;

/// Makes an alarm of these words. In a sealed network it stands in the ledger from then on. It does not wait for the
/// disk, and is raised also if the disk takes nothing more.
pub fn make(context: &Context, text: &str) -> Result<Call> {
    if context.sealed.is_none() {
        return Ok(Call::Classic(text.to_owned()));
    }
    let raised = Raised::new(Spoken::try_from(text)?, &mut rand::rng());
    let entry = Entry::Alarm(Alarm::Raised(raised.clone()));
    if let Err(error) = context.database.note(|_| vec![entry]) {
        log::warn!("an alarm is not in the ledger, and does not reach who is away: {error}");
    }
    Ok(Call::Sealed(raised))
}

/// Sends an alarm to all peers at once; says whom it reached.
pub fn raise(context: &Context, call: &Call) -> Vec<(PeerNumber, Outcome)> {
    let now = context.members.now();
    let others = now.book.others(now.me);
    let outcomes = to_all(context, others, |peer| deliver::alarm(context, peer, call));
    // With the ledger it comes to those who are away.
    if context.sealed.is_some() {
        context.order(Order::Noted);
    }
    outcomes
}

/// Tries again at those whom it did not reach, for some minutes, and at once at whoever is heard of.
pub fn go_on(context: &Context, missed: &[(PeerNumber, Outcome)], call: &Call) {
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
        let outcomes = to_all(context, left, |peer| deliver::alarm(context, peer, call));
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
