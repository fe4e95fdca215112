//! What attackers can do to a sealed network: each row of the "Trust boundaries" of the design, and each attack
//! that SECURITY.md answers. The attackers are processes of their own (see `support::attacker`), which hold
//! what such an attacker can hold; a true peer works meanwhile, and at the end the node is as it was.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod support;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use reunite::base::clock::Deadline;
use reunite::base::error::Error;
use reunite::model::caller::CallState;
use reunite::model::codec::Encoder;
use reunite::model::datagram::{CallId, Cookie, Datagrams, NOISE_1};
use reunite::model::frame;
use reunite::model::identity::Identity;
use reunite::model::keys::{NetworkKeys, SecretKey};
use reunite::model::ledger::alarm::Raised;
use reunite::model::ledger::block::Verified;
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::fork::ForkProof;
use reunite::model::ledger::heads::{Head, Heads};
use reunite::model::ledger::import::import;
use reunite::model::ledger::names::{LogName, Namer};
use reunite::model::ledger::pen::Pen;
use reunite::model::ledger::state::State;
use reunite::model::limits::{
    ALARM_BURST, BUSY_RETRY, MAX_FINDS, MAX_FRAME, MAX_MEMBER_DOORS, MAX_PEER_MEETINGS,
    MAX_PEER_SESSIONS, MAX_ROWS_BYTES, MAX_ROWS_PIECE, MAX_SPOKEN, MESSAGE_BURST, WRONG_TOKENS,
};
use reunite::model::meeting::{Having, MAX_BLOCKS_PIECE, Meeting, bundle};
use reunite::model::message::{
    Bind, Declined, Fetching, Giving, Listening, Opened, Opening, Taking, Talking,
};
use reunite::model::noise::Purpose;
use reunite::model::offer::{Offer, Parts, RowHash, Want, Wanted};
use reunite::model::reconcile::Index;
use reunite::model::row::Row;
use reunite::model::section::Section;
use reunite::model::spoken::Spoken;
use reunite::model::squeeze::{Effort, Squeezer, unsqueeze};
use reunite::model::statement::Signer;
use reunite::net::tls::{Credentials, Other};
use reunite::store::peer_book::PeerBook;
use rustls::Connection;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::attacker::{
    self, Attacker, Held, Holds, Knocked, Played, Raw, Role, came, connect, doors, elsewhere,
    guests, identity, let_others_be_served, say, say_in, seconds, socket_to, token, until_decided,
};
use support::certificates::{certified_client, certified_server};
use support::{HEAD, Network, Node, PATIENCE, until};

/// What all that an attacker can do may cost, kB: thread stacks, buffers, and what the allocator keeps of them.
const MOST_KB: u64 = 16 * 1024;
/// Lines in the log for one kind of attack, for each ten seconds.
const MOST_LINES: usize = 12;

/// No byte.
const NOTHING: [u8; 0] = [];

/// What the processes of attackers do.
const ROLES: [(&str, Role); 21] = [
    ("strange", strange),
    ("unknown", unknown),
    ("unwelcome-reader", unwelcome_reader),
    ("replay", replay),
    ("replay-old", replay_old),
    ("other-in-tls", other_in_tls),
    ("curious-reader", curious_reader),
    ("slow-reader", slow_reader),
    ("race", race),
    ("half-open", half_open),
    ("flood", flood),
    ("trickle-talk", trickle_talk),
    ("trickle-rows", trickle_rows),
    ("trickle-reader", trickle_reader),
    ("frames", frames),
    ("bomb", bomb),
    ("old-tls", old_tls),
    ("seized", seized),
    ("over-limits", over_limits),
    ("forger", forger),
    ("offender", offender),
];

#[test]
fn an_attacker_in_a_process_of_its_own() {
    attacker::play(&ROLES);
}

/// Node 1 under attack; peer 3 is a true peer.
struct Siege {
    network: Network,
    node: Option<Node>,
    good: Held,
    calls: usize,
    begun: Instant,
    memory_kb: u64,
}

impl Siege {
    fn new(name: &str) -> Self {
        Self::of(Network::new(name, 4))
    }

    fn of(network: Network) -> Self {
        let good = Held::of(network.folder.path(), Holds::Peer(3));
        let node = Some(network.tier1(1));
        let mut siege = Self { network, node, good, calls: 0, begun: Instant::now(), memory_kb: 0 };
        siege.serves_the_good();
        siege.memory_kb = siege.node().memory_kb();
        siege
    }

    fn node(&self) -> &Node {
        self.node.as_ref().expect("it runs")
    }

    /// The true peer gets in and is heard.
    fn serves_the_good(&mut self) {
        self.calls += 1;
        let call = format!("call number {}.", self.calls);
        assert_eq!(self.good.say(&call).expect("it gets in"), Listening::Heard);
        self.node().wait_for_any(&call);
    }

    /// Lets an attacker do what it does; returns what it told.
    fn suffer(&mut self, role: &str, holds: Holds) -> Vec<String> {
        let (mut attacker, mut told) = (Attacker::start(&self.network, role, holds), Vec::new());
        while let Some(said) = attacker.hear() {
            match said.as_str() {
                "serve" => self.serves_the_good(),
                "restart" => {
                    self.node.take().expect("it runs").kill();
                    self.node = Some(self.network.tier1(1));
                }
                _ => told.push(said),
            }
            attacker.go_on();
        }
        told
    }

    /// The siege is over: the node serves its true peer, has not grown, has not filled the log, has no door
    /// left open, and ends well.
    fn end(mut self) {
        self.serves_the_good();
        let (ip, mut node) = (self.network.ip, self.node.take().expect("it runs"));
        let (memory, logged) = (node.memory_kb(), node.logged());
        eprintln!("memory {} kB before, {memory} kB after; log:\n{logged}", self.memory_kb);
        assert!(memory < self.memory_kb + MOST_KB, "from {} to {memory} kB", self.memory_kb);
        let most_lines = MOST_LINES * (1 + self.begun.elapsed().as_secs() as usize / 10);
        assert!(logged.lines().count() <= most_lines, "it logged much:\n{logged}");
        assert!(!logged.contains("panic"), "{logged}");
        assert!(node.is_running());
        until("all doors are closed", || doors(ip).is_empty());
        assert!(node.quit().success());
    }
}

// --- strangers ---

#[test]
fn a_stranger_without_the_networks_keys_gets_no_answer_at_all() {
    let mut siege = Siege::new("stranger");
    siege.suffer("strange", Holds::Nothing);
    siege.end();
}

fn strange(held: &Held) {
    let socket = socket_to(held.node);
    let datagrams = held.datagrams();
    for round in 0..200 {
        let call = CallId(rand::random());
        let hello = datagrams.hello(call, &mut rand::rng());
        let knock = datagrams.knock(call, Cookie(rand::random()), &[7; NOISE_1], &mut rand::rng());
        let cookie = datagrams.cookie(call, Cookie(rand::random()));
        let port = datagrams.port(call, &[7; 88]);
        for bytes in [&hello[..], &knock, &cookie, &port, &vec![round as u8; round]] {
            socket.send_to(bytes, held.node).expect("sent");
        }
        if round % 50 == 49 {
            let_others_be_served();
        }
    }
    assert_eq!(came(&socket), [[0; 0]; 0], "it was answered");
    assert_eq!(doors(held.node.ip()), [0; 0]);
}

