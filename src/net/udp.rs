//! UDP sockets of our own.

use crate::model::beacon::BEACON;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

/// A socket from which `to` can be reached.
pub fn any_socket(to: SocketAddr) -> std::io::Result<UdpSocket> {
    match to {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
    }
}

/// Sends an answer. If the datagram is lost, the other side asks again.
pub fn answer(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
    if let Err(cause) = socket.send_to(bytes, to) {
        log::debug!("answer {to}: {cause}");
    }
}

/// Sockets that hear what is sent to all on the local network, on some ports. Several processes may hear the same.
#[derive(Debug)]
pub struct Broadcasts(Vec<UdpSocket>);

impl Broadcasts {
    /// Opens them.
    pub fn on(ports: impl IntoIterator<Item = u16>) -> std::io::Result<Self> {
        ports.into_iter().map(hearing).collect::<std::io::Result<_>>().map(Self)
    }

    /// Waits, not longer than this, and hands on what has come.
    pub fn hear(&self, wait: Duration, mut take: impl FnMut(&[u8], SocketAddr)) {
        let wait = Timespec::try_from(wait).unwrap_or_default();
        let mut ready: Vec<_> =
            self.0.iter().map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
        if let Err(cause) = poll(&mut ready, Some(&wait)) {
            return log::debug!("wait for broadcasts: {cause}");
        }
        let ready: Vec<_> = ready.iter().map(|one| !one.revents().is_empty()).collect();
        // One byte more than a beacon: a longer one is seen to be longer.
        let mut buffer = [0; BEACON + 1];
        for (socket, _) in self.0.iter().zip(ready).filter(|(_, is_ready)| *is_ready) {
            match socket.recv_from(&mut buffer) {
                Ok((count, from)) => take(buffer.get(..count).unwrap_or_default(), from),
                Err(cause) => log::debug!("hear a broadcast: {cause}"),
            }
        }
    }
}

/// A socket that hears broadcasts alone: it is bound to their address, not to one of this machine.
fn hearing(port: u16) -> std::io::Result<UdpSocket> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::BROADCAST, port))?;
    Ok(socket.into())
}

/// Sends to all on the local network of this own address. No router passes it on.
pub fn broadcast(own: Ipv4Addr, ports: &[u16], bytes: &[u8]) -> std::io::Result<()> {
    let socket = UdpSocket::bind((own, 0))?;
    socket.set_broadcast(true)?;
    ports
        .iter()
        .try_for_each(|port| socket.send_to(bytes, (Ipv4Addr::BROADCAST, *port)).map(|_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn all_on_the_network_of_an_address_hear_what_is_sent_to_all() {
        let [a, b]: [u8; 2] = rand::random();
        let own = Ipv4Addr::new(127, a, b.max(1), 2);
        let probe = UdpSocket::bind((own, 0)).expect("a free port");
        let port = probe.local_addr().expect("bound").port();
        let ears = [(); 2].map(|()| Broadcasts::on([port]).expect("two may hear"));
        broadcast(own, &[port], b"to all").expect("sent");
        for ear in ears {
            let (mut heard, begun) = (Vec::new(), Instant::now());
            while heard.is_empty() && begun.elapsed() < Duration::from_secs(60) {
                ear.hear(Duration::from_millis(100), |bytes, from| {
                    heard.push((bytes.to_vec(), from.ip()));
                });
            }
            assert_eq!(heard, [(b"to all".to_vec(), own.into())]);
        }
    }
}
