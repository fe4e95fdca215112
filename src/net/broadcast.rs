//! Tells all peers at once, and goes on telling those that were away.
//!
//! A broadcast that a person asked for, or that follows a change of theirs, goes to everybody at once (in a large
//! network to some, see `model::rumour`) and is reported. Who missed it is tried again, later and later, and at once
//! when a sign of life comes; whoever is heard of and may lack something gets it within a minute. What came in from a
//! peer is passed on after a while: the peer has most likely sent it to all others itself. In the sealed dialect a few
//! peers get it, who pass it on in turn; the classic one, which can send only the whole database, goes slowly from one
//! peer to the next.

use crate::base::error::{Error, Result};
use crate::base::seats::{Seat, Seats};
use crate::base::threads::{STACK_BYTES, lock};
use crate::model::ids::PeerNumber;
use crate::model::limits::{
    IDLE_LOOK, MAX_BROADCASTS, MAX_DIALS, MAX_RETRIES, MAX_RETURNS, PASS_ON_SHARE, RETRY_FIRST,
    RETRY_LAST,
};
use crate::model::rumour;
use crate::net::context::{Context, Order, Work};
use crate::net::deliver::{self, Load};
use crate::net::notice::{Notice, Outcome, Sent};
use crate::net::post;
use crate::net::roll;
use crate::store::database::Ticket;
use crate::store::peer_book::Peer;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// In the classic dialect rows of a peer are passed on after this long, give or take half.
const PASS_ON: Duration = Duration::from_secs(60);
/// Pause when the system gives no further thread.
const NO_THREAD_PAUSE: Duration = Duration::from_secs(1);
/// Shortest look around while somebody who has come back waits: there may be no place for the call.
const SHORTEST_LOOK: Duration = Duration::from_millis(50);
/// After a start, everybody gets everything after this long, give or take half, in the classic dialect.
const AFTER_CLASSIC_START: Duration = Duration::from_secs(10);
/// A peer that is heard of, and may lack something, gets it after this long, give or take half.
const ON_CONTACT: Duration = Duration::from_secs(20);
const _: () =
    assert!(ON_CONTACT.as_secs() * 3 / 2 < 60, "within a minute, also if it is busy for a while");
/// What waits for peers that are away grows old in these.
const HOUR: Duration = Duration::from_secs(3600);

/// Sends `job` to all of `peers` in parallel, first to those that are there; returns what became of it, by number. In the classic dialect peers
/// of one machine whose answers could not be told apart are tried again one after the other.
pub fn to_all<'a>(
    context: &Context,
    peers: impl Iterator<Item = &'a Peer>,
    job: impl Fn(&Peer) -> Outcome + Sync,
) -> Vec<(PeerNumber, Outcome)> {
    let mut peers: Vec<_> = peers.collect();
    rumour::there_first(&mut peers, |peer| context.monitor.state(peer.number));
    let mut outcomes = in_parallel(peers, &job);
    if context.sealed.is_some() {
        return outcomes;
    }
    let lost = context.classic.replies.take_ambiguous();
    for (number, outcome) in outcomes.iter_mut().filter(|(_, outcome)| !outcome.is_success()) {
        let ambiguous = |peer: &&Peer| lost.contains(&peer.address.ip());
        let book = context.book();
        if let Some(peer) = book.peer(*number).filter(ambiguous) {
            *outcome = job(peer);
        }
    }
    outcomes
}