#[test]
fn a_stranger_with_the_networks_keys_and_no_identity_of_it_opens_no_door() {
    let mut siege = Siege::new("unknown");
    siege.suffer("unknown", Holds::Peer(2));
    siege.end();
}

/// Has the network's keys and a token, but a knock key of its own; or knocks for another node.
fn unknown(held: &Held) {
    let socket = socket_to(held.node);
    for _ in 0..8 {
        let mut errand = held.errand(Purpose::Talk);
        errand.own = SecretKey::random(&mut rand::rng()).into();
        Knocked::sent(&held.datagrams(), errand, &socket, held.node);
        let mut errand = held.errand(Purpose::Sync);
        errand.to = [9; 32].into();
        Knocked::sent(&held.datagrams(), errand, &socket, held.node);
        let later = NetworkKeys { epoch: 2, ..support::copy(&held.keys) };
        let hello = Datagrams::new(&later).hello(CallId([1; 16]), &mut rand::rng());
        socket.send_to(&hello, held.node).expect("sent");
    }
    let_others_be_served();
    assert_eq!(came(&socket), [[0; 0]; 0], "a knock was answered");
    assert_eq!(doors(held.node.ip()), [0; 0]);
}

#[test]
fn a_tier_2_device_that_knocks_for_messages_or_the_database_opens_no_door() {
    let mut siege = Siege::new("unwelcome-reader");
    siege.suffer("unwelcome-reader", Holds::Reader);
    siege.end();
}

fn unwelcome_reader(held: &Held) {
    let socket = socket_to(held.node);
    for purpose in [Purpose::Talk, Purpose::Sync] {
        Knocked::sent(&held.datagrams(), held.errand(purpose), &socket, held.node);
        // Even if it got hold of the secret and the token of a peer, without the network's key.
        let seized = Held::of(&held.folder, Holds::Peer(2));
        Knocked::sent(&held.datagrams(), seized.errand(purpose), &socket, held.node);
    }
    let_others_be_served();
    assert_eq!(came(&socket), [[0; 0]; 0], "a knock was answered");
    assert_eq!(doors(held.node.ip()), [0; 0]);
    assert!(held.open(Purpose::Refresh).is_ok(), "what is for it is open");
}

// --- replays ---

#[test]
fn a_knock_replayed_reordered_cut_changed_or_from_elsewhere_opens_no_second_door() {
    let mut siege = Siege::new("replay");
    siege.suffer("replay", Holds::Peer(2));
    siege.end();
}

