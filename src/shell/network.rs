//! `reunite network begin`: puts into the ledger who belongs to the network of a peers file, on a node that is down.

use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::model::ledger::membership::Rule;
use crate::model::ledger::names::Namer;
use crate::model::limits::STORE_WAIT;
use crate::shell::which::Which;
use crate::shell::{ask, identity, members_words};
use crate::store::database::Database;
use crate::store::files::{self, DataFolder};
use crate::store::network_file::{self, Pin};
use crate::store::opening::Owner;
use crate::store::peer_book::PeerBook;
use clap::Args;
use std::path::PathBuf;

/// The options of `reunite network begin`.
#[derive(Debug, Args)]
pub struct Begin {
    // The node that does it, for all; it must be down.
    #[command(flatten)]
    which: Which,
    /// How many members it takes to take somebody in, for as long as the network lasts
    #[arg(long, value_name = "N", default_value_t = 1)]
    admit: u8,
    /// How many members it takes to shut somebody out
    #[arg(long, value_name = "N", default_value_t = 2)]
    revoke: u8,
    /// The file whose first line is the passphrase of the identity, instead of asking for it
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Begins it.
pub fn begin(options: &Begin) -> Result<()> {
    let rule = Rule::new(options.admit, options.revoke)?;
    let (me, peers) = (options.which.number()?, options.which.peers());
    let book = PeerBook::read_tier1(&peers)?;
    let folder = DataFolder::open(&options.which.data)?;
    let passphrase = options.passphrase_file.as_deref();
    let identity = identity::of_node(&book, &peers, me, &folder, passphrase)?;
    let classic = || Error::input("network", members_words::CLASSIC, "begin a sealed network");
    begin_in(&folder, &book, me, identity.ok_or_else(classic)?, rule)?;
    ask::say(members_words::BEGUN)
}

/// Begins it in the data folder of node `me`, which has this identity. Returns the network.
pub fn begin_in(
    folder: &DataFolder,
    book: &PeerBook,
    me: PeerNumber,
    identity: Identity,
    rule: Rule,
) -> Result<Pin> {
    let file = folder.file(network_file::FILE);
    if !files::is_missing(&file)? {
        return Err(Error::input(
            file.display().to_string(),
            "this node belongs to a network of the ledger already",
            "`reunite members DIR` shows who belongs to it",
        ));
    }
    let keeper = identity.public().identity;
    let (network, entries) = book.take_up(&keeper, rule, &mut rand::rng())?;
    let pin = Pin { network, founder: keeper };
    let shared = book.network_keys().and_then(|keys| keys.network.as_ref());
    let namer = Namer::new(shared.unwrap_or(identity.expose()));
    let owner = Owner { identity, namer, dialect: book.dialect() };
    let (database, _) = Database::open(&folder.file(&format!("DATABASE{me}.txt")), owner)?;
    // Before it is signed: otherwise the node could begin two.
    pin.write(&file)?;
    let ticket = database.note(|_| entries)?;
    let done = database.wait_saved(ticket, STORE_WAIT, &Stop::default());
    done.map(|()| pin)
}
