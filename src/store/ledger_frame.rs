//! The bytes of a ledger's file: the head of a segment, the frames of entries, and the sums over both.
//!
//! ```text
//! segment = head sector, commits
//! head    = "reunite ledger\n" 0, version u32 (1), number u32, previous u32, length u64, sum u32, zeros to 512
//! commit  = frames one behind the other, zeros to the next multiple of 512
//! frame   = "RBLK", length u32, begin u32, end u32, sum of the body u32, sum of the head u32, body
//! ```
//!
//! All big-endian. `begin` and `end` are where the commit of the frame begins and ends. `previous` and `length`
//! say up to where which segment before this one was acknowledged; what stands behind that was not.
//!
//! The sum of a frame's head is over the segment's number and the frame's place too. So a frame can be found
//! again behind damage, wherever it begins, and one that stands in the wrong place is none: an old sector that
//! came back, or a frame that somebody wrote into the text of an entry. A frame without a body is a mark that
//! all before it was acknowledged.

use crate::model::limits::{MAX_LEDGER_ENTRY, SECTOR};
use crc32fast::Hasher;

/// Length of a frame's head, bytes.
pub const FRAME_HEAD: usize = 24;
/// Length of a segment's head, bytes: a sector of its own.
pub const SEGMENT_HEAD: usize = SECTOR as usize;
/// What every frame begins with.
pub const MARKER: [u8; 4] = *b"RBLK";

const MAGIC: [u8; 16] = *b"reunite ledger\n\0";
const VERSION: u32 = 1;
/// In the place of `previous` in the first segment.
const NONE: u32 = u32::MAX;

/// The head of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHead {
    /// Its number, counted from 0.
    pub number: u32,
    /// The segment before it, and how many bytes of that were acknowledged.
    pub previous: Option<(u32, u64)>,
}

/// Why a segment's head cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// It is not what was written.
    Damaged,
    /// A program that knows more has written it, in this version.
    Newer(u32),
}

impl SegmentHead {
    /// The sector that is written.
    pub fn encode(&self) -> [u8; SEGMENT_HEAD] {
        let (previous, length) = self.previous.unwrap_or((NONE, 0));
        let mut bytes = Vec::with_capacity(SEGMENT_HEAD);
        bytes.extend_from_slice(&MAGIC);
        for word in [VERSION, self.number, previous] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(&length.to_be_bytes());
        let sum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&sum.to_be_bytes());
        let mut sector = [0; SEGMENT_HEAD];
        sector.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        sector
    }

    /// Reads the sector of segment `number`.
    pub fn decode(number: u32, sector: &[u8]) -> Result<Self, HeadFault> {
        let (found, version) = Self::parts(sector).ok_or(HeadFault::Damaged)?;
        match version {
            VERSION if found.number == number && found.encode() == *sector => Ok(found),
            VERSION => Err(HeadFault::Damaged),
            newer => Err(HeadFault::Newer(newer)),
        }
    }

    fn parts(sector: &[u8]) -> Option<(Self, u32)> {
        let (summed, rest) = sector.split_at_checked(MAGIC.len() + 3 * 4 + 8)?;
        let (sum, _) = word(rest)?;
        let summed_words =
            summed.strip_prefix(&MAGIC).filter(|_| crc32fast::hash(summed) == sum)?;
        let (version, rest) = word(summed_words)?;
        let (number, rest) = word(rest)?;
        let (previous, length) = word(rest)?;
        let length = u64::from_be_bytes(length.try_into().ok()?);
        let previous = (previous != NONE).then_some((previous, length));
        Some((Self { number, previous }, version))
    }
}

/// Where an entry stands: its segment, and where its frame begins there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The segment.
    pub segment: u32,
    /// Bytes from the segment's beginning.
    pub offset: u32,
}

/// The bytes of a segment that were committed together, with the zeros that fill the last sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Where it begins.
    pub begin: u32,
    /// Where the next one begins.
    pub end: u32,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Length of the body, bytes.
    pub length: u32,
    /// The commit that it belongs to.
    pub commit: Commit,
    sum: u32,
}

impl FrameHead {
    /// The head of a frame with this body.
    pub fn new(body: &[u8], commit: Commit) -> Self {
        // Entries are far shorter than 4 GiB.
        Self { length: body.len() as u32, commit, sum: crc32fast::hash(body) }
    }

    /// The bytes of the head of the frame at `place`.
    pub fn encode(&self, place: Place) -> [u8; FRAME_HEAD] {
        let mut bytes = [0; FRAME_HEAD];
        let words = [self.length, self.commit.begin, self.commit.end, self.sum];
        let fields = std::iter::once(MARKER).chain(words.map(u32::to_be_bytes));
        bytes.iter_mut().zip(fields.flatten()).for_each(|(to, from)| *to = from);
        let sum = head_sum(place, bytes.split_at(FRAME_HEAD - 4).0);
        bytes
            .iter_mut()
            .skip(FRAME_HEAD - 4)
            .zip(sum.to_be_bytes())
            .for_each(|(to, from)| *to = from);
        bytes
    }

