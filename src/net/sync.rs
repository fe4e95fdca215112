//! Brings the ledgers of two nodes into step: each gives what the other's heads say it lacks. What came is applied
//! as it comes, so a meeting that broke off goes on where it stopped.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::ids::PeerNumber;
use crate::model::ledger::heads::{Head, Heads, Range};
use crate::model::ledger::names::LogName;
use crate::model::ledger::replica::{Confirmed, Taken};
use crate::model::limits::{
    COMPARE_PATIENCE, MAX_FINDS, MAX_PROOFS, ROWS_PIECE, SAVED_SOON, SLOWEST_FILE, STORE_WAIT,
    STORED_PATIENCE,
};
use crate::model::meeting::{Having, MAX_BLOCKS_PIECE, Meeting, Stored, bundle, fork_id};
use crate::model::noise::Purpose;
use crate::model::squeeze::{Pace, Squeezer, unsqueeze};
use crate::net::channel::Channel;
use crate::net::context::{Context, Order};
use crate::net::declined;
use crate::net::dial::dial;
use crate::net::intake::{self, Intake, TakenIn};
use crate::net::members::Standing;
use crate::net::meter::Meter;
use crate::net::notice::{Notice, Outcome, Sent, Tally};
use crate::net::roll;
use crate::net::sealed::Sealed;
use crate::net::{bell, post};
use crate::store::database::Ticket;
use crate::store::peer_book::Peer;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

/// Calls `peer` and brings both ledgers into step.
pub fn call(context: &Context, sealed: &Sealed, peer: &Peer) -> Outcome {
    let done = dial(context, sealed, peer, Purpose::Sync).and_then(|mut channel| {
        let mut visit = Visit::new(context, peer.number, &mut channel);
        visit.meet().map(|stored| match stored.full {
            _ if visit.is_behind => Outcome::Unsaved,
            0 => Outcome::InStep { new: stored.new },
            _ => Outcome::Full,
        })
    });
    done.unwrap_or_else(Outcome::from)
}

/// Brings both ledgers into step over a line to a peer that answers.
pub fn meet(context: &Context, peer: PeerNumber, channel: &mut Channel) -> Result<Stored> {
    Visit::new(context, peer, channel).meet()
}

/// Answers a peer that called to bring both ledgers into step.
pub fn answer(context: &Context, peer: PeerNumber, channel: &mut Channel) -> Result<()> {
    let mut visit = Visit::new(context, peer, channel);
    // Of what is not on the disk yet the peer is not told.
    let state = context.database.saved();
    let done = visit.answer();
    visit.blame(&done);
    visit.report(done.is_err());
    if done.is_ok() {
        let is_full = visit.not_taken > 0;
        if context.monitor.filled(peer, is_full) {
            let outcomes = vec![(peer, Outcome::Full)];
            context.notices.tell(Notice::Delivered { what: Sent::Database, outcomes });
        }
        context.order(match is_full {
            // It has all that it will ever take.
            true => Order::Current(peer, state),
            false => Order::Met(peer, state, Outcome::InStep { new: 0 }),
        });
    }
    done
}

/// One meeting with a peer.
pub(in crate::net) struct Visit<'a> {
    pub(in crate::net) context: &'a Context,
    pub(in crate::net) peer: PeerNumber,
    pub(in crate::net) channel: &'a mut Channel,
    /// How long the other side took to answer: how far away it is.
    round_trip: Instant,
    /// The heads that this side has told of: nothing is given beyond them.
    told: Heads,
    taken: Taken,
    ticket: Ticket,
    /// Blocks for which the other side has no room.
    not_taken: u32,
    /// Whether what was here when it began was not all on the disk, and so was not told.
    is_behind: bool,
    /// What both have in the end, if nothing is left out.
    both: Heads,
    /// Whether letters or receipts came that others may lack.
    posted: bool,
    /// Who belonged to the network when it began.
    began: Arc<Standing>,
}

impl<'a> Visit<'a> {
    fn new(context: &'a Context, peer: PeerNumber, channel: &'a mut Channel) -> Self {
        let (told, taken, round_trip) = (Heads::default(), Taken::default(), Instant::now());
        let (ticket, both) = (Ticket::default(), Heads::default());
        let began = context.members.now();
        Self {
            context,
            peer,
            channel,
            round_trip,
            told,
            taken,
            ticket,
            not_taken: 0,
            is_behind: false,
            both,
            posted: false,
            began,
        }
    }

    fn meet(&mut self) -> Result<Stored> {
        let done = self.call();
        self.blame(&done);
        self.report(done.is_err());
        if let Ok(stored) = &done {
            log::info!("peer {}: {stored:?}", self.peer);
        }
        done
    }

