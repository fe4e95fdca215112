//! A disk in memory that does at a power cut what real ones do: of what was not synced, every sector of 512
//! bytes is old, new, zero or garbage, every name is old or new, and every length something between.
//!
//! Faults are set by the number of the operation that they meet. The mutants are disks that leave out one thing
//! that the store does: what a store would be without it.

#![allow(dead_code, reason = "each test uses a part of it")]

use reunite::store::disk::{Disk, DiskFile, How, Print};
use reunite::store::ledger_frame::{Commit, FRAME_HEAD, FrameHead, MARKER, Place};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const SECTOR: usize = 512;
/// What Linux says of a broken disk.
const EIO: i32 = 5;
/// What it says of a full one.
const ENOSPC: i32 = 28;

/// Numbers that a seed fixes (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

/// What the disk leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutant {
    #[default]
    None,
    /// The entries are not synced.
    NoDataSync,
    /// The files are not synced when they are made.
    NoFileSync,
    /// The names are not synced.
    NoFolderSync,
    /// What is read of a ledger is taken as it is: its sums always fit.
    NoCheck,
    /// The entries are synced only after they were acknowledged.
    LateSync,
}

/// What goes wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails as on a broken disk.
    Broken,
    /// It, and the next so many, find no room.
    Full(u64),
    /// A write does only a part.
    Short,
    /// Power fails before it.
    PowerCut,
}

/// How what was not synced ends.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Old,
    New,
    Zero,
    Garbage,
}

/// What was said to whom: part of the disk so that a picture of it has both.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Entries handed in so far: their numbers are below this.
    pub tried: u64,
    pub acknowledged: BTreeSet<u64>,
    /// Entries of which was said that they could not be written.
    pub failed: BTreeSet<u64>,
    pub text_tried: u64,
    pub text_acknowledged: u64,
}

#[derive(Clone, Debug, Default)]
struct SimFile {
    /// What a power cut cannot take.
    durable: Vec<u8>,
    /// What is read.
    current: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
enum Naming {
    Set(PathBuf, u64),
    Remove(PathBuf),
    Rename { from: PathBuf, to: PathBuf, file: u64 },
}

#[derive(Clone, Debug, Default)]
struct Names(BTreeMap<PathBuf, u64>);

impl Names {
    fn apply(&mut self, naming: &Naming) {
        match naming {
            Naming::Set(path, file) => drop(self.0.insert(path.clone(), *file)),
            Naming::Remove(path) => drop(self.0.remove(path)),
            Naming::Rename { from, to, file } => {
                self.0.remove(from);
                self.0.insert(to.clone(), *file);
            }
        }
    }
}

/// The disk at one moment.
#[derive(Clone, Debug)]
pub struct Picture {
    files: BTreeMap<u64, SimFile>,
    next_file: u64,
    names: Names,
    durable_names: Names,
    namings: Vec<Naming>,
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    full_until: u64,
    is_off: bool,
    dice: Dice,
    mutant: Mutant,
    /// A file that the late syncing mutant has still to sync.
    owed: Option<u64>,
    pub said: Said,
}

#[derive(Debug)]
struct State {
    now: Picture,
    pictures: Option<Vec<Picture>>,
}

/// The disk; clones share it.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct Handle {
    disk: SimDisk,
    file: u64,
}

impl SimDisk {
    pub fn new(mutant: Mutant) -> Self {
        Self::of(Picture {
            files: BTreeMap::new(),
            next_file: 1,
            names: Names::default(),
            durable_names: Names::default(),
            namings: Vec::new(),
            operations: 0,
            faults: BTreeMap::new(),
            full_until: 0,
            is_off: false,
            dice: Dice(1),
            mutant,
            owed: None,
            said: Said::default(),
        })
    }

    fn of(now: Picture) -> Self {
        Self(Arc::new(Mutex::new(State { now, pictures: None })))
    }

    /// Takes a picture before every operation from now on.
    pub fn take_pictures(&self) {
        self.state().pictures = Some(Vec::new());
    }

    /// The pictures, and one of now.
    pub fn pictures(&self) -> Vec<Picture> {
        let mut state = self.state();
        let mut pictures = state.pictures.take().unwrap_or_default();
        pictures.push(state.now.clone());
        pictures
    }

    /// Lets `fault` meet the operation that is so many from now.
    pub fn fault_in(&self, operations: u64, fault: Fault) {
        let mut state = self.state();
        let at = state.now.operations + operations;
        state.now.faults.insert(at, fault);
    }

