//! What a node and a reader tell each other before rows travel: digests of what one has, and what the other wants of it.
//!
//! ```text
//! offer = bits u8  rows u32  bytes u64  2^bits * digest 8
//! split = *( bucket u16 )                      of these, digests of their parts are wanted
//! parts = *( 16 * digest 4 )                   one after the other, as they were asked for
//! want  = last u8 (0, 1)  count u16  count * ( bucket u16  part u8  shown u8  shown * short 4 )
//! gone  = *( position u32 )                    of what was shown, counted from 0 over all wants
//! ```
//!
//! A part is 0 to 15, or 16 for the whole bucket. Everything ascends; all else is refused. The digests are short: they
//! only find what differs, and what came of it is checked against the hash that the giver signed.

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::limits::{
    MAX_BUCKET_BITS, MAX_OFFERED_BYTES, MAX_OFFERED_ROWS, MAX_PART_SHOWN, MAX_SHOWN, MAX_SPLIT,
    WANT_PIECE,
};
use crate::model::section::Section;
use ring::digest;

/// Bytes of the hash of a row: two rows with one hash cannot be made.
pub const HASH_BYTES: usize = 16;
/// Bytes of the digest of a bucket.
pub const DIGEST_BYTES: usize = 8;
/// Parts of a bucket that is looked at more closely: 2^4.
pub const PARTS: u8 = 16;
/// Bits of a hash that choose the part of a row in its bucket.
const PART_BITS: u8 = 4;
/// Bytes of the digest of a part, and of a row that is shown.
pub const SHORT_BYTES: usize = 4;

/// The digest of a part of a bucket.
pub type PartDigest = [u8; SHORT_BYTES];
/// A row as it is shown among the few of its part.
pub type Short = [u8; SHORT_BYTES];

/// What a row is known by while rows are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowHash([u8; HASH_BYTES]);

impl RowHash {
    /// The hash of a row; `None` for one that never leaves its node.
    pub fn of(section: Section, line: &str) -> Option<Self> {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&[tag(section)?]);
        context.update(line.as_bytes());
        Some(Self(front(&context.finish())))
    }

    /// In which of 2^`bits` buckets its row is: the first bits say so.
    pub fn bucket(&self, bits: u8) -> u16 {
        u16::try_from(self.cell(bits) >> PART_BITS).unwrap_or(u16::MAX)
    }

    /// In which part of that bucket it is: the bits behind those say so.
    pub fn part(&self, bits: u8) -> u8 {
        u8::try_from(self.cell(bits) & u32::from(PARTS - 1)).unwrap_or_default()
    }

    /// The number of its part among those of all buckets.
    pub fn cell(&self, bits: u8) -> u32 {
        let [a, b, c, d, ..] = self.0;
        // As 64 bits, so that none is a shift of all bits away.
        let front = u64::from(u32::from_be_bytes([a, b, c, d]));
        u32::try_from(front >> (32 - u32::from((bits + PART_BITS).min(32)))).unwrap_or(u32::MAX)
    }

    /// Some of its bytes, which have nothing to do with its place.
    pub fn short(&self) -> Short {
        let [.., a, b, c, d] = self.0;
        [a, b, c, d]
    }

    /// The digest of rows in ascending order.
    pub fn digest<'a, const N: usize>(hashes: impl Iterator<Item = &'a Self>) -> [u8; N] {
        let mut context = digest::Context::new(&digest::SHA256);
        hashes.for_each(|hash| context.update(&hash.0));
        front(&context.finish())
    }
}

fn front<const N: usize>(digest: &digest::Digest) -> [u8; N] {
    let mut front = [0; N];
    front.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    front
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
    pub digests: Vec<[u8; DIGEST_BYTES]>,
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
        if u64::from(rows) > MAX_OFFERED_ROWS as u64 || bytes > MAX_OFFERED_BYTES {
            return Err(Error::peer(format!("offered {rows} rows of {bytes} bytes")));
        }
        if from.left() != DIGEST_BYTES << bits {
            return Err(Error::peer("offered another number of digests than of buckets"));
        }
        let mut digests = Vec::with_capacity(1 << bits);
        while from.left() > 0 {
            digests.push(from.array()?);
        }
        Ok(Self { bits, rows, bytes, digests })
    }
}

/// Buckets that differ, ascending, and are to be looked at more closely.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split(pub Vec<u16>);

impl Split {
    /// Appends it to a message.
    pub fn encode(&self, out: &mut Encoder) {
        self.0.iter().for_each(|bucket| {
            out.u16(*bucket);
        });
    }

    /// Reads it: the whole rest of a message.
    pub fn decode(mut from: Decoder) -> Result<Self> {
        let count = from.left().div_ceil(2);
        if count > MAX_SPLIT {
            return Err(Error::peer("splits too many buckets"));
        }
        ascending(&mut from, count, Decoder::u16, "splits buckets out of order").map(Self)
    }
}

