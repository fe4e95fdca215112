//! The listener: one thread that reads every datagram, believes none, and dies of none.

use crate::base::error::{Error, Result};
use crate::base::throttle::Throttle;
use crate::base::waiting::wait_to_read;
use crate::model::bucket::Buckets;
use crate::model::classic::datagram::{Datagram, parse};
use crate::model::classic::pairing::{Knock, Pairing};
use crate::model::limits::{
    MAX_DATAGRAM, SLICE, STRANGER_BURST, STRANGER_RATE, STRANGERS, STRANGERS_BURST, STRANGERS_RATE,
    WOKEN_LOOK,
};
use crate::net::classic::admission::Admission;
use crate::net::classic::door;
use crate::net::classic::serve_refresh::Refreshes;
use crate::net::context::Context;
use crate::net::udp::receive_at_once;
use crate::store::peer_book::PeerBook;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shortest time between two looks at what has grown too old.
const TICK: Duration = Duration::from_millis(50);

/// Listens until the node stops.
pub fn listen(context: &Arc<Context>) -> Result<()> {
    let socket = context.classic_socket()?;
    let mut listener = Listener::new(Arc::clone(context));
    // One byte more than a datagram may have: a longer one is seen to be longer.
    let mut buffer = [0; MAX_DATAGRAM + 1];
    while !context.stop.is_set() {
        let came = receive_at_once(socket, &mut buffer).and_then(|came| match came {
            Some((count, from)) => {
                listener.datagram(buffer.get(..count).unwrap_or_default(), from, Instant::now());
                Ok(())
            }
            None => {
                listener.tick_if_due(Instant::now());
                let longest = if listener.pairing.is_idle() { WOKEN_LOOK } else { SLICE };
                wait_to_read([socket.as_fd()], &[&context.stop], longest).map(|_| ())
            }
        });
        if let Err(cause) = came {
            // Linux reports here what became of datagrams sent earlier: no reason to stop.
            if let Some(hushed) = listener.failures.note(Instant::now()) {
                log::warn!("listener: {cause}; {hushed} such before");
            }
            context.stop.wait(Duration::from_millis(1));
        }
    }
    Ok(())
}

/// The IP addresses of the peers. From them datagrams are not counted: a flood from a peer's address must
/// not shut out the peer.
struct Neighbours {
    ips: HashSet<IpAddr>,
    loopback: bool,
}

impl Neighbours {
    fn of(book: &PeerBook) -> Self {
        let ips: HashSet<_> = book.all().iter().map(|peer| peer.address.ip()).collect();
        let loopback = ips.iter().any(IpAddr::is_loopback);
        Self { ips, loopback }
    }

    /// Whether `ip` is that of a peer on another machine.
    fn is_away(&self, ip: IpAddr) -> bool {
        self.ips.contains(&ip) && !ip.is_loopback()
    }

    /// Whether `ip` is a peer's. All loopback addresses are this machine, which chooses among them.
    fn holds(&self, ip: IpAddr) -> bool {
        self.ips.contains(&ip) || (self.loopback && ip.is_loopback())
    }
}

struct Listener {
    context: Arc<Context>,
    neighbours: Neighbours,
    all_strangers: Buckets<()>,
    each_stranger: Buckets<IpAddr>,
    pairing: Pairing,
    refreshes: Refreshes,
    next_tick: Instant,
    garbage: Throttle,
    strangers: Throttle,
    crowd: Throttle,
    failures: Throttle,
}

impl Listener {
    fn new(context: Arc<Context>) -> Self {
        let neighbours = Neighbours::of(&context.book());
        Self {
            context,
            neighbours,
            all_strangers: Buckets::new(STRANGERS_BURST, STRANGERS_RATE, 1),
            each_stranger: Buckets::new(STRANGER_BURST, STRANGER_RATE, STRANGERS),
            pairing: Pairing::default(),
            refreshes: Refreshes::default(),
            next_tick: Instant::now(),
            garbage: Throttle::default(),
            strangers: Throttle::default(),
            crowd: Throttle::default(),
            failures: Throttle::default(),
        }
    }

