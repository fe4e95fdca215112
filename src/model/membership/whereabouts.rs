//! Where one node looks for a member: what a person typed here, where the member was met, and what the ledger says.
//!
//! Only a verified handshake, in which the member has shown its keys, puts an address before one that was typed. What
//! is learned from others never does: who lies about addresses costs a vain knock, and cuts nobody off.

use crate::model::address::Address;
use crate::model::limits::MAX_ADDRESSES;

/// The addresses of one member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    met: Option<Address>,
    typed: Option<Address>,
    learned: Vec<Address>,
}

impl Whereabouts {
    /// A person has typed it at this node, and knows better than what was found out before.
    pub fn type_in(&mut self, address: Address) {
        (self.typed, self.met) = (Some(address), None);
    }

    /// The ledger says these, or a beacon, the likeliest first. They stand in the place of those of before.
    pub fn learn(&mut self, addresses: &[Address]) {
        self.learned = addresses.iter().take(MAX_ADDRESSES).copied().collect();
    }

    /// The member was met there: it has proved by its keys that it is it.
    pub fn meet(&mut self, address: Address) {
        self.met = Some(address);
    }

    /// Where it is, as far as is known.
    pub fn best(&self) -> Option<Address> {
        self.to_try().next()
    }

    /// Where to look for it, one after the other, each once.
    pub fn to_try(&self) -> impl Iterator<Item = Address> {
        let mut all: Vec<Address> = Vec::new();
        for address in self.met.iter().chain(&self.typed).chain(&self.learned) {
            if !all.contains(address) {
                all.push(*address);
            }
        }
        all.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn at(last: u8) -> Address {
        SocketAddr::from(([10, 0, 0, last], 33_001)).try_into().expect("an address")
    }

    #[test]
    fn what_was_typed_gives_way_to_what_was_proved_alone() {
        let mut place = Whereabouts::default();
        assert_eq!(place.best(), None);
        place.learn(&[at(1), at(2)]);
        assert_eq!(place.best(), Some(at(1)));
        place.type_in(at(3));
        place.learn(&[at(4), at(3), at(5)]);
        assert_eq!(place.to_try().collect::<Vec<_>>(), [at(3), at(4), at(5)]);
        place.meet(at(5));
        place.learn(&[at(6)]);
        assert_eq!(place.to_try().collect::<Vec<_>>(), [at(5), at(3), at(6)]);
        place.type_in(at(7));
        assert_eq!(place.best(), Some(at(7)), "a person knows better than an old handshake");
    }

    #[test]
    fn many_addresses_are_few() {
        let mut place = Whereabouts::default();
        place.learn(&(0..100).map(at).collect::<Vec<_>>());
        assert_eq!(place.to_try().count(), MAX_ADDRESSES);
    }
}
