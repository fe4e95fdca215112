//! A block: entries of one author, signed, each block behind the one before. Received, it is only bytes that have
//! the right form; `Chains` makes a verified one of it, and nothing else does.
//!
//! ```text
//! block     = header  signature 64  entries
//! header    = version u8 (1)  author 32  log u64  sequence u32  before 32  lamport u64  wall u64  count u16  root 32
//! signature = Ed25519 over "reunite block 1" and the header
//! hash      = SHA-256("rn-b1" header  signature)
//! root      = the tree of `merkle` over the leaves of the entries
//! ```
//!
//! Signature and hash are over the bytes that came. An entry's values can be closed: its leaf stays the same.

use crate::base::error::Result;
use crate::model::codec::{Decoder, Encoder};
use crate::model::keys::IdentityKey;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::fault::{Fault, Wrong};
use crate::model::ledger::heads::Head;
use crate::model::ledger::merkle;
use crate::model::ledger::names::{BlockHash, LogName};
use crate::model::limits::{MAX_BLOCK, MAX_ENTRIES, MAX_LOG_LENGTH};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use std::fmt;

const VERSION: u8 = 1;
/// What is signed begins with this, so that no other signature of the key is one of a block.
const SIGNED: &[u8] = b"reunite block 1";
/// Bytes of a header.
pub const HEADER_BYTES: usize = 1 + 32 + 8 + 4 + 32 + 8 + 8 + 2 + 32;
/// Bytes of a header with its signature.
pub const SIGNED_BYTES: usize = HEADER_BYTES + 64;

/// What the author signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// In which log.
    pub name: LogName,
    /// Its place there, counted from 0.
    pub sequence: u32,
    /// The hash of the block before it.
    pub before: BlockHash,
    /// More than that of all blocks which the author had seen.
    pub lamport: u64,
    /// The author's clock, in seconds since 1970: for people to read, never to decide by.
    pub wall: u64,
    /// How many entries it has.
    pub count: u16,
    /// The root over them.
    pub root: [u8; 32],
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::of_kind(VERSION);
        self.name.encode(&mut out);
        out.u32(self.sequence).bytes(self.before.as_bytes()).u64(self.lamport).u64(self.wall);
        out.u16(self.count).bytes(&self.root);
        out.done()
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Option<Self>> {
        let version = from.u8()?;
        let header = Self {
            name: LogName::decode(from)?,
            sequence: from.u32()?,
            before: from.array::<32>()?.into(),
            lamport: from.u64()?,
            wall: from.u64()?,
            count: from.u16()?,
            root: from.array()?,
        };
        let first = header.before == BlockHash::NONE;
        let right = version == VERSION
            && header.sequence < MAX_LOG_LENGTH
            && first == (header.sequence == 0)
            && (1..=MAX_ENTRIES).contains(&usize::from(header.count));
        Ok(right.then_some(header))
    }
}

/// A header with a signature that nobody has checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeader {
    header: Header,
    bytes: [u8; SIGNED_BYTES],
    hash: BlockHash,
}

impl SignedHeader {
    /// Signs a header with the key of its author.
    pub fn sign(header: Header, key: &Ed25519KeyPair) -> Self {
        let bytes = header.encode();
        let signature = key.sign(&[SIGNED, &bytes].concat());
        let bytes = [&bytes, signature.as_ref()].concat();
        let bytes = bytes.try_into().expect("a header and a signature have this length");
        Self::new(header, bytes)
    }

    fn new(header: Header, bytes: [u8; SIGNED_BYTES]) -> Self {
        let hash = merkle::sha256(&[b"rn-b1", &bytes]).into();
        Self { header, bytes, hash }
    }

    /// Reads it.
    pub fn decode(from: &mut Decoder<'_>) -> std::result::Result<Self, Fault> {
        let bytes = from.array::<SIGNED_BYTES>().map_err(|_| Fault::form())?;
        let header = Header::decode(&mut Decoder::new(&bytes)).ok().flatten();
        header.map(|header| Self::new(header, bytes)).ok_or_else(Fault::form)
    }

