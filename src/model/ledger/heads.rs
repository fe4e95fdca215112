//! Heads: how far each log goes. Two nodes compare them, and send what the other lacks.
//!
//! ```text
//! heads = count u16  *( author 32  log u64  length u32  hash 32 )      ascending, at most MAX_LOGS
//! ```

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::ledger::merkle::sha256;
use crate::model::ledger::names::{BlockHash, LogName};
use crate::model::limits::MAX_LOGS;
use std::collections::BTreeMap;

/// Bytes of one head.
pub const HEAD_BYTES: usize = 32 + 8 + 4 + 32;

/// The end of a log: so many blocks, the last with this hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Head {
    /// Of which log.
    pub name: LogName,
    /// How many blocks it has; not 0.
    pub length: u32,
    /// The hash of the last of them.
    pub hash: BlockHash,
}

/// Blocks of one log that somebody lacks: from sequence `from` up to `to`, which is not one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Of which log.
    pub name: LogName,
    /// The first of them, counted from 0.
    pub from: u32,
    /// Behind the last of them.
    pub to: u32,
}

/// The heads of all logs that a node has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads(BTreeMap<LogName, (u32, BlockHash)>);

impl Heads {
    /// The head of this log; `None` if nothing of it is here.
    pub fn head(&self, name: &LogName) -> Option<Head> {
        self.0.get(name).map(|(length, hash)| Head { name: *name, length: *length, hash: *hash })
    }

    /// All heads, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Head> {
        self.0.iter().map(|(name, (length, hash))| Head {
            name: *name,
            length: *length,
            hash: *hash,
        })
    }

    /// These heads as one hash: who has the same has the same ledger.
    pub fn digest(&self) -> [u8; 32] {
        let mut out = Encoder::default();
        self.encode(&mut out);
        sha256(&[b"rn-heads1", &out.done()])
    }

    /// How many logs there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What these have beyond the others: what the others lack.
    pub fn beyond(&self, theirs: &Self) -> Vec<Range> {
        let range = |head: Head| {
            let from = theirs.head(&head.name).map_or(0, |theirs| theirs.length);
            Some(Range { name: head.name, from, to: head.length })
                .filter(|range| range.from < range.to)
        };
        self.iter().filter_map(range).collect()
    }

    /// What these lack of the others.
    pub fn missing(&self, theirs: &Self) -> Vec<Range> {
        theirs.beyond(self)
    }

    /// Writes them.
    pub fn encode(&self, out: &mut Encoder) {
        out.u16(u16::try_from(self.0.len()).unwrap_or(u16::MAX));
        for head in self.iter() {
            head.name.encode(out);
            out.u32(head.length).bytes(head.hash.as_bytes());
        }
    }

    /// Reads them.
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let count = from.u16()?;
        if usize::from(count) > MAX_LOGS {
            return Err(Error::peer("sent heads of too many logs"));
        }
        let mut heads = BTreeMap::new();
        for _ in 0..count {
            let name = LogName::decode(from)?;
            let (length, hash) = (from.u32()?, from.array::<32>()?.into());
            if length == 0 || heads.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(Error::peer("sent heads out of order, or of an empty log"));
            }
            heads.insert(name, (length, hash));
        }
        Ok(Self(heads))
    }
}

impl IntoIterator for Heads {
    type Item = Head;
    type IntoIter = std::vec::IntoIter<Head>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter().collect::<Vec<_>>().into_iter()
    }
}

impl FromIterator<Head> for Heads {
    /// Of two heads of one log the longer counts.
    fn from_iter<I: IntoIterator<Item = Head>>(heads: I) -> Self {
        let mut map = BTreeMap::new();
        for Head { name, length, hash } in heads {
            let longest = map.entry(name).or_insert((length, hash));
            if length > longest.0 {
                *longest = (length, hash);
            }
        }
        Self(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(author: u8, log: u64, length: u32) -> Head {
        let name = LogName { author: [author; 32].into(), log: log.into() };
        Head { name, length, hash: [9; 32].into() }
    }

    fn heads(all: &[(u8, u64, u32)]) -> Heads {
        all.iter().map(|(author, log, length)| head(*author, *log, *length)).collect()
    }

    fn bytes(heads: &Heads) -> Vec<u8> {
        let mut out = Encoder::default();
        heads.encode(&mut out);
        out.done()
    }

    #[test]
    fn each_side_knows_what_the_other_lacks() {
        let ours = heads(&[(1, 1, 5), (2, 1, 3), (3, 1, 1)]);
        let theirs = heads(&[(1, 1, 2), (2, 1, 4), (4, 7, 2)]);
        let range =
            |author: u8, log: u64, from, to| Range { name: head(author, log, 1).name, from, to };
        assert_eq!(ours.beyond(&theirs), [range(1, 1, 2, 5), range(3, 1, 0, 1)]);
        assert_eq!(ours.missing(&theirs), [range(2, 1, 3, 4), range(4, 7, 0, 2)]);
        assert!(ours.missing(&ours).is_empty());
    }

    #[test]
    fn hostile_heads_are_refused() {
        let right = bytes(&heads(&[(1, 1, 5), (2, 1, 3)]));
        let read = |bytes: &[u8]| Heads::decode(&mut Decoder::new(bytes));
        assert!(read(&right).is_ok());
        let mut twice = right.clone();
        twice.copy_within(2..2 + HEAD_BYTES, 2 + HEAD_BYTES);
        assert!(read(&twice).is_err(), "twice");
        let mut empty = right.clone();
        empty[2 + 40..2 + 44].fill(0);
        assert!(read(&empty).is_err(), "empty log");
        assert!(read(&[0xff; 100]).is_err(), "too many");
        assert!(read(&right[..right.len() - 1]).is_err(), "cut off");
    }

    proptest! {
        #[test]
        fn heads_are_read_as_they_were_written(
            all in prop::collection::btree_map((0u8..4, 0u64..4), 1u32..9, 0..9),
        ) {
            let all: Vec<_> = all.into_iter().map(|((a, l), n)| (a, l, n)).collect();
            let heads = heads(&all);
            prop_assert_eq!(Heads::decode(&mut Decoder::new(&bytes(&heads))).expect("right"), heads);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Heads::decode(&mut Decoder::new(&bytes));
        }
    }
}
