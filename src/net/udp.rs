//! UDP sockets of our own.

use crate::base::threads::Stop;
use crate::base::waiting::wait_to_read;
use crate::model::beacon::BEACON;
use crate::net::wire::is_not_yet;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with, sockopt,
};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
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

/// The next datagram, if one has come: how long it is, and from whom. The socket may be one that blocks.
pub fn receive_at_once(
    socket: &UdpSocket,
    buffer: &mut [u8],
) -> std::io::Result<Option<(usize, SocketAddr)>> {
    match recvfrom(socket, buffer, RecvFlags::DONTWAIT) {
        Ok((count, _, Some(from))) => Ok(Some((count, SocketAddr::try_from(from)?))),
        Ok((_, _, None)) | Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(cause) => Err(cause.into()),
    }
}

/// Sockets for what is sent to all on the local network, and for what is answered.
#[derive(Debug)]
pub struct Broadcasts(Vec<UdpSocket>);

impl Broadcasts {
    /// Those that hear what is sent to all on these ports. Several processes may hear the same.
    pub fn on(ports: impl IntoIterator<Item = u16>) -> std::io::Result<Self> {
        ports.into_iter().map(hearing).collect::<std::io::Result<_>>().map(Self)
    }

    /// Those that send to all from these addresses of this machine, and hear what is answered.
    pub fn from(own: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        let speaking = |ip| {
            let socket = UdpSocket::bind((ip, 0))?;
            socket.set_broadcast(true)?;
            socket.set_nonblocking(true).map(|()| socket)
        };
        let opened = own.into_iter().map(|ip| (ip, speaking(ip)));
        let open = opened.filter_map(|(ip, socket)| {
            socket.map_err(|cause| log::debug!("send to all from {ip}: {cause}")).ok()
        });
        Self(open.collect())
    }

    /// Sends to all at this port, on each of them.
    pub fn send(&self, port: u16, bytes: &[u8]) {
        for socket in &self.0 {
            if let Err(cause) = socket.send_to(bytes, (Ipv4Addr::BROADCAST, port)) {
                log::debug!("send to all: {cause}");
            }
        }
    }

    /// To wait for them together with others.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd)
    }

    /// Waits, not longer than this, and hands on what has come.
    pub fn hear(&self, wait: Duration, stop: &Stop, take: impl FnMut(&[u8], SocketAddr)) {
        match wait_to_read(self.sockets(), &[stop], wait) {
            Ok(_) => self.heard(take),
            Err(cause) => log::debug!("wait for broadcasts: {cause}"),
        }
    }

    /// Hands on what has come, one from each of them.
    pub fn heard(&self, mut take: impl FnMut(&[u8], SocketAddr)) {
        // One byte more than a beacon: a longer one is seen to be longer.
        let mut buffer = [0; BEACON + 1];
        for socket in &self.0 {
            match socket.recv_from(&mut buffer) {
                Ok((count, from)) => take(buffer.get(..count).unwrap_or_default(), from),
                Err(cause) if is_not_yet(&cause) => {}
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
                ear.hear(Duration::from_millis(100), &Stop::default(), |bytes, from| {
                    heard.push((bytes.to_vec(), from.ip()));
                });
            }
            assert_eq!(heard, [(b"to all".to_vec(), own.into())]);
        }
    }
}
