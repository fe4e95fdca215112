//! A node of the original, played by the test with raw sockets: it knocks, answers, sends and receives as
//! the nodes of 2023 did, byte for byte.

use super::{Network, Node, PATIENCE, until};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// The purposes of a knock.
pub const TEXT: &str = "t";
pub const FILE: &str = "f";
/// The original's alarm.
pub const ALARM: &str = "EMERGENCY BROADCAST - - SAFEZONE COMPROMISED";
/// What the original sleeps between the two datagrams of a knock. It is its pace, not a way to wait.
const PAUSE: Duration = Duration::from_millis(100);
/// After this time without an answer a knock is repeated, where it is.
const AGAIN: Duration = Duration::from_millis(250);
/// After this time without an answer the original's knock was not understood.
const UNANSWERED: Duration = Duration::from_secs(4);
/// How long it is looked whether somebody stands at a door.
const MOMENT: Duration = Duration::from_millis(2);
/// The last doors to which late answers may come.
const DOORS: usize = 8;
/// A door is closed so long after somebody has gone in by it.
const CLOSED: Duration = Duration::from_secs(2);

/// A peer of node 1.
#[derive(Debug)]
pub struct Original {
    pub number: usize,
    pub token: String,
    pub listener: UdpSocket,
    node: SocketAddr,
    answered: Mutex<Vec<SocketAddr>>,
    entered: Mutex<VecDeque<(SocketAddr, Instant)>>,
}

/// A knock as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Knock {
    pub token: String,
    pub purpose: String,
    pub from: SocketAddr,
}

impl Original {
    /// Peer `number`, in its place in the network.
    pub fn new(network: &Network, number: usize) -> Self {
        let listener = UdpSocket::bind(network.addresses[number - 1]).expect("its port is free");
        let token = network.tokens[number - 1].clone();
        let node = network.addresses[0];
        let (answered, entered) = (Mutex::default(), Mutex::default());
        Self { number, token, listener, node, answered, entered }
    }

    // --- as the one who knocks ---

    /// Sends a datagram to the node.
    pub fn send(&self, from: &UdpSocket, datagram: &str) {
        from.send_to(datagram.as_bytes(), self.node).expect("sent");
    }

    /// Both datagrams of a knock, from one socket.
    pub fn send_knock(&self, from: &UdpSocket, purpose: &str) {
        self.send(from, &self.token);
        self.send(from, purpose);
    }

    /// Knocks in the original's pace, and waits for the door. If both halves came too far apart, it knocks again.
    pub fn knock(&self, purpose: &str) -> SocketAddr {
        let (socket, end) = (socket(), Instant::now() + PATIENCE);
        while Instant::now() < end {
            self.send(&socket, &self.token);
            thread::sleep(PAUSE);
            self.send(&socket, purpose);
            if let Some(door) = self.door_within(UNANSWERED) {
                return door;
            }
        }
        panic!("no door opens for peer {}", self.number);
    }

    /// Waits for the port that the node answers, byte for byte as the original's, and from its listener. It is
    /// gone in by, and never named again by a late answer.
    pub fn door(&self) -> SocketAddr {
        self.door_within(PATIENCE).expect("an answer")
    }

    fn door_within(&self, patience: Duration) -> Option<SocketAddr> {
        loop {
            let (answer, from) = self.reply(patience)?;
            if from != self.node {
                // A knock of the node's own: it brings the others its database after its start.
                continue;
            }
            assert!(answer.bytes().all(|byte| byte.is_ascii_digit()), "{answer:?}");
            let port: u16 = answer.parse().expect("a port");
            assert!((30_000..=60_000).contains(&port), "{port}");
            let door = SocketAddr::new(self.node.ip(), port);
            if !self.has_entered(door) {
                return Some(door);
            }
        }
    }

    /// Knocks, and goes in.
    pub fn enter(&self, purpose: &str) -> TcpStream {
        connect(self.knock(purpose))
    }

    /// Knocks as often as it takes, without the original's pause, and goes in. Late answers to earlier
    /// knocks do no harm: their door is closed, or it is one that somebody has gone in by.
    pub fn insist(&self, purpose: &str) -> TcpStream {
        let (socket, end) = (socket(), Instant::now() + PATIENCE);
        while Instant::now() < end {
            self.send_knock(&socket, purpose);
            while let Some((answer, _)) = self.reply(AGAIN) {
                // The node knocks too: it brings the others its database after its start.
                let Ok(port) = answer.parse() else { continue };
                let door = SocketAddr::new(self.node.ip(), port);
                if self.has_entered(door) {
                    continue;
                }
                if let Ok(stream) = TcpStream::connect(door) {
                    return ready(stream);
                }
            }
        }
        panic!("no door opens for peer {}", self.number);
    }

    /// Whether it went in by this door a moment ago: a second who comes to it before the node has closed it is turned
    /// away, with what it brought. Else it is remembered as the one that it goes in by now.
    fn has_entered(&self, door: SocketAddr) -> bool {
        let (mut entered, now) = (self.entered.lock().expect("no panic"), Instant::now());
        // The system gives the port again some time.
        entered.retain(|(_, when)| now.duration_since(*when) < CLOSED);
        let known = entered.iter().any(|(one, _)| *one == door);
        if !known {
            entered.push_back((door, now));
            if entered.len() > DOORS {
                entered.pop_front();
            }
        }
        known
    }

    /// A text session of one message.
    pub fn say(&self, text: &str) {
        write(&mut self.insist(TEXT), text);
    }

