//! The door: a TCP listener on a fresh port, open for a few seconds and for one visitor.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::lock;
use crate::base::throttle::Throttle;
use crate::model::gate::Visitor;
use crate::model::limits::{DOOR_FAILURES, DOOR_GUESTS, DOOR_OPEN, GUEST_PATIENCE, SLICE};
use crate::model::message::{Bind, Opened, Opening};
use crate::model::noise::Purpose;
use crate::net::admission::Admitted;
use crate::net::channel::Channel;
use crate::net::context::{Context, Order};
use crate::net::sealed::{Sealed, lacking};
use crate::net::session;
use crate::net::tls::{self, Other};
use crate::net::udp;
use crate::net::wire::{Wire, is_not_yet, wait_for_any};
use crate::store::peer_book::Peer;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Pause when the system gives no further socket.
const NO_SOCKET_PAUSE: Duration = Duration::from_millis(50);

/// Opens a door for an admitted visitor, tells it the port, lets it in, and runs its session.
///
/// `socket` is the one on which it knocked.
pub fn open(context: &Context, sealed: &Sealed, socket: &UdpSocket, admitted: Admitted) {
    let (visitor, purpose) = (admitted.knock.visitor(), admitted.knock.purpose());
    let done = serve(context, sealed, socket, admitted);
    if let Visitor::Member(peer) = visitor {
        if done.is_err() || purpose != Purpose::Sync {
            context.order(Order::Heard(peer));
        }
    }
    let error = match done {
        Ok(()) | Err(Error::Stopped | Error::Input { .. } | Error::Full { .. }) => return,
        Err(error) => error,
    };
    match visitor {
        Visitor::Member(peer) => {
            if let Some(hushed) = context.monitor.trouble(peer) {
                log::warn!("session with peer {peer}: {error}; {hushed} such before");
            }
        }
        // Anybody who has the reader key can cause this as often as it likes: no warning.
        Visitor::Reader => log::debug!("session with a reader: {error}"),
    }
}

fn serve(context: &Context, sealed: &Sealed, socket: &UdpSocket, admitted: Admitted) -> Result<()> {
    let Admitted { knock, door, place } = admitted;
    let (visitor, purpose, from) = (knock.visitor(), knock.purpose(), knock.from());
    let wrong = |cause| Error::device("open a door", cause);
    let mut own = socket.local_addr().map_err(wrong)?;
    own.set_port(0);
    let listener = TcpListener::bind(own).map_err(wrong)?;
    listener.set_nonblocking(true).map_err(wrong)?;
    let port = listener.local_addr().map_err(wrong)?.port();
    let (answer, bind) = knock.open(port, rand::random())?;
    lock(&sealed.gate).answered(&answer);
    udp::answer(socket, answer.bytes(), from);
    let member = match visitor {
        Visitor::Member(number) => {
            let keys = context.book().peer(number).and_then(Peer::keys).copied();
            Some(keys.ok_or_else(lacking)?.identity)
        }
        Visitor::Reader => None,
    };
    let tls = sealed.credentials.door(member.map_or(Other::Reader, Other::Node))?;
    let mut guests = Guests::new(context, tls, bind);
    let mut channel = guests.first(&listener, from.ip())?;
    drop((listener, guests, door));
    // It may have been shut out since it knocked.
    if member.is_some_and(|key| !context.members.meets(&key, channel.handle())) {
        return Err(Error::peer("it is shut out of the network"));
    }
    channel.limit(purpose.longest_of_caller());
    channel.send(&Opened::Welcome.encode())?;
    if let Visitor::Member(peer) = visitor {
        if let Some(peer) = context.book().peer(peer) {
            context.addresses.called_from(peer, from.ip());
        }
        context.heard(peer);
    }
    let done = session::run(context, sealed, visitor, purpose, &mut channel);
    drop(place);
    done
}

/// Those who came to the door and have not yet shown that it is for them. Their handshakes go on side by side,
/// so that one who says nothing holds up nobody.
struct Guests<'a> {
    context: &'a Context,
    tls: tls::Door,
    bind: Bind,
    /// In the order in which they came.
    waiting: Vec<(Channel, Deadline)>,
    failed: usize,
    troubles: Throttle,
}

