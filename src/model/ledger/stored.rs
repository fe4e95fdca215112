//! What an entry of the ledger's file is.
//!
//! ```text
//! stored = 1 block | 2 proof of a fork | 3 birth: dialect u8 (1 classic, 2 sealed)  check 16
//! ```
//!
//! The birth stands first. Its check tells whether records are still named by the key that they were named by.

use crate::model::codec::{Decoder, Encoder};
use crate::model::dialect::Dialect;
use crate::model::ledger::block::Received;
use crate::model::ledger::fault::Fault;
use crate::model::ledger::fork::ForkProof;
use crate::model::ledger::names::Namer;

const BLOCK: u8 = 1;
const PROOF: u8 = 2;
const BIRTH: u8 = 3;

/// The first entry of a ledger's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// What the network spoke.
    pub dialect: Dialect,
    check: [u8; 16],
}

impl Birth {
    /// The birth of a ledger whose records are named by `namer`.
    pub fn new(dialect: Dialect, namer: &Namer) -> Self {
        Self { dialect, check: namer.check() }
    }

    /// Whether `namer` is the one of this ledger.
    pub fn is_of(&self, namer: &Namer) -> bool {
        self.check == namer.check()
    }
}

/// An entry of the ledger's file, read.
#[derive(Debug)]
pub enum Stored {
    /// A block of some author.
    Block(Box<Received>),
    /// That an author forked.
    Proof(Box<ForkProof>),
    /// How the ledger began.
    Birth(Birth),
}

impl Stored {
    /// The entry that a block is.
    pub fn block(bytes: &[u8]) -> Vec<u8> {
        [&[BLOCK], bytes].concat()
    }

    /// The entry that a proof is.
    pub fn proof(proof: &ForkProof) -> Vec<u8> {
        [&[PROOF][..], &proof.bytes()].concat()
    }

    /// The entry that a birth is.
    pub fn birth(birth: &Birth) -> Vec<u8> {
        let dialect = if birth.dialect == Dialect::Classic { 1 } else { 2 };
        let mut out = Encoder::of_kind(BIRTH);
        out.u8(dialect).bytes(&birth.check);
        out.done()
    }

    /// The bytes of the block that an entry is, if it is one.
    pub fn block_of(entry: &[u8]) -> Option<&[u8]> {
        entry.strip_prefix(&[BLOCK])
    }

    /// Reads an entry. A block's entries are compared with its header, a proof's signatures are checked.
    pub fn read(entry: &[u8]) -> Result<Self, Fault> {
        match entry.split_first() {
            Some((&BLOCK, bytes)) => {
                Received::read(bytes).map(|block| Self::Block(Box::new(block)))
            }
            Some((&PROOF, bytes)) => {
                ForkProof::read(bytes).map(|proof| Self::Proof(Box::new(proof)))
            }
            Some((&BIRTH, bytes)) => birth(bytes).map(Self::Birth).ok_or_else(Fault::form),
            _ => Err(Fault::form()),
        }
    }
}

fn birth(bytes: &[u8]) -> Option<Birth> {
    let mut from = Decoder::new(bytes);
    let dialect = match from.u8().ok()? {
        1 => Dialect::Classic,
        2 => Dialect::Sealed,
        _ => return None,
    };
    let check = from.array().ok()?;
    from.finish().ok()?;
    Some(Birth { dialect, check })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::SecretKey;

    #[test]
    fn a_birth_knows_the_key_that_records_are_named_by() {
        let namer = |byte| Namer::new(&SecretKey::from([byte; 32]));
        let entry = Stored::birth(&Birth::new(Dialect::Sealed, &namer(7)));
        let Ok(Stored::Birth(birth)) = Stored::read(&entry) else { panic!("a birth") };
        assert!(birth.is_of(&namer(7)) && !birth.is_of(&namer(8)));
        assert_eq!(birth.dialect, Dialect::Sealed);
        for cut in 0..entry.len() {
            assert!(Stored::read(&entry[..cut]).is_err());
        }
    }
}
