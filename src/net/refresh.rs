//! Tier 2: brings the public copy up to date from any tier-1 node, trying random ones until one answers.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::caller::Errand;
use crate::model::datagram::Datagrams;
use crate::model::identity::Identity;
use crate::model::keys::{NetworkKeys, SecretKey};
use crate::model::limits::{
    COMPARE_PATIENCE, MAX_PEOPLE, MAX_ROWS_PIECE, REFRESH_TRIES, SLOWEST_FILE, TOKEN_DIGITS,
};
use crate::model::message::{Fetching, Giving, Taking};
use crate::model::noise::{Asked, Purpose};
use crate::model::offer::Offer;
use crate::model::parcel::{View, unpack};
use crate::model::reconcile::{Ceiling, Index, Renewal};
use crate::model::row::Row;
use crate::model::section::Section;
use crate::model::squeeze::unsqueeze;
use crate::net::channel::Channel;
use crate::net::classic;
use crate::net::copies::{Meter, refused};
use crate::net::notice::Progress;
use crate::net::phone::Phone;
use crate::net::sealed::lacking;
use crate::net::tls::Credentials;
use crate::store::peer_book::{Peer, PeerBook};
use rand::seq::SliceRandom;
use std::time::Duration;
use zeroize::Zeroizing;

/// Pause between two rounds through all nodes.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(300);

/// A refresh: what came of it stays here when it breaks off, and the next try goes on from it.
#[derive(Debug)]
pub struct Refresh<'a> {
    book: &'a PeerBook,
    stop: &'a Stop,
    /// The copy that the person has: if it is not empty, an empty one does not replace it.
    has_copy: bool,
    /// Rows that are here: at first those of the copy, then more and more of the new one.
    rows: Vec<Row>,
    /// Whether any of the new one have come.
    has_more: bool,
}

impl<'a> Refresh<'a> {
    /// The refresh of a copy. `begun` is what an earlier one left behind, if there was one.
    pub fn new(book: &'a PeerBook, stop: &'a Stop, copy: &[Row], begun: Option<Vec<Row>>) -> Self {
        let rows = begun.unwrap_or_else(|| copy.to_vec());
        Self { book, stop, has_copy: !copy.is_empty(), rows, has_more: false }
    }

