//! The command line: what a person, a script or systemd starts.

use crate::base::error::{Error, Result};
use crate::model::dialect::Dialect;
use crate::model::secret::Token;
use crate::shell::node::{Node, Plan};
use crate::shell::which::Which;
use crate::shell::{
    ask, export, history, identity, join, membership, network, process, roster, setup, status,
    status_words, tier2, verify, view, wipe, words,
};
use crate::store::files::{self, DataFolder};
use crate::store::peer_book::PeerBook;
use crate::store::token_file;
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// reunite: finds missing people, peer to peer, where there is no centre to rely on.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// In the order in which a person needs them.
#[derive(Debug, Subcommand)]
enum Command {
    /// Set up a node, or a whole network on this machine to try it out
    Setup(setup::Options),
    /// Join a network that others have begun: by a code that a member reads to you, or by files
    #[command(subcommand)]
    Join(join::Join),
    /// Take nodes into a network, and make the peers files of both tiers
    #[command(subcommand)]
    Peers(Peers),
    /// Show the fingerprints of a network's nodes, to compare them by voice
    Fingerprint(membership::Fingerprint),
    /// Start a tier-1 node: a trusted node of an aid group, with the whole database
    Tier1(Tier1),
    /// Start a tier-2 node: a refugee's read-only copy without the sensitive data
    Tier2(Tier2),
    /// Show what a node on this machine sees of its peers: who is there, and how far apart
    Status(status::Options),
    /// Show who belongs to the network, who is shut out, and what waits for more voices; or change it, on a node that is down
    Members(roster::Options),
    /// Keep in the ledger who belongs to the network
    #[command(subcommand)]
    Network(Network),
    /// Check a node's ledger without the node: every signature, and whether anything was changed since
    Verify(verify::Options),
    /// Show what happened to a record: what changed, when, and by which organisation
    History(history::Options),
    /// Write a node's whole ledger as text, for people and tools who want to read it
    Ledger(export::Options),
    /// Check a tier-2 copy that was carried by hand: who signed it, and whether it is whole
    View(view::Options),
    /// Destroy a node that is about to be overrun: identity, peers file, all data
    Wipe(wipe::Options),
    /// Make a twelve-digit token for a classic peers file
    Token,
}

#[derive(Debug, Args)]
struct Tier1 {
    #[command(flatten)]
    which: Which,
    /// The file whose first line is the passphrase of the identity, instead of asking for it
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Send no beacons on the local network, hear none, and listen only at the address of the peers file
    #[arg(long)]
    no_beacon: bool,
    /// Keep a text file for Prometheus here, for the textfile collector of node_exporter (FILE.prom)
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Tier2 {
    /// The tier-2 peers file of the network
    #[arg(long, value_name = "FILE")]
    peers: PathBuf,
    /// The folder for T2DATABASE.txt; made where it is missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Peers {
    /// Take nodes into a network by their cards
    Add(membership::Add),
    /// Make the peers file for readers (tier-2 nodes), without the secrets of tier 1
    Tier2(membership::Tier2),
    /// Turn the original's token.txt into a classic peers file, in clear
    Import(Import),
}

#[derive(Debug, Subcommand)]
enum Network {
    /// Put the nodes of a peers file into the ledger: one node does it, for all
    Begin(network::Begin),
}

#[derive(Debug, Args)]
struct Import {
    /// The original's file: a line a peer, `IP, port, token, organisation`
    token_file: PathBuf,
    /// The name of the network
    #[arg(long, value_name = "NAME", default_value = "imported")]
    network: String,
    /// Write the tier-1 peers file here instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write the tier-2 peers file, without tokens, here
    #[arg(long, value_name = "FILE")]
    tier2_out: Option<PathBuf>,
}

/// Runs the program with the arguments of this process.
pub fn run() -> ExitCode {
    let command = Cli::parse().command;
    process::forbid_core_dumps();
    if !matches!(command, Command::Tier1(_) | Command::Tier2(_)) {
        process::log_to(None);
    }
    let done = match command {
        Command::Setup(options) => setup::run(&options),
        Command::Join(way) => join::run(&way),
        Command::Peers(Peers::Add(options)) => membership::add(&options),
        Command::Peers(Peers::Tier2(options)) => membership::tier2(&options),
        Command::Peers(Peers::Import(options)) => import(&options),
        Command::Fingerprint(options) => membership::fingerprint(&options),
        Command::Tier1(options) => tier1(&options),
        Command::Tier2(options) => tier2(&options),
        Command::Status(options) => status::run(&options),
        Command::Members(options) => roster::run(&options),
        Command::Network(Network::Begin(options)) => network::begin(&options),
        Command::Verify(options) => return verify::run(&options),
        Command::History(options) => history::run(&options),
        Command::Ledger(options) => export::run(&options),
        Command::View(options) => view::run(&options),
        Command::Wipe(options) => wipe::run(&options),
        Command::Token => {
            ask::say(&String::from_utf8_lossy(Token::random(&mut rand::rng()).expose()))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reunite: {}", words::failure(&error));
            ExitCode::FAILURE
        }
    }
}

fn tier1(options: &Tier1) -> Result<()> {
    let (number, peers) = (options.which.number()?, options.which.peers());
    let book = PeerBook::read_tier1(&peers)?;
    if options.metrics.is_some() && book.dialect() == Dialect::Classic {
        return Err(Error::input("--metrics", status_words::NO_METRICS, "leave it away"));
    }
    let folder = DataFolder::open(&options.which.data)?;
    // Before the screen begins: it may ask for a passphrase.
    let passphrase = options.passphrase_file.as_deref();
    let identity = identity::of_node(&book, &peers, number, &folder, passphrase)?;
    let (screen, printer, stop) = process::begin()?;
    folder.tighten();
    files::tighten(&peers);
    let plan = Plan {
        book,
        peers_file: &peers,
        me: number,
        identity,
        folder: &folder,
        lights_beacons: !options.no_beacon,
        metrics: options.metrics.as_deref(),
    };
    let started = Node::start(plan, &screen, &stop);
    let node = match started {
        Ok(node) => node,
        Err(error) => {
            printer.end();
            return Err(error);
        }
    };
    node.run_menu(&screen);
    let saved = node.end();
    if saved {
        screen.say(words::GOODBYE);
    }
    printer.end();
    match saved {
        true => Ok(()),
        false => Err(Error::device("save everything", std::io::Error::other(words::UNSAVED))),
    }
}

fn tier2(options: &Tier2) -> Result<()> {
    let book = PeerBook::read_tier2(&options.peers)?;
    let folder = DataFolder::open(&options.data)?;
    let (screen, printer, stop) = process::begin()?;
    folder.tighten();
    let done = tier2::run(&book, &folder, &screen, &stop);
    if done.is_ok() {
        screen.say(words::GOODBYE);
    }
    printer.end();
    done
}

fn import(options: &Import) -> Result<()> {
    let book = token_file::import(&options.token_file, &options.network)?;
    let write =
        |path: &Path, text: &str| files::replace(path, |out| out.write_all(text.as_bytes()));
    if let Some(path) = &options.tier2_out {
        write(path, &book.to_json(false))?;
    }
    match &options.out {
        Some(path) => write(path, &book.to_json(true)).map(|_| ()),
        None => ask::say(book.to_json(true).trim_end()),
    }
}
