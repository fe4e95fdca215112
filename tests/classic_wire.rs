//! The original's wire, byte for byte and both ways: the test plays the original's nodes with raw sockets.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reunite::model::limits::ALARM_HOLD;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::original::{
    ALARM, FILE, Original, TEXT, accept, connect, read, reset, socket, wait_closed, write,
};
use support::{HEAD, Network, Node, PATIENCE, people_of, until};

const PUBLIC_HEAD: &str = "People:\nName, Appearance, Last Seen, Status\n\n";
const ANA: &str = "Ana, tall, 4/4/23, missing, 14729384756392834";
const BEN: &str = "Ben, , , found, 89263584756234872";

/// Node 1, and its peer 2 as the original would be.
fn node_and_original(name: &str) -> (Network, Node, Original) {
    let network = Network::classic(name, 2);
    let node = network.tier1(1);
    let two = Original::new(&network, 2);
    (network, node, two)
}

/// Waits until a node says that a peer has sent so many new rows.
fn wait_for_rows(node: &Node, count: usize) {
    let said = node.wait_for("sent what it has");
    let mut numbers = said.split(|letter: char| !letter.is_ascii_digit());
    assert!(numbers.any(|number| number == count.to_string()), "{said}, not {count}");
}

// --- the original knocks at our node ---

#[test]
fn a_knock_is_answered_with_a_port_and_the_session_carries_messages_until_quit() {
    let (_network, node, two) = node_and_original("in-text");
    let mut session = two.enter(TEXT);
    for text in ["hello", "কেমন আছেন", "I will not quit", "quit?"] {
        write(&mut session, text);
        node.wait_for(&format!("Message from peer 2 (Mandalay General Hospital): {text}"));
    }
    write(&mut session, "quit");
    wait_closed(&mut session);
    assert_eq!(node.count(": quit"), 1, "only `quit?` was shown: {}", node.shown());
}

#[test]
fn a_knock_from_two_sockets_is_understood() {
    let (_network, node, two) = node_and_original("in-two-sockets");
    two.send(&socket(), &two.token);
    two.send(&socket(), TEXT);
    write(&mut connect(two.door()), "from two sockets");
    node.wait_for("peer 2 (Mandalay General Hospital): from two sockets");
}

#[test]
fn a_purpose_before_its_token_is_understood() {
    let (_network, node, two) = node_and_original("in-swapped");
    let socket = socket();
    two.send(&socket, TEXT);
    two.send(&socket, &two.token);
    write(&mut connect(two.door()), "swapped");
    node.wait_for("swapped");
}

#[test]
fn a_token_without_a_purpose_opens_nothing_and_spoils_no_later_knock() {
    let (network, node, two) = node_and_original("in-half");
    two.send(&socket(), &two.token);
    write(&mut two.enter(FILE), &format!("{HEAD}{ANA}\n"));
    wait_for_rows(&node, 1);
    assert_eq!(two.waiting(), [""; 0], "one knock, one answer");
    until("the row is on the disk", || network.people(1) == [ANA]);
}

#[test]
fn datagrams_that_come_twice_open_one_door() {
    let network = Network::classic("in-twice", 3);
    let node = network.tier1(1);
    let [two, three] = [2, 3].map(|number| Original::new(&network, number));
    let socket = socket();
    for datagram in [&two.token, &two.token, TEXT, &two.token, TEXT] {
        two.send(&socket, datagram);
    }
    let door = two.door();
    // Behind them, so that all five have been looked at before somebody goes in by the door.
    three.knock(TEXT);
    write(&mut connect(door), "once");
    node.wait_for("once");
    let port = door.port().to_string();
    assert!(two.waiting().iter().all(|answer| *answer == port), "another door than {port}");
}

#[test]
fn interleaved_knocks_of_several_peers_keep_their_purposes() {
    let network = Network::classic("in-interleaved", 4);
    let node = network.tier1(1);
    let peers = [2, 3, 4].map(|number| (Original::new(&network, number), socket()));
    for (peer, socket) in &peers {
        peer.send(socket, &peer.token);
    }
    for ((peer, socket), purpose) in peers.iter().zip([TEXT, FILE, TEXT]).rev() {
        peer.send(socket, purpose);
    }
    let [mut two, mut three, mut four] = peers.map(|(peer, _)| connect(peer.door()));
    write(&mut two, "I am two");
    write(&mut three, &format!("{HEAD}{ANA}\n"));
    write(&mut four, "I am four");
    drop((two, three, four));
    node.wait_for_any("peer 2 (Mandalay General Hospital): I am two");
    node.wait_for_any("peer 3 (Cox's Bazar NW 1) sent what it has");
    node.wait_for_any("peer 4 (Cox's Bazar SE 2): I am four");
}