    fn datagram(&mut self, bytes: &[u8], from: SocketAddr, now: Instant) {
        self.tick_if_due(now);
        if !self.neighbours.holds(from.ip()) && !self.stranger_may(from.ip(), now) {
            if let Some(hushed) = self.crowd.note(now) {
                log::warn!("{from} sends more than a stranger may; {hushed} such before");
            }
            return;
        }
        match parse(bytes) {
            Some(Datagram::Token(token)) => {
                let owner = self.context.book().owner(&token).map(|peer| peer.number);
                match owner.filter(|owner| *owner != self.context.me()) {
                    Some(peer) => {
                        self.context.monitor.heard(peer);
                        let knock = self.pairing.token(from, peer, now);
                        self.admit_all(knock, now);
                    }
                    None => {
                        if let Some(hushed) = self.strangers.note(now) {
                            log::warn!(
                                "{from} knocked with an unknown token; {hushed} such before"
                            );
                        }
                    }
                }
            }
            Some(Datagram::Purpose(purpose)) => {
                let knock = self.pairing.purpose(from, purpose, now);
                self.admit_all(knock, now);
            }
            Some(Datagram::Port(port)) => match self.context.classic.replies.deliver(from, port) {
                Some(peer) => {
                    self.context.monitor.heard(peer);
                }
                None => log::debug!("{from} answers a knock that does not wait"),
            },
            Some(Datagram::Refresh) => {
                let to = self.pairing.refresh(from, now);
                self.refresh(to, now);
            }
            Some(Datagram::RefreshAddress(to)) => {
                let to = self.pairing.refresh_address(from, to, now);
                self.refresh(to, now);
            }
            None => {
                if let Some(hushed) = self.garbage.note(now) {
                    let length = bytes.len();
                    log::warn!(
                        "{from} sent {length} bytes that are no knock; {hushed} such before"
                    );
                }
            }
        }
    }

    /// Whether a stranger's datagram is looked at: there is a bound for all of them and one for each.
    fn stranger_may(&mut self, ip: IpAddr, now: Instant) -> bool {
        // Its own first: one that floods must not use up what is for all.
        self.each_stranger.take(ip, now) && self.all_strangers.take((), now)
    }

    fn tick_if_due(&mut self, now: Instant) {
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            let knocks = self.pairing.tick(now);
            self.admit_all(knocks, now);
        }
    }

    fn admit_all(&mut self, knocks: impl IntoIterator<Item = Knock>, now: Instant) {
        for knock in knocks {
            self.admit(knock, now);
        }
    }

    fn admit(&mut self, knock: Knock, now: Instant) {
        match self.context.classic.admissions.admit(knock) {
            Admission::New(admitted) => {
                let context = Arc::clone(&self.context);
                let started = self.context.crew.spawn("session", move || {
                    let done = door::open(&context, admitted);
                    if let Err(
                        error
                        @ (Error::Device { .. } | Error::Peer { .. } | Error::Deadline { .. }),
                    ) = done
                    {
                        if let Some(hushed) = context.monitor.trouble(knock.peer) {
                            log::warn!(
                                "session with peer {}: {error}; {hushed} such before",
                                knock.peer
                            );
                        }
                    }
                    Ok(())
                });
                if let Err(error) = started {
                    log::warn!("{error}");
                }
            }
            Admission::Again(Some(port)) => {
                if let Some(peer) = self.context.book().peer(knock.peer) {
                    door::answer(&self.context, peer.address, port);
                }
            }
            Admission::Again(None) => {}
            Admission::Full => {
                if let Some(hushed) = self.crowd.note(now) {
                    log::warn!(
                        "no place for a session of peer {}; {hushed} such before",
                        knock.peer
                    );
                }
            }
        }
    }

    fn refresh(&mut self, to: Option<SocketAddr>, now: Instant) {
        let Some(to) = to else { return };
        if self.neighbours.is_away(to.ip()) {
            // A forged source: a tier-1 node asks for no refresh, and might take a copy for a database.
            return;
        }
        match self.refreshes.answer(&self.context, to, now) {
            Ok(true) => {}
            Ok(false) => {
                if let Some(hushed) = self.crowd.note(now) {
                    log::warn!("no place for a refresh of {to}; {hushed} such before");
                }
            }
            Err(error) => log::warn!("{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::peer_book::Peer;
    use std::path::Path;

    fn neighbours(address: &str) -> Neighbours {
        let organisation = "A".parse().expect("a name");
        let address = address.parse().expect("an address");
        let peer = Peer::new(1.try_into().expect("1 to 999"), organisation, address, None);
        let book = PeerBook::new(Path::new("test"), "n".into(), vec![peer]).expect("right");
        Neighbours::of(&book)
    }

    #[test]
    fn only_addresses_of_peers_are_not_counted_as_strangers() {
        let (ours, theirs) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let loopback = IpAddr::from([127, 0, 0, 9]);
        let field = neighbours("10.0.0.1:33001");
        assert!(field.holds(ours) && !field.holds(theirs) && !field.holds(loopback));
        assert!(neighbours("127.0.0.1:33001").holds(loopback));
    }
}
