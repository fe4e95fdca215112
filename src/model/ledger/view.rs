//! A record as it stands: what is shown of it, what else is held against that, and how a person changes it.

use crate::base::error::Result;
use crate::model::ledger::graph::Standing;
use crate::model::ledger::history::Note;
use crate::model::ledger::names::OpId;
use crate::model::ledger::operation::{About, Field, Kind, Operation, Secret};
use crate::model::limits::{MAX_OVER, MAX_ROW};
use crate::model::row::Row;
use crate::model::section::Section;
use rand::CryptoRng;
use std::collections::{BTreeMap, BTreeSet};

/// What stands for the end of a field that does not fit into its row.
const CUT: char = '…';

/// A value that holds: no later operation has replaced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The value; `None` if it was withheld.
    pub value: Option<String>,
    /// Who wrote it.
    pub operation: OpId,
    /// Where that stands first.
    pub note: Note,
}

/// A record as somebody sees it. What they change is over exactly this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    about: About,
    columns: Vec<Vec<Candidate>>,
    /// All operations whose value holds, for each column.
    holders: Vec<BTreeSet<OpId>>,
    heads: BTreeSet<OpId>,
    complete: BTreeSet<OpId>,
    hidden: bool,
}

/// A view while it is being put together.
#[derive(Debug)]
pub struct Parts {
    columns: Vec<Vec<Candidate>>,
    heads: BTreeSet<OpId>,
    complete: BTreeSet<OpId>,
    hidden: bool,
}

impl Parts {
    /// Nothing yet, of a record of this section.
    pub fn new(section: Section) -> Self {
        let columns = vec![Vec::new(); section.columns().len()];
        Self { columns, heads: BTreeSet::new(), complete: BTreeSet::new(), hidden: true }
    }

    /// Adds an operation on the record.
    pub fn operation(&mut self, id: OpId, kind: Kind, standing: Standing) {
        if standing.is_head {
            self.heads.insert(id);
            self.hidden &= kind == Kind::Retract;
        }
        if standing.is_complete_head {
            self.complete.insert(id);
        }
    }

    /// Adds a value that holds.
    pub fn value(&mut self, field: Field, candidate: Candidate) {
        if let Some(column) = self.columns.get_mut(usize::from(field)) {
            column.push(candidate);
        }
    }

    /// The view that these are.
    pub fn view(mut self, about: About) -> View {
        let holders = |column: &Vec<Candidate>| column.iter().map(|one| one.operation).collect();
        let holders = self.columns.iter().map(holders).collect();
        self.columns.iter_mut().for_each(rank);
        let Self { columns, heads, complete, hidden } = self;
        View { about, columns, holders, heads, complete, hidden }
    }
}

/// Sorts the values of a column, the one to be shown first, each value once.
fn rank(column: &mut Vec<Candidate>) {
    let key = |one: &Candidate| {
        let author = *one.note.name.author.as_bytes();
        (one.value.is_some(), one.note.lamport, author, one.operation)
    };
    column.sort_by_key(|one| std::cmp::Reverse(key(one)));
    let mut seen = BTreeSet::new();
    column.retain(|one| seen.insert(one.value.clone()));
    // What was withheld is no other version.
    if column.iter().any(|one| one.value.is_some()) {
        column.retain(|one| one.value.is_some());
    }
}

impl View {
    /// Which record it is.
    pub fn about(&self) -> About {
        self.about
    }

