//! Ledgers to be tampered with: their entries out of a file and into one, and blocks that somebody forged.

#![allow(dead_code, missing_docs, reason = "each test uses its part of this")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use reunite::model::identity::Identity;
use reunite::model::ledger::block::{Header, Received, SIGNED_BYTES, SignedHeader, Verified};
use reunite::model::ledger::stored::Stored;
use reunite::store::disk::RealDisk;
use reunite::store::ledger_frame::{SEGMENT_HEAD, SegmentHead, encode_commit};
use reunite::store::ledger_walk::walk;
use ring::signature::Ed25519KeyPair;
use std::fs;
use std::path::Path;

pub fn bytes(blocks: &[Verified]) -> Vec<Vec<u8>> {
    blocks.iter().map(|block| block.bytes().to_vec()).collect()
}

/// The key with which this identity signs, for headers that no pen would write.
pub fn key(identity: &Identity) -> Ed25519KeyPair {
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&identity.signing_key()).expect("a key")
}

/// The block with these bytes, but with this header, signed by `signer`, whoever the header says.
pub fn signed_by(signer: &Identity, header: Header, block: &[u8]) -> Vec<u8> {
    let signed = SignedHeader::sign(header, &key(signer));
    [signed.bytes().as_slice(), &block[SIGNED_BYTES..]].concat()
}

/// All entries of the ledger at `path`.
pub fn entries(path: &Path) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    let walked = walk(&RealDisk, path, |_, entry| {
        entries.push(entry.to_vec());
        Ok(())
    });
    let walked = walked.expect("readable");
    assert!(walked.damages.is_empty() && walked.torn.is_none(), "{walked:?}");
    entries
}

/// A ledger with these entries, as somebody writes it who knows the format: all sums of the disk are right.
pub fn write_entries(path: &Path, entries: &[Vec<u8>]) {
    let mut file = SegmentHead { number: 0, previous: None }.encode().to_vec();
    assert_eq!(file.len(), SEGMENT_HEAD);
    for entry in entries.iter().map(|entry| vec![entry.clone()]).chain([Vec::new()]) {
        let (commit, _) = encode_commit(0, file.len() as u64, &entry).expect("small");
        file.extend(commit);
    }
    fs::write(path, file).expect("written");
}

/// The block that an entry of a ledger is.
pub fn block(entry: &[u8]) -> Received {
    Received::read(Stored::block_of(entry).expect("a block")).expect("right")
}

/// Where the blocks of one author stand among the entries of a ledger, in their order.
pub fn blocks_of(entries: &[Vec<u8>], author: &Identity) -> Vec<usize> {
    let is_one = |entry: &[u8]| {
        let received = Stored::block_of(entry).and_then(|bytes| Received::read(bytes).ok());
        received
            .is_some_and(|block| block.signed().header().name.author == author.public().identity)
    };
    (0..entries.len()).filter(|at| is_one(&entries[*at])).collect()
}
