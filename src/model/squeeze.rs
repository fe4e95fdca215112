//! Pieces of rows or blocks made smaller for slow links, and the decision when that is worth the time.
//!
//! ```text
//! squeezed = how u8 (0 stored, 1 deflated, RFC 1951)  length u32  bytes      length once it is unsqueezed
//! ```

use crate::base::error::{Error, Result};
use crate::model::codec::Decoder;
use crate::model::limits::{ONE_ROOM, PROBE_PIECES, SQUEEZE_LEVEL, SQUEEZING};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::borrow::Cow;
use std::time::Duration;

const STORED: u8 = 0;
const DEFLATED: u8 = 1;
/// Bytes before the squeezed ones.
const HEAD_BYTES: usize = 5;

/// How much work is put into making a piece small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// None: the link is faster than the squeezing.
    Stored,
    /// It is squeezed.
    Squeezed,
}

/// Squeezes pieces, one after the other, each to be unsqueezed by itself.
#[derive(Debug, Default)]
pub struct Squeezer(Option<Compress>);

impl Squeezer {
    /// A squeezer. It takes its memory, a third of a megabyte, when it first squeezes.
    pub fn new() -> Self {
        Self::default()
    }

    /// This piece as it travels. What does not become smaller is stored.
    pub fn squeeze(&mut self, piece: &[u8], effort: Effort) -> Vec<u8> {
        let (head, bytes) = self.parts(piece, effort);
        [&head[..], &bytes].concat()
    }

    /// The same in two parts, one behind the other, so that what is stored need not be copied.
    pub fn parts<'a>(
        &mut self,
        piece: &'a [u8],
        effort: Effort,
    ) -> ([u8; HEAD_BYTES], Cow<'a, [u8]>) {
        let deflated = match effort {
            Effort::Squeezed => self.deflated(piece),
            Effort::Stored => None,
        };
        match deflated {
            Some(deflated) => (head(DEFLATED, piece), Cow::Owned(deflated)),
            None => (head(STORED, piece), Cow::Borrowed(piece)),
        }
    }

    /// The piece deflated; `None` if that does not make it smaller.
    fn deflated(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        let level = Compression::new(SQUEEZE_LEVEL);
        let compress = self.0.get_or_insert_with(|| Compress::new(level, false));
        compress.reset();
        let mut out = Vec::with_capacity(piece.len());
        let done = compress.compress_vec(piece, &mut out, FlushCompress::Finish).ok()?;
        (done == Status::StreamEnd && out.len() < piece.len()).then_some(out)
    }
}

fn head(how: u8, piece: &[u8]) -> [u8; HEAD_BYTES] {
    // A piece that is too long for its length is refused by whoever unsqueezes it.
    let [a, b, c, d] = u32::try_from(piece.len()).unwrap_or(u32::MAX).to_be_bytes();
    [how, a, b, c, d]
}

/// The piece of at most `most` bytes that was squeezed to these bytes. Its length is announced, and checked before anything is made;
/// a piece that comes out longer or shorter is refused, so that few bytes cannot become many.
pub fn unsqueeze(bytes: &[u8], most: usize) -> Result<Cow<'_, [u8]>> {
    let mut from = Decoder::new(bytes);
    let (how, length) = (from.u8()?, from.u32()?);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !(1..=most).contains(&length) {
        return Err(Error::peer(format!("announced a piece of {length} bytes")));
    }
    match how {
        STORED if from.left() == length => Ok(Cow::Borrowed(from.rest())),
        STORED => Err(Error::peer("sent a stored piece of another length than announced")),
        DEFLATED => inflated(from.rest(), length).map(Cow::Owned),
        _ => Err(Error::peer(format!("squeezed a piece in the unknown way {how}"))),
    }
}

fn inflated(bytes: &[u8], length: usize) -> Result<Vec<u8>> {
    // One byte more than announced: a piece that fills it is too long.
    let mut piece = vec![0; length + 1];
    let mut decompress = Decompress::new(false);
    let done = decompress
        .decompress(bytes, &mut piece, FlushDecompress::Finish)
        .map_err(|_| Error::peer("sent a piece that cannot be unsqueezed"))?;
    let whole = done == Status::StreamEnd
        && decompress.total_out() == length as u64
        && decompress.total_in() == bytes.len() as u64;
    if !whole {
        return Err(Error::peer("sent a piece of another length than announced"));
    }
    piece.truncate(length);
    Ok(piece)
}

/// Decides how the next piece is sent, from what the last ones took.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    effort: Effort,
    /// What squeezing took when it was last done.
    squeezing: Duration,
    /// Pieces since then.
    since: u32,
}

/// A link that makes us wait this many times as long for a raw piece as squeezing it took is worth squeezing
/// for: rows become about a third, so at twice as long it does not matter, and beyond it does.
const WORTH_SQUEEZING: u32 = 4;

impl Pace {
    /// The pace on a link over which an answer came after `round_trip`. Where that was so short that both ends are
    /// in one room, the link is most likely faster than the squeezing; anywhere else the first piece is squeezed.
    pub fn new(round_trip: Duration) -> Self {
        let effort = if round_trip < ONE_ROOM { Effort::Stored } else { Effort::Squeezed };
        Self { effort, squeezing: SQUEEZING, since: 0 }
    }