    /// Whether it was retracted, by somebody who had seen all of it.
    pub fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// What holds in this column: the shown value first, then the others, newest first.
    pub fn column(&self, field: Field) -> &[Candidate] {
        self.columns.get(usize::from(field)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The columns in which more than one value holds.
    pub fn conflicts(&self) -> impl Iterator<Item = (Field, &[Candidate])> {
        let columns = (0..).zip(&self.columns);
        columns
            .filter(|(_, column)| column.len() > 1)
            .map(|(field, column)| (field, column.as_slice()))
    }

    /// The operations that nothing is over: what a person who sees this has seen.
    pub fn heads(&self) -> &BTreeSet<OpId> {
        &self.heads
    }

    /// The row that is shown of it.
    pub fn row(&self) -> Row {
        let value = |column: &Vec<Candidate>| column.first().and_then(|one| one.value.clone());
        fit(self.columns.iter().map(|column| value(column).unwrap_or_default()).collect())
    }

    /// Rows that say what else is held of it: each is the row that is shown, with another value in one field.
    pub fn other_rows(&self) -> Vec<Row> {
        let shown: Vec<_> = self.row().fields().map(|field| field.into_owned()).collect();
        let mut rows = Vec::new();
        for (field, column) in self.conflicts() {
            for value in column.iter().skip(1).filter_map(|one| one.value.clone()) {
                let mut fields = shown.clone();
                if let Some(place) = fields.get_mut(usize::from(field)) {
                    *place = value;
                }
                rows.push(Row::new(&fields));
            }
        }
        rows
    }

    /// The fields in which `row` says something else than is shown.
    pub fn changes(&self, row: &Row) -> BTreeMap<Field, String> {
        let shown = self.row();
        let both = (0..).zip(shown.fields().zip(row.fields()));
        both.filter(|(_, (shown, new))| shown != new)
            .map(|(field, (_, new))| (field, new.into_owned()))
            .collect()
    }

    /// Whether all that others saw of it has come.
    pub fn is_complete(&self) -> bool {
        self.complete == self.heads
    }

    /// Gives fields these values. A value that is shown already settles a conflict if it is written again.
    ///
    /// Of a record that is not complete each field is an operation of its own, over what is complete and what holds
    /// in that field: so nothing is replaced that has not come yet and nobody here has seen.
    pub fn edit(
        &self,
        values: BTreeMap<Field, String>,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Operation>> {
        if self.is_complete() || values.is_empty() {
            return self.over(Kind::Set, values, self.heads.clone(), rng);
        }
        let mut made = Vec::new();
        for (field, value) in values {
            let holders = self.holders.get(usize::from(field)).into_iter().flatten();
            let over = self.complete.iter().chain(holders).copied().collect();
            made.extend(self.over(Kind::Set, BTreeMap::from([(field, value)]), over, rng)?);
        }
        Ok(made)
    }

    /// Hides the record. Whoever edits it without having seen this brings it back.
    pub fn retract(&self, reason: &str, rng: &mut impl CryptoRng) -> Result<Vec<Operation>> {
        let reason = BTreeMap::from([(0, reason.trim().to_owned())]);
        self.over(Kind::Retract, reason, self.heads.clone(), rng)
    }

    /// Shows it again.
    pub fn restore(&self, rng: &mut impl CryptoRng) -> Result<Vec<Operation>> {
        self.over(Kind::Restore, BTreeMap::new(), self.heads.clone(), rng)
    }

    fn over(
        &self,
        kind: Kind,
        values: BTreeMap<Field, String>,
        mut heads: BTreeSet<OpId>,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Operation>> {
        // There is more than one operation if there are more versions than one can be over.
        let mut made = Vec::new();
        while heads.len() > MAX_OVER {
            let some: BTreeSet<_> = heads.iter().take(MAX_OVER).copied().collect();
            heads.retain(|head| !some.contains(head));
            let secret = Secret::random(rng);
            let join = Operation::open(self.about, Kind::Set, secret, BTreeMap::new(), some)?;
            heads.insert(join.id());
            made.push(join);
        }
        made.push(Operation::open(self.about, kind, Secret::random(rng), values, heads)?);
        Ok(made)
    }
}

/// The row of these values. Written apart from each other, they can be longer together than a row may be: then the
/// longest are shown cut.
pub fn fit(mut values: Vec<String>) -> Row {
    loop {
        let row = Row::new(&values);
        if row.line().len() <= MAX_ROW {
            return row;
        }
        let Some(longest) = values.iter_mut().max_by_key(|value| value.len()) else { return row };
        let half = (0..=longest.len() / 2).rev().find(|at| longest.is_char_boundary(*at));
        longest.truncate(half.unwrap_or_default());
        longest.truncate(longest.trim_end().len());
        longest.push(CUT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_too_long_together_are_cut_to_a_row() {
        let long = "\u{1000}".repeat(1200);
        let values = vec![long.clone(), "\"".repeat(1000), "short".into(), long, "17".into()];
        let row = fit(values);
        assert!(row.line().len() <= MAX_ROW && row.line().len() > MAX_ROW / 4);
        assert_eq!((row.field(2).as_ref(), row.field(4).as_ref()), ("short", "17"));
        assert!(row.field(0).ends_with(CUT) || row.field(3).ends_with(CUT));
    }
}
