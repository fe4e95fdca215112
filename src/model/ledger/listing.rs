//! The records in the order in which people read them, and those that need somebody's eye.

use crate::model::ledger::names::RecordId;
use crate::model::ledger::operation::{About, Kind};
use crate::model::ledger::state::{NONE, Place, State};
use crate::model::ledger::view::{View, fit};
use crate::model::offer::{tag, tagged};
use crate::model::row::Row;
use crate::model::section::Section;
use crate::model::writer::Snapshot;
use std::cmp::Ordering;
use std::ops::Range;

/// A record's place in the memory of this node, where it stays. It means nothing anywhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot(u32);

/// How many records there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that are shown, of each section of `Section::SHOWN`.
    pub shown: [usize; 3],
    /// Records that were retracted.
    pub hidden: usize,
    /// Records of which some field has several values.
    pub contested: usize,
}

impl Counts {
    fn of(&mut self, section: Option<Section>) -> Option<&mut usize> {
        let at = Section::SHOWN.iter().position(|one| Some(*one) == section)?;
        self.shown.get_mut(at)
    }
}

impl State {
    /// The records of a section, hidden ones among them, in the order in which they were begun.
    pub fn order(&self, section: Section) -> Vec<Spot> {
        let ranks = self.ranks();
        let rank = |place: Place| {
            let block = usize::try_from(place.block).ok().and_then(|at| ranks.get(at));
            (block.copied().unwrap_or(NONE), place.position)
        };
        let mut order = Vec::new();
        for (at, ((tag_of, record), last)) in (0_u32..).zip(&self.records) {
            if tag(section) == Some(*tag_of) {
                let first = self.chain(*last).filter_map(|at| self.op(at));
                let first = first.map(|(_, slot)| rank(slot.place)).min();
                order.push((first, *record, at));
            }
        }
        order.sort_unstable();
        order.into_iter().map(|(_, _, at)| Spot(at)).collect()
    }

    /// Which record stands there.
    pub fn about(&self, spot: Spot) -> Option<About> {
        let (name, _) = self.records.get_index(usize::try_from(spot.0).ok()?)?;
        Some(About { section: tagged(name.0)?, record: name.1 })
    }

    /// The row that is shown of a record; `None` if it is hidden. Most records were never changed.
    pub fn row(&self, spot: Spot) -> Option<Row> {
        let about = self.about(spot)?;
        let (_, last) = self.records.get_index(usize::try_from(spot.0).ok()?)?;
        let (_, slot) = self.op(*last)?;
        let all = about.section.columns().len();
        if slot.next == NONE && slot.kind == Kind::Set && slot.count() == all {
            let values = self.values.values(slot.values, all);
            return Some(fit(values.map(|value| value.unwrap_or_default().to_owned()).collect()));
        }
        let view = self.view(about)?;
        (!view.is_hidden()).then(|| view.row())
    }

    /// The rows of a section in the order in which their records were begun.
    pub fn rows(&self, section: Section) -> Vec<Row> {
        self.order(section).into_iter().filter_map(|spot| self.row(spot)).collect()
    }

    /// How many records there are.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.count_among(0..self.len(), &mut counts);
        counts
    }

    /// Counts those of the records that came at these places among all.
    pub fn count_among(&self, places: Range<usize>, counts: &mut Counts) {
        for (tag, _) in
            self.records.get_range(places.clone()).into_iter().flat_map(|all| all.keys())
        {
            if let Some(shown) = counts.of(tagged(*tag)) {
                *shown += 1;
            }
        }
        for view in self.changed_among(places) {
            if !view.is_hidden() {
                counts.contested += usize::from(view.conflicts().next().is_some());
                continue;
            }
            counts.hidden += 1;
            if let Some(shown) = counts.of(Some(view.about().section)) {
                *shown -= 1;
            }
        }
    }

    /// Of the records that came at these places among all, those that somebody has changed or retracted. No others
    /// can be hidden or have several versions.
    pub fn changed_among(&self, places: Range<usize>) -> Vec<View> {
        let records = self.records.get_range(places).into_iter().flatten();
        let changed = records.filter(|(_, last)| self.is_changed(**last));
        let about = |(tag, record): &(u8, RecordId)| {
            Some(About { section: tagged(*tag)?, record: *record })
        };
        changed.filter_map(|(name, _)| self.view(about(name)?)).collect()
    }

    /// All rows, as the text file holds them.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { rows: Section::ALL.map(|section| self.rows(section)), kept: Vec::new() }
    }

    /// The records of which some field has several values, in the order of their names.
    pub fn conflicts(&self) -> Vec<View> {
        self.changed(|view| !view.is_hidden() && view.conflicts().next().is_some())
    }

    /// Whether more than so many operations are on this record.
    pub fn has_more(&self, about: About, most: usize) -> bool {
        let last = tag(about.section).and_then(|tag| self.records.get(&(tag, about.record)));
        last.is_some_and(|last| self.chain(*last).nth(most).is_some())
    }

    /// Whether some field of this record has several values.
    pub fn is_contested(&self, about: About) -> bool {
        let last = tag(about.section).and_then(|tag| self.records.get(&(tag, about.record)));
        let several = last.is_some_and(|last| self.chain(*last).nth(1).is_some());
        let view = if several { self.view(about) } else { None };
        view.is_some_and(|view| !view.is_hidden() && view.conflicts().next().is_some())
    }

    /// The records of which this holds, among those that somebody has changed.
    fn changed(&self, holds: impl Fn(&View) -> bool) -> Vec<View> {
        let several = self.records.iter().filter(|(_, last)| self.is_changed(**last));
        let mut names: Vec<_> = several.map(|(name, _)| *name).collect();
        names.sort_unstable();
        let about = |(tag, record)| Some(About { section: tagged(tag)?, record });
        let views = names.into_iter().filter_map(|name| self.view(about(name)?));
        views.filter(holds).collect()
    }

    /// Whether the record with this last operation was changed or retracted.
    fn is_changed(&self, last: u32) -> bool {
        let retracted = self.op(last).is_some_and(|(_, slot)| slot.kind == Kind::Retract);
        retracted || self.chain(last).nth(1).is_some()
    }

    /// Of each block its place among all, which is the same on all nodes for those that both have.
    fn ranks(&self) -> Vec<u32> {
        let notes: Vec<_> = self.blocks.values().collect();
        let mut order: Vec<_> = (0..notes.len()).collect();
        order.sort_by(|one, other| match (notes.get(*one), notes.get(*other)) {
            (Some(one), Some(other)) => one.order(other),
            _ => Ordering::Equal,
        });
        let mut ranks = vec![NONE; notes.len()];
        for (rank, at) in (0..).zip(order) {
            if let Some(place) = ranks.get_mut(at) {
                *place = rank;
            }
        }
        ranks
    }
}