fn replay(held: &Held) {
    let (socket, datagrams) = (socket_to(held.node), held.datagrams());
    let ip = held.node.ip();
    let Knocked { hello, knock, answer, .. } =
        Knocked::with_answer(&datagrams, held.errand(Purpose::Talk), &socket, held.node);
    assert_eq!(doors(ip).len(), 1);
    let others = [socket_to(held.node), UdpSocket::bind((elsewhere(held.node), 0)).expect("bound")];
    for _ in 0..5 {
        socket.send_to(&knock, held.node).expect("sent");
        assert_eq!(attacker::next(&socket), answer, "not the same answer");
        for other in &others {
            other.send_to(&knock, held.node).expect("sent");
        }
    }
    // The answer before the question, and both again.
    for bytes in [&answer, &knock, &hello, &knock] {
        socket.send_to(bytes, held.node).expect("sent");
    }
    until_decided(&datagrams, held.node);
    let answers = came(&socket);
    assert_eq!(answers.len(), 3, "the knock, the hello, and the knock again");
    assert!(answers[0] == answer && answers[2] == answer);
    assert_eq!(doors(ip).len(), 1, "a second door");
    assert!(others.iter().all(|other| came(other).is_empty()), "an answer to elsewhere");

    let cut = |bytes: &[u8]| (0..bytes.len()).map(|to| bytes[..to].to_vec()).collect::<Vec<_>>();
    let flipped = |bytes: &[u8]| {
        let flip = |bit: usize| {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        (0..bytes.len() * 8).map(flip).collect::<Vec<_>>()
    };
    let changed = [cut(&hello), cut(&knock), flipped(&hello), flipped(&knock), flipped(&answer)];
    for (at, bytes) in changed.concat().iter().enumerate() {
        socket.send_to(bytes, held.node).expect("sent");
        if at % 64 == 0 {
            until_decided(&datagrams, held.node);
        }
    }
    until_decided(&datagrams, held.node);
    assert_eq!(came(&socket), [[0; 0]; 0], "what was changed was answered");
    assert!(doors(ip).len() <= 1, "a second door");
}

#[test]
fn a_knock_recorded_before_the_node_was_started_anew_opens_no_door() {
    let mut siege = Siege::new("replay-old");
    siege.suffer("replay-old", Holds::Peer(2));
    siege.node().wait_for_any("call number 2.");
    siege.end();
}

fn replay_old(held: &Held) {
    let socket = socket_to(held.node);
    let knocked =
        Knocked::with_answer(&held.datagrams(), held.errand(Purpose::Talk), &socket, held.node);
    say("restart");
    for bytes in [&knocked.knock, &knocked.answer, &knocked.knock] {
        socket.send_to(bytes, held.node).expect("sent");
    }
    let_others_be_served();
    assert_eq!(came(&socket), [[0; 0]; 0], "an old knock was answered");
    assert_eq!(doors(held.node.ip()), [0; 0]);
}

// --- sessions that do not belong to their knock ---

#[test]
fn whoever_knocks_as_itself_gets_in_neither_as_another_nor_by_another_knock() {
    let mut siege = Siege::new("other-in-tls");
    siege.suffer("other-in-tls", Holds::Peer(2));
    siege.node().wait_for_any("Message from peer 2");
    assert_eq!(siege.node().count("Message from peer 2"), 1, "only the true one came in");
    assert_eq!(siege.node().count("never"), 0);
    siege.end();
}

fn other_in_tls(held: &Held) {
    let earlier = held.knock(Purpose::Talk).opened();
    let (port, bind) = held.knock(Purpose::Talk).opened();
    let door = SocketAddr::new(held.node.ip(), port);
    let enter = |credentials: &Credentials| {
        let tls = credentials.client(&held.node_keys.identity).expect("right");
        let mut raw = Raw::new(tls, connect(door));
        // In TLS 1.3 the client is done before the node has judged its key.
        let _ = raw.shake();
        raw
    };
    // Right binding, wrong key: another member's, a made-up one.
    let other = Credentials::of(&identity(&held.folder, 4)).expect("a key");
    let made_up = Identity::random(&mut rand::rng());
    let made_up = Credentials::of(&made_up).expect("a key");
    let first = Opening::Bind(bind).encode();
    for credentials in [&other, &made_up] {
        let mut raw = enter(credentials);
        let _ = raw.frame(&first);
        assert_eq!(raw.until_ended(), NOTHING);
    }
    // Right key; the binding of an earlier knock, one made up, none.
    let never = Talking::Say(Spoken::try_from("never").expect("short"));
    let of_another = Opening::Bind(earlier.1).encode();
    let no_one = Opening::Bind(Bind::new([0; 16], [0; 32])).encode();
    for wrong in [of_another, no_one, never.encode(), Opened::Welcome.encode()] {
        let mut raw = enter(&held.credentials());
        let _ = raw.frame(&wrong);
        let _ = raw.frame(&never.encode());
        assert_eq!(raw.until_ended(), NOTHING);
    }
    // The door is still there for the right one, and gone after it.
    let mut raw = enter(&held.credentials());
    raw.frame(&first).expect("it listens");
    raw.welcomed();
    raw.frame(&Talking::Say(Spoken::try_from("in at last").expect("short")).encode())
        .expect("sent");
    assert_eq!(raw.expect(), Listening::Heard.encode());
    assert!(TcpStream::connect(door).is_err(), "its binding is of use a second time");
}

// --- tier 2 ---

const PERSON_ID: &str = "482915736620194857";
const WARD: &str = "secret vaccination ward";

/// A node with a person that has an Id, vaccinations and a camp.
fn siege_with_secrets(name: &str) -> Siege {
    let network = Network::new(name, 4);
    let vaccinations =
        "Vaccinations:\nPerson Id, Vaccine, Brand, Lot, Date, Dose, Country, Centre\n\n";
    network.put(
        1,
        &format!(
            "{HEAD}Nur Begum, scar, Balukhali, missing, {PERSON_ID}\n\n{vaccinations}{PERSON_ID}, MMR, \
             Brand, L7, 1/1/24, 1, BD, {WARD}\n"
        ),
    );
    Siege::of(network)
}

#[test]
fn a_tier_2_device_gets_public_rows_and_no_id_no_vaccination_and_no_say() {
    let mut siege = siege_with_secrets("curious-reader");
    let heard = siege.suffer("curious-reader", Holds::Reader);
    assert!(heard.iter().any(|heard| heard.contains("Nur Begum")), "{heard:?}");
    let all = heard.concat();
    assert!(!all.contains(PERSON_ID) && !all.contains(&PERSON_ID[..8]) && !all.contains(WARD));
    assert!(!siege.node().shown().contains("from a reader"));
    assert_eq!(siege.network.people(1).len(), 1, "it wrote something");
    siege.end();
}

fn alarm(text: Spoken) -> Talking {
    Talking::Alarm(Raised::new(text, &mut rand::rng()))
}

fn curious_reader(held: &Held) {
    let forged = Talking::Say(Spoken::try_from("from a reader").expect("short"));
    let alarm = alarm(Spoken::try_from("from a reader").expect("short"));
    let index = Index::new([(Section::People, "From, a, reader, missing, 7")]);
    let row = b"\x01\x00\x1bFrom, a, reader, missing, 7".to_vec();
    let rows = Giving::Rows(Squeezer::new().squeeze(&row, Effort::Stored).into()).encode();
    let all = Taking::Want(Want { last: true, buckets: vec![want(0)] }).encode();
    let offer = Giving::Offer(index.offer()).encode();
    let mut heard = Vec::new();
    // In the place of the first message, and after it.
    for body in [&forged.encode(), &alarm.encode(), &offer, &rows, &all, &Giving::End.encode()] {
        let mut raw = held.enter(Purpose::Refresh);
        raw.frame(body).expect("sent");
        assert_eq!(raw.until_ended(), NOTHING, "it was answered");
        let mut raw = held.enter(Purpose::Refresh);
        heard.extend(fetched(&mut raw));
        if body != &all {
            raw.frame(body).expect("sent");
            assert_eq!(raw.until_ended(), NOTHING, "it was answered");
        }
    }
    // All that there is for it.
    let mut raw = held.enter(Purpose::Refresh);
    heard.extend(fetched(&mut raw));
    raw.frame(&all).expect("sent");
    loop {
        let body = raw.expect();
        let Giving::Rows(rows) = Giving::decode(&body).expect("rows") else { break };
        heard.push(unsqueeze(&rows, MAX_ROWS_PIECE).expect("squeezed").into_owned());
    }
    for heard in heard {
        say(&String::from_utf8_lossy(&heard).replace('\n', " "));
    }
}

/// Asks for a copy. Returns what is signed of it, and what is offered.
fn fetched(raw: &mut Raw) -> [Vec<u8>; 2] {
    raw.frame(&Fetching::Fetch([0; 32]).encode()).expect("sent");
    [raw.expect(), raw.expect()]
}

#[test]
fn a_slow_reader_keeps_no_third_copy_in_memory() {
    let mut siege = siege_with_secrets("slow-reader");
    siege.suffer("slow-reader", Holds::Peer(2));
    siege.end();
}

/// Asks for a copy and does not take it, while there is news, and others ask.
fn slow_reader(held: &Held) {
    let reader = Held::of(&held.folder, Holds::Reader);
    let begun = || {
        let mut raw = reader.enter(Purpose::Refresh);
        let [signed, _] = fetched(&mut raw);
        (raw, signed)
    };
    let goes_on = |raw: &mut Raw| {
        raw.frame(&Taking::Want(Want { last: true, buckets: vec![want(0)] }).encode())
            .expect("sent");
        raw.expect()
    };
    // A copy that took long to make is given for a while, although there is news.
    let begun_with_other = |old: &[u8]| {
        let end = Instant::now() + PATIENCE;
        loop {
            let (raw, signed) = begun();
            if signed != old {
                return (raw, signed);
            }
            assert!(Instant::now() < end, "the news is in no copy");
        }
    };
    let (first, signed) = begun();
    let mut slow = [first, begun().0];
    deliver(held, "One, , , missing, 5");
    let (mut newer, signed) = begun_with_other(&signed);
    assert!(matches!(Giving::decode(&goes_on(&mut slow[0])), Ok(Giving::Rows(_))));
    deliver(held, "Two, , , missing, 6");
    begun_with_other(&signed);
    let refused = Giving::Refused(Declined::Busy).encode();
    assert_eq!(goes_on(&mut slow[1]), refused, "it may be slow for ever");
    assert_eq!(slow[1].until_ended(), NOTHING);
    assert!(matches!(Giving::decode(&goes_on(&mut newer)), Ok(Giving::Rows(_))));
}

fn want(bucket: u16) -> Wanted {
    Wanted::whole(bucket)
}

// --- doors ---

#[test]
fn a_third_process_that_races_to_every_door_keeps_no_true_peer_out() {
    let siege = Siege::new("race");
    let mut attacker = Attacker::start(&siege.network, "race", Holds::Nothing);
    assert_eq!(attacker.hear().as_deref(), Some("racing"));
    let (mut knocks, ip) = (0, siege.network.ip);
    for call in 0..10 {
        let call = format!("through the crowd {call}.");
        // As `dial` does: it knocks again where others crowded the door.
        let session = (0..3).find_map(|_| {
            knocks += 1;
            let (port, bind) = siege.good.knock(Purpose::Talk).opened();
            until("others are at the door", || guests(ip, port) >= 6 || !doors(ip).contains(&port));
            siege.good.come_in(port, bind)
        });
        let mut session = session.expect("the true peer gets in");
        let spoken = Spoken::try_from(call.as_str()).expect("short");
        session.frame(&Talking::Say(spoken).encode()).expect("it listens");
        siege.node().wait_for_any(&call);
    }
    attacker.go_on();
    while let Some(told) = attacker.hear() {
        eprintln!("{told}; 10 sessions in {knocks} knocks");
        attacker.go_on();
    }
    siege.end();
}

/// Connects many times to whatever port it sees opened: in silence, with garbage, with TLS and a wrong key;
/// from the node's own machine and address, where a peer behind the same address could be.
fn race(held: &Held) {
    let (stop, ip) = (AtomicBool::new(false), held.node.ip());
    let made_up = Identity::random(&mut rand::rng());
    let credentials = Credentials::of(&made_up).expect("a key");
    let run = || {
        let (mut callers, mut count) = (Vec::new(), 0);
        while !stop.load(Ordering::Relaxed) {
            let open = doors(ip);
            if open.is_empty() {
                callers.clear();
            }
            for port in open {
                for kind in 0..12 {
                    let Ok(mut stream) = TcpStream::connect((ip, port)) else { break };
                    count += 1;
                    if kind % 3 == 1 {
                        let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
                    }
                    if kind % 3 == 2 {
                        let tls = credentials.client(&held.node_keys.identity).expect("right");
                        let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
                        let _ = Raw::new(tls, stream.try_clone().expect("a socket")).shake();
                    }
                    callers.push(stream);
                }
            }
        }
        count
    };
    std::thread::scope(|scope| {
        let racers = [scope.spawn(run), scope.spawn(run)];
        say("racing");
        stop.store(true, Ordering::Relaxed);
        let count: usize = racers.map(|racer| racer.join().expect("no panic")).iter().sum();
        say(&format!("{count} times somebody else was at the door"));
    });
}

#[test]
fn sixty_four_doors_that_nobody_comes_in_by_are_few_and_close_again() {
    let mut siege = Siege::new("half-open");
    siege.suffer("half-open", Holds::Peer(2));
    siege.end();
}

fn half_open(held: &Held) {
    let (mut open, mut busy) = (Vec::new(), 0);
    for _ in 0..64 {
        match held.knock(Purpose::Talk).progress {
            CallState::Open(port, _) => open.push(port),
            CallState::Busy(wait) => {
                assert_eq!(wait, BUSY_RETRY);
                busy += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(open.len() >= MAX_MEMBER_DOORS && busy > 0, "{} open, {busy} busy", open.len());
    assert!(doors(held.node.ip()).len() <= MAX_MEMBER_DOORS);
    // A third of them never connects, a third never speaks, a third never ends its handshake.
    let half = open.iter().enumerate().filter(|(at, _)| at % 3 > 0).filter_map(|(at, port)| {
        let mut stream = TcpStream::connect((held.node.ip(), *port)).ok()?;
        let mut tls = held.credentials().client(&held.node_keys.identity).expect("right");
        if at % 3 == 2 {
            let _ = tls.write_tls(&mut stream);
        }
        Some(stream)
    });
    let half: Vec<_> = half.collect();
    let_others_be_served();
    until("the doors close", || doors(held.node.ip()).is_empty());
    drop(half);
    assert_eq!(held.say("in again").expect("its doors are free"), Listening::Heard);
}

// --- a flood ---

#[test]
fn a_flood_of_ten_thousand_datagrams_a_second_keeps_no_message_and_no_row_of_true_peers_out() {
    let network = Network::new("flood", 4);
    let row = |at| format!("Person {at}, tall, , missing, {}\n", 100_000_000_000_000_000_u64 + at);
    network.put(2, &format!("{HEAD}{}", (0..500).map(row).collect::<String>()));
    let mut siege = Siege::of(network);
    let mut attacker = Attacker::start(&siege.network, "flood", Holds::Nothing);
    assert_eq!(attacker.hear().as_deref(), Some("ready"));
    attacker.go_on();
    let begun = Instant::now();
    let mut other = siege.network.tier1(2);
    other.type_lines(&["8", "1"]);
    let over = AtomicBool::new(false);
    let (told, calls) = std::thread::scope(|scope| {
        let listening = scope.spawn(|| {
            let told = attacker.hear();
            over.store(true, Ordering::Relaxed);
            attacker.go_on();
            assert_eq!(attacker.hear(), None);
            told
        });
        let before = siege.calls;
        let mut rows = 0;
        while !over.load(Ordering::Relaxed) {
            // No more messages than a peer may say at once.
            if siege.calls < 100 {
                siege.serves_the_good();
            }
            // And no more databases than it may bring.
            if rows < 200 {
                rows += 1;
                deliver(&siege.good, &format!("Brought {rows}, , , found, {rows}"));
            }
        }
        (listening.join().expect("no panic"), (siege.calls - before, rows))
    });
    until("all rows have come", || siege.network.people(1).len() == 500 + calls.1);
    eprintln!("{told:?} in {:.1} s; messages and databases meanwhile: {calls:?}", seconds(begun));
    siege.end();
}

/// Brings a change in a log of its own, and waits until it is on the disk.
fn deliver(held: &Held, line: &str) {
    let block = Author::of(held).block(&[line]);
    let mut raw = held.enter(Purpose::Sync);
    raw.frame(&heads_of(&[&block]).encode()).expect("sent");
    assert!(matches!(Meeting::decode(&raw.expect()), Ok(Meeting::Heads(_))));
    raw.frame(&given(&[&block]).encode()).expect("sent");
    raw.frame(&Meeting::Given { spare: Vec::new() }.encode()).expect("sent");
    let stored = raw.expect();
    let stored = Meeting::decode(&stored).expect("an answer");
    assert!(matches!(&stored, Meeting::Stored(stored) if stored.new == 1), "{stored:?}");
}

/// From four addresses: junk, and datagrams of right form with wrong keys.
fn flood(held: &Held) {
    let (each, slices) = (25, 600);
    let IpAddr::V4(ip) = held.node.ip() else { panic!("the tests use IPv4") };
    let datagrams = held.datagrams();
    let call = CallId(rand::random());
    let hello = datagrams.hello(call, &mut rand::rng());
    let knock = datagrams.knock(call, Cookie([1; 16]), &[2; NOISE_1], &mut rand::rng());
    let kinds = [&hello[..], &knock, b"junk", &[0; 220], b"", &[1, 1, 0, 1, 0, 0, 0, 0]];
    say("ready");
    let begun = Instant::now();
    let sent: usize = std::thread::scope(|scope| {
        let sources = [0, 1, 2, 3].map(|source| {
            scope.spawn(move || {
                let [a, b, c, _] = ip.octets();
                let from = Ipv4Addr::new(a, b, c, 100 + source);
                let (socket, mut sent) = (UdpSocket::bind((from, 0)).expect("a port"), 0);
                for slice in 1..=slices {
                    for kind in kinds.iter().cycle().take(each) {
                        // A full buffer is no failure of the flood.
                        sent += usize::from(socket.send_to(kind, held.node).is_ok());
                    }
                    // A hundred slices a second: this is the pace of the flood.
                    let next = begun + Duration::from_millis(10) * slice;
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                }
                assert_eq!(came(&socket), [[0; 0]; 0], "it was answered");
                sent
            })
        });
        sources.map(|source| source.join().expect("no panic")).iter().sum()
    });
    say(&format!("{sent} datagrams in {:.1} s", seconds(begun)));
}

// --- too slow, too large, out of place ---

#[test]
fn sixty_four_sessions_of_peers_and_all_readers_that_send_a_byte_a_second_are_cut_off() {
    let mut siege = siege_with_secrets("trickle");
    let roles = [
        ("trickle-talk", Holds::Peer(2)),
        ("trickle-rows", Holds::Peer(4)),
        ("trickle-reader", Holds::Reader),
    ];
    let mut attackers = roles.map(|(role, holds)| Attacker::start(&siege.network, role, holds));
    for attacker in &mut attackers {
        assert_eq!(attacker.hear().as_deref(), Some("in"));
        attacker.go_on();
    }
    siege.serves_the_good();
    for attacker in &mut attackers {
        assert_eq!(attacker.hear(), None);
        siege.serves_the_good();
    }
    siege.end();
}

/// Sends a byte of the message in each session, once a second, until the node has cut off all of them.
fn trickle(mut sessions: Vec<Raw>, message: &[u8]) {
    say("in");
    for byte in message.iter().take(60) {
        sessions.retain_mut(|session| session.send(&[*byte]).is_ok());
        if sessions.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    panic!("{} sessions go on for ever", sessions.len());
}

fn trickle_talk(held: &Held) {
    let sessions = (0..MAX_PEER_SESSIONS).map(|_| held.enter(Purpose::Talk)).collect();
    let message = Talking::Say(Spoken::try_from("x".repeat(MAX_SPOKEN).as_str()).expect("fits"));
    trickle(sessions, &frame::encode(&message.encode()));
}

fn trickle_rows(held: &Held) {
    let sessions = (0..MAX_PEER_MEETINGS).map(|_| held.enter(Purpose::Sync)).collect();
    let block = Author::of(held).block(&["Slow, , , missing, 9"]);
    trickle(sessions, &frame::encode(&heads_of(&[&block]).encode()));
}

fn trickle_reader(held: &Held) {
    let sessions = (0..8).map(|_| {
        let mut raw = held.enter(Purpose::Refresh);
        fetched(&mut raw);
        raw
    });
    trickle(sessions.collect(), &[&[0, 0, 0x40, 0], &[0; 100][..]].concat());
}

#[test]
fn frames_too_large_never_ending_empty_out_of_place_or_with_bytes_behind_end_their_session() {
    let mut siege = siege_with_secrets("frames");
    siege.suffer("frames", Holds::Peer(2));
    assert_eq!(siege.node().count("Message from peer 2"), 0);
    siege.end();
}

fn frames(held: &Held) {
    let reader = Held::of(&held.folder, Holds::Reader);
    let framed = frame::encode;
    let too_long = |length: usize| (length as u32).to_be_bytes().to_vec();
    // As few as a reader may knock at once.
    let kinds = [0, 1, 2, 16, 17, 18, 32, 33, 34, 36, 38, 48, 52, 53];
    let places = [
        (held, Purpose::Talk, vec![18], MAX_SPOKEN + 1),
        (held, Purpose::Sync, vec![38, 48], MAX_FRAME),
        (&reader, Purpose::Refresh, vec![32], 4 + (4 << 14)),
    ];
    for (who, purpose, right, longest) in places {
        let wrong_kinds = kinds.iter().filter(|kind| !right.contains(kind));
        let mut wrong: Vec<_> = wrong_kinds.map(|kind| framed(&[*kind])).collect();
        wrong.extend(right.iter().map(|kind| framed(&[*kind, 7])));
        wrong.extend([0, longest + 1, MAX_FRAME + 1, u32::MAX as usize].map(too_long));
        for bytes in wrong {
            let mut raw = who.enter(purpose);
            let _ = raw.send(&bytes);
            assert_eq!(raw.until_ended(), NOTHING, "{purpose:?} answers {:?}", &bytes[..4]);
        }
    }
    // Frames that never end, as many as it may have sessions: each is cut off.
    let mut endless: Vec<_> = (0..MAX_PEER_MEETINGS).map(|_| held.enter(Purpose::Sync)).collect();
    for raw in &mut endless {
        raw.send(&[&too_long(MAX_FRAME)[..], &[48; 10_000]].concat()).expect("sent");
    }
    let_others_be_served();
    for raw in &mut endless {
        assert_eq!(raw.until_ended(), NOTHING);
    }
    // Before it is known that the session is theirs, nobody makes the node hold more than a binding.
    for (who, purpose) in [(held, Purpose::Sync), (&reader, Purpose::Refresh)] {
        let (port, _) = who.knock(purpose).opened();
        let tls = who.credentials().client(&held.node_keys.identity).expect("right");
        let mut raw = Raw::new(tls, connect(SocketAddr::new(held.node.ip(), port)));
        raw.shake().expect("right keys");
        let _ = raw.send(&too_long(1000));
        assert_eq!(raw.until_ended(), NOTHING);
    }
}

/// A piece that says that it becomes `length` bytes, and becomes `real` bytes.
fn bomb_of(length: u32, real: usize) -> Vec<u8> {
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 20];
    for at in (0..real).step_by(zeros.len()) {
        deflated.write_all(&zeros[..zeros.len().min(real - at)]).expect("memory");
    }
    [&[1], &length.to_be_bytes()[..], &deflated.finish().expect("memory")].concat()
}

/// Little that becomes much, and says so or does not.
fn bombs(most: usize) -> Vec<Vec<u8>> {
    let largest = most as u32;
    vec![
        bomb_of(largest, 256 << 20),
        bomb_of(largest + 1, most + 1),
        bomb_of(u32::MAX, 64 << 20),
        bomb_of(1, 64 << 20),
        bomb_of(largest, 10),
        bomb_of(largest, most),
    ]
}

/// An offer of as much as may be offered.
fn great_offer() -> Giving<'static> {
    Giving::Offer(Offer { bits: 0, rows: 1_000_000, bytes: MAX_ROWS_BYTES, digests: vec![[7; 8]] })
}

#[test]
fn a_decompression_bomb_in_a_database_fills_no_memory() {
    let mut siege = Siege::new("bomb");
    siege.suffer("bomb", Holds::Peer(2));
    siege.end();
}

fn bomb(held: &Held) {
    for bomb in bombs(MAX_BLOCKS_PIECE) {
        let mut raw = held.enter(Purpose::Sync);
        raw.frame(&heads_of(&[]).encode()).expect("sent");
        assert!(matches!(Meeting::decode(&raw.expect()), Ok(Meeting::Heads(_))));
        let _ = raw.frame(&Meeting::Blocks(bomb.into()).encode());
        assert_eq!(raw.until_ended(), NOTHING, "it was taken");
    }
    let_others_be_served();
}

// --- TLS as it was ---

#[test]
fn clients_of_tls_1_2_or_with_certificates_are_refused() {
    let mut siege = Siege::new("old-tls");
    siege.suffer("old-tls", Holds::Peer(2));
    siege.end();
}

/// The hello of a client of TLS 1.2 (RFC 5246, section 7.4.1.2): no versions, ECDHE with ChaCha20, Ed25519.
fn hello_1_2() -> Vec<u8> {
    let extensions = [0, 10, 0, 4, 0, 2, 0, 29, 0, 13, 0, 4, 0, 2, 8, 7, 0, 11, 0, 2, 1, 0];
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xcc, 0xa9, 1, 0, 0, extensions.len() as u8]);
    hello.extend(extensions);
    let message = [&[1, 0, 0, hello.len() as u8][..], &hello].concat();
    [&[22, 3, 1, 0, message.len() as u8][..], &message].concat()
}

fn old_tls(held: &Held) {
    let (port, bind) = held.knock(Purpose::Talk).opened();
    let door = SocketAddr::new(held.node.ip(), port);
    let first = Opening::Bind(bind).encode();
    let mut stream = connect(door);
    stream.write_all(&hello_1_2()).expect("sent");
    let mut heard = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut heard);
    assert_eq!(heard.first(), Some(&21), "not an alert: {heard:?}");
    let (me, _) = held.me.as_ref().expect("an identity");
    for takes_raw in [false, true] {
        let tls = certified_client(me, takes_raw);
        let mut raw = Raw::new(tls, connect(door));
        let _ = raw.shake();
        let _ = raw.frame(&first);
        assert_eq!(raw.until_ended(), NOTHING);
    }
    let tls = held.credentials().client(&held.node_keys.identity).expect("right");
    let mut raw = Raw::new(tls, connect(door));
    raw.shake().expect("right keys");
    raw.frame(&first).expect("sent");
    raw.welcomed();
}

