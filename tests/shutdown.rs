//! How a node ends, and how it refuses to begin: with a clear word, its file whole, and the right status.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;
use support::original::{FILE, Original, TEXT, accept, socket, wait_closed, write};
use support::{HEAD, Network, Node, people_of, reunite, until};

/// The ways in which a node is ended.
#[derive(Clone, Copy, Debug)]
enum Way {
    Interrupt,
    Terminate,
    EndOfInput,
    Menu,
}

const WAYS: [Way; 4] = [Way::Interrupt, Way::Terminate, Way::EndOfInput, Way::Menu];

/// Ends a node and checks its last words and its status. How long it took is shown, not judged: the goal
/// is less than a second.
fn end(mut node: Node, way: Way, doing: &str) {
    let begun = Instant::now();
    match way {
        Way::Interrupt => signal(node.pid(), Signal::INT),
        Way::Terminate => signal(node.pid(), Signal::TERM),
        Way::EndOfInput => node.end_input(),
        Way::Menu => node.type_lines(&["0"]),
    }
    let status = node.wait_exit();
    eprintln!("{:>5} ms: {way:?} while {doing}", begun.elapsed().as_millis());
    assert_eq!(status.code(), Some(0), "{way:?} while {doing}: {}", node.logged());
    node.wait_for("Goodbye.");
    assert!(!node.logged().contains("panic"), "{way:?} while {doing}: {}", node.logged());
}

fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(process).expect("a pid")).expect("not 0");
    kill_process(pid, signal).expect("it runs");
}

/// The file of node 1 is whole, and nothing lies beside it.
fn people_in_whole_file(network: &Network) -> Vec<String> {
    let text = fs::read_to_string(network.database(1)).expect("there");
    assert!(text.starts_with(HEAD) && text.ends_with('\n'), "{text}");
    let beside =
        fs::read_dir(network.data(1)).expect("there").map(|file| file.expect("there").file_name());
    let beside: Vec<_> = beside.filter(|name| name.to_string_lossy().ends_with(".tmp")).collect();
    assert!(beside.is_empty(), "{beside:?}");
    people_of(&text)
}

// --- the end of a tier-1 node ---

#[test]
fn an_idle_node_ends_in_every_way() {
    for way in WAYS {
        let network = Network::new("end-idle", 2);
        end(network.tier1(1), way, "idle");
        assert_eq!(people_in_whole_file(&network), [""; 0]);
    }
}

#[test]
fn a_change_made_just_before_the_end_is_in_the_file() {
    for way in WAYS {
        let network = Network::new("end-change", 1);
        let mut node = network.tier1(1);
        node.type_lines(&["3", "Nur Begum", "thin, scar", "Balukhali 12/8/24", "missing"]);
        if matches!(way, Way::Interrupt | Way::Terminate) {
            node.wait_for("Saved.");
        }
        end(node, way, "a person has just been added");
        let people = people_in_whole_file(&network);
        assert!(
            people.len() == 1 && people[0].starts_with("Nur Begum, \"thin, scar\","),
            "{people:?}"
        );
    }
}

#[test]
fn rows_received_just_before_the_end_are_in_the_file() {
    for way in WAYS {
        let network = Network::classic("end-received", 2);
        let (node, two) = (network.tier1(1), Original::new(&network, 2));
        two.deliver(&format!("{HEAD}Ana, tall, 4/4/23, missing, 7\n"));
        node.wait_for("sent what it has");
        end(node, way, "rows have just come");
        assert_eq!(people_in_whole_file(&network), ["Ana, tall, 4/4/23, missing, 7"]);
    }
}

#[test]
fn a_node_ends_in_the_middle_of_a_text_session() {
    for way in WAYS {
        let network = Network::classic("end-session", 2);
        let (node, two) = (network.tier1(1), Original::new(&network, 2));
        let mut session = two.insist(TEXT);
        write(&mut session, "are you there?");
        node.wait_for("are you there?");
        end(node, way, "a text session runs");
        wait_closed(&mut session);
        people_in_whole_file(&network);
    }
}

#[test]
fn a_node_ends_in_the_middle_of_a_call_of_its_own() {
    for way in WAYS {
        let network = Network::classic("end-call", 2);
        let (mut node, two) = (network.tier1(1), Original::new(&network, 2));
        node.type_lines(&["7", "2", "hello"]);
        let mut call = two.let_in(&two.knocked());
        node.wait_for("Each line goes to");
        if matches!(way, Way::Menu) {
            node.type_lines(&["quit"]);
        }
        end(node, way, "a call runs");
        wait_closed(&mut call);
        people_in_whole_file(&network);
    }
}

