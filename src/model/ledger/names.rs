//! Names of things in the ledger: records, operations, blocks, logs. All but a log's number are hashes.

use crate::base::error::Result;
use crate::model::codec::{Decoder, Encoder};
use crate::model::hex;
use crate::model::keys::{IdentityKey, SecretKey};
use crate::model::records::id_of;
use crate::model::row::Row;
use crate::model::section::Section;
use ring::hmac;
use std::cmp::Ordering;
use std::fmt;
use std::ops::RangeInclusive;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The bytes of the name.
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl From<[u8; $bytes]> for $name {
            fn from(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::digits(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (start, _) = self.0.split_at(4);
                write!(f, concat!(stringify!($name), "({}…)"), hex::digits(start))
            }
        }
    };
}

name!(
    /// A record: a keyed hash of its Id, or of its first row if that has none.
    RecordId, 16
);
name!(
    /// An operation: SHA-256 of what it says, its values as hashes.
    OpId, 32
);
name!(
    /// A block: SHA-256 of its header and signature.
    BlockHash, 32
);

name!(
    /// An alarm: SHA-256 of who raised it and what it says. So it has a name before it stands in a block.
    AlarmId, 32
);
name!(
    /// A network: SHA-256 of its founder's key and of what the founder said when it began. Who holds it knows both,
    /// and nobody can make another beginning of the same network.
    NetworkId, 32
);

impl BlockHash {
    /// What stands in the first block of a log, before which there is none.
    pub const NONE: Self = Self([0; 32]);
}

/// The number of one of an author's logs, drawn at random when it is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(u64);

impl LogId {
    /// The plain number.
    pub fn value(self) -> u64 {
        self.0
    }
}

impl From<u64> for LogId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

/// A log: whose, and which of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogName {
    /// Who signs its blocks.
    pub author: IdentityKey,
    /// Which of the author's.
    pub log: LogId,
}

impl LogName {
    /// Writes it.
    pub fn encode(&self, out: &mut Encoder) {
        out.bytes(self.author.as_bytes()).u64(self.log.value());
    }

    /// Reads it.
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        Ok(Self { author: from.array::<32>()?.into(), log: from.u64()?.into() })
    }
}

impl Ord for LogName {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |name: &Self| (*name.author.as_bytes(), name.log);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for LogName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (author, _) = self.author.as_bytes().split_at(4);
        write!(f, "log {:016x} of {}…", self.log.0, hex::digits(author))
    }
}

/// The names of all logs that an author can have.
pub fn all_of(author: &IdentityKey) -> RangeInclusive<LogName> {
    let name = |log: u64| LogName { author: *author, log: LogId::from(log) };
    name(0)..=name(u64::MAX)
}

/// Below all names of logs.
pub fn lowest() -> LogName {
    LogName { author: [0; 32].into(), log: 0.into() }
}

/// Above all names of logs.
pub fn highest() -> LogName {
    LogName { author: [u8::MAX; 32].into(), log: u64::MAX.into() }
}

/// Names records, and draws the secrets of imported rows. All tier-1 nodes of a network have the same one, for as
/// long as the network lasts: with another key, one row would be two records.
#[derive(Clone, Debug)]
pub struct Namer {
    records: hmac::Key,
    imports: hmac::Key,
}

impl Namer {
    /// The namer of this shared secret.
    pub fn new(secret: &SecretKey) -> Self {
        let key = |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, secret.derive(label).expose());
        Self { records: key(b"ledger record"), imports: key(b"ledger import") }
    }

    /// The record that a row begins or belongs to. Rows of `Replaced` are rows of people.
    pub fn record(&self, section: Section, row: &Row) -> RecordId {
        let section = if section == Section::Replaced { Section::People } else { section };
        let id = (section == Section::People).then(|| id_of(row)).flatten();
        let (kind, text): (&[u8], _) = match id {
            Some(id) => (b"id", id),
            None => (b"row", row.line()),
        };
        RecordId(half(
            &self.records,
            &[section.title().as_bytes(), b"\0", kind, b"\0", text.as_bytes()],
        ))
    }

    /// What tells this namer from others, and nothing of its secret.
    pub fn check(&self) -> [u8; 16] {
        half(&self.records, &[b"check"])
    }

    /// What the secret of an imported operation is, so that it is the same operation wherever it is imported.
    pub fn import_secret(&self, parts: &[&[u8]]) -> [u8; 16] {
        half(&self.imports, parts)
    }
}

/// Half of an HMAC-SHA256 (RFC 2104) of these parts.
fn half(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 16] {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    let mut half = [0; 16];
    half.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, id: &str) -> Row {
        Row::new(&[name, "", "", "missing", id])
    }

    #[test]
    fn a_record_is_known_by_its_id_whatever_else_its_row_says() {
        let namer = Namer::new(&SecretKey::from([7; 32]));
        let name = |row: &Row| namer.record(Section::People, row);
        assert_eq!(name(&person("Ana", "17")), name(&person("Ana B", "17")));
        assert_ne!(name(&person("Ana", "17")), name(&person("Ana", "18")));
        assert_ne!(name(&person("Ana", "")), name(&person("Bo", "")));
        assert_eq!(namer.record(Section::Replaced, &person("A", "17")), name(&person("B", "17")));
    }

    #[test]
    fn names_differ_by_section_and_by_key() {
        let (one, other) = (SecretKey::from([7; 32]), SecretKey::from([8; 32]));
        let row = Row::new(&["17"]);
        let name = |key, section| Namer::new(key).record(section, &row);
        assert_ne!(name(&one, Section::Camps), name(&one, Section::Vaccinations));
        assert_ne!(name(&one, Section::Camps), name(&other, Section::Camps));
        assert!(!format!("{:?}", Namer::new(&one)).contains("07"));
    }
}
