//! What two nodes tell each other before rows travel: digests of what one has, and what the other wants of it.
//!
//! ```text
//! offer = bits u8  rows u32  bytes u64  2^bits * digest 16
//! want  = last u8 (0, 1)  count u16  count * ( bucket u16  shown u16  shown * hash 16 )
//! ```
//!
//! Buckets ascend, and so do the hashes in a bucket; everything else is refused.

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::limits::{
    MAX_BUCKET_BITS, MAX_ROWS_BYTES, MAX_SHOWN, MAX_TRAVELLING_ROWS, WANT_PIECE,
};
use crate::model::section::Section;
use ring::digest;

/// Bytes of the hash of a row, and of the digest of a bucket: two rows with one hash cannot be made.
pub const HASH_BYTES: usize = 16;

/// What a row is known by while rows are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowHash([u8; HASH_BYTES]);

impl RowHash {
    /// The hash of a row; `None` for one that never leaves its node.
    pub fn of(section: Section, line: &str) -> Option<Self> {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&[tag(section)?]);
        context.update(line.as_bytes());
        Some(Self(half(&context.finish())))
    }

    /// In which of 2^`bits` buckets its row is: the first bits say so.
    pub fn bucket(&self, bits: u8) -> u16 {
        let [first, second, ..] = self.0;
        let front = u32::from(u16::from_be_bytes([first, second]));
        // As 32 bits, so that none is a shift of all bits away.
        u16::try_from(front >> (16 - u32::from(bits.min(16)))).unwrap_or(u16::MAX)
    }

    /// The digest of a bucket with these rows, in ascending order.
    pub fn digest<'a>(hashes: impl Iterator<Item = &'a Self>) -> [u8; HASH_BYTES] {
        let mut context = digest::Context::new(&digest::SHA256);
        hashes.for_each(|hash| context.update(&hash.0));
        half(&context.finish())
    }
}

fn half(digest: &digest::Digest) -> [u8; HASH_BYTES] {
    let mut half = [0; HASH_BYTES];
    half.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    half
}

/// The byte that stands for a section where rows travel; `None` for one whose rows never do.
pub fn tag(section: Section) -> Option<u8> {
    match section {
        Section::People => Some(1),
        Section::Vaccinations => Some(2),
        Section::Camps => Some(3),
        Section::Replaced => None,
    }
}

/// The section for which this byte stands.
pub fn tagged(tag: u8) -> Option<Section> {
    match tag {
        1 => Some(Section::People),
        2 => Some(Section::Vaccinations),
        3 => Some(Section::Camps),
        _ => None,
    }
}

/// All that a node has, as digests of 2^`bits` buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// How many bits of its hash choose the bucket of a row.
    pub bits: u8,
    /// How many rows there are.
    pub rows: u32,
    /// Bytes of their lines, each with a line break.
    pub bytes: u64,
    /// A digest for each bucket.
    pub digests: Vec<[u8; HASH_BYTES]>,
}

impl Offer {
    /// Appends it to a message.
    pub fn encode(&self, out: &mut Encoder) {
        out.u8(self.bits).u32(self.rows).u64(self.bytes);
        self.digests.iter().for_each(|digest| {
            out.bytes(digest);
        });
    }

    /// Reads it: the whole rest of a message.
    pub fn decode(mut from: Decoder) -> Result<Self> {
        let (bits, rows, bytes) = (from.u8()?, from.u32()?, from.u64()?);
        if bits > MAX_BUCKET_BITS {
            return Err(Error::peer(format!("offered 2^{bits} buckets")));
        }
        if u64::from(rows) > MAX_TRAVELLING_ROWS as u64 || bytes > MAX_ROWS_BYTES {
            return Err(Error::peer(format!("offered {rows} rows of {bytes} bytes")));
        }
        if from.left() != HASH_BYTES << bits {
            return Err(Error::peer("offered another number of digests than of buckets"));
        }
        let mut digests = Vec::with_capacity(1 << bits);
        while from.left() > 0 {
            digests.push(from.array()?);
        }
        Ok(Self { bits, rows, bytes, digests })
    }
}

/// One bucket of which rows are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which one.
    pub bucket: u16,
    /// The rows of it that need not be sent, ascending. None are shown by who wants all.
    pub shown: Vec<RowHash>,
}

/// What is wanted of an offer, or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// Whether it is the last part.
    pub last: bool,
    /// The buckets, ascending.
    pub buckets: Vec<Wanted>,
}

impl Want {
    /// Splits what is wanted into parts, each small enough for a frame. There is always a last one.
    pub fn parts(wanted: impl Iterator<Item = Wanted>) -> impl Iterator<Item = Self> {
        let mut wanted = wanted.peekable();
        let mut ended = false;
        std::iter::from_fn(move || {
            if std::mem::replace(&mut ended, true) {
                return None;
            }
            let (mut part, mut size) = (Self::default(), 0);
            while size < WANT_PIECE {
                let Some(next) = wanted.next() else { break };
                size += 4 + next.shown.len() * HASH_BYTES;
                part.buckets.push(next);
            }
            part.last = wanted.peek().is_none();
            ended = part.last;
            Some(part)
        })
    }

    /// Appends it to a message.
    pub fn encode(&self, out: &mut Encoder) {
        // There are no more than 2^14 buckets, and no more than `MAX_SHOWN` hashes of one.
        let short = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        out.u8(self.last.into()).u16(short(self.buckets.len()));
        for wanted in &self.buckets {
            out.u16(wanted.bucket).u16(short(wanted.shown.len()));
            wanted.shown.iter().for_each(|hash| {
                out.bytes(&hash.0);
            });
        }
    }

