//! Turns a whole knock of a trusted peer into the right to a door, if there is a place for its session.

use crate::base::seats::{Seat, Seats};
use crate::base::threads::lock;
use crate::model::classic::datagram::Purpose;
use crate::model::classic::pairing::Knock;
use crate::model::ids::PeerNumber;
use crate::model::limits::{MAX_PEER_SESSIONS, MAX_SESSIONS};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

type Key = (PeerNumber, SocketAddr, Purpose);
type Waiting = Arc<Mutex<HashMap<Key, Option<u16>>>>;

/// The doors that wait for their peer, and the places for sessions.
#[derive(Debug)]
pub struct Admissions {
    waiting: Waiting,
    seats: Seats<PeerNumber>,
}

/// A checked knock with a place for its session: the only thing that opens a door.
#[derive(Debug)]
pub struct Admitted {
    knock: Knock,
    waiting: Waiting,
    seat: Option<Seat<PeerNumber>>,
}

/// What a knock leads to.
#[derive(Debug)]
pub enum Admission {
    /// A new door.
    New(Admitted),
    /// The same door again: the knock was repeated while it waits. The port, if it is open already.
    Again(Option<u16>),
    /// There is no place.
    Full,
}

impl Default for Admissions {
    fn default() -> Self {
        Self { waiting: Arc::default(), seats: Seats::new(MAX_SESSIONS, MAX_PEER_SESSIONS) }
    }
}

impl Admissions {
    /// Decides on a knock.
    pub fn admit(&self, knock: Knock) -> Admission {
        let key = (knock.peer, knock.from, knock.purpose);
        let mut waiting = lock(&self.waiting);
        if let Some(port) = waiting.get(&key) {
            return Admission::Again(*port);
        }
        let Some(seat) = self.seats.take(&knock.peer) else { return Admission::Full };
        waiting.insert(key, None);
        drop(waiting);
        Admission::New(Admitted { knock, waiting: Arc::clone(&self.waiting), seat: Some(seat) })
    }
}

impl Admitted {
    /// The knock that was admitted.
    pub fn knock(&self) -> Knock {
        self.knock
    }

    /// The door is open at `port`: a repeated knock is answered with it.
    pub fn opened(&self, port: u16) {
        lock(&self.waiting).insert(self.key(), Some(port));
    }

    /// The peer has come in: the door is closed, the place is kept for the session.
    pub fn entered(mut self) -> Option<Seat<PeerNumber>> {
        self.seat.take()
    }

    fn key(&self) -> Key {
        (self.knock.peer, self.knock.from, self.knock.purpose)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let key = self.key();
        lock(&self.waiting).remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knock(port: u16) -> Knock {
        let peer = PeerNumber::try_from(1).expect("a number");
        Knock { peer, purpose: Purpose::Text, from: ([127, 0, 0, 1], port).into() }
    }

    #[test]
    fn a_repeated_knock_gets_the_same_port_and_no_second_door() {
        let admissions = Admissions::default();
        let Admission::New(first) = admissions.admit(knock(1)) else { panic!("not admitted") };
        assert!(matches!(admissions.admit(knock(1)), Admission::Again(None)));
        first.opened(40_000);
        assert!(matches!(admissions.admit(knock(1)), Admission::Again(Some(40_000))));
        assert!(first.entered().is_some());
        assert!(matches!(admissions.admit(knock(1)), Admission::New(_)), "a new knock, a new door");
    }

    #[test]
    fn one_peer_cannot_take_all_places() {
        let admissions = Admissions::default();
        let held: Vec<_> = (0..MAX_PEER_SESSIONS)
            .map(|port| admissions.admit(knock(port as u16)))
            .filter(|admission| matches!(admission, Admission::New(_)))
            .collect();
        assert_eq!(held.len(), MAX_PEER_SESSIONS);
        assert!(matches!(admissions.admit(knock(999)), Admission::Full));
    }
}