    /// Reads the head of a frame that begins at `place`, if one does. What is behind the head in `bytes` is
    /// not looked at.
    pub fn decode(place: Place, bytes: &[u8]) -> Option<Self> {
        let (summed, rest) = bytes.split_at_checked(FRAME_HEAD - 4)?;
        let rest_of_head = summed.strip_prefix(&MARKER)?;
        let (head_sum_written, _) = word(rest)?;
        if head_sum(place, summed) != head_sum_written {
            return None;
        }
        let (length, rest) = word(rest_of_head)?;
        let (begin, rest) = word(rest)?;
        let (end, rest) = word(rest)?;
        let (sum, _) = word(rest)?;
        let within = begin <= place.offset
            && u64::from(place.offset) + (FRAME_HEAD as u64) + u64::from(length) <= u64::from(end);
        let sane = within && length as usize <= MAX_LEDGER_ENTRY;
        sane.then_some(Self { length, commit: Commit { begin, end }, sum })
    }

    /// Whether this is the body that was written with the head.
    pub fn is_of(&self, body: &[u8]) -> bool {
        body.len() == self.length as usize && crc32fast::hash(body) == self.sum
    }

    /// Length of the whole frame, bytes.
    pub fn frame_length(&self) -> u64 {
        FRAME_HEAD as u64 + u64::from(self.length)
    }
}

/// Frames that are committed together, as they are written from `begin` on, and where each of them stands.
/// No entries make a mark. `None` if they would not fit below 4 GiB.
pub fn encode_commit(
    segment: u32,
    begin: u64,
    entries: &[Vec<u8>],
) -> Option<(Vec<u8>, Vec<Place>)> {
    let frames: usize = entries.iter().map(|entry| FRAME_HEAD + entry.len()).sum();
    let length = frames.max(FRAME_HEAD).next_multiple_of(SEGMENT_HEAD);
    let end = begin + length as u64;
    let commit = Commit { begin: u32::try_from(begin).ok()?, end: u32::try_from(end).ok()? };
    let (mut bytes, mut places) = (Vec::with_capacity(length), Vec::with_capacity(entries.len()));
    let mut add = |body: &[u8]| {
        // Less than `commit.end`, which fits.
        let place = Place { segment, offset: commit.begin + bytes.len() as u32 };
        bytes.extend_from_slice(&FrameHead::new(body, commit).encode(place));
        bytes.extend_from_slice(body);
        place
    };
    if entries.is_empty() {
        add(&[]);
    }
    places.extend(entries.iter().map(|entry| add(entry)));
    bytes.resize(length, 0);
    Some((bytes, places))
}

fn head_sum(place: Place, head: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&place.segment.to_be_bytes());
    hasher.update(&place.offset.to_be_bytes());
    hasher.update(head);
    hasher.finalize()
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*word), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_segment_is_read_as_written_and_any_changed_bit_is_seen() {
        for previous in [None, Some((3, 70_144))] {
            let head = SegmentHead { number: 4, previous };
            let sector = head.encode();
            assert_eq!(SegmentHead::decode(4, &sector), Ok(head));
            assert_eq!(SegmentHead::decode(5, &sector), Err(HeadFault::Damaged), "renamed");
            for bit in 0..sector.len() * 8 {
                let mut changed = sector;
                changed[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(SegmentHead::decode(4, &changed), Err(HeadFault::Damaged), "bit {bit}");
            }
        }
    }

    #[test]
    fn a_segment_of_a_newer_program_is_not_taken_for_damaged() {
        let mut sector = SegmentHead { number: 0, previous: None }.encode();
        sector[19] = 2;
        let sum = crc32fast::hash(&sector[..36]);
        sector[36..40].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(SegmentHead::decode(0, &sector), Err(HeadFault::Newer(2)));
    }

    #[test]
    fn a_commit_fills_whole_sectors_and_its_frames_are_found_in_their_places() {
        let entries = [vec![1; 700], vec![2], vec![3; 300]];
        let (bytes, places) = encode_commit(2, 512, &entries).expect("small");
        assert_eq!(bytes.len(), 1536);
        for (entry, place) in entries.iter().zip(&places) {
            let at = place.offset as usize - 512;
            let head = FrameHead::decode(*place, &bytes[at..]).expect("there");
            assert!(head.is_of(&bytes[at + FRAME_HEAD..at + FRAME_HEAD + entry.len()]));
            assert_eq!(head.commit, Commit { begin: 512, end: 2048 });
            let elsewhere = Place { offset: place.offset + 512, ..*place };
            assert_eq!(FrameHead::decode(elsewhere, &bytes[at..]), None);
            assert_eq!(FrameHead::decode(Place { segment: 3, ..*place }, &bytes[at..]), None);
        }
        let (mark, none) = encode_commit(2, 512, &[]).expect("small");
        assert!(none.is_empty() && mark.len() == 512);
        assert!(encode_commit(0, u64::from(u32::MAX) - 100, &entries).is_none());
    }

    #[test]
    fn any_changed_bit_of_a_frame_is_seen() {
        let (bytes, places) =
            encode_commit(0, 512, &[b"a missing person".to_vec()]).expect("small");
        let end = FRAME_HEAD + 16;
        for bit in 0..end * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let head = FrameHead::decode(places[0], &changed);
            assert!(!head.is_some_and(|head| head.is_of(&changed[FRAME_HEAD..end])), "bit {bit}");
        }
    }
}
