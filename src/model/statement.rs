//! What a tier-1 node signs of the public view, so that a copy can be checked wherever it was carried.
//!
//! ```text
//! signed    = heads 32  rows u32  hash 32  time u64  signature 64
//! signature = Ed25519( "reunite view 1"  network u16 + bytes  heads  rows  hash  time )
//! ```
//!
//! The network is its name, which the peers files of both tiers hold; who signs is pinned there by its key.

use crate::base::error::Result;
use crate::model::codec::{Decoder, Encoder};
use crate::model::identity::Identity;
use crate::model::keys::IdentityKey;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use std::fmt;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;
/// Keeps these signatures apart from all others that the key makes.
const CONTEXT: &[u8] = b"reunite view 1";

/// A hash of the ledger, or of a view.
pub type Hash = [u8; 32];

/// What a node says of its view, and its signature under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// From which ledger the view follows: nodes in step have the same.
    pub heads: Hash,
    /// How many rows it has.
    pub rows: u32,
    /// The hash of its text.
    pub hash: Hash,
    /// What the clock of the node said, in seconds since 1970: a hint.
    pub time: u64,
    /// The signature.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Signed {
    /// Whether the holder of this key said so, of this network.
    pub fn is_by(&self, key: &IdentityKey, network: &str) -> bool {
        let said = said(network, &self.heads, self.rows, &self.hash, self.time);
        UnparsedPublicKey::new(&ED25519, key.as_bytes()).verify(&said, &self.signature).is_ok()
    }

    /// Appends it to a message.
    pub fn encode(&self, out: &mut Encoder) {
        out.bytes(&self.heads).u32(self.rows).bytes(&self.hash).u64(self.time);
        out.bytes(&self.signature);
    }

    /// Reads it: the whole rest of a message.
    pub fn decode(mut from: Decoder) -> Result<Self> {
        let signed = Self {
            heads: from.array()?,
            rows: from.u32()?,
            hash: from.array()?,
            time: from.u64()?,
            signature: from.array()?,
        };
        from.finish().map(|()| signed)
    }
}

/// What is signed.
fn said(network: &str, heads: &Hash, rows: u32, hash: &Hash, time: u64) -> Vec<u8> {
    let mut out = Encoder::default();
    out.bytes(CONTEXT).u16(u16::try_from(network.len()).unwrap_or(u16::MAX));
    out.bytes(network.as_bytes()).bytes(heads).u32(rows).bytes(hash).u64(time);
    out.done()
}

/// Signs views in the name of a node.
pub struct Signer {
    key: Ed25519KeyPair,
    network: String,
}

impl Signer {
    /// The signer of this node, in the network of this name.
    pub fn new(identity: &Identity, network: &str) -> Self {
        Self { key: identity.signer(), network: network.to_owned() }
    }

    /// Signs what a view is, and of which ledger.
    pub fn sign(&self, heads: Hash, rows: u32, hash: Hash, time: u64) -> Signed {
        let said = said(&self.network, &heads, rows, &hash, time);
        let mut signature = [0; SIGNATURE_BYTES];
        let made = self.key.sign(&said);
        signature.iter_mut().zip(made.as_ref()).for_each(|(to, from)| *to = *from);
        Signed { heads, rows, hash, time, signature }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer(…, {})", self.network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::SecretKey;

    fn identity(byte: u8) -> Identity {
        Identity::new(SecretKey::from([byte; 32]))
    }

    #[test]
    fn a_signature_holds_for_its_node_its_network_and_every_word_of_it() {
        let (one, two) = (identity(1).public().identity, identity(2).public().identity);
        let signed = Signer::new(&identity(1), "n").sign([1; 32], 2, [3; 32], 4);
        assert!(signed.is_by(&one, "n"));
        assert!(!signed.is_by(&two, "n") && !signed.is_by(&one, "m") && !signed.is_by(&one, ""));
        let mut signature = signed.signature;
        signature[63] ^= 1;
        for other in [
            Signed { heads: [2; 32], ..signed },
            Signed { rows: 3, ..signed },
            Signed { hash: [4; 32], ..signed },
            Signed { time: 5, ..signed },
            Signed { signature, ..signed },
        ] {
            assert!(!other.is_by(&one, "n"), "{other:?}");
        }
    }

    #[test]
    fn what_is_sent_is_read_and_a_signer_shows_no_key() {
        let signer = Signer::new(&identity(7), "n");
        let signed = signer.sign([1; 32], 2, [3; 32], 4);
        let mut out = Encoder::default();
        signed.encode(&mut out);
        let bytes = out.done();
        assert_eq!(Signed::decode(Decoder::new(&bytes)).expect("right"), signed);
        assert!(Signed::decode(Decoder::new(&bytes[1..])).is_err());
        assert_eq!(format!("{signer:?}"), "Signer(…, n)");
    }
}
