//! A letter: a message sealed to one recipient, signed by its author so that carriers can hold it to its share.
//!
//! ```text
//! letter    = id 16  author 32  recipient 32  length u16  sealed  signature 64
//! sealed    = Noise X to the recipient's knock key: fresh key 32  author's knock key 48  content  tag 16
//! content   = wall u64  length u16  UTF-8  zeros to 256 or 1024 bytes
//! signature = Ed25519 of "rn-letter1"  id  author  recipient  sealed
//! ```
//!
//! What a carrier sees: who writes to whom, and whether it is short or long.

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::hex;
use crate::model::keys::IdentityKey;
use crate::model::post::limits::{LETTER_CONTENTS, SEAL_BYTES};
use crate::model::statement::SIGNATURE_BYTES;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use std::fmt;

/// Bytes of the name of a letter.
pub const ID_BYTES: usize = 16;

const SIGNED: &[u8] = b"rn-letter1";

/// The name of a letter: random.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LetterId([u8; ID_BYTES]);

impl LetterId {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

impl From<[u8; ID_BYTES]> for LetterId {
    fn from(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LetterId({})", hex::digits(&self.0))
    }
}

/// A letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    id: LetterId,
    author: IdentityKey,
    recipient: IdentityKey,
    sealed: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

/// From whom, to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Its name.
    pub id: LetterId,
    /// Who signs it.
    pub author: IdentityKey,
    /// Who can open it.
    pub recipient: IdentityKey,
}

impl Envelope {
    /// What the seal is bound to: in another envelope it does not open.
    pub fn prologue(&self) -> Vec<u8> {
        [SIGNED, &self.id.0, self.author.as_bytes(), self.recipient.as_bytes()].concat()
    }
}

impl Letter {
    /// Signs a sealed letter with the key of its author.
    pub fn sign(envelope: Envelope, sealed: Vec<u8>, key: &Ed25519KeyPair) -> Self {
        let Envelope { id, author, recipient } = envelope;
        let mut signature = [0; SIGNATURE_BYTES];
        let made = key.sign(&[&envelope.prologue(), sealed.as_slice()].concat());
        signature.iter_mut().zip(made.as_ref()).for_each(|(to, from)| *to = *from);
        Self { id, author, recipient, sealed, signature }
    }

    /// Its name, its author, its recipient.
    pub fn envelope(&self) -> Envelope {
        Envelope { id: self.id, author: self.author, recipient: self.recipient }
    }

    /// Its name.
    pub fn id(&self) -> LetterId {
        self.id
    }

    /// What only its recipient can open.
    pub fn sealed(&self) -> &[u8] {
        &self.sealed
    }

    /// Writes it.
    pub fn encode(&self, out: &mut Encoder) {
        out.bytes(&self.id.0).bytes(self.author.as_bytes()).bytes(self.recipient.as_bytes());
        out.u16(u16::try_from(self.sealed.len()).unwrap_or(u16::MAX)).bytes(&self.sealed);
        out.bytes(&self.signature);
    }

    /// Reads one that this node has kept. That its author signed it was found out before.
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let id = LetterId(from.array()?);
        let (author, recipient) = (from.array()?.into(), from.array()?.into());
        let length = usize::from(from.u16()?);
        if !LETTER_CONTENTS.iter().any(|content| content + SEAL_BYTES == length) {
            return Err(Error::peer("sent a letter of a length that no letter has"));
        }
        let sealed = from.bytes(length)?.to_vec();
        Ok(Self { id, author, recipient, sealed, signature: from.array()? })
    }

    /// Reads one that a peer sends. It is refused unless its author signed it.
    pub fn read(from: &mut Decoder<'_>) -> Result<Self> {
        let letter = Self::decode(from)?;
        let said = [&letter.envelope().prologue(), letter.sealed.as_slice()].concat();
        UnparsedPublicKey::new(&ED25519, letter.author.as_bytes())
            .verify(&said, &letter.signature)
            .map(|()| letter)
            .map_err(|_| Error::forged("sent a letter that its author did not sign"))
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter({:?}, …)", self.id)
    }
}
