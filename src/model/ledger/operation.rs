//! An operation: one change of one record, over the operations that the person saw. It names no author and no
//! time, so the same change is the same operation in whatever block it stands.
//!
//! ```text
//! salts  = SHA-256("rn-s1" secret 16  field / 2 u8): the first half for an even field, the second for an odd one
//! hash   = SHA-256("rn-f1" field u8  salt 16  value)
//! OpId   = SHA-256("rn-o1" section u8  kind u8  record 16  count u8  *( field u8  hash 32 )  count u8  *( over 32 ))
//! ```
//!
//! A value can be opened alone, by its salt, or closed down to its hash, and the OpId stays what it is: so an Id is
//! withheld and a person's content erased, and the chain still holds.

use crate::base::error::{Error, Result};
use crate::model::fields;
use crate::model::ids::PersonId;
use crate::model::ledger::merkle::sha256;
use crate::model::ledger::names::{OpId, RecordId};
use crate::model::limits::{MAX_OVER, MAX_REASON, MAX_ROW};
use crate::model::offer::tag;
use crate::model::section::Section;
use rand::CryptoRng;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a salt, and of the secret from which the salts of an operation follow.
pub const SALT_BYTES: usize = 16;

/// The number of a column in its section, counted from 0.
pub type Field = u8;

/// What is done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Its fields get values. Without fields it only joins what it is over.
    Set,
    /// It is hidden. Field 0 is the reason.
    Retract,
    /// It is shown again. It has no fields.
    Restore,
}

impl Kind {
    /// The byte that stands for it.
    pub fn tag(self) -> u8 {
        match self {
            Self::Set => 1,
            Self::Retract => 2,
            Self::Restore => 3,
        }
    }

    /// The kind for which this byte stands.
    pub fn tagged(tag: u8) -> Option<Self> {
        [Self::Set, Self::Retract, Self::Restore].into_iter().find(|kind| kind.tag() == tag)
    }
}

/// The value of a field: open, or closed down to its hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// It can be read.
    Open {
        /// Without it nobody can test a guess at the value against its hash.
        salt: [u8; SALT_BYTES],
        /// The value, as it stands in a row.
        text: &'a str,
    },
    /// It was withheld or erased.
    Closed([u8; 32]),
}

impl<'a> Value<'a> {
    /// The value of this field with this salt.
    pub fn hash(&self, field: Field) -> [u8; 32] {
        match self {
            Self::Open { salt, text } => sha256(&[b"rn-f1", &[field], salt, text.as_bytes()]),
            Self::Closed(hash) => *hash,
        }
    }

    /// The text, if it is open.
    pub fn text(&self) -> Option<&'a str> {
        match self {
            Self::Open { text, .. } => Some(text),
            Self::Closed(_) => None,
        }
    }
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is told of people stays out of logs.
        f.write_str(if self.text().is_some() { "Open(…)" } else { "Closed(…)" })
    }
}

/// The values of one operation, in the order of their fields. All texts are in one piece of memory: a million
/// operations are read at start.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values {
    texts: String,
    list: Vec<Packed>,
}

#[derive(Clone, PartialEq, Eq)]
struct Packed {
    field: Field,
    /// Where its text ends in `texts`; it begins where that of the one before it ends.
    end: u32,
    kept: Kept,
}

#[derive(Clone, PartialEq, Eq)]
enum Kept {
    Open([u8; SALT_BYTES]),
    Closed([u8; 32]),
}

impl Values {
    /// None yet, with room for so many.
    pub fn with_room(count: usize) -> Self {
        Self { texts: String::with_capacity(32 * count), list: Vec::with_capacity(count) }
    }

    /// Adds the value of a field behind all that are here.
    pub fn push(&mut self, field: Field, value: Value<'_>) {
        self.texts.push_str(value.text().unwrap_or_default());
        let end = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let kept = match value {
            Value::Open { salt, .. } => Kept::Open(salt),
            Value::Closed(hash) => Kept::Closed(hash),
        };
        self.list.push(Packed { field, end, kept });
    }

