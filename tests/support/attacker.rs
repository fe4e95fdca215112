//! Attackers on sealed nodes: processes of their own, which are this test program started again with a role to
//! play and the files that they got hold of. And what both they and true peers need: knocks datagram by
//! datagram, sessions byte by byte, a node that is played.

#![allow(dead_code, missing_docs, reason = "each test uses its part of this")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::{Network, Node, PATIENCE, copy};
use reunite::base::clock::Deadline;
use reunite::base::error::Result;
use reunite::base::threads::Stop;
use reunite::model::caller::{CallState, Caller, Errand};
use reunite::model::datagram::{Answer, COOKIE, Datagrams, PORT};
use reunite::model::frame;
use reunite::model::gate::{Decision, Gate};
use reunite::model::identity::Identity;
use reunite::model::ids::PeerNumber;
use reunite::model::keys::{NetworkKeys, PublicKeys, SecretKey};
use reunite::model::limits::TOKEN_DIGITS;
use reunite::model::message::{Bind, Listening, Opened, Opening, Talking};
use reunite::model::noise::{Asked, Purpose};
use reunite::model::spoken::Spoken;
use reunite::net::channel::Channel;
use reunite::net::phone::Phone;
use reunite::net::tls::Credentials;
use reunite::store::identity_file::{self, IdentityFile};
use reunite::store::peer_book::{Peer, PeerBook};
use rustls::Connection;
use std::fs;
use std::io::{BufRead, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const ROLE: &str = "REUNITE_ATTACKER_ROLE";
const FOLDER: &str = "REUNITE_ATTACKER_FOLDER";
const HOLDS: &str = "REUNITE_ATTACKER_HOLDS";

/// Whose files an attacker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Nothing: a stranger.
    Nothing,
    /// Those of a tier-2 device.
    Reader,
    /// Those of the tier-1 node with this number.
    Peer(usize),
}

// --- the process ---

/// A running attacker.
pub struct Attacker(Node);

impl Attacker {
    /// Starts this test program again, as an attacker on node 1 of the network.
    pub fn start(network: &Network, role: &str, holds: Holds) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "an_attacker_in_a_process_of_its_own", "--nocapture"]);
        let holds = match holds {
            Holds::Nothing => "nothing".to_owned(),
            Holds::Reader => "reader".to_owned(),
            Holds::Peer(number) => number.to_string(),
        };
        command.env(ROLE, role).env(FOLDER, network.folder.path()).env(HOLDS, holds);
        Self(Node::start(command, format!("attacker: {role}")))
    }

    /// What it says next, without its mark; `None` when it is over.
    pub fn hear(&mut self) -> Option<String> {
        let line = self.0.wait_for("@");
        let (_, said) = line.split_once('@').expect("its mark");
        if said == "over" {
            let status = self.0.wait_exit();
            assert!(status.success(), "{}\n{}", self.0.shown(), self.0.logged());
            return None;
        }
        Some(said.to_owned())
    }

    /// Lets it go on.
    pub fn go_on(&mut self) {
        self.0.type_lines(&["go on"]);
    }
}

/// What an attacker does.
pub type Role = fn(&Held);

/// The whole life of the process: plays the role that it was given. In the tests' own process it does nothing.
pub fn play(roles: &[(&str, Role)]) {
    let Ok(role) = std::env::var(ROLE) else { return };
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("a folder"));
    let holds = match std::env::var(HOLDS).expect("what it holds").as_str() {
        "nothing" => Holds::Nothing,
        "reader" => Holds::Reader,
        number => Holds::Peer(number.parse().expect("a number")),
    };
    let (_, act) = roles.iter().find(|(name, _)| *name == role).expect("a known role");
    let held = Held::of(&folder, holds);
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| act(&held)));
    println!("@over");
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}

/// Says something to the test, and waits until it says to go on.
pub fn say(what: &str) {
    println!("@{what}");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).expect("the test lives");
    assert_eq!(line, "go on\n");
}

/// Asks the test to let a true peer be served: all datagrams that were sent before have been decided on then.
pub fn let_others_be_served() {
    say("serve");
}