#[test]
fn a_node_with_a_certificate_or_another_key_gets_nothing_from_a_peer() {
    let network = Network::new("x509-server", 4);
    network.put(1, &format!("{HEAD}Nur Begum, scar, Balukhali, missing, {PERSON_ID}\n"));
    let mut siege = Siege::of(network);
    let secrets = siege.network.secrets.as_ref().expect("sealed");
    let other = Credentials::of(&secrets.identities[3]).expect("a key");
    let expected = Other::Node(secrets.identities[0].public().identity);
    // The node knocks again where a door was closed.
    let servers: Vec<Connection> = (0..3)
        .map(|at| match at {
            0 => certified_server(&secrets.identities[1]),
            _ => other.server(expected).expect("right"),
        })
        .collect();
    let mut played = Played::new(&siege.network, 2);
    let heard = std::thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let heard = servers.into_iter().map(|tls| {
                let (tcp, _) = played.visitor();
                let mut raw = Raw::new(tls, tcp);
                let _ = raw.shake();
                raw.until_ended()
            });
            heard.collect::<Vec<_>>().concat()
        });
        siege.node.as_mut().expect("it runs").type_lines(&["8", "2"]);
        serving.join().expect("no panic")
    });
    assert_eq!(heard, NOTHING, "it told something");
    siege.end();
}

