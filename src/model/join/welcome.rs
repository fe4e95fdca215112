//! What a newcomer is given once it is admitted: the network, its keys, its members, and its own number and token.
//!
//! ```text
//! welcome = 1  network 32  name text  founder 32  epoch u16  network key 32  reader key 32
//!           beacons u8  sponsor u16  number u16  count u16 *( member )
//! member  = number u16  organisation text  identity 32  knock 32  address  token 12
//! ```
//!
//! Beacons: 1 if members, 2 if readers find each other by them on the local network, as the network lets them. The members stand in the order of their numbers, the newcomer among them.

use crate::base::error::{Error, Result};
use crate::model::address::Address;
use crate::model::codec::{Decoder, Encoder};
use crate::model::ids::{NetworkName, PeerNumber};
use crate::model::join::limits::MAX_WELCOME;
use crate::model::join::request::Request;
use crate::model::keys::{IdentityKey, NetworkKeys, PublicKeys, SecretKey};
use crate::model::ledger::membership::{Profile, put, text};
use crate::model::ledger::names::NetworkId;
use crate::model::limits::{MAX_NAME, MAX_PEERS, TOKEN_DIGITS};
use crate::model::secret::{SharedToken, Token};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

const VERSION: u8 = 1;

/// What a newcomer is given. Tokens and keys in it are never printed.
#[derive(Debug)]
pub struct Welcome {
    /// Which network it is.
    pub network: NetworkId,
    /// What it is called.
    pub name: NetworkName,
    /// With whom trust in it begins.
    pub founder: IdentityKey,
    /// The keys that its nodes share.
    pub keys: NetworkKeys,
    /// Whether its members find each other by beacons on the local network.
    pub member_beacon: bool,
    /// Whether readers find its members so.
    pub reader_beacon: bool,
    /// Who let the newcomer in.
    pub sponsor: PeerNumber,
    /// The number of the newcomer.
    pub number: PeerNumber,
    /// All members and their tokens, by their numbers, the newcomer among them.
    pub members: Vec<(Profile, SharedToken)>,
}

impl Welcome {
    /// The newcomer, as it is admitted.
    pub fn own(&self) -> Option<&Profile> {
        self.member(self.number)
    }

    /// Who let the newcomer in.
    pub fn sponsored_by(&self) -> Option<&Profile> {
        self.member(self.sponsor)
    }

    fn member(&self, number: PeerNumber) -> Option<&Profile> {
        let mut members = self.members.iter().map(|(profile, _)| profile);
        members.find(|profile| profile.number == number)
    }

    /// Whether it gives what was asked for, sent by who holds the knock key `sender`.
    pub fn fits(&self, request: &Request, sender: &[u8; 32]) -> Result<()> {
        let is_asked = |own: &Profile| {
            own.keys == *request.keys()
                && own.organisation == *request.organisation()
                && own.address == request.address()
        };
        if !self.own().is_some_and(is_asked) {
            return Err(Error::peer("admitted somebody else than who asked"));
        }
        let is_sender = |sponsor: &Profile| sponsor.keys.knock.as_bytes() == sender;
        match self.sponsor != self.number && self.sponsored_by().is_some_and(is_sender) {
            true => Ok(()),
            false => Err(Error::peer("answered in the name of somebody else")),
        }
    }

    /// Whether it can be one: who is in it, and nobody twice.
    fn check(&self) -> Result<()> {
        let profiles = || self.members.iter().map(|(profile, _)| profile);
        let rising = profiles().zip(profiles().skip(1)).all(|(one, next)| one.number < next.number);
        let one_each = |part: fn(&Profile) -> [u8; 32]| {
            profiles().map(part).collect::<BTreeSet<_>>().len() == self.members.len()
        };
        let distinct = one_each(|profile| *profile.keys.identity.as_bytes())
            && one_each(|profile| *profile.keys.knock.as_bytes());
        let known = self.own().is_some() && self.sponsored_by().is_some();
        match rising && distinct && known && self.keys.epoch > 0 {
            true => Ok(()),
            false => Err(Error::peer("welcomed into a network that cannot be one")),
        }
    }

