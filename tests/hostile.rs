//! What strangers and peers gone bad may throw at a node: it goes on serving a true peer, keeps its memory,
//! says little in its log, and nothing of theirs controls a terminal.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use rand::RngExt;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;
use support::original::{
    ALARM, FILE, Original, TEXT, accept, connect, read, reset, socket, wait_closed, write,
};
use support::{HEAD, Network, Node, PATIENCE, left_out, until};

/// What all that a stranger or a peer can do may cost, kB: some thread stacks and buffers.
const MOST_KB: u64 = 8 * 1024;
/// Lines in the log for one kind of attack.
const MOST_LINES: usize = 12;
/// `MAX_PEER_SESSIONS`.
const MOST_SESSIONS: usize = 32;

/// Node 1 under attack by its peer 2, or by strangers; peer 3 is a true peer.
struct Siege {
    network: Network,
    node: Node,
    bad: Original,
    good: Original,
    calls: usize,
    begun: Instant,
    memory_kb: u64,
}

impl Siege {
    fn new(name: &str) -> Self {
        Self::of(Network::classic(name, 3))
    }

    fn of(network: Network) -> Self {
        let node = network.tier1(1);
        let [bad, good] = [2, 3].map(|number| Original::new(&network, number));
        let mut siege =
            Self { network, node, bad, good, calls: 0, begun: Instant::now(), memory_kb: 0 };
        siege.serves_the_good();
        siege.memory_kb = siege.node.memory_kb();
        siege
    }

    /// The true peer gets in and is heard.
    fn serves_the_good(&mut self) {
        self.calls += 1;
        let call = format!("call number {}.", self.calls);
        self.good.say(&call);
        self.node.wait_for_any(&call);
    }

    /// The siege is over: the node serves its true peer, has not grown, and has not filled the log.
    fn end(mut self) {
        self.serves_the_good();
        let (memory, logged) = (self.node.memory_kb(), self.node.logged());
        assert!(memory < self.memory_kb + MOST_KB, "from {} to {memory} kB", self.memory_kb);
        let most_lines = MOST_LINES * (1 + self.begun.elapsed().as_secs() as usize / 10);
        assert!(logged.lines().count() <= most_lines, "it logged much:\n{logged}");
        assert!(!logged.contains("panic"), "{logged}");
        assert!(self.node.is_running());
    }
}

// --- datagrams ---

#[test]
fn garbage_of_every_size_is_dropped() {
    let siege = Siege::new("garbage");
    let (socket, mut rng) = (socket(), rand::rng());
    for size in 0..=2000 {
        let mut bytes = vec![0; size];
        rng.fill(&mut bytes[..]);
        socket.send_to(&bytes, siege.network.addresses[0]).expect("sent");
        bytes.fill(b'7');
        socket.send_to(&bytes, siege.network.addresses[0]).expect("sent");
    }
    siege.end();
}

#[test]
fn unknown_tokens_and_the_nodes_own_open_no_door() {
    let mut siege = Siege::new("tokens");
    let own = siege.network.tokens[0].clone();
    let unknown = ["000000000000", "100000000008", "999999999999"].map(str::to_owned);
    for token in unknown.into_iter().chain([own]) {
        let socket = socket();
        siege.bad.send(&socket, &token);
        siege.bad.send(&socket, TEXT);
        siege.bad.send(&socket, FILE);
    }
    siege.serves_the_good();
    assert_eq!(siege.bad.waiting(), [""; 0], "a stranger got an answer");
    assert!(!siege.node.logged().contains("9999999"), "a token was logged");
    siege.end();
}

#[test]
fn doors_that_nobody_enters_are_few_and_close() {
    let siege = Siege::new("doors");
    let sockets: Vec<_> = (0..MOST_SESSIONS + 8).map(|_| socket()).collect();
    for socket in &sockets {
        siege.bad.send_knock(socket, TEXT);
    }
    siege.node.wait_for_log("no place for a session of peer 2");
    until("all doors have been answered", {
        let mut doors = Vec::new();
        let bad = &siege.bad;
        move || {
            doors.extend(bad.waiting());
            doors.len() >= MOST_SESSIONS
        }
    });
    // The knock that gets in again comes after those doors have closed: none of them is known any more.
    write(&mut siege.bad.insist(TEXT), "in again");
    siege.node.wait_for_any("in again");
    siege.end();
}