// --- false nodes, for a reader ---

const OLD: &str = "Old row, , , missing";

/// A reader with an old copy that asks the node that is played three times, as it does; each time `serve` does
/// something to it. The reader stays as it was.
fn false_node(network: &Network, mut serve: impl FnMut(usize, &mut Played) + Send) {
    let folder = network.folder.path().join("tier2-1");
    std::fs::create_dir_all(&folder).expect("made");
    let old = format!("People:\nName, Appearance, Last Seen, Status\n\n{OLD}\n");
    std::fs::write(folder.join("T2DATABASE.txt"), old).expect("written");
    let mut played = Played::new(network, 1);
    let mut reader = network.tier2(1);
    let before = reader.memory_kb();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..3).for_each(|time| serve(time, &mut played)));
        reader.type_lines(&["3"]);
    });
    reader.wait_for("Your old copy is still there, unchanged.");
    reader.type_lines(&["1"]);
    reader.wait_for("Old row");
    assert!(reader.memory_kb() < before + MOST_KB, "{before} to {} kB", reader.memory_kb());
    assert!(!reader.logged().contains("panic"), "{}", reader.logged());
    assert!(reader.quit().success());
}

#[test]
fn a_node_with_another_key_at_the_right_address_gives_a_reader_nothing() {
    let network = Network::new("false-key", 1);
    let made_up = Identity::random(&mut rand::rng());
    let right = &network.secrets.as_ref().expect("sealed").identities[0];
    false_node(&network, |time, played| {
        let tls = match time {
            0 => certified_server(right),
            1 => certified_server(&made_up),
            _ => {
                Credentials::of(&made_up).and_then(|key| key.server(Other::Reader)).expect("right")
            }
        };
        let (tcp, _) = played.visitor();
        let mut raw = Raw::new(tls, tcp);
        let _ = raw.shake();
        assert_eq!(raw.until_ended(), NOTHING, "it asked for something");
    });
}

