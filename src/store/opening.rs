//! Opens a database: reads the ledger, and takes up what stands in the text beside it and not in the ledger.
//!
//! ```text
//! the text is    the ledger is
//! as written     where it was, or went on   nothing is taken up: the text follows
//! edited         where it was               what is different was changed by hand
//! edited         went on, or there is none  rows are imported: values that never were are new, all others are stale
//! either         cut off                    rows are imported: the text may be all that is left
//! ```

use crate::base::error::{Error, Result};
use crate::base::threads::{Joined, lock, spawn};
use crate::model::dialect::Dialect;
use crate::model::identity::Identity;
use crate::model::ledger::fault::Fault;
use crate::model::ledger::heads::Heads;
use crate::model::ledger::names::Namer;
use crate::model::ledger::replica::Replica;
use crate::model::ledger::stored::{Birth, Stored};
use crate::model::ledger::view::View;
use crate::model::limits::MERGE_BATCH;
use crate::model::reader::Kept;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::model::writer::{Snapshot, write_all};
use crate::store::database::{Database, Inner, Seen, Shared};
use crate::store::disk::{Disk, RealDisk};
use crate::store::files;
use crate::store::journal::Journal;
use crate::store::ledger_file::{LedgerFile, Recovered};
use crate::store::ledger_load::Found;
use crate::store::loader::Loader;
use crate::store::text::{self, Base, Scanned};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// Who opens a database.
#[derive(Debug)]
pub struct Owner {
    /// Who signs.
    pub identity: Identity,
    /// What names records.
    pub namer: Namer,
    /// What the network speaks. In a classic one no ledger travels.
    pub dialect: Dialect,
}

/// What was found at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Rows of people, vaccinations, camps.
    pub rows: [usize; 3],
    /// Rows that were in the text twice.
    pub doubled: usize,
    /// Lines that are not understood.
    pub kept: Vec<Kept>,
    /// Whether the text was missing and has been made.
    pub made: bool,
    /// Rows of the text that were taken up.
    pub taken_up: usize,
    /// Rows of the text that say only what was before.
    pub stale: usize,
    /// Whether they stood in the ledger that the text was written from, and do not any more.
    pub lost: bool,
    /// Records of which there are several versions.
    pub contested: usize,
    /// What was found of the ledger's file.
    pub recovered: Recovered,
    /// What of the ledger cannot be verified: of each log the first.
    pub faults: Vec<Fault>,
    /// Why the ledger cannot be written now, if that is so.
    pub trouble: Option<String>,
    /// Where an old ledger of the classic dialect was put, if one was.
    pub put_aside: Option<PathBuf>,
}

/// Most ledgers of the classic dialect that are put aside in one folder.
const MOST_ASIDE: usize = 100;

/// The ledger beside the text at `path`.
pub fn ledger_path(path: &Path) -> PathBuf {
    path.with_extension("ledger")
}