#[test]
fn somebody_elses_machine_does_not_get_in_at_a_peers_door() {
    let Some((ip, siege)) = siege_on_own_address("door-stranger") else { return };
    let door = siege.bad.knock(TEXT);
    let strangers: Vec<_> = (0..8).map(|_| connect_from(Ipv4Addr::LOCALHOST, door)).collect();
    let mut peer = connect_from(ip, door);
    for mut stranger in strangers {
        wait_closed(&mut stranger);
    }
    write(&mut peer, "only I came in");
    siege.node.wait_for_any("only I came in");
    siege.end();
}

/// A siege on an address of this machine that is not the loopback's: to it the loopback is a stranger.
fn siege_on_own_address(name: &str) -> Option<(IpAddr, Siege)> {
    let socket = socket();
    // Nothing is sent: this only asks the system which address it would send from.
    let own =
        socket.connect("203.0.113.1:9").and_then(|()| socket.local_addr()).map(|own| own.ip());
    match own {
        Ok(ip) if !ip.is_loopback() => {
            Some((ip, Siege::of(Network::classic(name, 3).moved_to(ip))))
        }
        _ => {
            left_out(name, "this machine has only a loopback address");
            None
        }
    }
}

fn connect_from(ip: impl Into<IpAddr>, to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType};
    let socket =
        rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    rustix::net::bind(&socket, &SocketAddr::new(ip.into(), 0)).expect("an address of this machine");
    rustix::net::connect(&socket, &to).expect("the door is open");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream
}

#[test]
fn whoever_slips_in_at_a_door_and_leaves_costs_the_peer_one_knock_and_no_more() {
    let siege = Siege::new("door-thief");
    for end in [drop, reset] {
        end(connect(siege.bad.knock(TEXT)));
        write(&mut siege.bad.insist(TEXT), "I knocked again");
        siege.node.wait_for("I knocked again");
    }
    siege.end();
}

#[test]
fn whoever_slips_in_at_a_door_and_leaves_does_not_take_the_peers_session() {
    let siege = Siege::new("door-live");
    let door = siege.bad.knock(TEXT);
    let thief = connect(door);
    let peer = TcpStream::connect(door);
    drop(thief);
    write(&mut peer.expect("the door is still open"), "I am the peer");
    siege.node.wait_for("I am the peer");
}

// --- sessions ---

/// A peer takes all its places with sessions in which it says nothing.
fn silent_sessions(siege: &Siege, purpose: &str) -> Vec<TcpStream> {
    let silent = (0..MOST_SESSIONS).map(|_| siege.bad.insist(purpose)).collect();
    // On a slow machine the first of them may have ended by now: knocks take those places too.
    until("all places of peer 2 are taken", || {
        siege.bad.send_knock(&socket(), TEXT);
        siege.node.logged().contains("no place for a session of peer 2")
    });
    silent
}

#[test]
fn silent_text_sessions_take_the_places_of_their_peer_only() {
    let mut siege = Siege::new("silent-text");
    let silent = silent_sessions(&siege, TEXT);
    siege.serves_the_good();
    drop(silent);
    siege.bad.say("I get in again");
    siege.node.wait_for("I get in again");
    siege.end();
}

#[test]
fn silent_file_sessions_are_ended() {
    let mut siege = Siege::new("silent-file");
    let mut silent = silent_sessions(&siege, FILE);
    siege.serves_the_good();
    silent.iter_mut().for_each(wait_closed);
    siege.bad.say("I get in again");
    siege.node.wait_for("I get in again");
}

#[test]
fn a_peer_that_never_stops_talking_is_cut_off() {
    let siege = Siege::new("talk");
    let line = "না ".repeat(3000);
    for purpose in [TEXT, TEXT] {
        let mut session = siege.bad.insist(purpose);
        until("the node hangs up", || session.write_all(line.as_bytes()).is_err());
    }
    siege.end();
}

