//! Reaches a node: hello, cookie, knock, port, then TLS on that port. Both tiers call with it.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::{STACK_BYTES, Stop};
use crate::model::caller::{CallState, Caller, Errand};
use crate::model::datagram::{Datagrams, KNOCK, PORT};
use crate::model::keys::PublicKeys;
use crate::model::limits::{CALL_PATIENCE, CALL_REFUSED, DOOR_OPEN, NEXT_WAY, SLICE};
use crate::model::message::{Bind, Opened, Opening};
use crate::net::channel::Channel;
use crate::net::tls::Credentials;
use crate::net::udp::any_socket;
use crate::net::wire::{Wire, is_not_yet};
use rustls::Connection;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::sync_channel;
use std::thread;
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
    /// Opens a session with the node that has these keys and is at one of `ways`; returns at which. The first is the most
    /// promising; if it does not answer soon, the next is tried too, so that a wrong one costs little.
    pub fn reach(
        &self,
        ways: &[SocketAddr],
        keys: &PublicKeys,
        errand: &(dyn Fn() -> Errand + Sync),
        stop: &Stop,
    ) -> Result<(Channel, SocketAddr)> {
        if let [only] = ways {
            return self.open(*only, keys, errand(), stop).map(|channel| (channel, *only));
        }
        let longest = errand().asked.purpose.longest_of_node();
        let (at, port, bind) = self.first(ways, errand, stop)?;
        let tls = self.credentials.client(&keys.identity);
        self.enter(at, port, bind, tls, longest, stop).map(|channel| (channel, at))
    }

    /// Knocks at all of `ways`, each a while after the one before. The first that names a port counts.
    fn first(
        &self,
        ways: &[SocketAddr],
        errand: &(dyn Fn() -> Errand + Sync),
        stop: &Stop,
    ) -> Result<(SocketAddr, u16, Bind)> {
        let (over, (tell, told)) = (Stop::default(), sync_channel(ways.len()));
        thread::scope(|scope| {
            let (mut ways, mut running) = (ways.iter(), 0);
            let mut failed = Error::Deadline { what: "the node's answer" };
            loop {
                if let Some(to) = ways.next() {
                    let (tell, over) = (tell.clone(), over.clone());
                    let knock = move || {
                        let is_over = || stop.check().and_then(|()| over.check());
                        let done = self.knock(*to, errand(), &mut || (), &is_over);
                        // Nobody waits for the others once one has answered.
                        let _ = tell.send((*to, done));
                    };
                    let builder = thread::Builder::new().name("dial".into());
                    match builder.stack_size(STACK_BYTES).spawn_scoped(scope, knock) {
                        Ok(_) => running += 1,
                        Err(cause) => failed = Error::device("start thread dial", cause),
                    }
                } else if running == 0 {
                    return Err(failed);
                }
                match told.recv_timeout(NEXT_WAY) {
                    Ok((at, Ok((port, bind)))) => {
                        over.set();
                        return Ok((at, port, bind));
                    }
                    // It is there, and has no place.
                    Ok((_, Err(busy @ Error::Busy { .. }))) => {
                        over.set();
                        return Err(busy);
                    }
                    Ok((_, Err(error))) => (failed, running) = (error, running - 1),
                    Err(_) => {}
                }
            }
        })
    }

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
        let is_over = || stop.check();
        let (port, bind) = self.knock(to, errand, &mut meanwhile, &is_over)?;
        let tls = tls.unwrap_or_else(|| self.credentials.client(&keys.identity));
        self.enter(to, port, bind, tls, longest, stop)
    }

    /// Goes in at a door.
    fn enter(
        &self,
        to: SocketAddr,
        port: u16,
        bind: Bind,
        tls: Result<Connection>,
        longest: usize,
        stop: &Stop,
    ) -> Result<Channel> {
        let deadline = Deadline::after(DOOR_OPEN);
        // The rest of the address too: a link-local one of IPv6 has a scope.
        let mut door = to;
        door.set_port(port);
        let wire = Wire::connect(door, deadline, stop)?;
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
        is_over: &dyn Fn() -> Result<()>,
    ) -> Result<(u16, Bind)> {
        let wrong = |cause| Error::device("call a node", cause);
        let socket = any_socket(to).map_err(wrong)?;
        // Connected: nobody else's datagrams come in, and the system says when nobody listens there.
        socket.connect(to).map_err(wrong)?;
        let deadline = Deadline::after(CALL_PATIENCE);
        let mut caller = Caller::new(&self.datagrams, errand, rand::random(), Instant::now());
        let mut refused = 0;
        while let Some(left) = deadline.left() {
            is_over()?;
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
