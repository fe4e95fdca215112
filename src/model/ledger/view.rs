//! A record as it stands: what is shown of it, what else is held against that, and how a person changes it.

use crate::base::error::Result;
use crate::model::ledger::history::Note;
use crate::model::ledger::names::OpId;
use crate::model::ledger::operation::{About, Field, Kind, Operation, Secret};
use crate::model::limits::{MAX_OVER, MAX_ROW};
use crate::model::row::Row;
use rand::CryptoRng;
use std::collections::{BTreeMap, BTreeSet};

/// What stands for the end of a field that does not fit into its row.
const CUT: char = '…';

/// A value that holds: no later operation has replaced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The value; `None` if it was withheld or erased.
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
    heads: BTreeSet<OpId>,
    hidden: bool,
}

impl View {
    /// The view of a record: of each column what holds, in any order; what nothing is over; and whether all of
    /// that are retractions.
    pub fn new(
        about: About,
        mut columns: Vec<Vec<Candidate>>,
        heads: BTreeSet<OpId>,
        hidden: bool,
    ) -> Self {
        for column in &mut columns {
            let rank = |one: &Candidate| {
                (one.value.is_some(), one.note.lamport, one.note.name.author, one.operation)
            };
            column.sort_by(|one, other| {
                let key = |one| {
                    let (open, lamport, author, operation) = rank(one);
                    (open, lamport, *author.as_bytes(), operation)
                };
                key(other).cmp(&key(one))
            });
            let mut seen = BTreeSet::new();
            column.retain(|one| seen.insert(one.value.clone()));
            // What was erased is no other version.
            if column.iter().any(|one| one.value.is_some()) {
                column.retain(|one| one.value.is_some());
            }
        }
        Self { about, columns, heads, hidden }
    }

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

    /// The fields in which `row` says something else than is shown.
    pub fn changes(&self, row: &Row) -> BTreeMap<Field, String> {
        let shown = self.row();
        let both = (0..).zip(shown.fields().zip(row.fields()));
        both.filter(|(_, (shown, new))| shown != new)
            .map(|(field, (_, new))| (field, new.into_owned()))
            .collect()
    }

    /// Gives fields these values. A value that is shown already settles a conflict if it is written again. There
    /// is more than one operation only if there were more versions than one can be over.
    pub fn edit(
        &self,
        values: BTreeMap<Field, String>,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Operation>> {
        self.over(Kind::Set, values, rng)
    }

    /// Hides the record. Whoever edits it without having seen this brings it back.
    pub fn retract(&self, reason: &str, rng: &mut impl CryptoRng) -> Result<Vec<Operation>> {
        self.over(Kind::Retract, BTreeMap::from([(0, reason.trim().to_owned())]), rng)
    }

    /// Shows it again.
    pub fn restore(&self, rng: &mut impl CryptoRng) -> Result<Vec<Operation>> {
        self.over(Kind::Restore, BTreeMap::new(), rng)
    }

    fn over(
        &self,
        kind: Kind,
        values: BTreeMap<Field, String>,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Operation>> {
        let (mut heads, mut made) = (self.heads.clone(), Vec::new());
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