#[test]
fn a_node_ends_in_the_middle_of_a_broadcast_to_dead_peers() {
    for way in WAYS {
        let network = Network::classic("end-broadcast", 8);
        let mut node = network.tier1(1);
        // Some are silent, the others are not there at all.
        let silent = [2, 3, 4].map(|number| Original::new(&network, number));
        node.type_lines(&["3", "Nur Begum", "", "", "missing", "9", "10", "YES", ""]);
        silent.iter().for_each(|peer| drop(peer.knocked()));
        end(node, way, "a broadcast and an alarm go to dead peers");
        assert_eq!(people_in_whole_file(&network).len(), 1);
    }
}

#[test]
fn a_node_ends_while_peers_take_its_file_and_never_close() {
    for way in WAYS {
        let network = Network::classic("end-deaf", 2);
        network.put(1, &rows(100_000));
        let (mut node, two) = (network.tier1(1), Original::new(&network, 2));
        node.type_lines(&["8", "2"]);
        let _deaf = two.let_in(&two.knocked());
        end(node, way, "a peer does not read what is sent");
        assert_eq!(people_in_whole_file(&network).len(), 100_000);
    }
}

#[test]
fn a_node_ends_while_doors_wait() {
    for way in WAYS {
        let network = Network::classic("end-door", 2);
        let (node, two) = (network.tier1(1), Original::new(&network, 2));
        for purpose in [TEXT, FILE] {
            two.knock(purpose);
        }
        end(node, way, "two doors wait");
        people_in_whole_file(&network);
    }
}

#[test]
fn a_node_ends_while_peers_and_readers_send_without_end() {
    for way in WAYS {
        let network = Network::classic("end-endless", 4);
        let node = network.tier1(1);
        let peers = [2, 3].map(|number| Original::new(&network, number));
        let rows = rows(10_000);
        std::thread::scope(|scope| {
            let mut streams: Vec<_> = peers.iter().map(|peer| peer.insist(FILE)).collect();
            streams.push(refresh(network.addresses[0]));
            for mut stream in streams {
                let rows = &rows;
                scope.spawn(move || while stream.write_all(rows.as_bytes()).is_ok() {});
            }
            node.wait_for_any("Number");
            end(node, way, "two peers and a reader send without end");
        });
        people_in_whole_file(&network);
    }
}

#[test]
fn a_node_ends_in_the_middle_of_a_sealed_call() {
    for way in WAYS {
        let network = Network::new("end-sealed-call", 2);
        let (mut one, two) = (network.tier1(1), network.tier1(2));
        one.type_lines(&["7", "2", "are you there?"]);
        two.wait_for("are you there?");
        // A call that nobody hears any more.
        signal(two.pid(), Signal::STOP);
        one.type_lines(&["hello?"]);
        if matches!(way, Way::Menu) {
            one.type_lines(&["quit", "n"]);
        }
        end(one, way, "a sealed call runs");
        people_in_whole_file(&network);
    }
}

#[test]
fn nodes_end_in_the_middle_of_a_sealed_transfer_that_has_stopped() {
    for way in WAYS {
        for (stopped, ending) in [(2, 1), (1, 2)] {
            let network = Network::new("end-sealed-transfer", 2);
            network.put(1, &rows(60_000));
            let (mut one, two) = (network.tier1(1), network.tier1(2));
            one.type_lines(&["8", "2"]);
            until("rows come", || network.people(2).len() > 1);
            let nodes = [one, two];
            signal(nodes[stopped - 1].pid(), Signal::STOP);
            let [one, two] = nodes;
            end(if ending == 1 { one } else { two }, way, "a transfer has stopped in the middle");
        }
    }
}

#[test]
fn a_reader_ends_in_the_middle_of_a_sealed_refresh() {
    for way in [Way::Interrupt, Way::Terminate] {
        let network = Network::new("end-sealed-refresh", 3);
        let silent = network.addresses.clone().into_iter().map(UdpSocket::bind);
        let _silent: Vec<_> = silent.map(|socket| socket.expect("free")).collect();
        let mut reader = network.tier2(1);
        reader.type_lines(&["3"]);
        reader.wait_for("Asking node");
        end(reader, way, "a refresh asks silent nodes");
    }
}

#[test]
fn a_node_ends_in_the_middle_of_a_script() {
    for way in [Way::Interrupt, Way::Terminate] {
        let network = Network::new("end-script", 1);
        let mut node = network.tier1(1);
        // As many as fit into the pipe.
        node.type_lines(&["3\nNur Begum\n\n\nmissing"; 2900]);
        node.wait_for("Saved.");
        end(node, way, "a script of 2900 additions runs");
        let done = people_in_whole_file(&network).len();
        assert!((1..2900).contains(&done), "all of the script was done after the signal");
    }
}

