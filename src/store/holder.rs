//! Who runs on a data folder, and how to stop it at once.
//!
//! The process id in the lock file is believed only of a process that has this very file open and locked, as
//! /proc says (proc(5): `/proc/pid/fdinfo`).

use crate::base::error::{Error, Result};
use crate::model::limits::KILL_PATIENCE;
use crate::store::files::{self, LOCK};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A data folder on which no node runs, nor can start, as long as this value lives.
#[derive(Debug)]
pub struct Held {
    _lock: Option<File>,
    /// Whether a node ran on it and was killed.
    pub was_running: bool,
}

/// Whether the file at `path` is the lock of a data folder: a process id and nothing else.
pub fn is_lock(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == LOCK)
        && files::read_text(path, 32).is_ok_and(|text| text.trim().parse::<u32>().is_ok())
}

/// Whether a node runs on the folder, as far as this user may see. Nothing is locked.
pub fn is_running(folder: &Path) -> bool {
    let path = folder.join(LOCK);
    let pid = files::read_text(&path, 32).ok().and_then(|text| text.trim().parse().ok());
    let pid = pid.filter(|pid| *pid > 0).and_then(Pid::from_raw);
    let lock = File::open(&path).ok();
    pid.zip(lock).is_some_and(|(pid, lock)| holds(pid, &lock).unwrap_or_default())
}

/// Takes the folder. A node that runs on it is killed.
pub fn take(folder: &Path) -> Result<Held> {
    let path = folder.join(LOCK);
    if files::is_missing(&path)? {
        return Ok(Held { _lock: None, was_running: false });
    }
    let wrong = |cause| Error::device(format!("lock {}", path.display()), cause);
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let lock = OpenOptions::new().read(true).custom_flags(flags).open(&path).map_err(wrong)?;
    let try_lock = || match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(cause) => Err(wrong(cause.into())),
    };
    if try_lock()? {
        return Ok(Held { _lock: Some(lock), was_running: false });
    }
    kill_holder(&path, &lock)?;
    match try_lock()? {
        true => Ok(Held { _lock: Some(lock), was_running: true }),
        false => Err(not_stopped(&path, "another process has the folder now")),
    }
}

fn kill_holder(path: &Path, lock: &File) -> Result<()> {
    let wrong = |cause| Error::device("stop the node that runs on the folder", cause);
    let text = files::read_text(path, 32).unwrap_or_default();
    // Pid itself panics on a number below zero.
    let pid = text.trim().parse().ok().filter(|pid| *pid > 0).and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| not_stopped(path, "it does not say which process has it"))?;
    // The descriptor is of this process, also if its number is given to another one meanwhile.
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(|cause| wrong(cause.into()))?;
    if !holds(pid, lock).map_err(wrong)? {
        return Err(not_stopped(path, "the process that it names does not have it"));
    }
    pidfd_send_signal(&process, Signal::KILL).map_err(|cause| wrong(cause.into()))?;
    let mut ended = [PollFd::new(&process, PollFlags::IN)];
    let patience = Timespec::try_from(KILL_PATIENCE).ok();
    match poll(&mut ended, patience.as_ref()) {
        Ok(0) => Err(not_stopped(path, "it was killed, and has not ended yet")),
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(cause) => Err(wrong(cause.into())),
    }
}

fn not_stopped(path: &Path, why: &str) -> Error {
    Error::input(path.display().to_string(), why, "stop the node yourself, and wipe again")
}

/// Whether process `pid` has locked the file that is open as `lock`.
fn holds(pid: Pid, lock: &File) -> io::Result<bool> {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let wanted = lock.metadata()?;
    for entry in fs::read_dir(process.join("fd"))?.flatten() {
        let is_same = fs::metadata(entry.path())
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == (wanted.dev(), wanted.ino()));
        let info = process.join("fdinfo").join(entry.file_name());
        let is_locked = || fs::read_to_string(info).is_ok_and(|info| info.contains("FLOCK"));
        if is_same && is_locked() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::files::DataFolder;

    fn folder(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("reunite-holder-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        path
    }

    /// A process that has nothing to do with it; it ends with the test.
    struct Innocent(std::process::Child);

    impl Drop for Innocent {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_folder_on_which_nothing_runs_is_taken_and_no_node_can_start_there() {
        let path = folder("free");
        drop(DataFolder::open(&path).expect("free"));
        let held = take(&path).expect("free");
        assert!(!held.was_running && DataFolder::open(&path).is_err());
    }

    #[test]
    fn a_process_is_not_killed_for_a_number_in_a_file() {
        let path = folder("innocent");
        let _data = DataFolder::open(&path).expect("free");
        let mut innocent = Innocent(
            std::process::Command::new("sleep")
                .arg("600")
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .expect("sleep is everywhere"),
        );
        for text in
            [innocent.0.id().to_string(), "1".into(), String::new(), "-1".into(), "x".into()]
        {
            fs::write(path.join(LOCK), &text).expect("ours");
            let error = take(&path).expect_err("another process holds it").to_string();
            assert!(!error.is_empty(), "{text}");
        }
        assert!(innocent.0.try_wait().expect("a child").is_none(), "it was killed");
    }

    #[test]
    fn this_process_holds_what_it_locked_and_nothing_else() {
        let path = folder("own");
        let _data = DataFolder::open(&path).expect("free");
        let me = rustix::process::getpid();
        let lock = File::open(path.join(LOCK)).expect("there");
        assert!(holds(me, &lock).expect("on Linux"));
        assert!(is_running(&path) && !is_running(&folder("nobodys")));
        fs::write(path.join("other"), "").expect("ours");
        let other = File::open(path.join("other")).expect("there");
        assert!(!holds(me, &other).expect("on Linux"));
    }
}
