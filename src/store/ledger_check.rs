//! Checks the ledger in a data folder and changes nothing: no node, no lock, no key is needed, and a node may be
//! running on it.

use crate::base::error::{Error, Result};
use crate::model::ledger::audit::{Audit, Report};
use crate::model::ledger::block::Received;
use crate::model::ledger::chains::Chains;
use crate::model::ledger::fault::Wrong;
use crate::model::ledger::finding::{Finding, Tampering, Touched};
use crate::model::ledger::state::State;
use crate::model::ledger::stored::Stored;
use crate::model::limits::MAX_LEDGER_ENTRY;
use crate::store::disk::{Disk, How, RealDisk, read_full_at};
use crate::store::files;
use crate::store::ledger_frame::{FRAME_HEAD, MARKER, Place};
use crate::store::ledger_walk::{Damage, Walked, walk};
use crate::store::ledger_writer::segment_path;
use crate::store::roster_file;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How often a ledger is read anew while somebody keeps writing its end.
const MOST_LOOKS: usize = 4;

/// Bytes of a segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    /// The segment.
    pub segment: u32,
    /// From where to where, counted from its beginning.
    pub bytes: (u64, u64),
}

impl Extent {
    fn of(place: Place, entry: &[u8]) -> Self {
        let begin = u64::from(place.offset);
        Self { segment: place.segment, bytes: (begin, begin + (FRAME_HEAD + entry.len()) as u64) }
    }

    /// The file that they are in, of the ledger at `ledger`.
    pub fn file(&self, ledger: &Path) -> PathBuf {
        segment_path(ledger, self.segment)
    }
}

impl From<&Damage> for Extent {
    fn from(damage: &Damage) -> Self {
        let Range { start, end } = damage.bytes;
        Self { segment: damage.segment, bytes: (start, end) }
    }
}

/// The one ledger in a data folder, or the one whose file `path` is.
pub fn ledger_in(path: &Path) -> Result<PathBuf> {
    let place = path.display().to_string();
    let wrong = |cause| Error::device(format!("look into {place}"), cause);
    if fs::metadata(path).map_err(wrong)?.is_file() {
        return Ok(path.to_owned());
    }
    let names = fs::read_dir(path).map_err(wrong)?.flatten().map(|entry| entry.file_name());
    let names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
    let mut ledgers: Vec<_> = names.iter().filter_map(|name| ledger_of(name)).collect();
    ledgers.sort_unstable();
    ledgers.dedup();
    match ledgers.as_slice() {
        [one] => Ok(path.join(format!("{one}.ledger"))),
        [] => Err(Error::input(
            place,
            "there is no ledger in it",
            "give the data folder of a tier-1 node that has run, or the path of a DATABASEx.ledger",
        )),
        several => Err(Error::input(
            place,
            format!("there are several ledgers in it: {}", several.join(", ")),
            "give the path of one of the .ledger files",
        )),
    }
}

/// The name, without its extension, of the ledger of which this is a segment.
fn ledger_of(name: &str) -> Option<&str> {
    let (stem, rest) = name.split_once('.')?;
    let number = stem.strip_prefix("DATABASE")?;
    let segment = rest.strip_prefix("ledger")?;
    let segment = segment.is_empty() || segment.strip_prefix('.')?.parse::<u32>().is_ok();
    (segment && number.parse::<u16>().is_ok()).then_some(stem)
}

/// What was found of a ledger.
#[derive(Debug)]
pub struct Checked {
    /// What it holds, and what is wrong with it.
    pub report: Report<Extent>,
    /// How many bytes it has.
    pub bytes: u64,
}

/// Checks all of the ledger at `path`. `progress` is told now and then how many entries were looked at.
pub fn check(path: &Path, mut progress: impl FnMut(u64)) -> Result<Checked> {
    let mut looks = 0;
    loop {
        let (mut audit, mut count, mut bytes) = (Audit::default(), 0, 0);
        let walked = walk(&RealDisk, path, |place, entry| {
            let extent = Extent::of(place, entry);
            bytes += extent.bytes.1 - extent.bytes.0;
            audit.entry(extent, entry);
            count += 1;
            progress(count);
            Ok(())
        })?;
        looks += 1;
        // A node may have been in the middle of writing it.
        let is_rest = walked.torn.as_ref().is_none_or(|torn| is_at_rest(path, torn));
        if is_rest || looks == MOST_LOOKS {
            damaged(path, &walked, &mut audit);
            let mut report = audit.finish();
            // What was written by somebody who is shut out since then does not count.
            if let Some(roster) = roster_file::roster(path, &report.chains)? {
                report.chains.bar(roster.bars());
            }
            report.findings.sort_by(|one, other| one.at.cmp(&other.at));
            return Ok(Checked { report, bytes });
        }
    }
}

