//! Reaches a node: hello, cookie, knock, port, then TLS on that port. Both tiers call with it.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::caller::{CallState, Caller, Errand};
use crate::model::datagram::{Datagrams, KNOCK, PORT};
use crate::model::keys::PublicKeys;
use crate::model::limits::{CALL_PATIENCE, CALL_REFUSED, DOOR_OPEN, SLICE};
use crate::model::message::{Bind, Opened, Opening};
use crate::net::channel::Channel;
use crate::net::tls::Credentials;
use crate::net::udp::any_socket;
use crate::net::wire::{Wire, is_not_yet};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Shortest wait on a socket: a time of zero would be for ever.
const SHORTEST: Duration = Duration::from_millis(1);

/// What it takes to call nodes of one network.
#[derive(Debug)]
pub struct Phone {
    /// The datagrams of the network.
    pub datagrams: Datagrams,
    /// Who calls.
    pub credentials: Credentials,
}

impl Phone {
    /// Opens a session with the node at `to` that has these keys. When this returns, the node has let us in.
    pub fn open(
        &self,
        to: SocketAddr,
        keys: &PublicKeys,
        errand: Errand,
        stop: &Stop,
    ) -> Result<Channel> {
        let longest = errand.asked.purpose.longest_of_node();
        let mut tls = None;
        // Made while the node opens the knock, which takes it longer.
        let mut meanwhile = || tls = Some(self.credentials.client(&keys.identity));
        let (port, bind) = self.knock(to, errand, &mut meanwhile, stop)?;
        let deadline = Deadline::after(DOOR_OPEN);
        // The rest of the address too: a link-local one of IPv6 has a scope.
        let mut door = to;
        door.set_port(port);
        let wire = Wire::connect(door, deadline, stop)?;
        let tls = tls.unwrap_or_else(|| self.credentials.client(&keys.identity));
        let mut channel = Channel::new(tls?, wire);
        // Goes out with the end of the handshake: not before the node has proved its key.
        channel.send(&Opening::Bind(bind).encode())?;
        match Opened::decode(&channel.expect(deadline)?)? {
            Opened::Welcome => channel.limit(longest),
        }
        Ok(channel)
    }

    /// Calls until the node names a port. `meanwhile` is done while the node is at a knock.
    fn knock(
        &self,
        to: SocketAddr,
        errand: Errand,
        meanwhile: &mut dyn FnMut(),
        stop: &Stop,
    ) -> Result<(u16, Bind)> {
        let wrong = |cause| Error::device("call a node", cause);
        let socket = any_socket(to).map_err(wrong)?;
        // Connected: nobody else's datagrams come in, and the system says when nobody listens there.
        socket.connect(to).map_err(wrong)?;
        let deadline = Deadline::after(CALL_PATIENCE);
        let mut caller = Caller::new(&self.datagrams, errand, rand::random(), Instant::now());
        let mut refused = 0;
        while let Some(left) = deadline.left() {
            stop.check()?;
            if let Some(bytes) = caller.due(Instant::now()) {
                match socket.send(bytes) {
                    Ok(KNOCK) => meanwhile(),
                    Ok(_) => caller.prepare(),
                    Err(cause) => {
                        refused += usize::from(cause.kind() == ErrorKind::ConnectionRefused);
                        log::debug!("call {to}: {cause}");
                    }
                }
            }
            let wait = caller.next().saturating_duration_since(Instant::now());
            let mut buffer = [0; PORT + 1];
            match receive(&socket, &mut buffer, wait.min(left).min(SLICE)) {
                Ok(bytes) => match caller.datagram(bytes, Instant::now())? {
                    CallState::Waiting => {}
                    CallState::Open(port, bind) => return Ok((port, bind)),
                    CallState::Busy(retry_after) => return Err(Error::Busy { retry_after }),
                },
                Err(cause) if is_not_yet(&cause) => {}
                Err(cause) => {
                    refused += usize::from(cause.kind() == ErrorKind::ConnectionRefused);
                    log::debug!("call {to}: {cause}");
                }
            }
            if refused >= CALL_REFUSED {
                return Err(Error::Deadline { what: "the node's answer; nobody listens there" });
            }
        }
        Err(Error::Deadline { what: "the node's answer" })
    }
}

fn receive<'a>(
    socket: &UdpSocket,
    buffer: &'a mut [u8],
    wait: Duration,
) -> std::io::Result<&'a [u8]> {
    socket.set_read_timeout(Some(wait.max(SHORTEST)))?;
    let count = socket.recv(buffer)?;
    Ok(buffer.get(..count).unwrap_or_default())
}