/// The digests of the parts of buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(pub Vec<[PartDigest; PARTS as usize]>);

impl Parts {
    /// Appends them to a message.
    pub fn encode(&self, out: &mut Encoder) {
        self.0.iter().flatten().for_each(|digest| {
            out.bytes(digest);
        });
    }

    /// Reads them: the whole rest of a message.
    pub fn decode(mut from: Decoder) -> Result<Self> {
        let size = usize::from(PARTS) * SHORT_BYTES;
        if from.left() > MAX_SPLIT * size {
            return Err(Error::peer("sent parts of too many buckets"));
        }
        let mut all = Vec::with_capacity(from.left() / size);
        while from.left() > 0 {
            let mut parts = [[0; SHORT_BYTES]; PARTS as usize];
            for digest in &mut parts {
                *digest = from.array()?;
            }
            all.push(parts);
        }
        Ok(Self(all))
    }
}

/// A bucket of which rows are wanted, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which bucket.
    pub bucket: u16,
    /// Which part of it; all of it if it is `PARTS`.
    pub part: u8,
    /// The rows of it that need not be sent, ascending. None are shown by who wants all.
    pub shown: Vec<Short>,
}

impl Wanted {
    /// All of a bucket.
    pub fn whole(bucket: u16) -> Self {
        Self { bucket, part: PARTS, shown: Vec::new() }
    }