    fn call(&mut self) -> Result<Stored> {
        // What was just written here goes with this meeting, if the disk takes it soon.
        let database = &self.context.database;
        let saved = database.wait_saved(database.now(), SAVED_SOON, &self.context.stop);
        if let Err(error) = saved {
            log::debug!("not all that is here is told to peer {}: {error}", self.peer);
            self.is_behind = true;
        }
        let mine = self.having(None);
        self.told = mine.heads.clone();
        self.send(&Meeting::Heads(mine))?;
        let theirs = self.first_heads()?;
        self.both = self.told.iter().chain(theirs.heads.iter()).collect();
        let pace = Pace::new(self.round_trip.elapsed());
        self.look_at(&theirs.heads);
        self.find_forks(&theirs)?;
        let spare = self.not_wanted(&theirs.heads);
        let ranges = self.lacked_by(&theirs);
        self.give(&theirs, &ranges, spare, pace)?;
        let stored = self.hear_stored()?;
        self.take(&theirs.heads)?;
        self.say_stored(&theirs.heads)?;
        let posted = post::call(self.context, self.peer, self.channel, &mut self.posted);
        self.end(posted)?;
        Ok(stored)
    }

    fn answer(&mut self) -> Result<()> {
        let theirs = self.first_heads()?;
        self.look_at(&theirs.heads);
        let mine = self.having(Some(&theirs.heads));
        self.told = mine.heads.clone();
        self.both = mine.heads.iter().chain(theirs.heads.iter()).collect();
        self.round_trip = Instant::now();
        // Before anything comes: what they give is not given back.
        let mut ranges = self.lacked_by(&theirs);
        let clashes: HashSet<_> = mine.clashes.iter().copied().collect();
        ranges.retain(|range| !clashes.contains(&range.name));
        self.send(&Meeting::Heads(mine))?;
        let spare: HashSet<_> = self.take(&theirs.heads)?.into_iter().collect();
        let pace = Pace::new(self.round_trip.elapsed());
        self.say_stored(&theirs.heads)?;
        ranges.retain(|range| !spare.contains(&range.name));
        self.give(&theirs, &ranges, Vec::new(), pace)?;
        self.hear_stored()?;
        let posted = post::answer(self.context, self.peer, self.channel, &mut self.posted);
        self.end(posted)
    }

    /// The ledgers are in step, whatever became of the letters.
    fn end(&mut self, posted: Result<()>) -> Result<()> {
        match posted {
            Ok(()) => self.channel.finish(),
            Err(error @ Error::Forged { .. }) => Err(error),
            Err(error) => {
                log::info!("letters with peer {}: {error}", self.peer);
                Ok(())
            }
        }
    }

    pub(in crate::net) fn send(&mut self, message: &Meeting<'_>) -> Result<()> {
        self.channel.send(&message.encode())
    }

    // --- what both have ---

    fn first_heads(&mut self) -> Result<Having> {
        let body = self.channel.receive_first(Deadline::after(COMPARE_PATIENCE), SLOWEST_FILE)?;
        match Meeting::decode(&body)? {
            Meeting::Heads(theirs) => Ok(theirs),
            Meeting::Refused(why) => Err(declined::by_taker(why)),
            _ => Err(unexpected()),
        }
    }

    /// What this node has; `theirs` are known to who answers.
    fn having(&self, theirs: Option<&Heads>) -> Having {
        let heads = self.context.database.heads();
        let (forks, clashes) = self.context.database.with(|replica| {
            let forks = replica.chains().forks().map(fork_id).collect();
            let clashes = theirs.map(|theirs| replica.clashes(theirs)).unwrap_or_default();
            (forks, clashes.iter().map(|head| head.name).collect())
        });
        let spare = theirs.map(|theirs| self.not_wanted(theirs)).unwrap_or_default();
        Having { heads, forks, clashes, spare }
    }

    /// Logs that are not wanted: of authors whom nobody here knows, or for which there is no room.
    fn not_wanted(&self, theirs: &Heads) -> Vec<LogName> {
        let now = self.context.members.now();
        let authors: BTreeSet<_> = theirs.iter().map(|head| head.name.author).collect();
        let known: BTreeSet<_> =
            authors.into_iter().filter(|author| now.is_author(author)).collect();
        let names = theirs.iter().map(|head| head.name);
        let (wanted, mut spare): (Vec<_>, Vec<_>) =
            names.partition(|name| known.contains(&name.author));
        self.context.database.with(|replica| {
            spare.extend(wanted.into_iter().filter(|name| !replica.takes(name)));
        });
        spare
    }

    /// Looks what a peer's heads say of this node's own log.
    fn look_at(&self, theirs: &Heads) {
        let now = self.context.members.now();
        let peers = now.book.others(now.me).count();
        match self.context.database.confirm(theirs, self.peer, peers) {
            Confirmed::Well => {}
            Confirmed::Behind => log::info!("peer {} has more of this node's log", self.peer),
            Confirmed::PutBack => self.context.notices.tell(Notice::PutBack { peer: self.peer }),
        }
    }