    /// Takes all faults back.
    pub fn repair(&self) {
        let mut state = self.state();
        state.now.faults.clear();
        state.now.full_until = 0;
    }

    pub fn operations(&self) -> u64 {
        self.state().now.operations
    }

    pub fn is_off(&self) -> bool {
        self.state().now.is_off
    }

    /// What a power cut now, and power again, leaves of the disk.
    pub fn after_crash(&self, seed: u64) -> SimDisk {
        self.state().now.clone().after_crash(seed)
    }

    /// Looks at what was said, or adds to it.
    pub fn said<T>(&self, work: impl FnOnce(&mut Said) -> T) -> T {
        work(&mut self.state().now.said)
    }

    /// The names in all folders.
    pub fn names(&self) -> Vec<PathBuf> {
        self.state().now.names.0.keys().cloned().collect()
    }

    /// The content of a file as it is read.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let file = state.now.names.0.get(path)?;
        Some(state.now.files[file].current.clone())
    }

    /// Puts a file there, durably.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let now = &mut state.now;
        let file = now.next_file;
        now.next_file += 1;
        now.names.0.insert(path.to_owned(), file);
        now.durable_names.0.insert(path.to_owned(), file);
        let content =
            SimFile { durable: bytes.to_vec(), current: bytes.to_vec(), dirty: BTreeSet::new() };
        now.files.insert(file, content);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds the disk")
    }

    /// Begins an operation that changes something.
    fn step<T>(
        &self,
        work: impl FnOnce(&mut Picture, Option<Fault>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        let State { now, pictures } = &mut *state;
        if let Some(pictures) = pictures {
            pictures.push(now.clone());
        }
        if let Some(file) = now.owed.take() {
            now.sync(file);
        }
        let fault = now.faults.remove(&now.operations);
        if fault == Some(Fault::PowerCut) {
            now.is_off = true;
        }
        if let Some(Fault::Full(operations)) = fault {
            now.full_until = now.operations + operations;
        }
        now.operations += 1;
        now.check_power()?;
        work(now, fault)
    }
}

impl Picture {
    fn check_power(&self) -> io::Result<()> {
        if self.is_off { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
    }

    fn is_full(&self) -> bool {
        self.operations <= self.full_until
    }

    /// What a power cut now, and power again, leaves. The first seeds are the plain outcomes, all others mix.
    pub fn after_crash(mut self, seed: u64) -> SimDisk {
        let mut dice = Dice(seed.wrapping_mul(0x2545_F491_4F6C_DD1D));
        let pure = [Outcome::Old, Outcome::New, Outcome::Zero, Outcome::Garbage];
        let pure = usize::try_from(seed).ok().and_then(|seed| pure.get(seed)).copied();
        for naming in std::mem::take(&mut self.namings) {
            let stays = match pure {
                Some(Outcome::Old) => false,
                Some(_) => true,
                None => dice.coin(),
            };
            if stays {
                self.durable_names.apply(&naming);
            }
        }
        self.names = self.durable_names.clone();
        let stale = self.stale_sector(&mut dice);
        let there: BTreeSet<_> = self.names.0.values().copied().collect();
        self.files.retain(|number, _| there.contains(number));
        for file in self.files.values_mut() {
            let image = file.image(pure, &stale, &mut dice);
            *file = SimFile { durable: image.clone(), current: image, dirty: BTreeSet::new() };
        }
        self.faults.clear();
        (self.full_until, self.is_off, self.owed, self.dice) = (0, false, None, dice);
        SimDisk::of(self)
    }

    /// A sector that was written at some time somewhere: garbage of the worst kind.
    fn stale_sector(&self, dice: &mut Dice) -> Vec<u8> {
        let files: Vec<_> =
            self.files.values().filter(|file| file.current.len() >= SECTOR).collect();
        let Some(file) = files.get(dice.below(files.len())) else { return vec![0xA5; SECTOR] };
        let sector = dice.below(file.current.len() / SECTOR);
        file.current[sector * SECTOR..(sector + 1) * SECTOR].to_vec()
    }

    fn sync(&mut self, file: u64) {
        let Some(file) = self.files.get_mut(&file) else { return };
        file.durable.resize(file.current.len(), 0);
        for sector in std::mem::take(&mut file.dirty) {
            file.keep(sector);
        }
    }

    /// A sync that fails: some sectors arrived, and none of the others is tried again, as on Linux.
    fn fail_sync(&mut self, file: u64) {
        let Some(file) = self.files.get_mut(&file) else { return };
        if self.dice.coin() {
            file.durable.resize(file.current.len(), 0);
        }
        for sector in std::mem::take(&mut file.dirty) {
            if self.dice.coin() {
                file.keep(sector);
            }
        }
    }

    fn name(&mut self, naming: Naming) {
        self.names.apply(&naming);
        self.namings.push(naming);
    }

    /// The content of a file as the mutant without checks reads it.
    fn mended(&self, file: u64) -> Option<Vec<u8>> {
        if self.mutant != Mutant::NoCheck {
            return None;
        }
        let (path, _) = self.names.0.iter().find(|(_, number)| **number == file)?;
        let name = path.file_name()?.to_str()?;
        let (_, rest) = name.split_once(".ledger")?;
        let number = if rest.is_empty() { 0 } else { rest.strip_prefix('.')?.parse().ok()? };
        let mut bytes = self.files[&file].current.clone();
        mend(number, &mut bytes);
        Some(bytes)
    }
}

/// Makes the sums of all frames fit what is there.
fn mend(segment: u32, bytes: &mut [u8]) {
    let mut at = SECTOR;
    while at + FRAME_HEAD <= bytes.len() {
        let word = |from: usize| {
            u32::from_be_bytes(bytes[at + from..at + from + 4].try_into().expect("four"))
        };
        let (length, commit) = (word(4) as usize, Commit { begin: word(8), end: word(12) });
        let end = at + FRAME_HEAD + length;
        if bytes[at..at + 4] != MARKER || end > bytes.len() {
            at = (at + 1).next_multiple_of(SECTOR);
            continue;
        }
        let place = Place { segment, offset: at as u32 };
        let head = FrameHead::new(&bytes[at + FRAME_HEAD..end], commit).encode(place);
        bytes[at..at + FRAME_HEAD].copy_from_slice(&head);
        at = end;
    }
}

impl SimFile {
    /// Makes a sector durable, as far as the file is long.
    fn keep(&mut self, sector: usize) {
        let begin = sector * SECTOR;
        let end = (begin + SECTOR).min(self.current.len()).min(self.durable.len());
        if begin < end {
            self.durable[begin..end].copy_from_slice(&self.current[begin..end]);
        }
    }

