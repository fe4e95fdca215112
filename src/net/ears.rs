//! Where a node listens: at every address of its machine, on its own port. When a lease changes, the listener moves with
//! it. A node of the loopback, which only this machine reaches, stays there.

use crate::base::threads::Stop;
use crate::model::limits::{LISTENER_BUFFER, OWN_ADDRESSES};
use crate::net::context::Context;
use crate::net::knock;
use crate::net::sealed::Sealed;
use rustix::net::sockopt;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// Where Linux lists its addresses: proc(5). The hardened service may neither use a netlink socket, by which a library
/// would ask, nor see more of /proc than processes.
const ADDRESSES: &str = "/proc/self/net/fib_trie";
/// Most of that list that is read, bytes.
const MOST: u64 = 1024 * 1024;

/// The listeners of a node.
#[derive(Debug)]
pub struct Ears {
    /// Where the peers file says that this node is.
    typed: SocketAddr,
    /// By address; setting it ends the listener there.
    open: HashMap<Ipv4Addr, Stop>,
    own: Vec<Ipv4Addr>,
}

impl Ears {
    /// The ears of the node that belongs at `typed`, and listens there already if `is_there`.
    pub fn new(typed: SocketAddr, is_there: bool) -> Self {
        let open = match typed.ip() {
            IpAddr::V4(ip) if is_there => HashMap::from([(ip, Stop::default())]),
            _ => HashMap::new(),
        };
        Self { typed, open, own: Vec::new() }
    }

    /// The addresses of this machine at which the node listens.
    pub fn open(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.own.iter().copied().filter(|ip| self.open.contains_key(ip))
    }

    /// Looks which addresses this machine has, and listens there. Returns whether there is a new one.
    pub fn follow(&mut self, context: &Arc<Context>, sealed: &Arc<Sealed>) -> bool {
        let own = match self.typed.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => vec![ip],
            // Not to be told them, because too many files are open, say, is not to have none.
            _ => own_addresses().unwrap_or_else(|| self.own.clone()),
        };
        let is_new = own.iter().any(|ip| !self.own.contains(ip));
        self.own = own;
        // The first one, of the typed address, stays: it costs nothing, and the address may come back.
        self.open.retain(|ip, end| {
            let stays = self.own.contains(ip) || IpAddr::V4(*ip) == self.typed.ip();
            if !stays {
                log::info!("this machine is not at {ip} any more");
                end.set();
            }
            stays
        });
        for ip in self.own.clone() {
            let address = SocketAddr::from((ip, self.typed.port()));
            // Another node of the network that runs on this machine.
            let is_anothers =
                context.book().others(context.me()).any(|peer| peer.address == address);
            if !is_anothers && !self.open.contains_key(&ip) {
                self.listen(context, sealed, ip, address);
            }
        }
        is_new
    }

    fn listen(
        &mut self,
        context: &Arc<Context>,
        sealed: &Arc<Sealed>,
        ip: Ipv4Addr,
        address: SocketAddr,
    ) {
        let socket = match listener(address) {
            Ok(socket) => socket,
            Err(cause) => return log::debug!("listen on {address}: {cause}"),
        };
        let (end, node, sealed) = (Stop::default(), Arc::clone(context), Arc::clone(sealed));
        let until = end.clone();
        let started = context
            .crew
            .spawn("listener", move || knock::listen(&node, &sealed, &Arc::new(socket), &until));
        match started {
            Ok(()) => {
                log::info!("listening on {address} too");
                self.open.insert(ip, end);
            }
            Err(error) => log::warn!("{error}; it is tried again"),
        }
    }
}

/// A socket for a listener.
pub fn listener(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    if let Err(cause) = sockopt::set_socket_recv_buffer_size(&socket, LISTENER_BUFFER) {
        log::debug!("the listener's buffer stays small: {cause}");
    }
    Ok(socket)
}

/// The IPv4 addresses of this machine that others can reach; `None` if the system does not say.
pub fn own_addresses() -> Option<Vec<Ipv4Addr>> {
    let mut text = String::new();
    match File::open(ADDRESSES).and_then(|file| file.take(MOST).read_to_string(&mut text)) {
        Ok(_) => Some(local(&text)),
        Err(cause) => {
            log::debug!("{ADDRESSES}: {cause}");
            None
        }
    }
}

/// The addresses in such a list that are this machine's own.
fn local(text: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut leaf = None;
    for line in text.lines().map(str::trim) {
        if let Some(ip) = line.strip_prefix("|-- ") {
            leaf = ip.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf.filter(|ip| !ip.is_loopback() && !ip.is_unspecified()));
        }
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(OWN_ADDRESSES);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_this_machine_are_those_of_its_cards() {
        let text = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.77.0.0/24 2 0 2
        |-- 10.77.0.0
           /24 link UNICAST
        |-- 10.77.0.1
           /32 host LOCAL
        |-- 10.77.0.255
           /32 link BROADCAST
Local:
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
     |-- 169.254.3.4
        /32 host LOCAL
     |-- 10.77.0.1
        /32 host LOCAL
     |-- nonsense
        /32 host LOCAL
";
        assert_eq!(local(text), [Ipv4Addr::new(10, 77, 0, 1), Ipv4Addr::new(169, 254, 3, 4)]);
        assert!(local("").is_empty());
    }

    #[test]
    fn this_machine_can_be_asked() {
        let own = own_addresses().expect("Linux says it");
        assert!(own.iter().all(|ip| !ip.is_loopback()));
    }
}
