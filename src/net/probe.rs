//! Asks peers whether they are there: a hello, which a node answers with a cookie, is enough. What it asks whom and when,
//! `model::liveness` says. Who comes back is brought into step at once.

use crate::base::error::{Error, Result};
use crate::base::waiting::wait_to_read;
use crate::model::datagram::{Answer, COOKIE, CallId};
use crate::model::limits::IDLE_LOOK;
use crate::net::context::Context;
use crate::net::sealed::Sealed;
use crate::net::udp::{any_socket, receive_at_once};
use crate::store::peer_book::Peer;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Shortest wait.
const SHORTEST: Duration = Duration::from_millis(1);

/// Probes peers until the node stops. `between` is called now and then, and must not take long.
pub fn run(context: &Context, sealed: &Sealed, mut between: impl FnMut()) -> Result<()> {
    let mut sockets = Sockets::default();
    while !context.stop.is_set() {
        between();
        let now = Instant::now();
        let next = match context.monitor.to_probe(now) {
            Ok((number, missed)) => {
                match context.book().peer(number) {
                    Some(peer) => {
                        probe(context, sealed, &mut sockets, peer, missed);
                        now
                    }
                    // It has just left: the monitor knows in a moment.
                    None => now + IDLE_LOOK,
                }
            }
            Err(Some(next)) => next.max(now + SHORTEST),
            Err(None) => now + IDLE_LOOK,
        };
        let until = next.min(now + IDLE_LOOK);
        sockets.hear(context, sealed, until);
    }
    Ok(())
}

fn probe(context: &Context, sealed: &Sealed, sockets: &mut Sockets, peer: &Peer, missed: u32) {
    let ways = context.addresses.ways(peer);
    let Some(to) = ways.get(missed as usize % ways.len().max(1)) else { return };
    let call = CallId(rand::random());
    let hello = sealed.phone.datagrams.hello(call, &mut rand::rng());
    // Also one that could not be sent is one without an answer.
    context.monitor.probed(peer.number, call, Instant::now());
    let sent = sockets.of(*to).and_then(|socket| {
        socket.send_to(&hello, to).map_err(|cause| Error::device("probe a peer", cause))
    });
    if let Err(error) = sent {
        log::debug!("{to}: {error}");
    }
}

/// A socket for each family of addresses that is needed.
#[derive(Default)]
struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl Sockets {
    fn of(&mut self, to: SocketAddr) -> Result<&UdpSocket> {
        let socket = if to.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        match socket {
            Some(socket) => Ok(socket),
            none => {
                let wrong = |cause| Error::device("open a socket for probes", cause);
                Ok(none.insert(any_socket(to).map_err(wrong)?))
            }
        }
    }

    /// Takes answers until then.
    fn hear(&mut self, context: &Context, sealed: &Sealed, until: Instant) {
        while !context.stop.is_set() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let open = || self.v4.iter().chain(&self.v6);
            let waited = wait_to_read(open().map(AsFd::as_fd), &[&context.stop], left);
            let mut buffer = [0; COOKIE + 1];
            let heard = open().try_for_each(|socket| {
                if let Some((count, _)) = receive_at_once(socket, &mut buffer)? {
                    answer(context, sealed, buffer.get(..count).unwrap_or_default());
                }
                Ok(())
            });
            // Nobody listens where a probe went: the next one is due in a moment.
            if let Err(cause) = waited.map(|_| ()).and(heard) {
                log::debug!("probes: {cause}");
                context.stop.wait(SHORTEST);
            }
        }
    }
}

fn answer(context: &Context, sealed: &Sealed, bytes: &[u8]) {
    let Ok(Answer::Cookie(call, _)) = sealed.phone.datagrams.answer(bytes) else { return };
    let sign = context.monitor.answered(call, Instant::now());
    if let Some(sign) = sign.filter(|sign| sign.is_back) {
        context.is_back(sign.peer);
    }
}