    /// Reads it: the whole rest of a message.
    pub fn decode(mut from: Decoder) -> Result<Self> {
        let last = match from.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Error::peer("sent a want that is neither the last nor another")),
        };
        let mut buckets: Vec<Wanted> = Vec::new();
        for _ in 0..from.u16()? {
            let (bucket, shown) = (from.u16()?, from.u16()?);
            if buckets.last().is_some_and(|before| before.bucket >= bucket) {
                return Err(Error::peer("wants buckets out of order"));
            }
            buckets.push(Wanted { bucket, shown: hashes(&mut from, shown.into())? });
        }
        from.finish()?;
        Ok(Self { last, buckets })
    }
}

fn hashes(from: &mut Decoder, count: usize) -> Result<Vec<RowHash>> {
    if count > MAX_SHOWN {
        return Err(Error::peer(format!("shows {count} hashes of one bucket")));
    }
    // Taken before it is allocated, so that a count alone takes no memory.
    let mut bytes = Decoder::new(from.bytes(count * HASH_BYTES)?);
    let mut hashes: Vec<RowHash> = Vec::with_capacity(count);
    for _ in 0..count {
        let hash = RowHash(bytes.array()?);
        if hashes.last().is_some_and(|before| *before >= hash) {
            return Err(Error::peer("shows hashes out of order"));
        }
        hashes.push(hash);
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(first: u8, last: u8) -> RowHash {
        let mut bytes = [0; HASH_BYTES];
        (bytes[0], bytes[HASH_BYTES - 1]) = (first, last);
        RowHash(bytes)
    }

    fn encoded(want: &Want) -> Vec<u8> {
        let mut out = Encoder::default();
        want.encode(&mut out);
        out.done()
    }

    fn decoded(want: &Want) -> Result<Want> {
        Want::decode(Decoder::new(&encoded(want)))
    }

    fn offered(offer: &Offer) -> Result<Offer> {
        let mut out = Encoder::default();
        offer.encode(&mut out);
        Offer::decode(Decoder::new(&out.done()))
    }

    #[test]
    fn the_hash_of_a_row_is_of_its_section_too_and_a_replaced_one_has_none() {
        let line = "Ana, , , missing, 7";
        assert_ne!(RowHash::of(Section::People, line), RowHash::of(Section::Camps, line));
        assert_eq!(RowHash::of(Section::Replaced, line), None);
        for section in Section::ALL {
            assert_eq!(tag(section).and_then(tagged), tag(section).map(|_| section));
        }
    }

    #[test]
    fn the_first_bits_of_a_hash_choose_its_bucket() {
        let one = RowHash([0xff; HASH_BYTES]);
        assert_eq!([0, 1, 14, 16].map(|bits| one.bucket(bits)), [0, 1, 0x3fff, 0xffff]);
        assert_eq!(hash(0x80, 1).bucket(1), 1);
        assert_eq!(hash(0x7f, 1).bucket(1), 0);
    }

    #[test]
    fn an_offer_must_keep_its_bounds_and_have_a_digest_for_each_bucket() {
        let right = Offer { bits: 2, rows: 9, bytes: 99, digests: vec![[7; HASH_BYTES]; 4] };
        assert_eq!(offered(&right).expect("right"), right);
        let most = MAX_TRAVELLING_ROWS as u32;
        for wrong in [
            Offer { bits: 3, ..right.clone() },
            Offer { bits: 1, ..right.clone() },
            Offer { bits: 15, digests: vec![[7; HASH_BYTES]; 1 << 15], ..right.clone() },
            Offer { bits: 255, ..right.clone() },
            Offer { rows: most + 1, ..right.clone() },
            Offer { bytes: MAX_ROWS_BYTES + 1, ..right.clone() },
        ] {
            assert!(offered(&wrong).is_err(), "{} {} {}", wrong.bits, wrong.rows, wrong.bytes);
        }
    }

    #[test]
    fn a_want_must_ascend_and_name_nothing_twice() {
        let wanted = |bucket, shown: &[RowHash]| Wanted { bucket, shown: shown.to_vec() };
        let want = |buckets: &[Wanted]| Want { last: true, buckets: buckets.to_vec() };
        let right = want(&[wanted(0, &[hash(0, 1), hash(0, 2)]), wanted(7, &[])]);
        assert_eq!(decoded(&right).expect("right"), right);
        for wrong in [
            want(&[wanted(1, &[]), wanted(1, &[])]),
            want(&[wanted(2, &[]), wanted(1, &[])]),
            want(&[wanted(0, &[hash(0, 2), hash(0, 1)])]),
            want(&[wanted(0, &[hash(0, 2), hash(0, 2)])]),
        ] {
            assert!(decoded(&wrong).is_err(), "{wrong:?}");
        }
        let mut bytes = encoded(&right);
        bytes[0] = 2;
        assert!(Want::decode(Decoder::new(&bytes)).is_err(), "neither last nor not");
    }

    #[test]
    fn a_long_want_is_split_and_its_last_part_marked() {
        let shown: Vec<_> = (0..=255).map(|last| hash(0, last)).collect();
        let all = (0..1000).map(|bucket| Wanted { bucket, shown: shown.clone() });
        let parts: Vec<_> = Want::parts(all).collect();
        assert!(parts.len() > 1);
        let (last, others) = parts.split_last().expect("parts");
        assert!(last.last && others.iter().all(|part| !part.last));
        assert!(parts.iter().all(|part| encoded(part).len() < WANT_PIECE + MAX_SHOWN * HASH_BYTES));
        assert_eq!(parts.iter().map(|part| part.buckets.len()).sum::<usize>(), 1000);
        let nothing: Vec<_> = Want::parts(std::iter::empty()).collect();
        assert_eq!(nothing, [Want { last: true, buckets: Vec::new() }]);
    }
}
