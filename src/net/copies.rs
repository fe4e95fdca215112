//! Gives readers their copy: what they have already does not travel.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::limits::{COMPARE_PATIENCE, ROWS_PIECE, SLOWEST_COPY};
use crate::model::message::{Declined, Giving, Taking};
use crate::model::parcel::pieces;
use crate::model::reconcile::Giver;
use crate::model::squeeze::{Pace, Squeezer};
use crate::model::statement::Hash;
use crate::net::channel::Channel;
use crate::net::declined;
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
            Taking::Refused(why) => return Err(declined::by_taker(why)),
        }
        look_at(channel, shelf)?;
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
        look_at(channel, shelf)?;
        let started = Instant::now();
        let (head, bytes) = squeezer.parts(&piece, pace.effort());
        let squeezing = started.elapsed();
        channel.send_parts(&[&Giving::BEFORE_ROWS, &head, &bytes])?;
        pace.sent(squeezing, started.elapsed().saturating_sub(squeezing));
        channel.check(&flow)?;
    }
    Ok(())
}

/// Ends the session if there are two newer shelves: each may be hundreds of megabytes, and a slow reader would keep it
/// alive for as long as its link takes. What it has got stays with it, and it goes on from there.
fn look_at(channel: &mut Channel, shelf: &Shelf) -> Result<()> {
    if !shelf.is_outdated() {
        return Ok(());
    }
    channel.send(&Giving::Refused(Declined::Busy).encode())?;
    channel.finish()?;
    Err(Error::Full { what: "the memory for old copies: a slow reader has to ask again" })
}
