//! What an audit finds: a kind of damage or tampering, with its place and what it touches.

use crate::model::keys::IdentityKey;
use crate::model::ledger::block::Received;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::names::LogName;
use crate::model::ledger::operation::{About, Field, Kind, Operation, Value, is_id};
use crate::model::limits::MAX_TOUCHED;

/// A kind of damage or tampering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tampering {
    /// Bytes on the disk are not those that were written: their sum is another.
    Bytes,
    /// The last write is not whole: power failed, or somebody cut or changed the end.
    Torn,
    /// An entry is none that a node writes.
    Form,
    /// A block does not hold what its author signed.
    Content,
    /// A signature is not its author's.
    Signature,
    /// A block that one author signed stands under another's name.
    Copied,
    /// From some block on all blocks of a log are signed by somebody else.
    Tail,
    /// Blocks are missing before others that are there.
    Removed,
    /// Blocks stand in another order than they were written in.
    Reordered,
    /// An author signed another block for the place before this one than stands there.
    Replaced,
    /// An author signed two different blocks for one place.
    Fork,
    /// A peer signed that it saw another block in this place.
    Rewritten,
    /// What a ledger begins with is missing, or stands there twice.
    Birth,
    /// There are more logs than a node keeps.
    Full,
}

/// Records that something touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// The first of them, each with what is said of it there, as far as anything tells which person it is.
    pub records: Vec<(About, Option<String>)>,
    /// How many more there are.
    pub more: usize,
}

impl Touched {
    /// The records that these entries change.
    pub fn of(entries: &[Entry]) -> Self {
        let mut touched = Self::default();
        for entry in entries {
            if let Entry::Change(operation) = entry {
                touched.add(operation.about(), label(operation));
            }
        }
        touched
    }

    /// The records that a block changes.
    pub fn by(block: &Received) -> Self {
        Self::of(block.entries())
    }

    /// Adds one.
    pub fn add(&mut self, about: About, label: Option<String>) {
        let is_full = self.records.len() >= MAX_TOUCHED;
        match self.records.iter_mut().find(|(known, _)| *known == about) {
            Some((_, known)) => *known = known.take().or(label),
            None if !is_full => self.records.push((about, label)),
            None => self.more += 1,
        }
    }

    /// Adds others.
    pub fn extend(&mut self, other: Self) {
        other.records.into_iter().for_each(|(about, label)| self.add(about, label));
        self.more += other.more;
    }

    /// Whether nothing is known to be touched.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// What an operation says of who or what its record is: a name, an Id. `None` if neither.
fn label(operation: &Operation) -> Option<String> {
    let section = operation.about().section;
    let named = |(field, value): (Field, Value<'_>)| {
        let text = value.text().filter(|text| !text.is_empty())?;
        let column = section.columns().get(usize::from(field))?;
        match is_id(section, field) {
            true => Some(format!("{column} {text}")),
            false => (field == 0).then(|| text.to_owned()),
        }
    };
    let is_set = operation.kind() == Kind::Set;
    let parts: Vec<_> = operation.values().iter().filter(|_| is_set).filter_map(named).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Something that cannot be verified. `P` is a place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<P> {
    /// What kind.
    pub kind: Tampering,
    /// Where it stands; `None` for what is not there.
    pub at: Option<P>,
    /// The log that is meant; `None` if that cannot be read.
    pub log: Option<LogName>,
    /// The first and the last of its blocks that are meant.
    pub blocks: Option<(u32, u32)>,
    /// Who really signed, of what was copied; who saw something else, of what was rewritten.
    pub other: Option<IdentityKey>,
    /// How many blocks behind it are here and wait for it.
    pub behind: u32,
    /// Which records are touched, as far as that can be told.
    pub touched: Touched,
    /// Whether the blocks have come again since, and stand further on.
    pub is_mended: bool,
}

impl<P> Finding<P> {
    /// One of which nothing but its kind and place is known.
    pub fn new(kind: Tampering, at: Option<P>) -> Self {
        Self {
            kind,
            at,
            log: None,
            blocks: None,
            other: None,
            behind: 0,
            touched: Touched::default(),
            is_mended: false,
        }
    }

    /// The same, of these blocks of a log.
    #[must_use]
    pub fn of(self, log: LogName, first: u32, last: u32) -> Self {
        Self { log: Some(log), blocks: Some((first, last)), ..self }
    }

    /// The same, touching these records.
    #[must_use]
    pub fn touching(self, touched: Touched) -> Self {
        Self { touched, ..self }
    }

    /// Whether a block of this log is among those that are meant.
    pub fn holds(&self, log: &LogName, sequence: u32) -> bool {
        let is_in = |(first, last): (u32, u32)| (first..=last).contains(&sequence);
        self.log.as_ref() == Some(log) && self.blocks.is_some_and(is_in)
    }
}