// --- what one holds ---

/// What a caller of node 1 holds: keys, perhaps an identity and a token.
pub struct Held {
    pub folder: PathBuf,
    pub keys: NetworkKeys,
    pub me: Option<(Identity, [u8; TOKEN_DIGITS])>,
    pub node: SocketAddr,
    pub node_keys: PublicKeys,
}

impl Held {
    /// What stands in these files.
    pub fn of(folder: &Path, holds: Holds) -> Self {
        let book = match holds {
            Holds::Peer(_) => PeerBook::read_tier1(&folder.join("peers.json")),
            _ => PeerBook::read_tier2(&folder.join("peers-tier2.json")),
        }
        .expect("a peers file");
        let keys = match holds {
            Holds::Nothing => NetworkKeys::random(&mut rand::rng()),
            _ => copy(book.network_keys().expect("sealed")),
        };
        let me = match holds {
            Holds::Peer(number) => Some((identity(folder, number), token(&book, number))),
            _ => None,
        };
        let node = book.peer(number(1)).expect("node 1");
        let node_keys = *node.keys().expect("sealed");
        Self { folder: folder.to_owned(), keys, me, node: node.address, node_keys }
    }

    pub fn datagrams(&self) -> Datagrams {
        Datagrams::new(&self.keys)
    }

    pub fn credentials(&self) -> Credentials {
        match &self.me {
            Some((identity, _)) => Credentials::of(identity).expect("a key for TLS"),
            None => Credentials::of(&Identity::random(&mut rand::rng())).expect("a key for TLS"),
        }
    }

    /// An errand to node 1: as oneself, or with a made-up key.
    pub fn errand(&self, purpose: Purpose) -> Errand {
        let (own, token) = match &self.me {
            Some((identity, token)) => (SecretKey::from(*identity.knock_secret().expose()), *token),
            None => (SecretKey::random(&mut rand::rng()), [0; TOKEN_DIGITS]),
        };
        Errand {
            own: own.into(),
            to: self.node_keys.knock,
            asked: Asked { token: token.into(), purpose },
        }
    }

    /// A session, as the program itself opens it.
    pub fn open(&self, purpose: Purpose) -> Result<Channel> {
        let phone = Phone { datagrams: self.datagrams(), credentials: self.credentials() };
        phone.open(self.node, &self.node_keys, self.errand(purpose), &Stop::default())
    }

    /// Says something to node 1, and waits until it is heard.
    pub fn say(&self, text: &str) -> Result<Listening> {
        let mut channel = self.open(Purpose::Talk)?;
        let heard = say_in(&mut channel, Talking::Say(Spoken::try_from(text)?))?;
        channel.send(&Talking::Bye.encode())?;
        Ok(heard)
    }

    /// Knocks, and waits for the answer.
    pub fn knock(&self, purpose: Purpose) -> Knocked {
        Knocked::insisting(
            &self.datagrams(),
            self.errand(purpose),
            &socket_to(self.node),
            self.node,
        )
    }

    /// A session whose bytes one chooses, welcomed.
    pub fn enter(&self, purpose: Purpose) -> Raw {
        let (port, bind) = self.knock(purpose).opened();
        self.come_in(port, bind).expect("it is let in")
    }

    /// Comes in at a door, if it can.
    pub fn come_in(&self, port: u16, bind: Bind) -> Option<Raw> {
        let tls = self.credentials().client(&self.node_keys.identity).expect("right");
        let tcp = TcpStream::connect((self.node.ip(), port)).ok()?;
        let mut raw = Raw::new(tls, ready(tcp));
        raw.shake().ok()?;
        raw.frame(&Opening::Bind(bind).encode()).ok()?;
        let welcome = raw.hear()?;
        matches!(Opened::decode(&welcome), Ok(Opened::Welcome)).then_some(raw)
    }
}

/// Says something in a session.
pub fn say_in(channel: &mut Channel, what: Talking) -> Result<Listening> {
    channel.send(&what.encode())?;
    Listening::decode(&channel.expect(Deadline::after(PATIENCE))?)
}

