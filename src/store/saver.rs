//! The thread that keeps the disk up to date: the ledger what nobody waits for, the text what the ledger says, and
//! the ledger what somebody wrote into the text.

use crate::base::error::{Error, Result};
use crate::base::threads::{Stop, lock};
use crate::model::ledger::heads::Heads;
use crate::model::ledger::listing::Spot;
use crate::model::limits::{CHECKPOINT_EVERY, FIRST_CHECKPOINT, IDLE_LOOK, SHOWN_BATCH};
use crate::model::reader::Kept;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::model::writer::Source;
use crate::store::database::{Database, Inner, Seen};
use crate::store::files;
use crate::store::text::{self, Base, NO_LEDGER};
use std::collections::HashSet;
use std::io;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How the disk is doing, when that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disk {
    /// The ledger or the text cannot be written; the changes are in memory.
    Failing(String),
    /// They could be written again.
    Well,
    /// Somebody wrote into the text while the node was running.
    Edited(Edits),
    /// Somebody removed the text; it is written again.
    Gone,
}

/// What somebody wrote into the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Changes that were taken up.
    pub changes: usize,
    /// Rows that say only what was before.
    pub stale: usize,
    /// Lines that are not understood.
    pub strange: usize,
}

/// Shortest and longest pause after a write that failed.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];
/// How long an edited file must rest before it is read.
const EDIT_REST: Duration = Duration::from_millis(1500);
/// How often an edit may get in the way of one write.
const MOST_EDITS: usize = 10;
/// Longest pause between two looks at what there is to write; shorter ones are five times as long as the write took.
const MOST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause between two writes of a text that takes longer than `MOST_PAUSE` to write; shorter ones are so many
/// times as long as the write took. Else a card would be worn out by a hundred megabytes after each change of a peer.
const LARGE_PAUSE: (u32, Duration) = (20, Duration::from_secs(60));

