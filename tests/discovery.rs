//! Nodes find each other on the local network, and see who is there: real processes, each in a network namespace of its
//! own on a bridge where they can be made, else on the loopback. Nobody types an address but once.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/links.rs"]
mod links;
mod support;

use reunite::base::threads::Stop;
use reunite::model::beacon::{Audience, BEACON, Beacon, Lamp, Seal, Watch};
use reunite::model::identity::Identity;
use reunite::model::keys::{NetworkKeys, SecretKey};
use reunite::net::udp::{Broadcasts, broadcast};
use reunite::store::peer_book::Beacons;
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use support::bridge::{self, Bridge};
use support::{
    Network, Node, ORGANISATIONS, PATIENCE, another, copy, left_out, no_bridge, reunite, until,
};

// --- a local network ---

/// Where the nodes of a network live.
struct Lan {
    bridge: Option<Bridge>,
}

impl Lan {
    fn of(network: &mut Network) -> Self {
        let nodes = network.addresses.len();
        let bridge = match Bridge::new(nodes) {
            Ok(bridge) => {
                network.addresses =
                    (1..=nodes).map(|number| bridge::address(number).into()).collect();
                fs::write(network.peers(), &*network.book().to_json(true)).expect("written");
                Some(bridge)
            }
            Err(why) => {
                no_bridge(&why);
                None
            }
        };
        Self { bridge }
    }

    fn loopback() -> Self {
        Self { bridge: None }
    }

    /// A node that reads these peers, with further options.
    fn start(&self, network: &Network, number: usize, peers: PathBuf, options: &[&str]) -> Node {
        let own = reunite();
        let mut command = match &self.bridge {
            Some(bridge) => bridge.command(number, &own),
            None => own,
        };
        command.arg("tier1").arg("--peers").arg(peers).arg("--number").arg(number.to_string());
        command.arg("--data").arg(network.data(number)).args(options);
        let node = Node::start(command, format!("node {number}"));
        node.wait_for("Number (Enter");
        node
    }

    fn tier1(&self, network: &Network, number: usize) -> Node {
        self.start(network, number, network.peers(), &[])
    }

    /// Moves a node that is down to another address. Returns it, and the peers file that the node reads: on a bridge the
    /// old one, since nobody types; on the loopback, where a node cannot be told by its card, its own.
    fn moved(&self, network: &Network, number: usize) -> (SocketAddr, PathBuf) {
        let old = network.addresses[number - 1];
        let new = SocketAddr::new(another(old.ip()), old.port());
        match &self.bridge {
            Some(bridge) => {
                bridge.move_to(number, old.ip(), new.ip());
                (new, network.peers())
            }
            None => {
                links::write_peers_with(network, number, true, |to| (to == number).then_some(new));
                (new, links::peers(network, number))
            }
        }
    }
}