    /// The value of a field, if it has one.
    pub fn get(&self, field: Field) -> Option<Value<'_>> {
        self.iter().find(|(other, _)| *other == field).map(|(_, value)| value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The fields, ascending.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        self.list.iter().map(|packed| packed.field)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Field, Value<'_>)> + Clone {
        let mut begin = 0;
        self.list.iter().map(move |Packed { field, end, kept }| {
            let end = usize::try_from(*end).unwrap_or(usize::MAX);
            let text = self.texts.get(std::mem::replace(&mut begin, end)..end);
            let value = match kept {
                Kept::Open(salt) => Value::Open { salt: *salt, text: text.unwrap_or_default() },
                Kept::Closed(hash) => Value::Closed(*hash),
            };
            (*field, value)
        })
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The secret of one operation: its salts follow from it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; SALT_BYTES]);

impl Secret {
    /// A new one. `rng` must be the operating system's or seeded from it.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; SALT_BYTES];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The bytes, for where the operation is written whole.
    pub fn expose(&self) -> &[u8; SALT_BYTES] {
        &self.0
    }
}

/// The salts of an operation, of which two follow from one hash.
struct Salts<'a> {
    secret: &'a Secret,
    last: Option<(Field, [u8; 2 * SALT_BYTES])>,
}

impl<'a> Salts<'a> {
    fn new(secret: &'a Secret) -> Self {
        Self { secret, last: None }
    }

    fn of(&mut self, field: Field) -> [u8; SALT_BYTES] {
        let pair = match self.last {
            Some((number, pair)) if number == field / 2 => pair,
            _ => sha256(&[b"rn-s1", &self.secret.0, &[field / 2]]),
        };
        self.last = Some((field / 2, pair));
        let (even, odd) = pair.split_at(SALT_BYTES);
        let half = if field % 2 == 0 { even } else { odd };
        half.try_into().expect("half of 32 bytes is a salt")
    }
}

impl From<[u8; SALT_BYTES]> for Secret {
    fn from(bytes: [u8; SALT_BYTES]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An operation with its name. It cannot be changed, only closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    id: OpId,
    section: Section,
    record: RecordId,
    kind: Kind,
    /// While all values are open: from which all salts follow.
    secret: Option<Secret>,
    values: Values,
    over: BTreeSet<OpId>,
}

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct About {
    /// In which section.
    pub section: Section,
    /// Which record of it.
    pub record: RecordId,
}

impl Operation {
    /// An operation with all its values open. Values are refused that a row would not give back as they are.
    pub fn open(
        about: About,
        kind: Kind,
        secret: Secret,
        values: BTreeMap<Field, String>,
        over: BTreeSet<OpId>,
    ) -> Result<Self> {
        let texts = values.iter().map(|(field, text)| (*field, text.as_str()));
        Self::open_of(about, kind, secret, texts, over)
    }

    /// As `open`, of values in the order of their fields.
    pub(in crate::model::ledger) fn open_of<'a>(
        about: About,
        kind: Kind,
        secret: Secret,
        texts: impl ExactSizeIterator<Item = (Field, &'a str)>,
        over: BTreeSet<OpId>,
    ) -> Result<Self> {
        let (mut salts, mut values) = (Salts::new(&secret), Values::with_room(texts.len()));
        for (field, text) in texts {
            values.push(field, Value::Open { salt: salts.of(field), text });
        }
        Self::new(about, kind, Some(secret), values, over)
    }

    /// An operation of which some values are closed.
    pub fn partly(about: About, kind: Kind, values: Values, over: BTreeSet<OpId>) -> Result<Self> {
        if values.iter().all(|(_, value)| value.text().is_some()) {
            return Err(Error::peer("sent an open operation as if it were partly closed"));
        }
        Self::new(about, kind, None, values, over)
    }

