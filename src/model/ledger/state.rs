//! All operations that count, and what they say together. A union: order, repetition and clocks do not matter, and
//! who has the same operations has the same rows, to the byte.
//!
//! An operation takes 24 bytes besides its name, its values and what it is over. One that others are over and that
//! has not come yet has a place too: nothing waits for it, and what it changes is right as soon as it comes.

use crate::base::error::{Error, Result};
use crate::model::ledger::arena::Arena;
use crate::model::ledger::block::Verified;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::graph::{Node, Standing, standings};
use crate::model::ledger::history::{Change, Note};
use crate::model::ledger::names::{BlockHash, OpId, RecordId};
use crate::model::ledger::operation::{About, Field, Kind, Operation};
use crate::model::ledger::view::{Candidate, Parts, View};
use crate::model::limits::{MAX_OTHER_ROWS, MAX_PEOPLE};
use crate::model::offer::{tag, tagged};
use crate::model::row::Row;
use crate::model::section::Section;
use indexmap::IndexMap;
use indexmap::map::Entry as Entered;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// No record, no operation.
pub(super) const NONE: u32 = u32::MAX;

/// The column of a person's Id.
const ID: Field = 4;

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) block: u32,
    pub(super) position: u16,
}

/// An operation. It is known by its place in `ops`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// The first of its places; of one that has not come yet it says nothing.
    pub(super) place: Place,
    /// Of which record; `NONE` if it has not come yet.
    record: u32,
    /// The next operation of that record.
    pub(super) next: u32,
    /// Where its values are.
    pub(super) values: u32,
    /// A bit for each field that has one.
    fields: u16,
    pub(super) kind: Kind,
}

impl Slot {
    const MISSING: Self = Self {
        place: Place { block: NONE, position: 0 },
        record: NONE,
        next: NONE,
        values: 0,
        fields: 0,
        kind: Kind::Set,
    };

    pub(super) fn count(&self) -> usize {
        usize::try_from(self.fields.count_ones()).unwrap_or_default()
    }

    /// The fields that it gives a value, as bits. The reason of a retraction is no field.
    fn writes(&self) -> u16 {
        if self.kind == Kind::Set { self.fields } else { 0 }
    }

    fn numbers(&self) -> impl Iterator<Item = Field> + use<> {
        let fields = self.fields;
        (0..16).filter(move |field| fields >> field & 1 == 1)
    }
}

/// What applying a block did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Operations that were not here.
    pub new: usize,
    /// Operations that were.
    pub known: usize,
    /// Records that were here already and changed.
    pub records: HashSet<About>,
}

/// What became of an operation.
enum Took {
    /// It is the first of its record that came.
    Begun,
    /// It is a further one.
    Changed,
    /// It was here.
    Known,
}

/// All operations that count.
#[derive(Debug, Default)]
pub struct State {
    ops: IndexMap<OpId, Slot>,
    /// Of each record the last operation that came.
    pub(super) records: IndexMap<(u8, RecordId), u32>,
    /// How many records of each section there are.
    begun: HashMap<u8, usize>,
    /// Of operations that are over others: which.
    over: HashMap<u32, Box<[u32]>>,
    /// Further places of operations that stand in several.
    again: HashMap<u32, BTreeSet<Place>>,
    pub(super) blocks: IndexMap<BlockHash, Note>,
    pub(super) values: Arena,
    /// Records of people that were given an Id after they were begun, by that Id: they are not named by it.
    given: HashMap<Box<str>, RecordId>,
}

impl State {
    /// Takes the changes of a block. It must count, see `Chains::counts`.
    pub fn apply(&mut self, block: &Verified) -> Result<Applied> {
        let header = block.header();
        let (name, sequence) = (header.name, header.sequence);
        let note = Note { name, sequence, lamport: header.lamport, wall: header.wall };
        let (at, _) = self.blocks.insert_full(block.signed().hash(), note);
        let index = narrow(at)?;
        let mut applied = Applied::default();
        for (position, entry) in (0..).zip(block.entries()) {
            if let Entry::Change(operation) = entry {
                match self.take(operation, Place { block: index, position })? {
                    Took::Begun => applied.new += 1,
                    Took::Changed => {
                        applied.new += 1;
                        applied.records.insert(operation.about());
                    }
                    Took::Known => applied.known += 1,
                }
            }
        }
        Ok(applied)
    }

