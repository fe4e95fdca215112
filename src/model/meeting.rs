//! The messages of two ledgers that are brought into step. Both sides send the same set.
//!
//! ```text
//! caller: Heads
//!                      answerer: Heads
//! caller: (Find        answerer: Found) ...             where a log here and there are not the same
//! caller: Proof ... Blocks ... Given
//!                      answerer: Stored, Proof ... Blocks ... Given
//! caller: Stored
//! ```
//!
//! Either side may say `Refused` instead, and that ends it. Everything that is sent is right behind what the heads
//! of the other side say it has, so that a meeting that breaks off leaves both further than before.
//!
//! ```text
//! Heads  = heads  forks: count u16 *( hash 16 )  clashes: logs  spare: logs
//! Find   = log  sequence u32                Found = 0 | 1 header and signature
//! Proof  = header and signature, twice      Blocks = a piece for `squeeze`, in it *( length u32  block )
//! Given  = spare: logs                      Stored = new u32  known u32  waiting u32  full u32
//! logs   = count u16 *( author 32  log u64 )
//! ```

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::ledger::block::SignedHeader;
use crate::model::ledger::fork::ForkProof;
use crate::model::ledger::heads::Heads;
use crate::model::ledger::merkle::sha256;
use crate::model::ledger::names::LogName;
use crate::model::limits::{MAX_BLOCK, MAX_LOGS, ROWS_PIECE};
use crate::model::message::{Declined, out_of_place};
use std::borrow::Cow;

const REFUSED: u8 = 38;
const HEADS: u8 = 48;
const FIND: u8 = 49;
const FOUND: u8 = 50;
const PROOF: u8 = 51;
const BLOCKS: u8 = 52;
const GIVEN: u8 = 53;
const STORED: u8 = 54;

/// What a proof of a fork is known by: half of its hash.
pub type ForkId = [u8; 16];

/// What the proof is known by.
pub fn fork_id(proof: &ForkProof) -> ForkId {
    let hash = sha256(&[b"rn-k1", &proof.bytes()]);
    let (half, _) = hash.split_first_chunk().expect("a hash has 32 bytes");
    *half
}

/// What one side has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Having {
    /// How far its logs go.
    pub heads: Heads,
    /// The proofs of forks that it has.
    pub forks: Vec<ForkId>,
    /// Logs in which something else stands here than the other side's heads say.
    pub clashes: Vec<LogName>,
    /// Logs of the other side that it does not want: it does not know their authors, or has no room for them.
    pub spare: Vec<LogName>,
}

/// What was stored of what was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Changes that are new there.
    pub new: u32,
    /// Changes that were there already.
    pub known: u32,
    /// Changes that wait there until people have looked into a fork.
    pub waiting: u32,
    /// Blocks of the giver for which there is no room there, also those that it gave no more because of that.
    pub full: u32,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meeting<'a> {
    /// What the sender has.
    Heads(Having),
    /// Which block stands there?
    Find {
        /// In this log.
        name: LogName,
        /// At this place.
        sequence: u32,
    },
    /// This one does, or none.
    Found(Option<Box<SignedHeader>>),
    /// That an author forked.
    Proof(Box<ForkProof>),
    /// Blocks of one log, one behind the other: a piece for `squeeze`, in it one for `unbundle`.
    Blocks(Cow<'a, [u8]>),
    /// That was all. These logs of the other side are not wanted.
    Given {
        /// See `Having`.
        spare: Vec<LogName>,
    },
    /// What was given is on the disk.
    Stored(Stored),
    /// The sender does not go on.
    Refused(Declined),
}

impl<'a> Meeting<'a> {
    /// What stands before a piece of blocks in the body of its frame: so large a piece is sent from where it is.
    pub const BEFORE_BLOCKS: [u8; 1] = [BLOCKS];

