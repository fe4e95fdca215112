//! Somebody between two nodes, who passes on what they say, counts it, and can be slow, or stop: for one node that
//! calls another one through it. The calling node has to have the relay's address in its peers file.
//!
//! The other node opens a port for each session and says which in a sealed answer. The relay cannot read it; it
//! looks in the system's list which ports the node listens at, and listens at the same ones itself before it passes
//! the answer on.

#![allow(dead_code, missing_docs, reason = "each test uses its part of this")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How often a thread that waits looks around.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes passed on at a time.
const PASSED: usize = 4 * 1024;
/// Largest datagram.
const DATAGRAM: usize = 2048;

/// A relay; it ends when it is dropped.
pub struct Relay {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    node: SocketAddr,
    own: IpAddr,
    ended: AtomicBool,
    /// Nothing passes, and nobody is told.
    stalled: AtomicBool,
    /// Bytes of sessions that may still pass; when there are no more, every session is closed.
    budget: AtomicU64,
    /// Bytes a second of each direction of a session; 0: as fast as it goes.
    speed: AtomicU64,
    counted: Mutex<Counted>,
}

/// What has passed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// Bytes of sessions, towards the node that was called, and back.
    pub to: u64,
    pub back: u64,
    /// How often the other side began to speak, in all sessions together.
    pub turns: u64,
    pub sessions: u64,
    last: Option<bool>,
}

impl Counted {
    pub fn bytes(&self) -> u64 {
        self.to + self.back
    }

    /// Turns until the end: both sides say that they end, and whose word is seen last is nobody's to say.
    pub fn turns_to_the_end(&self) -> u64 {
        self.turns - u64::from(self.last == Some(true))
    }
}

impl Relay {
    /// A relay to the node at `node`, at another loopback address and the same port.
    pub fn new(node: SocketAddr) -> Self {
        let (own, socket) = loop {
            let [a, b, c]: [u8; 3] = rand::random();
            let own = IpAddr::from([127, a.clamp(1, 254), b, c.clamp(2, 254)]);
            if let Ok(socket) = UdpSocket::bind((own, node.port())) {
                break (own, socket);
            }
        };
        let shared = Arc::new(Shared {
            node,
            own,
            ended: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            budget: AtomicU64::new(u64::MAX),
            speed: AtomicU64::new(0),
            counted: Mutex::default(),
        });
        let address = socket.local_addr().expect("bound");
        let passing = Arc::clone(&shared);
        thread::spawn(move || pass_datagrams(&passing, &socket));
        Self { address, shared }
    }

    /// Lets nothing pass, in silence, or everything again.
    pub fn stall(&self, stalled: bool) {
        self.shared.stalled.store(stalled, Ordering::SeqCst);
    }

    /// Closes every session when so many more bytes have passed.
    pub fn close_after(&self, bytes: u64) {
        self.shared.budget.store(bytes, Ordering::SeqCst);
    }

    /// Closes none any more.
    pub fn close_none(&self) {
        self.close_after(u64::MAX);
    }

    /// Passes on so many bytes a second, in each direction of each session.
    pub fn slow_down(&self, bytes_per_second: u64) {
        self.shared.speed.store(bytes_per_second, Ordering::SeqCst);
    }

    /// What has passed since this was asked last.
    pub fn take_counted(&self) -> Counted {
        std::mem::take(&mut *self.shared.counted.lock().expect("no panic"))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::SeqCst)
    }

    /// Takes bytes from the budget; returns how many of them may pass.
    fn may_pass(&self, bytes: usize) -> usize {
        let take = |left: u64| match left {
            u64::MAX => None,
            left => Some(left.saturating_sub(bytes as u64)),
        };
        match self.budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(before) => bytes.min(usize::try_from(before).unwrap_or(usize::MAX)),
            Err(_) => bytes,
        }
    }

    fn note(&self, is_back: bool, bytes: usize) {
        let mut counted = self.counted.lock().expect("no panic");
        *if is_back { &mut counted.back } else { &mut counted.to } += bytes as u64;
        if counted.last != Some(is_back) {
            (counted.last, counted.turns) = (Some(is_back), counted.turns + 1);
        }
    }
}

// --- datagrams ---

