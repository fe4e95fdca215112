//! The database that all sessions and the menu share, and the thread that keeps its file up to date.
//!
//! ```text
//! session, menu --change--> Arc<Mutex<State>> --snapshot--> saver thread --> DATABASEx.txt
//!                   ticket <------------- saved -------------+
//! ```
//!
//! The lock is held for memory only. A change gets a ticket; who must know that it is on the disk waits on
//! the ticket without the lock, and all who wait share one write.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::{Stop, lock};
use crate::model::limits::{IDLE_LOOK, MAX_FILE, SLICE};
use crate::model::reader::{Kept, Origin, Reader};
use crate::model::records::{Merged, Records};
use crate::model::section::Section;
use crate::model::writer::{Snapshot, write_all};
use crate::store::disk::Print;
use crate::store::files;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A handle to the database of this node; clones share it.
#[derive(Clone, Debug)]
pub struct Database(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    state: Mutex<State>,
    /// The file as this node last read or wrote it; another print means that somebody edited it.
    seen: Mutex<Seen>,
    bell: Condvar,
}

#[derive(Debug)]
struct Seen {
    print: Option<Print>,
    /// How many people stood in it.
    people: usize,
}

#[derive(Debug)]
struct State {
    records: Records,
    generation: u64,
    saved: u64,
    trouble: Option<String>,
}

/// A state of the database that may or may not be on the disk yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What was found in the file at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Rows of people, vaccinations, camps.
    pub rows: [usize; 3],
    /// Rows that were there twice.
    pub doubled: usize,
    /// Lines that are not understood.
    pub kept: Vec<Kept>,
    /// Whether the file was missing and has been made.
    pub made: bool,
}

/// How the disk is doing, when that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disk {
    /// The file cannot be written; the changes are in memory.
    Failing(String),
    /// It could be written again.
    Well,
    /// Somebody wrote so many new rows into the file while the node was running.
    Edited(usize),
}

/// Shortest and longest pause after a write that failed.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];
/// How long an edited file must rest before it is read.
const EDIT_REST: Duration = Duration::from_millis(1500);
/// How often an edit may get in the way of one write.
const MOST_EDITS: usize = 10;
/// Longest pause between two writes; shorter ones are five times as long as the write took.
const MOST_PAUSE: Duration = Duration::from_secs(1);

impl Database {
    /// Reads the database from its file, and makes the file where it is missing.
    pub fn open(path: &Path) -> Result<(Self, Loaded)> {
        let (mut records, mut loaded) = (Records::default(), Loaded::default());
        if files::is_missing(path)? {
            files::replace(path, |out| write_all(&Snapshot::default(), out).map(|_| ()))?;
            loaded.made = true;
        }
        // Taken before reading: an edit while it is read is an edit.
        let seen = files::print(path);
        loaded.doubled = read_into(path, &mut records)?;
        loaded.rows = [Section::People, Section::Vaccinations, Section::Camps]
            .map(|section| records.rows(section).len());
        loaded.kept = records.kept().to_vec();
        let people = records.rows(Section::People).len();
        let state = State { records, generation: 0, saved: 0, trouble: None };
        let seen = Seen { print: seen, people };
        let (state, seen) = (Mutex::new(state), Mutex::new(seen));
        let shared = Shared { path: path.to_owned(), state, seen, bell: Condvar::new() };
        Ok((Self(Arc::new(shared)), loaded))
    }

    /// Looks at the records. `look` must not block: everybody else waits.
    pub fn with<T>(&self, look: impl FnOnce(&Records) -> T) -> T {
        look(&lock(&self.0.state).records)
    }

    /// Changes the records. `change` returns whether it did; it must not block. The ticket names the state
    /// that holds the change.
    pub fn change<T>(&self, change: impl FnOnce(&mut Records) -> (bool, T)) -> (T, Ticket) {
        let mut state = lock(&self.0.state);
        let (changed, value) = change(&mut state.records);
        if changed {
            state.generation += 1;
            self.0.bell.notify_all();
        }
        (value, Ticket(state.generation))
    }

    /// The state as it is now.
    pub fn now(&self) -> Ticket {
        Ticket(lock(&self.0.state).generation)
    }