#[test]
fn a_peer_that_talks_in_single_bytes_is_cut_off() {
    let siege = Siege::new("bytes");
    let mut session = siege.bad.insist(TEXT);
    let mut talk = std::iter::repeat_with(|| session.write_all(b"x")).take(1 << 20);
    assert!(talk.any(|sent| sent.is_err()), "it was listened to for ever");
    siege.end();
}

#[test]
fn a_peer_that_raises_alarm_after_alarm_does_not_flood_the_screen() {
    let siege = Siege::new("alarms");
    for _ in 0..100 {
        write(&mut siege.bad.insist(TEXT), ALARM);
    }
    siege.node.wait_for_log("floods the screen");
    siege.node.wait_for_any("EMERGENCY ALARM from peer 2");
    let shown = siege.node.count("EMERGENCY ALARM from peer 2");
    assert!((1..50).contains(&shown), "{shown} alarms");
    siege.end();
}

#[test]
fn files_of_endless_lines_fill_no_memory() {
    let siege = Siege::new("endless-line");
    for letter in ["x", "\"", ",", "\u{1b}", "\n", "\0"] {
        let piece = letter.repeat(1 << 20);
        let mut session = siege.bad.insist(FILE);
        write(&mut session, HEAD);
        for _ in 0..8 {
            write(&mut session, &piece);
        }
    }
    siege.end();
}

/// File sessions that bring no row, each ended and each broken off.
fn send_empty_files(siege: &Siege) {
    let empty = ["", "People:", "\n", HEAD, "Name, Id", "\u{feff}People:\r\n\r\n", "Camps:\nx\n"];
    for file in empty {
        write(&mut siege.bad.insist(FILE), file);
        let mut session = siege.bad.insist(FILE);
        write(&mut session, file);
        reset(session);
    }
}

#[test]
fn file_sessions_without_rows_bring_none() {
    let mut siege = Siege::new("empty-files");
    send_empty_files(&siege);
    siege.serves_the_good();
    assert_eq!(siege.network.people(1), [""; 0]);
}

#[test]
fn file_sessions_that_break_off_do_not_fill_the_log() {
    let siege = Siege::new("broken-files");
    send_empty_files(&siege);
    siege.end();
}

// --- readers ---

/// A reader on this machine: where it listens, and what it asks from.
fn reader(ip: &str) -> (TcpListener, UdpSocket) {
    let listener = TcpListener::bind((ip, 0)).expect("a free port");
    (listener, UdpSocket::bind((ip, 0)).expect("a free port"))
}

/// Asks the node for a refresh.
fn ask((listener, socket): &(TcpListener, UdpSocket), node: SocketAddr) {
    let at = listener.local_addr().expect("bound");
    for datagram in ["9999".to_owned(), format!("{},{}", at.ip(), at.port())] {
        socket.send_to(datagram.as_bytes(), node).expect("sent");
    }
}

/// Asks for a refresh, and is connected to.
fn refresh(node: SocketAddr) -> TcpStream {
    let reader = reader("127.0.0.1");
    ask(&reader, node);
    accept(&reader.0)
}

/// A node with many rows, and readers that have asked for them and take nothing.
fn siege_of_deaf_readers(name: &str) -> (Siege, Vec<TcpStream>) {
    let network = Network::classic(name, 3);
    let row = |at| format!("Person {at}, tall, , missing, {}\n", 100_000_000_000_000_000_u64 + at);
    network.put(1, &format!("{HEAD}{}", (0..ROWS).map(row).collect::<String>()));
    let siege = Siege::of(network);
    let deaf = (0..6).map(|_| refresh(siege.network.addresses[0])).collect();
    (siege, deaf)
}

const ROWS: u64 = 50_000;

#[test]
fn readers_that_never_read_hold_up_nobody() {
    let (mut siege, _deaf) = siege_of_deaf_readers("deaf");
    let copy = read(&mut refresh(siege.network.addresses[0]));
    assert_eq!(copy.lines().count() as u64, ROWS + 3);
    siege.serves_the_good();
}