/// Hands on every entry at `path`, in the order of the file, with what is wrong with it; then what damage there is.
pub fn each_entry(
    path: &Path,
    mut take: impl FnMut(Extent, &[u8], Option<Wrong>) -> Result<()>,
) -> Result<Walked> {
    let mut audit = Audit::default();
    walk(&RealDisk, path, |place, entry| {
        let extent = Extent::of(place, entry);
        let wrong = audit.entry(extent.clone(), entry);
        take(extent, entry, wrong)
    })
}

/// The records of the ledger at `path`, of the blocks that these chains hold and that count. `look` sees every block
/// that they hold.
pub fn state(path: &Path, chains: &Chains, mut look: impl FnMut(&Received)) -> Result<State> {
    let mut state = State::default();
    walk(&RealDisk, path, |_, entry| {
        let block = Stored::block_of(entry).and_then(|bytes| Received::read(bytes).ok());
        let is_held = |block: &Received| {
            let header = block.signed().header();
            chains.hash(&header.name, header.sequence) == Some(block.signed().hash())
        };
        if let Some(block) = block.filter(is_held) {
            look(&block);
            match chains.again(block) {
                Some(block) if chains.counts(block.header()) => state.apply(&block)?,
                _ => Default::default(),
            };
        }
        Ok(())
    })?;
    Ok(state)
}

/// As `state`; of findings of which only the block is known, the records that it changes are put down too.
pub fn state_of(path: &Path, report: &mut Report<Extent>) -> Result<State> {
    let Report { chains, findings, .. } = report;
    let is_open =
        |one: &&mut Finding<Extent>| matches!(one.kind, Tampering::Fork | Tampering::Rewritten);
    let mut open: Vec<_> = findings.iter_mut().filter(is_open).collect();
    state(path, chains, |block| {
        let header = block.signed().header();
        for finding in open.iter_mut().filter(|one| one.holds(&header.name, header.sequence)) {
            finding.touched.extend(Touched::by(block));
        }
    })
}

/// Whether the file that ends in what was torn still ends there.
fn is_at_rest(path: &Path, torn: &Damage) -> bool {
    let print = files::print(&segment_path(path, torn.segment));
    print.is_some_and(|print| print.length() == torn.bytes.end)
}

fn damaged(path: &Path, walked: &Walked, audit: &mut Audit<Extent>) {
    let all = walked.damages.iter().map(|damage| (Tampering::Bytes, damage));
    for (kind, damage) in all.chain(walked.torn.iter().map(|torn| (Tampering::Torn, torn))) {
        let bytes = read(path, damage).unwrap_or_default();
        audit.damage(kind, damage.into(), &bodies(&bytes));
    }
}

/// The first bytes of a damaged range, so many that an entry is among them.
fn read(path: &Path, damage: &Damage) -> Option<Vec<u8>> {
    let file = RealDisk.open(&segment_path(path, damage.segment), How::Read).ok()?;
    let most = (2 * MAX_LEDGER_ENTRY) as u64;
    let length = (damage.bytes.end - damage.bytes.start).min(most);
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    let count = read_full_at(&*file, &mut bytes, damage.bytes.start).ok()?;
    bytes.truncate(count);
    Some(bytes)
}

/// What stands where the bodies of frames would: behind the beginning, and behind whatever looks like a frame.
fn bodies(bytes: &[u8]) -> Vec<&[u8]> {
    let frames = bytes.windows(MARKER.len()).enumerate().skip(1);
    let marked = frames.filter(|(_, four)| *four == MARKER).map(|(at, _)| at);
    let starts = std::iter::once(0).chain(marked).take(16);
    starts.filter_map(|at| bytes.get(at + FRAME_HEAD..)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_a_ledger_are_known_by_their_names() {
        for name in ["DATABASE1.ledger", "DATABASE1.ledger.2"] {
            assert_eq!(ledger_of(name), Some("DATABASE1"));
        }
        for name in ["DATABASE1.ledger.torn", "DATABASE1.ledger-classic", "DATABASE.ledger", "x"] {
            assert_eq!(ledger_of(name), None);
        }
    }
}
