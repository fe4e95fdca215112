//! Where each peer can be called: where a person typed, where handshakes found it, and where it says that it is. The first
//! is never forgotten, the last never believed before a handshake there.

use crate::base::threads::lock;
use crate::model::ids::PeerNumber;
use crate::model::limits::PROVED_ADDRESSES;
use crate::store::addresses_file::Learned;
use crate::store::peer_book::{Peer, PeerBook};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

/// What was learned of all peers. Its size has a bound.
#[derive(Debug, Default)]
pub struct Addresses(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<PeerNumber, Known>,
    /// How many beacons told where their peers are.
    sightings: u64,
    /// Whether what handshakes proved has changed since it was last taken for the disk.
    is_changed: bool,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// Where handshakes found it, the last first. Also where a person typed, if it was found there.
    proved: Vec<SocketAddr>,
    /// Where it says that it is.
    hint: Option<SocketAddr>,
    /// From where it called: most likely it listens there, if it is not behind a router that hides it.
    caller: Option<SocketAddr>,
}

impl Addresses {
    /// What an earlier run of this node learned. Peers that are not in the book any more are forgotten.
    pub fn new(book: &PeerBook, learned: &Learned) -> Self {
        let known = learned.peers.iter().filter_map(|(number, proved)| {
            let peer = book.peer(*number)?;
            Some((peer.number, Known { proved: proved.clone(), ..Known::default() }))
        });
        Self(Mutex::new(Inner { known: known.collect(), ..Inner::default() }))
    }

    /// The book is another one now. What was learned of a number that is somebody else's is forgotten.
    pub fn follow(&self, old: &PeerBook, new: &PeerBook) {
        let key = |book: &PeerBook, number| book.peer(number).and_then(Peer::keys).copied();
        lock(&self.0).known.retain(|number, _| key(old, *number) == key(new, *number));
    }

