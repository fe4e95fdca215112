//! Puts the two datagrams of a classic knock together, whatever comes between them, in either order, once
//! or twice or never. The original took the token of one with the purpose of another.

use crate::model::classic::datagram::Purpose;
use crate::model::ids::PeerNumber;
use crate::model::limits::{HALF_KNOCK, HALF_KNOCKS, LOOSE_PAIRING, LOWEST_PORT, ORPHANS};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// A whole knock of a trusted peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knock {
    /// Whose token it was.
    pub peer: PeerNumber,
    /// What the session is for.
    pub purpose: Purpose,
    /// Where it came from.
    pub from: SocketAddr,
}

/// Half knocks and half refreshes that wait for their other half, for at most two seconds.
#[derive(Debug, Default)]
pub struct Pairing {
    tokens: HashMap<SocketAddr, (PeerNumber, Instant)>,
    purposes: HashMap<SocketAddr, (Purpose, Instant)>,
    codes: HashMap<IpAddr, Instant>,
    addresses: HashMap<IpAddr, (SocketAddr, Instant)>,
}

impl Pairing {
    /// A trusted token came.
    pub fn token(&mut self, from: SocketAddr, peer: PeerNumber, now: Instant) -> Option<Knock> {
        if let Some((purpose, since)) = self.purposes.remove(&from) {
            if fresh(since, now) {
                return Some(Knock { peer, purpose, from });
            }
        }
        let own = self.tokens.values().filter(|(other, _)| *other == peer).count();
        if own < HALF_KNOCKS || self.tokens.get(&from).is_some_and(|(other, _)| *other == peer) {
            self.tokens.insert(from, (peer, now));
        }
        None
    }

    /// A purpose came, from whomever.
    pub fn purpose(&mut self, from: SocketAddr, purpose: Purpose, now: Instant) -> Option<Knock> {
        if let Some((peer, since)) = self.tokens.remove(&from) {
            if fresh(since, now) {
                return Some(Knock { peer, purpose, from });
            }
        }
        bounded_insert(&mut self.purposes, from, (purpose, now), |(_, since)| *since);
        None
    }

    /// The first half of a refresh came. Returns where to connect if the second is here.
    pub fn refresh(&mut self, from: SocketAddr, now: Instant) -> Option<SocketAddr> {
        if let Some((to, since)) = self.addresses.remove(&from.ip()) {
            if fresh(since, now) {
                return Some(to);
            }
        }
        bounded_insert(&mut self.codes, from.ip(), now, |since| *since);
        None
    }

    /// The second half of a refresh came. It counts only if it names the address that asks: a node never
    /// connects to a place that somebody else named.
    pub fn refresh_address(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        now: Instant,
    ) -> Option<SocketAddr> {
        if to.ip() != from.ip() || to.port() < LOWEST_PORT {
            return None;
        }
        match self.codes.get(&from.ip()) {
            Some(since) if fresh(*since, now) => Some(to),
            _ => {
                bounded_insert(&mut self.addresses, from.ip(), (to, now), |(_, since)| *since);
                None
            }
        }
    }

    /// Whether no half waits for its other one.
    pub fn is_idle(&self) -> bool {
        let [tokens, purposes] = [self.tokens.is_empty(), self.purposes.is_empty()];
        tokens && purposes && self.codes.is_empty() && self.addresses.is_empty()
    }

    /// Forgets what is too old, and pairs a token that has waited with the only purpose that came from the
    /// same IP address: a sender may use a new socket for each datagram.
    pub fn tick(&mut self, now: Instant) -> Vec<Knock> {
        self.tokens.retain(|_, (_, since)| fresh(*since, now));
        self.purposes.retain(|_, (_, since)| fresh(*since, now));
        self.codes.retain(|_, since| fresh(*since, now));
        self.addresses.retain(|_, (_, since)| fresh(*since, now));
        let mut knocks = Vec::new();
        let waiting: Vec<_> = self
            .tokens
            .iter()
            .filter(|(_, (_, since))| now.duration_since(*since) >= LOOSE_PAIRING)
            .map(|(from, (peer, _))| (*from, *peer))
            .collect();
        for (from, peer) in waiting {
            let alone = self.tokens.keys().filter(|other| other.ip() == from.ip()).count() == 1;
            let mut near = self.purposes.iter().filter(|(other, _)| other.ip() == from.ip());
            if let (true, Some((at, (purpose, _))), None) = (alone, near.next(), near.next()) {
                let (at, purpose) = (*at, *purpose);
                self.purposes.remove(&at);
                self.tokens.remove(&from);
                knocks.push(Knock { peer, purpose, from });
            }
        }
        knocks
    }
}

fn fresh(since: Instant, now: Instant) -> bool {
    now.duration_since(since) < HALF_KNOCK
}

