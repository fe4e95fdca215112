//! A node of the original, played by the test with raw sockets: it knocks, answers, sends and receives as
//! the nodes of 2023 did, byte for byte.

use super::{Network, PATIENCE, until};
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
/// The last doors to which late answers may come.
const DOORS: usize = 64;

/// A peer of node 1.
#[derive(Debug)]
pub struct Original {
    pub number: usize,
    pub token: String,
    pub listener: UdpSocket,
    node: SocketAddr,
    answered: Mutex<Vec<SocketAddr>>,
    entered: Mutex<VecDeque<SocketAddr>>,
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

    /// Knocks in the original's pace, and waits for the door.
    pub fn knock(&self, purpose: &str) -> SocketAddr {
        let socket = socket();
        self.send(&socket, &self.token);
        thread::sleep(PAUSE);
        self.send(&socket, purpose);
        self.door()
    }

    /// Waits for the port that the node answers, byte for byte as the original's, and from its listener.
    pub fn door(&self) -> SocketAddr {
        let (mut answer, mut from) = self.reply(PATIENCE).expect("an answer");
        while from != self.node {
            // A knock of the node's own: it brings the others its database after its start.
            (answer, from) = self.reply(PATIENCE).expect("an answer");
        }
        assert!(answer.bytes().all(|byte| byte.is_ascii_digit()), "{answer:?}");
        let port: u16 = answer.parse().expect("a port");
        assert!((30_000..=60_000).contains(&port), "{port}");
        SocketAddr::new(self.node.ip(), port)
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

    /// Whether it went in by this door a short time ago: a second who comes to it before the node has closed
    /// it is turned away, with what it brought. Else it is remembered as the one that it goes in by now.
    fn has_entered(&self, door: SocketAddr) -> bool {
        let mut entered = self.entered.lock().expect("no panic");
        let known = entered.contains(&door);
        if !known {
            entered.push_back(door);
            // The system gives the port again some time.
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
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let (knock, door) = (self.any_knock(), self.open_door());
            self.answer(&knock, from, &door);
            if let Some(mut stream) = accept_within(&door, AGAIN) {
                return read(&mut stream);
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
