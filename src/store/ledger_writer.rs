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

/// How many names that are taken are passed over when a segment is begun.
const MOST_TAKEN: u32 = 1024;

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
        match self.open {
            Some(_) => self.write(&[]).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Begins a new segment.
    fn begin(&mut self) -> io::Result<()> {
        self.open = None;
        let (number, file) = self.create()?;
        let head = SegmentHead { number, previous: self.good }.encode();
        let path = segment_path(&self.path, number);
        let done = write_all_at(&*file, &head, 0)
            .and_then(|()| file.sync_all())
            .and_then(|()| self.disk.sync_folder(beside(&self.path).1));
        if done.is_err() {
            self.remove(&path, number);
        }
        done?;
        self.open = Some(Segment { number, file, end: SEGMENT_HEAD as u64 });
        Ok(())
    }

    fn create(&mut self) -> io::Result<(u32, Box<dyn DiskFile>)> {
        for _ in 0..MOST_TAKEN {
            let number = self.next;
            match self.disk.open(&segment_path(&self.path, number), How::New) {
                Ok(file) => {
                    self.next = number.saturating_add(1);
                    return Ok((number, file));
                }
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                    self.next = number.saturating_add(1);
                }
                Err(cause) => return Err(cause),
            }
        }
        Err(io::Error::other("no name is free for the next segment"))
    }

    /// Removes a segment in which nothing was acknowledged. If that fails, or does not last, the head of the
    /// next segment says that it does not count.
    fn remove(&mut self, path: &Path, number: u32) {
        match self.disk.remove(path) {
            Ok(()) => self.next = number,
            Err(cause) => log::debug!("{}: it stays: {cause}", path.display()),
        }
    }

    /// Writes a commit into the open segment and syncs it.
    fn write(&mut self, entries: &[Vec<u8>]) -> io::Result<Vec<Place>> {
        let Some(segment) = &mut self.open else { return Err(io::Error::other("no segment")) };
        let (bytes, places) = encode_commit(segment.number, segment.end, entries)
            .ok_or_else(|| io::Error::other("the segment is full"))?;
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
                self.remove(&segment_path(&self.path, segment.number), segment.number);
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
            self.begin()?;
        }
        let cause = match self.write(group) {
            Ok(places) => return Ok(places),
            Err(cause) => cause,
        };
        log::warn!(
            "{}: a segment cannot be written; trying a new one: {cause}",
            self.path.display()
        );
        self.leave();
        let again = self.begin().and_then(|()| self.write(group));
        if again.is_err() {
            self.leave();
        }
        again
    }

    fn resume(&mut self) -> io::Result<()> {
        match self.open {
            Some(_) => Ok(()),
            None => self.begin(),
        }
    }
}