    /// The effort for the next piece.
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// A piece was sent with that effort: making it took `squeezing`, and then the link took `waiting`.
    pub fn sent(&mut self, squeezing: Duration, waiting: Duration) {
        self.effort = match self.effort {
            Effort::Squeezed => {
                (self.squeezing, self.since) = (squeezing, 0);
                if waiting < squeezing { Effort::Stored } else { Effort::Squeezed }
            }
            Effort::Stored => {
                self.since += 1;
                let slow = waiting > self.squeezing * WORTH_SQUEEZING;
                if slow || self.since >= PROBE_PIECES { Effort::Squeezed } else { Effort::Stored }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limits::MAX_ROWS_PIECE;
    use proptest::prelude::*;

    fn unsqueeze(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
        super::unsqueeze(bytes, MAX_ROWS_PIECE)
    }

    fn text() -> Vec<u8> {
        (0..2000)
            .flat_map(|at| format!("Ana {at}, tall, 1/1/24, missing, {at}\n").into_bytes())
            .collect()
    }

    #[test]
    fn rows_become_smaller_and_come_out_as_they_were() {
        let (mut squeezer, text) = (Squeezer::new(), text());
        for _ in 0..3 {
            let small = squeezer.squeeze(&text, Effort::Squeezed);
            assert!(small.len() < text.len() / 3, "{} of {}", small.len(), text.len());
            assert_eq!(unsqueeze(&small).expect("right"), text);
        }
        let raw = squeezer.squeeze(&text, Effort::Stored);
        assert_eq!(raw.len(), text.len() + HEAD_BYTES);
        assert_eq!(unsqueeze(&raw).expect("right"), text);
    }

    #[test]
    fn what_cannot_become_smaller_is_stored() {
        let bytes: Vec<_> = (0..=255).collect();
        let squeezed = Squeezer::new().squeeze(&bytes, Effort::Squeezed);
        assert_eq!(squeezed, Squeezer::new().squeeze(&bytes, Effort::Stored));
    }

    #[test]
    fn few_bytes_never_become_more_than_was_announced() {
        let zeros = vec![0; MAX_ROWS_PIECE];
        let bomb = Squeezer::new().squeeze(&zeros, Effort::Squeezed);
        assert!(bomb.len() < 1000);
        assert_eq!(unsqueeze(&bomb).expect("as long as a piece may be"), zeros);
        let announcing = |length: usize| {
            let mut bytes = bomb.clone();
            bytes[1..HEAD_BYTES].copy_from_slice(&(length as u32).to_be_bytes());
            unsqueeze(&bytes).map(Cow::into_owned)
        };
        for wrong in [0, 1, 1000, MAX_ROWS_PIECE - 1, MAX_ROWS_PIECE + 1, u32::MAX as usize] {
            assert!(announcing(wrong).is_err(), "{wrong}");
        }
        let small = Squeezer::new().squeeze(&zeros[1..], Effort::Squeezed);
        assert!(unsqueeze(&small).is_ok());
        assert!(unsqueeze(&[&small[..], &[0]].concat()).is_err(), "bytes behind the end");
        assert!(unsqueeze(&small[..small.len() - 1]).is_err(), "cut off");
        assert!(unsqueeze(&[2, 0, 0, 0, 1, 7]).is_err(), "an unknown way");
        assert!(
            unsqueeze(&[0, 0, 0, 0, 1, 7, 7]).is_err() && unsqueeze(&[0, 0, 0, 0, 2, 7]).is_err()
        );
    }

    fn pace(steps: &[(u64, u64)]) -> Effort {
        let mut pace = Pace::new(ONE_ROOM);
        for (squeezing, waiting) in steps {
            pace.sent(Duration::from_millis(*squeezing), Duration::from_millis(*waiting));
        }
        pace.effort()
    }

    #[test]
    fn a_slow_link_is_squeezed_for_and_a_fast_one_is_not() {
        assert_eq!(pace(&[]), Effort::Squeezed);
        assert_eq!(Pace::new(Duration::ZERO).effort(), Effort::Stored, "both are in one room");
        assert_eq!(pace(&[(5, 100), (5, 100)]), Effort::Squeezed);
        assert_eq!(pace(&[(5, 1)]), Effort::Stored);
        assert_eq!(pace(&[(5, 1), (0, 3)]), Effort::Stored);
        assert_eq!(pace(&[(5, 1), (0, 100)]), Effort::Squeezed, "it filled a buffer at first");
    }

    #[test]
    fn a_fast_link_is_tried_again_now_and_then() {
        let mut steps = vec![(5, 1)];
        steps.extend([(0, 3); PROBE_PIECES as usize]);
        assert_eq!(pace(&steps), Effort::Squeezed);
        steps.push((5, 1));
        assert_eq!(pace(&steps), Effort::Stored);
    }

    proptest! {
        #[test]
        fn any_bytes_are_unsqueezed_without_a_panic(
            how in 0u8..3, length in 0u32..600, bytes in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let bytes = [&[how], length.to_be_bytes().as_slice(), &bytes].concat();
            if let Ok(piece) = unsqueeze(&bytes) {
                prop_assert_eq!(piece.len(), length as usize);
            }
        }

        #[test]
        fn squeezed_bytes_with_some_changed_never_become_more_than_announced(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        ) {
            let mut bytes = Squeezer::new().squeeze(&text(), Effort::Squeezed);
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if let Ok(piece) = unsqueeze(&bytes) {
                prop_assert!(piece.len() <= MAX_ROWS_PIECE);
            }
        }
    }
}
