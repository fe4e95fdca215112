//! Reads a segment of the ledger from its beginning to its end, whatever is in it.
//!
//! What cannot be read is damage, with its position, and reading goes on behind it at the next whole frame. The
//! memory that it takes is bounded by the longest entry. Where damage stands in the last commit of the last
//! segment, that commit was never acknowledged: power failed while it was written. It is torn, and ends where the
//! damage begins.

use crate::model::limits::{BUFFER, MAX_DAMAGES, MAX_UNREADABLE, SECTOR};
use crate::store::disk::{DiskFile, read_full_at};
use crate::store::ledger_frame::{Commit, FRAME_HEAD, FrameHead, MARKER, Place, SEGMENT_HEAD};
use std::io;
use std::ops::Range;

/// What is read of a segment, in the order of its bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A whole entry.
    Entry(Place, &'a [u8]),
    /// Bytes that are not what was written.
    Damage(Range<u64>),
}

/// What a segment holds, apart from its entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Ranges that cannot be read, in their order.
    pub damages: Vec<Range<u64>>,
    /// The last commit of which anything could be read.
    pub last: Option<Commit>,
    /// Where the commit of the last frame begins that was handed on.
    pub handed: Option<u32>,
    /// Sectors that the disk could not read.
    pub unreadable: usize,
}

/// Reads parts of a segment.
#[derive(Debug)]
pub struct Scan<'a> {
    number: u32,
    window: Window<'a>,
    at: u64,
    last: Option<Commit>,
    handed: Option<u32>,
}

impl<'a> Scan<'a> {
    /// Reads on from `at`, where a frame begins.
    #[must_use]
    pub fn from(mut self, at: u64) -> Self {
        self.at = at;
        self
    }

    /// Reads segment `number` behind its head, up to `end`.
    pub fn new(file: &'a dyn DiskFile, number: u32, end: u64) -> Self {
        let window = Window { file, end, begin: 0, bytes: Vec::new(), unreadable: 0 };
        Self { number, window, at: SEGMENT_HEAD as u64, last: None, handed: None }
    }

    /// The next part, or `None` at the end.
    pub fn next_part(&mut self) -> io::Result<Option<Part<'_>>> {
        while self.at < self.window.end {
            let begin = self.at;
            if let Some((place, length)) = self.whole_frame(begin)? {
                let body = begin + FRAME_HEAD as u64;
                self.at = body + length as u64;
                self.handed = self.last.map(|commit| commit.begin);
                if length > 0 {
                    return Ok(Some(Part::Entry(place, self.window.read(body, length)?)));
                }
            } else if self.is_fill(begin)? {
                self.at = begin.next_multiple_of(SECTOR).min(self.window.end);
            } else {
                self.at = self.behind_damage(begin)?;
                return Ok(Some(Part::Damage(begin..self.at)));
            }
        }
        Ok(None)
    }

    /// Hands on all entries, and returns what else there is. In the last segment what was torn is left out.
    pub fn run<E: From<io::Error>>(
        mut self,
        is_last: bool,
        mut take: impl FnMut(Place, &[u8]) -> Result<(), E>,
    ) -> Result<(Survey, Option<u64>), E> {
        let (mut damages, mut torn, mut judged) = (Vec::new(), None, !is_last);
        while let Some(part) = self.next_part()? {
            let range = match part {
                Part::Entry(place, entry) => {
                    take(place, entry)?;
                    continue;
                }
                Part::Damage(range) => range,
            };
            if !std::mem::replace(&mut judged, true) {
                torn = self.ahead()?.torn(&range);
            }
            if let Some(torn) = torn {
                self.window.end = self.window.end.min(torn);
            }
            if torn.is_none_or(|torn| range.start < torn) {
                note(&mut damages, range);
            }
        }
        let Self { last, handed, .. } = self;
        Ok((Survey { damages, last, handed, unreadable: self.window.unreadable }, torn))
    }

    /// What stands behind the place where this scan is.
    fn ahead(&self) -> io::Result<Survey> {
        let window = Window { bytes: Vec::new(), ..self.window.clone() };
        let mut scan = Scan { window, ..*self };
        let mut damages = Vec::new();
        while let Some(part) = scan.next_part()? {
            if let Part::Damage(range) = part {
                note(&mut damages, range);
            }
        }
        let Scan { last, handed, .. } = scan;
        Ok(Survey { damages, last, handed, unreadable: scan.window.unreadable })
    }

    /// The place and length of the body of the frame that begins here, if it is whole.
    fn whole_frame(&mut self, begin: u64) -> io::Result<Option<(Place, usize)>> {
        let Some((place, head)) = self.head(begin)? else { return Ok(None) };
        let length = head.length as usize;
        let body = self.window.read(begin + FRAME_HEAD as u64, length)?;
        let is_whole = head.is_of(body);
        self.last = Some(head.commit);
        Ok(is_whole.then_some((place, length)))
    }

    fn head(&mut self, begin: u64) -> io::Result<Option<(Place, FrameHead)>> {
        let Ok(offset) = u32::try_from(begin) else { return Ok(None) };
        let place = Place { segment: self.number, offset };
        let head = FrameHead::decode(place, self.window.read(begin, FRAME_HEAD)?);
        Ok(head.map(|head| (place, head)))
    }

    /// Whether zeros fill the sector from here on.
    fn is_fill(&mut self, begin: u64) -> io::Result<bool> {
        let length = (begin.next_multiple_of(SECTOR) - begin) as usize;
        Ok(length > 0 && self.window.read(begin, length)?.iter().all(|byte| *byte == 0))
    }

    /// The next place behind `begin`, where no whole frame begins, where one does.
    fn behind_damage(&mut self, begin: u64) -> io::Result<u64> {
        // A head is right or not there: its length can be trusted also where the body is damaged.
        let mut at = begin + self.head(begin)?.map_or(1, |(_, head)| head.frame_length());
        while at < self.window.end {
            let bytes = self.window.read(at, BUFFER)?;
            let Some(found) = bytes.windows(MARKER.len()).position(|four| four == MARKER) else {
                // The marker may begin in the last three bytes.
                let step = bytes.len().saturating_sub(MARKER.len() - 1).max(1);
                at += step as u64;
                continue;
            };
            at += found as u64;
            if self.whole_frame(at)?.is_some() {
                return Ok(at);
            }
            at += self.head(at)?.map_or(1, |(_, head)| head.frame_length());
        }
        Ok(self.window.end)
    }
}