    /// The body of its frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Heads(having) => {
                having.heads.encode(out.u8(HEADS));
                out.u16(short(having.forks.len()));
                having.forks.iter().for_each(|fork| {
                    out.bytes(fork);
                });
                encode_logs(&having.clashes, &mut out);
                encode_logs(&having.spare, &mut out);
            }
            Self::Find { name, sequence } => {
                name.encode(out.u8(FIND));
                out.u32(*sequence);
            }
            Self::Found(None) => {
                out.u8(FOUND).u8(0);
            }
            Self::Found(Some(signed)) => {
                out.u8(FOUND).u8(1).bytes(signed.bytes());
            }
            Self::Proof(proof) => {
                out.u8(PROOF).bytes(&proof.bytes());
            }
            Self::Blocks(piece) => {
                out.u8(BLOCKS).bytes(piece);
            }
            Self::Given { spare } => encode_logs(spare, out.u8(GIVEN)),
            Self::Stored(stored) => {
                let Stored { new, known, waiting, full } = *stored;
                out.u8(STORED).u32(new).u32(known).u32(waiting).u32(full);
            }
            Self::Refused(why) => {
                out.u8(REFUSED).u8(why.code());
            }
        }
        out.done()
    }

    /// Reads the body of a frame. The signatures of a proof are checked, that of a header is not.
    pub fn decode(body: &'a [u8]) -> Result<Self> {
        let mut from = Decoder::new(body);
        let kind = from.u8()?;
        let message = match kind {
            HEADS => Self::Heads(Having {
                heads: Heads::decode(&mut from)?,
                forks: (0..count(&mut from)?).map(|_| from.array()).collect::<Result<_>>()?,
                clashes: decode_logs(&mut from)?,
                spare: decode_logs(&mut from)?,
            }),
            FIND => Self::Find { name: LogName::decode(&mut from)?, sequence: from.u32()? },
            FOUND => match from.u8()? {
                0 => Self::Found(None),
                1 => Self::Found(Some(Box::new(SignedHeader::decode(&mut from)?))),
                _ => return Err(Error::peer("found neither something nor nothing")),
            },
            PROOF => return Ok(Self::Proof(Box::new(ForkProof::read(from.rest())?))),
            BLOCKS if from.left() == 0 => return Err(Error::peer("sent a piece without blocks")),
            BLOCKS => return Ok(Self::Blocks(Cow::Borrowed(from.rest()))),
            GIVEN => Self::Given { spare: decode_logs(&mut from)? },
            STORED => Self::Stored(Stored {
                new: from.u32()?,
                known: from.u32()?,
                waiting: from.u32()?,
                full: from.u32()?,
            }),
            REFUSED => return Declined::decode(from).map(Self::Refused),
            other => return Err(out_of_place(other)),
        };
        from.finish().map(|()| message)
    }
}