    /// How many records there are, hidden ones counted in.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether so many records more of a section may be begun: readers take no more.
    pub fn has_room(&self, section: Section, more: usize) -> bool {
        let most = if section == Section::People { MAX_PEOPLE } else { MAX_OTHER_ROWS };
        let begun = tag(section).and_then(|tag| self.begun.get(&tag)).copied().unwrap_or_default();
        begun.saturating_add(more) <= most
    }

    /// Whether anything has come of this record.
    pub fn has_record(&self, about: About) -> bool {
        tag(about.section).is_some_and(|tag| self.records.contains_key(&(tag, about.record)))
    }

    /// The record of people that somebody gave this Id after it was begun.
    pub fn given(&self, id: &str) -> Option<RecordId> {
        self.given.get(id).copied()
    }

    /// Whether this operation has come.
    pub fn has(&self, id: &OpId) -> bool {
        self.ops.get(id).is_some_and(|slot| slot.record != NONE)
    }

    /// How many operations others are over have not come yet.
    pub fn awaited(&self) -> usize {
        self.ops.values().filter(|slot| slot.record == NONE).count()
    }

    /// Records that somebody changed who had seen something of them that is not here; at most so many.
    pub fn lacking(&self, most: usize) -> Vec<About> {
        let missing = |at: &u32| self.op(*at).is_none_or(|(_, slot)| slot.record == NONE);
        let over = self.over.iter().filter(|(_, over)| over.iter().any(missing));
        let mut records: Vec<_> = over.filter_map(|(at, _)| Some(self.op(*at)?.1.record)).collect();
        records.sort_unstable();
        records.dedup();
        let about = |at: &u32| {
            let ((tag, record), _) = self.records.get_index(usize::try_from(*at).ok()?)?;
            Some(About { section: tagged(*tag)?, record: *record })
        };
        records.iter().filter_map(about).take(most).collect()
    }

    /// A record as it stands; `None` if there is none of this name.
    pub fn view(&self, about: About) -> Option<View> {
        let members = self.members(about)?;
        let standings = self.standings(&members);
        let mut parts = Parts::new(about.section);
        for (at, standing) in members.iter().zip(standings) {
            let (id, slot) = self.op(*at)?;
            parts.operation(*id, slot.kind, standing);
            for (field, value) in slot.numbers().zip(self.values.values(slot.values, slot.count()))
            {
                if standing.holds >> field & 1 == 1 {
                    let (value, note) = (value.map(str::to_owned), self.note(slot.place)?);
                    parts.value(field, Candidate { value, operation: *id, note });
                }
            }
        }
        Some(parts.view(about))
    }

    /// All records, in no order that means something.
    pub fn records(&self) -> impl Iterator<Item = About> {
        self.records
            .keys()
            .filter_map(|(tag, record)| Some(About { section: tagged(*tag)?, record: *record }))
    }

    /// What happened to a record, the first first.
    pub fn history(&self, about: About) -> Vec<Change> {
        let members = self.members(about).unwrap_or_default();
        let mut changes: Vec<_> = members.iter().filter_map(|at| self.change(*at)).collect();
        changes.sort_by(|one, other| {
            let first = one.notes.iter().zip(&other.notes).next();
            let order = first.map_or(Ordering::Equal, |(one, other)| one.order(other));
            order.then(one.operation.cmp(&other.operation))
        });
        changes
    }

    /// Whether some operation on this record ever gave this field this value.
    pub fn ever_held(&self, about: About, field: Field, text: &str) -> bool {
        let members = self.members(about).unwrap_or_default();
        members.iter().filter_map(|at| self.op(*at)).any(|(_, slot)| {
            let values = slot.numbers().zip(self.values.values(slot.values, slot.count()));
            slot.kind == Kind::Set
                && values.into_iter().any(|(number, value)| number == field && value == Some(text))
        })
    }

    // --- taking ---

