//! Opens a database: reads the ledger, and takes up what stands in the text beside it and not in the ledger.
//!
//! ```text
//! the text is as it was written     nothing
//! and the ledger is where it was    what is different was changed by hand
//! the ledger went on, or no ledger  rows are imported: values that never were are new, all others are stale
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
use crate::store::disk::RealDisk;
use crate::store::files;
use crate::store::journal::Journal;
use crate::store::ledger_file::{LedgerFile, Recovered};
use crate::store::ledger_load::Found;
use crate::store::loader::Loader;
use crate::store::text::{self, Base, Scanned};
use std::collections::HashSet;
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
        // A text as it was written says nothing new, if the ledger is there that it was written from. If that is gone,
        // or cut off, the text may be all that is left.
        let is_read = !is_as_written || is_lost || loaded.put_aside.is_some();
        let shown = if is_read { inner.replica.state().counts().shown.iter().sum() } else { 0 };
        if !is_as_written {
            // Only now it is known whether rows are missing in it.
            scanned = text::scan(path, shown)?;
        }
        let database = Self::of(path, inner);
        lock(&database.0.inner).kept.clone_from(&scanned.kept);
        if is_read {
            let (records, doubled) = text::read(path, shown)?;
            loaded.doubled = doubled;
            let taken = match is_current {
                true => lock(&database.0.inner).take_edits(&records, &HashSet::new()),
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
        if database.with(Replica::is_stale) {
            database.build_anew()?;
        }
        Ok((database, loaded))
    }

    fn of(path: &Path, inner: Inner) -> Self {
        let seen = Seen { print: None, people: 0, showed: Heads::default() };
        let shared = Shared {
            path: path.to_owned(),
            inner: Mutex::new(inner),
            seen: Mutex::new(seen),
            bell: Condvar::new(),
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

/// What was found of the ledger, besides what is in memory.
struct Old {
    faults: Vec<Fault>,
    /// Versions of records of a ledger that was put aside, besides those that its text shows.
    versions: Vec<(Section, Row)>,
}

/// Reads the ledger, or begins one.
fn open_ledger(path: &Path, owner: Owner, loaded: &mut Loaded) -> Result<(Inner, Old)> {
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
    Ok((inner, Old { faults: found.faults, versions }))
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

/// Gives all files of a ledger other names, with which nobody reads them any more. Returns the first one's.
fn put_aside(ledger: &Path) -> Result<PathBuf> {
    let wrong = |cause| Error::device(format!("put {} aside", ledger.display()), cause);
    let (_, folder) = files::beside(ledger);
    let begin = ledger.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let aside = |name: &str| folder.join(name.replacen(&begin, &format!("{begin}-classic"), 1));
    for entry in fs::read_dir(folder).map_err(wrong)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == begin || name.strip_prefix(&begin).is_some_and(|rest| rest.starts_with('.')) {
            fs::rename(entry.path(), aside(&name)).map_err(wrong)?;
        }
    }
    Ok(aside(&begin))
}
