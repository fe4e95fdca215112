//! Finds a door on the local network: the newcomer asks all there, and the door that it means answers.

use crate::base::clock::Deadline;
use crate::base::error::Result;
use crate::base::threads::Stop;
use crate::model::beacon::BEACON;
use crate::model::bucket::Buckets;
use crate::model::join::code::DoorNumber;
use crate::model::join::limits::{
    DOOR_SEARCH, JOIN_BURST, JOIN_RATE, JOIN_SOURCES, JOINS_BURST, JOINS_RATE, MAX_DOORS,
    SEARCH_AGAIN, SEARCH_MORE, SEARCH_PORT,
};
use crate::model::join::search::{QUESTION, Question};
use crate::model::limits::SLICE;
use crate::net::ears::own_addresses;
use crate::net::udp::{Broadcasts, any_socket};
use rand::CryptoRng;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::BorrowedFd;
use std::time::Instant;

const _: () = assert!(QUESTION <= BEACON, "as long as what is heard may be");

/// What answers for a door that is open.
#[derive(Debug)]
pub struct Sign {
    ears: Broadcasts,
    /// From where it answers: an answer counts for the address from which it comes.
    mouth: UdpSocket,
    door: DoorNumber,
    port: u16,
    each: Buckets<IpAddr>,
    all: Buckets<()>,
}

impl Sign {
    /// For the door of this number, which is open at `at`.
    pub fn new(door: DoorNumber, at: SocketAddr) -> std::io::Result<Self> {
        let (ears, mouth) = (Broadcasts::on([SEARCH_PORT])?, UdpSocket::bind((at.ip(), 0))?);
        let each = Buckets::new(JOIN_BURST, JOIN_RATE, JOIN_SOURCES);
        let all = Buckets::new(JOINS_BURST, JOINS_RATE, 1);
        Ok(Self { ears, mouth, door, port: at.port(), each, all })
    }

    /// To wait for questions, together with others.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.ears.sockets()
    }

    /// Answers what has been asked.
    pub fn answer(&mut self) {
        let Self { ears, mouth, door, port, each, all } = self;
        ears.heard(|bytes, from| {
            let Some(question) = Question::read(bytes, *door) else { return };
            let now = Instant::now();
            if each.take(from.ip(), now) && all.take((), now) {
                if let Err(cause) = mouth.send_to(&question.answer(*port), from) {
                    log::debug!("tell {from} where the door is: {cause}");
                }
            }
        });
    }
}

/// Looks on the local network for the door of this number. Returns where it is; several, if somebody there answers
/// falsely or two doors have one number; none, if it is elsewhere.
pub fn seek(door: DoorNumber, stop: &Stop, rng: &mut impl CryptoRng) -> Result<Vec<SocketAddr>> {
    let own = own_addresses().unwrap_or_default().into_iter().chain([Ipv4Addr::LOCALHOST]);
    let mouths = Broadcasts::from(own);
    let mut until = Deadline::after(DOOR_SEARCH);
    let (mut asked, mut again) = (Vec::new(), Instant::now());
    let mut found = Vec::new();
    while let Some(slice) = until.slice(SLICE.min(SEARCH_AGAIN)) {
        stop.check()?;
        if again <= Instant::now() {
            again = Instant::now() + SEARCH_AGAIN;
            let question = Question::new(door, rng);
            mouths.send(SEARCH_PORT, question.bytes());
            asked.push(question);
        }
        mouths.hear(slice, stop, |bytes, from| {
            let port = asked.iter().find_map(|question| question.answered(bytes));
            let at = port.map(|port| SocketAddr::new(from.ip(), port));
            if let Some(at) = at.filter(|at| !found.contains(at) && found.len() < MAX_DOORS) {
                // It is waited a little for others, so that who is quicker than the right one is not alone.
                if found.is_empty() {
                    until = until.or_after(SEARCH_MORE);
                }
                found.push(at);
            }
        });
    }
    Ok(found)
}

/// The address of this machine from which it would call there: where others reach it, if nothing translates between them.
pub fn own_ip_towards(to: SocketAddr) -> Option<IpAddr> {
    let socket = any_socket(to).ok()?;
    socket.connect(to).and_then(|()| socket.local_addr()).ok().map(|own| own.ip().to_canonical())
}
