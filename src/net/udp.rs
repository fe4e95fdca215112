//! UDP sockets of our own.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

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
