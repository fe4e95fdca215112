//! Reads a whole ledger, segment after segment, and changes nothing: for start, and for who only looks.

use crate::base::error::{Error, Result};
use crate::model::limits::MAX_LEDGER_SEGMENT;
use crate::store::disk::{Disk, DiskFile, How, read_full_at};
use crate::store::files::beside;
use crate::store::ledger_frame::{HeadFault, Place, SEGMENT_HEAD, SegmentHead};
use crate::store::ledger_scan::Scan;
use crate::store::ledger_writer::segment_path;
use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::path::Path;

/// A range of a segment that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: u32,
    /// The bytes, counted from the segment's beginning.
    pub bytes: Range<u64>,
}

/// What a ledger holds, apart from its entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// How many entries there are.
    pub entries: u64,
    /// What cannot be read, in the order of the ledger.
    pub damages: Vec<Damage>,
    /// A commit at the end that was not acknowledged when power failed.
    pub torn: Option<Damage>,
    /// The last segment, where the next commit belongs.
    pub last: Option<LastSegment>,
    /// A number above those of all segments.
    pub next: u32,
}

/// The last segment of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSegment {
    /// Its number.
    pub number: u32,
    /// Up to where it is whole, bytes.
    pub end: u64,
    /// Where its last whole commit begins: all before that was acknowledged.
    pub sure: u64,
    /// Whether more may be written into it.
    pub goes_on: bool,
}

/// A segment as its head shows it.
struct Headed {
    number: u32,
    file: Box<dyn DiskFile>,
    length: u64,
    head: Option<SegmentHead>,
    /// Up to where the next segment says that this one was acknowledged.
    acknowledged: Option<u64>,
}

/// Hands on all entries of the ledger at `path` in their order, and returns what else there is. Damage is no
/// error; a disk that cannot be read is, and what `take` returns as one.
pub fn walk(
    disk: &dyn Disk,
    path: &Path,
    mut take: impl FnMut(Place, &[u8]) -> Result<()>,
) -> Result<Walked> {
    let numbers = numbers(disk, path)?;
    let mut walked = Walked {
        next: numbers.last().map_or(0, |last| last.saturating_add(1)),
        ..Walked::default()
    };
    let segments = chain(disk, path, &numbers, &mut walked)?;
    let count = segments.len();
    for (at, segment) in segments.into_iter().enumerate() {
        let is_last = at + 1 == count;
        walk_segment(path, &segment, is_last, &mut walked, &mut take)?;
    }
    Ok(walked)
}

fn walk_segment(
    path: &Path,
    segment: &Headed,
    is_last: bool,
    walked: &mut Walked,
    take: &mut impl FnMut(Place, &[u8]) -> Result<()>,
) -> Result<()> {
    let number = segment.number;
    let damaged = |bytes| Damage { segment: number, bytes };
    let own = SEGMENT_HEAD as u64;
    if segment.head.is_none() {
        walked.damages.push(damaged(0..own.min(segment.length)));
    }
    let known = segment.length.min(MAX_LEDGER_SEGMENT);
    let end = segment.acknowledged.map_or(known, |acknowledged| acknowledged.min(known));
    let mut entries = 0;
    let scan = Scan::new(&*segment.file, number, end);
    let (survey, torn) = scan
        .run::<Stopped>(is_last, |place, entry| {
            entries += 1;
            take(place, entry).map_err(Stopped::Taker)
        })
        .map_err(|stopped| match stopped {
            Stopped::Disk(cause) => wrong(&segment_path(path, number), cause),
            Stopped::Taker(error) => error,
        })?;
    walked.entries += entries;
    // A frame that was cut off says how long it was: what is written behind it would be taken for a part of it.
    let is_cut = torn.is_none() && survey.damages.last().is_some_and(|last| last.end == end);
    walked.damages.extend(survey.damages.into_iter().map(damaged));
    if let Some(missing) = segment.acknowledged.filter(|acknowledged| *acknowledged > known) {
        let before = walked.damages.last_mut();
        match before.filter(|last| last.segment == number && last.bytes.end == known) {
            // One range, as it was told when nothing said yet how long the segment should be.
            Some(last) => last.bytes.end = missing,
            None => walked.damages.push(damaged(known..missing)),
        }
    }
    if is_last {
        walked.torn = torn.map(|torn| damaged(torn..end));
        let is_sound = segment.head.is_some() && survey.unreadable == 0 && !is_cut;
        let goes_on = is_sound && segment.length <= MAX_LEDGER_SEGMENT;
        let end = torn.unwrap_or(end).max(own);
        let sure = survey.handed.map_or(end, u64::from);
        walked.last = Some(LastSegment { number, end, sure, goes_on });
    }
    Ok(())
}

