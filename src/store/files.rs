//! Files that survive a power cut: replaced whole or not at all, in a folder that one node owns.
//!
//! Source: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014: write beside, fsync, rename,
//! fsync of the folder.

use crate::base::error::{Error, Result};
use crate::model::limits::BUFFER;
use crate::store::disk::{Disk, How, Print, RealDisk, Sequential};
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file in a data folder that is locked by the node that runs on it, and holds its process id.
pub const LOCK: &str = ".lock";

/// Opens the lock of a folder, and makes it where it is missing. On a disk that became read-only what it holds can
/// still be read and shown, and it is locked all the same.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.write(true).create(true).truncate(false).mode(0o600);
    match how.open(path) {
        Err(cause) if cause.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(path),
        done => done,
    }
}

/// Writes which process this is, for `reunite wipe`, which must stop it before it destroys the folder. What stands
/// there is written over first: on a full disk there is room for nothing else.
fn note_process(mut lock: &File) -> io::Result<()> {
    let line = format!("{}\n", std::process::id());
    lock.write_all(line.as_bytes())?;
    lock.set_len(line.len() as u64)
}

/// The folder of a node's data, locked against a second node as long as this value lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    lock: File,
}

impl DataFolder {
    /// Opens the folder, and makes it (0700) where it is missing.
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |cause| Error::device(format!("open data folder {}", path.display()), cause);
        make_folder(path)?;
        let lock = open_lock(&path.join(LOCK)).map_err(wrong)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                if let Err(cause) = note_process(&lock) {
                    log::warn!("{}: {cause}", path.join(LOCK).display());
                }
                Ok(Self { path: path.to_owned(), lock })
            }
            Err(Errno::WOULDBLOCK) => Err(Error::input(
                format!("data folder {}", path.display()),
                "another node is running on it",
                "stop that node first, or give this one a folder of its own with --data",
            )),
            Err(cause) => Err(wrong(cause.into())),
        }
    }

    /// Takes what a node keeps in the folder away from all other users, and the folder too if it holds nothing
    /// else: one that was given by mistake is somebody else's.
    pub fn tighten(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        let mut is_shared = false;
        for entry in entries.flatten() {
            let name = entry.file_name();
            match entry.file_type().is_ok_and(|kind| kind.is_file()) && is_ours(&name) {
                true => tighten(&entry.path()),
                false => is_shared |= !name.to_string_lossy().starts_with("card-"),
            }
        }
        if !is_shared {
            tighten(&self.path);
        }
    }

    /// The path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for DataFolder {
    /// Whoever starts a process has it hold all files for a moment: to close this one would not be enough.
    fn drop(&mut self) {
        if let Err(cause) = flock(&self.lock, FlockOperation::Unlock) {
            log::debug!("{}: {cause}", self.path.join(LOCK).display());
        }
    }
}

/// Whether a node of ours writes a file of this name, other than a card, which is for all.
pub fn is_ours(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let name = name.trim_start_matches('.');
    name == "lock"
        || [
            "identity",
            "peers",
            "DATABASE",
            "T2DATABASE",
            "addresses.json",
            "network.json",
            "status.json",
        ]
        .iter()
        .any(|begin| name.starts_with(begin))
}

/// Whether only a node has a file of this name: one that makes its folder a node's.
pub fn is_mark(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let numbered = name.strip_prefix("DATABASE").and_then(|rest| rest.strip_suffix(".txt"));
    name == "identity.json"
        || name == "T2DATABASE.txt"
        || numbered.is_some_and(|number| number.parse::<u16>().is_ok())
}

/// Makes a folder (0700), and those above it, where they are missing.
pub fn make_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|cause| Error::device(format!("make folder {}", path.display()), cause))
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

/// Makes the file at `path`, durably and readable by its owner alone. One that is there is left as it is, and
/// is an error.
pub fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    let (temporary, folder) = beside(path);
    let done = write_beside(&RealDisk, &temporary, |out| out.write_all(bytes)).and_then(|_| {
        match renameat_with(CWD, &temporary, CWD, path, RenameFlags::NOREPLACE) {
            // Not every file system knows it; those have hard links.
            Err(Errno::INVAL | Errno::NOSYS) => {
                fs::hard_link(&temporary, path)?;
                fs::remove_file(&temporary)?;
            }
            done => done?,
        }
        File::open(folder)?.sync_all()
    });
    done.map_err(|cause| {
        let _ = fs::remove_file(&temporary);
        Error::device(format!("make {}", path.display()), cause)
    })
}

/// Takes a file or folder of ours away from all other users, and says so in the log. A folder that is shared
/// by design, like /tmp, is left alone.
pub fn tighten(path: &Path) {
    let Ok(meta) = fs::metadata(path) else { return };
    let (mode, shared) = (meta.mode(), meta.mode() & 0o1000 != 0);
    if mode & 0o077 == 0 {
        return;
    }
    let done = match shared {
        true => Err(io::Error::other("it is shared by all users")),
        false => fs::set_permissions(path, Permissions::from_mode(mode & 0o700)),
    };
    match done {
        Ok(()) => log::warn!("{}: other users could read it; now they cannot", path.display()),
        Err(cause) => {
            log::warn!("{}: other users can read it, and it stays so: {cause}", path.display());
        }
    }
}