/// A node with the right key makes this offer, and gives this in a reader's three tries. The reader refuses it.
fn reader_refuses(name: &str, offer: &Giving<'_>, given: [Giving<'_>; 3]) {
    let network = Network::new(name, 1);
    let identity = &network.secrets.as_ref().expect("sealed").identities[0];
    let credentials = Credentials::of(identity).expect("a key");
    false_node(&network, |time, played| {
        let mut raw = played.let_in(credentials.server(Other::Reader).expect("right"));
        assert!(matches!(Fetching::decode(&raw.expect()), Ok(Fetching::Fetch(_))));
        let signed = Signer::new(identity, "test").sign([1; 32], 1, [2; 32], 3);
        raw.frame(&Giving::Signed(Box::new(signed)).encode()).expect("sent");
        raw.frame(&offer.encode()).expect("sent");
        let mut said = Taking::decode(&raw.expect());
        if let Ok(Taking::Split(split)) = &said {
            let parts = Parts(vec![[[9; 4]; 16]; split.0.len()]);
            raw.frame(&Giving::Parts(parts).encode()).expect("sent");
            said = Taking::decode(&raw.expect());
        }
        assert!(matches!(said, Ok(Taking::Want(_))));
        let _ = raw.frame(&given[time].encode());
        let _ = raw.frame(&Giving::End.encode());
        assert_eq!(raw.until_ended(), NOTHING, "it went on");
    });
}

/// These public rows as they travel.
fn rows_of<S: AsRef<str>>(lines: &[S]) -> Giving<'static> {
    let mut piece = Vec::new();
    for line in lines.iter().map(AsRef::as_ref) {
        let mut out = Encoder::of_kind(1);
        out.u16(line.len() as u16).bytes(line.as_bytes());
        piece.extend(out.done());
    }
    Giving::Rows(Squeezer::new().squeeze(&piece, Effort::Stored).into())
}

#[test]
fn a_decompression_bomb_in_a_copy_fills_no_readers_memory() {
    let mut bombs = bombs(MAX_ROWS_PIECE).into_iter().map(|bomb| Giving::Rows(bomb.into()));
    let three = [(); 3].map(|()| bombs.next().expect("there are more"));
    reader_refuses("bomb-reader", &great_offer(), three);
}

