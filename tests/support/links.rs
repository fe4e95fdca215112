//! Links between the nodes of a network that can be cut and be whole again, each pair of nodes by itself, in
//! silence, as a radio link is. Real ones where this process may make them: each node in a network namespace of its
//! own, on a bridge. Elsewhere all on the loopback interface, each calling every other one through a relay.

#![allow(dead_code, missing_docs, reason = "each test uses its part of this")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "relay.rs"]
pub mod relay;

use crate::support::bridge::{Bridge, address};
use crate::support::{Network, Node, no_bridge, reunite};
use relay::Relay;
use reunite::store::peer_book::PeerBook;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The links of a network.
pub struct Links {
    means: Means,
    cut: BTreeSet<(usize, usize)>,
    nodes: usize,
}

enum Means {
    Bridge(Bridge),
    /// By who calls and who is called.
    Relays(BTreeMap<(usize, usize), Relay>),
}

impl Links {
    /// Gives the nodes of a network their links: changes where they are. `REUNITE_RELAYS` has relays in any case.
    pub fn of(network: &mut Network) -> Self {
        let nodes = network.addresses.len();
        let bridge = match env::var_os("REUNITE_RELAYS") {
            Some(_) => Err("REUNITE_RELAYS is set".into()),
            None => Bridge::new(nodes),
        };
        let means = match bridge {
            Ok(bridge) => {
                network.addresses = (1..=nodes).map(|number| address(number).into()).collect();
                fs::write(network.peers(), &*network.book().to_json(true)).expect("written");
                (1..=nodes).for_each(|number| {
                    fs::copy(network.peers(), peers(network, number)).expect("written");
                });
                Means::Bridge(bridge)
            }
            Err(why) => {
                no_bridge(&format!("{why}; each calls the others through a relay"));
                Means::Relays(relays(network))
            }
        };
        Self { means, cut: BTreeSet::new(), nodes }
    }

    pub fn tier1(&self, network: &Network, number: usize) -> Node {
        self.tier1_with(network, number, network.data(number))
    }

    /// A node with this number, with the data of another folder.
    pub fn tier1_with(&self, network: &Network, number: usize, data: PathBuf) -> Node {
        let own = reunite();
        let mut command = match &self.means {
            Means::Relays(_) => reunite(),
            Means::Bridge(bridge) => bridge.command(number, &own),
        };
        command.arg("tier1").arg("--peers").arg(peers(network, number));
        command.arg("--number").arg(number.to_string()).arg("--data").arg(data);
        let node = Node::start(command, format!("node {number}"));
        node.wait_for("Number (Enter");
        node
    }

    pub fn is_cut(&self, one: usize, other: usize) -> bool {
        self.cut.contains(&(one.min(other), one.max(other)))
    }

    /// Cuts the link between two nodes, or makes it whole.
    pub fn set(&mut self, one: usize, other: usize, cut: bool) {
        let pair = (one.min(other), one.max(other));
        let changed = if cut { self.cut.insert(pair) } else { self.cut.remove(&pair) };
        if !changed {
            return;
        }
        for (from, to) in [(one, other), (other, one)] {
            match &self.means {
                Means::Relays(relays) => relays[&(from, to)].stall(cut),
                Means::Bridge(bridge) => bridge.set(from, to, cut),
            }
        }
    }

    pub fn cut_off(&mut self, number: usize, cut: bool) {
        for other in (1..=self.nodes).filter(|other| *other != number) {
            self.set(number, other, cut);
        }
    }

    pub fn make_whole(&mut self) {
        for (one, other) in self.cut.clone() {
            self.set(one, other, false);
        }
    }
}

/// The peers file of one node: where it believes that the others are.
pub fn peers(network: &Network, number: usize) -> PathBuf {
    network.folder.path().join(format!("peers-of-{number}.json"))
}

/// A relay for each node to each other one, and peers files with them.
fn relays(network: &Network) -> BTreeMap<(usize, usize), Relay> {
    let mut relays = BTreeMap::new();
    for from in 1..=network.addresses.len() {
        for (to, address) in (1..).zip(&network.addresses).filter(|(to, _)| *to != from) {
            relays.insert((from, to), Relay::new(*address));
        }
        let of = |to| relays.get(&(from, to)).map(|relay: &Relay| relay.address);
        write_peers(network, from, of);
    }
    relays
}

/// Writes the peers file of a node that finds others where `of` says, and nowhere else: beacons would lead around relays.
pub fn write_peers(network: &Network, from: usize, of: impl Fn(usize) -> Option<SocketAddr>) {
    write_peers_with(network, from, false, of);
}

/// The same, with or without beacons.
pub fn write_peers_with(
    network: &Network,
    from: usize,
    beacon: bool,
    of: impl Fn(usize) -> Option<SocketAddr>,
) {
    let text = network.book().to_json(true).to_string();
    let mut json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    json["beacon"] = beacon.into();
    for (to, peer) in (1..).zip(json["peers"].as_array_mut().expect("a list")) {
        if let Some(address) = of(to) {
            peer["address"] = address.to_string().into();
        }
    }
    let path = peers(network, from);
    fs::write(&path, json.to_string()).expect("written");
    PeerBook::read_tier1(&path).expect("a peers file");
}