    /// A file session; the original closes as soon as it has sent all.
    pub fn deliver(&self, file: &str) {
        write(&mut self.insist(FILE), file);
    }

    // --- as the one whom a reader asks ---

    /// Has a reader ask for a copy, and connects to where it listens; it does so for a second and a half only.
    pub fn asked_by(&self, reader: &mut Node) -> TcpStream {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            reader.type_lines(&["3"]);
            let (_code, _) = self.datagram(PATIENCE).expect("9999");
            let (address, _) = self.datagram(PATIENCE).expect("IP,PORT");
            let address: SocketAddr = address.replace(',', ":").parse().expect("an address");
            if let Ok(stream) = TcpStream::connect(address) {
                return ready(stream);
            }
        }
        panic!("the reader does not listen");
    }

    // --- as the one at whom the node knocks ---

    /// Waits for a knock that was not answered yet: two datagrams from one socket.
    pub fn knocked(&self) -> Knock {
        loop {
            let knock = self.any_knock();
            if !self.answered.lock().expect("no panic").contains(&knock.from) {
                return knock;
            }
        }
    }

    fn any_knock(&self) -> Knock {
        let (token, from) = self.datagram(PATIENCE).expect("a token");
        let (purpose, same) = self.datagram(PATIENCE).expect("a purpose");
        assert_eq!(from, same, "{token:?} and {purpose:?}");
        Knock { token, purpose, from }
    }

    /// Opens a door, answers the knock with its port, and lets the node in.
    pub fn let_in(&self, knock: &Knock) -> TcpStream {
        let door = self.open_door();
        self.answer(knock, &self.listener, &door);
        accept(&door)
    }

    pub fn open_door(&self) -> TcpListener {
        let ip = self.listener.local_addr().expect("bound").ip();
        TcpListener::bind((ip, 0)).expect("a free port")
    }

    /// Answers a knock from the given socket.
    pub fn answer(&self, knock: &Knock, from: &UdpSocket, door: &TcpListener) {
        self.answered.lock().expect("no panic").push(knock.from);
        self.send(from, &door.local_addr().expect("bound").port().to_string());
    }

    /// Waits for a knock, lets the node in, and takes all that it sends until it closes.
    pub fn receive(&self) -> (Knock, String) {
        let knock = self.knocked();
        let sent = read(&mut self.let_in(&knock));
        (knock, sent)
    }

    /// Answers every knock from the socket `from`, each with a new door, until the node comes in by one;
    /// takes all that it sends.
    pub fn receive_by(&self, from: &UdpSocket) -> String {
        let (end, mut doors) = (Instant::now() + PATIENCE, Vec::new());
        while Instant::now() < end {
            let (knock, door) = (self.any_knock(), self.open_door());
            self.answer(&knock, from, &door);
            doors.push(door);
            // By an earlier one too: they stay open, and who has come to one late is let in.
            let until = Instant::now() + AGAIN;
            while Instant::now() < until {
                if let Some(mut stream) = doors.iter().find_map(|door| accept_within(door, MOMENT))
                {
                    return read(&mut stream);
                }
            }
        }
        panic!("the node does not come in to peer {}", self.number);
    }

    /// The next datagram at the listener.
    pub fn datagram(&self, patience: Duration) -> Option<(String, SocketAddr)> {
        let mut buffer = [0; 1024];
        self.listener.set_read_timeout(Some(patience)).expect("set");
        let (count, from) = self.listener.recv_from(&mut buffer).ok()?;
        Some((String::from_utf8_lossy(&buffer[..count]).into_owned(), from))
    }

    /// The next datagram at the listener that is no half of a knock: the node may knock at any time.
    fn reply(&self, patience: Duration) -> Option<(String, SocketAddr)> {
        loop {
            let (text, from) = self.datagram(patience)?;
            if text.len() != self.token.len() && text != TEXT && text != FILE {
                return Some((text, from));
            }
        }
    }

    /// Takes all answers that are at the listener already.
    pub fn waiting(&self) -> Vec<String> {
        std::iter::from_fn(|| self.reply(Duration::from_millis(1))).map(|(text, _)| text).collect()
    }
}

/// A socket to send from.
pub fn socket() -> UdpSocket {
    UdpSocket::bind("0.0.0.0:0").expect("a free port")
}

pub fn connect(to: SocketAddr) -> TcpStream {
    ready(TcpStream::connect(to).expect("the door is open"))
}

/// Waits for somebody to connect.
pub fn accept(door: &TcpListener) -> TcpStream {
    accept_within(door, PATIENCE).expect("somebody connects")
}

fn accept_within(door: &TcpListener, patience: Duration) -> Option<TcpStream> {
    door.set_nonblocking(true).expect("set");
    let end = Instant::now() + patience;
    while Instant::now() < end {
        if let Ok((stream, _)) = door.accept() {
            stream.set_nonblocking(false).expect("set");
            return Some(ready(stream));
        }
        thread::sleep(Duration::from_millis(1));
    }
    None
}

pub fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).expect("the node reads");
}

/// Reads until the other side closes.
pub fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("it closes");
    String::from_utf8(bytes).expect("text")
}

/// Waits until the other side has closed or broken off, whatever it sends before.
pub fn wait_closed(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    until("the other side closes", || match stream.read(&mut buffer) {
        Ok(count) => count == 0,
        Err(cause) => cause.kind() != ErrorKind::WouldBlock,
    });
}

/// Breaks a connection off: the other side sees a reset.
pub fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("set");
}

fn ready(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).expect("set");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.set_write_timeout(Some(PATIENCE)).expect("set");
    stream
}