    /// The first of its parts and the last, counted over all buckets.
    pub fn cells(&self) -> (u32, u32) {
        let (first, parts) = (u32::from(self.bucket) << PART_BITS, u32::from(PARTS));
        match self.part < PARTS {
            true => (first + u32::from(self.part), first + u32::from(self.part)),
            false => (first, first + parts - 1),
        }
    }
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
                size += 4 + next.shown.len() * SHORT_BYTES;
                part.buckets.push(next);
            }
            part.last = wanted.peek().is_none();
            ended = part.last;
            Some(part)
        })
    }

    /// Appends it to a message.
    pub fn encode(&self, out: &mut Encoder) {
        // No piece holds more of them, and no part shows more than `MAX_PART_SHOWN`.
        let count = u16::try_from(self.buckets.len()).unwrap_or(u16::MAX);
        out.u8(self.last.into()).u16(count);
        for Wanted { bucket, part, shown } in &self.buckets {
            out.u16(*bucket).u8(*part).u8(u8::try_from(shown.len()).unwrap_or(u8::MAX));
            shown.iter().for_each(|short| {
                out.bytes(short);
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
        let mut buckets = Vec::new();
        let mut next = 0;
        for _ in 0..from.u16()? {
            let (bucket, part, count) = (from.u16()?, from.u8()?, from.u8()?);
            let wanted = Wanted { bucket, part, shown: shown(&mut from, count.into())? };
            let (first, last) = wanted.cells();
            if first < next || part > PARTS {
                return Err(Error::peer("wants buckets out of order"));
            }
            next = last + 1;
            buckets.push(wanted);
        }
        from.finish()?;
        Ok(Self { last, buckets })
    }
}

fn shown(from: &mut Decoder, count: usize) -> Result<Vec<Short>> {
    if count > MAX_PART_SHOWN {
        return Err(Error::peer(format!("shows {count} rows of one part")));
    }
    ascending(from, count, Decoder::array, "shows rows out of order")
}

/// Of the rows that were shown, those that the giver does not have: their positions, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone(pub Vec<u32>);

impl Gone {
    /// Appends it to a message.
    pub fn encode(&self, out: &mut Encoder) {
        self.0.iter().for_each(|position| {
            out.u32(*position);
        });
    }

    /// Reads it: the whole rest of a message.
    pub fn decode(mut from: Decoder) -> Result<Self> {
        let count = from.left().div_ceil(4);
        if count > MAX_SHOWN {
            return Err(Error::peer("says of too many rows that they are gone"));
        }
        ascending(&mut from, count, Decoder::u32, "says what is gone out of order").map(Self)
    }
}

/// Reads so many values, each of them more than the one before: if not, the other side did what is `wrong`.
fn ascending<'a, T: PartialOrd>(
    from: &mut Decoder<'a>,
    count: usize,
    read: fn(&mut Decoder<'a>) -> Result<T>,
    wrong: &str,
) -> Result<Vec<T>> {
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let next = read(from)?;
        if all.last().is_some_and(|before| *before >= next) {
            return Err(Error::peer(wrong));
        }
        all.push(next);
    }
    Ok(all)
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
    fn the_first_bits_of_a_hash_choose_its_bucket_and_the_next_its_part() {
        let one = RowHash([0xff; HASH_BYTES]);
        assert_eq!([0, 1, 14].map(|bits| one.bucket(bits)), [0, 1, 0x3fff]);
        assert_eq!(hash(0x80, 1).bucket(1), 1);
        assert_eq!(hash(0x7f, 1).bucket(1), 0);
        assert_eq!((hash(0xa5, 1).part(0), hash(0xa5, 1).part(4)), (10, 5));
        assert_eq!((one.part(14), one.cell(14)), (15, 0x3_ffff));
    }

    #[test]
    fn an_offer_must_keep_its_bounds_and_have_a_digest_for_each_bucket() {
        let right = Offer { bits: 2, rows: 9, bytes: 99, digests: vec![[7; DIGEST_BYTES]; 4] };
        assert_eq!(offered(&right).expect("right"), right);
        let most = MAX_OFFERED_ROWS as u32;
        for wrong in [
            Offer { bits: 3, ..right.clone() },
            Offer { bits: 1, ..right.clone() },
            Offer { bits: 15, digests: vec![[7; DIGEST_BYTES]; 1 << 15], ..right.clone() },
            Offer { bits: 255, ..right.clone() },
            Offer { rows: most + 1, ..right.clone() },
            Offer { bytes: MAX_OFFERED_BYTES + 1, ..right.clone() },
        ] {
            assert!(offered(&wrong).is_err(), "{} {} {}", wrong.bits, wrong.rows, wrong.bytes);
        }
    }

    fn wanted(bucket: u16, part: u8, shown: &[u8]) -> Wanted {
        Wanted { bucket, part, shown: shown.iter().map(|byte| [*byte; SHORT_BYTES]).collect() }
    }

    #[test]
    fn a_want_must_ascend_and_name_nothing_twice() {
        let want = |buckets: &[Wanted]| Want { last: true, buckets: buckets.to_vec() };
        let right = want(&[wanted(0, 3, &[1, 2]), wanted(0, 4, &[]), Wanted::whole(7)]);
        assert_eq!(decoded(&right).expect("right"), right);
        for wrong in [
            want(&[wanted(1, 0, &[]), wanted(1, 0, &[])]),
            want(&[wanted(1, 1, &[]), Wanted::whole(1)]),
            want(&[Wanted::whole(1), wanted(1, 15, &[])]),
            want(&[Wanted::whole(2), Wanted::whole(1)]),
            want(&[wanted(1, PARTS + 1, &[])]),
            want(&[wanted(0, 0, &[2, 1])]),
            want(&[wanted(0, 0, &[2, 2])]),
            want(&[wanted(0, 0, &(0..=MAX_PART_SHOWN as u8).collect::<Vec<_>>())]),
        ] {
            assert!(decoded(&wrong).is_err(), "{wrong:?}");
        }
        let mut bytes = encoded(&right);
        bytes[0] = 2;
        assert!(Want::decode(Decoder::new(&bytes)).is_err(), "neither last nor not");
    }

    #[test]
    fn a_long_want_is_split_and_its_last_part_marked() {
        let all = (0..10_000).map(|bucket| wanted(bucket, 1, &[1, 2, 3, 4]));
        let parts: Vec<_> = Want::parts(all).collect();
        assert!(parts.len() > 1);
        let (last, others) = parts.split_last().expect("parts");
        assert!(last.last && others.iter().all(|part| !part.last));
        let most = WANT_PIECE + 8 + MAX_PART_SHOWN * SHORT_BYTES;
        assert!(parts.iter().all(|part| encoded(part).len() < most));
        assert!(most < crate::model::limits::MAX_READER_FRAME);
        assert_eq!(parts.iter().map(|part| part.buckets.len()).sum::<usize>(), 10_000);
        let nothing: Vec<_> = Want::parts(std::iter::empty()).collect();
        assert_eq!(nothing, [Want { last: true, buckets: Vec::new() }]);
    }

    #[test]
    fn what_is_split_and_what_is_gone_must_ascend_and_keep_its_bounds() {
        let split = |bytes: &[u8]| Split::decode(Decoder::new(bytes));
        assert_eq!(split(&[0, 1, 0, 2]).expect("right"), Split(vec![1, 2]));
        assert!(split(&[0, 1, 0, 1]).is_err() && split(&[0, 1, 0]).is_err());
        assert!(split(&vec![0; MAX_SPLIT * 2 + 2]).is_err());
        let gone = |bytes: &[u8]| Gone::decode(Decoder::new(bytes));
        assert_eq!(gone(&[0, 0, 0, 1, 0, 0, 0, 2]).expect("right"), Gone(vec![1, 2]));
        assert!(gone(&[0; 8]).is_err() && gone(&[0; 5]).is_err());
        assert!(Parts::decode(Decoder::new(&[0; 64])).is_ok());
        assert!(Parts::decode(Decoder::new(&[0; 68])).is_err());
    }
}
