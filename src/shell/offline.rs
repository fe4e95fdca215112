//! One thing that a command does on a node that is down, as the node would from its menu: the node is started for it, and
//! ends. `reunite join answer` and the changes of `reunite members` come here.

use crate::base::error::{Error, Result};
use crate::net::context::Context;
use crate::shell::node::{Node, Plan};
use crate::shell::which::Which;
use crate::shell::{ask, identity, process, words};
use crate::store::files::DataFolder;
use crate::store::peer_book::PeerBook;
use clap::Args;
use std::io;
use std::path::PathBuf;

/// A node that is down.
#[derive(Debug, Args)]
pub struct OfNode {
    /// Which it is.
    #[command(flatten)]
    pub which: Which,
    /// The file whose first line is the passphrase of the identity, instead of asking for it
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Starts the node, does `work` on it, ends it, and says what came of it.
pub fn run(of: &OfNode, work: impl FnOnce(&Context) -> Result<String>) -> Result<()> {
    let (me, peers) = (of.which.number()?, of.which.peers());
    let book = PeerBook::read_tier1(&peers)?;
    let folder = DataFolder::open(&of.which.data)?;
    let passphrase = of.passphrase_file.as_deref();
    let identity = identity::of_node(&book, &peers, me, &folder, passphrase)?;
    let (screen, printer, stop) = process::begin()?;
    let plan = Plan {
        book,
        peers_file: &peers,
        me,
        identity,
        folder: &folder,
        lights_beacons: false,
        metrics: None,
    };
    let done = Node::start(plan, &screen, &stop).map(|node| {
        let done = work(node.context());
        let database = &node.context().database;
        let is_late = done.is_ok() && !database.is_saved(database.now());
        (done, is_late, node.end())
    });
    printer.end();
    let (done, is_late, is_saved) = done?;
    let said = done.and_then(|text| ask::say(&text));
    match (said, is_saved) {
        (Ok(()), true) if is_late => ask::say(words::SAVED_LATE),
        (said, true) => said,
        (said, false) => {
            if let Err(error) = said {
                log::error!("{error}");
            }
            Err(Error::device("save everything", io::Error::other(words::UNSAVED)))
        }
    }
}