#[test]
fn a_node_ends_when_nobody_takes_what_it_shows() {
    for way in [Way::Interrupt, Way::Terminate] {
        let network = Network::new("end-stuck", 1);
        network.put(1, &rows(2000));
        let mut child = Running::new(tier1(&network.peers(), "1", &network.data(1)));
        child.stdin().write_all(&b"1\n".repeat(2000)).expect("taken");
        until("what it shows waits", || child.unread() > 32 * 1024);
        child.end(way, "nobody takes what it shows");
    }
}

#[test]
fn a_node_ends_when_its_screen_has_gone_away() {
    for way in [Way::Interrupt, Way::Terminate] {
        let network = Network::new("end-gone", 1);
        let mut child = Running::new(tier1(&network.peers(), "1", &network.data(1)));
        child.0.stdout = None;
        child.stdin().write_all(b"3\nNur Begum\n\n\nmissing\n").expect("taken");
        until("the person is saved", || network.people(1).len() == 1);
        child.end(way, "its screen has gone away");
    }
}

/// A process whose output is left alone.
struct Running(Child);

impl Running {
    fn new(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }

    fn stdin(&mut self) -> &mut ChildStdin {
        self.0.stdin.as_mut().expect("piped")
    }

    /// Bytes of its output that nobody has read.
    fn unread(&self) -> u64 {
        let out = self.0.stdout.as_ref().expect("piped");
        rustix::io::ioctl_fionread(out).expect("a pipe")
    }

