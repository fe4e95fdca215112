//! Brings a peer up to date, or is brought up to date by it. What both have does not travel; a transfer that
//! broke off goes on where it stopped, since what came is merged as it comes.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::ids::PeerNumber;
use crate::model::limits::{
    COMPARE_PATIENCE, PROGRESS_EVERY, ROWS_PIECE, SLOWEST_FILE, STORED_PATIENCE,
};
use crate::model::message::{Declined, Giving, Stored, Taking};
use crate::model::noise::Purpose;
use crate::model::offer::Offer;
use crate::model::parcel::{View, pieces, unpack};
use crate::model::reconcile::{Ceiling, Giver};
use crate::model::squeeze::{Pace, Squeezer, unsqueeze};
use crate::net::channel::Channel;
use crate::net::context::Context;
use crate::net::dial::dial;
use crate::net::merger::Merger;
use crate::net::notice::{Notice, Outcome, Tally};
use crate::net::sealed::Sealed;
use crate::net::shelf::Shelf;
use crate::store::peer_book::Peer;
use std::time::Instant;

/// Brings `peer` up to what is on the shelf.
pub fn give(context: &Context, sealed: &Sealed, peer: &Peer, shelf: &Shelf) -> Outcome {
    let done = dial(context, sealed, peer, Purpose::Sync).and_then(|mut channel| {
        let mut progress = Meter::new(|done, all| {
            context.notices.tell(Notice::Sending { peer: peer.number, done, all });
        });
        serve(&mut channel, shelf, SLOWEST_FILE, &mut progress)?;
        let answer = channel.expect(Deadline::after(STORED_PATIENCE))?;
        match Taking::decode(&answer)? {
            Taking::Stored(stored) => {
                log::info!("peer {}: {stored:?}", peer.number);
                channel.finish()
            }
            Taking::Refused(why) => Err(refused(why)),
            Taking::Want(_) => Err(Error::peer("it asks when it should be done")),
        }
    });
    done.map_or_else(Outcome::from, |()| Outcome::Delivered)
}

/// Offers what is on the shelf and sends what is wanted of it, to a side that reads at least `slowest` bytes a
/// second.
pub fn serve(
    channel: &mut Channel,
    shelf: &Shelf,
    slowest: u64,
    progress: &mut Meter<'_>,
) -> Result<()> {
    let asked_at = Instant::now();
    channel.send(&Giving::Offer(shelf.offer.clone()).encode())?;
    let mut asked = Giver::new(&shelf.index, &shelf.offer);
    // The other side compares before it says the first word.
    let mut body = channel.receive_first(Deadline::after(COMPARE_PATIENCE), slowest)?;
    let pace = Pace::new(asked_at.elapsed());
    let flow = channel.flow(slowest);
    let places = loop {
        match Taking::decode(&body)? {
            Taking::Want(want) => {
                if let Some(places) = asked.take(&want)? {
                    break places;
                }
            }
            Taking::Refused(why) => return Err(refused(why)),
            Taking::Stored(_) => return Err(Error::peer("it stored what was not sent")),
        }
        body = channel.receive_of(&flow)?;
    };
    send_rows(channel, shelf, &places, (slowest, pace), progress)?;
    channel.send(&Giving::End.encode())
}

fn send_rows(
    channel: &mut Channel,
    shelf: &Shelf,
    places: &[u32],
    (slowest, mut pace): (u64, Pace),
    progress: &mut Meter<'_>,
) -> Result<()> {
    let rows = places.iter().filter_map(|place| shelf.rows.get(*place as usize));
    let all: u64 = rows.clone().map(|(_, row)| row.line().len() as u64).sum();
    let rows = rows.map(|(section, row)| (*section, row.line()));
    let (mut squeezer, mut done) = (Squeezer::new(), 0);
    let flow = channel.flow(slowest);
    for piece in pieces(rows, ROWS_PIECE) {
        let started = Instant::now();
        let (head, bytes) = squeezer.parts(&piece, pace.effort());
        let squeezing = started.elapsed();
        done += piece.len() as u64;
        channel.send_parts(&[&Giving::BEFORE_ROWS, &head, &bytes])?;
        pace.sent(squeezing, started.elapsed().saturating_sub(squeezing));
        channel.check(&flow)?;
        progress.note(done.min(all), all);
    }
    Ok(())
}