    /// Waits until the state of `ticket` is on the disk, the node ends, or `patience` does.
    pub fn wait_saved(&self, ticket: Ticket, patience: Duration, stop: &Stop) -> Result<()> {
        let deadline = Deadline::after(patience);
        let mut state = lock(&self.0.state);
        while state.saved < ticket.0 {
            if let Some(trouble) = &state.trouble {
                return Err(Error::device("save", std::io::Error::other(trouble.clone())));
            }
            stop.check()?;
            let Some(slice) = deadline.slice(SLICE) else {
                return Err(Error::Deadline { what: "saving the database" });
            };
            let waited = self.0.bell.wait_timeout(state, slice);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Wakes the saver thread: its stop flag was set.
    pub fn wake(&self) {
        // With the lock, so that it cannot fall between the thread's look at its flag and its waiting.
        let _state = lock(&self.0.state);
        self.0.bell.notify_all();
    }

    /// Whether the state of `ticket` is on the disk.
    pub fn is_saved(&self, ticket: Ticket) -> bool {
        lock(&self.0.state).saved >= ticket.0
    }

    /// The saver thread: writes the file after changes, and takes up what people write into it, until
    /// `stop`, and a last time then.
    pub fn keep_saved(&self, stop: &Stop, tell: impl Fn(Disk)) -> Result<()> {
        let mut failures = 0;
        loop {
            let ending = stop.is_set();
            if !self.wait_for_change(ending) {
                if ending {
                    return Ok(());
                }
                continue;
            }
            let begun = Instant::now();
            let pause = match self.save(stop, &tell) {
                Ok(()) => {
                    if std::mem::take(&mut failures) > 0 {
                        tell(Disk::Well);
                    }
                    MOST_PAUSE.min(begun.elapsed() * 5)
                }
                Err(error) => {
                    if failures == 0 {
                        tell(Disk::Failing(error.to_string()));
                    }
                    failures += 1;
                    RETRY[1].min(RETRY[0] * failures)
                }
            };
            if stop.wait(pause) && ending {
                // Written, or tried, after the last change there can be.
                return Ok(());
            }
        }
    }

    /// Waits a while, unless the node is `ending`, for a change that is not on the disk, here or in the file.
    /// Returns whether there is one.
    fn wait_for_change(&self, ending: bool) -> bool {
        let mut state = lock(&self.0.state);
        if state.saved == state.generation && !ending {
            let waited = self.0.bell.wait_timeout(state, IDLE_LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let changed = state.saved < state.generation;
        drop(state);
        changed || self.is_edited()
    }

    /// Whether somebody else has written the file. One that is gone is no edit: it is written again.
    fn is_edited(&self) -> bool {
        let there = files::print(&self.0.path);
        there.is_some() && there != lock(&self.0.seen).print
    }

    fn save(&self, stop: &Stop, tell: &impl Fn(Disk)) -> Result<()> {
        let done = self.write(stop, tell);
        let mut state = lock(&self.0.state);
        match &done {
            Ok(saved) => {
                state.saved = saved.0;
                state.trouble = None;
            }
            Err(error) => state.trouble = Some(error.to_string()),
        }
        self.0.bell.notify_all();
        done.map(|_| ())
    }

    /// Takes up an edit if there is one, and writes the file. Returns the state that is on the disk.
    fn write(&self, stop: &Stop, tell: &impl Fn(Disk)) -> Result<Ticket> {
        let path = &self.0.path;
        for _ in 0..MOST_EDITS {
            if self.is_edited() {
                let rows = self.take_up(stop)?;
                tell(Disk::Edited(rows));
            }
            let (snapshot, generation) = {
                let state = lock(&self.0.state);
                (state.records.snapshot(), state.generation)
            };
            let still = || !self.is_edited();
            let mut kept_at = Vec::new();
            let (print, done) = files::replace_if(path, still, |out| {
                kept_at = write_all(&snapshot, out)?;
                Ok(())
            })?;
            if done {
                let people = snapshot.rows.first().map_or(0, Vec::len);
                *lock(&self.0.seen) = Seen { print: Some(print), people };
                lock(&self.0.state).records.renumber_kept(&kept_at);
                return Ok(Ticket(generation));
            }
        }
        Err(Error::input(
            path.display().to_string(),
            "somebody else keeps writing it",
            "let only this node write it, or stop the node first",
        ))
    }

    /// Somebody edited the file while the node was running: what they wrote is taken up before the file is
    /// replaced. Rows they removed come back: removing is not done in the file. Returns how many rows are new.
    fn take_up(&self, stop: &Stop) -> Result<usize> {
        let path = &self.0.path;
        // An editor or a copy may be in the middle of it: wait until it has rested.
        let mut print = files::print(path);
        for _ in 0..MOST_EDITS {
            stop.wait(EDIT_REST);
            let again = files::print(path);
            if again == std::mem::replace(&mut print, again) {
                break;
            }
        }
        let mut edited = Records::default();
        read_into(path, &mut edited)?;
        let people = edited.rows(Section::People).len();
        let whole = people >= lock(&self.0.seen).people;
        let (count, _) = self.change(|records| {
            let mut count = 0;
            for (section, row) in [Section::People, Section::Vaccinations, Section::Camps]
                .into_iter()
                .flat_map(|section| edited.rows(section).iter().map(move |row| (section, row)))
            {
                count += usize::from(records.take(section, row.clone()) == Merged::New);
            }
            // What is not understood stands only in the file: what was corrected there is gone. But not if
            // people are missing too: then the file was cut off, and nothing of it was meant.
            records.take_kept(edited.kept(), whole);
            (count > 0, count)
        });
        *lock(&self.0.seen) = Seen { print, people };
        Ok(count)
    }
}

/// Reads a file into `records`; returns how many rows were there twice.
fn read_into(path: &Path, records: &mut Records) -> Result<usize> {
    let (mut reader, mut doubled, mut full) = (Reader::new(Origin::Own), 0, false);
    let mut take = |item| match records.load(item) {
        Merged::Known => doubled += 1,
        Merged::Full => full = true,
        Merged::New | Merged::Replaced => {}
    };
    files::read_pieces(path, MAX_FILE, |piece| reader.feed(piece, &mut take))?;
    reader.finish(true, &mut take);
    if full {
        return Err(Error::input(
            path.display().to_string(),
            "it holds more rows than a node can carry",
            "split it, or move rows to another file",
        ));
    }
    Ok(doubled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::threads::spawn;
    use crate::model::row::Row;
    use std::fs;

    fn file(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("reunite-db-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        path.join("DATABASE1.txt")
    }

    fn ana() -> Row {
        Row::new(&["Ana", "tall", "", "missing", "7"])
    }

    fn merge(database: &Database, row: Row) -> Ticket {
        database.change(|records| (records.merge(row) == Merged::New, ())).1
    }

    #[test]
    fn a_missing_file_is_made_and_a_change_is_on_the_disk_when_the_ticket_says_so() {
        let path = file("save");
        let (database, loaded) = Database::open(&path).expect("made");
        assert!(loaded.made && path.exists());
        let stop = Stop::default();
        let (saver, ending) = (database.clone(), stop.clone());
        let thread = spawn("saver", move || saver.keep_saved(&ending, |_| {})).expect("started");
        let ticket = merge(&database, ana());
        database.wait_saved(ticket, Duration::from_secs(30), &stop).expect("saved");
        assert!(fs::read_to_string(&path).expect("there").contains("\nAna, tall, , missing, 7\n"));
        stop.set();
        thread.join().expect("ended");
        assert_eq!(Database::open(&path).expect("whole").1.rows, [1, 0, 0]);
    }

    #[test]
    fn a_change_just_before_the_end_is_saved() {
        let path = file("end");
        let (database, _) = Database::open(&path).expect("made");
        let stop = Stop::default();
        merge(&database, ana());
        stop.set();
        database.keep_saved(&stop, |_| {}).expect("saved");
        assert_eq!(Database::open(&path).expect("whole").1.rows, [1, 0, 0]);
    }

    #[test]
    fn an_edit_by_hand_while_the_node_runs_is_not_overwritten() {
        let path = file("edit");
        let (database, _) = Database::open(&path).expect("made");
        let mut text = fs::read_to_string(&path).expect("there");
        text.push_str("Ben, , , found, 8\nCy, tall, 4/4/23, missing, what\n");
        fs::write(&path, text).expect("edited");
        merge(&database, ana());
        database.save(&Stop::default(), &|_| {}).expect("saved");
        let text = fs::read_to_string(&path).expect("there");
        for line in ["Ana, tall, , missing, 7\n", "Ben, , , found, 8\n", "missing, what\n"] {
            assert!(text.contains(line), "{line:?} is not in {text}");
        }
    }

    #[test]
    fn a_disk_that_fails_is_told_and_nothing_is_lost() {
        let path = file("fails");
        let (database, _) = Database::open(&path).expect("made");
        // A folder in the place of the temporary file makes every write fail, for root too.
        let obstacle = path.with_file_name(".DATABASE1.txt.tmp");
        fs::create_dir(&obstacle).expect("made");
        let ticket = merge(&database, ana());
        let stop = Stop::default();
        assert!(database.save(&stop, &|_| {}).is_err());
        let error = database.wait_saved(ticket, Duration::from_secs(30), &stop);
        let error = error.expect_err("not saved");
        assert!(error.to_string().starts_with("save"), "{error}");
        fs::remove_dir(&obstacle).expect("removed");
        database.save(&stop, &|_| {}).expect("there is room again");
        assert!(database.is_saved(ticket));
    }
}