    fn end(mut self, way: Way, doing: &str) {
        let begun = Instant::now();
        signal(self.0.id(), if matches!(way, Way::Interrupt) { Signal::INT } else { Signal::TERM });
        until("the node ends", || self.0.try_wait().expect("a child").is_some());
        eprintln!("{:>5} ms: {way:?} while {doing}", begun.elapsed().as_millis());
        assert_eq!(self.0.wait().expect("ended").code(), Some(0));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn rows(count: usize) -> String {
    let rows = (0..count).map(|at| format!("Person {at}, tall and thin, Camp 4, missing, {at}\n"));
    format!("{HEAD}{}", rows.collect::<String>())
}

fn refresh(node: SocketAddr) -> TcpStream {
    let (listener, socket) = (TcpListener::bind("127.0.0.1:0").expect("a free port"), socket());
    let port = listener.local_addr().expect("bound").port();
    for datagram in ["9999".to_owned(), format!("127.0.0.1,{port}")] {
        socket.send_to(datagram.as_bytes(), node).expect("sent");
    }
    accept(&listener)
}

// --- the end of a tier-2 node ---

#[test]
fn an_idle_reader_ends_in_every_way() {
    for way in WAYS {
        end(Network::new("end-reader", 1).tier2(1), way, "an idle reader");
    }
}

/// A reader that asks nodes which do not answer.
fn refreshing_reader(name: &str, nodes: usize) -> (Network, Vec<Original>, Node) {
    let network = Network::classic(name, nodes);
    let silent = (1..=nodes).map(|number| Original::new(&network, number)).collect();
    let mut reader = network.tier2(1);
    reader.type_lines(&["3"]);
    reader.wait_for("Asking node");
    (network, silent, reader)
}

#[test]
fn a_reader_ends_in_the_middle_of_a_refresh() {
    for way in [Way::Interrupt, Way::Terminate] {
        let (_network, _silent, reader) = refreshing_reader("end-refresh", 3);
        end(reader, way, "a refresh asks silent nodes");
    }
}

#[test]
fn a_reader_finishes_its_refresh_before_it_takes_the_end_of_a_script() {
    for way in [Way::EndOfInput, Way::Menu] {
        let (_network, _silent, reader) = refreshing_reader("end-refresh-script", 1);
        end(reader, way, "a refresh asks a silent node");
    }
}

#[test]
fn a_reader_ends_in_the_middle_of_a_copy_and_keeps_its_old_one() {
    for way in [Way::Interrupt, Way::Terminate] {
        let network = Network::classic("end-copy", 1);
        let old = "People:\nName, Appearance, Last Seen, Status\n\nAna, , , found\n";
        let file = network.folder.path().join("tier2-1/T2DATABASE.txt");
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(&file, old).expect("written");
        let (node, mut reader) = (Original::new(&network, 1), network.tier2(1));
        let mut copy = node.asked_by(&mut reader);
        write(&mut copy, "People:\nName, Appearance, Last Seen, Status\n\nBen, , , miss");
        end(reader, way, "a copy comes and stops in the middle");
        assert_eq!(fs::read_to_string(&file).expect("there"), old);
    }
}

// --- the refusal to begin ---

fn tier1(peers: &Path, number: &str, data: &Path) -> Command {
    let mut command = reunite();
    command.arg("tier1").arg("--peers").arg(peers);
    command.arg("--number").arg(number).arg("--data").arg(data);
    command
}

/// The program refuses to begin: status 1, one line of what is wrong, which holds all of `words`, and one of
/// what to do.
fn is_refused(mut command: Command, words: &[&str]) {
    // Errors alone: a folder that a test made is readable by others, which is worth a warning.
    command.env("RUST_LOG", "error").stdin(Stdio::null());
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let lines: Vec<_> = said.lines().collect();
    assert!(lines.len() <= 2 && lines[0].starts_with("reunite: "), "{said}");
    assert!(lines.get(1).is_none_or(|advice| advice.starts_with("  -> ")), "{said}");
    assert!(words.iter().all(|word| lines[0].contains(word)), "{words:?} are not in: {said}");
}

#[test]
fn a_second_node_on_the_same_folder_is_refused() {
    let network = Network::new("second-node", 2);
    let node = network.tier1(1);
    is_refused(tier1(&network.peers(), "2", &network.data(1)), &["another node is running"]);
    let mut reader = reunite();
    reader
        .arg("tier2")
        .arg("--peers")
        .arg(network.peers_tier2())
        .arg("--data")
        .arg(network.data(1));
    is_refused(reader, &["another node is running"]);
    end(node, Way::Menu, "another was refused");
}

#[test]
fn an_address_in_use_or_of_another_machine_is_refused() {
    let network = Network::classic("in-use", 1);
    let node = network.tier1(1);
    let address = network.addresses[0].to_string();
    is_refused(tier1(&network.peers(), "1", &network.data(2)), &[&address, "in use"]);
    drop(node);
    let elsewhere = "203.0.113.7:33001";
    let peers = fs::read_to_string(network.peers()).expect("there").replace(&address, elsewhere);
    fs::write(network.peers(), peers).expect("written");
    is_refused(tier1(&network.peers(), "1", &network.data(2)), &[elsewhere]);
}

#[test]
fn a_peers_file_that_cannot_be_used_is_refused() {
    let network = Network::new("peers-file", 2);
    let right = fs::read_to_string(network.peers()).expect("there");
    let file = network.folder.path().join("wrong.json");
    let refused = |words: &[&str]| {
        is_refused(tier1(&file, "1", &network.data(1)), words);
        let mut reader = reunite();
        reader.arg("tier2").arg("--peers").arg(&file).arg("--data").arg(network.data(1));
        is_refused(reader, words);
    };
    refused(&["wrong.json", "No such file"]);
    let wrong: [(Vec<u8>, &[&str]); 6] = [
        (Vec::new(), &["wrong.json", "line 1", "not JSON"]),
        (b"\xff\xfe".to_vec(), &["wrong.json", "UTF-8"]),
        (right[..right.len() / 2].into(), &["wrong.json", "line", "not JSON"]),
        (right.replace("sealed", "loud").into(), &["wrong.json", "dialect"]),
        (right.replace(&network.addresses[1].to_string(), "yangon").into(), &["peer 2", "address"]),
        (right.replace("\"number\": 2", "\"number\": 1").into(), &["peer 1", "number", "same"]),
    ];
    for (bytes, words) in wrong {
        fs::write(&file, bytes).expect("written");
        refused(words);
    }
    fs::remove_file(&file).expect("removed");
    fs::create_dir(&file).expect("made");
    refused(&["wrong.json", "directory"]);
}

#[test]
fn a_number_that_is_nobodys_is_refused() {
    let network = Network::classic("number", 2);
    for (number, word) in [("0", "0"), ("3", "no peer 3"), ("1000", "1000")] {
        is_refused(tier1(&network.peers(), number, &network.data(1)), &[word]);
    }
    is_refused(tier1(&network.peers_tier2(), "1", &network.data(1)), &["token", "missing"]);
}

#[test]
fn a_data_folder_or_database_that_cannot_be_used_is_refused_and_left_alone() {
    let network = Network::classic("data", 1);
    fs::write(network.data(1), "a file").expect("written");
    is_refused(tier1(&network.peers(), "1", &network.data(1)), &["data1"]);
    assert_eq!(fs::read(network.data(1)).expect("there"), b"a file");
    fs::create_dir_all(network.data(2).join("DATABASE1.txt")).expect("made");
    is_refused(tier1(&network.peers(), "1", &network.data(2)), &["DATABASE1.txt", "directory"]);
}
