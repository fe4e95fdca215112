//! Which node a command is for: its data folder, and its peers file and number where these are not in it.

use crate::base::error::{Error, Result};
use crate::model::ids::PeerNumber;
use crate::store::files;
use crate::store::identity_file::{self, IdentityFile};
use crate::store::newcomer::PEERS;
use clap::Args;
use std::path::PathBuf;

/// The options that name a node.
#[derive(Debug, Args)]
pub struct Which {
    /// The peers file of its network; peers.json in its data folder if it is not given
    #[arg(long, value_name = "FILE")]
    peers: Option<PathBuf>,
    /// Its number in the peers file; that of its identity if it is not given
    #[arg(long, value_name = "N")]
    number: Option<u64>,
    /// Its data folder, with its identity and its DATABASEN.txt
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

impl Which {
    /// Its peers file.
    pub fn peers(&self) -> PathBuf {
        self.peers.clone().unwrap_or_else(|| self.data.join(PEERS))
    }

    /// Its number. Nothing is made or locked for it.
    pub fn number(&self) -> Result<PeerNumber> {
        if let Some(number) = self.number {
            return number.try_into();
        }
        let path = self.data.join(identity_file::FILE);
        if files::is_missing(&path)? {
            return Err(Error::input(
                path.display().to_string(),
                "no node was set up here",
                "is --data right? Else run `reunite setup` with it first; a node of a classic network needs --number",
            ));
        }
        Ok(IdentityFile::read(&path)?.number())
    }
}