/// Inserts; when there is no room, the oldest makes it.
fn bounded_insert<K: Copy + Eq + std::hash::Hash, V>(
    map: &mut HashMap<K, V>,
    key: K,
    value: V,
    since: impl Fn(&V) -> Instant,
) {
    if map.len() >= ORPHANS && !map.contains_key(&key) {
        if let Some(oldest) = map.iter().min_by_key(|(_, value)| since(value)).map(|(key, _)| *key)
        {
            map.remove(&oldest);
        }
    }
    map.insert(key, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn peer(number: u64) -> PeerNumber {
        PeerNumber::try_from(number).expect("a peer number")
    }

    fn from(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn interleaved_knocks_keep_their_own_purpose() {
        let (mut pairing, now) = (Pairing::default(), Instant::now());
        assert_eq!(pairing.token(from(1), peer(1), now), None);
        assert_eq!(pairing.token(from(2), peer(2), now), None);
        assert_eq!(pairing.purpose(from(3), Purpose::File, now), None, "the purpose first");
        let knock = pairing.purpose(from(2), Purpose::File, now).expect("whole");
        assert_eq!((knock.peer, knock.purpose), (peer(2), Purpose::File));
        let knock = pairing.token(from(3), peer(3), now).expect("whole");
        assert_eq!((knock.peer, knock.purpose), (peer(3), Purpose::File));
        let knock = pairing.purpose(from(1), Purpose::Text, now).expect("whole");
        assert_eq!((knock.peer, knock.purpose), (peer(1), Purpose::Text));
    }

    #[test]
    fn halves_that_come_twice_or_never_leave_nothing_behind() {
        let (mut pairing, now) = (Pairing::default(), Instant::now());
        pairing.token(from(1), peer(1), now);
        pairing.token(from(1), peer(1), now);
        assert!(pairing.purpose(from(1), Purpose::Text, now).is_some());
        assert!(pairing.purpose(from(1), Purpose::Text, now).is_none());
        pairing.token(from(2), peer(2), now);
        let later = now + HALF_KNOCK;
        assert!(pairing.purpose(from(2), Purpose::Text, later).is_none(), "too old");
        assert!(!pairing.is_idle());
        pairing.tick(later + HALF_KNOCK);
        assert!(pairing.is_idle());
    }

    #[test]
    fn a_sender_with_a_socket_for_each_datagram_is_understood_if_it_is_alone() {
        let (mut pairing, now) = (Pairing::default(), Instant::now());
        let later = now + LOOSE_PAIRING;
        pairing.token(from(1), peer(1), now);
        pairing.purpose(from(9), Purpose::File, now + Duration::from_millis(100));
        assert_eq!(pairing.tick(now), [], "its own purpose may still come");
        assert_eq!(pairing.tick(later).len(), 1);
        pairing.token(from(1), peer(1), now);
        pairing.token(from(2), peer(2), now);
        pairing.purpose(from(9), Purpose::File, now);
        assert_eq!(pairing.tick(later), [], "whose would it be?");
    }

    #[test]
    fn a_refresh_goes_only_to_the_address_that_asks() {
        let (mut pairing, now) = (Pairing::default(), Instant::now());
        let there: SocketAddr = ([127, 0, 0, 1], 40_000).into();
        let elsewhere: SocketAddr = ([127, 0, 0, 9], 40_000).into();
        assert_eq!(pairing.refresh_address(from(5), there, now), None, "no code yet");
        assert_eq!(pairing.refresh(from(5), now), Some(there), "in either order");
        assert_eq!(pairing.refresh(from(5), now), None);
        assert_eq!(pairing.refresh_address(from(5), elsewhere, now), None);
        assert_eq!(pairing.refresh_address(from(5), ([127, 0, 0, 1], 22).into(), now), None);
        assert_eq!(pairing.refresh_address(from(6), there, now), Some(there));
    }

    #[test]
    fn strangers_fill_a_small_table_and_push_out_only_each_other() {
        let (mut pairing, now) = (Pairing::default(), Instant::now());
        pairing.token(from(1), peer(1), now);
        for port in 1000..3000 {
            pairing.purpose(from(port), Purpose::Text, now);
            pairing.refresh(
                SocketAddr::new(IpAddr::from([10, 0, (port >> 8) as u8, port as u8]), port),
                now,
            );
        }
        assert!(pairing.purposes.len() <= ORPHANS && pairing.codes.len() <= ORPHANS);
        assert!(pairing.purpose(from(1), Purpose::Text, now).is_some());
        for port in 0..100 {
            pairing.token(from(port), peer(1), now);
        }
        assert_eq!(pairing.tokens.len(), HALF_KNOCKS);
    }
}
