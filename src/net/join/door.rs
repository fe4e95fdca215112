//! The door for a newcomer: a TCP listener that a person opens for some minutes, for one who has the code.
//!
//! Callers wait side by side, few of them, each for a short time: who says nothing holds up nobody. Their beginnings cost
//! something, and are answered only so often; who comes too often is told to come back.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::bucket::Buckets;
use crate::model::join::code::{Code, DoorNumber};
use crate::model::join::limits::{
    JOIN_BURST, JOIN_GUEST_PATIENCE, JOIN_GUESTS, JOIN_OPEN, JOIN_PATIENCE, JOIN_RATE,
    JOIN_SOURCES, JOINS_BURST, JOINS_RATE, MAX_REQUEST,
};
use crate::model::join::message::Sealed;
use crate::model::join::porter::{self, Caller, Step};
use crate::model::join::request::Request;
use crate::model::limits::SLICE;
use crate::net::join::search::Sign;
use crate::net::join::talk::{SealedTalk, Talk};
use crate::net::wire::{is_not_yet, wait_for_any};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Pause when the system gives no further socket.
const NO_SOCKET_PAUSE: Duration = Duration::from_millis(50);

/// A door that is open.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    code: Code,
    closes: Deadline,
    /// What tells a newcomer on the local network where it is.
    sign: Option<Sign>,
}

/// Why a door was closed.
#[derive(Debug)]
pub enum Came {
    /// Somebody with the code came in, and this is what it asks for.
    In(Box<Visitor>),
    /// Somebody at this address tried a wrong code.
    Wrong(IpAddr),
    /// Somebody with the code came in, and went away or said nothing that has sense.
    Lost(Error),
    /// Nobody came in time.
    Nobody,
}

/// Who has come in.
#[derive(Debug)]
pub struct Visitor {
    /// The line to it.
    pub talk: SealedTalk,
    /// What it asks for.
    pub request: Request,
}

impl Door {
    /// Opens a door where the node listens: on the same port if that is free for TCP, else on another. Where the address is
    /// not this device's any more, on all that it has. Whether a newcomer on the local network may find it by its
    /// number says `is_sought`.
    pub fn open(at: SocketAddr, is_sought: bool) -> Result<Self> {
        let wrong = |cause| Error::device("open the door for a newcomer", cause);
        let everywhere: IpAddr = match at.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let others = [(at.ip(), 0), (everywhere, at.port()), (everywhere, 0)].map(SocketAddr::from);
        let bound = others.iter().fold(TcpListener::bind(at), |bound, other| {
            bound.or_else(|_| TcpListener::bind(other))
        });
        let listener = bound.map_err(wrong)?;
        listener.set_nonblocking(true).map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let (code, closes) = (Code::random(&mut rand::rng()), Deadline::after(JOIN_OPEN));
        let sign = is_sought.then(|| Sign::new(code.door(), address));
        let sign = sign.and_then(|sign| {
            sign.map_err(|cause| log::warn!("newcomers have to type this address: {cause}")).ok()
        });
        Ok(Self { listener, address, code, closes, sign })
    }

    /// Where a newcomer calls.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a newcomer on the local network finds it.
    pub fn is_sought(&self) -> bool {
        self.sign.is_some()
    }

    /// Which door it is.
    pub fn number(&self) -> DoorNumber {
        self.code.door()
    }

    /// The code, for the person's screen. Nothing else may be done with it.
    pub fn expose(&self) -> Zeroizing<String> {
        self.code.expose()
    }

    /// Waits until somebody has come in, or has closed the door by a wrong code, or nobody has come. Nobody else comes
    /// in after that. `stop` closes the door.
    pub fn wait(self, stop: &Stop) -> Result<Came> {
        let Self { listener, code, closes, mut sign, .. } = self;
        let mut callers = Callers::new(&code, stop);
        loop {
            let streams = callers.waiting.iter().map(|one| one.talk.stream().as_fd());
            let sockets = streams.chain(sign.iter().flat_map(Sign::sockets));
            match wait_for_any(&listener, sockets, closes.or_after(SLICE), stop) {
                Err(Error::Deadline { .. }) if closes.left().is_some() => {}
                Err(Error::Deadline { .. }) => return Ok(Came::Nobody),
                waited => waited?,
            }
            if let Some(sign) = &mut sign {
                sign.answer();
            }
            callers.accept(&listener);
            if let Some(came) = callers.progress() {
                return Ok(came);
            }
        }
    }
}