#[test]
fn a_message_cut_in_the_middle_of_a_character_is_put_together() {
    let (_network, node, two) = node_and_original("in-cut");
    let text = "নূরমোহাম্মদ🙂খুঁজছি";
    for at in ["ন".len(), text.find('🙂').expect("there")] {
        let (whole, rest) = text.split_at(at);
        let (one, other) = text.as_bytes().split_at(at + 1);
        let mut session = two.enter(TEXT);
        session.write_all(one).expect("the node reads");
        node.wait_for(&format!("peer 2 (Mandalay General Hospital): {whole}"));
        session.write_all(other).expect("the node reads");
        node.wait_for(&format!("peer 2 (Mandalay General Hospital): {rest}"));
    }
}

#[test]
fn the_originals_alarm_is_an_alarm_in_one_piece_and_in_two() {
    let (_network, node, two) = node_and_original("in-alarm");
    write(&mut two.enter(TEXT), ALARM);
    node.wait_for("EMERGENCY ALARM from peer 2 (Mandalay General Hospital)");
    node.wait_for("!!  SAFEZONE COMPROMISED");
    loop {
        let mut session = two.enter(TEXT);
        write(&mut session, &ALARM[..14]);
        let begun = Instant::now();
        write(&mut session, &ALARM[14..]);
        let is_quick = begun.elapsed() < ALARM_HOLD / 4;
        drop(session);
        let (alarm, message) = ("EMERGENCY ALARM from", "Message from peer 2");
        if node.wait_for_either(alarm, message) {
            break;
        }
        assert!(!is_quick, "two pieces that came one behind the other were taken for messages");
    }
    node.wait_for("!!  SAFEZONE COMPROMISED");
}

/// A file as they are found in the wild, and the rows that it holds.
const WILD: &str = "People:\nName, Apperance, Last Seen, Status, Id\n\n\
    jay , brown hair tall , 01/01/22 , missing , 23352366487613471\n\
    Colm\t, dark hair, 4/4/23, missing, 63635195000989714\n\
    jay, brown hair tall, 01/01/22, missing, 23352366487613471\n\
    mic , short, blonde, blue eyes, horns , 04/04/2022 , missing , 1600909831762\n\
    jay , brown hair tall , 01/01/22 , missing , 23352366487613471\n\
    \n\
    , , , ,-1115332092737429758\n\
    gg , gg , gg , gg , 1351050217364184924";
const WILD_ROWS: [&str; 5] = [
    ", , , , -1115332092737429758",
    "Colm, dark hair, 4/4/23, missing, 63635195000989714",
    "gg, gg, gg, gg, 1351050217364184924",
    "jay, brown hair tall, 01/01/22, missing, 23352366487613471",
    "mic, \"short, blonde, blue eyes, horns\", 04/04/2022, missing, 1600909831762",
];

#[test]
fn a_file_from_the_wild_is_merged_with_all_its_rows_once() {
    let (network, node, two) = node_and_original("in-file");
    write(&mut two.enter(FILE), WILD);
    wait_for_rows(&node, 5);
    until("all rows are on the disk", || network.people(1) == WILD_ROWS);
    let mut again = two.enter(FILE);
    for byte in WILD.chars() {
        write(&mut again, byte.encode_utf8(&mut [0; 4]));
    }
    drop(again);
    write(&mut two.enter(FILE), &format!("{HEAD}{ANA}"));
    wait_for_rows(&node, 1);
    until("one row more", || network.people(1).len() == WILD_ROWS.len() + 1);
}

// --- our node knocks at the original ---

#[test]
fn our_text_session_is_raw_messages_quit_and_the_end() {
    let (network, mut node, two) = node_and_original("out-text");
    node.type_lines(&["7", "2", "hello", "how are you", "quit"]);
    let (knock, sent) = two.receive();
    assert_eq!((knock.token, knock.purpose.as_str()), (network.tokens[0].clone(), "t"));
    assert_eq!(sent, "hellohow are youquit");
    node.wait_for("Your message reached peer 2");
}

