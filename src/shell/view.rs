//! `reunite view --check`: whether a copy that was carried by hand is as a node of the network signed it.

use crate::base::error::{Error, Result};
use crate::model::dialect::Dialect;
use crate::shell::{ask, view_words};
use crate::store::peer_book::PeerBook;
use crate::store::view_file::{self, Verdict};
use clap::Args;
use std::path::PathBuf;

/// The options of `reunite view`.
#[derive(Debug, Args)]
pub struct Options {
    /// The copy to check: the T2DATABASE.txt of some tier-2 node
    #[arg(long, value_name = "FILE")]
    check: PathBuf,
    /// The peers file of the network, of either tier
    #[arg(long, value_name = "FILE")]
    peers: PathBuf,
}

/// Checks a copy, and says who signed it. What is wrong with it is an error.
pub fn run(options: &Options) -> Result<()> {
    let book = PeerBook::read_public(&options.peers)?;
    if book.dialect() == Dialect::Classic {
        return Err(Error::input(
            options.peers.display().to_string(),
            "it is of a classic network, where nothing is signed",
            "give a sealed peers file",
        ));
    }
    let found = view_file::read(&options.check)?;
    let verdict = view_file::judge(&found, &book);
    match (&verdict, view_words::wrong(&verdict)) {
        (Verdict::Whole(peer, seal), _) => {
            ask::say(&view_words::whole(&options.check, &found, peer, seal))
        }
        (_, wrong) => Err(Error::input(
            options.check.display().to_string(),
            wrong.unwrap_or_default(),
            "do not rely on it; take it anew from a device that refreshed, or ask for a true peers file",
        )),
    }
}
