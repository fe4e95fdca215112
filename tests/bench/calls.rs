//! What it costs to reach a node: knock, port reply, connect; with this process in the part of a peer.

use crate::support::Network;
use crate::table::{Line, Runs, timed};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

const CALLS: usize = 300;
/// Longer than any answer takes that comes.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn measure() -> Vec<Line> {
    let network = Network::classic("bench-knock", 2);
    let _node = network.tier1(2);
    let peer = Peer::new(&network, 1);
    let mut times: Vec<_> = (0..CALLS)
        .map(|_| {
            let (time, mut session) = timed(|| peer.call(network.addresses[1]));
            session.write_all(b"quit").expect("sent");
            // Until the node has closed too: the next knock is a new one.
            session.read_to_end(&mut Vec::new()).expect("closed");
            time
        })
        .collect();
    let bare = Runs::times(&bare_calls(1, CALLS));
    // The first ones warm up.
    let runs = Runs::times(&times.split_off(CALLS / 10));
    vec![
        Line::new("knock to open session", runs)
            .against("a bare UDP round trip and TCP connect", &bare),
    ]
}

/// This process as a peer of a network.
pub struct Peer {
    listener: UdpSocket,
    token: String,
}

impl Peer {
    pub fn new(network: &Network, number: usize) -> Self {
        let listener = UdpSocket::bind(network.addresses[number - 1]).expect("its own address");
        listener.set_read_timeout(Some(PATIENCE)).expect("set");
        Self { listener, token: network.tokens[number - 1].clone() }
    }

    /// Knocks for a text session at the node whose listener is at `to`, and connects.
    pub fn call(&self, to: SocketAddr) -> TcpStream {
        // A socket of its own, as our nodes have for each knock: so it is not the one before, repeated.
        let knocking = UdpSocket::bind((self.listener.local_addr().expect("bound").ip(), 0));
        let knocking = knocking.expect("a free port");
        knocking.send_to(self.token.as_bytes(), to).expect("sent");
        knocking.send_to(b"t", to).expect("sent");
        let mut buffer = [0; 16];
        let (count, _) = self.listener.recv_from(&mut buffer).expect("a port reply");
        let port = std::str::from_utf8(&buffer[..count]).expect("digits").parse().expect("a port");
        TcpStream::connect(SocketAddr::new(to.ip(), port)).expect("an open door")
    }
}

/// The same steps with nothing behind them: two datagrams there, one back, a connect; `peers` times in a row.
pub fn bare_calls(peers: usize, runs: usize) -> Vec<Duration> {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let answering = UdpSocket::bind(any).expect("a free port");
    let at = answering.local_addr().expect("bound");
    thread::spawn(move || {
        let mut buffer = [0; 16];
        loop {
            let (_, from) = answering.recv_from(&mut buffer).expect("a token");
            answering.recv_from(&mut buffer).expect("a purpose");
            let door = TcpListener::bind(any).expect("a free port");
            let port = door.local_addr().expect("bound").port().to_string();
            answering.send_to(port.as_bytes(), from).expect("sent");
            door.accept().expect("a caller");
        }
    });
    let call = || {
        let socket = UdpSocket::bind(any).expect("a free port");
        socket.send_to(b"149418626997", at).expect("sent");
        socket.send_to(b"t", at).expect("sent");
        let mut buffer = [0; 16];
        let count = socket.recv(&mut buffer).expect("a port");
        let port: u16 =
            std::str::from_utf8(&buffer[..count]).expect("digits").parse().expect("a port");
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connected");
    };
    (0..runs).map(|_| timed(|| (0..peers).for_each(|_| call())).0).collect()
}
