//! A bridge in a network namespace of its own, and a namespace for each node with a cable to it: a local network, where
//! this process may make one.

#![allow(dead_code, missing_docs, reason = "each test uses its part of this")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};

/// Where all nodes on a bridge listen.
const PORT: u16 = 33_000;

/// Removed when it is dropped.
pub struct Bridge {
    hub: String,
    names: Vec<String>,
}

pub fn address(number: usize) -> (IpAddr, u16) {
    (Ipv4Addr::new(10, 77, 0, number as u8).into(), PORT)
}

impl Bridge {
    pub fn new(nodes: usize) -> Result<Self, String> {
        let [a, b]: [u16; 2] = rand::random();
        let own = format!("rn-{a:04x}{b:04x}");
        let hub = format!("{own}-hub");
        let names = (1..=nodes).map(|number| format!("{own}-{number}")).collect();
        // Removed also if only a part of it could be made.
        let bridge = Self { hub, names };
        let mut batch = Vec::new();
        ip(&["netns", "add", &bridge.hub])?;
        batch.push("link add br0 type bridge".to_owned());
        for (number, name) in (1..).zip(&bridge.names) {
            ip(&["netns", "add", name])?;
            batch.push(format!("link add p{number} type veth peer name eth0 netns {name}"));
            batch.push(format!("link set p{number} master br0 up"));
        }
        batch.push("link set br0 up".into());
        for line in batch {
            let words: Vec<_> = line.split(' ').collect();
            ip(&[&["-n", &bridge.hub][..], &words].concat())?;
        }
        for (number, name) in (1..).zip(&bridge.names) {
            let own = format!("{}/24", address(number).0);
            ip(&["-n", name, "addr", "add", &own, "dev", "eth0"])?;
            ip(&["-n", name, "link", "set", "eth0", "up"])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
        }
        Ok(bridge)
    }

    /// This command, without its arguments, in the namespace of a node.
    pub fn command(&self, number: usize, own: &Command) -> Command {
        let mut command = Command::new("nsenter");
        let space = format!("--net=/run/netns/{}", self.names[number - 1]);
        command.arg(space).arg(own.get_program());
        command.envs(own.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command
    }

    /// Gives a node another address in the place of the one that it has, as a new lease does.
    pub fn move_to(&self, number: usize, from: IpAddr, to: IpAddr) {
        let name = &self.names[number - 1];
        let change = |what: &str, address: IpAddr| {
            ip(&["-n", name, "addr", what, &format!("{address}/24"), "dev", "eth0"])
        };
        change("del", from).and_then(|()| change("add", to)).expect("the address is changed");
    }

    /// What `from` sends to `to` goes to a card that nobody has; or where it belongs again.
    pub fn set(&self, from: usize, to: usize, cut: bool) {
        let (name, to) = (&self.names[from - 1], address(to).0.to_string());
        let done = match cut {
            true => {
                let nobody = ["lladdr", "02:00:00:00:00:01", "dev", "eth0", "nud", "permanent"];
                ip(&[&["-n", name, "neigh", "replace", &to][..], &nobody].concat())
            }
            false => ip(&["-n", name, "neigh", "del", &to, "dev", "eth0"]),
        };
        done.expect("the link is set");
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        for name in self.names.iter().chain([&self.hub]) {
            let _ = ip(&["netns", "del", name]);
        }
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|cause| format!("ip: {cause}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