    /// Asks random tier-1 nodes, each at most three times. Returns the rows of the first whole copy.
    pub fn run(&mut self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Vec<Row>> {
        let mut peers: Vec<_> = self.book.all().iter().collect();
        let tries = peers.len() * REFRESH_TRIES;
        for round in 0..REFRESH_TRIES {
            if round > 0 && self.stop.wait(BETWEEN_ROUNDS) {
                return Err(Error::Stopped);
            }
            peers.shuffle(&mut rand::rng());
            for (at, peer) in peers.iter().enumerate() {
                self.stop.check()?;
                progress(Progress::Asking(peer, round * peers.len() + at + 1, tries));
                match self.ask(peer, progress) {
                    Ok(rows) => return Ok(rows),
                    Err(Error::Stopped) => return Err(Error::Stopped),
                    Err(error) => progress(Progress::Failed(peer, &error)),
                }
            }
        }
        Err(Error::Deadline { what: "a tier-1 node's answer" })
    }

    /// What a refresh that broke off leaves for the next one, if it brought anything: rows of the old copy, and
    /// of the new one.
    pub fn left_behind(self) -> Option<Vec<Row>> {
        self.has_more.then_some(self.rows)
    }

    fn ask(&mut self, peer: &Peer, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Vec<Row>> {
        match self.book.network_keys() {
            None => classic::refresh::ask(peer, !self.has_copy, self.stop, progress)
                .map(|rows| rows.into_iter().collect()),
            Some(keys) => self.fetch(keys, peer, progress),
        }
    }

    fn fetch(
        &mut self,
        keys: &NetworkKeys,
        peer: &Peer,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Row>> {
        let pinned = peer.keys().ok_or_else(lacking)?;
        // Made up for this one call: nobody can tell that two of them come from one device.
        let nobody = Identity::random(&mut rand::rng());
        let errand = Errand {
            own: SecretKey::from(*nobody.knock_secret().expose()).into(),
            to: pinned.knock,
            asked: Asked { token: Zeroizing::new([0; TOKEN_DIGITS]), purpose: Purpose::Refresh },
        };
        // A reader's datagrams are not marked as a member's, whatever keys it holds.
        let keys = NetworkKeys {
            epoch: keys.epoch,
            network: None,
            reader: SecretKey::from(*keys.reader.expose()),
        };
        let phone =
            Phone { datagrams: Datagrams::new(&keys), credentials: Credentials::of(&nobody)? };
        let mut channel = phone.open(peer.address, pinned, errand, self.stop)?;
        channel.send(&Fetching::Fetch.encode())?;
        let offer = channel.receive_first(Deadline::after(COMPARE_PATIENCE), SLOWEST_FILE)?;
        let offer = match Giving::decode(&offer)? {
            Giving::Offer(offer) => offer,
            Giving::Refused(why) => return Err(refused(why)),
            _ => return Err(Error::peer("it gives without an offer")),
        };
        if offer.rows == 0 && self.has_copy {
            return Err(Error::peer("its copy is empty"));
        }
        if offer.rows as usize > MAX_PEOPLE {
            return Err(Error::peer("its copy is larger than a node takes"));
        }
        self.renew(&mut channel, &offer, progress)
    }

    /// Replaces what differs. When it breaks off, what came is kept.
    fn renew(
        &mut self,
        channel: &mut Channel,
        offer: &Offer,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Row>> {
        let own = Index::new(self.rows.iter().map(|row| (Section::People, row.line())));
        let mut renewal = Renewal::new(&own, offer);
        for want in renewal.want() {
            channel.send(&Taking::Want(want).encode())?;
        }
        let mut came = Vec::new();
        let done = receive(channel, offer, &mut renewal, &mut came, progress);
        self.has_more |= !came.is_empty();
        let stays = renewal.stays(done.is_ok());
        log::info!("of the new copy {} rows came, {} were here already", came.len(), stays.len());
        let stays = stays.iter().filter_map(|place| self.rows.get(*place as usize)).cloned();
        came.extend(stays);
        self.rows = came;
        done?;
        self.rows.sort_unstable();
        Ok(self.rows.clone())
    }
}

fn receive(
    channel: &mut Channel,
    offer: &Offer,
    renewal: &mut Renewal<'_>,
    came: &mut Vec<Row>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<()> {
    let (flow, mut ceiling) = (channel.flow(SLOWEST_FILE), Ceiling::new(offer));
    let mut meter = Meter::new(|done, all| progress(Progress::Receiving(done, Some(all))));
    let mut bytes = 0;
    loop {
        let body = channel.receive_of(&flow)?;
        match Giving::decode(&body)? {
            Giving::Rows(squeezed) => {
                let mut wrong = None;
                let mut keep = |section, row: Row| match renewal.take(section, row.line()) {
                    Ok(()) => came.push(row),
                    Err(error) => wrong = Some(error),
                };
                let found =
                    unpack(&unsqueeze(&squeezed, MAX_ROWS_PIECE)?, View::Public, &mut keep)?;
                if let Some(error) = wrong {
                    return Err(error);
                }
                if found.strange > 0 {
                    return Err(Error::peer("its copy holds rows that are not public"));
                }
                ceiling.take(found.taken.into(), found.bytes)?;
                bytes += found.bytes;
                meter.note(bytes, offer.bytes);
            }
            Giving::End => return Ok(()),
            Giving::Refused(why) => return Err(refused(why)),
            Giving::Offer(_) => return Err(Error::peer("it offers twice")),
        }
    }
}
