//! Who belongs to a network, as a ledger on the disk says it, without its node.

use crate::base::error::{Error, Result};
use crate::model::ledger::block::Received;
use crate::model::ledger::chains::Chains;
use crate::model::ledger::register::Register;
use crate::model::ledger::stored::Stored;
use crate::model::membership::roster::Roster;
use crate::store::disk::RealDisk;
use crate::store::ledger_walk::walk;
use crate::store::network_file::{self, Pin};
use std::path::Path;

/// The roster of the network that is pinned beside the ledger at `path`, of the blocks that these chains hold; `None` if
/// none is pinned, or its beginning is not in the ledger.
pub fn roster(path: &Path, chains: &Chains) -> Result<Option<Roster>> {
    let Some(pin) = Pin::read(&path.with_file_name(network_file::FILE))? else { return Ok(None) };
    let mut register = Register::default();
    walk(&RealDisk, path, |_, entry| {
        let block = Stored::block_of(entry).and_then(|bytes| Received::read(bytes).ok());
        if let Some(block) = block.and_then(|block| chains.again(block)) {
            register.take(&block);
        }
        Ok(())
    })?;
    let counts = |log: &_, sequence, lamport| chains.counts_at(log, sequence, lamport);
    Ok(Roster::new(&register, pin.network, &counts))
}

/// The same, where there has to be one.
pub fn roster_of(path: &Path, chains: &Chains) -> Result<Roster> {
    roster(path, chains)?.ok_or_else(|| {
        Error::input(
            path.display().to_string(),
            "who belongs to the network is not in it",
            "one node begins it: 16 in its menu; in a network without it, the peers file says who belongs to it",
        )
    })
}