/// The identity in a seized data folder.
pub fn identity(folder: &Path, number: usize) -> Identity {
    let path = folder.join(format!("data{number}")).join(identity_file::FILE);
    let file = IdentityFile::read(&path).expect("a file");
    file.open(|| panic!("it has no passphrase")).expect("an identity")
}

/// The token of a peer, which stands in every tier-1 peers file.
pub fn token(book: &PeerBook, at: usize) -> [u8; TOKEN_DIGITS] {
    *book.peer(number(at)).and_then(Peer::token).expect("a token").expose()
}

pub fn number(number: usize) -> PeerNumber {
    (number as u64).try_into().expect("1 to 999")
}

// --- knocking ---

/// After this time without an answer a datagram is sent again.
const AGAIN: Duration = Duration::from_millis(500);

/// A call, datagram by datagram.
pub struct Knocked {
    pub hello: Vec<u8>,
    pub knock: Vec<u8>,
    pub answer: Vec<u8>,
    pub progress: CallState,
}

impl Knocked {
    /// Gets a cookie and sends the knock. Its answer, if there is one, is still to come.
    pub fn sent(datagrams: &Datagrams, errand: Errand, socket: &UdpSocket, to: SocketAddr) -> Self {
        Self::call(datagrams, errand, socket, to, (false, PATIENCE))
    }

    /// Gets a cookie, knocks, and waits for the answer, each once: nothing else comes to the socket.
    pub fn with_answer(
        datagrams: &Datagrams,
        errand: Errand,
        socket: &UdpSocket,
        to: SocketAddr,
    ) -> Self {
        Self::call(datagrams, errand, socket, to, (true, PATIENCE))
    }

    /// The same, as every caller does it: what is not answered is sent again.
    fn insisting(
        datagrams: &Datagrams,
        errand: Errand,
        socket: &UdpSocket,
        to: SocketAddr,
    ) -> Self {
        Self::call(datagrams, errand, socket, to, (true, AGAIN))
    }

    fn call(
        datagrams: &Datagrams,
        errand: Errand,
        socket: &UdpSocket,
        to: SocketAddr,
        (answered, again): (bool, Duration),
    ) -> Self {
        let begun = Instant::now();
        let mut caller = Caller::new(datagrams, errand, rand::random(), begun);
        let hello = caller.due(begun).expect("a hello").to_vec();
        let cookie = asked(socket, &hello, (COOKIE, again), to);
        let mut progress = caller.datagram(&cookie, begun).expect("a cookie");
        let knock = caller.due(begun).expect("a knock").to_vec();
        let mut answer = Vec::new();
        if answered {
            answer = asked(socket, &knock, (PORT, again), to);
            progress = caller.datagram(&answer, begun).expect("an answer");
        } else {
            socket.send_to(&knock, to).expect("sent");
        }
        Self { hello, knock, answer, progress }
    }

    /// The door that opened, and what to show there.
    pub fn opened(self) -> (u16, Bind) {
        match self.progress {
            CallState::Open(port, bind) => (port, bind),
            other => panic!("no door opened: {other:?}"),
        }
    }
}

/// The answer of this length to a datagram, which is sent again after so long, until there is one.
fn asked(
    socket: &UdpSocket,
    bytes: &[u8],
    (length, again): (usize, Duration),
    to: SocketAddr,
) -> Vec<u8> {
    let end = Instant::now() + PATIENCE;
    let mut buffer = [0; 512];
    while Instant::now() < end {
        socket.send_to(bytes, to).expect("sent");
        socket.set_read_timeout(Some(again)).expect("set");
        match socket.recv(&mut buffer) {
            Ok(count) if count == length => return buffer[..count].to_vec(),
            _ => {}
        }
    }
    panic!("no answer")
}

/// The next datagram.
pub fn next(socket: &UdpSocket) -> Vec<u8> {
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut buffer = [0; 512];
    let count = socket.recv(&mut buffer).expect("an answer");
    buffer[..count].to_vec()
}

/// All datagrams that have come.
pub fn came(socket: &UdpSocket) -> Vec<Vec<u8>> {
    socket.set_nonblocking(true).expect("set");
    let mut buffer = [0; 512];
    let all =
        std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|count| buffer[..count].to_vec()));
    let all = all.collect();
    socket.set_nonblocking(false).expect("set");
    all
}