    fn touch(&mut self, begin: usize, end: usize) {
        self.dirty.extend(begin / SECTOR..end.div_ceil(SECTOR));
    }

    fn write(&mut self, bytes: &[u8], at: usize) {
        let end = at + bytes.len();
        if end > self.current.len() {
            let before = self.current.len();
            self.current.resize(end, 0);
            self.touch(before, end);
        }
        self.current[at..end].copy_from_slice(bytes);
        self.touch(at, end);
    }

    fn set_len(&mut self, length: usize) {
        let before = self.current.len();
        self.current.resize(length, 0);
        self.touch(length.min(before), length.max(before));
    }

    fn image(&self, pure: Option<Outcome>, stale: &[u8], dice: &mut Dice) -> Vec<u8> {
        let lengths = [self.durable.len(), self.current.len()];
        let length = match pure {
            Some(Outcome::Old) => lengths[0],
            Some(_) => lengths[1],
            None if self.dirty.is_empty() => lengths[0],
            None => {
                let (least, most) = (lengths[0].min(lengths[1]), lengths[0].max(lengths[1]));
                [lengths[0], lengths[1], least + dice.below(most - least + 1)][dice.below(3)]
            }
        };
        let length = if self.dirty.is_empty() { lengths[0] } else { length };
        let part = |of: &[u8], begin: usize| {
            let mut sector = of.get(begin..).unwrap_or_default().to_vec();
            sector.resize(SECTOR, 0);
            sector
        };
        let mut image = Vec::with_capacity(length);
        for begin in (0..length).step_by(SECTOR) {
            let mixed = [Outcome::Old, Outcome::New, Outcome::Zero, Outcome::Garbage];
            let outcome = match self.dirty.contains(&(begin / SECTOR)) {
                false => Outcome::Old,
                true => pure.unwrap_or_else(|| mixed[dice.below(4)]),
            };
            let mut sector = match outcome {
                Outcome::Old => part(&self.durable, begin),
                Outcome::New => part(&self.current, begin),
                Outcome::Zero => vec![0; SECTOR],
                Outcome::Garbage if dice.coin() => stale.to_vec(),
                Outcome::Garbage => (0..SECTOR).map(|_| dice.next() as u8).collect(),
            };
            sector.truncate(length - begin);
            image.append(&mut sector);
        }
        image
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn DiskFile>> {
        let there = {
            let state = self.state();
            state.now.check_power()?;
            state.now.names.0.get(path).copied()
        };
        let file = match (there, how) {
            (None, How::Read | How::Write) => return Err(ErrorKind::NotFound.into()),
            (Some(file), How::Read | How::Write) => file,
            (there, How::Anew) => self.step(|now, fault| {
                if fault == Some(Fault::Broken) {
                    return Err(io::Error::from_raw_os_error(EIO));
                }
                if let Some(file) = there {
                    now.files.get_mut(&file).expect("there").set_len(0);
                    return Ok(file);
                }
                if now.is_full() {
                    return Err(io::Error::from_raw_os_error(ENOSPC));
                }
                let file = now.next_file;
                now.next_file += 1;
                now.files.insert(file, SimFile::default());
                now.name(Naming::Set(path.to_owned(), file));
                Ok(file)
            })?,
        };
        Ok(Box::new(Handle { disk: self.clone(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|now, fault| {
            if fault == Some(Fault::Broken) {
                return Err(io::Error::from_raw_os_error(EIO));
            }
            let file = *now.names.0.get(from).ok_or(ErrorKind::NotFound)?;
            now.name(Naming::Rename { from: from.to_owned(), to: to.to_owned(), file });
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|now, fault| {
            if fault == Some(Fault::Broken) {
                return Err(io::Error::from_raw_os_error(EIO));
            }
            if !now.names.0.contains_key(path) {
                return Err(ErrorKind::NotFound.into());
            }
            now.name(Naming::Remove(path.to_owned()));
            Ok(())
        })
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        self.step(|now, fault| {
            if now.mutant == Mutant::NoFolderSync {
                return Ok(());
            }
            if fault == Some(Fault::Broken) {
                return Err(io::Error::from_raw_os_error(EIO));
            }
            for naming in std::mem::take(&mut now.namings) {
                now.durable_names.apply(&naming);
            }
            Ok(())
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let state = self.state();
        state.now.check_power()?;
        let here = state.now.names.0.keys().filter(|path| path.parent() == Some(folder));
        Ok(here.filter_map(|path| path.file_name().map(OsString::from)).collect())
    }
}

impl DiskFile for Handle {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        state.now.check_power()?;
        let mended = state.now.mended(self.file);
        let content = mended.as_ref().unwrap_or(&state.now.files[&self.file].current);
        let from = content.get(offset as usize..).unwrap_or_default();
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.disk.step(|now, fault| {
            let is_full = now.is_full();
            let part = now.dice.below(bytes.len());
            let file = now.files.get_mut(&self.file).expect("there");
            match fault {
                Some(Fault::Broken) => {
                    file.write(&bytes[..part], offset as usize);
                    return Err(io::Error::from_raw_os_error(EIO));
                }
                // The system writes what fits, and says so; the next write finds no room at all.
                Some(Fault::Full(_)) if part > 0 => {
                    file.write(&bytes[..part], offset as usize);
                    return Ok(part);
                }
                _ if is_full => return Err(io::Error::from_raw_os_error(ENOSPC)),
                Some(Fault::Short) if part > 0 => {
                    file.write(&bytes[..part], offset as usize);
                    return Ok(part);
                }
                _ => file.write(bytes, offset as usize),
            }
            Ok(bytes.len())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.step(|now, fault| match now.mutant {
            Mutant::NoDataSync => Ok(()),
            Mutant::LateSync => {
                now.owed = Some(self.file);
                Ok(())
            }
            _ => synced(now, self.file, fault),
        })
    }

    fn sync_all(&self) -> io::Result<()> {
        self.disk.step(|now, fault| match now.mutant {
            Mutant::NoFileSync => Ok(()),
            _ => synced(now, self.file, fault),
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.step(|now, fault| {
            if fault == Some(Fault::Broken) {
                return Err(io::Error::from_raw_os_error(EIO));
            }
            now.files.get_mut(&self.file).expect("there").set_len(length as usize);
            Ok(())
        })
    }

    fn print(&self) -> io::Result<Print> {
        let state = self.disk.state();
        state.now.check_power()?;
        let length = state.now.files[&self.file].current.len() as u64;
        Ok(Print::new(self.file, length, (0, 0)))
    }
}

fn synced(now: &mut Picture, file: u64, fault: Option<Fault>) -> io::Result<()> {
    if fault == Some(Fault::Broken) {
        now.fail_sync(file);
        return Err(io::Error::from_raw_os_error(EIO));
    }
    now.sync(file);
    Ok(())
}