/// Logs are no more than `MAX_LOGS`, and so are forks.
fn short(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn count(from: &mut Decoder<'_>) -> Result<u16> {
    let count = from.u16()?;
    match usize::from(count) <= MAX_LOGS {
        true => Ok(count),
        false => Err(Error::peer("named too many logs")),
    }
}

fn encode_logs(logs: &[LogName], out: &mut Encoder) {
    out.u16(short(logs.len()));
    logs.iter().for_each(|name| name.encode(out));
}

fn decode_logs(from: &mut Decoder<'_>) -> Result<Vec<LogName>> {
    (0..count(from)?).map(|_| LogName::decode(from)).collect()
}

// --- blocks that travel together ---

/// Most bytes of a piece of blocks.
pub const MAX_BLOCKS_PIECE: usize = ROWS_PIECE + 4 + MAX_BLOCK;

/// Puts the first blocks into a piece of about `ROWS_PIECE` bytes; returns how many they are.
pub fn bundle(blocks: &[Vec<u8>]) -> (Vec<u8>, usize) {
    let (mut out, mut taken) = (Encoder::default(), 0);
    let mut bytes = 0;
    for block in blocks {
        if bytes >= ROWS_PIECE {
            break;
        }
        out.u32(u32::try_from(block.len()).unwrap_or(u32::MAX)).bytes(block);
        bytes += 4 + block.len();
        taken += 1;
    }
    (out.done(), taken)
}

/// The blocks in a piece.
pub fn unbundle(piece: &[u8]) -> Result<Vec<&[u8]>> {
    let (mut from, mut blocks) = (Decoder::new(piece), Vec::new());
    while from.left() > 0 {
        let length = usize::try_from(from.u32()?).unwrap_or(usize::MAX);
        if length > MAX_BLOCK {
            return Err(Error::peer(format!("sent a block of {length} bytes")));
        }
        blocks.push(from.bytes(length)?);
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::entry::Entry;
    use crate::model::ledger::heads::Head;
    use crate::model::ledger::pen::Pen;
    use proptest::prelude::*;

    fn signed(wall: u64) -> SignedHeader {
        let mut pen = Pen::begin(&Identity::new(SecretKey::from([1; 32])), 7.into());
        let entry = Entry::Checkpoint(Heads::default());
        pen.sign(vec![entry], 1, wall).expect("room").signed().clone()
    }

    fn messages() -> Vec<Vec<u8>> {
        let name = LogName { author: [3; 32].into(), log: 9.into() };
        let heads = [Head { name, length: 2, hash: [1; 32].into() }].into_iter().collect();
        let proof = ForkProof::new(signed(1), signed(2)).expect("a fork");
        let having =
            Having { heads, forks: vec![fork_id(&proof)], clashes: vec![name], spare: vec![name] };
        let messages = [
            Meeting::Heads(having),
            Meeting::Find { name, sequence: 5 },
            Meeting::Found(None),
            Meeting::Found(Some(Box::new(signed(1)))),
            Meeting::Proof(Box::new(proof)),
            Meeting::Blocks(vec![1, 2].into()),
            Meeting::Given { spare: vec![name] },
            Meeting::Stored(Stored { new: 1, known: 2, waiting: 3, full: 4 }),
            Meeting::Refused(Declined::Full),
        ];
        messages.iter().map(Meeting::encode).collect()
    }

    #[test]
    fn every_message_is_read_as_itself_and_refused_cut_or_with_more_behind_it() {
        for body in messages() {
            let again = |body: &[u8]| Meeting::decode(body).map(|message| message.encode()).ok();
            assert_eq!(again(&body), Some(body.clone()));
            let open = body[0] == BLOCKS;
            assert!(open || again(&[&body[..], &[0]].concat()).is_none(), "{body:?}");
            assert!(open || again(&body[..body.len() - 1]).is_none(), "{body:?}");
        }
    }

    #[test]
    fn what_proves_nothing_is_refused() {
        let twice = [signed(1).bytes().as_slice(), signed(1).bytes()].concat();
        assert!(Meeting::decode(&[&[PROOF][..], &twice].concat()).is_err());
    }

    #[test]
    fn blocks_come_out_as_they_went_in_and_long_ones_are_refused() {
        let blocks: Vec<Vec<u8>> = (0..5_u8).map(|n| vec![n; 40_000]).collect();
        let (piece, taken) = bundle(&blocks);
        assert_eq!(taken, 4);
        assert_eq!(unbundle(&piece).expect("blocks"), &blocks[..4]);
        assert!(unbundle(&piece[..piece.len() - 1]).is_err());
        let long = [&(MAX_BLOCK as u32 + 1).to_be_bytes()[..], &vec![0; MAX_BLOCK + 1]].concat();
        assert!(unbundle(&long).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            kind in 38u8..60, rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let body = [&[kind], rest.as_slice()].concat();
            if let Ok(message) = Meeting::decode(&body) {
                prop_assert_eq!(message.encode(), body);
            }
            let _ = unbundle(&rest);
        }
    }
}