    /// What it says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &[u8; SIGNED_BYTES] {
        &self.bytes
    }

    /// The hash of its block.
    pub fn hash(&self) -> BlockHash {
        self.hash
    }

    /// The head of its log when its block was the last.
    pub fn head(&self) -> Head {
        Head { name: self.header.name, length: self.header.sequence + 1, hash: self.hash }
    }

    /// Something wrong with its block.
    pub fn fault(&self, wrong: Wrong) -> Fault {
        Fault::at(wrong, self.header.name, self.header.sequence)
    }

    /// Whether its author signed it. This costs what hundreds of hashes cost.
    pub fn check_signature(&self) -> std::result::Result<(), Fault> {
        let (header, signature) = self.bytes.split_at(HEADER_BYTES);
        UnparsedPublicKey::new(&ED25519, self.header.name.author.as_bytes())
            .verify(&[SIGNED, header].concat(), signature)
            .map_err(|_| self.fault(Wrong::Signature))
    }

    /// Whether this is a header that `author` signed, with another author's name written over it.
    pub fn is_copied_from(&self, author: &IdentityKey) -> bool {
        let (header, signature) = self.bytes.split_at(HEADER_BYTES);
        let mut header = header.to_vec();
        header.iter_mut().skip(1).zip(author.as_bytes()).for_each(|(to, from)| *to = *from);
        *author != self.header.name.author
            && UnparsedPublicKey::new(&ED25519, author.as_bytes())
                .verify(&[SIGNED, &header].concat(), signature)
                .is_ok()
    }
}

/// A block whose entries are those of its header. Who wrote it is not known yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    signed: SignedHeader,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

impl Received {
    /// Reads a block and compares its entries with its header.
    pub fn read(bytes: &[u8]) -> std::result::Result<Self, Fault> {
        if bytes.len() > MAX_BLOCK {
            return Err(Fault::form());
        }
        let mut from = Decoder::new(bytes);
        let signed = SignedHeader::decode(&mut from)?;
        let entries = (0..signed.header.count).map(|_| Entry::decode(&mut from));
        let entries =
            entries.collect::<Result<Vec<_>>>().map_err(|_| signed.fault(Wrong::Content))?;
        from.finish().map_err(|_| signed.fault(Wrong::Content))?;
        let resumes = |entry: &Entry| matches!(entry, Entry::Resume(_));
        let resumes_late = entries.iter().skip(1).any(resumes)
            || (signed.header.sequence > 0 && entries.first().is_some_and(resumes));
        if root(&entries) != signed.header.root || resumes_late {
            return Err(signed.fault(Wrong::Content));
        }
        Ok(Self { signed, entries, bytes: bytes.to_vec() })
    }

    /// Its header and signature.
    pub fn signed(&self) -> &SignedHeader {
        &self.signed
    }

    /// Its entries, as whoever it was wrote them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Received {
    /// The bytes hold what is told of people, and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Header { name, sequence, .. } = &self.signed.header;
        write!(f, "Received({name}, block {sequence}, {:?})", self.entries)
    }
}

/// The root over these entries.
pub fn root(entries: &[Entry]) -> [u8; 32] {
    merkle::root(&entries.iter().map(Entry::leaf).collect::<Vec<_>>())
}

/// A block of which it is certain who wrote it, and behind which others. Only such a one can be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified(Received);

impl Verified {
    /// A block that was checked. Only `Chains` and `Pen` may say so.
    pub(in crate::model::ledger) fn vouched(block: Received) -> Self {
        Self(block)
    }

    /// What its author signed.
    pub fn header(&self) -> &Header {
        &self.0.signed.header
    }

    /// Header and signature.
    pub fn signed(&self) -> &SignedHeader {
        &self.0.signed
    }

    /// Its entries.
    pub fn entries(&self) -> &[Entry] {
        &self.0.entries
    }

    /// The bytes to be kept and sent on, as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The same block with values closed, to be kept or sent instead: it verifies as before.
    pub fn closed(
        &self,
        fields: impl Fn(&crate::model::ledger::operation::Operation, u8) -> bool,
    ) -> Vec<u8> {
        let mut out = Encoder::default();
        out.bytes(&self.0.signed.bytes);
        for entry in &self.0.entries {
            match entry {
                Entry::Change(operation) => {
                    let shut = operation.clone().closed(|field| fields(operation, field));
                    Entry::Change(shut).encode(&mut out);
                }
                other => other.encode(&mut out),
            }
        }
        out.done()
    }
}