impl Database {
    /// Opens the database with the text at `path`, and makes it where it is missing.
    pub fn open(path: &Path, owner: Owner) -> Result<(Self, Loaded)> {
        let mut loaded = Loaded::default();
        if files::is_missing(path)? {
            files::replace(path, |out| write_all(&Snapshot::default(), out).map(|_| ()))?;
            loaded.made = true;
        }
        let dialect = owner.dialect;
        // Taken before reading: an edit while it is read is an edit.
        let print = files::print(path);
        let scan = scan_beside(path)?;
        let (inner, found) = open_ledger(path, owner, &mut loaded)?;
        let mut scanned = scan.result.recv().unwrap_or_else(|_| text::scan(path, 0))?;
        let base = Base::read(path);
        let was_empty = inner.replica.chains().heads().is_empty();
        let is_current = base.as_ref().is_some_and(|base| base.ledger == inner.replica.digest());
        let is_as_written = base.as_ref().is_some_and(|base| base.text == scanned.hash);
        let is_lost = base.is_some_and(|base| !inner.replica.chains().hold(&base.heads));
        let database = Self::of(path, inner);
        // What is edited is over what counts.
        database.rebuild()?;
        // A text as it was written says nothing new, if the ledger is there that it was written from. If that is gone,
        // or cut off, the text may be all that is left.
        let is_read = !is_as_written || is_lost || loaded.put_aside.is_some();
        let shown = if is_read { database.counts().shown.iter().sum() } else { 0 };
        if !is_as_written {
            // Only now it is known whether rows are missing in it.
            scanned = text::scan(path, shown)?;
        }
        lock(&database.0.inner).kept.clone_from(&scanned.kept);
        if is_read {
            let (records, doubled) = text::read(path, shown)?;
            loaded.doubled = doubled;
            let taken = match is_current {
                true => database.take_edited(&records, &database.heads()),
                false => database.import(&records),
            };
            let taken = taken?;
            (loaded.taken_up, loaded.stale) = (taken.new, taken.stale);
            loaded.lost = is_lost && loaded.taken_up > 0;
        }
        for rows in found.versions.chunks(MERGE_BATCH) {
            database.merge(rows)?;
        }
        // What is taken up is on the disk before anybody is met; what the disk does not take goes on waiting.
        database.write_out();
        let counts = database.counts();
        (loaded.rows, loaded.contested) = (counts.shown, counts.contested);
        loaded.faults = found.faults;
        let mut inner = lock(&database.0.inner);
        // In a network where no ledger travels nobody else can have more of this log than is here.
        let is_whole = loaded.faults.is_empty() && loaded.recovered.damages.is_empty();
        if dialect == Dialect::Classic && is_whole {
            inner.replica.go_on();
        }
        inner.version += 1;
        if is_as_written && is_current && loaded.taken_up == 0 {
            inner.texted = inner.version;
        }
        loaded.kept.clone_from(&inner.kept);
        // A text that went unread while the ledger went on showed what nobody can tell.
        let showed = match is_current || was_empty {
            true => inner.replica.chains().heads(),
            false => Heads::default(),
        };
        drop(inner);
        *lock(&database.0.seen) = Seen { print, people: scanned.people, showed };
        Ok((database, loaded))
    }

    fn of(path: &Path, inner: Inner) -> Self {
        let seen = Seen { print: None, people: 0, showed: Heads::default() };
        let shared = Shared {
            path: path.to_owned(),
            inner: Mutex::new(inner),
            seen: Mutex::new(seen),
            bell: Condvar::new(),
            building: Mutex::new(()),
        };
        Self(Arc::new(shared))
    }
}

/// A look through the text. Its thread is joined when this is dropped.
struct Scan {
    result: Receiver<Result<Scanned>>,
    _thread: Joined,
}

/// Looks through the text while the ledger is read.
fn scan_beside(path: &Path) -> Result<Scan> {
    let (path, (done, result)) = (path.to_owned(), sync_channel(1));
    let mut thread = Joined::default();
    thread.add(spawn("text", move || {
        // Nobody waits for it if the ledger cannot be read.
        let _ = done.send(text::scan(&path, 0));
        Ok(())
    })?);
    Ok(Scan { result, _thread: thread })
}

/// What was found in a ledger, besides what is in memory.
struct Opened {
    faults: Vec<Fault>,
    /// Versions of records of a ledger that was put aside, besides those that its text shows.
    versions: Vec<(Section, Row)>,
}

/// Reads the ledger, or begins one.
fn open_ledger(path: &Path, owner: Owner, loaded: &mut Loaded) -> Result<(Inner, Opened)> {
    let ledger = ledger_path(path);
    let Owner { identity, namer, dialect } = owner;
    let birth = Birth::new(dialect, &namer);
    let mut versions = Vec::new();
    let (mut file, mut replica, mut found) =
        read_ledger(&ledger, Replica::new(identity, namer), loaded)?;
    match &found.birth {
        Some(born) if born.is_of(replica.namer()) => {}
        Some(born) if born.dialect == Dialect::Classic => {
            // Its network moved over to the sealed dialect, where records have other names.
            let other = |view: &View| {
                let section = view.about().section;
                view.other_rows().into_iter().map(move |row| (section, row))
            };
            versions = replica.state().conflicts().iter().flat_map(other).collect();
            drop(file);
            loaded.put_aside = Some(put_aside(&ledger)?);
            (file, replica, found) = read_ledger(&ledger, replica.emptied(), loaded)?;
        }
        Some(_) => {
            return Err(Error::input(
                ledger.display().to_string(),
                format!(
                    "it is the ledger of another network, which is sealed; this one is {dialect}"
                ),
                "give the --data of this network",
            ));
        }
        None => {}
    }
    let journal = Journal::new(file, std::mem::take(&mut found.places));
    let mut inner = Inner {
        replica,
        journal,
        kept: Vec::new(),
        version: 0,
        texted: 0,
        rebuild_at: Instant::now(),
        asked: 0,
        forked: Vec::new(),
    };
    if found.entries == 0 {
        inner.append(None, Stored::birth(&birth));
    }
    Ok((inner, Opened { faults: found.faults, versions }))
}