impl<'a> Guests<'a> {
    fn new(context: &'a Context, tls: tls::Door, bind: Bind) -> Self {
        let troubles = Throttle::default();
        Self { context, tls, bind, waiting: Vec::new(), failed: 0, troubles }
    }

    /// The first who is the right one.
    fn first(&mut self, listener: &TcpListener, expected: IpAddr) -> Result<Channel> {
        let deadline = Deadline::after(DOOR_OPEN);
        loop {
            let streams = self.waiting.iter().map(|(channel, _)| channel.stream().as_fd());
            let stop = &self.context.stop;
            match wait_for_any(listener, streams, deadline.or_after(SLICE), stop) {
                Err(Error::Deadline { .. }) if deadline.left().is_some() => {}
                waited => waited?,
            }
            self.accept(listener, expected)?;
            if let Some(channel) = self.progress() {
                return Ok(channel);
            }
            if self.failed >= DOOR_FAILURES {
                return Err(Error::peer("strangers crowd the door; it is closed"));
            }
        }
    }

    fn accept(&mut self, listener: &TcpListener, expected: IpAddr) -> Result<()> {
        match listener.accept() {
            // Costs no handshake: it counts for nothing, or anybody could close the door.
            Ok((_, from)) if !is_from(from.ip(), expected) => {
                log::debug!("{from} came to a door that is not for it");
            }
            Ok((stream, from)) => match Wire::new(stream, &self.context.stop) {
                Ok(wire) => {
                    let tls = self.tls.connection()?;
                    self.make_room();
                    self.waiting.push((Channel::new(tls, wire), Deadline::after(GUEST_PATIENCE)));
                }
                Err(error) => log::debug!("{from} came and went: {error}"),
            },
            Err(cause) if is_not_yet(&cause) => {}
            Err(cause) => {
                if let Some(hushed) = self.troubles.note(Instant::now()) {
                    log::warn!("accept: {cause}; {hushed} such before");
                }
                self.context.stop.wait(NO_SOCKET_PAUSE);
            }
        }
        Ok(())
    }

    /// When all places are taken, whoever has been silent for longest goes, or else whoever came first: the
    /// visitor is quick.
    fn make_room(&mut self) {
        if self.waiting.len() >= DOOR_GUESTS {
            let silent = self.waiting.iter().position(|(channel, _)| channel.is_silent());
            self.failed += usize::from(silent.is_none());
            self.waiting.remove(silent.unwrap_or(0));
        }
    }

    /// Goes on with every handshake; drops those who failed or take too long.
    fn progress(&mut self) -> Option<Channel> {
        let mut at = 0;
        while let Some((channel, patience)) = self.waiting.get_mut(at) {
            let first = channel.progress();
            match first.and_then(|first| first.map(|body| Opening::decode(&body)).transpose()) {
                Ok(None) if patience.left().is_some() => at += 1,
                Ok(Some(Opening::Bind(shown))) if shown.matches(&self.bind) => {
                    return Some(self.waiting.remove(at).0);
                }
                Ok(_) => {
                    self.failed += 1;
                    self.waiting.remove(at);
                }
                Err(error) => {
                    log::debug!("a guest at the door: {error}");
                    self.failed += 1;
                    self.waiting.remove(at);
                }
            }
        }
        None
    }
}

/// Whether somebody at `ip` can be the visitor at `expected`. On the loopback, which only this machine
/// reaches, the system chooses the source address.
fn is_from(ip: IpAddr, expected: IpAddr) -> bool {
    let (ip, expected) = (ip.to_canonical(), expected.to_canonical());
    ip == expected || (ip.is_loopback() && expected.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_visitors_own_address_comes_in() {
        let ip = |last| IpAddr::from([10, 0, 0, last]);
        assert!(is_from(ip(1), ip(1)) && !is_from(ip(2), ip(1)));
        assert!(!is_from(ip(1), IpAddr::from([127, 0, 0, 1])));
    }
}