#[test]
fn a_copy_out_of_order_or_larger_than_offered_or_with_what_is_not_public_is_refused_by_a_reader() {
    let mut lines: Vec<_> = (0..3).map(|at| format!("Row {at}, , , found")).collect();
    lines.sort_by_key(|line| RowHash::of(Section::People, line));
    let index = Index::new(lines.iter().take(2).map(|line| (Section::People, line.as_str())));
    let offer = Giving::Offer(index.offer());
    let out_of_order = rows_of(&[&lines[1], &lines[0]]);
    let not_public = rows_of(&[format!("Row 0, , , {PERSON_ID}")]);
    reader_refuses("false-rows", &offer, [out_of_order, rows_of(&lines), not_public]);
}

#[test]
fn a_copy_with_rows_that_were_not_asked_for_is_refused_by_a_reader() {
    // What is offered is what the reader has: it asks for nothing.
    let index = Index::new([(Section::People, OLD)]);
    let row = || rows_of(&["Row 0, , , found"]);
    let own = || rows_of(&[OLD]);
    reader_refuses("false-unasked", &Giving::Offer(index.offer()), [row(), own(), row()]);
}

// --- the ledger ---

/// Somebody who writes into a ledger, each time a log of its own.
struct Author {
    pen: Pen,
    namer: Namer,
}

impl Author {
    fn of(held: &Held) -> Self {
        Self::signing(held, &held.me.as_ref().expect("a member").0)
    }

    fn signing(held: &Held, identity: &Identity) -> Self {
        let namer = Namer::new(held.keys.network.as_ref().expect("a member's"));
        Self { pen: Pen::begin(identity, rand::random::<u64>().into()), namer }
    }

    fn block(&mut self, lines: &[&str]) -> Verified {
        self.block_at(lines, 1_000_000)
    }

    /// Of two histories what was written before them counts: a lower Lamport number.
    fn block_at(&mut self, lines: &[&str], lamport: u64) -> Verified {
        let entry = |line: &&str| {
            let (state, row) = (State::default(), Row::new(&line.split(", ").collect::<Vec<_>>()));
            let made = import(&state, &self.namer, Section::People, &row).expect("right");
            Entry::Change(made.expect("new"))
        };
        let entries = lines.iter().map(entry).collect();
        self.pen.sign(entries, lamport, 0).expect("room")
    }
}

fn head_of(block: &Verified) -> Head {
    block.signed().head()
}

fn heads_of(blocks: &[&Verified]) -> Meeting<'static> {
    let heads: Heads = blocks.iter().map(|block| head_of(block)).collect();
    Meeting::Heads(Having { heads, ..Having::default() })
}

fn given(blocks: &[&Verified]) -> Meeting<'static> {
    pieces_of(&blocks.iter().map(|block| block.bytes().to_vec()).collect::<Vec<_>>())
}

fn pieces_of(blocks: &[Vec<u8>]) -> Meeting<'static> {
    Meeting::Blocks(Squeezer::new().squeeze(&bundle(blocks).0, Effort::Stored).into())
}

#[test]
fn a_peer_cannot_write_in_anothers_name_nor_change_a_block_nor_bring_an_author_nobody_knows() {
    let mut siege = siege_with_secrets("forger");
    siege.suffer("forger", Holds::Peer(2));
    until("the true row is in the file", || {
        siege.network.people(1).iter().any(|row| row.starts_with("True, "))
    });
    let people = siege.network.people(1);
    assert_eq!(people.len(), 2, "{people:?}");
    siege.node().wait_for_any("New here: 1 change.");
    let answers = siege.node.as_mut().expect("runs").ask(&["15", "1"]);
    let told = answers.join("\n");
    assert!(told.contains("peer 2 (Mandalay General Hospital) signed two different"), "{told}");
    siege.end();
}

/// Brings what is not right, each time in a session of its own, and at last proves itself a liar.
fn forger(held: &Held) {
    let own = &held.me.as_ref().expect("a member").0;
    // Who is true and has a damaged disk is told.
    let wrong = frame::encode(&Meeting::Refused(Declined::Wrong).encode());
    let refused = |name: &str, heads: Meeting<'_>, messages: &[Meeting<'_>]| {
        let mut raw = held.enter(Purpose::Sync);
        raw.frame(&heads.encode()).expect("sent");
        assert!(matches!(Meeting::decode(&raw.expect()), Ok(Meeting::Heads(_))), "{name}");
        for message in messages {
            let _ = raw.frame(&message.encode());
        }
        let heard = raw.until_ended();
        assert!([&[][..], &wrong].contains(&&heard[..]), "{name} was answered {heard:?}");
        heard
    };
    let mut author = Author::signing(held, own);
    let (one, two) = (author.block(&["Gap, , , missing, 1"]), author.block(&["Gap, , , found, 1"]));
    let heard = refused("a block without the one before it", heads_of(&[&two]), &[given(&[&two])]);
    assert_eq!(heard, wrong);
    refused("blocks in the wrong order", heads_of(&[&two]), &[given(&[&two, &one])]);
    let stranger = Author::signing(held, &Identity::random(&mut rand::rng()))
        .block(&["Stranger, , , missing, 2"]);
    refused("an author whom nobody knows", heads_of(&[&stranger]), &[given(&[&stranger])]);
    let forged = Author::of(held).block(&["Forged, , , missing, 3"]);
    let (told, mut forged) = (heads_of(&[&forged]), forged.bytes().to_vec());
    let victim = identity(&held.folder, 3).public().identity;
    forged[1..33].copy_from_slice(victim.as_bytes());
    let nothing = || heads_of(&[]);
    refused("a block in another's name", told, &[pieces_of(&[forged])]);
    let right = Author::of(held).block(&["Changed, , , missing, 4"]);
    let bytes = right.bytes();
    for at in [0, 40, 44, 80, 90, 100, 120, 160, bytes.len() - 3] {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        refused("a changed block", heads_of(&[&right]), &[pieces_of(&[changed])]);
    }
    refused(
        "half a block",
        heads_of(&[&right]),
        &[pieces_of(&[bytes[..bytes.len() / 2].to_vec()])],
    );
    for closed in [right.closed(|_, field| field == 1), right.closed(|_, _| true)] {
        refused("a block with closed values", heads_of(&[&right]), &[pieces_of(&[closed])]);
    }
    refused("a block of which its heads do not tell", nothing(), &[given(&[&right])]);
    let found = Meeting::Found(Some(Box::new(right.signed().clone())));
    refused("an answer that nobody asked for", nothing(), &[found]);
    let (me, many) = (own.public().identity, 5000_u64);
    let name = |log: u64| LogName { author: me, log: log.into() };
    let heads = (0..many).map(|log| Head { name: name(log), length: 1, hash: [7; 32].into() });
    let heads = Meeting::Heads(Having { heads: heads.collect(), ..Having::default() });
    let mut raw = held.enter(Purpose::Sync);
    let _ = raw.frame(&heads.encode());
    assert_eq!(raw.until_ended(), NOTHING, "heads of too many logs");
    let mut raw = held.enter(Purpose::Sync);
    raw.frame(&nothing().encode()).expect("sent");
    raw.expect();
    let find = Meeting::Find { name: name(1), sequence: 0 }.encode();
    for _ in 0..MAX_FINDS {
        raw.frame(&find).expect("sent");
        assert_eq!(raw.expect(), Meeting::Found(None).encode());
    }
    let _ = raw.frame(&find);
    assert_eq!(raw.until_ended(), NOTHING, "it may ask for ever");
    deliver(held, "True, , , missing, 5");
    // Two histories: what it wrote before them still counts.
    let log = rand::random::<u64>().into();
    let both = ["One, , , missing, 6", "Other, , , missing, 7"].map(|line| {
        let namer = Namer::new(held.keys.network.as_ref().expect("a member's"));
        Author { pen: Pen::begin(own, log), namer }.block_at(&[line], 2_000_000)
    });
    let proof = ForkProof::new(both[0].signed().clone(), both[1].signed().clone()).expect("a fork");
    let mut raw = held.enter(Purpose::Sync);
    raw.frame(&nothing().encode()).expect("sent");
    raw.expect();
    raw.frame(&Meeting::Proof(Box::new(proof)).encode()).expect("sent");
    raw.frame(&Meeting::Given { spare: Vec::new() }.encode()).expect("sent");
    assert!(matches!(Meeting::decode(&raw.expect()), Ok(Meeting::Stored(_))));
}