    /// Takes one operation.
    fn take(&mut self, operation: &Operation, place: Place) -> Result<Took> {
        if self.has(&operation.id()) {
            let at = self.slot_of(operation.id())?;
            self.meet_again(at, operation, place);
            return Ok(Took::Known);
        }
        let About { section, record } = operation.about();
        let name = (tag(section).unwrap_or_default(), record);
        // What finds no room must leave nothing behind.
        if !self.records.contains_key(&name) && !self.has_room(section, 1) {
            return Err(Error::Full { what: "records" });
        }
        let values = self.store(operation)?;
        let at = self.slot_of(operation.id())?;
        if !operation.over().is_empty() {
            let over = operation.over().iter().map(|id| self.slot_of(*id));
            let over = over.collect::<Result<Box<_>>>()?;
            self.over.insert(at, over);
            if section == Section::People {
                let id = operation.values().get(ID).and_then(|value| value.text());
                if let Some(id) = id.filter(|id| !id.is_empty()) {
                    // Of several the same one everywhere, whichever came first.
                    let given = self.given.entry(id.into()).or_insert(record);
                    *given = record.min(*given);
                }
            }
        }
        let entry = self.records.entry(name);
        let record = narrow(entry.index())?;
        let next = match entry {
            Entered::Occupied(mut last) => last.insert(at),
            Entered::Vacant(vacant) => {
                vacant.insert(at);
                *self.begun.entry(name.0).or_default() += 1;
                NONE
            }
        };
        let fields = operation.values().fields().fold(0, |bits, field| bits | 1 << field.min(15));
        let kind = operation.kind();
        if let Some(slot) = self.slot_mut(at) {
            *slot = Slot { place, record, next, values, fields, kind };
        }
        Ok(if next == NONE { Took::Begun } else { Took::Changed })
    }

    fn store(&mut self, operation: &Operation) -> Result<u32> {
        let texts = operation.values().iter().map(|(_, value)| value.text());
        self.values.store(texts).ok_or(Error::Full { what: "values in memory" })
    }

    /// An operation that is here stands in another block too, or comes with values that were closed so far.
    fn meet_again(&mut self, at: u32, operation: &Operation, place: Place) {
        let Some(slot) = self.op(at).map(|(_, slot)| *slot) else { return };
        if slot.place.block != place.block && !self.stands_in(at, place.block) {
            let first = match (self.note(place), self.note(slot.place)) {
                (Some(new), Some(old)) => {
                    new.order(&old).then(place.position.cmp(&slot.place.position)).is_lt()
                }
                _ => false,
            };
            let (first, other) = if first { (place, slot.place) } else { (slot.place, place) };
            self.again.entry(at).or_default().insert(other);
            if let Some(slot) = self.slot_mut(at) {
                slot.place = first;
            }
        }
        let closed = self.values.values(slot.values, slot.count()).any(|value| value.is_none());
        if closed && operation.secret().is_some() {
            if let Ok(values) = self.store(operation) {
                if let Some(slot) = self.slot_mut(at) {
                    slot.values = values;
                }
            }
        }
    }

    /// Whether a block is one of the further ones in which an operation stands.
    fn stands_in(&self, at: u32, block: u32) -> bool {
        let place = |position| Place { block, position };
        let all = self.again.get(&at).map(|all| all.range(place(0)..=place(u16::MAX)));
        all.is_some_and(|mut all| all.next().is_some())
    }

    /// The place of an operation in memory, kept free for it if it has not come yet.
    fn slot_of(&mut self, id: OpId) -> Result<u32> {
        let entry = self.ops.entry(id);
        let at = narrow(entry.index())?;
        entry.or_insert(Slot::MISSING);
        Ok(at)
    }

    // --- looking ---

    pub(super) fn op(&self, at: u32) -> Option<(&OpId, &Slot)> {
        self.ops.get_index(usize::try_from(at).ok()?)
    }

    fn slot_mut(&mut self, at: u32) -> Option<&mut Slot> {
        self.ops.get_index_mut(usize::try_from(at).ok()?).map(|(_, slot)| slot)
    }

    fn note(&self, place: Place) -> Option<Note> {
        self.blocks.get_index(usize::try_from(place.block).ok()?).map(|(_, note)| *note)
    }

    /// The operations of a record, from the last that came.
    pub(super) fn chain(&self, last: u32) -> impl Iterator<Item = u32> {
        let next = |at: &u32| self.op(*at).map(|(_, slot)| slot.next).filter(|next| *next != NONE);
        std::iter::successors(Some(last).filter(|last| *last != NONE), next)
    }

    /// The operations of a record, ascending.
    fn members(&self, about: About) -> Option<Vec<u32>> {
        let last = self.records.get(&(tag(about.section)?, about.record))?;
        let mut members: Vec<_> = self.chain(*last).collect();
        members.sort_unstable();
        Some(members)
    }