    /// The bytes of it; an error if it cannot be one.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>> {
        self.check()?;
        let count = u16::try_from(self.members.len()).unwrap_or(u16::MAX);
        let network_key = self.keys.network.as_ref();
        let network_key = network_key.ok_or(Error::peer("has no key of the network to give"))?;
        let mut out = Encoder::with_room(MAX_WELCOME);
        out.u8(VERSION).bytes(self.network.as_bytes());
        put(&self.name.to_string(), &mut out);
        out.bytes(self.founder.as_bytes()).u16(self.keys.epoch);
        out.bytes(network_key.expose()).bytes(self.keys.reader.expose());
        out.u8(u8::from(self.member_beacon) | u8::from(self.reader_beacon) << 1);
        out.u16(self.sponsor.value()).u16(self.number.value()).u16(count);
        for (Profile { number, organisation, keys, address }, token) in &self.members {
            out.u16(number.value());
            put(&organisation.to_string(), &mut out);
            out.bytes(keys.identity.as_bytes()).bytes(keys.knock.as_bytes());
            address.encode(&mut out);
            out.bytes(token.token().expose());
        }
        Ok(Zeroizing::new(out.done()))
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Decoder::new(bytes);
        if from.u8()? != VERSION {
            return Err(Error::peer("welcomed as no version does that this one knows"));
        }
        let (network, name) = (from.array::<32>()?.into(), text(&mut from, MAX_NAME)?);
        let (founder, epoch) = (from.array::<32>()?.into(), from.u16()?);
        let network_key: SecretKey = from.array::<32>()?.into();
        let reader = from.array::<32>()?.into();
        let keys = NetworkKeys { epoch, network: Some(network_key), reader };
        let beacons = from.u8()?;
        if beacons > 3 {
            return Err(Error::peer("welcomed with beacons that are not known"));
        }
        let (member_beacon, reader_beacon) = (beacons & 1 != 0, beacons & 2 != 0);
        let (sponsor, number) = (peer_number(&mut from)?, peer_number(&mut from)?);
        let count = usize::from(from.u16()?);
        if count > MAX_PEERS {
            return Err(Error::peer("welcomed into a network of too many"));
        }
        let members = (0..count).map(|_| member(&mut from)).collect::<Result<_>>()?;
        from.finish()?;
        let welcome = Self {
            network,
            name,
            founder,
            keys,
            member_beacon,
            reader_beacon,
            sponsor,
            number,
            members,
        };
        welcome.check().map(|()| welcome)
    }
}

fn peer_number(from: &mut Decoder<'_>) -> Result<PeerNumber> {
    let wrong = |_| Error::peer("named a member by a number that is none");
    PeerNumber::try_from(u64::from(from.u16()?)).map_err(wrong)
}

