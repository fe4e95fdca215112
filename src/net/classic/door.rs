//! The door: a TCP listener on a fresh port, open for a few seconds and for one peer.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::limits::{DOOR_CALLERS, DOOR_OPEN, DOOR_PORTS, DOOR_STRANGERS};
use crate::net::classic::admission::Admitted;
use crate::net::classic::session;
use crate::net::context::Context;
use crate::net::udp;
use crate::net::wire::{Wire, is_not_yet, wait_for_any};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

/// Tries at a port in the range that the original uses, before any is taken.
const PORT_TRIES: usize = 8;

/// Opens a door for an admitted peer, tells it the port, lets it in, and runs its session.
pub fn open(context: &Context, admitted: Admitted) -> Result<()> {
    let knock = admitted.knock();
    let book = context.book();
    let Some(peer) = book.peer(knock.peer) else { return Ok(()) };
    let own = context.classic_socket()?.local_addr();
    let own = own.map_err(|cause| Error::device("read own address", cause))?;
    let listener = listen(own.ip())?;
    let port = listener.local_addr().map_err(|cause| Error::device("open a door", cause))?.port();
    admitted.opened(port);
    answer(context, peer.address, port);
    let stream = accept(context, &listener, peer.address.ip())?;
    drop(listener);
    let _seat = admitted.entered();
    context.monitor.heard(knock.peer);
    let wire = Wire::new(stream, &context.stop)?;
    session::run(context, knock.peer, knock.purpose, wire)
}

/// Sends a port to a peer. If the datagram is lost, the peer knocks again.
pub fn answer(context: &Context, to: std::net::SocketAddr, port: u16) {
    if let Ok(socket) = context.classic_socket() {
        udp::answer(socket, port.to_string().as_bytes(), to);
    }
}

/// A listener on port 0, in the port range of the original if the system gives one there.
fn listen(ip: IpAddr) -> Result<TcpListener> {
    let wrong = |cause| Error::device("open a door", cause);
    // Those outside of the range stay open until one inside is found: the system then gives another.
    let mut outside = Vec::new();
    let mut listener = TcpListener::bind((ip, 0)).map_err(wrong)?;
    while outside.len() < PORT_TRIES {
        if DOOR_PORTS.contains(&listener.local_addr().map_err(wrong)?.port()) {
            break;
        }
        outside.push(std::mem::replace(&mut listener, TcpListener::bind((ip, 0)).map_err(wrong)?));
    }
    listener.set_nonblocking(true).map_err(wrong)?;
    Ok(listener)
}

/// Accepts the peer, whose address is `expected`. Others are turned away, and the door stays open. Of
/// several who come from the right address, the first to say something goes in; one who says nothing goes in
/// at the end, since a person may still be typing.
fn accept(context: &Context, listener: &TcpListener, expected: IpAddr) -> Result<TcpStream> {
    let (deadline, mut strangers) = (Deadline::after(DOOR_OPEN), 0);
    let mut callers: Vec<TcpStream> = Vec::new();
    loop {
        if let Some(caller) = first_to_speak(&mut callers) {
            return Ok(caller);
        }
        match wait_for_any(listener, callers.iter().map(AsFd::as_fd), deadline, &context.stop) {
            Err(error @ Error::Deadline { .. }) => return callers.into_iter().next().ok_or(error),
            waited => waited?,
        }
        match listener.accept() {
            Ok((caller, from)) if is_from(from.ip(), expected) && callers.len() < DOOR_CALLERS => {
                if caller.set_nonblocking(true).is_ok() {
                    callers.push(caller);
                }
            }
            Ok((_, from)) => {
                strangers += 1;
                log::debug!("{from} came to a door that is not for it");
                if strangers >= DOOR_STRANGERS {
                    return Err(Error::peer("strangers crowd the door; it is closed"));
                }
            }
            Err(cause) if is_not_yet(&cause) => {}
            Err(cause) => {
                log::warn!("accept: {cause}");
                context.stop.wait(NO_SOCKET_PAUSE);
            }
        }
    }
}

/// Pause when the system gives no further socket.
const NO_SOCKET_PAUSE: Duration = Duration::from_millis(50);

/// Takes out the caller from whom something has come; those who have gone away are forgotten.
fn first_to_speak(callers: &mut Vec<TcpStream>) -> Option<TcpStream> {
    let mut at = 0;
    while let Some(caller) = callers.get(at) {
        match caller.peek(&mut [0]) {
            Err(cause) if is_not_yet(&cause) => at += 1,
            Ok(1..) => return Some(callers.remove(at)),
            Ok(0) | Err(_) => drop(callers.remove(at)),
        }
    }
    None
}

/// Whether somebody at `ip` can be the peer at `expected`. On the loopback, which only this machine
/// reaches, the system chooses the source address.
fn is_from(ip: IpAddr, expected: IpAddr) -> bool {
    ip == expected || (ip.is_loopback() && expected.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_opens_in_the_originals_port_range() {
        let listeners: Vec<_> =
            (0..50).map(|_| listen(IpAddr::from([127, 0, 0, 1])).expect("a port")).collect();
        let inside = listeners
            .iter()
            .filter(|listener| DOOR_PORTS.contains(&listener.local_addr().expect("bound").port()));
        assert_eq!(inside.count(), 50);
    }

    #[test]
    fn only_the_peers_own_address_comes_in() {
        let ip = |last| IpAddr::from([10, 0, 0, last]);
        assert!(is_from(ip(1), ip(1)) && !is_from(ip(2), ip(1)));
        assert!(!is_from(ip(1), IpAddr::from([127, 0, 0, 1])));
    }
}