    /// What became of these operations, all of one record. Links to other records do not count.
    fn standings(&self, members: &[u32]) -> Vec<Standing> {
        let node = |at: &u32| {
            let links = self.over.get(at).map(|over| &**over).unwrap_or_default();
            let over = links.iter().filter_map(|at| members.binary_search(at).ok()).collect();
            let writes = self.op(*at).map_or(0, |(_, slot)| slot.writes());
            let missing = |at: &u32| self.op(*at).is_none_or(|(_, slot)| slot.record == NONE);
            Node { writes, over, lacks: links.iter().any(missing) }
        };
        standings(&members.iter().map(node).collect::<Vec<_>>())
    }

    fn change(&self, at: u32) -> Option<Change> {
        let (id, slot) = self.op(at)?;
        let values = self.values.values(slot.values, slot.count());
        let over = self.over.get(&at).map(|over| &**over).unwrap_or_default();
        let places = std::iter::once(&slot.place).chain(self.again.get(&at).into_iter().flatten());
        let mut notes: Vec<_> = places.filter_map(|place| self.note(*place)).collect();
        notes.sort_by(Note::order);
        Some(Change {
            operation: *id,
            kind: slot.kind,
            values: slot.numbers().zip(values.map(|value| value.map(str::to_owned))).collect(),
            over: over.iter().filter_map(|at| self.op(*at)).map(|(id, _)| *id).collect(),
            notes,
        })
    }
}

/// A place as it is kept in memory.
fn narrow(at: usize) -> Result<u32> {
    let at = u32::try_from(at).ok().filter(|at| *at != NONE);
    at.ok_or(Error::Full { what: "operations in memory" })
}

