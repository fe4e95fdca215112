//! What it costs to reach a node, in both dialects, with this process in the part of a peer.

use crate::sealed::{InMemory, Member, Pair, bare_handshake, bare_server, end};
use crate::support::Network;
use crate::table::{Line, Runs, timed, worked};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// Fewer than a node opens of one member at once.
const CALLS: usize = 200;
/// Handshakes in memory, and how often so many are done.
const WORKED: u32 = 50;
const WORK_RUNS: usize = 9;
/// Longer than any answer takes that comes.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn measure() -> Vec<Line> {
    let (classic, sealed) = (Network::classic("bench-knock", 2), Network::new("bench-knock", 2));
    let _nodes = [classic.tier1(2), sealed.tier1(2)];
    let (peer, member) = (Peer::new(&classic, 1), Member::new(&sealed, 1));
    let (pair, bare) = (Pair::new(), bare_server());
    let mut times = [const { Vec::new() }; 4];
    // By turns, so that what else the machine does slows all of them.
    for _ in 0..CALLS {
        let (time, mut session) = timed(|| peer.call(classic.addresses[1]));
        session.write_all(b"quit").expect("sent");
        // Until the node has closed too: the next knock is a new one.
        session.read_to_end(&mut Vec::new()).expect("closed");
        times[0].push(time);
        let (time, session) = timed(|| member.call(2));
        end(session);
        times[1].push(time);
        times[2].push(bare_handshake(&pair, bare));
        times[3].extend(bare_calls(1, 1));
    }
    // The first ones warm up.
    let [classic, sealed, tls, bare] = times.map(|times| Runs::times(&times[CALLS / 10..]));
    let mut line = InMemory::new();
    let (noise, agreed) = (work(|| line.call()), work(|| pair.agree()));
    vec![
        Line::new("knock to ready session, sealed", sealed.clone())
            .against("a bare TCP connect and TLS handshake, a byte there and back", &tls)
            .goal_ratio(2.0),
        Line::new("the same", sealed).against("knock to open session, classic", &classic),
        Line::new("knock to open session, classic", classic)
            .against("a bare UDP round trip and TCP connect", &bare),
        Line::new("work of both sides for hello, cookie, knock and port", noise)
            .against("for a TLS handshake", &agreed),
    ]
}

/// Processor time of this, many times.
fn work(mut one: impl FnMut()) -> Runs {
    let mut each = || worked(|| (0..WORKED).for_each(|_| one())).0 / WORKED;
    Runs::processor(&(0..WORK_RUNS).map(|_| each()).collect::<Vec<_>>())
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