/// Why the reading of a segment ended early.
enum Stopped {
    Disk(io::Error),
    Taker(Error),
}

impl From<io::Error> for Stopped {
    fn from(cause: io::Error) -> Self {
        Self::Disk(cause)
    }
}

/// The segments that count, in their order. The last one's head says which was before it and how much of that
/// was acknowledged, and so on; one without a readable head follows on the one with the number below.
fn chain(
    disk: &dyn Disk,
    path: &Path,
    numbers: &[u32],
    walked: &mut Walked,
) -> Result<Vec<Headed>> {
    let (mut found, mut wanted): (Vec<Headed>, Option<(u32, u64)>) = (Vec::new(), None);
    for number in numbers.iter().rev().copied() {
        if found.last().is_some_and(|later| later.head.is_some()) {
            match wanted {
                Some((before, _)) if number <= before => {}
                _ => continue,
            }
        }
        let mut segment = headed(disk, path, number)?;
        match wanted.take() {
            Some((before, length)) if before == number => segment.acknowledged = Some(length),
            Some((before, length)) => {
                walked.damages.push(Damage { segment: before, bytes: 0..length });
            }
            None => {}
        }
        wanted = segment.head.and_then(|head| head.previous);
        found.push(segment);
    }
    if let Some((before, length)) = wanted {
        walked.damages.push(Damage { segment: before, bytes: 0..length });
    }
    found.reverse();
    Ok(found)
}

fn headed(disk: &dyn Disk, path: &Path, number: u32) -> Result<Headed> {
    let path = segment_path(path, number);
    let file = disk.open(&path, How::Read).map_err(|cause| wrong(&path, cause))?;
    let length = file.print().map_err(|cause| wrong(&path, cause))?.length();
    let mut sector = [0; SEGMENT_HEAD];
    // A head that the disk cannot read is a damaged one.
    let count = read_full_at(&*file, &mut sector, 0).unwrap_or_default();
    let head = match SegmentHead::decode(number, sector.get(..count).unwrap_or_default()) {
        Ok(head) => Some(head),
        Err(HeadFault::Damaged) => None,
        Err(HeadFault::Newer(version)) => {
            return Err(Error::input(
                path.display().to_string(),
                format!("a newer program wrote it, in version {version}"),
                "use that program, or a newer one",
            ));
        }
    };
    Ok(Headed { number, file, length, head, acknowledged: None })
}

/// The numbers of all segments that are there, in order.
fn numbers(disk: &dyn Disk, path: &Path) -> Result<Vec<u32>> {
    let folder = beside(path).1;
    let names = disk.list(folder).map_err(|cause| wrong(folder, cause))?;
    let own = path.file_name().unwrap_or(OsStr::new(""));
    let own = own.to_string_lossy();
    let mut numbers: Vec<_> = names
        .iter()
        .filter_map(|name| {
            let rest = name.to_str()?.strip_prefix(&*own)?;
            let number = if rest.is_empty() { 0 } else { rest.strip_prefix('.')?.parse().ok()? };
            // `.01`, `.+1` and `.0` are no names of ours.
            (segment_path(path, number).file_name()? == name.as_os_str()).then_some(number)
        })
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn wrong(path: &Path, cause: io::Error) -> Error {
    Error::device(format!("read {}", path.display()), cause)
}