    // --- giving ---

    /// What the other side lacks and wants of what it was told of. What was stored here since is for the next meeting.
    fn lacked_by(&self, theirs: &Having) -> Vec<Range> {
        let mut ranges = self.context.database.beyond(&theirs.heads);
        let not_wanted: HashSet<_> = theirs.clashes.iter().chain(&theirs.spare).collect();
        ranges.retain_mut(|range| {
            let told = self.told.head(&range.name).map_or(0, |head| head.length);
            range.to = range.to.min(told);
            range.from < range.to && !not_wanted.contains(&range.name)
        });
        ranges
    }

    /// Gives what the other side lacks. If it takes no more of it, the error is what it says.
    fn give(
        &mut self,
        theirs: &Having,
        ranges: &[Range],
        spare: Vec<LogName>,
        pace: Pace,
    ) -> Result<()> {
        self.give_all(theirs, ranges, spare, pace).map_err(|error| {
            let word = match error {
                Error::Device { .. } => self.channel.last_word(),
                _ => None,
            };
            match word.as_deref().map(Meeting::decode) {
                Some(Ok(Meeting::Refused(why))) => declined::by_taker(why),
                _ => error,
            }
        })
    }

    fn give_all(
        &mut self,
        theirs: &Having,
        ranges: &[Range],
        spare: Vec<LogName>,
        mut pace: Pace,
    ) -> Result<()> {
        let known: HashSet<_> = theirs.forks.iter().collect();
        let proofs: Vec<_> = self.context.database.with(|replica| {
            let forks = replica.chains().forks();
            forks.filter(|fork| !known.contains(&fork_id(fork))).cloned().collect()
        });
        for proof in proofs {
            self.send(&Meeting::Proof(Box::new(proof)))?;
        }
        let (peer, notices) = (self.peer, &self.context.notices);
        let mut progress =
            Meter::new(|done, all| notices.tell(Notice::Sending { peer, done, all }));
        let all = ranges.iter().map(|range| u64::from(range.to - range.from)).sum();
        let (mut squeezer, mut done) = (Squeezer::new(), 0);
        let flow = self.channel.flow(SLOWEST_FILE);
        for range in ranges {
            let mut range = *range;
            while range.from < range.to {
                let blocks = self.context.database.blocks(&range, ROWS_PIECE)?;
                let (piece, taken) = bundle(&blocks);
                if taken == 0 {
                    break;
                }
                let started = Instant::now();
                let (head, bytes) = squeezer.parts(&piece, pace.effort());
                let squeezing = started.elapsed();
                self.channel.send_parts(&[&Meeting::BEFORE_BLOCKS, &head, &bytes])?;
                pace.sent(squeezing, started.elapsed().saturating_sub(squeezing));
                self.channel.check(&flow)?;
                done += taken as u64;
                range.from += u32::try_from(taken).unwrap_or(u32::MAX);
                progress.note(done, all);
            }
        }
        self.channel.send(&Meeting::Given { spare }.encode())
    }

    /// What the other side has stored of it.
    fn hear_stored(&mut self) -> Result<Stored> {
        let body = self.channel.expect(Deadline::after(STORED_PATIENCE))?;
        match Meeting::decode(&body)? {
            Meeting::Stored(stored) => {
                self.not_taken = stored.full;
                Ok(stored)
            }
            Meeting::Refused(why) => Err(declined::by_taker(why)),
            _ => Err(unexpected()),
        }
    }

    // --- taking ---

    /// Takes what the other side gives, and answers what it asks. Returns the logs that it does not want.
    fn take(&mut self, theirs: &Heads) -> Result<Vec<LogName>> {
        let mut intake = Intake::new(self.context);
        let heard = self.hear(theirs, &mut intake);
        let TakenIn { taken, ticket, done } = intake.finish();
        self.taken.add(taken);
        self.ticket = self.ticket.max(ticket);
        if let Err(error) = &done {
            // It may be giving still: it looks for this when its sending fails.
            let said = self.send(&Meeting::Refused(declined::because(error)));
            if let Err(error) = said.and_then(|()| self.channel.finish()) {
                log::debug!("peer {} is not told why: {error}", self.peer);
            }
        }
        done.and(heard)
    }