#[test]
fn our_alarm_is_the_originals_bytes_at_every_peer() {
    let network = Network::classic("out-alarm", 3);
    let mut node = network.tier1(1);
    let peers = [2, 3].map(|number| Original::new(&network, number));
    node.type_lines(&["10", "YES", ""]);
    std::thread::scope(|scope| {
        for peer in &peers {
            scope.spawn(|| {
                let (knock, sent) = peer.receive();
                assert_eq!((knock.purpose.as_str(), sent.as_str()), ("t", ALARM));
            });
        }
    });
    node.wait_for("The alarm reached 2 of 2 peers");
}

#[test]
fn our_file_is_people_and_nothing_else() {
    let network = Network::classic("out-file", 2);
    network.put(
        1,
        &format!(
            "{HEAD}jay , brown hair tall , 01/01/22 , missing , 23352366487613471\n{BEN}\n\
            Cy, tall, 4/4/23, missing, call me\n{ANA}\n\n\
            Vaccinations:\nPerson Id, Vaccine, Brand, Lot, Date, Dose, Country, Centre\n\n\
            14729384756392834, measles, , , , 1, BD, Camp 4\n\n\
            Camps:\n\nCamp 4, 2024-06-30, count, 3, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1\n\n\
            Replaced:\n\nAna, small, 4/4/23, missing, 14729384756392834\n\n\
            Hospitals:\nName, Beds\nCentral, 9"
        ),
    );
    let (mut node, two) = (network.tier1(1), Original::new(&network, 2));
    node.type_lines(&["8", "2"]);
    let (knock, sent) = two.receive();
    assert_eq!((knock.token, knock.purpose.as_str()), (network.tokens[0].clone(), "f"));
    let jay = "jay, brown hair tall, 01/01/22, missing, 23352366487613471";
    assert_eq!(sent, format!("{HEAD}{jay}\n{BEN}\n{ANA}\n"));
    node.wait_for("The database reached peer 2");
}

#[test]
fn a_knock_that_is_lost_is_repeated_from_the_same_socket() {
    let (_network, mut node, two) = node_and_original("out-lost");
    node.type_lines(&["8", "2"]);
    let (lost, again) = (two.knocked(), two.knocked());
    assert_eq!(lost, again);
    assert_eq!(read(&mut two.let_in(&again)), HEAD);
    node.wait_for("The database reached peer 2");
}

#[test]
fn two_knocks_at_once_at_one_peer_do_not_mix_up_their_answers() {
    let (_network, mut node, two) = node_and_original("out-both");
    node.type_lines(&["8", "2", "10", "YES", ""]);
    for _ in 0..2 {
        let (knock, sent) = two.receive();
        let wanted = if knock.purpose == FILE { HEAD } else { ALARM };
        assert_eq!(sent, wanted, "behind the purpose {}", knock.purpose);
    }
    node.wait_for_any("The database reached peer 2");
    node.wait_for_any("The alarm reached peer 2");
}

#[test]
fn an_answer_that_comes_twice_is_not_taken_for_that_of_the_next_knock() {
    let (_network, mut node, two) = node_and_original("out-late");
    node.type_lines(&["8", "2"]);
    let (first, door) = (two.knocked(), two.open_door());
    two.answer(&first, &two.listener, &door);
    assert_eq!(read(&mut accept(&door)), HEAD);
    node.wait_for("The database reached peer 2");
    node.type_lines(&["10", "YES", ""]);
    two.knocked();
    let closed = door.local_addr().expect("bound").port().to_string();
    drop(door);
    two.send(&two.listener, &closed);
    assert_eq!(two.receive_by(&two.listener), ALARM);
    node.wait_for("The alarm reached peer 2");
}

#[test]
fn answers_from_a_socket_other_than_the_listener_reach_the_one_who_knocked() {
    let (network, mut node, two) = node_and_original("out-other-socket");
    let other = UdpSocket::bind((network.ip, 0)).expect("a free port");
    node.type_lines(&["8", "2"]);
    assert_eq!(two.receive_by(&other), HEAD);
    node.wait_for("The database reached peer 2");
}