/// The temporary file with which `path` is written, and the folder of both.
pub fn beside(path: &Path) -> (PathBuf, &Path) {
    let name = path.file_name().unwrap_or(OsStr::new("file"));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    (folder.join(format!(".{}.tmp", name.to_string_lossy())), folder)
}

/// Removes the file at `path`, if there is one.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(Error::device(format!("remove {}", path.display()), cause))
        }
        _ => Ok(()),
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

/// Replaces the file at `path` at once, readable as `mode` says, but durably only when the system gets round to it: for
/// what is written again and again and worth nothing after a power cut. It wears no SD card.
pub fn renew(path: &Path, mode: u32, text: &str) -> Result<()> {
    let (temporary, _) = beside(path);
    let write = || {
        // What was left there may be a link to a file of somebody else.
        match fs::remove_file(&temporary) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
        let mut how = OpenOptions::new();
        how.write(true).create_new(true).mode(mode);
        how.open(&temporary)?.write_all(text.as_bytes())?;
        fs::rename(&temporary, path)
    };
    write().map_err(|cause| {
        let _ = fs::remove_file(&temporary);
        Error::device(format!("write {}", path.display()), cause)
    })
}

/// As `replace`, but looks just before the end whether `still` holds. If not, nothing is replaced, and the
/// second value is false.
pub fn replace_if<F>(path: &Path, still: impl FnOnce() -> bool, write: F) -> Result<(Print, bool)>
where
    F: FnOnce(&mut dyn Write) -> io::Result<()>,
{
    replace_on(&RealDisk, path, still, write)
}

/// As `replace_if`, on a disk that need not be the system's.
pub fn replace_on<F>(
    disk: &dyn Disk,
    path: &Path,
    still: impl FnOnce() -> bool,
    write: F,
) -> Result<(Print, bool)>
where
    F: FnOnce(&mut dyn Write) -> io::Result<()>,
{
    let (temporary, folder) = beside(path);
    let done = write_beside(disk, &temporary, write).and_then(|print| {
        if !still() {
            disk.remove(&temporary)?;
            return Ok((print, false));
        }
        disk.rename(&temporary, path)?;
        disk.sync_folder(folder)?;
        Ok((print, true))
    });
    done.map_err(|cause| {
        // The attempt failed; if its leftover cannot be removed either, the next attempt truncates it.
        let _ = disk.remove(&temporary);
        Error::device(format!("write {}", path.display()), cause)
    })
}

fn write_beside<F>(disk: &dyn Disk, temporary: &Path, write: F) -> io::Result<Print>
where
    F: FnOnce(&mut dyn Write) -> io::Result<()>,
{
    let file = Sequential::new(disk.open(temporary, How::Anew)?);
    let mut out = BufWriter::with_capacity(BUFFER, file);
    write(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?.into_file();
    file.sync_all()?;
    file.print()
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
    fn a_file_is_renewed_whole_as_readable_as_it_should_be_and_a_link_is_not_followed() {
        let folder = folder("renew");
        let (path, other) = (folder.join("a.prom"), folder.join("other"));
        fs::write(&other, "somebody's").expect("written");
        std::os::unix::fs::symlink(&other, folder.join(".a.prom.tmp")).expect("made");
        renew(&path, 0o600, "one").and_then(|()| renew(&path, 0o640, "two")).expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"two");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read(&other).expect("there"), b"somebody's");
        assert_eq!(fs::read_dir(&folder).expect("there").count(), 2);
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
        // As a process has it that is just being started.
        let inherited = first.lock.try_clone().expect("a descriptor");
        drop(first);
        assert!(DataFolder::open(&path).is_ok());
        drop(inherited);
    }

    #[test]
    fn what_others_could_read_is_tightened_and_what_is_not_ours_is_left() {
        let path = folder("tighten");
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
        let all = ["DATABASE1.txt", "T2DATABASE.txt", "peers.json", "identity.json", "card-1.json"];
        let loose = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o755));
        for name in all {
            fs::write(path.join(name), "x").expect("written");
            loose(&path.join(name)).expect("ours");
        }
        loose(&path).expect("ours");
        let data = DataFolder::open(&path).expect("free");
        data.tighten();
        let modes = all.map(|name| mode(&path.join(name)));
        assert_eq!(modes, [0o700, 0o700, 0o700, 0o700, 0o755]);
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn the_lock_says_which_process_has_it() {
        let path = folder("pid");
        fs::write(path.join(LOCK), "4194304999\nold").expect("written");
        let _data = DataFolder::open(&path).expect("free");
        let text = fs::read_to_string(path.join(LOCK)).expect("there");
        assert_eq!(text, format!("{}\n", std::process::id()));
    }

    #[test]
    fn reading_is_capped() {
        let path = folder("cap").join("a.txt");
        replace(&path, |out| out.write_all(&[b'x'; 100])).expect("written");
        assert!(read_text(&path, 99).is_err());
        assert_eq!(read_text(&path, 100).map(|text| text.len()).ok(), Some(100));
    }
}