    fn new(
        about: About,
        kind: Kind,
        secret: Option<Secret>,
        values: Values,
        over: BTreeSet<OpId>,
    ) -> Result<Self> {
        let About { section, record } = about;
        let tag = tag(section).ok_or_else(|| Error::peer("sent an operation on no section"))?;
        check(section, kind, &values)?;
        if over.len() > MAX_OVER {
            return Err(Error::peer("sent an operation that is over too many others"));
        }
        let mut id = Vec::with_capacity(32 + 33 * values.len() + 32 * over.len());
        id.extend_from_slice(&[b'r', b'n', b'-', b'o', b'1', tag, kind.tag()]);
        id.extend_from_slice(record.as_bytes());
        id.push(u8::try_from(values.len()).unwrap_or(u8::MAX));
        for (field, value) in values.iter() {
            id.push(field);
            id.extend_from_slice(&value.hash(field));
        }
        id.push(u8::try_from(over.len()).unwrap_or(u8::MAX));
        over.iter().for_each(|id_over| id.extend_from_slice(id_over.as_bytes()));
        let id = sha256(&[&id]).into();
        Ok(Self { id, section, record, kind, secret, values, over })
    }

    /// Its name.
    pub fn id(&self) -> OpId {
        self.id
    }

    /// Which record it changes.
    pub fn about(&self) -> About {
        About { section: self.section, record: self.record }
    }

    /// What it does.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The secret from which its salts follow, while all its values are open.
    pub fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// Its values, in the order of the columns.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The operations that the person saw.
    pub fn over(&self) -> &BTreeSet<OpId> {
        &self.over
    }

    /// The same operation with the values of these fields closed: what they were cannot be found from it.
    pub fn closed(mut self, fields: impl Fn(Field) -> bool) -> Self {
        let mut values = Values::with_room(self.values.len());
        for (field, value) in self.values.iter() {
            if fields(field) && value.text().is_some() {
                values.push(field, Value::Closed(value.hash(field)));
                self.secret = None;
            } else {
                values.push(field, value);
            }
        }
        self.values = values;
        self
    }
}

/// Whether an operation of this kind may have these values.
fn check(section: Section, kind: Kind, values: &Values) -> Result<()> {
    let (fields, most) = match kind {
        Kind::Set => (section.columns().len(), MAX_ROW),
        Kind::Retract => (1, MAX_REASON),
        Kind::Restore => (0, 0),
    };
    if values.fields().any(|field| usize::from(field) >= fields) {
        return Err(Error::peer("sent an operation with a field that its section does not have"));
    }
    let texts = values.iter().filter_map(|(field, value)| Some((field, value.text()?)));
    let length: usize = texts.clone().map(|(_, text)| text.len()).sum();
    if length > most {
        return Err(Error::peer("sent an operation with too long values"));
    }
    for (field, text) in texts {
        let is_id = kind == Kind::Set && is_id(section, field);
        if !is_field(text) || (is_id && !text.is_empty() && !PersonId::is_one(text)) {
            return Err(Error::peer("sent a value that no row would give back as it is"));
        }
    }
    Ok(())
}

/// Whether this column holds a person's Id.
pub fn is_id(section: Section, field: Field) -> bool {
    match section {
        Section::People | Section::Replaced => field == 4,
        Section::Vaccinations => field == 0,
        Section::Camps => false,
    }
}

/// Whether a row with this field gives it back as it is.
fn is_field(text: &str) -> bool {
    // Nearly every value is plain, and known for it by its bytes.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b',');
    if text.as_bytes().iter().all(is_plain) && !text.starts_with(' ') && !text.ends_with(' ') {
        return true;
    }
    if text.contains('\0') || text.trim().len() != text.len() {
        return false;
    }
    if !text.contains(['"', ',', '\n', '\r']) {
        return true;
    }
    let line = fields::join(&[text]);
    let mut again = fields::split(&line);
    again.next().is_some_and(|field| field == text) && again.next().is_none()
}

#[cfg(test)]
pub(in crate::model::ledger) mod tests {
    use super::*;