impl Survey {
    /// Where the torn commit at the end of the last segment ends, if there is one. `first` is the first damage
    /// of the segment; this is what stands behind it.
    fn torn(&self, first: &Range<u64>) -> Option<u64> {
        // What the disk cannot read may still be there.
        if self.unreadable > 0 {
            return None;
        }
        let mut starts = std::iter::once(first).chain(&self.damages).map(|range| range.start);
        let Some(last) = self.last else { return starts.next() };
        let (begin, end) = (u64::from(last.begin), u64::from(last.end));
        // Something behind the last commit known shows that this one was acknowledged.
        starts.clone().find(|start| *start >= end).or_else(|| starts.find(|start| *start >= begin))
    }
}

/// Puts down one more damaged range.
fn note(damages: &mut Vec<Range<u64>>, range: Range<u64>) {
    if damages.len() < MAX_DAMAGES {
        damages.push(range);
    } else if let Some(last) = damages.last_mut() {
        last.end = range.end;
    }
}

/// The part of a file that is in memory.
#[derive(Clone, Debug)]
struct Window<'a> {
    file: &'a dyn DiskFile,
    end: u64,
    begin: u64,
    bytes: Vec<u8>,
    unreadable: usize,
}

impl Window<'_> {
    /// The bytes from `at` on: `length`, or fewer where the file ends.
    fn read(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let until = at.saturating_add(length as u64).min(self.end).max(at);
        if at < self.begin || until > self.begin + self.bytes.len() as u64 {
            let most = (length.max(BUFFER) as u64).min(self.end.saturating_sub(at));
            self.load(at, most as usize)?;
        }
        let from = (at - self.begin) as usize;
        let to = (until - self.begin) as usize;
        Ok(self.bytes.get(from..to.min(self.bytes.len())).unwrap_or_default())
    }

    fn load(&mut self, at: u64, length: usize) -> io::Result<()> {
        self.begin = at;
        self.bytes.resize(length, 0);
        match read_full_at(self.file, &mut self.bytes, at) {
            Ok(count) => {
                self.bytes.truncate(count);
                Ok(())
            }
            Err(_) => self.load_sectors(at),
        }
    }

    /// Reads what can be read. Zeros stand for the rest: no frame is whole with them.
    fn load_sectors(&mut self, at: u64) -> io::Result<()> {
        let mut from = at;
        let first = (at.next_multiple_of(SECTOR) - at) as usize;
        let first = first.min(self.bytes.len());
        let (head, rest) = self.bytes.split_at_mut(first);
        for sector in std::iter::once(head).chain(rest.chunks_mut(SECTOR as usize)) {
            if let Err(cause) = read_full_at(self.file, sector, from) {
                sector.fill(0);
                self.unreadable += 1;
                if self.unreadable > MAX_UNREADABLE {
                    self.bytes.clear();
                    return Err(cause);
                }
            }
            from += sector.len() as u64;
        }
        Ok(())
    }
}
