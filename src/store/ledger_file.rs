//! `DATABASEx.ledger`: entries that are only ever added, each acknowledged when it is on the disk.
//!
//! ```text
//! append --> commits --(one writes for all)--> ledger_writer --> segment files
//! open, entries <--------- ledger_walk <----------------------------+
//! ```
//!
//! What an entry holds is for others to know. At start a commit that power cut short is cut off, and kept beside
//! as `.torn`; what else cannot be read is left where it is, copied once to `.damaged-SEGMENT-OFFSET`, and
//! told. Everything else is handed on: also what was written and not acknowledged, which was synced by then.

use crate::base::error::{Error, Result};
use crate::base::threads::lock;
use crate::model::limits::{BUFFER, LEDGER_SEGMENT, MAX_KEPT_ASIDE, MAX_LEDGER_ENTRY, SECTOR};
use crate::store::commit::{Commits, Ticket};
use crate::store::disk::{Disk, DiskFile, How, read_full_at};
use crate::store::files;
use crate::store::ledger_frame::{FRAME_HEAD, FrameHead, Place};
use crate::store::ledger_scan::{Part, Scan};
use crate::store::ledger_walk::{Damage, LastSegment, Walked, walk};
use crate::store::ledger_writer::{LedgerWriter, segment_path};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A handle to the ledger's file of this node; clones share it.
#[derive(Clone, Debug)]
pub struct LedgerFile(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    commits: Commits<LedgerWriter>,
    readers: Mutex<BTreeMap<u32, Arc<dyn DiskFile>>>,
}

/// What was found at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Entries that were handed on.
    pub entries: u64,
    /// What cannot be read, and will be told at every start: what stood there has to come from peers.
    pub damages: Vec<Damage>,
    /// How many of these were found for the first time.
    pub new_damages: usize,
    /// What power cut short, and was cut off.
    pub torn: Option<Damage>,
}

impl LedgerFile {
    /// Opens the ledger at `path`, puts right what can be, and hands on all entries in their order. A ledger
    /// that is not there is made with its first entry. On a disk that cannot be written the ledger can be read,
    /// and `trouble` says why it takes nothing.
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        take: impl FnMut(Place, &[u8]) -> Result<()>,
    ) -> Result<(Self, Recovered)> {
        Self::open_with_segments(disk, path, LEDGER_SEGMENT, take)
    }

    /// As `open`, with segments of about `size` bytes.
    pub fn open_with_segments(
        disk: Arc<dyn Disk>,
        path: &Path,
        size: u64,
        take: impl FnMut(Place, &[u8]) -> Result<()>,
    ) -> Result<(Self, Recovered)> {
        let walked = walk(&*disk, path, take)?;
        let new_damages = keep_aside(&*disk, path, &walked);
        let (writer, failed) = writer(disk.clone(), path, size, &walked)?;
        let commits = Commits::new(format!("write {}", path.display()), writer, failed.as_ref());
        let shared =
            Shared { disk, path: path.to_owned(), commits, readers: Mutex::new(BTreeMap::new()) };
        let Walked { entries, damages, torn, .. } = walked;
        Ok((Self(Arc::new(shared)), Recovered { entries, damages, new_damages, torn }))
    }

    /// Puts an entry of 1 to `MAX_LEDGER_ENTRY` bytes behind those before it. It is written when a ticket is
    /// waited for, and nothing is acknowledged before that.
    pub fn append(&self, entry: Vec<u8>) -> Result<Ticket<Place>> {
        match entry.len() {
            1..=MAX_LEDGER_ENTRY => self.0.commits.append(entry),
            length => Err(Error::input(
                "an entry of the ledger",
                format!("it has {length} bytes"),
                format!("make it 1 to {MAX_LEDGER_ENTRY} bytes"),
            )),
        }
    }

    /// Waits until the entry of `ticket` is on the disk, or cannot be put there, or `patience` ends. All who wait
    /// share one write; one of them does it. Returns where the entry stands.
    pub fn wait(&self, ticket: &Ticket<Place>, patience: Duration) -> Result<Place> {
        self.0.commits.wait(ticket, patience)
    }

    /// What became of the entry of `ticket`, if that is known already.
    pub fn settled(&self, ticket: &Ticket<Place>) -> Option<Result<Place>> {
        self.0.commits.settled(ticket)
    }

    /// Waits until everything that was appended is on the disk.
    pub fn flush(&self) -> Result<()> {
        self.0.commits.flush()
    }

    /// Why the ledger takes nothing now, if that is so.
    pub fn trouble(&self) -> Option<io::Error> {
        self.0.commits.trouble()
    }

    /// Looks whether the ledger can be written again after a failure, and goes on in a new segment. Entries whose
    /// tickets failed are not written by that.
    pub fn resume(&self) -> Result<()> {
        self.0.commits.resume()
    }

    /// Writes all that waits, and a mark that all was acknowledged. Nothing is taken after that.
    pub fn close(&self) -> Result<()> {
        self.0.commits.close(LedgerWriter::mark)
    }

    /// Reads the entry at `place`.
    pub fn read(&self, place: Place) -> Result<Vec<u8>> {
        let path = segment_path(&self.0.path, place.segment);
        let wrong =
            |cause| Error::device(format!("read {} at {}", path.display(), place.offset), cause);
        let file = self.reader(place.segment, &path).map_err(wrong)?;
        let mut head = [0; FRAME_HEAD];
        let none =
            || wrong(io::Error::new(io::ErrorKind::InvalidData, "no whole entry stands there"));
        read_full_at(&*file, &mut head, place.offset.into()).map_err(wrong)?;
        let head = FrameHead::decode(place, &head).ok_or_else(none)?;
        let mut body = vec![0; head.length as usize];
        let at = u64::from(place.offset) + FRAME_HEAD as u64;
        read_full_at(&*file, &mut body, at).map_err(wrong)?;
        if head.is_of(&body) { Ok(body) } else { Err(none()) }
    }

    /// Hands on all entries that are on the disk, in their order. Commits go on meanwhile; of what is being
    /// written, entries may be among them.
    pub fn entries(&self, take: impl FnMut(Place, &[u8]) -> Result<()>) -> Result<Walked> {
        walk(&*self.0.disk, &self.0.path, take)
    }

    fn reader(&self, segment: u32, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = lock(&self.0.readers).get(&segment) {
            return Ok(file.clone());
        }
        let file: Arc<dyn DiskFile> = self.0.disk.open(path, How::Read)?.into();
        lock(&self.0.readers).insert(segment, file.clone());
        Ok(file)
    }
}

