//! Tier 2: brings the copy up to date from any tier-1 node, trying random ones until one answers, checks what that
//! node signed of it, and asks another node whether it is the truth.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::caller::Errand;
use crate::model::datagram::Datagrams;
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::model::keys::{NetworkKeys, PublicKeys, SecretKey};
use crate::model::limits::{
    COMPARE_PATIENCE, MAX_ROWS_PIECE, READER_LISTENS, REFRESH_TRIES, SECOND_OPINIONS, SLICE,
    SLOWEST_FILE, TOKEN_DIGITS,
};
use crate::model::message::{Fetching, Giving, Taking};
use crate::model::noise::{Asked, Purpose};
use crate::model::offer::Offer;
use crate::model::parcel::unpack;
use crate::model::public_view::PublicView;
use crate::model::reconcile::{Ceiling, Index, Renewal};
use crate::model::row::Row;
use crate::model::section::Section;
use crate::model::squeeze::unsqueeze;
use crate::model::statement::{Hash, Signed};
use crate::net::addresses::Addresses;
use crate::net::channel::Channel;
use crate::net::classic;
use crate::net::declined;
use crate::net::meter::Meter;
use crate::net::notice::Progress;
use crate::net::phone::Phone;
use crate::net::sealed::lacking;
use crate::net::tls::Credentials;
use crate::store::peer_book::{Peer, PeerBook};
use rand::seq::SliceRandom;
use std::collections::HashSet;
use std::time::Duration;
use zeroize::Zeroizing;

/// Pause between two rounds through all nodes.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(300);

/// A refresh: what came of it stays here when it breaks off, and the next try goes on from it.
#[derive(Debug)]
pub struct Refresh<'a> {
    book: &'a PeerBook,
    stop: &'a Stop,
    /// Where nodes are.
    addresses: &'a Addresses,
    /// The copy that the person has: if it is not empty, an empty one does not replace it.
    has_copy: bool,
    /// Rows that are here: at first those of the copy, then more and more of the new one.
    rows: Vec<(Section, Row)>,
    /// The hash of what they show.
    hash: Hash,
    /// Whether any of the new one have come.
    has_more: bool,
    /// Nodes whose rows were not those that they had signed: they lie, or what is here looked like what they have.
    /// Of them nothing is taken but the whole.
    anew: HashSet<PeerNumber>,
}

/// A copy that came whole.
#[derive(Debug)]
pub struct Renewed<'a> {
    /// What it shows.
    pub view: PublicView,
    /// Who gave it.
    pub giver: &'a Peer,
    /// What that node signed of it; nothing in the classic dialect.
    pub signed: Option<Signed>,
}