impl Database {
    /// The saver thread: runs until `stop`, and writes a last time then.
    pub fn keep_saved(&self, stop: &Stop, tell: impl Fn(Disk)) -> Result<()> {
        let (mut failures, mut checkpoint_at) = (0, Instant::now() + FIRST_CHECKPOINT);
        // Not before then the text follows what others changed.
        let mut text_at = Instant::now();
        loop {
            let ending = stop.is_set();
            let is_due = self.wait_for_work(ending, text_at);
            if !ending && Instant::now() >= checkpoint_at {
                checkpoint_at = Instant::now() + CHECKPOINT_EVERY;
                if let Err(error) = self.note(|replica| replica.checkpoint().into_iter().collect())
                {
                    log::warn!("what was seen of others could not be signed: {error}");
                }
            }
            if !is_due {
                if ending {
                    return self.close();
                }
                continue;
            }
            let begun = Instant::now();
            let pause = match self.save(stop, ending, text_at, &tell) {
                Ok(saved) => {
                    if saved.is_text {
                        text_at = Instant::now() + text_pause(begun.elapsed());
                    }
                    if std::mem::take(&mut failures) > 0 || saved.had_failed {
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
                return self.close();
            }
        }
    }

    /// Waits a while, unless the node is `ending`, for something to be written or read. Returns whether there is.
    fn wait_for_work(&self, ending: bool, text_at: Instant) -> bool {
        let mut inner = lock(&self.0.inner);
        if !ending && !inner.has_work(text_at) {
            let waited = self.0.bell.wait_timeout(inner, IDLE_LOOK);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let has_work = inner.has_work(text_at) || (ending && inner.texted < inner.version);
        drop(inner);
        has_work || self.is_edited() || self.is_gone()
    }

    /// Whether somebody has removed the text.
    fn is_gone(&self) -> bool {
        files::print(&self.0.path).is_none()
    }

    /// Whether somebody else has written the text. One that is gone is no edit: it is written again.
    fn is_edited(&self) -> bool {
        let there = files::print(&self.0.path);
        there.is_some() && there != lock(&self.0.seen).print
    }

    fn close(&self) -> Result<()> {
        self.file().close()
    }

    /// Writes what is due.
    fn save(
        &self,
        stop: &Stop,
        ending: bool,
        text_at: Instant,
        tell: &impl Fn(Disk),
    ) -> Result<Saved> {
        let file = self.file();
        // Whoever wrote it has been told that it is not on the disk.
        let had_failed = lock(&self.0.inner).journal.has_failed();
        if had_failed {
            file.resume()?;
            lock(&self.0.inner).journal.again();
        }
        file.flush()?;
        if lock(&self.0.inner).journal.has_failed() {
            return Err(Error::device("write the ledger", io::Error::other("it failed again")));
        }
        self.rebuild_in_time()?;
        let is_due = lock(&self.0.inner).is_text_due(text_at);
        let is_due = ending || is_due || self.is_edited() || self.is_gone();
        if is_due {
            self.write_text(stop, tell)?;
        }
        Ok(Saved { is_text: is_due, had_failed })
    }

    // --- the text ---

    /// Takes up an edit if there is one, and writes the text.
    fn write_text(&self, stop: &Stop, tell: &impl Fn(Disk)) -> Result<()> {
        let path = &self.0.path;
        for _ in 0..MOST_EDITS {
            if self.is_edited() {
                tell(Disk::Edited(self.take_up(stop)?));
                self.file().flush()?;
            }
            let was_gone = self.is_gone();
            let shown = Shown::now(self);
            let written = text::write(path, &shown, || !self.is_edited())?;
            let Some(written) = written else { continue };
            let (print, people) = (Some(written.print), shown.people());
            *lock(&self.0.seen) = Seen { print, people, showed: shown.heads.clone() };
            // Only now: else the text that this node has just written would be taken for somebody else's.
            Base { ledger: shown.digest, heads: shown.durable, text: written.hash }.write(path)?;
            let mut inner = lock(&self.0.inner);
            inner.texted = shown.version;
            if written.kept_at.len() == inner.kept.len() {
                let kept = inner.kept.iter_mut().zip(written.kept_at);
                kept.for_each(|(kept, line)| kept.line = line);
            }
            drop(inner);
            if was_gone {
                tell(Disk::Gone);
            }
            return Ok(());
        }
        Err(Error::input(
            path.display().to_string(),
            "somebody else keeps writing it",
            "let only this node write it, or stop the node first",
        ))
    }

    /// Somebody edited the text while the node was running: what they wrote is taken up before it is replaced.
    /// Rows they removed come back: removing is not done in the file. Returns how many changes there are.
    fn take_up(&self, stop: &Stop) -> Result<Edits> {
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
        if print.is_none() {
            return Ok(Edits::default());
        }
        let shown = self.counts().shown.iter().sum();
        let (records, _) = text::read(path, shown)?;
        let people = records.rows(Section::People).len();
        let (whole, showed) = {
            let seen = lock(&self.0.seen);
            (people >= seen.people, seen.showed.clone())
        };
        // What is not understood stands only in the text: what was corrected there is gone. But not if people
        // are missing too: then the file was cut off, and nothing of it was meant.
        let strange = lock(&self.0.inner).take_kept(records.kept(), whole);
        let taken = self.take_edited(&records, &showed)?;
        lock(&self.0.inner).version += 1;
        *lock(&self.0.seen) = Seen { print, people, showed };
        Ok(Edits { changes: taken.new, stale: taken.stale, strange })
    }
}

/// What was written.
struct Saved {
    /// Whether the text was.
    is_text: bool,
    /// Whether the ledger could not be written before.
    had_failed: bool,
}

/// How long the text need not be written again that took so long to write.
fn text_pause(cost: Duration) -> Duration {
    let (times, most) = LARGE_PAUSE;
    if cost > MOST_PAUSE { most.min(cost * times) } else { Duration::ZERO }
}

impl Inner {
    fn has_work(&mut self, text_at: Instant) -> bool {
        self.is_text_due(text_at) || self.is_rebuild_due() || !self.journal.is_idle()
    }

    /// Whether the text is to be written: what others changed may wait until `text_at`, what somebody changed here
    /// not.
    fn is_text_due(&self, text_at: Instant) -> bool {
        self.texted < self.asked || (self.texted < self.version && Instant::now() >= text_at)
    }

    /// What is not understood in an edited text: instead of what was known, or besides it. Returns how many lines were
    /// not known.
    fn take_kept(&mut self, kept: &[Kept], instead: bool) -> usize {
        let known: HashSet<_> = self.kept.iter().map(|one| (one.section, &one.bytes)).collect();
        let is_new = |one: &&Kept| !known.contains(&(one.section, &one.bytes));
        let new: Vec<_> = kept.iter().filter(is_new).cloned().collect();
        let count = new.len();
        match instead {
            true => self.kept = kept.to_vec(),
            false => self.kept.extend(new),
        }
        count
    }
}

/// The rows of all sections, read in small portions while they are written, so that nobody waits for the lock. What
/// changes meanwhile is written as it is then, and once more afterwards.
struct Shown<'a> {
    database: &'a Database,
    orders: [Vec<Spot>; 3],
    kept: Vec<Kept>,
    version: u64,
    heads: Heads,
    /// Those that are on the disk.
    durable: Heads,
    /// What the ledger is known by, if these rows are what it says: none while the state is to be built anew.
    digest: text::Hash,
}

impl<'a> Shown<'a> {
    fn now(database: &'a Database) -> Self {
        let mut inner = lock(&database.0.inner);
        let orders = Section::SHOWN.map(|section| inner.replica.state().order(section));
        let (kept, version) = (inner.kept.clone(), inner.version);
        let (heads, durable) = (inner.replica.chains().heads(), inner.heads());
        let digest = match inner.replica.is_stale() {
            true => NO_LEDGER,
            false => inner.replica.digest(),
        };
        Self { database, orders, kept, version, heads, durable, digest }
    }

    fn people(&self) -> usize {
        self.orders.first().map_or(0, Vec::len)
    }
}

impl Source for Shown<'_> {
    fn rows(
        &self,
        section: Section,
        take: &mut dyn FnMut(&Row) -> io::Result<()>,
    ) -> io::Result<()> {
        let at = Section::SHOWN.iter().position(|one| *one == section);
        let order = at.and_then(|at| self.orders.get(at)).map(Vec::as_slice).unwrap_or_default();
        for spots in order.chunks(SHOWN_BATCH) {
            let rows: Vec<_> = self.database.with(|replica| {
                spots.iter().filter_map(|spot| replica.state().row(*spot)).collect()
            });
            rows.iter().try_for_each(&mut *take)?;
        }
        Ok(())
    }

    fn kept(&self) -> &[Kept] {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::files::beside;
    use crate::store::opening::tests::Scratch;
    use std::cell::RefCell;
    use std::fs;
    use std::thread;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_text_that_takes_long_is_seldom_written() {
        for (cost, pause) in [(0, 0), (1, 0), (2, 40), (3, 60), (100, 60)] {
            assert_eq!(text_pause(Duration::from_secs(cost)), Duration::from_secs(pause), "{cost}");
        }
    }

    fn row(name: &str) -> Row {
        Row::new(&[name, "", "", "missing"])
    }

    #[test]
    fn the_text_waits_for_what_others_changed_and_not_for_what_a_person_did_here() {
        let scratch = Scratch::new("saver");
        let (database, _) = scratch.open();
        let (stop, now) = (Stop::default(), Instant::now());
        let is_written = |ending, text_at| {
            database.save(&stop, ending, text_at, &|_| ()).expect("room on the disk").is_text
        };
        assert!(is_written(false, now));
        database.merge(&[(Section::People, row("Ana"))]).expect("room");
        assert!(!is_written(false, now + HOUR) && database.is_saved(database.now()));
        assert!(!lock(&database.0.inner).has_work(now + HOUR));
        assert!(is_written(false, now));
        database.merge(&[(Section::People, row("Bo"))]).expect("room");
        assert!(database.wait_for_work(true, now + HOUR) && is_written(true, now + HOUR));
        scratch.enter(&database, &row("Cy"));
        assert!(lock(&database.0.inner).has_work(now + HOUR) && is_written(false, now + HOUR));
        assert!(!is_written(false, now));
    }

    #[test]
    fn a_text_is_not_taken_for_somebody_elses_when_what_is_said_beside_it_cannot_be_written() {
        let scratch = Scratch::new("beside");
        let (database, _) = scratch.open();
        let (stop, now) = (Stop::default(), Instant::now());
        let (told, in_the_way) = (RefCell::new(Vec::new()), scratch.file("DATABASE1.base"));
        let save = || database.save(&stop, false, now, &|disk| told.borrow_mut().push(disk));
        fs::create_dir(&in_the_way).expect("a folder");
        scratch.enter(&database, &row("Ana"));
        assert!(save().is_err() && save().is_err());
        fs::remove_dir(&in_the_way).expect("empty");
        let is_written = || save().expect("room on the disk").is_text;
        assert!(is_written() && !is_written());
        assert_eq!(*told.borrow(), []);
        fs::remove_file(scratch.file("DATABASE1.txt")).expect("there");
        assert!(is_written());
        assert_eq!(*told.borrow(), [Disk::Gone]);
        drop(database);
        let (_, loaded) = scratch.open();
        assert_eq!((loaded.rows, loaded.taken_up, loaded.lost), ([1, 0, 0], 0, false));
    }

    #[test]
    fn that_the_disk_can_be_written_again_is_told_whoever_found_that_it_could_not() {
        let scratch = Scratch::new("found");
        let (in_the_way, _) = beside(&scratch.file("DATABASE1.ledger"));
        fs::create_dir(&in_the_way).expect("a folder");
        let (database, _) = scratch.open();
        // As whoever enters it is told.
        let (_, ticket) = database.merge(&[(Section::People, row("Ana"))]).expect("room");
        assert!(database.wait_saved(ticket, HOUR, &Stop::default()).is_err());
        fs::remove_dir(&in_the_way).expect("empty");
        let (stop, told) = (Stop::default(), RefCell::new(Vec::new()));
        let tell = |disk| {
            told.borrow_mut().push(disk);
            stop.set();
        };
        thread::scope(|scope| {
            scope.spawn(|| (stop.wait(Duration::from_secs(20)), stop.set()));
            database.keep_saved(&stop, tell).expect("closed");
        });
        assert_eq!(*told.borrow(), [Disk::Well]);
    }
}