/// One who has not shown yet that it has the code.
struct Waiting {
    talk: Talk,
    from: IpAddr,
    caller: Caller,
    patience: Deadline,
}

struct Callers<'a> {
    code: &'a Code,
    stop: &'a Stop,
    /// In the order in which they came.
    waiting: Vec<Waiting>,
    each: Buckets<IpAddr>,
    all: Buckets<()>,
}

impl<'a> Callers<'a> {
    fn new(code: &'a Code, stop: &'a Stop) -> Self {
        let each = Buckets::new(JOIN_BURST, JOIN_RATE, JOIN_SOURCES);
        let all = Buckets::new(JOINS_BURST, JOINS_RATE, 1);
        Self { code, stop, waiting: Vec::new(), each, all }
    }

    fn accept(&mut self, listener: &TcpListener) {
        match listener.accept() {
            Ok((stream, from)) => match Talk::new(stream, self.stop) {
                Ok(talk) => {
                    self.make_room();
                    let (from, patience) = (from.ip(), Deadline::after(JOIN_GUEST_PATIENCE));
                    self.waiting.push(Waiting { talk, from, caller: Caller::New, patience });
                }
                Err(error) => log::debug!("{from} came and went: {error}"),
            },
            Err(cause) if is_not_yet(&cause) => {}
            Err(cause) => {
                log::debug!("accept: {cause}");
                self.stop.wait(NO_SOCKET_PAUSE);
            }
        }
    }

    /// When all places are taken, whoever has been silent for longest goes, or else whoever came first: a newcomer's
    /// program is quick.
    fn make_room(&mut self) {
        if self.waiting.len() >= JOIN_GUESTS {
            let silent = self.waiting.iter().position(|one| matches!(one.caller, Caller::New));
            self.waiting.remove(silent.unwrap_or(0));
        }
    }

    /// Goes on with every caller.
    fn progress(&mut self) -> Option<Came> {
        for mut one in std::mem::take(&mut self.waiting) {
            match one.talk.heard() {
                Ok(None) if one.patience.left().is_some() => self.waiting.push(one),
                Ok(None) => {}
                Ok(Some(said)) => {
                    let came = self.heard(one, &said);
                    if came.is_some() {
                        return came;
                    }
                }
                Err(error) => log::debug!("{} at the door: {error}", one.from),
            }
        }
        None
    }

    fn heard(&mut self, one: Waiting, said: &[u8]) -> Option<Came> {
        let Waiting { mut talk, from, caller, patience } = one;
        let now = Instant::now();
        let has_turn = || self.each.take(from, now) && self.all.take((), now);
        match porter::step(self.code, caller, said, has_turn) {
            Step::Goes(caller, answer) => match talk.say_at_once(&answer) {
                Ok(()) => self.waiting.push(Waiting { talk, from, caller, patience }),
                Err(error) => log::debug!("{from} at the door: {error}"),
            },
            Step::Away(answer) => {
                if let Err(error) = talk.say_at_once(&answer) {
                    log::debug!("{from} at the door: {error}");
                }
            }
            Step::Nonsense => log::debug!("{from} said nothing that has sense at the door"),
            Step::Wrong(answer) => {
                if let Err(error) = talk.say_at_once(&answer) {
                    log::debug!("{from} at the door: {error}");
                }
                return Some(Came::Wrong(from));
            }
            Step::In(line, answer) => {
                let came = talk.say(&answer).and_then(|()| request(talk.sealed(line, MAX_REQUEST)));
                return Some(match came {
                    Ok(visitor) => Came::In(Box::new(visitor)),
                    Err(error) => Came::Lost(error),
                });
            }
        }
        None
    }
}

/// What somebody who has come in asks for.
fn request(mut talk: SealedTalk) -> Result<Visitor> {
    let Sealed::Ask(bytes) = talk.hear(Deadline::after(JOIN_PATIENCE))? else {
        return Err(Error::peer("said something else than what it asks for"));
    };
    let request = Request::decode(&bytes)?;
    match request.is_for_line(talk.binding()) {
        true => Ok(Visitor { talk, request }),
        false => Err(Error::peer("asked with a request of another line")),
    }
}
