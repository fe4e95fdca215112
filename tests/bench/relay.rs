//! A TCP connection with somebody in between, who counts what passes and can be slow.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes that wait on either side of a slow link: what a modem holds.
const HELD: usize = 32 * 1024;
/// Bytes passed on at a time.
const PASSED: usize = 8 * 1024;

/// What is in between.
#[derive(Clone, Copy, Debug)]
pub struct Relay {
    pub bytes_per_second: Option<u64>,
}

/// What passed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passed {
    pub bytes: u64,
    /// How often the other side began to speak.
    pub turns: u64,
    last: Option<usize>,
}

/// A relay that runs until both ends are closed.
pub struct Running {
    threads: [JoinHandle<()>; 2],
    passed: Arc<Mutex<Passed>>,
}

impl Running {
    /// Waits until both ends are closed.
    pub fn join(self) -> Passed {
        for thread in self.threads {
            thread.join().expect("no panic");
        }
        *self.passed.lock().expect("no panic")
    }
}

/// Both ends of a connection through a relay.
pub fn streams(relay: Relay) -> ((TcpStream, TcpStream), Running) {
    let (client, from) = pair(relay);
    let (to, server) = pair(relay);
    let passed: Arc<Mutex<Passed>> = Arc::default();
    let copy = |stream: &TcpStream| stream.try_clone().expect("a stream");
    let threads = [(copy(&from), copy(&to)), (to, from)];
    let mut at = 0;
    let threads = threads.map(|(from, to)| {
        let (passed, side) = (Arc::clone(&passed), at);
        at += 1;
        thread::spawn(move || pass(from, to, relay, &|bytes| note(&passed, side, bytes)))
    });
    ((client, server), Running { threads, passed })
}

fn note(passed: &Mutex<Passed>, side: usize, bytes: usize) {
    let mut passed = passed.lock().expect("no panic");
    passed.bytes += bytes as u64;
    if passed.last != Some(side) {
        (passed.last, passed.turns) = (Some(side), passed.turns + 1);
    }
}

fn pair(relay: Relay) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let one = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let other = listener.accept().expect("a caller").0;
    for stream in [&one, &other] {
        stream.set_nodelay(true).expect("set");
        if relay.bytes_per_second.is_some() {
            rustix::net::sockopt::set_socket_send_buffer_size(stream, HELD).expect("set");
            rustix::net::sockopt::set_socket_recv_buffer_size(stream, HELD).expect("set");
        }
    }
    (one, other)
}

fn pass(mut from: TcpStream, mut to: TcpStream, relay: Relay, note: &dyn Fn(usize)) {
    let (begun, mut all, mut buffer) = (Instant::now(), 0, [0; PASSED]);
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        note(count);
        all += count as u64;
        if let Some(speed) = relay.bytes_per_second {
            let due = begun + Duration::from_secs_f64(all as f64 / speed as f64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
