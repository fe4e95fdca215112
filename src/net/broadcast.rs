//! Tells all peers at once, and goes on telling those that were away.
//!
//! A broadcast that a person asked for, or that follows a change of theirs, goes to everybody at once and
//! is reported. Who missed it is tried again, later and later, and at once when a sign of life comes. Rows
//! that came in from a peer are passed on slowly, one peer at a time: the peer has most likely sent them to
//! all others itself, and the classic dialect can send only the whole database.

use crate::base::error::{Error, Result};
use crate::base::threads::lock;
use crate::model::ids::PeerNumber;
use crate::model::limits::{MAX_DIALS, RETRY_FIRST, RETRY_LAST, SLICE};
use crate::net::context::{Context, Order, Work};
use crate::net::deliver;
use crate::net::notice::{Notice, Outcome, Sent};
use crate::store::peer_book::Peer;
use rand::RngExt;
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Rows of a peer are passed on after this long, give or take half.
const PASS_ON: Duration = Duration::from_secs(60);
/// Passing on may take one part in so many of a link's time.
const PASS_ON_SHARE: u32 = 20;

/// Sends `job` to all of `peers` in parallel; returns what became of it, by number.
pub fn to_all<'a>(
    peers: impl Iterator<Item = &'a Peer>,
    job: impl Fn(&Peer) -> Outcome + Sync,
) -> Vec<(PeerNumber, Outcome)> {
    let queue: Mutex<VecDeque<&Peer>> = Mutex::new(peers.collect());
    let outcomes = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = lock(&queue).pop_front();
            let Some(peer) = next else { break };
            let outcome = job(peer);
            lock(&outcomes).push((peer.number, outcome));
        }
    };
    let workers = lock(&queue).len().min(MAX_DIALS);
    thread::scope(|scope| {
        for _ in 0..workers {
            let builder = thread::Builder::new().name("dial".into()).stack_size(256 * 1024);
            if let Err(cause) = builder.spawn_scoped(scope, work) {
                log::warn!("a dial thread could not be started: {cause}");
                // Slower, but nobody is left out.
                work();
                break;
            }
        }
    });
    let mut outcomes = std::mem::take(&mut *lock(&outcomes));
    outcomes.sort_by_key(|(peer, _)| *peer);
    outcomes
}

/// A peer that may lack something.
#[derive(Clone, Copy, Debug)]
struct Owed {
    due: Instant,
    failures: u32,
    /// When it last failed; a sign of life after that makes it due at once.
    failed: Option<Instant>,
}

/// The broadcast thread.
pub fn run(context: &Context, orders: &Receiver<Order>) -> Result<()> {
    let mut owed: HashMap<PeerNumber, Owed> = HashMap::new();
    let mut rest_until = Instant::now();
    loop {
        context.stop.check()?;
        let mut asked = Vec::new();
        match orders.recv_timeout(SLICE) {
            Ok(order) => {
                // All that waits is done by one broadcast.
                for order in std::iter::once(order).chain(orders.try_iter()) {
                    asked.extend(take(context, order, &mut owed));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Error::Stopped),
        }
        if !asked.is_empty() {
            send_to_all(context, &mut owed);
        } else if let Some(peer) = next_due(context, &owed, rest_until) {
            rest_until = send_to_one(context, peer, &mut owed);
        }
    }
}

/// Notes an order; returns its share in the work if it is to send to all now.
fn take(context: &Context, order: Order, owed: &mut HashMap<PeerNumber, Owed>) -> Option<Work> {
    match order {
        Order::ToAll(work) => return Some(work),
        Order::Current(peer) => drop(owed.remove(&peer)),
        Order::Missed(peer) => missed(owed, peer),
        Order::Applied(from) => {
            for peer in context.book.others(context.me).filter(|peer| peer.number != from) {
                let wait = PASS_ON.mul_f64(rand::rng().random_range(0.5..1.5));
                let due = Instant::now() + wait;
                owed.entry(peer.number).or_insert(Owed { due, failures: 0, failed: None });
            }
        }
    }
    None
}

fn send_to_all(context: &Context, owed: &mut HashMap<PeerNumber, Owed>) {
    let people = context.database.with(|records| records.people());
    let others = context.book.others(context.me);
    let outcomes = to_all(others, |peer| deliver::database(context, peer, &people));
    for (peer, outcome) in &outcomes {
        note(owed, *peer, outcome);
    }
    context.notices.tell(Notice::Delivered { what: Sent::Database, outcomes });
}

/// The peer to be tried next, if one is due.
fn next_due(
    context: &Context,
    owed: &HashMap<PeerNumber, Owed>,
    rest_until: Instant,
) -> Option<PeerNumber> {
    let now = Instant::now();
    let back = |peer: PeerNumber, owed: &Owed| {
        owed.failed.is_some_and(|failed| context.monitor.last_heard(peer) > Some(failed))
    };
    owed.iter()
        .filter(|(peer, owed)| back(**peer, owed) || (owed.due <= now && rest_until <= now))
        .min_by_key(|(_, owed)| owed.due)
        .map(|(peer, _)| *peer)
}

/// Sends to one peer that may lack something; returns until when the link has a rest.
fn send_to_one(
    context: &Context,
    number: PeerNumber,
    owed: &mut HashMap<PeerNumber, Owed>,
) -> Instant {
    let begun = Instant::now();
    if let Some(peer) = context.book.peer(number) {
        let people = context.database.with(|records| records.people());
        let outcome = deliver::database(context, peer, &people);
        let was_missed = owed.get(&number).is_some_and(|owed| owed.failures > 0);
        note(owed, number, &outcome);
        if was_missed && outcome.is_success() {
            let outcomes = vec![(number, outcome)];
            context.notices.tell(Notice::Delivered { what: Sent::Database, outcomes });
        }
    }
    Instant::now() + begun.elapsed() * PASS_ON_SHARE
}

fn note(owed: &mut HashMap<PeerNumber, Owed>, peer: PeerNumber, outcome: &Outcome) {
    if outcome.is_success() {
        owed.remove(&peer);
    } else {
        log::info!("peer {peer} does not have the database yet: {outcome:?}");
        missed(owed, peer);
    }
}

fn missed(owed: &mut HashMap<PeerNumber, Owed>, peer: PeerNumber) {
    let now = Instant::now();
    let failures = owed.get(&peer).map_or(0, |owed| owed.failures) + 1;
    let wait = RETRY_LAST.min(RETRY_FIRST * 2_u32.saturating_pow(failures - 1));
    owed.insert(peer, Owed { due: now + wait, failures, failed: Some(now) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_missed_something_is_tried_later_and_later_but_for_ever() {
        let (mut owed, mut waits) = (HashMap::new(), Vec::new());
        let peer = PeerNumber::try_from(1).expect("a number");
        for _ in 0..40 {
            missed(&mut owed, peer);
            waits.push(owed[&peer].due.duration_since(owed[&peer].failed.expect("it failed")));
        }
        assert_eq!(waits[..3], [RETRY_FIRST, RETRY_FIRST * 2, RETRY_FIRST * 4]);
        assert_eq!(waits.last(), Some(&RETRY_LAST));
        note(&mut owed, peer, &Outcome::Delivered);
        assert!(owed.is_empty());
    }
}
