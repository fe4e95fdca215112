//! Reaches a peer: knocks at its listener, waits for the port, connects.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::classic::datagram::Purpose;
use crate::model::limits::{KNOCK_AGAIN, KNOCK_PATIENCE, PURPOSE_PAUSE};
use crate::net::classic::replies::Expected;
use crate::net::context::Context;
use crate::net::udp::any_socket;
use crate::net::wire::Wire;
use crate::store::peer_book::Peer;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Opens a session with `peer`. One that does not answer costs `KNOCK_PATIENCE`.
pub fn dial(context: &Context, peer: &Peer, purpose: Purpose) -> Result<Wire> {
    let turn = Deadline::after(KNOCK_PATIENCE);
    let expected =
        context.classic.replies.expect(peer.number, peer.address, turn, &context.stop)?;
    let deadline = Deadline::after(KNOCK_PATIENCE);
    let mut closed_doors = 0;
    loop {
        let port = knock(context, peer, purpose, &expected, deadline)?;
        let to = SocketAddr::new(peer.address.ip(), port);
        match Wire::connect(to, deadline, &context.stop) {
            Ok(wire) => {
                context.monitor.heard(peer.number);
                return Ok(wire);
            }
            // A late answer to an earlier knock names a door that is closed by now: knock again.
            Err(Error::Device { .. }) if closed_doors < MOST_CLOSED_DOORS => closed_doors += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Closed doors after which a peer counts as unreachable.
const MOST_CLOSED_DOORS: usize = 2;

/// Sends both halves of the knock until the port comes. Every repetition leaves from the same socket, so
/// that the peer knows it for one.
fn knock(
    context: &Context,
    peer: &Peer,
    purpose: Purpose,
    expected: &Expected<'_>,
    deadline: Deadline,
) -> Result<u16> {
    let now = context.members.now();
    let me = now.book.peer(now.me);
    let token = me.and_then(Peer::token).ok_or(Error::Stopped)?;
    let socket = any_socket(peer.address)
        .map_err(|cause| Error::device("open a socket to knock with", cause))?;
    let begun = Instant::now();
    let mut again = KNOCK_AGAIN.into_iter().chain([KNOCK_PATIENCE]);
    while let Some(left) = deadline.left() {
        let sent = socket.send_to(token.expose(), peer.address).and_then(|_| {
            std::thread::sleep(PURPOSE_PAUSE);
            socket.send_to(purpose.datagram(), peer.address)
        });
        if let Err(cause) = sent {
            // No route, say: it may be there in a moment.
            log::debug!("knock at peer {}: {cause}", peer.number);
        }
        let until = again.next().unwrap_or(KNOCK_PATIENCE).saturating_sub(begun.elapsed());
        let patience = until.clamp(Duration::from_millis(10), left.max(Duration::from_millis(10)));
        if let Some(port) = expected.port(patience, &context.stop)? {
            return Ok(port);
        }
    }
    Err(Error::Deadline { what: "the peer's answer" })
}
