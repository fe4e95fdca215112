//! What the store asks of a disk, and the disk of the operating system.
//!
//! Whatever must survive a power cut is written through [`Disk`], so that the tests can put a disk in its
//! place that loses and tears what was not synced. Nothing is durable before `sync_data` or `sync_all` of its
//! file, and no name before `sync_folder`. Causes keep what the system said: a full disk is
//! `ErrorKind::StorageFull`, a read-only one `ErrorKind::ReadOnlyFilesystem`.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// To be read; it is there.
    Read,
    /// To be read and written; it is there.
    Write,
    /// To be read and written; it is made, for its owner alone, or emptied.
    Anew,
}

/// A disk, or what stands for one.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file another name in its folder; what had that name is gone.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// The names in a folder, in no order.
    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>>;
}

/// An open file.
pub trait DiskFile: Debug + Send + Sync {
    /// Reads from `offset`; as many bytes as there are, but maybe fewer than fit. 0 at the end.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at `offset`; maybe not all. Returns how many bytes.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes the content and the length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes all of the file durable, but not its name.
    fn sync_all(&self) -> io::Result<()>;
    /// Cuts or extends the file.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// What the file is now.
    fn print(&self) -> io::Result<Print>;
}

/// What tells that a file is still the one last seen: its inode, length and time of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Print {
    /// A print of these: inode, length in bytes, time of change in seconds and nanoseconds.
    pub fn new(inode: u64, length: u64, changed: (i64, i64)) -> Self {
        Self { inode, length, changed }
    }

    /// The print of the file that `meta` describes.
    pub fn of(meta: &fs::Metadata) -> Self {
        Self::new(meta.ino(), meta.len(), (meta.mtime(), meta.mtime_nsec()))
    }

    /// The length of the file, bytes.
    pub fn length(&self) -> u64 {
        self.length
    }
}

/// Writes all of `bytes` at `offset`.
pub fn write_all_at(file: &dyn DiskFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = bytes.get(count..).unwrap_or_default();
                offset += count as u64;
            }
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(())
}

/// Reads from `offset` until `into` is full or the file ends. Returns how many bytes.
pub fn read_full_at(file: &dyn DiskFile, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(done)
}

/// Writes a file of a disk from its beginning on.
#[derive(Debug)]
pub struct Sequential {
    file: Box<dyn DiskFile>,
    at: u64,
}

impl Sequential {
    /// Writes `file`, which is empty.
    pub fn new(file: Box<dyn DiskFile>) -> Self {
        Self { file, at: 0 }
    }

    /// The file.
    pub fn into_file(self) -> Box<dyn DiskFile> {
        self.file
    }
}

impl Write for Sequential {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write_at(bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The disk of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(how != How::Read).mode(0o600);
        options.create(how == How::Anew).truncate(how == How::Anew);
        let file = options.open(path)?;
        // A leftover of an earlier try keeps the mode that it had.
        if how == How::Anew && file.metadata()?.mode() & 0o077 != 0 {
            if let Err(cause) = file.set_permissions(Permissions::from_mode(0o600)) {
                log::debug!("{}: its mode is the file system's: {cause}", path.display());
            }
        }
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
    }
}

impl DiskFile for File {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }

    fn sync_all(&self) -> io::Result<()> {
        Self::sync_all(self)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        Self::set_len(self, length)
    }

    fn print(&self) -> io::Result<Print> {
        Ok(Print::of(&self.metadata()?))
    }
}