    fn hear(&mut self, theirs: &Heads, intake: &mut Intake<'_>) -> Result<Vec<LogName>> {
        let missing = self.told.missing(theirs);
        let all = missing.iter().map(|range| u64::from(range.to - range.from)).sum();
        let (peer, notices) = (self.peer, &self.context.notices);
        let mut progress =
            Meter::new(|done, all| notices.tell(Notice::Receiving { peer, done, all }));
        let (mut came, mut finds, mut proofs) = (0, 0, 0);
        // The other side may first have to make sure of its own disk.
        let mut body =
            self.channel.receive_first(Deadline::after(STORED_PATIENCE), SLOWEST_FILE)?;
        let flow = self.channel.flow(SLOWEST_FILE);
        loop {
            match Meeting::decode(&body)? {
                Meeting::Find { name, sequence } => {
                    count(&mut finds, MAX_FINDS)?;
                    self.found(name, sequence)?;
                }
                Meeting::Proof(proof) => {
                    count(&mut proofs, MAX_PROOFS)?;
                    if self.context.members.now().is_author(&proof.name().author) {
                        self.ticket = self.ticket.max(self.context.database.convict(*proof).1);
                    }
                }
                Meeting::Blocks(squeezed) => {
                    let piece = unsqueeze(&squeezed, MAX_BLOCKS_PIECE)?;
                    let run = intake::run(&self.context.members.now(), &piece)?;
                    came += run.len() as u64;
                    if came > all {
                        return Err(Error::peer("gave more blocks than its heads tell of"));
                    }
                    if !intake.take(run, self.channel.stream())? {
                        // What is wrong says the intake.
                        return Ok(Vec::new());
                    }
                    progress.note(came, all);
                }
                Meeting::Given { spare } => return Ok(spare),
                Meeting::Refused(why) => return Err(declined::by_taker(why)),
                Meeting::Heads(_) | Meeting::Found(_) | Meeting::Stored(_) => {
                    return Err(unexpected());
                }
            }
            body = self.channel.receive_of(&flow)?;
        }
    }

    fn wait_saved(&self) -> Result<()> {
        self.context.database.wait_saved(self.ticket, STORE_WAIT, &self.context.stop)
    }

    /// Blocks that the other side has and for which there is no room here.
    fn left_out(&self, theirs: &Heads) -> usize {
        let now = self.context.members.now();
        self.context.database.with(|replica| {
            let chains = replica.chains();
            let is_full =
                |head: &Head| now.is_author(&head.name.author) && !replica.takes(&head.name);
            let beyond = |head: Head| head.length.saturating_sub(chains.length(&head.name));
            let full = theirs.iter().filter(is_full).filter_map(|head| chains.shared(head));
            full.map(|head| beyond(head) as usize).sum()
        })
    }

    /// Only if all of it is safe here, the peer may believe so.
    fn say_stored(&mut self, theirs: &Heads) -> Result<()> {
        let short = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let Taken { changes, known, waiting, .. } = self.taken;
        let (new, known, waiting) = (short(changes), short(known), short(waiting));
        match self.wait_saved() {
            // What there was no room for is not asked for again: that holds up nothing else.
            Ok(()) => {
                let full = short(self.left_out(theirs));
                self.send(&Meeting::Stored(Stored { new, known, waiting, full }))
            }
            Err(error) => {
                self.send(&Meeting::Refused(declined::because(&error)))?;
                self.channel.finish()?;
                Err(error)
            }
        }
    }

    // --- telling ---

    fn blame<T>(&self, done: &Result<T>) {
        if let Err(Error::Forged { what }) = done {
            self.context.offended(self.peer, what);
        }
    }

    fn report(&self, broken: bool) {
        for author in self.context.database.newly_forked() {
            if let Some(peer) = self.context.book().signer(&author).map(|peer| peer.number) {
                let is_own = peer == self.context.me();
                self.context.notices.tell(Notice::Forked { peer, is_own });
            }
        }
        let Taken { changes, known, waiting, full, contested, news, .. } = self.taken;
        let tally =
            Tally { new: changes, known, strange: 0, refused: full, waiting, contested, broken };
        if !broken && !self.is_behind && self.not_taken == 0 {
            self.context.monitor.in_step(self.peer, self.both.clone());
        }
        // Whoever is new may have written what was not wanted before. It may be another thread that took them in.
        roll::follow(self.context);
        if !Arc::ptr_eq(&self.began, &self.context.members.now()) {
            self.context.order(Order::Returned(self.peer));
        }
        if self.taken.alarms {
            bell::tell(self.context);
        }
        if news || self.posted {
            self.context.order(Order::Applied(self.peer));
        }
        if changes > 0 || waiting > 0 || full > 0 {
            self.context.notices.tell(Notice::Received { peer: self.peer, tally });
        }
    }
}

/// Counts one more of what there may be so many of.
fn count(so_far: &mut usize, most: usize) -> Result<()> {
    *so_far += 1;
    match *so_far <= most {
        true => Ok(()),
        false => Err(Error::peer("asked or proved more than one meeting is for")),
    }
}

pub(in crate::net) fn unexpected() -> Error {
    Error::peer("sent a message that has no place there")
}