#[test]
fn two_peers_of_one_machine_that_answer_from_other_sockets_both_get_the_alarm() {
    let network = Network::classic("out-other-sockets", 3);
    let mut node = network.tier1(1);
    let peers = [2, 3].map(|number| Original::new(&network, number));
    node.type_lines(&["10", "YES", ""]);
    std::thread::scope(|scope| {
        for peer in &peers {
            let other = UdpSocket::bind((network.ip, 0)).expect("a free port");
            scope.spawn(move || assert_eq!(peer.receive_by(&other), ALARM));
        }
    });
    node.wait_for("The alarm reached 2 of 2 peers");
}

#[test]
fn a_message_goes_on_in_a_new_session_when_the_other_side_has_ended_the_first() {
    let (_network, mut node, two) = node_and_original("out-closed");
    node.type_lines(&["7", "2", "hello"]);
    let mut first = two.let_in(&two.knocked());
    let mut hello = [0; 5];
    first.read_exact(&mut hello).expect("hello");
    drop(first);
    node.type_lines(&["are you there?", "quit"]);
    let (_knock, sent) = two.receive();
    assert_eq!((&hello, sent.as_str()), (b"hello", "are you there?quit"));
    node.wait_for("Your message reached peer 2");
}

// --- refresh ---

/// The test as a tier-2 node of the original: it listens, asks, and names an address.
struct Reader {
    listener: TcpListener,
    socket: UdpSocket,
    node: SocketAddr,
}

impl Reader {
    fn new(network: &Network, ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("a free port");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        Self { listener, socket, node: network.addresses[0] }
    }

    fn send(&self, datagram: &str) {
        self.socket.send_to(datagram.as_bytes(), self.node).expect("sent");
    }

    /// The second datagram: `IP,PORT`.
    fn address(&self) -> String {
        let at = self.listener.local_addr().expect("bound");
        format!("{},{}", at.ip(), at.port())
    }

    fn ask(&self) {
        self.send("9999");
        self.send(&self.address());
    }

    fn receive(&self) -> String {
        read(&mut accept(&self.listener))
    }
}

#[test]
fn a_refresh_brings_the_file_without_the_ids() {
    let network = Network::classic("refresh", 1);
    let mic = "mic, \"short, blonde\", 04/04/2022, missing, 1600909831762";
    network.put(1, &format!("{HEAD}{ANA}\n{mic}\n{BEN}\n\nCamps:\n\nnot a census\n"));
    let (_node, reader) = (network.tier1(1), Reader::new(&network, "127.0.0.1"));
    let wanted = format!(
        "{PUBLIC_HEAD}Ana, tall, 4/4/23, missing\nmic, \"short, blonde\", 04/04/2022, missing\nBen, , , found\n"
    );
    reader.ask();
    assert_eq!(reader.receive(), wanted);
}

#[test]
fn a_refresh_whose_datagrams_were_swapped_is_answered() {
    let network = Network::classic("refresh-swapped", 1);
    let (_node, reader) = (network.tier1(1), Reader::new(&network, "127.0.0.1"));
    reader.send(&reader.address());
    reader.send("9999");
    assert_eq!(reader.receive(), PUBLIC_HEAD);
}

#[test]
fn a_refresh_for_somebody_elses_address_goes_nowhere() {
    let network = Network::classic("refresh-elsewhere", 1);
    let _node = network.tier1(1);
    let (victim, reader) = (Reader::new(&network, "127.0.0.9"), Reader::new(&network, "127.0.0.1"));
    victim.ask();
    victim.send(&victim.address());
    victim.send("9999");
    reader.ask();
    assert_eq!(reader.receive(), PUBLIC_HEAD);
    victim.listener.set_nonblocking(true).expect("set");
    assert!(victim.listener.accept().is_err(), "somebody came to the address of a third");
}

/// Waits until a tier-2 node asks `tier1`, and connects to where it listens, if it still does.
fn asked(tier1: &Original, patience: Duration) -> Option<TcpStream> {
    let (code, from) = tier1.datagram(patience)?;
    let (address, same) = tier1.datagram(PATIENCE).expect("an address");
    assert_eq!((code.as_str(), from), ("9999", same));
    let (ip, port) = address.split_once(',').expect("IP,PORT");
    assert_eq!(ip, from.ip().to_string(), "it names its own address");
    TcpStream::connect((from.ip(), port.parse().expect("a port"))).ok()
}

