//! Writes commits to the segments of a ledger, each durable before it is acknowledged.
//!
//! A segment into which a commit could not be written or synced is left as it is for ever: after a failed fsync
//! nobody can say what the disk holds. The same commit goes to a new segment, whose head says up to where the
//! old one was acknowledged. If that fails too, nothing is written until `resume`.

use crate::model::limits::MAX_LEDGER_SEGMENT;
use crate::store::commit::Sink;
use crate::store::disk::{Disk, DiskFile, How, write_all_at};
use crate::store::files::beside;
use crate::store::ledger_frame::{Place, SEGMENT_HEAD, SegmentHead, encode_commit};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file of segment `number`: the ledger's own name for the first, with `.1`, `.2` … behind it for others.
pub fn segment_path(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    if number > 0 {
        name.push(format!(".{number}"));
    }
    name.into()
}

/// The one writer of a ledger.
#[derive(Debug)]
pub struct LedgerWriter {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Size from which the next segment is begun.
    most: u64,
    /// The segment that is written, if there is one that may be.
    open: Option<Segment>,
    /// The last segment in which anything was acknowledged, and how many bytes.
    good: Option<(u32, u64)>,
    /// The number that the next segment gets.
    next: u32,
}

#[derive(Debug)]
struct Segment {
    number: u32,
    file: Box<dyn DiskFile>,
    /// Where the next commit begins.
    end: u64,
}

impl LedgerWriter {
    /// A writer that begins segment `next`, behind what was acknowledged before, if anything was.
    pub fn new(
        disk: Arc<dyn Disk>,
        path: &Path,
        most: u64,
        good: Option<(u32, u64)>,
        next: u32,
    ) -> Self {
        let most = most.min(MAX_LEDGER_SEGMENT / 2);
        Self { disk, path: path.to_owned(), most, open: None, good, next }
    }

    /// Goes on in the segment that is `good`, which is open as `file` and durable up to its end.
    #[must_use]
    pub fn going_on(mut self, file: Box<dyn DiskFile>) -> Self {
        self.open = self.good.map(|(number, end)| Segment {
            number,
            file,
            end: end.next_multiple_of(SEGMENT_HEAD as u64),
        });
        self
    }

    /// Marks that all before was acknowledged: damage in it is then no torn commit.
    pub fn mark(&mut self) -> io::Result<()> {
        if self.open.is_none() {
            return Ok(());
        }
        self.write(&[]).map(|_| ()).or_else(|_| {
            // The next start must not take for durable what may not be.
            self.leave();
            self.begin(&[]).map(|_| ())
        })
    }

    /// Begins a new segment, with these entries in it if there are any. It gets its name when all of it is
    /// durable: its head may say that another segment ends where some of these entries stood before.
    pub fn begin(&mut self, entries: &[Vec<u8>]) -> io::Result<Vec<Place>> {
        self.open = None;
        let number = self.next;
        let mut bytes = SegmentHead { number, previous: self.good }.encode().to_vec();
        let mut places = Vec::new();
        if !entries.is_empty() {
            let commit =
                encode_commit(number, SEGMENT_HEAD as u64, entries).ok_or_else(too_long)?;
            bytes.extend_from_slice(&commit.0);
            places = commit.1;
        }
        let path = segment_path(&self.path, number);
        let (temporary, folder) = beside(&path);
        let file = self.written(&temporary, &bytes).inspect_err(|_| {
            let _ = self.disk.remove(&temporary);
        })?;
        let named = self.disk.rename(&temporary, &path);
        if let Err(cause) = named.and_then(|()| self.disk.sync_folder(folder)) {
            let _ = self.disk.remove(&temporary);
            self.next = number.saturating_add(1);
            self.remove(number);
            return Err(cause);
        }
        self.next = number.saturating_add(1);
        if !entries.is_empty() {
            self.good = Some((number, bytes.len() as u64));
        }
        self.open = Some(Segment { number, file, end: bytes.len() as u64 });
        Ok(places)
    }

    fn written(&self, temporary: &Path, bytes: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.open(temporary, How::Anew)?;
        write_all_at(&*file, bytes, 0)?;
        file.sync_all()?;
        Ok(file)
    }

    /// Removes a segment in which nothing was acknowledged. If that fails, or does not last, the head of the
    /// next segment says that it does not count.
    fn remove(&mut self, number: u32) {
        let path = segment_path(&self.path, number);
        match self.disk.remove(&path) {
            Ok(()) => self.next = number,
            Err(cause) => log::debug!("{}: it stays: {cause}", path.display()),
        }
    }

    /// Writes a commit into the open segment and syncs it.
    fn write(&mut self, entries: &[Vec<u8>]) -> io::Result<Vec<Place>> {
        let Some(segment) = &mut self.open else { return Err(io::Error::other("no segment")) };
        let (bytes, places) =
            encode_commit(segment.number, segment.end, entries).ok_or_else(too_long)?;
        write_all_at(&*segment.file, &bytes, segment.end)?;
        segment.file.sync_data()?;
        segment.end += bytes.len() as u64;
        self.good = Some((segment.number, segment.end));
        Ok(places)
    }

    /// Leaves the open segment for ever; one in which nothing was acknowledged is removed.
    fn leave(&mut self) {
        if let Some(segment) = self.open.take() {
            if self.good.is_none_or(|(number, _)| number != segment.number) {
                self.remove(segment.number);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.open.as_ref().is_none_or(|segment| segment.end >= self.most)
    }
}

impl Sink for LedgerWriter {
    type Receipt = Place;

    fn commit(&mut self, group: &[Vec<u8>]) -> io::Result<Vec<Place>> {
        if self.is_full() {
            return self.begin(group);
        }
        self.write(group).or_else(|cause| {
            let path = self.path.display();
            log::warn!("{path}: a segment cannot be written; trying a new one: {cause}");
            self.leave();
            self.begin(group)
        })
    }

    fn resume(&mut self) -> io::Result<()> {
        match self.open {
            Some(_) => Ok(()),
            None => self.begin(&[]).map(|_| ()),
        }
    }
}

fn too_long() -> io::Error {
    io::Error::other("a segment cannot be so long")
}
