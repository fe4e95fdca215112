//! `reunite setup`: leads to a node that can be started, by beginning a network, joining one, or making a card.

use crate::base::error::{Error, Result};
use crate::model::address;
use crate::model::identity::Identity;
use crate::model::ids::{NetworkName, PeerNumber};
use crate::model::ledger::membership::Rule;
use crate::shell::join::{self, About};
use crate::shell::{ask, identity, join_words, network, setup_local, setup_words};
use crate::store::files::{self, DataFolder};
use crate::store::identity_file::{FILE, IdentityFile};
use crate::store::newcomer;
use crate::store::peer_book::{Peer, PeerBook};
use crate::store::peers_file::card;
use clap::Args;
use std::path::{Path, PathBuf};

/// The ways to call it.
const USAGE: &str = "reunite setup
       reunite setup --begin <NETWORK> --organisation <NAME> --address <IP:PORT> [--data <DIR>] [--passphrase]
       reunite setup --number <N> --organisation <NAME> --address <IP:PORT> [--data <DIR>] [--passphrase]
       reunite setup --local <N> [--tier2 <M>] --out <DIR>";
const ONE_NODE: &str = "One node";
const WHOLE_NETWORK: &str = "A whole network on this machine, to try it out";

/// The options of `reunite setup`.
#[derive(Debug, Args)]
#[command(override_usage = USAGE)]
pub struct Options {
    /// Begin a new network of this name: this node is its first
    #[arg(long, value_name = "NETWORK", help_heading = ONE_NODE, conflicts_with = "number")]
    begin: Option<String>,
    /// How many members it takes to shut somebody out, for as long as the network lasts; 2 if it is not given
    #[arg(long, value_name = "N", requires = "begin", help_heading = ONE_NODE)]
    revoke: Option<u8>,
    /// Make a card for whoever keeps the peers file by hand: the number of this node in it, 1 to 999
    #[arg(long, value_name = "N", help_heading = ONE_NODE)]
    number: Option<u64>,
    /// Whose node it is
    #[arg(long, value_name = "NAME", help_heading = ONE_NODE)]
    organisation: Option<String>,
    /// Where the other nodes reach it
    #[arg(long, value_name = "IP:PORT", help_heading = ONE_NODE)]
    address: Option<String>,
    /// The data folder of this node, made where it is missing; `node` if it is not given, nodeN with a card
    #[arg(long, value_name = "DIR", help_heading = ONE_NODE)]
    data: Option<PathBuf>,
    /// Protect the identity by a passphrase, which is then asked for at each start
    #[arg(long, help_heading = ONE_NODE)]
    passphrase: bool,
    /// Protect it by the passphrase in this file's first line, instead of asking for one
    #[arg(long, value_name = "FILE", help_heading = ONE_NODE)]
    passphrase_file: Option<PathBuf>,
    /// How many tier-1 nodes
    #[arg(long, value_name = "N", requires = "out", help_heading = WHOLE_NETWORK, conflicts_with_all = ["begin", "number", "organisation", "address", "data", "passphrase", "passphrase_file"])]
    local: Option<u64>,
    /// How many readers (tier-2 nodes)
    #[arg(long, value_name = "M", requires = "local", default_value_t = 0, help_heading = WHOLE_NETWORK)]
    tier2: u64,
    /// The folder for all of it; it must be new or empty
    #[arg(long, value_name = "DIR", requires = "local", help_heading = WHOLE_NETWORK)]
    out: Option<PathBuf>,
    /// The name of the network
    #[arg(long, value_name = "NAME", requires = "local", default_value = "local demonstration", help_heading = WHOLE_NETWORK)]
    network: String,
}

/// Sets up a node, or a whole network on this machine.
pub fn run(options: &Options) -> Result<()> {
    match (options.local, &options.out) {
        (Some(nodes), Some(out)) => {
            setup_local::network(nodes, options.tier2, out, &options.network)
        }
        _ => one_node(options),
    }
}

fn one_node(options: &Options) -> Result<()> {
    match (&options.begin, options.number) {
        (Some(network), _) => begin(options, &network.parse()?),
        (None, Some(_)) => node(options),
        (None, None) => lead(options),
    }
}