/// Takes what a peer gives.
pub fn take(context: &Context, peer: PeerNumber, channel: &mut Channel) -> Result<()> {
    let offer = channel.receive_first(Deadline::after(COMPARE_PATIENCE), SLOWEST_FILE)?;
    let offer = match Giving::decode(&offer)? {
        Giving::Offer(offer) => offer,
        _ => return Err(Error::peer("it gives without an offer")),
    };
    let shelf = context.shelves.full(&context.database);
    for want in shelf.known().want(&offer) {
        channel.send(&Taking::Want(want).encode())?;
    }
    drop(shelf);
    let mut merger = Merger::new(context, peer);
    let mut progress = Meter::new(|done, _| {
        context.notices.tell(Notice::Receiving { peer, done });
    });
    let came = rows(channel, &offer, &mut merger, &mut progress);
    let (tally, saved) = merger.finish(came.is_err());
    came?;
    // Only if all of it is safe here, the peer may believe so.
    let answer = match saved {
        Ok(()) if tally.refused == 0 => Taking::Stored(stored(&tally)),
        Ok(()) => Taking::Refused(Declined::Full),
        Err(Error::Stopped) => Taking::Refused(Declined::Stopping),
        Err(Error::Deadline { .. }) => Taking::Refused(Declined::Busy),
        Err(_) => Taking::Refused(Declined::Disk),
    };
    channel.send(&answer.encode())?;
    channel.finish()
}

fn rows(
    channel: &mut Channel,
    offer: &Offer,
    merger: &mut Merger<'_>,
    progress: &mut Meter<'_>,
) -> Result<()> {
    let (flow, mut ceiling) = (channel.flow(SLOWEST_FILE), Ceiling::new(offer));
    let mut bytes = 0;
    loop {
        let body = channel.receive_of(&flow)?;
        match Giving::decode(&body)? {
            Giving::Rows(squeezed) => {
                let piece = unsqueeze(&squeezed)?;
                let mut keep = |section, row| merger.take(section, row);
                let found = unpack(&piece, View::Full, &mut keep)?;
                merger.note_strange(found.strange as usize);
                ceiling.take(u64::from(found.taken) + u64::from(found.strange), found.bytes)?;
                bytes += found.bytes;
                progress.note(bytes, offer.bytes);
            }
            Giving::End => return Ok(()),
            Giving::Refused(why) => return Err(refused(why)),
            Giving::Offer(_) => return Err(Error::peer("it offers twice")),
        }
    }
}

fn stored(tally: &Tally) -> Stored {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Stored {
        new: count(tally.new),
        known: count(tally.known),
        replaced: count(tally.replaced),
        strange: count(tally.strange),
        full: count(tally.refused),
    }
}

/// Why the other side does not go on, as an error.
pub fn refused(why: Declined) -> Error {
    Error::peer(match why {
        Declined::Busy => "it takes long to store it, and may still do so",
        Declined::Full => "it has no room for all of it",
        Declined::Disk => "its disk cannot be written",
        Declined::Stopping => "it is being ended",
    })
}

/// Shows how far something long has come.
pub struct Meter<'a> {
    tell: Box<dyn FnMut(u64, u64) + 'a>,
    told: Instant,
}

impl<'a> Meter<'a> {
    /// A meter that tells how many of how many bytes are done.
    pub fn new(tell: impl FnMut(u64, u64) + 'a) -> Self {
        Self { tell: Box::new(tell), told: Instant::now() }
    }

    /// A meter that nobody reads.
    pub fn silent() -> Self {
        Self::new(|_, _| {})
    }

    /// So much is done.
    pub fn note(&mut self, done: u64, all: u64) {
        if self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            (self.tell)(done, all);
        }
    }
}
