//! `reunite peers add`, `reunite peers tier2`, `reunite fingerprint`: who belongs to a network, kept by one person.

use crate::base::error::{Error, Result};
use crate::model::ids::PeerNumber;
use crate::model::keys::{NetworkKeys, PublicKeys};
use crate::model::secret::Token;
use crate::shell::identity::no_peer;
use crate::shell::{ask, setup_words, words};
use crate::store::files;
use crate::store::peer_book::{Beacons, Peer, PeerBook};
use crate::store::peers_file::read_card;
use clap::Args;
use std::path::{Path, PathBuf};

/// The options of `reunite peers add`.
#[derive(Debug, Args)]
pub struct Add {
    /// The tier-1 peers file; a new network begins where it is missing
    #[arg(long, value_name = "FILE")]
    peers: PathBuf,
    /// The name of the network, when it begins
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Do not ask whether the fingerprints are the same: they have been compared
    #[arg(long)]
    yes: bool,
    /// The cards of the nodes, as `reunite setup` made them
    #[arg(required = true, value_name = "CARD")]
    cards: Vec<PathBuf>,
}

/// The options of `reunite peers tier2`.
#[derive(Debug, Args)]
pub struct Tier2 {
    /// The tier-1 peers file
    #[arg(long, value_name = "FILE")]
    peers: PathBuf,
    /// Write the tier-2 peers file here
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// The options of `reunite fingerprint`.
#[derive(Debug, Args)]
pub struct Fingerprint {
    /// A peers file of either tier
    #[arg(long, value_name = "FILE")]
    peers: PathBuf,
    /// Show only this node's
    #[arg(long, value_name = "N")]
    number: Option<u64>,
}

/// Takes cards into a network.
pub fn add(options: &Add) -> Result<()> {
    let file = &options.peers;
    let founded = files::is_missing(file)?;
    let (network, keys, mut peers, beacons) = match founded {
        true => {
            let network = options.network.as_deref().unwrap_or("aid network").trim().to_owned();
            (network, NetworkKeys::random(&mut rand::rng()), Vec::new(), Beacons::default())
        }
        false => existing(file, options.network.as_deref())?,
    };
    let mut changes = Vec::new();
    for path in &options.cards {
        let card = read_card(path)?;
        match take(file, &mut peers, card)? {
            Taken::Known(at) => ask::say(&setup_words::known(at))?,
            Taken::Changed(number) => changes.push(number),
        }
    }
    // Checked before anybody is called.
    let book = PeerBook::sealed(file, network, keys, peers)?.with_beacons(beacons);
    for number in &changes {
        confirm(book.peer(*number), options.yes)?;
    }
    if changes.is_empty() {
        return Ok(());
    }
    let text = book.to_json(true);
    files::replace(file, |out| out.write_all(text.as_bytes()))?;
    ask::say(&setup_words::network_changed(file, book.all().len(), founded))
}

fn existing(
    file: &Path,
    network: Option<&str>,
) -> Result<(String, NetworkKeys, Vec<Peer>, Beacons)> {
    let place = file.display().to_string();
    let book = PeerBook::read_tier1(file)?;
    let beacons = book.beacons();
    let (name, keys, peers) = book.into_parts();
    if network.is_some_and(|network| network.trim() != name) {
        return Err(Error::input(
            place,
            format!("it is of the network \"{name}\""),
            "leave --network away, or give another --peers file for another network",
        ));
    }
    match keys {
        Some(keys) => Ok((name, keys, peers, beacons)),
        None => Err(Error::input(
            place,
            "it is of a classic network, which has no keys",
            "begin a sealed network with a new --peers file",
        )),
    }
}

/// What a card does to the peers.
enum Taken<'a> {
    Known(&'a Peer),
    Changed(PeerNumber),
}

fn take<'a>(file: &Path, peers: &'a mut Vec<Peer>, card: Peer) -> Result<Taken<'a>> {
    let number = card.number;
    let Some(at) = peers.iter().position(|peer| peer.number == number) else {
        peers.push(card.with_token(Token::random(&mut rand::rng())));
        return Ok(Taken::Changed(number));
    };
    let Some(peer) = peers.get_mut(at) else { return Ok(Taken::Changed(number)) };
    if peer.keys() != card.keys() {
        return Err(Error::input(
            format!("{}: peer {number}", file.display()),
            "it has other keys than the card",
            "give the newcomer a number that is free; for a node that lost its identity, take the old entry out of the file first",
        ));
    }
    if peer.address == card.address && peer.organisation == card.organisation {
        return Ok(Taken::Known(peer));
    }
    (peer.address, peer.organisation) = (card.address, card.organisation);
    Ok(Taken::Changed(number))
}

fn confirm(peer: Option<&Peer>, yes: bool) -> Result<()> {
    let Some((peer, keys)) = peer.and_then(|peer| Some((peer, peer.keys()?))) else {
        return Ok(());
    };
    ask::say(&setup_words::newcomer(peer, keys))?;
    match yes || ask::confirms(words::COMPARED, words::YES)? {
        true => Ok(()),
        false => Err(Error::input(
            format!("peer {}", peer.number),
            "its fingerprint was not confirmed, and nothing was changed",
            "ask for its card again, by another way",
        )),
    }
}

/// Makes the tier-2 peers file of a network.
pub fn tier2(options: &Tier2) -> Result<()> {
    let (from, to) = (&options.peers, &options.out);
    let text = PeerBook::read_tier1(from)?.to_json(false);
    let same = files::print(to).is_some_and(|print| files::print(from) == Some(print));
    if same {
        return Err(Error::input(
            to.display().to_string(),
            "this is the tier-1 peers file itself",
            "give --out another file",
        ));
    }
    files::replace(to, |out| out.write_all(text.as_bytes())).map(|_| ())
}

/// Shows fingerprints.
pub fn fingerprint(options: &Fingerprint) -> Result<()> {
    let book = PeerBook::read_public(&options.peers)?;
    let wanted = options.number.map(PeerNumber::try_from).transpose()?;
    let is_wanted = |peer: &&Peer| wanted.is_none_or(|number| peer.number == number);
    let with_keys = |peer| -> Result<(&Peer, &PublicKeys)> {
        let keys = Peer::keys(peer).ok_or_else(|| {
            Error::input(
                options.peers.display().to_string(),
                "it is of a classic network, which has no keys",
                "give a sealed peers file",
            )
        })?;
        Ok((peer, keys))
    };
    let lines = book
        .all()
        .iter()
        .filter(is_wanted)
        .map(|peer| with_keys(peer).map(|(peer, keys)| setup_words::fingerprint(peer, keys)));
    let lines = lines.collect::<Result<Vec<_>>>()?;
    match (wanted, lines.is_empty()) {
        (Some(number), true) => Err(no_peer(&options.peers, number)),
        _ => ask::say(&lines.join("\n")),
    }
}
