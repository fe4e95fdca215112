//! A row of the database, held as its one canonical line: two rows are the same if their lines are.

use crate::model::fields;
use std::borrow::{Borrow, Cow};
use std::sync::Arc;

/// A row: canonical, immutable, cheap to clone and to hand to another thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row(Arc<str>);

impl Row {
    /// The row with these fields.
    pub fn new<S: AsRef<str>>(values: &[S]) -> Self {
        Self(fields::join(values).into())
    }

    /// The row of a line that is canonical already.
    pub(in crate::model) fn canonical(line: &str) -> Self {
        debug_assert_eq!(fields::join(&fields::split(line).collect::<Vec<_>>()), line);
        Self(line.into())
    }

    /// The canonical line, without a line break at its end.
    pub fn line(&self) -> &str {
        &self.0
    }

    /// The fields, in the order of the section's columns.
    pub fn fields(&self) -> impl Iterator<Item = Cow<'_, str>> {
        fields::split(&self.0)
    }

    /// The field of column `at`, empty if there is none.
    pub fn field(&self, at: usize) -> Cow<'_, str> {
        self.fields().nth(at).unwrap_or_default()
    }
}

impl Borrow<str> for Row {
    fn borrow(&self) -> &str {
        &self.0
    }
}
