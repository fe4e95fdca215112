//! The identity of a node at its start: opened, and held against what its peers file pins.

use crate::base::error::{Error, Result};
use crate::model::dialect::Dialect;
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::shell::ask;
use crate::store::files::{self, DataFolder};
use crate::store::identity_file::{self, IdentityFile};
use crate::store::peer_book::PeerBook;
use std::path::Path;

/// The identity of node `me`, which must be the one that the book pins; `None` in a classic network.
pub fn of_node(
    book: &PeerBook,
    peers_file: &Path,
    me: PeerNumber,
    folder: &DataFolder,
    passphrase_file: Option<&Path>,
) -> Result<Option<Identity>> {
    if book.dialect() == Dialect::Classic {
        return Ok(None);
    }
    let own = book.peer(me).ok_or_else(|| no_peer(peers_file, me))?;
    let file = file(me, folder)?;
    let identity = open(file, passphrase_file)?;
    match own.keys() == Some(&identity.public()) {
        true => Ok(Some(identity)),
        false => Err(Error::input(
            folder.file(identity_file::FILE).display().to_string(),
            format!("{} pins other keys for node {me}", peers_file.display()),
            format!(
                "if this is the right node, have `reunite peers add` take its card again: fingerprint {}",
                identity.public().fingerprint()
            ),
        )),
    }
}

/// The identity file of node `me`, still closed.
pub fn file(me: PeerNumber, folder: &DataFolder) -> Result<IdentityFile> {
    let path = folder.file(identity_file::FILE);
    let place = path.display().to_string();
    if files::is_missing(&path)? {
        return Err(Error::input(
            place,
            "this node has no identity here",
            format!(
                "is --data right? Else run `reunite setup --number {me}` with this --data, and send its card to whoever keeps the peers file"
            ),
        ));
    }
    let file = IdentityFile::read(&path)?;
    match file.number() == me {
        true => Ok(file),
        false => Err(Error::input(
            place,
            format!("it is the identity of node {}, not of {me}", file.number()),
            "give the --number or the --data of the same node",
        )),
    }
}

/// Who signs in the ledger of a node of a classic network, where nobody knows it: made at the first start.
pub fn of_ledger(me: PeerNumber, folder: &DataFolder) -> Result<Identity> {
    let path = folder.file(&format!("DATABASE{me}.{}", identity_file::FILE));
    if files::is_missing(&path)? {
        let identity = Identity::random(&mut rand::rng());
        IdentityFile::create(&path, me, &identity, None)?;
        return Ok(identity);
    }
    open(IdentityFile::read(&path)?, None)
}

/// Opens an identity file; its passphrase comes from a file, or else from the terminal.
pub fn open(file: IdentityFile, passphrase_file: Option<&Path>) -> Result<Identity> {
    file.open(|| ask::passphrase(passphrase_file))
}

/// That a number is not in a peers file.
pub fn no_peer(peers_file: &Path, number: PeerNumber) -> Error {
    Error::input(
        peers_file.display().to_string(),
        format!("there is no peer {number}"),
        "give --number one of the numbers in the file",
    )
}