/// A socket at the same address as the node, as a process on its machine has one.
pub fn socket_to(node: SocketAddr) -> UdpSocket {
    UdpSocket::bind((node.ip(), 0)).expect("a port")
}

/// Another address of this machine than the node's.
pub fn elsewhere(node: SocketAddr) -> IpAddr {
    let IpAddr::V4(ip) = node.ip() else { panic!("the tests use IPv4") };
    let [a, b, c, d] = ip.octets();
    Ipv4Addr::new(a, b, c, if d == 254 { 2 } else { d + 1 }).into()
}

/// Waits until the node has decided on all datagrams that were sent to it before: it answers a hello.
pub fn until_decided(datagrams: &Datagrams, node: SocketAddr) {
    let socket = socket_to(node);
    let call = reunite::model::datagram::CallId(rand::random());
    let hello = datagrams.hello(call, &mut rand::rng());
    socket.send_to(&hello, node).expect("sent");
    assert!(
        matches!(datagrams.answer(&next(&socket)), Ok(Answer::Cookie(same, _)) if same == call)
    );
}

/// The TCP ports on which somebody listens at this address: the doors of its node, whose address is its own.
pub fn doors(ip: IpAddr) -> Vec<u16> {
    sockets(ip, "0A")
}

/// How many have come to a door, and are there.
pub fn guests(ip: IpAddr, port: u16) -> usize {
    sockets(ip, "01").iter().filter(|at| **at == port).count()
}

/// The ports of TCP sockets at this address that are in this state (see proc(5), and tcp_states.h of Linux).
fn sockets(ip: IpAddr, state: &str) -> Vec<u16> {
    let IpAddr::V4(ip) = ip else { panic!("the tests use IPv4") };
    let address = format!("{:08X}", u32::from_le_bytes(ip.octets()));
    let table = fs::read_to_string("/proc/net/tcp").expect("on Linux");
    let ports = table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (at, _, is) = (fields.next()?, fields.next()?, fields.next()?);
        let port = at.strip_prefix(&address)?.strip_prefix(':')?;
        (is == state).then(|| u16::from_str_radix(port, 16).expect("a port"))
    });
    ports.collect()
}

// --- sessions, byte by byte ---

/// TLS on a connection, with bytes that one chooses.
pub struct Raw {
    pub tls: Connection,
    pub tcp: TcpStream,
    /// All that came inside of TLS.
    pub heard: Vec<u8>,
}

impl Raw {
    pub fn new(tls: Connection, tcp: TcpStream) -> Self {
        Self { tls, tcp, heard: Vec::new() }
    }

    /// Comes to the end of the handshake.
    pub fn shake(&mut self) -> std::io::Result<()> {
        while self.tls.is_handshaking() {
            self.tls.complete_io(&mut self.tcp)?;
        }
        self.flush()
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        for piece in bytes.chunks(16 * 1024) {
            self.tls.writer().write_all(piece)?;
            self.flush()?;
        }
        Ok(())
    }