/// The writer that goes on behind what was found, or the reason why it cannot write now.
fn writer(
    disk: Arc<dyn Disk>,
    path: &Path,
    size: u64,
    walked: &Walked,
) -> Result<(LedgerWriter, Option<io::Error>)> {
    let behind = |good| LedgerWriter::new(disk.clone(), path, size, good, walked.next);
    let Some(last) = walked.last else { return Ok((behind(None), None)) };
    let writer = behind(Some((last.number, last.end)));
    match ready(&*disk, path, last, walked.torn.is_some()) {
        Ok(file) if last.goes_on => Ok((writer.going_on(file), None)),
        Ok(_) => Ok((writer, None)),
        Err(cause) if is_read_only(&cause) => Ok((writer, Some(cause))),
        Err(cause) => {
            log::warn!("{}: it cannot be synced; trying a new segment: {cause}", path.display());
            let mut writer = behind(Some((last.number, last.sure)));
            let moved = unsure(&*disk, path, last).and_then(|entries| writer.begin(&entries));
            moved.map_err(|cause| Error::device(format!("sync {}", path.display()), cause))?;
            Ok((writer, None))
        }
    }
}

/// The entries of the last commit, which may have been written and never synced.
fn unsure(disk: &dyn Disk, path: &Path, last: LastSegment) -> io::Result<Vec<Vec<u8>>> {
    let file = disk.open(&segment_path(path, last.number), How::Read)?;
    let mut entries = Vec::new();
    let mut scan = Scan::new(&*file, last.number, last.end).from(last.sure);
    while let Some(part) = scan.next_part()? {
        if let Part::Entry(_, entry) = part {
            entries.push(entry.to_vec());
        }
    }
    Ok(entries)
}

/// Opens the last segment to go on in it, without what was torn, and makes all that was read of it durable:
/// entries may stand there that were written, and never synced, by a process that was killed.
fn ready(
    disk: &dyn Disk,
    path: &Path,
    last: LastSegment,
    is_torn: bool,
) -> io::Result<Box<dyn DiskFile>> {
    let file = disk.open(&segment_path(path, last.number), How::Write)?;
    if is_torn {
        file.set_len(last.end)?;
    }
    // The last sector is filled now, while nothing was promised of it: the next commit must not touch it.
    let filled = last.end.next_multiple_of(SECTOR);
    if last.goes_on && filled > last.end {
        file.set_len(filled)?;
    }
    file.sync_all()?;
    // The name too: the process that made the file may have been killed before it said so.
    disk.sync_folder(files::beside(path).1)?;
    Ok(file)
}

fn is_read_only(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

/// Copies what cannot be read, unless that was done before, and what is going to be cut off. Returns how much
/// of the former is new. A copy that cannot be made keeps nothing from starting.
fn keep_aside(disk: &dyn Disk, path: &Path, walked: &Walked) -> usize {
    let folder = files::beside(path).1;
    let names = disk.list(folder).unwrap_or_default();
    let mut new = 0;
    for damage in &walked.damages {
        let copy =
            with_suffix(path, &format!(".damaged-{}-{}", damage.segment, damage.bytes.start));
        if !names.iter().any(|name| Some(name.as_os_str()) == copy.file_name()) {
            new += 1;
            copy_aside(disk, path, damage, &copy);
        }
    }
    if let Some(torn) = &walked.torn {
        copy_aside(disk, path, torn, &with_suffix(path, ".torn"));
    }
    new
}

fn copy_aside(disk: &dyn Disk, path: &Path, damage: &Damage, copy: &Path) {
    let length = (damage.bytes.end - damage.bytes.start).min(MAX_KEPT_ASIDE) as usize;
    let copied = disk
        .open(&segment_path(path, damage.segment), How::Read)
        .map_err(|cause| Error::device("read it", cause))
        .and_then(|file| {
            let write = |out: &mut dyn Write| copy_range(&*file, damage.bytes.start, length, out);
            files::replace_on(disk, copy, || true, write)
        });
    if let Err(error) = copied {
        log::warn!("{}: damaged bytes could not be copied: {error}", copy.display());
    }
}

fn copy_range(
    file: &dyn DiskFile,
    begin: u64,
    length: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (mut buffer, mut done) = (vec![0; BUFFER], 0);
    while done < length {
        let wanted = BUFFER.min(length - done);
        let piece = buffer.get_mut(..wanted).unwrap_or_default();
        let count = read_full_at(file, piece, begin + done as u64)?;
        if count == 0 {
            break;
        }
        out.write_all(piece.get(..count).unwrap_or_default())?;
        done += count;
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
