//! Destroys files, so that who takes the device finds as little as can be: for a node about to be overrun.
//!
//! A file is overwritten with random bytes, synced, cut to nothing, renamed to a name without meaning, and
//! removed. Flash memory may keep what was overwritten: it writes to other cells. Nothing here gives up at an
//! error: what could not be destroyed is in the report.

use crate::model::limits::{WIPE_PIECE, WIPE_TIME, WIPE_WHOLE};
use rand::Rng;
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What was destroyed and what was not.
#[derive(Debug, Default)]
pub struct Report {
    /// Files that are gone.
    pub destroyed: usize,
    /// Files that are gone, but were too large to be overwritten whole: how many bytes were not.
    pub in_part: Vec<(PathBuf, u64)>,
    /// What is still there, or may still be readable, and why.
    pub failed: Vec<(PathBuf, io::Error)>,
}

/// Destroys files and folders, and keeps the report.
#[derive(Debug)]
pub struct Destroyer {
    report: Report,
    end: Instant,
}

impl Default for Destroyer {
    fn default() -> Self {
        Self { report: Report::default(), end: Instant::now() + WIPE_TIME }
    }
}

impl Destroyer {
    /// Destroys the file at `path`, or all that is in the folder there and the folder. A link is removed, and
    /// what it points to is left. Nothing there is no error.
    pub fn destroy(&mut self, path: &Path) {
        let done = match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() => return self.folder(path),
            Ok(meta) if meta.is_file() => self.file(path, meta.len()),
            Ok(_) => fs::remove_file(path),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return,
            Err(cause) => Err(cause),
        };
        match done {
            Ok(()) => self.report.destroyed += 1,
            Err(cause) => self.report.failed.push((path.to_owned(), cause)),
        }
    }

    /// Destroys what is in the folder at `path`, small files first, and those that `last` says at the end.
    pub fn contents(&mut self, path: &Path, last: impl Fn(&Path) -> bool) {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(cause) => return self.report.failed.push((path.to_owned(), cause)),
        };
        let mut found: Vec<_> = entries
            .flatten()
            .map(|entry| {
                let size = entry.metadata().map_or(0, |meta| meta.len());
                (last(&entry.path()), size, entry.path())
            })
            .collect();
        found.sort();
        for (_, _, path) in found {
            self.destroy(&path);
        }
        self.sync(path);
    }

    /// Makes what was removed from a folder stay removed after a power cut.
    pub fn sync(&mut self, folder: &Path) {
        if let Err(cause) = File::open(folder).and_then(|folder| folder.sync_all()) {
            self.report.failed.push((folder.to_owned(), cause));
        }
    }

    /// Puts down what could not be done elsewhere.
    pub fn failed(&mut self, path: &Path, cause: io::Error) {
        self.report.failed.push((path.to_owned(), cause));
    }

    /// What was done.
    pub fn report(self) -> Report {
        self.report
    }

    fn folder(&mut self, path: &Path) {
        self.contents(path, |_| false);
        if let Err(cause) = fs::remove_dir(path) {
            self.report.failed.push((path.to_owned(), cause));
        }
    }

    fn file(&mut self, path: &Path, size: u64) -> io::Result<()> {
        let overwritten = open(path).and_then(|mut file| {
            let left = overwrite(&mut file, size, self.end)?;
            file.set_len(0)?;
            file.sync_all()?;
            Ok(left)
        });
        let nameless = path.with_file_name(format!(".{:016x}", rand::random::<u64>()));
        let now = match fs::rename(path, &nameless) {
            Ok(()) => &nameless,
            Err(_) => path,
        };
        fs::remove_file(now)?;
        // Removed all the same; that it was not overwritten is worth a line.
        let left = overwritten?;
        if left > 0 {
            self.report.in_part.push((path.to_owned(), left));
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let open = || OpenOptions::new().write(true).custom_flags(flags as i32).open(path);
    open().or_else(|cause| match cause.kind() {
        io::ErrorKind::PermissionDenied => {
            fs::set_permissions(path, Permissions::from_mode(0o600))?;
            open()
        }
        _ => Err(cause),
    })
}

/// Overwrites the file with random bytes: a small one whole, a large one from both ends until the time is over.
/// Returns how many bytes were left as they are.
fn overwrite(file: &mut File, size: u64, end: Instant) -> io::Result<u64> {
    let mut noise = vec![0; WIPE_PIECE];
    let piece = WIPE_PIECE as u64;
    let last = size.saturating_sub(piece);
    let (mut at, mut is_first) = (0, true);
    while at < size {
        // What is at the end of a database is the newest.
        let place = if is_first && size > WIPE_WHOLE { last } else { at };
        if size > WIPE_WHOLE && !is_first && Instant::now() >= end {
            return Ok(last.saturating_sub(at));
        }
        let length = usize::try_from(size - place).unwrap_or(WIPE_PIECE).min(WIPE_PIECE);
        let noise = noise.get_mut(..length).unwrap_or_default();
        rand::rng().fill_bytes(noise);
        file.seek(SeekFrom::Start(place))?;
        file.write_all(noise)?;
        // Each piece: the time counts what has reached the disk, not what waits for it.
        file.sync_data()?;
        if place == at {
            at += length as u64;
        }
        is_first = false;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("reunite-destroy-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        path
    }

    #[test]
    fn nothing_is_left_of_a_file_also_under_its_second_name() {
        let folder = folder("file");
        let (path, second) = (folder.join("a"), folder.join("b"));
        fs::write(&path, "secret").expect("written");
        fs::hard_link(&path, &second).expect("linked");
        let mut destroyer = Destroyer::default();
        destroyer.destroy(&path);
        assert_eq!(fs::read(&second).expect("there"), b"", "it was overwritten, then cut");
        assert_eq!(fs::read_dir(&folder).expect("there").count(), 1);
        let report = destroyer.report();
        assert!(report.destroyed == 1 && report.failed.is_empty());
    }

    #[test]
    fn every_byte_of_a_small_file_is_overwritten() {
        let path = folder("bytes").join("a");
        let size = WIPE_PIECE * 2 + 100;
        fs::write(&path, vec![b'x'; size]).expect("written");
        let mut file = open(&path).expect("ours");
        // The time is over from the start, and a small file is overwritten all the same.
        assert_eq!(overwrite(&mut file, size as u64, Instant::now()).expect("written"), 0);
        let bytes = fs::read(&path).expect("there");
        assert_eq!(bytes.len(), size);
        assert!(bytes.windows(16).all(|window| window != [b'x'; 16]));
    }

    #[test]
    fn a_large_file_loses_its_end_first_and_tells_what_is_left() {
        let path = folder("large").join("a");
        let size = WIPE_WHOLE + WIPE_PIECE as u64;
        let mut file = File::create(&path).expect("made");
        file.set_len(size).expect("a hole");
        let left = overwrite(&mut file, size, Instant::now()).expect("written");
        assert_eq!(left, size - WIPE_PIECE as u64);
        let bytes = fs::read(&path).expect("there");
        let (head, tail) = bytes.split_at(bytes.len() - WIPE_PIECE);
        assert!(head.iter().all(|byte| *byte == 0) && tail.iter().any(|byte| *byte != 0));
        let later = Instant::now() + std::time::Duration::from_secs(600);
        assert_eq!(overwrite(&mut file, size, later).expect("written"), 0);
        assert!(fs::read(&path).expect("there").chunks(4096).all(|part| part != [0; 4096]));
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let (folder, outside) = (folder("links"), folder("outside"));
        fs::write(outside.join("a"), "not ours").expect("written");
        symlink(outside.join("a"), folder.join("file")).expect("linked");
        symlink(&outside, folder.join("folder")).expect("linked");
        fs::create_dir(folder.join("below")).expect("made");
        fs::write(folder.join("below/b"), "ours").expect("written");
        let mut destroyer = Destroyer::default();
        destroyer.destroy(&folder);
        assert!(!folder.exists());
        assert_eq!(fs::read(outside.join("a")).expect("there"), b"not ours");
        assert!(destroyer.report().failed.is_empty());
    }

    #[test]
    fn a_file_that_may_not_be_written_is_destroyed_and_one_that_is_gone_is_no_error() {
        let path = folder("mode").join("a");
        fs::write(&path, "secret").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("ours");
        let mut destroyer = Destroyer::default();
        destroyer.destroy(&path);
        destroyer.destroy(&path);
        let report = destroyer.report();
        assert!(!path.exists() && report.destroyed == 1 && report.failed.is_empty());
    }
}
