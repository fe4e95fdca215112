//! Files that survive a power cut: replaced whole or not at all, in a folder that one node owns.
//!
//! Source: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014: write beside, fsync, rename,
//! fsync of the folder.

use crate::base::error::{Error, Result};
use crate::model::limits::BUFFER;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The folder of a node's data, locked against a second node as long as this value lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Opens the folder, and makes it (0700) where it is missing.
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |cause| Error::device(format!("open data folder {}", path.display()), cause);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(wrong)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(".lock"))
            .map_err(wrong)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(Errno::WOULDBLOCK) => Err(Error::input(
                format!("data folder {}", path.display()),
                "another node is running on it",
                "stop that node first, or give this one a folder of its own with --data",
            )),
            Err(cause) => Err(wrong(cause.into())),
        }
    }

    /// The path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// What tells that a file is still the one last seen: its inode, length and time of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print(u64, u64, i64, i64);

impl Print {
    fn of(meta: &fs::Metadata) -> Self {
        Self(meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec())
    }
}

/// The print of the file at `path`, or `None` if there is none.
pub fn print(path: &Path) -> Option<Print> {
    fs::metadata(path).ok().as_ref().map(Print::of)
}

/// Whether there is nothing at `path`. Anything but a clear no is an error: an unreadable disk must not be
/// taken for an empty one.
pub fn is_missing(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(false),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(cause) => Err(Error::device(format!("look for {}", path.display()), cause)),
    }
}

/// Replaces the file at `path` by what `write` writes, durably, or leaves the old one as it is. Returns the
/// print of the new file.
pub fn replace<F>(path: &Path, write: F) -> Result<Print>
where
    F: FnOnce(&mut dyn Write) -> io::Result<()>,
{
    replace_if(path, || true, write).map(|(print, _)| print)
}

/// As `replace`, but looks just before the end whether `still` holds. If not, nothing is replaced, and the
/// second value is false.
pub fn replace_if<F>(path: &Path, still: impl FnOnce() -> bool, write: F) -> Result<(Print, bool)>
where
    F: FnOnce(&mut dyn Write) -> io::Result<()>,
{
    let name = path.file_name().unwrap_or(OsStr::new("file"));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let temporary = folder.join(format!(".{}.tmp", name.to_string_lossy()));
    let done = write_beside(&temporary, write).and_then(|print| {
        if !still() {
            fs::remove_file(&temporary)?;
            return Ok((print, false));
        }
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()?;
        Ok((print, true))
    });
    done.map_err(|cause| {
        // The attempt failed; if its leftover cannot be removed either, the next attempt truncates it.
        let _ = fs::remove_file(&temporary);
        Error::device(format!("write {}", path.display()), cause)
    })
}

fn write_beside<F>(temporary: &Path, write: F) -> io::Result<Print>
where
    F: FnOnce(&mut dyn Write) -> io::Result<()>,
{
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(temporary)?;
    let mut out = BufWriter::with_capacity(BUFFER, file);
    write(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(Print::of(&file.metadata()?))
}

/// Reads a file in pieces, and refuses one of more than `most` bytes.
pub fn read_pieces(path: &Path, most: u64, mut piece: impl FnMut(&[u8])) -> Result<()> {
    let wrong = |cause| Error::device(format!("read {}", path.display()), cause);
    let mut file = File::open(path).map_err(wrong)?;
    let (mut buffer, mut sum) = (vec![0; BUFFER], 0);
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => return Err(wrong(cause)),
        };
        sum += count as u64;
        if sum > most {
            return Err(Error::input(
                path.display().to_string(),
                format!("it is larger than {most} bytes"),
                "check whether it is the right file",
            ));
        }
        piece(buffer.get(..count).unwrap_or_default());
    }
}

/// Reads a whole text file of at most `most` bytes.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    let mut bytes = Vec::new();
    read_pieces(path, most, |piece| bytes.extend_from_slice(piece))?;
    String::from_utf8(bytes).map_err(|_| {
        Error::input(path.display().to_string(), "it is not UTF-8 text", "save it as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("reunite-files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        path
    }

    #[test]
    fn a_file_is_replaced_whole_and_only_its_owner_can_read_it() {
        let path = folder("replace").join("a.txt");
        replace(&path, |out| out.write_all(b"one")).expect("written");
        replace(&path, |out| out.write_all(b"two")).expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"two");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_beside_it() {
        let folder = folder("fails");
        let path = folder.join("a.txt");
        replace(&path, |out| out.write_all(b"old")).expect("written");
        let failed = replace(&path, |out| {
            out.write_all(b"half of the ne")?;
            Err(io::Error::other("no space left"))
        });
        assert!(failed.expect_err("it failed").to_string().contains("no space left"));
        assert_eq!(fs::read(&path).expect("there"), b"old");
        assert_eq!(fs::read_dir(&folder).expect("there").count(), 1);
    }

    #[test]
    fn a_second_node_on_the_same_folder_is_refused() {
        let path = folder("lock");
        let first = DataFolder::open(&path).expect("free");
        let error = DataFolder::open(&path).expect_err("taken").to_string();
        assert!(error.contains("another node"), "{error}");
        drop(first);
        assert!(DataFolder::open(&path).is_ok());
    }

    #[test]
    fn reading_is_capped() {
        let path = folder("cap").join("a.txt");
        replace(&path, |out| out.write_all(&[b'x'; 100])).expect("written");
        assert!(read_text(&path, 99).is_err());
        assert_eq!(read_text(&path, 100).map(|text| text.len()).ok(), Some(100));
    }
}