fn read_ledger(
    ledger: &Path,
    replica: Replica,
    loaded: &mut Loaded,
) -> Result<(LedgerFile, Replica, Found)> {
    let mut load = Loader::new(replica)?;
    let (file, recovered) =
        LedgerFile::open(Arc::new(RealDisk), ledger, |place, entry| load.entry(place, entry))?;
    let (replica, found) = load.finish()?;
    loaded.trouble = file.trouble().map(|cause| cause.to_string());
    loaded.recovered = recovered;
    Ok((file, replica, found))
}

/// Gives all files of a ledger other names, with which nobody reads them any more. Returns the first one's. It goes
/// last: if this is cut off, what is left is still known for what it is, and goes the same way at the next start.
fn put_aside(ledger: &Path) -> Result<PathBuf> {
    let wrong = |cause| Error::device(format!("put {} aside", ledger.display()), cause);
    let (_, folder) = files::beside(ledger);
    let begin = ledger.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // What was put aside before stays.
    let first = (1..=MOST_ASIDE).map(|n| match n {
        1 => format!("{begin}-classic"),
        n => format!("{begin}-classic-{n}"),
    });
    let first = first.into_iter().find(|name| !folder.join(name).exists()).ok_or_else(|| {
        Error::input(ledger.display().to_string(), "too many were put aside", "move them away")
    })?;
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let name = entry.map_err(wrong)?.file_name().to_string_lossy().into_owned();
        if name == begin || name.strip_prefix(&begin).is_some_and(|rest| rest.starts_with('.')) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| (name == &begin, std::cmp::Reverse((name.len(), name.clone()))));
    for name in names {
        let aside = name.replacen(&begin, &first, 1);
        fs::rename(folder.join(&name), folder.join(aside)).map_err(wrong)?;
        RealDisk.sync_folder(folder).map_err(wrong)?;
    }
    Ok(folder.join(first))
}

#[cfg(test)]
pub(in crate::store) mod tests {
    use super::*;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::import::enter;

    /// A database in a folder that goes away with it.
    pub struct Scratch(PathBuf);

    impl Scratch {
        /// A new folder of this name.
        pub fn new(name: &str) -> Self {
            let folder =
                std::env::temp_dir().join(format!("reunite-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).expect("a temporary folder");
            Self(folder)
        }

        /// A file in it.
        pub fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }

        /// Opens the database in it.
        pub fn open(&self) -> (Database, Loaded) {
            self.open_as(Dialect::Sealed, 7)
        }

        /// Opens the database in it in a network that speaks this, and names records with this key.
        pub fn open_as(&self, dialect: Dialect, namer: u8) -> (Database, Loaded) {
            let key = |byte| SecretKey::from([byte; 32]);
            let (identity, namer) = (Identity::new(key(1)), Namer::new(&key(namer)));
            let owner = Owner { identity, namer, dialect };
            Database::open(&self.file("DATABASE1.txt"), owner).expect("opened")
        }

        /// A person at this node enters somebody.
        pub fn enter(&self, database: &Database, row: &Row) {
            let made = database.write(|replica| {
                let (state, namer) = (replica.state(), replica.namer());
                Ok((enter(state, namer, Section::People, row, &mut rand::rng())?, ()))
            });
            made.expect("room");
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn ledgers_of_networks_that_moved_over_are_put_aside_and_none_over_another() {
        let scratch = Scratch::new("aside");
        let name = |name: &str| scratch.file(&format!("DATABASE1.ledger{name}"));
        let row = Row::new(&["Ana", "", "", "missing"]);
        let (database, _) = scratch.open_as(Dialect::Classic, 6);
        scratch.enter(&database, &row);
        database.write_out();
        drop(database);
        // Of one that was put aside before, and a later file of this one.
        fs::write(name("-classic"), "before").expect("written");
        let (database, loaded) = scratch.open_as(Dialect::Sealed, 7);
        assert_eq!(loaded.put_aside, Some(name("-classic-2")));
        assert_eq!(fs::read_to_string(name("-classic")).expect("there"), "before");
        assert!(name("-classic-2").exists() && database.heads().is_empty());
    }
}