    /// An operation on people, for tests.
    pub fn set(record: u8, secret: u8, values: &[(Field, &str)], over: &[OpId]) -> Operation {
        let about = About { section: Section::People, record: [record; 16].into() };
        let values = values.iter().map(|(field, text)| (*field, (*text).to_owned())).collect();
        let over = over.iter().copied().collect();
        Operation::open(about, Kind::Set, [secret; 16].into(), values, over).expect("right")
    }

    #[test]
    fn an_operation_is_named_by_all_that_it_says() {
        let plain = set(1, 1, &[(0, "Ana")], &[]);
        for other in [
            set(2, 1, &[(0, "Ana")], &[]),
            set(1, 2, &[(0, "Ana")], &[]),
            set(1, 1, &[(1, "Ana")], &[]),
            set(1, 1, &[(0, "Bo")], &[]),
            set(1, 1, &[(0, "Ana"), (1, "")], &[]),
            set(1, 1, &[(0, "Ana")], &[plain.id()]),
        ] {
            assert_ne!(other.id(), plain.id());
        }
        assert_eq!(set(1, 1, &[(0, "Ana")], &[]).id(), plain.id());
    }

    #[test]
    fn a_closed_value_keeps_the_name_and_cannot_be_found_by_guessing() {
        let open = set(1, 1, &[(0, "Ana"), (3, "missing"), (4, "17")], &[]);
        let shut = open.clone().closed(|field| field == 4);
        assert_eq!(shut.id(), open.id());
        assert_eq!(shut.values().get(4).and_then(|value| value.text()), None);
        assert_eq!(shut.values().get(0), open.values().get(0));
        assert!(shut.secret().is_none() && open.secret().is_some());
        // One value is opened alone: by its own salt, which says nothing of the others'.
        let about = open.about();
        let again = Operation::partly(about, Kind::Set, shut.values().clone(), BTreeSet::new());
        assert_eq!(again.expect("right").id(), open.id());
        let secret = Secret::from([1; 16]);
        let mut salts = Salts::new(&secret);
        let salts: BTreeSet<_> = (0..15).map(|field| salts.of(field)).collect();
        assert_eq!(salts.len(), 15);
    }

    #[test]
    fn values_that_no_row_gives_back_are_refused() {
        let try_one = |section, kind, field, text: &str| {
            let about = About { section, record: [1; 16].into() };
            let values = BTreeMap::from([(field, text.to_owned())]);
            Operation::open(about, kind, [1; 16].into(), values, BTreeSet::new()).is_ok()
        };
        for wrong in [" Ana", "a\rb", "a\n\nb", "\0", "a\nb\nc\nd\ne"] {
            assert!(!try_one(Section::People, Kind::Set, 0, wrong), "{wrong:?}");
        }
        for right in ["", "Ana", "a, \"b\"", "a\nb", "\u{1000}"] {
            assert!(try_one(Section::People, Kind::Set, 0, right), "{right:?}");
        }
        assert!(!try_one(Section::People, Kind::Set, 5, "x"), "no such column");
        assert!(!try_one(Section::People, Kind::Set, 4, "call me"), "no Id");
        assert!(!try_one(Section::Vaccinations, Kind::Set, 0, "x"), "no Id");
        assert!(!try_one(Section::People, Kind::Set, 0, &"x".repeat(MAX_ROW + 1)));
        assert!(try_one(Section::People, Kind::Retract, 0, "entered twice"));
        assert!(!try_one(Section::People, Kind::Restore, 0, "x"));
        let many = (0..=u8::try_from(MAX_OVER).expect("small")).map(|byte| [byte; 32].into());
        let about = About { section: Section::People, record: [1; 16].into() };
        let over: BTreeSet<_> = many.collect();
        let secret = [1; 16].into();
        assert!(Operation::open(about, Kind::Set, secret, BTreeMap::new(), over).is_err());
    }

    #[test]
    fn what_is_told_of_people_stays_out_of_logs() {
        let shown = format!("{:?}", set(1, 7, &[(0, "Ana")], &[]));
        assert!(!shown.contains("Ana") && !shown.contains("07"), "{shown}");
    }
}