/// What a node says of its peers in its file.
fn status(network: &Network, number: usize) -> Value {
    let text = fs::read_to_string(network.data(number).join("status.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn seen(network: &Network, number: usize, peer: usize) -> Value {
    let status = status(network, number);
    let peers = status["peers"].as_array().cloned().unwrap_or_default();
    peers.into_iter().find(|one| one["number"] == peer).unwrap_or_default()
}

fn wait_state(network: &Network, number: usize, peer: usize, state: &str) {
    until(&format!("node {number} sees peer {peer} as {state}"), || {
        seen(network, number, peer)["state"] == state
    });
}

fn wait_all_up(network: &Network) {
    let nodes = network.addresses.len();
    for number in 1..=nodes {
        for peer in (1..=nodes).filter(|peer| *peer != number) {
            wait_state(network, number, peer, "up");
        }
    }
}

// --- another address ---

#[test]
fn a_node_that_comes_back_at_another_address_is_found_by_all_and_nobody_types_it() {
    let mut network = Network::new("moved", 4);
    let lan = Lan::of(&mut network);
    let mut one = lan.tier1(&network, 1);
    let two = lan.tier1(&network, 2);
    let others = [3, 4].map(|number| lan.tier1(&network, number));
    wait_all_up(&network);
    let typed = fs::read(network.peers()).expect("there");
    assert!(two.quit().success());
    let (new, peers) = lan.moved(&network, 2);
    let two = lan.start(&network, 2, peers.clone(), &[]);
    let begun = Instant::now();
    let found = format!("peer 2 was found at {new}");
    for other in others.iter().chain([&one]) {
        other.wait_for_log(&found);
    }
    println!("found by all after {} ms", begun.elapsed().as_millis());
    for number in [1, 3, 4] {
        until("it is shown", || seen(&network, number, 2)["address"] == new.to_string());
    }
    one.ask(&["3", "Nur Begum", "thin", "Balukhali", "missing"]);
    until("it gets what is new", || network.people(2).len() == 1);
    assert_eq!(fs::read(network.peers()).expect("there"), typed, "a person's file is a person's");
    // What was learned outlives the node, without any beacon.
    until("it is written", || {
        let path = network.data(1).join("addresses.json");
        fs::read_to_string(path).is_ok_and(|text| text.contains(&new.to_string()))
    });
    assert!(one.quit().success());
    let mut one = lan.start(&network, 1, network.peers(), &["--no-beacon"]);
    one.type_lines(&["8", "2"]);
    one.wait_for("The database reached peer 2");
    drop(two);
}

#[test]
fn a_lease_that_changes_under_a_running_node_is_followed() {
    let mut network = Network::new("lease", 3);
    let lan = Lan::of(&mut network);
    let Some(bridge) = &lan.bridge else { return left_out("a lease", "it takes a bridge") };
    let (mut one, two, three) =
        (lan.tier1(&network, 1), lan.tier1(&network, 2), lan.tier1(&network, 3));
    wait_all_up(&network);
    let old = network.addresses[1];
    let new = SocketAddr::new(another(old.ip()), old.port());
    let begun = Instant::now();
    bridge.move_to(2, old.ip(), new.ip());
    for other in [&one, &three] {
        other.wait_for_log(&format!("peer 2 was found at {new}"));
    }
    println!("found by all after {} ms", begun.elapsed().as_millis());
    one.ask(&["3", "Nur Begum", "thin", "Balukhali", "missing"]);
    until("it gets what is new", || network.people(2).len() == 1);
    // And back: the listener of the typed address was there all the time.
    bridge.move_to(2, new.ip(), old.ip());
    one.ask(&["3", "Amina Khatun", "tall", "Kutupalong", "missing"]);
    until("it gets what is new", || network.people(2).len() == 2);
    wait_state(&network, 1, 2, "up");
    drop(two);
}

// --- beacons that lie ---

/// Hears beacons as anybody can, until `enough`.
fn hear_on(ears: &Broadcasts, enough: &mut dyn FnMut(&[u8], SocketAddr) -> bool) {
    let (end, mut done) = (Instant::now() + PATIENCE * 2, false);
    while !done {
        assert!(Instant::now() < end, "no such beacon came");
        ears.hear(Duration::from_millis(100), &Stop::default(), |bytes, from| {
            done |= enough(bytes, from)
        });
    }
}

fn lamp(network: &Network, keys: &NetworkKeys, number: usize, audience: Audience) -> Lamp {
    let secrets = network.secrets.as_ref().expect("sealed");
    let seal = Seal::new(audience, keys, "test").expect("it has the key");
    let identity = secrets.identities[number - 1].expose();
    Lamp::new(seal, &Identity::new(SecretKey::from(*identity.expose())))
}

fn v4(ip: IpAddr) -> Ipv4Addr {
    let IpAddr::V4(ip) = ip else { panic!("an IPv4 address") };
    ip
}

fn beacon(network: &Network, member: u64, boot: u64, ip: IpAddr) -> Beacon {
    let port = network.addresses[member as usize - 1].port();
    let address = SocketAddrV4::new(v4(ip), port);
    Beacon { member: member.try_into().expect("1 to 999"), boot, count: 1, address, heads: [3; 16] }
}

#[test]
fn spoofed_and_replayed_beacons_change_nothing_and_a_true_one_is_only_a_hint() {
    let network = Network::new("spoofed", 3);
    let lan = Lan::loopback();
    let (elsewhere, own) = (another(network.ip), network.ip);
    let port = network.addresses[0].port();
    let ears = Broadcasts::on([port]).expect("anybody may hear");
    let (one, two) = (lan.tier1(&network, 1), lan.tier1(&network, 2));
    // A true one of node 2: it is the one that node 1 did not light.
    let keys = &network.secrets.as_ref().expect("sealed").keys;
    let seal = || Seal::new(Audience::Members, keys, "test").expect("it has the key");
    let members = || {
        let book = network.book();
        let members: Vec<_> =
            book.all().iter().map(|peer| (peer.number, *peer.keys().expect("sealed"))).collect();
        members.into_iter().map(|(number, keys)| (number, keys.identity))
    };
    let (mut watch, mut true_one) = (Watch::new(seal(), None, members()), Vec::new());
    hear_on(&ears, &mut |bytes, from| {
        let sighting = watch.datagram(bytes, from, Instant::now());
        if sighting.is_ok_and(|one| one.member.value() == 2) {
            true_one = bytes.to_vec();
        }
        !true_one.is_empty()
    });
    wait_state(&network, 1, 2, "up");
    // Who calls there is heard.
    let trap = |ip: IpAddr, number: usize| {
        let port = network.addresses[number - 1].port();
        let socket = UdpSocket::bind((ip, port)).expect("free");
        socket.set_nonblocking(true).expect("set");
        socket
    };
    let caught = trap(elsewhere, 2);
    let send = |ip: IpAddr, bytes: &[u8]| broadcast(v4(ip), &[port], bytes).expect("sent");
    // Replayed, from here and from elsewhere; of another network; by node 3 in the name of node 2; noise.
    send(own, &true_one);
    send(elsewhere, &true_one);
    let other_keys = NetworkKeys::random(&mut rand::rng());
    let lie = beacon(&network, 2, u64::MAX, elsewhere);
    let of_others = lamp(&network, &other_keys, 2, Audience::Members).light(&lie, rand::random());
    send(elsewhere, &of_others);
    send(elsewhere, &lamp(&network, keys, 3, Audience::Members).light(&lie, rand::random()));
    send(elsewhere, &lamp(&network, keys, 2, Audience::Readers).light(&lie, rand::random()));
    let noise: Vec<u8> = (0..BEACON + 50).map(|_| rand::random()).collect();
    (0..noise.len()).for_each(|length| send(elsewhere, &noise[..length]));
    // At last a true one of node 3, which does not run: when it is followed, all before it were looked at.
    let third = trap(elsewhere, 3);
    let hint = beacon(&network, 3, 1, elsewhere);
    send(elsewhere, &lamp(&network, keys, 3, Audience::Members).light(&hint, rand::random()));
    until("it is called there", || third.recv_from(&mut [0; 300]).is_ok());
    assert!(caught.recv_from(&mut [0; 300]).is_err(), "a lie was followed");
    one.wait_for_log("says that it is at");
    // Nobody proved to be node 3 there: it is still where a person typed, and so is node 2.
    for peer in [2, 3] {
        let typed = network.addresses[peer - 1].to_string();
        assert_eq!(seen(&network, 1, peer)["address"], typed);
    }
    assert!(!one.logged().contains("was found at"), "{}", one.logged());
    // A lie with the highest number did not silence node 2.
    assert!(two.quit().success());
    let (new, peers) = lan.moved(&network, 2);
    drop(caught);
    let _two = lan.start(&network, 2, peers, &[]);
    one.wait_for_log(&format!("peer 2 was found at {new}"));
}

#[test]
fn who_only_listens_reads_nothing_and_a_node_may_be_dark() {
    let network = Network::new("dark", 3);
    let (port, ip) = (network.addresses[2].port(), network.ip);
    let ears = Broadcasts::on([port]).expect("anybody may hear");
    let lan = Lan::loopback();
    links::write_peers_with(&network, 1, true, |to| {
        (to == 1).then_some(SocketAddr::new(another(ip), port))
    });
    let _dark = lan.start(&network, 1, links::peers(&network, 1), &["--no-beacon"]);
    let _two = lan.tier1(&network, 2);
    let mut heard = Vec::new();
    hear_on(&ears, &mut |bytes, from| {
        assert_eq!(from.ip(), ip, "the dark node said something");
        heard.push(bytes.to_vec());
        heard.len() == 4
    });
    let book = network.book();
    let two = book.peer(2.try_into().expect("2")).expect("there");
    let keys = two.keys().expect("sealed");
    let address = network.addresses[1];
    let needles = [
        ORGANISATIONS[1].as_bytes().to_vec(),
        network.tokens[1].as_bytes().to_vec(),
        keys.identity.as_bytes()[..4].to_vec(),
        keys.knock.as_bytes()[..4].to_vec(),
        v4(ip).octets().to_vec(),
        address.to_string().into_bytes(),
        b"reunite".to_vec(),
    ];
    for bytes in &heard {
        assert_eq!(bytes.len(), BEACON);
        for needle in &needles {
            assert!(!bytes.windows(needle.len()).any(|part| part == *needle), "{needle:?}");
        }
    }
    assert_eq!(heard.iter().collect::<HashSet<_>>().len(), heard.len(), "no two are alike");
    // Nor does who has the key of the readers: the peers file does not say so.
    let shared = &network.secrets.as_ref().expect("sealed").keys;
    let seal = Seal::new(Audience::Readers, shared, "test").expect("it has the key");
    let mut reader = Watch::new(seal, None, [(two.number, keys.identity)]);
    let from = (ip, 1).into();
    assert!(heard.iter().all(|one| reader.datagram(one, from, Instant::now()).is_err()));
}

#[test]
fn a_reader_finds_a_node_that_its_peers_file_has_at_another_address() {
    let network = Network::new("reader", 1);
    let beacons = Beacons { members: true, readers: true };
    let book = network.book().with_beacons(beacons);
    fs::write(network.peers(), &*book.to_json(true)).expect("written");
    network
        .put(1, &support::database(&["Nur Begum, thin, Balukhali, missing, 855991174504383851"]));
    let secrets = network.secrets.as_ref().expect("sealed");
    // The reader's file is old.
    let mut old = Network::new("reader-old", 1);
    old.addresses = vec![SocketAddr::new(another(network.ip), network.addresses[0].port())];
    let identity = SecretKey::from(*secrets.identities[0].expose().expose());
    old.secrets = Some(support::Secrets {
        keys: copy(&secrets.keys),
        identities: vec![Identity::new(identity)],
    });
    let text = old.book().with_beacons(beacons).to_json(false);
    fs::write(old.peers_tier2(), &*text).expect("written");
    let mut reader = old.tier2(1);
    let _one = Lan::loopback().tier1(&network, 1);
    reader.type_lines(&["3"]);
    reader.wait_for("Your copy is new: 1 person");
}

// --- who is there ---

#[test]
fn a_stopped_node_is_quiet_and_resumed_it_is_up_again_and_gets_what_it_missed() {
    let mut network = Network::new("stopped", 3);
    let lan = Lan::of(&mut network);
    let metrics = network.folder.path().join("reunite.prom");
    let option = metrics.to_str().expect("text");
    let mut one = lan.start(&network, 1, network.peers(), &["--metrics", option]);
    let (two, three) = (lan.tier1(&network, 2), lan.tier1(&network, 3));
    wait_all_up(&network);
    let line = |peer, up| format!("reunite_peer_up{{peer=\"{peer}\"}} {up}\n");
    let told = |text: &str| fs::read_to_string(&metrics).is_ok_and(|all| all.contains(text));
    until("Prometheus is told that it is up", || told(&line(2, 1)));
    two.pause();
    let begun = Instant::now();
    wait_state(&network, 1, 2, "quiet");
    println!("quiet after {} ms", begun.elapsed().as_millis());
    wait_state(&network, 3, 2, "quiet");
    assert_eq!(seen(&network, 1, 3)["state"], "up");
    until("Prometheus is told that it is quiet", || told(&line(2, 0)) && told(&line(3, 1)));
    one.ask(&["3", "Nur Begum", "thin", "Balukhali", "missing"]);
    let shown = one.ask(&["11"]);
    assert!(shown[1].contains("QUIET, heard"), "{shown:?}");
    assert!(shown[2].contains("up, "), "{shown:?}");
    until("it is seen to lack something", || seen(&network, 1, 2)["in_step"] == false);
    two.resume();
    let begun = Instant::now();
    wait_state(&network, 1, 2, "up");
    println!("up again after {} ms", begun.elapsed().as_millis());
    until("it gets what it missed", || network.people(2).len() == 1);
    until("it is seen to have all", || seen(&network, 1, 2)["in_step"] == true);
    let text = command_status(&network, &["--json"]);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&value["running"], &value["node"]), (&true.into(), &1.into()));
    assert!(value["peers"][0]["round_trip_ms"].as_f64().is_some_and(|trip| trip > 0.0));
    let words = command_status(&network, &[]);
    assert!(words.starts_with("Node 1 runs.") && words.contains(ORGANISATIONS[1]), "{words}");
    let metrics_text = fs::read_to_string(&metrics).expect("there");
    for secret in secrets(&network) {
        assert!(!format!("{text}{words}{metrics_text}").contains(&secret), "a secret is shown");
    }
    assert!(one.quit().success());
    assert!(!metrics.exists(), "a node that has ended says nothing of who is there");
    assert!(command_status(&network, &[]).contains("does not run"));
    drop(three);
}

/// All that must never be shown of a network.
fn secrets(network: &Network) -> Vec<String> {
    let kept = network.secrets.as_ref().expect("sealed");
    let digits = reunite::model::hex::digits;
    let identities = kept.identities.iter().map(|one| digits(one.expose().expose()));
    let shared = [kept.keys.reader.expose(), kept.keys.network.as_ref().expect("tier 1").expose()];
    let shared = shared.map(|key| digits(key));
    identities.chain(shared).chain(network.tokens.iter().cloned()).collect()
}

/// What `reunite status` says of node 1.
fn command_status(network: &Network, options: &[&str]) -> String {
    let mut command: Command = reunite();
    let output = command.arg("status").arg(network.data(1)).args(options).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_folder_without_a_status_is_an_error_that_says_what_to_do() {
    let network = Network::new("no-status", 1);
    let output = reunite().arg("status").arg(network.data(1)).output().expect("runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("there is none") && said.contains("-> "), "{said}");
}