#[test]
fn readers_that_never_read_fill_no_memory() {
    let (siege, mut deaf) = siege_of_deaf_readers("deaf-memory");
    // The first bytes come when the copy is made.
    deaf.iter_mut().for_each(|reader| reader.read_exact(&mut [0; 7]).expect("a title"));
    siege.end();
}

#[test]
fn a_false_node_fills_no_readers_memory() {
    let network = Network::classic("false-node", 1);
    let (node, mut reader) = (Original::new(&network, 1), network.tier2(1));
    let mut copy = node.asked_by(&mut reader);
    write(&mut copy, "People:\nName, Appearance, Last Seen, Status\n\n");
    // Twice as many rows as any node may hold.
    for part in 0..40 {
        let rows = (0..100_000).map(|at| format!("{part}x{at:x},,,\n"));
        write(&mut copy, &rows.collect::<String>());
    }
    drop(copy);
    reader.wait_for("Your copy is new: 2000000 people");
    assert!(reader.memory_kb() < 250_000, "{} kB", reader.memory_kb());
}

#[test]
fn a_reader_that_sends_without_end_is_cut_off() {
    let siege = Siege::new("reader-sends");
    let mut reader = refresh(siege.network.addresses[0]);
    let junk = vec![b'x'; 1 << 16];
    until("the node hangs up", || (0..1000).any(|_| reader.write_all(&junk).is_err()));
    siege.end();
}

#[test]
fn requests_for_refreshes_by_the_thousand_are_bounded() {
    let siege = Siege::new("refreshes");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let socket = socket();
    for at in 0..20_000_u32 {
        let to = match at % 4 {
            0 => "9999".to_owned(),
            1 => format!("127.0.0.1,{port}"),
            2 => format!("127.0.0.1,{}", 1024 + at % 60_000),
            _ => format!("10.{},40000", at % 250),
        };
        socket.send_to(to.as_bytes(), siege.network.addresses[0]).expect("sent");
    }
    siege.end();
}

// --- the screen ---

/// What could control a terminal: clear it, colour it, title it, ring it, turn the direction of reading.
const EVIL: [&str; 8] = [
    "\u{1b}[2J",
    "\u{1b}]0;title\u{7}",
    "\u{9b}31m",
    "\u{8}\u{8}",
    "\r",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
];

