//! Who wrote in a ledger, for commands that look at one without a node: by organisation, or else by key.

use crate::base::error::Result;
use crate::model::hex;
use crate::model::keys::IdentityKey;
use crate::model::ledger::merkle::sha256;
use crate::shell::{verify_words, words};
use crate::store::peer_book::PeerBook;
use std::path::Path;

/// What is known of authors.
pub struct Authors(Option<PeerBook>);

impl Authors {
    /// Those in this peers file of either tier, if one is given. Its secrets are not kept.
    pub fn read(peers: Option<&Path>) -> Result<Self> {
        Ok(Self(peers.map(PeerBook::read_public).transpose()?))
    }

    /// Who signs with this key.
    pub fn name(&self, key: &IdentityKey) -> String {
        match &self.0 {
            None => verify_words::author(&spelled(key)),
            Some(book) => match book.signer(key) {
                Some(peer) => words::peer_name(book, peer.number),
                None => verify_words::stranger(&spelled(key)),
            },
        }
    }

    /// Whether this key is missing from the peers file that was given.
    pub fn is_stranger(&self, key: &IdentityKey) -> bool {
        self.0.as_ref().is_some_and(|book| !book.knows(key))
    }

    /// The organisation that signs with this key, and its number.
    pub fn organisation(&self, key: &IdentityKey) -> Option<(u64, String)> {
        let peer = self.0.as_ref()?.signer(key)?;
        Some((u64::from(peer.number.value()), peer.organisation.to_string()))
    }
}

/// A signing key in groups of digits, as fingerprints are. A fingerprint is of a node's two keys, and a ledger knows
/// only this one.
fn spelled(key: &IdentityKey) -> String {
    hex::spoken(&sha256(&[b"reunite author 1", key.as_bytes()]))
}