/// A tier-2 node refreshes from an original that sends `copy`; returns the people in its file then.
fn refreshed_with(name: &str, copy: &str) -> Vec<String> {
    let network = Network::classic(name, 1);
    let (tier1, mut tier2) = (Original::new(&network, 1), network.tier2(1));
    write(&mut tier1.asked_by(&mut tier2), copy);
    tier2.wait_for("Your copy is new");
    let file = network.folder.path().join("tier2-1/T2DATABASE.txt");
    people_of(&std::fs::read_to_string(file).expect("made"))
}

const WILLIAM: &str = "William, dark hair, 15/5/23, missing";

#[test]
fn our_reader_takes_the_copy_of_an_original() {
    let copy = format!("{PUBLIC_HEAD}{WILLIAM}\njk , jk , jk , jk \n");
    assert_eq!(refreshed_with("reader", &copy), [WILLIAM, "jk, jk, jk, jk"]);
}

#[test]
fn our_reader_takes_a_copy_that_ends_without_a_line_break() {
    let copy = format!("{PUBLIC_HEAD}jk , jk , jk , jk \n{WILLIAM}");
    assert_eq!(refreshed_with("reader-no-end", &copy), [WILLIAM, "jk, jk, jk, jk"]);
}

#[test]
fn our_reader_asks_another_node_when_one_is_silent_or_breaks_off() {
    let network = Network::classic("reader-tries", 3);
    let [_silent, broken, well] = [1, 2, 3].map(|number| Original::new(&network, number));
    let copy = format!("{PUBLIC_HEAD}{WILLIAM}\n");
    let done = AtomicBool::new(false);
    let serve = |tier1: &Original, copy: &str| {
        while !done.load(Ordering::Relaxed) {
            if let Some(mut stream) = asked(tier1, Duration::from_millis(50)) {
                write(&mut stream, copy);
            }
        }
    };
    let mut tier2 = network.tier2(1);
    std::thread::scope(|scope| {
        scope.spawn(|| serve(&broken, &copy[..copy.len() - 20]));
        scope.spawn(|| serve(&well, &copy));
        tier2.type_lines(&["3"]);
        tier2.wait_for("Your copy is new: 1 person");
        done.store(true, Ordering::Relaxed);
    });
}

// --- large and broken ---

fn rows(count: usize) -> String {
    let mut text = String::from(HEAD);
    for at in 0..count {
        let id = 100_000_000_000_000_000 + at * 7919;
        writeln!(text, "Person {at}, tall and thin with a scar, Camp {}, missing, {id}", at % 34)
            .expect("memory");
    }
    text
}

/// Sends the beginning of a file, cut in the middle of the Id of its row `whole`, and ends the connection
/// by `end`. No row may be made of the cut one; the whole ones are kept.
fn broken_transfer(name: &str, end: impl FnOnce(TcpStream, &Network, usize)) {
    let (network, node, two) = node_and_original(name);
    let whole = 3000;
    let file = rows(whole + 1);
    let mut session = two.enter(FILE);
    write(&mut session, &file[..file.len() - 8]);
    end(session, &network, whole);
    node.wait_for("The transfer broke off; the rest comes with the next one.");
    let wanted = people_of(&rows(whole));
    assert!(network.people(1).iter().all(|row| wanted.contains(row)), "a row that nobody sent");
}

#[test]
fn a_file_that_ends_in_the_middle_of_a_row_makes_no_person_of_it() {
    broken_transfer("cut-end", |session, network, whole| {
        drop(session);
        until("all whole rows are kept", || network.people(1).len() == whole);
    });
}

#[test]
fn a_file_that_is_broken_off_in_the_middle_of_a_row_makes_no_person_of_it() {
    broken_transfer("cut-reset", |session, network, whole| {
        // What a reset overtakes is lost; what was merged before it is kept.
        until("rows are kept while more come", || network.people(1).len() >= whole / 256 * 256);
        reset(session);
    });
}

#[test]
fn a_large_database_arrives_whole() {
    // 100 MB.
    let count = 1_300_000;
    let network = Network::classic("large", 2);
    let file = rows(count);
    network.put(1, &file);
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    let begun = Instant::now();
    one.type_lines(&["8", "2"]);
    wait_for_rows(&two, count);
    one.wait_for("The database reached peer 2");
    eprintln!(
        "{} MB in {:.1} s, {} MB of memory",
        file.len() >> 20,
        begun.elapsed().as_secs_f32(),
        two.memory_kb() >> 10
    );
    let rows = people_of(&file);
    until("no row is missing or wrong in the file", || network.people(2) == rows);
}
