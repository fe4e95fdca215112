//! Turns a checked knock into the right to a door, if there is a place for its session.

use crate::base::seats::{Seat, Seats};
use crate::model::gate::{Knock, Visitor};
use crate::model::ids::PeerNumber;
use crate::model::limits::{
    MAX_DOORS, MAX_MEMBER_DOORS, MAX_PEER_MEETINGS, MAX_PEER_SESSIONS, MAX_REFRESHES, MAX_SESSIONS,
    MAX_SOURCE_REFRESHES,
};
use crate::model::noise::Purpose;
use std::net::IpAddr;

/// Places of doors that wait for their visitor, and of sessions. Readers have their own, so that no crowd of
/// them takes a member's.
#[derive(Debug)]
pub struct Places {
    doors: Seats<PeerNumber>,
    sessions: Seats<PeerNumber>,
    /// Among the sessions, those that bring blocks.
    meetings: Seats<PeerNumber>,
    refreshes: Seats<IpAddr>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            doors: Seats::new(MAX_DOORS, MAX_MEMBER_DOORS),
            sessions: Seats::new(MAX_SESSIONS, MAX_PEER_SESSIONS),
            meetings: Seats::new(MAX_SESSIONS, MAX_PEER_MEETINGS),
            refreshes: Seats::new(MAX_REFRESHES, MAX_SOURCE_REFRESHES),
        }
    }
}

/// A checked knock with a place for its session: the only thing that opens a door.
#[derive(Debug)]
pub struct Admitted {
    /// The knock.
    pub knock: Box<Knock>,
    /// The place of the door, free again when the visitor is in.
    pub door: Option<Seat<PeerNumber>>,
    /// The place of the session.
    pub place: Place,
}

/// The place of a session; free again when dropped.
#[derive(Debug)]
pub enum Place {
    /// A member's; a meeting of ledgers has a second one.
    Member(Seat<PeerNumber>, Option<Seat<PeerNumber>>),
    /// A reader's; its door counts too.
    Reader(Seat<IpAddr>),
}

impl Places {
    /// Finds a place for a visitor, or gives the knock back.
    pub fn admit(&self, knock: Box<Knock>) -> Result<Admitted, Box<Knock>> {
        let (door, place) = match knock.visitor() {
            Visitor::Member(peer) => {
                let door = self.doors.take(&peer);
                let session = door.as_ref().and_then(|_| self.sessions.take(&peer));
                let place = session.and_then(|session| match knock.purpose() {
                    Purpose::Sync => {
                        self.meetings.take(&peer).map(|seat| Place::Member(session, Some(seat)))
                    }
                    _ => Some(Place::Member(session, None)),
                });
                (door, place)
            }
            Visitor::Reader => {
                let ip = knock.from().ip().to_canonical();
                (None, self.refreshes.take(&ip).map(Place::Reader))
            }
        };
        match place {
            Some(place) => Ok(Admitted { knock, door, place }),
            None => Err(knock),
        }
    }
}
