//! `reunite setup --local`: a whole sealed network on one machine, to try it out.

use crate::base::error::{Error, Result};
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::model::keys::NetworkKeys;
use crate::model::ledger::membership::Rule;
use crate::model::limits::MAX_PEERS;
use crate::model::secret::Token;
use crate::shell::{ask, network, setup_words};
use crate::store::files::{self, DataFolder};
use crate::store::identity_file::{FILE, IdentityFile};
use crate::store::network_file::{self, Pin};
use crate::store::peer_book::{Peer, PeerBook};
use rand::RngExt;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;

/// The port of the first node.
const FIRST_PORT: u16 = 33_001;
/// Where other ports are looked for: below those that the system gives away by itself.
const OTHER_PORTS: std::ops::Range<u16> = 20_000..32_768;
/// Ports that are tried for each node before it is given up.
const TRIES: usize = 100;

/// Makes the network in the folder `out`, and says how to start it.
pub fn network(nodes: u64, readers: u64, out: &Path, name: &str) -> Result<()> {
    let most = MAX_PEERS as u64;
    if !(1..=most).contains(&nodes) || readers > most {
        return Err(Error::input(
            "--local",
            "that is no number of nodes",
            "give 1 to 999 nodes, and up to 999 readers",
        ));
    }
    take_folder(out)?;
    let (ports, usual) = free_ports(usize::try_from(nodes).unwrap_or(MAX_PEERS))?;
    let mut peers = Vec::new();
    for (number, port) in (1..=nodes).zip(ports) {
        let folder = DataFolder::open(&out.join(format!("node{number}")))?;
        let identity = Identity::random(&mut rand::rng());
        let (peer, number) = (peer(number, port)?, PeerNumber::try_from(number)?);
        IdentityFile::create(&folder.file(FILE), number, &identity, None)?;
        peers.push(peer.with_keys(identity.public()));
    }
    for number in 1..=readers {
        DataFolder::open(&out.join(format!("reader{number}")))?;
    }
    let keys = NetworkKeys::random(&mut rand::rng());
    let file = out.join("peers.json");
    let book = PeerBook::sealed(&file, name.trim().to_owned(), keys, peers)?;
    for (path, text) in
        [(file, book.to_json(true)), (out.join("peers-tier2.json"), book.to_json(false))]
    {
        files::replace(&path, |out| out.write_all(text.as_bytes()))?;
    }
    begin(out, &book)?;
    if !usual {
        ask::say(setup_words::OTHER_PORTS)?;
    }
    ask::say(&setup_words::made_locally(out, nodes, readers))
}

/// Puts into the ledger who belongs to it. Node 1 does that; the others would find it out when they meet, and are told at
/// once.
fn begin(out: &Path, book: &PeerBook) -> Result<()> {
    let folder = |number: PeerNumber| DataFolder::open(&out.join(format!("node{number}")));
    let mut pin = None;
    for peer in book.all() {
        let folder = folder(peer.number)?;
        match pin {
            None => {
                let identity =
                    IdentityFile::read(&folder.file(FILE))?.open(|| ask::passphrase(None))?;
                let rule = Rule::default();
                pin = Some(network::begin_in(&folder, book, peer.number, identity, rule)?);
            }
            Some(pin) => Pin::write(&pin, &folder.file(network_file::FILE))?,
        }
    }
    Ok(())
}

/// Makes the folder, which must not be there or be empty.
fn take_folder(out: &Path) -> Result<()> {
    let wrong = |cause| Error::device(format!("use folder {}", out.display()), cause);
    if !files::is_missing(out)? && fs::read_dir(out).map_err(wrong)?.next().is_some() {
        return Err(Error::input(
            out.display().to_string(),
            "there is something in this folder",
            "give --out a folder that is new or empty",
        ));
    }
    files::make_folder(out)?;
    files::tighten(out);
    Ok(())
}

fn peer(number: u64, port: u16) -> Result<Peer> {
    let names = setup_words::ORGANISATIONS;
    let at = usize::try_from(number - 1).unwrap_or_default();
    let name = names.iter().cycle().nth(at).copied().unwrap_or_default();
    let organisation = match at / names.len() {
        0 => name.parse()?,
        round => format!("{name} {}", round + 1).parse()?,
    };
    let token = Some(Token::random(&mut rand::rng()));
    Ok(Peer::new(number.try_into()?, organisation, (Ipv4Addr::LOCALHOST, port).into(), token))
}

/// Free ports for `count` nodes, and whether they are the usual ones.
fn free_ports(count: usize) -> Result<(Vec<u16>, bool)> {
    let bind = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
    let usual: Vec<u16> = (FIRST_PORT..).take(count).collect();
    if usual.iter().all(|port| bind(*port).is_ok()) {
        return Ok((usual, true));
    }
    let (mut ports, mut held) = (Vec::new(), Vec::new());
    for _ in 0..count.saturating_mul(TRIES) {
        if ports.len() == count {
            break;
        }
        let port = rand::rng().random_range(OTHER_PORTS);
        // Held until all are known, so that no port is given twice.
        if let Ok(socket) = bind(port) {
            held.push(socket);
            ports.push(port);
        }
    }
    match ports.len() == count {
        true => Ok((ports, false)),
        false => Err(Error::input(
            "ports",
            "there are not enough free ones on this machine",
            "stop other nodes, or set up fewer",
        )),
    }
}
