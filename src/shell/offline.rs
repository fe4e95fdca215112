//! One thing that a command does on a node that is down, as the node would from its menu: the node is started for it, and
//! ends. `reunite join answer` and the changes of `reunite members` come here.

use crate::base::error::{Error, Result};
use crate::shell::desk::Desk;
use crate::shell::input::Input;
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

impl Desk<'_> {
    /// Whether the person types exactly `word`. An error where there is no terminal to ask on, and where Ctrl-C breaks it
    /// off.
    pub fn confirms(&mut self, question: &str, word: &str) -> Result<bool> {
        if !self.screen.is_interactive() {
            return Err(ask::nobody_to_ask());
        }
        let line = self.input.line(question);
        if self.context.stop.is_set() {
            let (what, advice) =
                ("it was broken off, and nothing was changed", "give the command again to do it");
            return Err(Error::input("confirmation", what, advice));
        }
        Ok(line.is_ok_and(|line| line == word))
    }
}

/// Starts the node, does `work` on it, ends it, and says what came of it. All that is shown meanwhile goes by its screen: a
/// running node has more to say.
pub fn run(of: &OfNode, work: impl FnOnce(&mut Desk<'_>) -> Result<String>) -> Result<()> {
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
        let input = Input::new(&screen, &stop);
        let done = work(&mut Desk { context: node.context(), screen: &screen, input });
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