fn is_evil(letter: char) -> bool {
    (letter.is_control() && letter != '\n')
        || matches!(letter, '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn assert_harmless(node: &Node) {
    let (shown, logged) = (node.shown(), node.logged());
    let evil = shown.lines().chain(logged.lines()).find(|line| line.contains(is_evil));
    assert_eq!(evil, None, "it reached the terminal");
}

/// A file in which each row, whose name begins with `name` and whose Id with `first`, holds something evil.
fn evil_file(name: &str, first: u8) -> String {
    let rows = EVIL.into_iter().enumerate().map(|(at, evil)| {
        format!("{name}{at} {evil} x, {evil}, \"{evil},{evil}\", missing{evil}, {first}{at}\n")
    });
    format!(
        "{HEAD}{}\"{name}8\n{name}9, not a row\", , , missing, {first}8\n",
        rows.collect::<String>()
    )
}

#[test]
fn no_message_or_alarm_controls_the_terminal() {
    let siege = Siege::new("terminal-text");
    for (at, evil) in EVIL.into_iter().enumerate() {
        siege.bad.say(&format!("message {at} {evil} end"));
        siege.node.wait_for(&format!("message {at}"));
        siege.bad.say(&format!("EMERGENCY BROADCAST - - alarm {at} {evil} end"));
        siege.node.wait_for(&format!("alarm {at}"));
    }
    let forged = "Message from peer 3 (Cox's Bazar NW 1): two";
    siege.bad.say(&format!("one\n{forged}"));
    siege.node.wait_for("one");
    assert!(!siege.node.shown().lines().any(|line| line.starts_with(forged)), "a forged line");
    assert_harmless(&siege.node);
}

#[test]
fn no_row_controls_the_terminal() {
    let network = Network::classic("terminal-rows", 3);
    network.put(1, &evil_file("Own", 1));
    let mut siege = Siege::of(network);
    siege.bad.deliver(&evil_file("Row", 2));
    siege.node.wait_for("sent what it has");
    siege.node.type_lines(&["1", "2", "Row", "4", "Row", "", "4", "Row5", "", "", "", "found"]);
    siege.node.wait_for("Saved.");
    assert_harmless(&siege.node);
    assert_eq!(siege.node.count("Row9"), siege.node.count("Row8"), "a row made a line of its own");
}

#[test]
fn no_copy_controls_a_readers_terminal() {
    let network = Network::classic("terminal-copy", 1);
    let (node, mut reader) = (Original::new(&network, 1), network.tier2(1));
    write(&mut node.asked_by(&mut reader), &evil_file("Row", 2));
    reader.wait_for("Your copy is new");
    reader.type_lines(&["1", "2", "Row"]);
    reader.wait_for("match");
    assert_harmless(&reader);
}

// --- a flood ---

const KINDS: [&str; 9] = [
    "junk",
    "000000000001",
    "t",
    "f",
    "9999",
    "1.2.3.4,4000",
    "45000",
    "100000000007",
    "\u{1b}[2J",
];

/// Sends as many hostile datagrams as it is told to, again and again, from a socket of its own.
fn flood(bursts: &Receiver<usize>, from: IpAddr, node: SocketAddr) -> usize {
    let (socket, mut sent) = (UdpSocket::bind((from, 0)).expect("a free port"), 0);
    for count in bursts {
        for kind in KINDS.iter().cycle().skip(sent % KINDS.len()).take(count) {
            // A full buffer is no failure of the flood.
            let _ = socket.send_to(kind.as_bytes(), node);
        }
        sent += count;
    }
    sent
}

/// A thousand hostile datagrams around each of a thousand knocks of a peer, which brings a row each time.
fn withstand_a_flood(siege: Siege, from: IpAddr) {
    let (knocks, hostile, sources) = (1000, 1_000_000, 4);
    let (address, begun) = (siege.network.addresses[0], Instant::now());
    std::thread::scope(|scope| {
        let floods: Vec<_> = (0..sources)
            .map(|_| {
                let (order, bursts) = channel();
                (order, scope.spawn(move || flood(&bursts, from, address)))
            })
            .collect();
        for at in 0..knocks {
            for (order, _) in &floods {
                order.send(hostile / knocks / sources).expect("it floods");
            }
            siege.bad.deliver(&format!("{HEAD}Person {at}, tall, , missing, {at}\n"));
        }
        let sent = floods.into_iter().map(|(order, thread)| {
            drop(order);
            thread.join().expect("it flooded")
        });
        assert_eq!(sent.sum::<usize>(), hostile);
    });
    until("a row of every session", || siege.network.people(1).len() == knocks);
    eprintln!(
        "{hostile} hostile datagrams, {knocks} sessions in {:.1} s; memory {} kB before, {} kB after; log:\n{}",
        begun.elapsed().as_secs_f32(),
        siege.memory_kb,
        siege.node.memory_kb(),
        siege.node.logged()
    );
    siege.end();
}

#[test]
fn a_flood_from_a_peers_own_machine_keeps_it_out_no_more_than_others() {
    withstand_a_flood(Siege::new("flood"), Ipv4Addr::LOCALHOST.into());
}

#[test]
fn a_flood_of_strangers_keeps_no_true_peer_out() {
    let Some((_, siege)) = siege_on_own_address("flood-strangers") else { return };
    withstand_a_flood(siege, Ipv4Addr::LOCALHOST.into());
}

#[test]
fn a_stranger_that_floods_keeps_no_other_reader_out() {
    let Some((_, mut siege)) = siege_on_own_address("flood-reader") else { return };
    let address = siege.network.addresses[0];
    let (flooder, reader) = (UdpSocket::bind("127.0.0.1:0").expect("a port"), reader("127.0.0.2"));
    let flood = |count| {
        for _ in 0..count {
            let _ = flooder.send_to(b"junk", address);
        }
    };
    for _ in 0..10 {
        flood(500);
        // Until all of them are read: so none is lost on the way.
        siege.serves_the_good();
    }
    for _ in 0..3 {
        flood(300);
        ask(&reader, address);
    }
    accept(&reader.0);
    siege.end();
}
