//! From a peers file to membership in the ledger, and back: how a network of before moves, and how the rest of the
//! program sees the members.

use crate::base::error::{Error, Result};
use crate::model::address::Address;
use crate::model::ids::PeerNumber;
use crate::model::keys::IdentityKey;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::membership::{Profile, Rule};
use crate::model::ledger::names::NetworkId;
use crate::model::membership::founding;
use crate::model::membership::roster::{Member, Roster};
use crate::model::secret::{SharedToken, Token};
use crate::store::peer_book::{Peer, PeerBook};
use rand::CryptoRng;
use std::collections::BTreeSet;

impl PeerBook {
    /// The book of all members, as the node `me` sees it, whose peers file this is: each where a person typed it there,
    /// else where the ledger says. As long as the node is not a member itself, what it needs to become one may not be here
    /// yet; until then it also talks to those of its file that nobody shut out. Returns its number too.
    pub fn as_of(&self, roster: &Roster, me: PeerNumber) -> Result<(Self, PeerNumber)> {
        let key_of = |peer: &Peer| peer.keys().map(|keys| keys.identity);
        let keys = self.network_keys().ok_or_else(lacking)?.copy();
        let own = self.peer(me).and_then(key_of).ok_or_else(lacking)?;
        let mut peers: Vec<_> = roster.members().filter_map(|member| self.seen(member)).collect();
        let number = roster.member(&own).map(|member| member.number);
        if number.is_none() {
            peers.retain(|peer| peer.number != me);
            let mut numbers: BTreeSet<_> = peers.iter().map(|peer| peer.number).collect();
            for peer in self.all() {
                let Some(key) = key_of(peer) else { continue };
                let is_there = roster.member(&key).is_some() && peer.number != me;
                let is_shut = roster.is_revoked(&key) && peer.number != me;
                if !is_there && !is_shut && numbers.insert(peer.number) {
                    peers.push(peer.again());
                }
            }
        }
        let book = Self::of_members(self.network().to_owned(), keys, peers);
        Ok((book.with_beacons(self.beacons()), number.unwrap_or(me)))
    }

    /// A member as this book's node sees it.
    fn seen(&self, member: &Member) -> Option<Peer> {
        let typed = self.signer(&member.keys.identity).map(|peer| peer.address);
        let said = member.addresses.iter().map(Address::socket);
        let mut all: Vec<_> = typed.into_iter().chain(said).collect();
        let address = *all.first()?;
        all.retain(|other| *other != address);
        let token = Some(member.token().copy());
        let peer = Peer::new(member.number, member.organisation.clone(), address, token);
        Some(peer.with_keys(member.keys).with_further(all))
    }

    /// The entries by which its keeper takes the network of this book into the ledger. They are to be signed by the
    /// keeper's node, one behind the other; the network that they begin is to be pinned by it, and by each of the others
    /// when it has found that their peers file has the keeper's key.
    pub fn take_up(
        &self,
        keeper: &IdentityKey,
        rule: Rule,
        rng: &mut impl CryptoRng,
    ) -> Result<(NetworkId, Vec<Entry>)> {
        let name = self.network().parse()?;
        let nodes = self.all().iter().map(node).collect::<Result<Vec<_>>>()?;
        founding::found(name, rule, keeper, nodes, rng)
    }
}

fn lacking() -> Error {
    Error::input("peers file", "it lacks keys of a sealed network", "take the tier-1 peers file")
}

fn node(peer: &Peer) -> Result<(Profile, SharedToken)> {
    let place = || format!("peer {}", peer.number);
    let keys = *peer.keys().ok_or_else(|| {
        let advice = "membership is for sealed networks; begin one with `reunite peers add`";
        Error::input(place(), "it has no keys", advice)
    })?;
    let token = peer
        .token()
        .map(Token::copy)
        .ok_or_else(|| Error::input(place(), "it has no token", "take the tier-1 peers file"))?;
    let address = Address::try_from(peer.address)?;
    let (number, organisation) = (peer.number, peer.organisation.clone());
    Ok((Profile { number, organisation, keys, address }, token.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use crate::model::keys::{NetworkKeys, SecretKey};
    use crate::model::ledger::pen::Pen;
    use crate::model::ledger::register::Register;
    use std::path::Path;

    fn identity(byte: u8) -> Identity {
        Identity::new(SecretKey::from([byte; 32]))
    }

    fn peer(number: u8) -> Peer {
        let token = Token::random(&mut rand::rng());
        let address = ([10, 0, 0, number], 33_001).into();
        let organisation = format!("Clinic {number}").parse().expect("a name");
        let number_of = u64::from(number).try_into().expect("a number");
        Peer::new(number_of, organisation, address, Some(token))
            .with_keys(identity(number).public())
    }

    fn book(numbers: impl Iterator<Item = u8>) -> PeerBook {
        let keys = NetworkKeys::random(&mut rand::rng());
        PeerBook::sealed(Path::new("test"), "aid".into(), keys, numbers.map(peer).collect())
            .expect("right")
    }

    fn roster(entries: Vec<Entry>, keeper: u8, network: NetworkId) -> Roster {
        let mut register = Register::default();
        let mut pen = Pen::begin(&identity(keeper), 1.into());
        for portion in Pen::portions(entries) {
            register.take(&pen.sign(portion, 1, 0).expect("room"));
        }
        Roster::new(&register, network, &|_, _, _| true).expect("founded")
    }

    #[test]
    fn a_network_of_before_is_taken_up_and_its_book_is_the_same() {
        let book = book((1..=200).rev());
        let keeper = identity(7).public().identity;
        let rng = &mut rand::rng();
        let (network, entries) = book.take_up(&keeper, Rule::default(), rng).expect("right");
        let roster = roster(entries, 7, network);
        assert_eq!((roster.len(), roster.founder()), (200, keeper));
        assert_eq!(roster.next_number().map(|number| number.value()), Some(201));
        let seven = 7_u64.try_into().expect("a number");
        let (again, number) = book.as_of(&roster, seven).expect("sealed");
        assert_eq!(number, seven);
        assert_eq!(again.network(), "aid");
        assert_eq!(again.all().len(), 200);
        for (one, other) in again.all().iter().zip(book.all()) {
            assert_eq!((one.number, one.keys()), (other.number, other.keys()));
            assert_eq!((&one.organisation, one.address), (&other.organisation, other.address));
            let tokens = (one.token().expect("one"), other.token().expect("one"));
            assert!(tokens.0.matches(tokens.1));
        }
    }

    #[test]
    fn what_cannot_be_taken_up_is_said() {
        let rng = &mut rand::rng();
        let stranger = identity(9).public().identity;
        assert!(book(1..=3).take_up(&stranger, Rule::default(), rng).is_err());
        // Who would admit the first ones of a network that is smaller than its rule?
        let (two, first) = (Rule::new(2, 2).expect("right"), identity(1).public().identity);
        assert!(book(1..=1).take_up(&first, two, rng).is_err());
        assert!(book(1..=2).take_up(&first, two, rng).is_ok());
        let mut public = book(1..=3);
        public.forget_secrets();
        let keeper = identity(1).public().identity;
        let error = public.take_up(&keeper, Rule::default(), rng).expect_err("no tokens");
        assert!(error.to_string().contains("peer 1"), "{error}");
    }
}