    /// Where to call a peer, the most promising address first. Never empty.
    pub fn ways(&self, peer: &Peer) -> Vec<SocketAddr> {
        let known = lock(&self.0).known.get(&peer.number).cloned().unwrap_or_default();
        let mut ways = Vec::new();
        let found = known.hint.into_iter().chain(known.proved);
        let said = [peer.address].into_iter().chain(peer.further().iter().copied());
        for way in found.chain(said).chain(known.caller) {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }

    /// Where a peer is, as far as is known.
    pub fn best(&self, peer: &Peer) -> SocketAddr {
        let inner = lock(&self.0);
        let proved = inner.known.get(&peer.number).and_then(|known| known.proved.first());
        proved.copied().unwrap_or(peer.address)
    }

    /// A peer says that it is there. Returns whether it has to be called there to be believed. One that was found at
    /// several addresses before is not called each time that it says another of them.
    pub fn sighted(&self, peer: &Peer, at: SocketAddr) -> bool {
        let mut inner = lock(&self.0);
        inner.sightings += 1;
        let known = inner.known.entry(peer.number).or_default();
        if let Some(place) = known.proved.iter().position(|proved| *proved == at) {
            known.proved.swap(0, place);
            known.hint = None;
            return false;
        }
        if known.proved.is_empty() && peer.address == at {
            return false;
        }
        known.hint = Some(at);
        true
    }

    /// A peer called from there. It is tried there when it is nowhere else: its lease may have changed on a network from
    /// which no beacon comes here.
    pub fn called_from(&self, peer: &Peer, ip: IpAddr) {
        let ip = ip.to_canonical();
        // On the loopback the system chooses the address.
        if !ip.is_loopback() {
            let mut inner = lock(&self.0);
            let known = inner.known.entry(peer.number).or_default();
            known.caller = Some(SocketAddr::new(ip, peer.address.port()));
        }
    }

    /// How often peers said where they are.
    pub fn sightings(&self) -> u64 {
        lock(&self.0).sightings
    }

    /// A handshake found a peer there. Returns whether that is news.
    pub fn proved(&self, peer: &Peer, at: SocketAddr) -> bool {
        let mut inner = lock(&self.0);
        let known = inner.known.entry(peer.number).or_default();
        known.hint = None;
        let before = known.proved.iter().position(|proved| *proved == at);
        if let Some(place) = before {
            known.proved.remove(place);
        }
        known.proved.insert(0, at);
        known.proved.truncate(PROVED_ADDRESSES);
        let is_news = before.is_none() && (known.proved.len() > 1 || at != peer.address);
        inner.is_changed |= is_news;
        is_news
    }

    /// A peer did not answer at any of these: if it said that it is there, it is not. What it said since that call began
    /// is still to be tried.
    pub fn missed(&self, peer: &Peer, tried: &[SocketAddr]) {
        if let Some(known) = lock(&self.0).known.get_mut(&peer.number) {
            known.hint.take_if(|hint| tried.contains(hint));
        }
    }

    /// What is to be written to the disk, if it has changed.
    pub fn take_changed(&self, boot: u64) -> Option<Learned> {
        let mut inner = lock(&self.0);
        std::mem::take(&mut inner.is_changed).then(|| {
            let proved = inner.known.iter().filter(|(_, known)| !known.proved.is_empty());
            let peers = proved.map(|(peer, known)| (*peer, known.proved.clone())).collect();
            Learned { boot, peers }
        })
    }

    /// What was to be written is not on the disk yet.
    pub fn not_written(&self) {
        lock(&self.0).is_changed = true;
    }

    /// All ports at which members may listen, those of the book first.
    pub fn ports(&self, book: &PeerBook) -> Vec<u16> {
        let inner = lock(&self.0);
        let proved = inner.known.values().flat_map(|known| known.proved.iter().copied());
        let mut ports = Vec::new();
        for address in book.all().iter().map(|peer| peer.address).chain(proved) {
            if !ports.contains(&address.port()) {
                ports.push(address.port());
            }
        }
        ports
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn at(last: u8) -> SocketAddr {
        ([10, 0, 0, last], 33_000).into()
    }

    fn book() -> PeerBook {
        let peer = |number: u64| {
            let organisation = format!("O{number}").parse().expect("a name");
            Peer::new(number.try_into().expect("1"), organisation, at(number as u8), None)
        };
        PeerBook::new(Path::new("test"), "n".into(), vec![peer(1), peer(2)]).expect("right")
    }

    fn two(book: &PeerBook) -> &Peer {
        book.peer(2.try_into().expect("2")).expect("there")
    }

    #[test]
    fn a_hint_is_tried_and_only_a_handshake_makes_it_the_address() {
        let (book, addresses) = (book(), Addresses::default());
        let two = two(&book);
        assert_eq!(addresses.ways(two), [at(2)]);
        assert!(!addresses.sighted(two, at(2)), "it is there anyway");
        assert!(addresses.sighted(two, at(9)));
        assert_eq!((addresses.ways(two), addresses.best(two)), (vec![at(9), at(2)], at(2)));
        assert_eq!(addresses.take_changed(1), None);
        addresses.missed(two, &[at(2)]);
        assert_eq!(addresses.ways(two), [at(9), at(2)], "it said so after that call had begun");
        addresses.missed(two, &[at(9), at(2)]);
        assert_eq!(addresses.ways(two), [at(2)]);
        addresses.sighted(two, at(9));
        assert!(addresses.proved(two, at(9)) && !addresses.proved(two, at(9)));
        assert_eq!((addresses.ways(two), addresses.best(two)), (vec![at(9), at(2)], at(9)));
        addresses.missed(two, &[at(9), at(2)]);
        assert_eq!(addresses.ways(two), [at(9), at(2)], "it may only be away");
    }

    #[test]
    fn what_a_person_typed_is_always_tried_and_first_again_when_it_is_right() {
        let (book, addresses) = (book(), Addresses::default());
        let two = two(&book);
        for other in 10..20 {
            addresses.proved(two, at(other));
        }
        addresses.sighted(two, at(8));
        let ways = addresses.ways(two);
        assert_eq!((ways.len(), ways[0], ways[4]), (PROVED_ADDRESSES + 2, at(8), at(2)));
        addresses.proved(two, at(2));
        assert_eq!(addresses.ways(two)[0], at(2));
    }

    #[test]
    fn where_a_peer_called_from_is_tried_last_and_is_nothing_to_be_written() {
        let (book, addresses) = (book(), Addresses::default());
        let two = two(&book);
        addresses.called_from(two, [127, 0, 0, 1].into());
        addresses.called_from(two, at(2).ip());
        assert_eq!(addresses.ways(two), [at(2)]);
        addresses.called_from(two, at(9).ip());
        assert_eq!(addresses.ways(two), [at(2), at(9)]);
        assert_eq!((addresses.best(two), addresses.take_changed(1)), (at(2), None));
    }

    #[test]
    fn a_peer_with_two_cards_is_not_called_each_time_it_says_the_other_one() {
        let (book, addresses) = (book(), Addresses::default());
        let two = two(&book);
        assert!(!addresses.proved(two, at(2)), "nothing to be written");
        assert!(addresses.sighted(two, at(9)) && addresses.proved(two, at(9)));
        assert!(addresses.take_changed(1).is_some());
        for here in [2, 9, 2, 9] {
            assert!(!addresses.sighted(two, at(here)));
            assert_eq!(addresses.best(two), at(here));
        }
        assert_eq!(addresses.take_changed(1), None);
    }

    #[test]
    fn what_was_learned_outlives_the_node_and_strangers_in_the_file_are_forgotten() {
        let (book, addresses) = (book(), Addresses::default());
        let two = two(&book);
        addresses.proved(two, at(9));
        let mut learned = addresses.take_changed(4).expect("changed");
        assert_eq!(addresses.take_changed(4), None);
        learned.peers.insert(3.try_into().expect("3"), vec![at(7)]);
        let again = Addresses::new(&book, &learned);
        assert_eq!(again.ways(two), [at(9), at(2)]);
        assert_eq!(lock(&again.0).known.len(), 1);
    }
}