    /// Sends a frame.
    pub fn frame(&mut self, body: &[u8]) -> std::io::Result<()> {
        self.send(&frame::encode(body))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.tcp)?;
        }
        Ok(())
    }

    /// The next frame, which has to come.
    pub fn expect(&mut self) -> Vec<u8> {
        self.hear().expect("a frame; the session was ended instead")
    }

    /// The next frame; `None` when the session has ended.
    pub fn hear(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((length, rest)) = self.heard.split_first_chunk() {
                let length = u32::from_be_bytes(*length) as usize;
                if let Some(body) = rest.get(..length).map(<[u8]>::to_vec) {
                    self.heard.drain(..4 + length);
                    return Some(body);
                }
            }
            if !self.read() {
                return None;
            }
        }
    }

    pub fn welcomed(&mut self) {
        assert!(matches!(Opened::decode(&self.expect()), Ok(Opened::Welcome)));
    }

    /// Waits until the other side has ended the session; returns all that it still said.
    pub fn until_ended(&mut self) -> Vec<u8> {
        while self.read() {}
        std::mem::take(&mut self.heard)
    }

    /// Takes what has come, or reads once. Returns whether the session goes on.
    fn read(&mut self) -> bool {
        let before = self.heard.len();
        // Something may have come together with the end of the handshake.
        if self.take() || self.heard.len() > before {
            return self.heard.len() > before;
        }
        match self.tls.read_tls(&mut self.tcp) {
            Ok(0) => return false,
            Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("the other side neither speaks nor ends")
            }
            Err(_) => return false,
            Ok(_) => {}
        }
        if self.tls.process_new_packets().is_err() {
            return false;
        }
        let _ = self.flush();
        let ended = self.take();
        !ended || self.heard.len() > before
    }

    /// Takes what is there. Returns whether the other side has said that nothing more comes.
    fn take(&mut self) -> bool {
        self.tls.reader().read_to_end(&mut self.heard).is_ok()
    }
}

pub fn connect(to: SocketAddr) -> TcpStream {
    ready(TcpStream::connect(to).expect("the door is open"))
}

fn ready(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).expect("set");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.set_write_timeout(Some(PATIENCE)).expect("set");
    stream
}

// --- a node that is played ---

/// A node at the address and with the keys of one of the network.
pub struct Played {
    socket: UdpSocket,
    gate: Gate,
}

impl Played {
    pub fn new(network: &Network, at: usize) -> Self {
        let secrets = network.secrets.as_ref().expect("sealed");
        let own = SecretKey::from(*secrets.identities[at - 1].knock_secret().expose());
        let mut gate = Gate::new(&secrets.keys, own.into(), rand::random(), Instant::now());
        let book = network.book();
        for peer in book.others(number(at)) {
            let token = peer.token().expect("a token").expose();
            let token = token.as_slice().try_into().expect("twelve digits");
            gate.admit(peer.number, peer.keys().expect("sealed").knock, token, peer.address.ip());
        }
        let socket = UdpSocket::bind(network.addresses[at - 1]).expect("its port is free");
        Self { socket, gate }
    }

    /// Waits for a knock, and opens a door. Returns who came in, before any TLS, and what it has to show.
    pub fn visitor(&mut self) -> (TcpStream, Bind) {
        let ip = self.socket.local_addr().expect("bound").ip();
        let listener = TcpListener::bind((ip, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        listener.set_nonblocking(true).expect("set");
        self.socket.set_read_timeout(Some(Duration::from_millis(5))).expect("set");
        let (mut buffer, mut binds) = ([0; 512], Vec::new());
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            // A caller that was not answered soon enough calls anew: then it is the last answer that counts.
            if let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(false).expect("set");
                return (ready(stream), binds.pop().expect("it was answered"));
            }
            let Ok((count, from)) = self.socket.recv_from(&mut buffer) else { continue };
            match self.gate.datagram(&buffer[..count], from, Instant::now()) {
                Decision::Answer(bytes) => {
                    self.socket.send_to(&bytes, from).expect("sent");
                }
                Decision::Knock(knock) => {
                    let (answer, bind) = knock.open(port, rand::random()).expect("sealed");
                    self.gate.answered(&answer);
                    self.socket.send_to(answer.bytes(), from).expect("sent");
                    binds.push(bind);
                }
                Decision::Silence(_) => {}
            }
        }
        panic!("nobody comes in");
    }

    /// Waits for a knock, and lets the visitor in over this TLS.
    pub fn let_in(&mut self, tls: Connection) -> Raw {
        let (tcp, bind) = self.visitor();
        let mut raw = Raw::new(tls, tcp);
        raw.shake().expect("right keys");
        let Ok(Opening::Bind(shown)) = Opening::decode(&raw.expect()) else { panic!("no binding") };
        assert!(shown.matches(&bind));
        raw.frame(&Opened::Welcome.encode()).expect("it listens");
        raw
    }
}

/// How long something lasted, for what is only told.
pub fn seconds(begun: Instant) -> f32 {
    Duration::as_secs_f32(&begun.elapsed())
}
