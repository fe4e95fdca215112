//! Gives readers their copy: what they have already does not travel.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::limits::{COMPARE_PATIENCE, PROGRESS_EVERY, ROWS_PIECE, SLOWEST_COPY};
use crate::model::message::{Declined, Giving, Taking};
use crate::model::parcel::pieces;
use crate::model::reconcile::Giver;
use crate::model::squeeze::{Pace, Squeezer};
use crate::model::statement::Hash;
use crate::net::channel::Channel;
use crate::net::shelf::Shelf;
use std::time::Instant;

/// Says what this node signs; offers what is on the shelf, and sends what is wanted of it, unless the reader `has` it.
pub fn serve(channel: &mut Channel, shelf: &Shelf, has: &Hash) -> Result<()> {
    channel.send(&Giving::Signed(Box::new(shelf.signed)).encode())?;
    if *has == shelf.signed.hash {
        return channel.send(&Giving::End.encode());
    }
    let asked_at = Instant::now();
    channel.send(&Giving::Offer(shelf.offer.clone()).encode())?;
    let mut asked = Giver::new(&shelf.index, &shelf.offer);
    // The other side compares before it says the first word.
    let mut body = channel.receive_first(Deadline::after(COMPARE_PATIENCE), SLOWEST_COPY)?;
    let pace = Pace::new(asked_at.elapsed());
    let flow = channel.flow(SLOWEST_COPY);
    let answer = loop {
        match Taking::decode(&body)? {
            Taking::Split(split) => {
                let parts = asked.split(&split)?;
                channel.send(&Giving::Parts(parts).encode())?;
            }
            Taking::Want(want) => {
                if let Some(answer) = asked.take(&want)? {
                    break answer;
                }
            }
            Taking::Refused(why) => return Err(refused(why)),
        }
        body = channel.receive_of(&flow)?;
    };
    send_rows(channel, shelf, &answer.places, pace)?;
    if !answer.gone.0.is_empty() {
        channel.send(&Giving::Gone(answer.gone).encode())?;
    }
    channel.send(&Giving::End.encode())
}

fn send_rows(channel: &mut Channel, shelf: &Shelf, places: &[u32], mut pace: Pace) -> Result<()> {
    let rows = places.iter().filter_map(|place| shelf.rows.get(*place as usize));
    let rows = rows.map(|(section, row)| (*section, row.line()));
    let mut squeezer = Squeezer::new();
    let flow = channel.flow(SLOWEST_COPY);
    for piece in pieces(rows, ROWS_PIECE) {
        let started = Instant::now();
        let (head, bytes) = squeezer.parts(&piece, pace.effort());
        let squeezing = started.elapsed();
        channel.send_parts(&[&Giving::BEFORE_ROWS, &head, &bytes])?;
        pace.sent(squeezing, started.elapsed().saturating_sub(squeezing));
        channel.check(&flow)?;
    }
    Ok(())
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

    /// So much is done.
    pub fn note(&mut self, done: u64, all: u64) {
        if self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            (self.tell)(done, all);
        }
    }
}