/// The values of a row, by their fields.
pub fn values_of(row: &Row) -> BTreeMap<Field, String> {
    (0..).zip(row.fields()).map(|(field, value)| (field, value.into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::operation::tests::set;
    use crate::model::ledger::pen::Pen;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn block(author: u8, lamport: u64, operations: &[Operation]) -> Verified {
        let identity = Identity::new(SecretKey::from([author; 32]));
        let entries = operations.iter().cloned().map(Entry::Change).collect();
        Pen::begin(&identity, lamport.into()).sign(entries, lamport, 0).expect("room")
    }

    fn state(blocks: &[&Verified]) -> State {
        let mut state = State::default();
        blocks.iter().for_each(|block| assert!(state.apply(block).is_ok()));
        state
    }

    fn status(state: &State, of: &Operation) -> Vec<String> {
        let view = state.view(of.about()).expect("there");
        view.column(3).iter().filter_map(|one| one.value.clone()).collect()
    }

    #[test]
    fn the_shown_value_is_of_the_highest_lamport_number_then_author() {
        let base = set(1, 1, &[(3, "missing")], &[]);
        let found = set(1, 2, &[(3, "found")], &[base.id()]);
        let dead = set(1, 3, &[(3, "deceased")], &[base.id()]);
        let first = block(1, 1, std::slice::from_ref(&base));
        let (found, dead) = (&[found][..], &[dead][..]);
        let one = [&first, &block(1, 2, found), &block(2, 3, dead)];
        assert_eq!(status(&state(&one), &base), ["deceased", "found"]);
        let other = [&first, &block(1, 4, found), &block(2, 3, dead)];
        assert_eq!(status(&state(&other), &base), ["found", "deceased"]);
        let (a, b) = (block(1, 2, found), block(2, 2, dead));
        let higher = a.header().name.author.as_bytes() > b.header().name.author.as_bytes();
        let shown = if higher { "found" } else { "deceased" };
        assert_eq!(status(&state(&[&first, &a, &b]), &base)[0], shown);
    }

    #[test]
    fn a_retraction_beside_an_edit_leaves_the_record_visible() {
        let base = set(1, 1, &[(3, "missing")], &[]);
        let mut here = state(&[&block(1, 1, std::slice::from_ref(&base))]);
        let view = here.view(base.about()).expect("there");
        let mut rng = StdRng::seed_from_u64(1);
        let gone = view.retract("twice", &mut rng).expect("right");
        let edit = view.edit(BTreeMap::from([(3, "found".into())]), &mut rng).expect("right");
        here.apply(&block(1, 2, &gone)).expect("room");
        assert!(here.rows(Section::People).is_empty());
        here.apply(&block(2, 2, &edit)).expect("room");
        assert_eq!(here.rows(Section::People)[0].line(), ", , , found,");
    }

    #[test]
    fn what_is_missing_is_not_waited_for_and_not_replaced_unawares() {
        let base = set(1, 1, &[(0, "Ana"), (3, "missing")], &[]);
        let found = set(1, 2, &[(3, "found")], &[base.id()]);
        let mut here = state(&[&block(2, 2, std::slice::from_ref(&found))]);
        assert_eq!((here.awaited(), here.rows(Section::People).len()), (1, 1));
        // Somebody who sees no name gives one, and another status.
        let view = here.view(found.about()).expect("there");
        assert!(!view.is_complete());
        let values = BTreeMap::from([(0, "Bo".to_owned()), (3, "deceased".to_owned())]);
        let edit = view.edit(values, &mut StdRng::seed_from_u64(1)).expect("right");
        here.apply(&block(3, 3, &edit)).expect("room");
        assert_eq!(status(&here, &base), ["deceased"]);
        here.apply(&block(1, 1, std::slice::from_ref(&base))).expect("room");
        assert_eq!(here.awaited(), 0);
        let view = here.view(base.about()).expect("there");
        assert_eq!((view.is_complete(), view.column(0).len(), view.column(3).len()), (true, 2, 1));
    }

    #[test]
    fn who_sees_more_versions_than_one_operation_can_be_over_settles_them_all() {
        let versions: Vec<_> = (0..200).map(|n| set(1, n, &[(3, &n.to_string())], &[])).collect();
        let mut here = state(&[&block(1, 1, &versions)]);
        let view = here.view(versions[0].about()).expect("there");
        assert_eq!(view.column(3).len(), 200);
        let values = BTreeMap::from([(3, "found".to_owned())]);
        let made = view.edit(values, &mut StdRng::seed_from_u64(1)).expect("right");
        assert_eq!(made.len(), 4);
        here.apply(&block(1, 2, &made)).expect("room");
        assert_eq!(status(&here, &versions[0]), ["found"]);
    }

    #[test]
    fn links_to_other_records_replace_nothing() {
        let ana = set(1, 1, &[(3, "missing")], &[]);
        let bo = set(2, 2, &[(3, "found")], &[ana.id()]);
        let here = state(&[&block(1, 1, &[ana.clone(), bo.clone()])]);
        assert_eq!(status(&here, &ana), ["missing"]);
        assert!(here.view(bo.about()).expect("there").is_complete());
    }

    #[test]
    fn rows_stand_in_the_order_in_which_their_records_were_begun() {
        let names = ["Cy", "Ana", "Bo"];
        let people: Vec<_> =
            (0..3).map(|n| set(n, n, &[(0, names[usize::from(n)])], &[])).collect();
        let edit = set(0, 9, &[(0, "Cyd")], &[people[0].id()]);
        let (one, late) = (block(1, 1, &people), block(2, 5, &[edit]));
        let line = |state: State| {
            state
                .rows(Section::People)
                .iter()
                .map(|row| row.field(0).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(line(state(&[&one, &late])), ["Cyd", "Ana", "Bo"]);
        assert_eq!(line(state(&[&late, &one, &late])), ["Cyd", "Ana", "Bo"]);
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter(
            picks in prop::collection::vec((0u8..3, 0u8..4, any::<u8>()), 1..12),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let mut made: Vec<Operation> = Vec::new();
            for (at, (record, field, over)) in (0u8..).zip(&picks) {
                let over = made.iter().enumerate().filter(|(n, _)| over >> (n % 8) & 1 == 1);
                let over: Vec<_> = over.map(|(_, one)| one.id()).collect();
                made.push(set(*record, at, &[(*field, &at.to_string())], &over));
            }
            let blocks: Vec<_> =
                made.iter().zip(1..).map(|(one, n)| block((n % 3) as u8, n, std::slice::from_ref(one))).collect();
            let all: Vec<_> = blocks.iter().collect();
            let mixed: Vec<_> = order.iter().map(|at| at.get(&blocks)).chain(blocks.iter().rev()).collect();
            let (one, other) = (state(&all), state(&mixed));
            prop_assert_eq!(one.rows(Section::People), other.rows(Section::People));
            prop_assert_eq!(one.conflicts(), other.conflicts());
            for about in one.records() {
                prop_assert_eq!(one.history(about), other.history(about));
            }
        }
    }
}