/// Asks which way.
fn lead(options: &Options) -> Result<()> {
    ask::say(join_words::WAYS)?;
    match ask::read(join_words::WAY, way)? {
        Way::Begin => begin(options, &ask::read(join_words::NETWORK, str::parse)?),
        Way::Code => join::by_code(&about(options), None),
        Way::File => {
            let file = ask::line(join_words::REQUEST_FILE)?;
            join::request(&about(options), Path::new(&*file))
        }
    }
}

enum Way {
    Begin,
    Code,
    File,
}

fn way(typed: &str) -> Result<Way> {
    match typed {
        "1" => Ok(Way::Begin),
        "2" => Ok(Way::Code),
        "3" => Ok(Way::File),
        _ => Err(Error::input("setup", "this is none of the ways", "type 1, 2 or 3")),
    }
}

fn about(options: &Options) -> About {
    About {
        organisation: options.organisation.clone(),
        address: options.address.clone(),
        data: options.data.clone().unwrap_or_else(|| "node".into()),
        passphrase: options.passphrase,
        passphrase_file: options.passphrase_file.clone(),
    }
}

/// The first node of a new network.
fn begin(options: &Options, name: &NetworkName) -> Result<()> {
    let (about, name) = (about(options), name.to_string());
    // A network in which several admit begins with several, by their cards: one node alone could let nobody in.
    let rule = Rule::new(1, options.revoke.unwrap_or(2))?;
    let number = PeerNumber::try_from(1)?;
    let (organisation, address) = (join::organisation(&about)?, join::address(&about, None)?);
    let first = Peer::new(number, organisation, address.socket(), None);
    let passphrase = ask::new_passphrase(about.passphrase_file.as_deref(), about.passphrase)?;
    let (peers, identity) = newcomer::found(&about.data, name.clone(), first, passphrase.as_ref())?;
    let keys = identity.public();
    let (folder, book) = (DataFolder::open(&about.data)?, PeerBook::read_tier1(&peers)?);
    network::begin_in(&folder, &book, number, identity, rule)?;
    ask::say(&join_words::founded(&name, &about.data, &keys))
}

fn node(options: &Options) -> Result<()> {
    let number = PeerNumber::try_from(options.number.unwrap_or_default())?;
    let (Some(organisation), Some(address)) = (&options.organisation, &options.address) else {
        return Err(Error::input(
            "setup",
            "a card needs --organisation and --address too",
            "give them, or run `reunite setup` alone, which asks",
        ));
    };
    let organisation = organisation.parse()?;
    let address = address::typed(address)?;
    let folder = options.data.clone().unwrap_or_else(|| format!("node{number}").into());
    let keys = identity(options, &folder, number)?.public();
    let peer = Peer::new(number, organisation, address, None).with_keys(keys);
    let (text, path) = (card(&peer), folder.join(format!("card-{number}.json")));
    files::replace(&path, |out| out.write_all(text.as_bytes()))?;
    ask::say(text.trim_end())?;
    // Apart from the card, which a script may take from standard output.
    eprintln!("{}", setup_words::card_made(&path, &keys));
    Ok(())
}

/// The identity in the data folder. It is made only if there is none.
fn identity(options: &Options, folder: &Path, number: PeerNumber) -> Result<Identity> {
    let path = folder.join(FILE);
    if files::is_missing(&path)? {
        let file = options.passphrase_file.as_deref();
        let passphrase = ask::new_passphrase(file, options.passphrase)?;
        let folder = DataFolder::open(folder)?;
        folder.tighten();
        let identity = Identity::random(&mut rand::rng());
        IdentityFile::create(&folder.file(FILE), number, &identity, passphrase.as_ref())?;
        return Ok(identity);
    }
    files::tighten(&path);
    let file = IdentityFile::read(&path)?;
    let place = path.display().to_string();
    if file.number() != number {
        return Err(Error::input(
            place,
            format!("there is the identity of node {} already", file.number()),
            "give each node a folder of its own with --data",
        ));
    }
    if !file.is_sealed() && (options.passphrase || options.passphrase_file.is_some()) {
        return Err(Error::input(
            place,
            "there is an identity without a passphrase already",
            "leave --passphrase away, or make a new identity in another folder",
        ));
    }
    identity::open(file, options.passphrase_file.as_deref())
}