/// One who calls: the socket that stands for it at the node, and where it is.
fn pass_datagrams(shared: &Arc<Shared>, socket: &UdpSocket) {
    socket.set_read_timeout(Some(LOOK)).expect("set");
    let mut callers: BTreeMap<SocketAddr, UdpSocket> = BTreeMap::new();
    let mut doors: BTreeMap<u16, Arc<AtomicBool>> = BTreeMap::new();
    let mut buffer = [0; DATAGRAM];
    while !shared.has_ended() {
        if let Ok((count, from)) = socket.recv_from(&mut buffer) {
            let own = callers.entry(from).or_insert_with(|| {
                let own = UdpSocket::bind((shared.own, 0)).expect("a free port");
                own.set_nonblocking(true).expect("set");
                own
            });
            if !shared.is_stalled() {
                let _ = own.send_to(&buffer[..count], shared.node);
            }
        }
        for (from, own) in &callers {
            while let Ok((count, _)) = own.recv_from(&mut buffer) {
                if !shared.is_stalled() {
                    open_doors(shared, &mut doors);
                    let _ = socket.send_to(&buffer[..count], from);
                }
            }
        }
    }
}

/// Listens wherever the node does.
fn open_doors(shared: &Arc<Shared>, doors: &mut BTreeMap<u16, Arc<AtomicBool>>) {
    let listening = listening_at(shared.node.ip());
    doors.retain(|port, closed| {
        let stays = listening.contains(port);
        closed.store(!stays, Ordering::SeqCst);
        stays
    });
    for port in listening {
        if doors.contains_key(&port) {
            continue;
        }
        // A port that was just closed here may be taken for a moment.
        let Ok(listener) = TcpListener::bind((shared.own, port)) else { continue };
        let closed = Arc::new(AtomicBool::new(false));
        doors.insert(port, Arc::clone(&closed));
        let shared = Arc::clone(shared);
        thread::spawn(move || keep_door(&shared, &listener, port, &closed));
    }
}

/// The ports of this loopback address at which somebody listens.
fn listening_at(ip: IpAddr) -> Vec<u16> {
    let IpAddr::V4(ip) = ip else { panic!("a loopback address") };
    let own = format!("{:08X}", u32::from_ne_bytes(ip.octets()));
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
    let port = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (address, _, state) = (words.next()?, words.next()?, words.next()?);
        let (ip, port) = address.split_once(':')?;
        (ip == own && state == "0A").then(|| u16::from_str_radix(port, 16).ok())?
    };
    table.lines().filter_map(port).collect()
}

// --- sessions ---

fn keep_door(shared: &Arc<Shared>, listener: &TcpListener, port: u16, closed: &AtomicBool) {
    listener.set_nonblocking(true).expect("set");
    while !shared.has_ended() && !closed.load(Ordering::SeqCst) {
        match listener.accept() {
            Ok((visitor, _)) => {
                visitor.set_nonblocking(false).expect("set");
                let Some(node) = connected(shared.own, SocketAddr::new(shared.node.ip(), port))
                else {
                    continue;
                };
                shared.counted.lock().expect("no panic").sessions += 1;
                for (from, to, is_back) in [(&visitor, &node, false), (&node, &visitor, true)] {
                    let copy = |stream: &TcpStream| stream.try_clone().expect("a stream");
                    let (from, to, shared) = (copy(from), copy(to), Arc::clone(shared));
                    thread::spawn(move || pass(&shared, from, to, is_back));
                }
            }
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => thread::sleep(LOOK),
            Err(_) => return,
        }
    }
}

/// A connection from the relay's own address: the node lets in only who knocked.
fn connected(own: IpAddr, node: SocketAddr) -> Option<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).ok()?;
    bind(&socket, &SocketAddr::new(own, 0)).ok()?;
    connect(&socket, &node).ok()?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).ok()?;
    Some(stream)
}

fn pass(shared: &Shared, mut from: TcpStream, mut to: TcpStream, is_back: bool) {
    from.set_read_timeout(Some(LOOK)).expect("set");
    let _ = from.set_nodelay(true);
    let (mut buffer, begun, mut all) = ([0; PASSED], Instant::now(), 0);
    while !shared.has_ended() {
        if shared.is_stalled() {
            thread::sleep(LOOK);
            continue;
        }
        let count = match from.read(&mut buffer) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(count) => count,
            Err(cause) if matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if shared.budget.load(Ordering::SeqCst) == 0 {
                    break;
                }
                continue;
            }
            Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let may = shared.may_pass(count);
        all += may as u64;
        let speed = shared.speed.load(Ordering::SeqCst);
        if speed > 0 {
            let due = begun + Duration::from_secs_f64(all as f64 / speed as f64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        shared.note(is_back, may);
        if to.write_all(&buffer[..may]).is_err() || may < count {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
