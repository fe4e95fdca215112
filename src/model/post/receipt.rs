//! A receipt: the recipient of a letter says that it has it. So its author knows, and whoever carries it stops.
//!
//! ```text
//! receipt   = letter 16  recipient 32  fate u8  wall u64  signature 64
//! signature = Ed25519 of "rn-receipt1" and all before
//! ```

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::keys::IdentityKey;
use crate::model::ledger::merkle::sha256;
use crate::model::post::letter::LetterId;
use crate::model::statement::SIGNATURE_BYTES;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

const SIGNED: &[u8] = b"rn-receipt1";

/// What a receipt is known by: half of a hash of its letter and its recipient.
pub type ReceiptName = [u8; 16];

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was shown to people.
    Shown,
    /// Its recipient could not open it.
    Unreadable,
}

impl Fate {
    fn code(self) -> u8 {
        match self {
            Self::Shown => 1,
            Self::Unreadable => 2,
        }
    }
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    letter: LetterId,
    recipient: IdentityKey,
    fate: Fate,
    wall: u64,
    signature: [u8; SIGNATURE_BYTES],
}

impl Receipt {
    /// Signs a receipt of `recipient`, whose key this is; `wall` is what its clock says.
    pub fn sign(
        letter: LetterId,
        recipient: IdentityKey,
        fate: Fate,
        wall: u64,
        key: &Ed25519KeyPair,
    ) -> Self {
        let mut receipt = Self { letter, recipient, fate, wall, signature: [0; SIGNATURE_BYTES] };
        let made = key.sign(&receipt.said());
        receipt.signature.iter_mut().zip(made.as_ref()).for_each(|(to, from)| *to = *from);
        receipt
    }

    /// Of which letter.
    pub fn letter(&self) -> LetterId {
        self.letter
    }

    /// Who signed it.
    pub fn recipient(&self) -> IdentityKey {
        self.recipient
    }

    /// What became of the letter.
    pub fn fate(&self) -> Fate {
        self.fate
    }

    /// When, by the recipient's clock, in seconds since 1970.
    pub fn wall(&self) -> u64 {
        self.wall
    }

    /// What it is known by.
    pub fn name(&self) -> ReceiptName {
        let parts = [b"rn-rn1", &self.letter.as_bytes()[..], self.recipient.as_bytes()];
        let hash = sha256(&parts);
        let (half, _) = hash.split_first_chunk().expect("a hash has 32 bytes");
        *half
    }

    fn said(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        out.bytes(SIGNED);
        self.write(&mut out);
        out.done()
    }

    fn write(&self, out: &mut Encoder) {
        out.bytes(self.letter.as_bytes()).bytes(self.recipient.as_bytes());
        out.u8(self.fate.code()).u64(self.wall);
    }

    /// Writes it.
    pub fn encode(&self, out: &mut Encoder) {
        self.write(out);
        out.bytes(&self.signature);
    }

    /// Reads one that this node has kept. That its recipient signed it was found out before.
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let (letter, recipient) = (from.array()?.into(), from.array()?.into());
        let fate = match from.u8()? {
            1 => Fate::Shown,
            2 => Fate::Unreadable,
            _ => return Err(Error::peer("sent a receipt that says nothing known")),
        };
        let (wall, signature) = (from.u64()?, from.array()?);
        Ok(Self { letter, recipient, fate, wall, signature })
    }

    /// Reads one that a peer sends. It is refused unless who it says signed it.
    pub fn read(from: &mut Decoder<'_>) -> Result<Self> {
        let receipt = Self::decode(from)?;
        UnparsedPublicKey::new(&ED25519, receipt.recipient.as_bytes())
            .verify(&receipt.said(), &receipt.signature)
            .map(|()| receipt)
            .map_err(|_| Error::forged("sent a receipt that nobody signed"))
    }
}