/// What other nodes say of what one signed.
#[derive(Debug)]
pub enum Opinion<'a> {
    /// There is no other node.
    Alone,
    /// This one signed the same.
    Agrees(&'a Peer),
    /// This one signed something else of the same ledger: one of the two lies.
    Contradicts(&'a Peer, Box<Signed>),
    /// These answered, and have another ledger now, of which nothing can be said.
    OutOfStep(Vec<PeerNumber>),
    /// Nobody answered.
    Silent,
}

impl<'a> Refresh<'a> {
    /// The refresh of a copy. `begun` is what an earlier one left behind, if there was one.
    pub fn new(
        book: &'a PeerBook,
        addresses: &'a Addresses,
        stop: &'a Stop,
        copy: &PublicView,
        begun: Option<PublicView>,
    ) -> Self {
        let view = begun.unwrap_or_else(|| copy.clone()).ordered();
        let (hash, rows, anew) = (view.hash(), view.into_rows(), HashSet::new());
        let has_copy = !copy.is_empty();
        Self { book, stop, addresses, has_copy, rows, hash, has_more: false, anew }
    }

    /// Asks random tier-1 nodes, each at most three times. Returns the first whole copy. Where nodes light beacons for
    /// readers, it listens to them if nobody answers, and tries again.
    pub fn run(&mut self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Renewed<'a>> {
        let mut peers: Vec<_> = self.book.all().iter().collect();
        let rounds = REFRESH_TRIES + usize::from(self.book.beacons().readers);
        let tries = peers.len() * rounds;
        for round in 0..rounds {
            if round == REFRESH_TRIES {
                progress(Progress::Listening);
                self.listen()?;
            } else if round > 0 && self.stop.wait(BETWEEN_ROUNDS) {
                return Err(Error::Stopped);
            }
            peers.shuffle(&mut rand::rng());
            for (at, peer) in peers.iter().enumerate() {
                self.stop.check()?;
                progress(Progress::Asking(peer, round * peers.len() + at + 1, tries));
                match self.ask(peer, progress) {
                    Ok((view, signed)) => return Ok(Renewed { view, giver: peer, signed }),
                    Err(Error::Stopped) => return Err(Error::Stopped),
                    Err(error) => progress(Progress::Failed(peer, &error)),
                }
            }
        }
        Err(Error::Deadline { what: "a tier-1 node's answer" })
    }

    /// Waits until a beacon says where its node is, or none has come.
    fn listen(&self) -> Result<()> {
        let (before, deadline) = (self.addresses.sightings(), Deadline::after(READER_LISTENS));
        while let Some(slice) = deadline.slice(SLICE) {
            if self.stop.wait(slice) {
                return Err(Error::Stopped);
            }
            if self.addresses.sightings() > before {
                return Ok(());
            }
        }
        Err(Error::Deadline { what: "a node's beacon" })
    }

    /// What a refresh that broke off leaves for the next one, if it brought anything: rows of the old copy, and
    /// of the new one.
    pub fn left_behind(self) -> Option<PublicView> {
        self.has_more.then(|| PublicView::of(self.rows))
    }

    fn ask(
        &mut self,
        peer: &Peer,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(PublicView, Option<Signed>)> {
        match self.book.network_keys() {
            None => {
                let rows = classic::refresh::ask(peer, !self.has_copy, self.stop, progress)?;
                let rows = rows.into_iter().map(|row| (Section::People, row));
                Ok((PublicView::of(rows), None))
            }
            Some(keys) => {
                let (view, signed) = self.fetch(keys, peer, progress)?;
                Ok((view, Some(signed)))
            }
        }
    }

    fn fetch(
        &mut self,
        keys: &NetworkKeys,
        peer: &Peer,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(PublicView, Signed)> {
        let pinned = peer.keys().ok_or_else(lacking)?;
        let (own, hash) = match self.anew.contains(&peer.number) {
            true => (Vec::new(), PublicView::default().hash()),
            false => (self.rows.clone(), self.hash),
        };
        let mut channel = open(keys, peer, self.addresses, self.stop)?;
        channel.send(&Fetching::Fetch(hash).encode())?;
        let signed = signed_by(pinned, self.book, &mut channel)?;
        let flow = channel.flow(SLOWEST_FILE);
        let offer = match Giving::decode(&channel.receive_of(&flow)?)? {
            Giving::End if signed.hash == hash && signed.rows as usize == own.len() => {
                tell(0, own.len(), &channel);
                return Ok((PublicView::of(own), signed));
            }
            Giving::Offer(offer) => offer,
            Giving::Refused(why) => return Err(declined::by_giver(why)),
            _ => return Err(Error::peer("it gives without an offer")),
        };
        if offer.rows == 0 && self.has_copy {
            return Err(Error::peer("its copy is empty"));
        }
        let view = self.renew(&mut channel, own, &offer, progress)?;
        if view.hash() == signed.hash && view.len() == signed.rows as usize {
            return Ok((view, signed));
        }
        self.anew.insert(peer.number);
        Err(Error::peer("its rows are not those that it signed"))
    }

    /// The view that is offered, made of what is here and of what comes. When that breaks off, what came is kept.
    fn renew(
        &mut self,
        channel: &mut Channel,
        own: Vec<(Section, Row)>,
        offer: &Offer,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PublicView> {
        let index = Index::new(own.iter().map(|(section, row)| (*section, row.line())));
        let mut renewal = Renewal::new(&index, offer);
        if let Some(split) = renewal.split() {
            channel.send(&Taking::Split(split.clone()).encode())?;
            let flow = channel.flow(SLOWEST_FILE);
            match Giving::decode(&channel.receive_of(&flow)?)? {
                Giving::Parts(parts) => renewal.compare(&parts)?,
                Giving::Refused(why) => return Err(declined::by_giver(why)),
                _ => return Err(Error::peer("it was asked for parts")),
            }
        }
        for want in renewal.want() {
            channel.send(&Taking::Want(want).encode())?;
        }
        let mut came = Vec::new();
        let done = receive(channel, offer, &mut renewal, &mut came, progress);
        let is_more = !came.is_empty();
        let stays = renewal.stays(done.is_ok());
        tell(came.len(), stays.len(), channel);
        let stays = stays.iter().filter_map(|place| own.get(*place as usize)).cloned();
        came.extend(stays);
        let view = PublicView::of(came).ordered();
        if let Err(error) = done {
            self.has_more |= is_more;
            (self.hash, self.rows) = (view.hash(), view.into_rows());
            return Err(error);
        }
        Ok(view)
    }

    /// Asks other nodes, one after the other, what they sign of the same ledger.
    pub fn second_opinion(
        &self,
        giver: &Peer,
        signed: &Signed,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Opinion<'a>> {
        let mut others: Vec<_> = self.book.others(giver.number).collect();
        let Some(keys) = self.book.network_keys().filter(|_| !others.is_empty()) else {
            return Ok(Opinion::Alone);
        };
        others.shuffle(&mut rand::rng());
        let mut out_of_step = Vec::new();
        for peer in others.into_iter().take(SECOND_OPINIONS) {
            self.stop.check()?;
            progress(Progress::Confirming(peer));
            match self.confirm(keys, peer, signed) {
                Ok(other) if (other.hash, other.rows) == (signed.hash, signed.rows) => {
                    return Ok(Opinion::Agrees(peer));
                }
                Ok(other) if other.heads == signed.heads => {
                    return Ok(Opinion::Contradicts(peer, Box::new(other)));
                }
                Ok(_) => out_of_step.push(peer.number),
                Err(Error::Stopped) => return Err(Error::Stopped),
                Err(error) => progress(Progress::Failed(peer, &error)),
            }
        }
        match out_of_step.is_empty() {
            true => Ok(Opinion::Silent),
            false => Ok(Opinion::OutOfStep(out_of_step)),
        }
    }

    fn confirm(&self, keys: &NetworkKeys, peer: &Peer, first: &Signed) -> Result<Signed> {
        let pinned = peer.keys().ok_or_else(lacking)?;
        let mut channel = open(keys, peer, self.addresses, self.stop)?;
        channel.send(&Fetching::Confirm(first.heads).encode())?;
        signed_by(pinned, self.book, &mut channel)
    }
}

/// Tells the log what a refresh cost.
fn tell(came: usize, stays: usize, channel: &Channel) {
    let bytes = channel.travelled();
    log::info!(
        "of the new copy {came} rows came, {stays} were here already; {bytes} bytes travelled"
    );
}

/// Opens a session for a refresh.
fn open(keys: &NetworkKeys, peer: &Peer, addresses: &Addresses, stop: &Stop) -> Result<Channel> {
    let pinned = peer.keys().ok_or_else(lacking)?;
    // Made up for this one call: nobody can tell that two of them come from one device.
    let nobody = Identity::random(&mut rand::rng());
    let errand = || Errand {
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
    let phone = Phone { datagrams: Datagrams::new(&keys), credentials: Credentials::of(&nobody)? };
    let ways = addresses.ways(peer);
    match phone.reach(&ways, pinned, &errand, stop) {
        Ok((channel, at)) => {
            addresses.proved(peer, at);
            Ok(channel)
        }
        Err(error) => {
            addresses.missed(peer, &ways);
            Err(error)
        }
    }
}

/// What the node with these keys signs, which it says first.
fn signed_by(pinned: &PublicKeys, book: &PeerBook, channel: &mut Channel) -> Result<Signed> {
    let first = channel.receive_first(Deadline::after(COMPARE_PATIENCE), SLOWEST_FILE)?;
    match Giving::decode(&first)? {
        Giving::Signed(signed) if signed.is_by(&pinned.identity, book.network()) => Ok(*signed),
        Giving::Signed(_) => Err(Error::peer("its signature is not its own")),
        Giving::Refused(why) => Err(declined::by_giver(why)),
        _ => Err(Error::peer("it gives without a signature")),
    }
}

fn receive(
    channel: &mut Channel,
    offer: &Offer,
    renewal: &mut Renewal<'_>,
    came: &mut Vec<(Section, Row)>,
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
                    Ok(()) => came.push((section, row)),
                    Err(error) => wrong = Some(error),
                };
                let found = unpack(&unsqueeze(&squeezed, MAX_ROWS_PIECE)?, &mut keep)?;
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
            Giving::Gone(gone) => renewal.drop_gone(&gone)?,
            Giving::End => return Ok(()),
            Giving::Refused(why) => return Err(declined::by_giver(why)),
            Giving::Signed(_) | Giving::Offer(_) | Giving::Parts(_) => {
                return Err(Error::peer("it offers twice"));
            }
        }
    }
}