#[test]
fn a_peer_that_forges_again_and_again_is_set_aside_and_others_are_served() {
    let mut siege = siege_with_secrets("set-aside");
    siege.suffer("offender", Holds::Peer(2));
    siege.node().wait_for_any("is set aside for 10 minutes, by this node alone: sent a ledger");
    let peers = siege.node.as_mut().expect("runs").ask(&["11"]).join("\n");
    assert_eq!(peers.matches("SET ASIDE for").count(), 1, "{peers}");
    let people = siege.network.people(1);
    assert!(!people.iter().any(|row| row.starts_with("Forged")), "{people:?}");
    siege.end();
}

/// Forges until it is not let in any more. Another peer is, all the time.
fn offender(held: &Held) {
    let other = Held::of(&held.folder, Holds::Peer(3));
    let block = Author::of(held).block(&["Forged, , , missing, 3"]);
    let mut changed = block.bytes().to_vec();
    // Its log is another then, and all else as it was signed.
    changed[40] ^= 1;
    let mut times = 0;
    while let Ok(mut channel) = held.open(Purpose::Sync) {
        let begin = heads_of(&[&block]).encode();
        let forged = pieces_of(&[changed.clone()]).encode();
        // It may be cut off at any of these.
        let _ = channel.send(&begin).and_then(|()| channel.send(&forged));
        let _ = channel.finish();
        while let Ok(Some(_)) = channel.receive(Deadline::after(Duration::from_secs(60))) {}
        times += 1;
        assert!(times < 100, "it is let in for ever");
    }
    assert!(times >= 2, "one offence is none");
    other.say("I am no forger").expect("heard");
}

// --- a seized tier-1 device ---

#[test]
fn whoever_seizes_a_node_knocks_as_no_other_and_is_locked_out_after_five_wrong_tokens() {
    let mut siege = Siege::new("seized");
    siege.suffer("seized", Holds::Peer(2));
    siege.node().wait_for_any("Message from peer 2");
    assert_eq!(siege.node().count("Message from peer 2"), 1);
    assert_eq!(siege.node().count("Message from peer 1"), 0);
    siege.end();
}

/// Holds node 2's folder, and the peers file with the tokens of all.
fn seized(held: &Held) {
    let book = PeerBook::read_tier1(&held.folder.join("peers.json")).expect("a peers file");
    assert_eq!(held.say("it is node 2, for now").expect("it gets in"), Listening::Heard);
    let socket = socket_to(held.node);
    let knock_with = |token| {
        let mut errand = held.errand(Purpose::Talk);
        *errand.asked.token = token;
        Knocked::sent(&held.datagrams(), errand, &socket, held.node);
    };
    for at in 0..WRONG_TOKENS {
        knock_with(token(&book, [1, 3, 4][at as usize % 3]));
    }
    // Now its own does not help it either; the others are served.
    knock_with(token(&book, 2));
    let_others_be_served();
    assert_eq!(came(&socket), [[0; 0]; 0], "a knock was answered");
    assert_eq!(doors(held.node.ip()), [0; 0]);
}

// --- a tier-1 peer beyond its limits ---

#[test]
fn a_peer_gets_no_more_sessions_messages_alarms_and_rows_than_it_may() {
    let mut siege = siege_with_secrets("over-limits");
    let told = siege.suffer("over-limits", Holds::Peer(2));
    eprintln!("{told:?}");
    let shown = |what| siege.node().count(what);
    assert!(shown("Message from peer 2") < 1000 && shown("ALARM from peer 2") < 50);
    siege.end();
}

fn over_limits(held: &Held) {
    // Wants out of order.
    let reader = Held::of(&held.folder, Holds::Reader);
    for buckets in [vec![], vec![want(0), want(0)], vec![want(1)], vec![want(1), want(0)]] {
        let mut raw = reader.enter(Purpose::Refresh);
        fetched(&mut raw);
        let _ = raw.frame(&Taking::Want(Want { last: false, buckets }).encode());
        assert_eq!(raw.until_ended(), NOTHING, "it was given something");
    }
    // One meeting too many: each may hold many blocks while the disk is busy. It may still talk.
    let meetings = [(); MAX_PEER_MEETINGS].map(|()| held.open(Purpose::Sync).expect("a place"));
    let one_more = held.open(Purpose::Sync).expect_err("no place");
    assert!(matches!(one_more, Error::Busy { retry_after } if retry_after == BUSY_RETRY));
    held.say("it may still talk").expect("it gets in");
    drop(meetings);
    let_others_be_served();
    // One session too many; and those that it has go on.
    let mut sessions: Vec<_> =
        (0..MAX_PEER_SESSIONS).map(|_| held.open(Purpose::Talk).expect("a place")).collect();
    let one_more = held.open(Purpose::Talk).expect_err("no place");
    assert!(matches!(one_more, Error::Busy { retry_after } if retry_after == BUSY_RETRY));
    let_others_be_served();
    let mut heard = |what: fn(Spoken) -> Talking, times: usize| {
        let said = (0..times).filter(|at| {
            let spoken = Spoken::try_from("I say much").expect("short");
            let session = &mut sessions[at % MAX_PEER_SESSIONS];
            say_in(session, what(spoken)).expect("it goes on") == Listening::Heard
        });
        said.count()
    };
    let messages = heard(Talking::Say, 2 * MESSAGE_BURST as usize);
    let alarms = heard(alarm, 4 * ALARM_BURST as usize);
    // One was said before.
    assert!(messages + 1 >= MESSAGE_BURST as usize, "{messages} messages");
    assert!(alarms >= ALARM_BURST as usize, "{alarms} alarms");
    assert!(alarms < 2 * ALARM_BURST as usize, "{alarms} alarms");
    say(&format!("{messages} messages and {alarms} alarms were heard"));
    let_others_be_served();
}