fn in_parallel(
    peers: Vec<&Peer>,
    job: &(impl Fn(&Peer) -> Outcome + Sync),
) -> Vec<(PeerNumber, Outcome)> {
    let queue: Mutex<VecDeque<&Peer>> = Mutex::new(peers.into());
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
            let builder = thread::Builder::new().name("dial".into()).stack_size(STACK_BYTES);
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

/// The broadcast thread. It only decides; every delivery has a thread of its own, so that a peer that does
/// not answer holds up nobody else.
pub fn run(context: &Arc<Context>, orders: &Receiver<Order>) -> Result<()> {
    let last_came = |peer| context.monitor.last_came(peer);
    let is_free = |peer| context.sending.take(&peer).is_some();
    let look = || Look { now: Instant::now(), last_came: &last_came, is_free: &is_free };
    let (mut debts, mut comebacks) = (Debts::default(), rumour::Returns::default());
    let mut asked: Vec<Work> = Vec::new();
    let mut meet = Instant::now() + rumour::next_meeting(&mut rand::rng());
    let mut hour = Instant::now() + HOUR;
    let broadcasts = Seats::new(MAX_BROADCASTS, MAX_BROADCASTS);
    let (retries, returns) =
        (Seats::new(MAX_RETRIES, MAX_RETRIES), Seats::new(MAX_RETURNS, MAX_RETURNS));
    let mut book = context.book();
    loop {
        context.stop.check()?;
        // What nobody else has noticed: that people have looked into a fork, say.
        roll::follow(context);
        if !Arc::ptr_eq(&book, &context.book()) {
            book = context.book();
            debts.owed.retain(|peer, _| book.peer(*peer).is_some());
            debts.has.retain(|peer, _| book.peer(*peer).is_some());
        }
        match orders.recv_timeout(debts.patience()) {
            Ok(order) => {
                for order in std::iter::once(order).chain(orders.try_iter()) {
                    asked.extend(take(context, order, &mut debts, &mut comebacks));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Error::Stopped),
        }
        if context.lost_orders.swap(false, Ordering::Relaxed) {
            asked.extend(take(context, Order::Noted, &mut debts, &mut comebacks));
        }
        if context.sealed.is_some() && meet <= Instant::now() {
            meet = Instant::now() + rumour::next_meeting(&mut rand::rng());
            if let Some(peer) = rumour::anybody(&others(context), &mut rand::rng()) {
                debts.owe(peer, context.database.now(), Duration::ZERO);
            }
        }
        // All that was asked for meanwhile is done by one broadcast.
        if let Some(seat) = broadcasts.take(&()).filter(|_| !asked.is_empty()) {
            let works = std::mem::take(&mut asked);
            let done = in_thread(context, "broadcast", move |node| {
                send_to_all(node);
                drop((seat, works));
            });
            asked.extend((!done).then(|| context.work.clone()));
        }
        // Who has come back does not wait for those that get what is passed on, one after the other.
        while let Some(seat) = returns.take(&()) {
            let Some((peer, missed)) = debts.next_due(&look(), true) else { break };
            in_thread(context, "retry", move |node| retry(node, peer, missed, true, seat));
        }
        if let Some(seat) = retries.take(&()) {
            if let Some((peer, missed)) = debts.next_due(&look(), false) {
                in_thread(context, "retry", move |node| retry(node, peer, missed, false, seat));
            }
        }
        // In a thread: a slow disk holds up nobody else.
        if hour <= Instant::now() && in_thread(context, "hour", post::hour) {
            hour = Instant::now() + HOUR;
        }
    }
}

/// Does it in a thread of the crew; returns whether there is one.
fn in_thread(
    context: &Arc<Context>,
    name: &'static str,
    work: impl FnOnce(&Context) + Send + 'static,
) -> bool {
    let node = Arc::clone(context);
    let started = context.crew.spawn(name, move || {
        work(&node);
        Ok(())
    });
    if let Err(error) = &started {
        log::warn!("{error}; it is tried again");
        context.stop.wait(NO_THREAD_PAUSE);
    }
    started.is_ok()
}

/// Sends to one peer what it may lack, on this seat.
fn retry(context: &Context, peer: PeerNumber, missed: bool, is_urgent: bool, _seat: Seat<()>) {
    let begun = Instant::now();
    let Some((state, outcome)) = bring(context, peer) else { return };
    let is_full = outcome == Outcome::Full;
    // Once, not at every meeting with it.
    let is_full_now = is_full && context.monitor.filled(peer, true);
    if is_full_now || (missed && outcome == Outcome::Unconfirmed) {
        tell_of_one(context, peer, outcome.clone());
    }
    if outcome.is_certain() {
        context.monitor.filled(peer, false);
        // A person may have been told meanwhile that the peer does not have it, since this was still under way.
        send(context, Order::Met(peer, state, outcome));
    } else {
        note(context, peer, state, &outcome);
        if !is_full && outcome != Outcome::Unconfirmed {
            return;
        }
    }
    if is_urgent {
        return;
    }
    // The link has a rest before the next one, however slow it is.
    context.stop.wait((begun.elapsed() * PASS_ON_SHARE).min(RETRY_LAST));
}

/// Notes an order; returns its share in the work if it is to send to all now.
fn take(
    context: &Context,
    order: Order,
    debts: &mut Debts,
    comebacks: &mut rumour::Returns,
) -> Option<Work> {
    match order {
        Order::ToAll(work) => return Some(work),
        Order::Current(peer, ticket) => {
            debts.paid(peer, ticket);
        }
        Order::Met(peer, ticket, outcome) => {
            // The person was told that it does not have it.
            if debts.paid(peer, ticket) {
                tell_of_one(context, peer, outcome);
            }
        }
        Order::Heard(peer) => {
            let state = context.database.saved();
            if debts.may_lack(peer, state) {
                debts.owe(peer, state, rumour::about(ON_CONTACT, &mut rand::rng()));
            }
        }
        Order::Noted => {
            for peer in rumour::changed(&others(context), &mut rand::rng()) {
                debts.owe_now(peer, context.database.now());
            }
        }
        Order::Missed(peer, ticket) => debts.missed(peer, ticket, context.database.now()),
        Order::Moved => {
            for peer in rumour::changed(&others(context), &mut rand::rng()) {
                debts.hurry(peer, context.database.now(), Duration::ZERO);
            }
        }
        Order::Returned(peer) => {
            let count = others(context).len();
            if let Some(wait) = comebacks.one(count, Instant::now(), &mut rand::rng()) {
                debts.hurry(peer, context.database.now(), wait);
            }
        }
        Order::Differs(peer, near) => {
            let wait = rumour::differs(near, &mut rand::rng());
            // A long transfer to it is not a failed one.
            if let Some(wait) = wait.filter(|_| context.sending.take(&peer).is_some()) {
                debts.owe(peer, context.database.now(), wait);
            }
        }
        Order::Started => {
            let plan = match context.sealed {
                Some(_) => rumour::started(&others(context), &mut rand::rng()),
                None => to_each(&others(context), AFTER_CLASSIC_START),
            };
            plan.into_iter().for_each(|(peer, wait)| debts.owe(peer, context.database.now(), wait));
        }
        Order::Applied(from) => {
            let plan = match context.sealed {
                Some(_) => rumour::applied(&others(context), from, &mut rand::rng()),
                None => {
                    let mut others = others(context);
                    others.retain(|peer| *peer != from);
                    to_each(&others, PASS_ON)
                }
            };
            plan.into_iter().for_each(|(peer, wait)| debts.owe(peer, context.database.now(), wait));
        }
    }
    None
}

fn others(context: &Context) -> Vec<PeerNumber> {
    let now = context.members.now();
    now.book.others(now.me).map(|peer| peer.number).collect()
}

fn to_each(peers: &[PeerNumber], after: Duration) -> rumour::Plan {
    let about = |peer: &PeerNumber| (*peer, rumour::about(after, &mut rand::rng()));
    peers.iter().map(about).collect()
}

fn send_to_all(context: &Context) {
    let load = Load::now(context);
    let mut told = others(context);
    if context.sealed.is_some() {
        told = rumour::changed(&told, &mut rand::rng());
    }
    let now = context.members.now();
    let peers = now.book.others(now.me).filter(|peer| told.contains(&peer.number));
    let outcomes = to_all(context, peers, |peer| deliver::database(context, peer, &load));
    // First, so that nobody is told before of one of them that it was reached after all.
    context.notices.tell(Notice::Delivered { what: Sent::Database, outcomes: outcomes.clone() });
    for (peer, outcome) in &outcomes {
        note(context, *peer, load.state, outcome);
    }
}

/// Sends the database to one peer, and tells the person what became of it.
pub fn send_to_one(context: &Context, number: PeerNumber) {
    let Some((state, outcome)) = bring(context, number) else { return };
    tell_of_one(context, number, outcome.clone());
    note(context, number, state, &outcome);
}

/// Brings the database as it is now to one peer.
fn bring(context: &Context, number: PeerNumber) -> Option<(Ticket, Outcome)> {
    let book = context.book();
    let peer = book.peer(number)?;
    let load = Load::now(context);
    Some((load.state, deliver::database(context, peer, &load)))
}

/// Tells the person what became of a database that was sent to one peer.
fn tell_of_one(context: &Context, peer: PeerNumber, outcome: Outcome) {
    let outcomes = vec![(peer, outcome)];
    context.notices.tell(Notice::Delivered { what: Sent::Database, outcomes });
}

fn note(context: &Context, peer: PeerNumber, ticket: Ticket, outcome: &Outcome) {
    // Who is full has all that it will ever take: to try again for ever would change nothing.
    let order = if outcome.is_certain() || *outcome == Outcome::Full {
        Order::Current(peer, ticket)
    } else {
        log::info!("peer {peer} does not have the database yet: {outcome:?}");
        Order::Missed(peer, ticket)
    };
    send(context, order);
}

/// Waits for room; the broadcast thread never waits for this one. Fails only when the node ends.
fn send(context: &Context, order: Order) {
    if context.orders.send(order).is_err() {
        log::debug!("the broadcast thread has ended");
    }
}

/// What is known of peers when it is looked who is due.
struct Look<'a> {
    now: Instant,
    /// When a peer last came back, or called.
    last_came: &'a dyn Fn(PeerNumber) -> Option<Instant>,
    /// Whether nobody is sending to it.
    is_free: &'a dyn Fn(PeerNumber) -> bool,
}

/// What each peer may lack.
#[derive(Debug, Default)]
struct Debts {
    owed: HashMap<PeerNumber, Debt>,
    /// The last state of the database of which all is at the peer, as far as is known.
    has: HashMap<PeerNumber, Ticket>,
}

#[derive(Clone, Copy, Debug)]
struct Debt {
    /// The state of the database that the peer may lack.
    state: Ticket,
    due: Instant,
    failures: u32,
    /// The last state that it missed, of which nobody has said yet that it has it.
    missed: Option<Ticket>,
    /// When it last failed; a sign of life after that makes it due at once.
    failed: Option<Instant>,
    /// Until when a try that has begun is taken to go on, if it says nothing.
    tried: Option<Instant>,
    /// Whether it was quiet or elsewhere, and is called at once.
    is_urgent: bool,
    /// Whether something that is no state of the database came after the last try began.
    again: bool,
}

impl Debt {
    fn new(state: Ticket, due: Instant) -> Self {
        let (failures, missed, failed, tried) = (0, None, None, None);
        Self { state, due, failures, missed, failed, tried, is_urgent: false, again: false }
    }
}

impl Debts {
    /// The peer may lack `state`; it gets it after `wait`, or earlier if that was planned already.
    fn owe(&mut self, peer: PeerNumber, state: Ticket, wait: Duration) {
        let due = Instant::now() + wait;
        let debt = self.owed.entry(peer).or_insert(Debt::new(state, due));
        debt.state = debt.state.max(state);
        // Who missed something is tried later and later, whatever is new meanwhile, until it gives a sign of life.
        if debt.failures == 0 {
            debt.due = debt.due.min(due);
        }
    }

    /// Whether the peer may lack something of `state`.
    fn may_lack(&self, peer: PeerNumber, state: Ticket) -> bool {
        self.has.get(&peer).is_none_or(|has| *has < state)
    }

    /// The peer is there again, or somewhere else: it gets what it may lack after `wait`, whatever was planned.
    fn hurry(&mut self, peer: PeerNumber, state: Ticket, wait: Duration) {
        self.owe(peer, state, wait);
        if let Some(debt) = self.owed.get_mut(&peer).filter(|debt| !debt.is_urgent) {
            (debt.due, debt.is_urgent) = (Instant::now() + wait, true);
        }
    }

    /// The peer may lack something at once that is no state of the database: a delivery that is under way does not
    /// count.
    fn owe_now(&mut self, peer: PeerNumber, state: Ticket) {
        self.hurry(peer, state, Duration::ZERO);
        if let Some(debt) = self.owed.get_mut(&peer) {
            debt.again = true;
        }
    }

    /// How long to wait for orders.
    fn patience(&self) -> Duration {
        let urgent = self.owed.values().filter(|debt| debt.is_urgent).map(|debt| debt.due).min();
        let urgent = urgent.map(|due| due.saturating_duration_since(Instant::now()));
        urgent.unwrap_or(IDLE_LOOK).clamp(SHORTEST_LOOK, IDLE_LOOK)
    }

    /// A delivery of `missed` failed: again later, and later each time, all that there is by now.
    fn missed(&mut self, peer: PeerNumber, missed: Ticket, state: Ticket) {
        let now = Instant::now();
        let old = self.owed.get(&peer);
        let failures = old.map_or(0, |debt| debt.failures) + 1;
        let told = Some(missed).max(old.and_then(|debt| debt.missed));
        let wait = RETRY_LAST.min(RETRY_FIRST * 2_u32.saturating_pow(failures - 1));
        let (due, failed) = (now + wait, Some(now));
        let missed = Debt { failures, missed: told, failed, ..Debt::new(state, due) };
        // What came during the try, as that it is there again, holds for the next one.
        let meant = self.owed.get(&peer).filter(|debt| debt.is_urgent || debt.again);
        let missed = match meant {
            Some(old) => {
                Debt { due: old.due, is_urgent: old.is_urgent, again: old.again, ..missed }
            }
            None => missed,
        };
        self.owed.insert(peer, missed);
    }

    /// The peer has the database as it was at `state`. Returns whether a delivery had failed before, and it has now
    /// what it missed.
    fn paid(&mut self, peer: PeerNumber, state: Ticket) -> bool {
        let has = self.has.entry(peer).or_default();
        *has = state.max(*has);
        match self.owed.get_mut(&peer) {
            Some(debt) if debt.state > state || debt.again => {
                // It was reached: what has come since is due as it was planned.
                (debt.failures, debt.tried) = (0, None);
                let has_it = debt.missed.is_some_and(|missed| missed <= state);
                debt.missed = debt.missed.filter(|_| !has_it);
                has_it
            }
            _ => self.owed.remove(&peer).is_some_and(|debt| debt.missed.is_some()),
        }
    }

    /// The peer to be tried next, if one is due, and whether it missed something before.
    /// It is not due again before the try has ended.
    fn next_due(&mut self, look: &Look<'_>, is_urgent: bool) -> Option<(PeerNumber, bool)> {
        let now = look.now;
        let back = |peer: PeerNumber, debt: &Debt| {
            // It may have called because its own call failed too: two that fail do not drive each other on.
            debt.failed.is_some_and(|failed| {
                now.duration_since(failed) >= RETRY_FIRST && (look.last_came)(peer) > Some(failed)
            })
        };
        let all = self.owed.iter_mut().filter(|(_, debt)| debt.is_urgent == is_urgent);
        // One that is being called, maybe where it is not any more, is called again behind that.
        let is_free = |peer, debt: &Debt| match is_urgent {
            true => (look.is_free)(peer),
            false => debt.tried.is_none_or(|until| until <= now),
        };
        let due = all.filter(|(peer, debt)| {
            is_free(**peer, debt) && (debt.due <= now || back(**peer, debt))
        });
        let (peer, debt) = due.min_by_key(|(_, debt)| debt.due)?;
        let later = now + RETRY_LAST;
        (debt.due, debt.failed, debt.tried) = (later, None, Some(later));
        (debt.is_urgent, debt.again) = (false, false);
        Some((*peer, debt.missed.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> PeerNumber {
        PeerNumber::try_from(1).expect("a number")
    }

    #[test]
    fn who_missed_something_is_tried_later_and_later_but_for_ever() {
        let (mut debts, mut waits) = (Debts::default(), Vec::new());
        for _ in 0..40 {
            debts.missed(peer(), Ticket::default(), Ticket::default());
            let debt = debts.owed[&peer()];
            waits.push(debt.due.duration_since(debt.failed.expect("it failed")));
        }
        assert_eq!(waits[..3], [RETRY_FIRST, RETRY_FIRST * 2, RETRY_FIRST * 4]);
        assert_eq!(waits.last(), Some(&RETRY_LAST));
        assert!(debts.paid(peer(), Ticket::default()), "it is worth a word");
        assert!(debts.owed.is_empty());
    }

    fn look(now: Instant) -> Look<'static> {
        Look { now, last_came: &|_| None, is_free: &|_| true }
    }

    #[test]
    fn who_has_come_back_is_called_soon_however_often_it_failed_before_and_once() {
        let (mut debts, long) = (Debts::default(), Duration::from_secs(3600));
        for _ in 0..10 {
            debts.missed(peer(), Ticket::default(), Ticket::default());
        }
        assert_eq!(debts.patience(), IDLE_LOOK);
        debts.hurry(peer(), Ticket::default(), Duration::ZERO);
        let debt = debts.owed[&peer()];
        assert!(debt.is_urgent && debt.due <= Instant::now() && debt.failures == 10);
        assert_eq!(debts.patience(), SHORTEST_LOOK);
        debts.hurry(peer(), Ticket::default(), long);
        assert_eq!(debts.owed[&peer()].due, debt.due, "it is not put off");
        assert_eq!(debts.next_due(&look(Instant::now()), true), Some((peer(), true)));
        debts.missed(peer(), Ticket::default(), Ticket::default());
        assert!(!debts.owed[&peer()].is_urgent, "once");
        // It comes back while it is called where it was.
        debts.hurry(peer(), Ticket::default(), Duration::ZERO);
        debts.missed(peer(), Ticket::default(), Ticket::default());
        assert_eq!(debts.next_due(&look(Instant::now()), true), Some((peer(), true)));
    }

    #[test]
    fn what_waits_to_be_passed_on_goes_when_the_first_of_it_is_due_whichever_came_first() {
        let mut debts = Debts::default();
        let minutes = |count: u64| Duration::from_secs(60 * count);
        debts.owe(peer(), Ticket::default(), minutes(2));
        let late = debts.owed[&peer()].due;
        debts.owe(peer(), Ticket::default(), minutes(1));
        let due = debts.owed[&peer()].due;
        assert!(due < late);
        debts.owe(peer(), Ticket::default(), minutes(3));
        assert_eq!(debts.owed[&peer()].due, due);
        debts.missed(peer(), Ticket::default(), Ticket::default());
        let due = debts.owed[&peer()].due;
        debts.owe(peer(), Ticket::default(), Duration::ZERO);
        assert_eq!(
            debts.owed[&peer()].due,
            due,
            "who does not answer is not called ever more often"
        );
    }

    #[test]
    fn what_comes_during_a_try_is_given_soon_after_it_and_not_at_the_same_time() {
        let (mut debts, [first, second]) = (Debts::default(), [1, 2].map(Ticket::from));
        let now = Instant::now() + Duration::from_secs(1);
        debts.owe(peer(), first, Duration::ZERO);
        assert_eq!(debts.next_due(&look(now), false), Some((peer(), false)));
        debts.owe(peer(), second, Duration::ZERO);
        assert_eq!(debts.next_due(&look(now), false), None, "one goes on");
        assert!(!debts.paid(peer(), first));
        assert!(debts.may_lack(peer(), second) && !debts.may_lack(peer(), first));
        assert_eq!(debts.next_due(&look(now), false), Some((peer(), false)), "not in five minutes");
        debts.paid(peer(), second);
        assert!(!debts.may_lack(peer(), second) && debts.owed.is_empty());
    }

    #[test]
    fn who_was_told_of_a_miss_hears_that_it_was_reached_though_more_is_due() {
        let (mut debts, [first, second]) = (Debts::default(), [1, 2].map(Ticket::from));
        debts.missed(peer(), first, first);
        debts.owe(peer(), second, Duration::ZERO);
        assert!(debts.paid(peer(), first), "what was missed has arrived");
        assert!(!debts.paid(peer(), second), "once");
        // What was missed is newer than what has arrived.
        debts.missed(peer(), second, second);
        assert!(!debts.paid(peer(), first), "not that");
        assert_eq!(debts.owed[&peer()].failures, 0, "but it is there");
        assert!(debts.paid(peer(), second) && !debts.paid(peer(), second), "now, and once");
    }
}