fn member(from: &mut Decoder<'_>) -> Result<(Profile, SharedToken)> {
    let (number, organisation) = (peer_number(from)?, text(from, MAX_NAME)?);
    let identity = from.array::<32>()?.into();
    let keys = PublicKeys { identity, knock: from.array::<32>()?.into() };
    let address = Address::decode(from)?;
    let token = Token::try_from(from.bytes(TOKEN_DIGITS)?)
        .map_err(|_| Error::peer("named a member with a token that is none"))?;
    Ok((Profile { number, organisation, keys, address }, token.into()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use proptest::prelude::*;
    use std::net::SocketAddr;

    /// The identity of member `byte`.
    pub fn identity(byte: u8) -> Identity {
        Identity::new([byte; 32].into())
    }

    fn profile(number: u8, keys: PublicKeys) -> Profile {
        let address = SocketAddr::from(([10, 0, 0, number], 33_000 + u16::from(number)));
        Profile {
            number: u64::from(number).try_into().expect("a number"),
            organisation: format!("Clinic {number}").parse().expect("a name"),
            keys,
            address: address.try_into().expect("an address"),
        }
    }

    /// A welcome for 3 into a network of 1 and 2, by 2, and what was asked for.
    pub fn welcome() -> (Welcome, Request) {
        let mut rng = rand::rng();
        let members = [1, 2, 3].map(|number| {
            (profile(number, identity(number).public()), Token::random(&mut rng).into())
        });
        let own = members[2].0.clone();
        let request = Request::for_file(&identity(3), own.organisation, own.address, &mut rng);
        let welcome = Welcome {
            network: [9; 32].into(),
            name: "Cox's Bazar".parse().expect("a name"),
            founder: members[0].0.keys.identity,
            keys: NetworkKeys::random(&mut rng),
            member_beacon: true,
            reader_beacon: false,
            sponsor: members[1].0.number,
            number: members[2].0.number,
            members: members.into(),
        };
        (welcome, request)
    }

    #[test]
    fn a_welcome_is_read_as_it_was_written_and_never_cut_off() {
        let (welcome, request) = welcome();
        let bytes = welcome.encode().expect("right");
        let read = Welcome::decode(&bytes).expect("right");
        assert_eq!(*read.encode().expect("right"), *bytes);
        assert_eq!(read.members, welcome.members);
        read.fits(&request, identity(2).public().knock.as_bytes()).expect("what was asked for");
        for end in 0..bytes.len() {
            assert!(Welcome::decode(&bytes[..end]).is_err(), "up to {end}");
        }
    }

    #[test]
    fn it_is_for_who_asked_and_from_who_sent_it() {
        let (mut welcome, request) = welcome();
        let sender = *identity(2).public().knock.as_bytes();
        assert!(welcome.fits(&request, identity(1).public().knock.as_bytes()).is_err());
        let mut rng = rand::rng();
        let (name, address) = (request.organisation().clone(), request.address());
        let other = Request::for_file(&identity(4), name, address, &mut rng);
        assert!(welcome.fits(&other, &sender).is_err(), "another key");
        let other =
            Request::for_file(&identity(3), "Other".parse().expect("a name"), address, &mut rng);
        assert!(welcome.fits(&other, &sender).is_err(), "another name");
        welcome.sponsor = welcome.number;
        assert!(
            welcome.fits(&request, identity(3).public().knock.as_bytes()).is_err(),
            "by itself"
        );
    }

    #[test]
    fn a_network_that_cannot_be_one_is_refused() {
        let spoil = |change: fn(&mut Welcome)| {
            let (mut welcome, _) = welcome();
            change(&mut welcome);
            welcome.encode().is_err()
        };
        assert!(!spoil(|_| {}));
        assert!(spoil(|welcome| welcome.members.swap(0, 1)), "order");
        assert!(spoil(|welcome| welcome.members.truncate(2)), "without the newcomer");
        assert!(spoil(|welcome| drop(welcome.members.remove(1))), "without the sponsor");
        assert!(spoil(|welcome| welcome.members[0].0.keys.knock = welcome.members[1].0.keys.knock));
        assert!(spoil(|welcome| welcome.keys.epoch = 0), "epoch");
        assert!(spoil(|welcome| welcome.keys.network = None), "no key");
    }

    #[test]
    fn a_full_network_has_room_in_an_answer() {
        let (mut welcome, _) = welcome();
        let name = "x".repeat(MAX_NAME);
        welcome.members = (1..=MAX_PEERS as u16)
            .map(|number| {
                let mut one = [7; 32];
                one[..2].copy_from_slice(&number.to_be_bytes());
                let keys = PublicKeys { identity: one.into(), knock: one.into() };
                let address: SocketAddr = format!("[fe80::{number}]:33001").parse().expect("one");
                let profile = Profile {
                    number: u64::from(number).try_into().expect("a number"),
                    organisation: name.parse().expect("a name"),
                    keys,
                    address: address.try_into().expect("an address"),
                };
                (profile, Token::random(&mut rand::rng()).into())
            })
            .collect();
        let length = welcome.encode().expect("right").len();
        assert!(length <= MAX_WELCOME, "{length}");
    }

    #[test]
    fn nothing_secret_of_it_is_shown() {
        let (welcome, _) = welcome();
        let shown = format!("{welcome:?}");
        let key = welcome.keys.network.as_ref().expect("there");
        assert!(!shown.contains(&crate::model::hex::digits(key.expose())));
        for (_, token) in &welcome.members {
            assert!(!shown.contains(&String::from_utf8_lossy(token.token().expose()).into_owned()));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_say_exactly_the_same_again(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let mut bytes = welcome().0.encode().expect("right").to_vec();
            for (at, to) in changes {
                let at = at.index(bytes.len());
                bytes[at] = to;
            }
            if let Ok(read) = Welcome::decode(&bytes) {
                prop_assert_eq!(read.encode().expect("right").to_vec(), bytes);
            }
        }
    }
}
