//! The running node as a sponsor: where joining meets membership, and nothing else of the node.

use crate::base::error::Result;
use crate::base::threads::lock;
use crate::model::address::Address;
use crate::model::ids::PeerNumber;
use crate::model::join::limits::JOIN_SAVE;
use crate::model::join::request::Request;
use crate::model::join::sponsor::{Admission, Sponsor};
use crate::model::join::welcome::Welcome;
use crate::model::keys::{IdentityKey, PublicKeys};
use crate::model::ledger::membership::{Membership, Profile, Rule};
use crate::model::ledger::replica::Replica;
use crate::model::membership::roster::{Open, Roster};
use crate::model::secret::{SharedToken, Token};
use crate::model::x25519::Own;
use crate::net::ballot;
use crate::net::context::{Context, Order};
use crate::net::join::host::several_admit;
use crate::net::members::Standing;
use crate::net::sealed::lacking;
use crate::store::database::Ticket;
use crate::store::peer_book::Peer;

/// This node.
#[derive(Debug)]
pub struct Here<'a>(pub &'a Context);

impl Here<'_> {
    /// Whether this node can let somebody in; for one that opens the door alone, whether one is enough. A network of one
    /// node begins with this: there is nobody to agree with.
    pub fn check(&self, alone: bool) -> Result<()> {
        let now = self.0.members.now();
        let key = self.0.database.with(Replica::author);
        if ballot::may_begin(&now, &key) && now.book.all().len() == 1 {
            let ticket = ballot::begin(self.0, Rule::default())?;
            self.saved(ticket)?;
        }
        ballot::next_number(self.0)?;
        let now = self.0.members.now();
        match now.roster.as_ref().is_some_and(|roster| roster.rule().admit() > 1) {
            true if alone => Err(several_admit()),
            _ => Ok(()),
        }
    }

    fn saved(&self, ticket: Ticket) -> Result<()> {
        let saved = self.0.database.wait_saved(ticket, JOIN_SAVE, &self.0.stop);
        // Others are told of what is on the disk alone, also if it comes there later.
        self.0.order(Order::ToAll(self.0.work.clone()));
        saved
    }

    /// The admission of these keys that waits for more voices.
    fn proposed(roster: &Roster, keys: &PublicKeys) -> Option<(PeerNumber, Open)> {
        let mut open = roster.open().iter();
        open.find_map(|open| match &open.said {
            Membership::Admitted(admitted) if admitted.profile().keys == *keys => {
                Some((admitted.profile().number, open.clone()))
            }
            _ => None,
        })
    }
}

impl Sponsor for Here<'_> {
    fn members(&self) -> Vec<Profile> {
        let now = self.0.members.now();
        now.book.all().iter().filter_map(profile).collect()
    }

    fn is_shut_out(&self, keys: &PublicKeys) -> bool {
        let now = self.0.members.now();
        now.roster.as_ref().is_some_and(|roster| roster.is_shut_out(keys))
    }

    fn admit(&self, request: &Request) -> Result<Admission> {
        let now = self.0.members.now();
        let keys = request.keys();
        let open = now.roster.as_ref().and_then(|roster| Self::proposed(roster, keys));
        let (number, said) = match open {
            Some((number, open)) => (number, ballot::agree(self.0, &open)?),
            None => {
                let number = ballot::next_number(self.0)?;
                let profile = Profile {
                    number,
                    organisation: request.organisation().clone(),
                    keys: *keys,
                    address: request.address(),
                };
                let token = Token::random(&mut rand::rng()).into();
                (number, ballot::admit(self.0, profile, token)?)
            }
        };
        let saved = self.saved(said.ticket);
        let now = self.0.members.now();
        let roster = now.roster.as_ref();
        if roster.and_then(|roster| roster.member(&keys.identity)).is_none() {
            let needed = roster.map_or(1, |roster| roster.rule().admit());
            return saved.map(|()| Admission::Waits(number, needed));
        }
        let welcome = Box::new(self.again(request)?);
        match saved {
            Ok(()) => Ok(Admission::Member(welcome)),
            Err(error) => {
                log::warn!("the admission of node {number} is not on the disk yet: {error}");
                Ok(Admission::Unsaved(welcome))
            }
        }
    }

    fn again(&self, request: &Request) -> Result<Welcome> {
        let now = self.0.members.now();
        welcome(&now, request)
    }

    fn own(&self) -> Result<Own> {
        let sealed = self.0.sealed.as_ref().ok_or_else(lacking)?;
        Ok(lock(&sealed.own).copy())
    }
}

/// What who made this request is given, as a member.
fn welcome(now: &Standing, request: &Request) -> Result<Welcome> {
    let (roster, pin) = now.roster.as_ref().zip(now.pin).ok_or_else(lacking)?;
    let key: &IdentityKey = &request.keys().identity;
    let number = roster.member(key).ok_or_else(lacking)?.number;
    let members = now.book.all().iter().filter_map(|peer| {
        let token: SharedToken = peer.token()?.copy().into();
        let mut profile = profile(peer)?;
        if profile.keys.identity == *key {
            // As it was asked for, whatever was said since.
            profile.organisation = request.organisation().clone();
            profile.address = request.address();
        }
        Some((profile, token))
    });
    let beacons = now.book.beacons();
    Ok(Welcome {
        network: pin.network,
        name: now.book.network().parse()?,
        founder: pin.founder,
        keys: now.book.network_keys().ok_or_else(lacking)?.copy(),
        member_beacon: beacons.members,
        reader_beacon: beacons.readers,
        sponsor: now.me,
        number,
        members: members.collect(),
    })
}

fn profile(peer: &Peer) -> Option<Profile> {
    Some(Profile {
        number: peer.number,
        organisation: peer.organisation.clone(),
        keys: *peer.keys()?,
        address: Address::try_from(peer.address).ok()?,
    })
}
