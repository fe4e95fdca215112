//! Turns the changes of one record into lines: what menu 13 and `reunite history` show.

use crate::model::keys::IdentityKey;
use crate::model::ledger::history::{Change, Note};
use crate::model::ledger::operation::{Field, Kind};
use crate::model::section::Section;
use crate::shell::ledger_words;
use std::collections::BTreeMap;

/// The lines that tell a history. `author` says whose a key is.
pub fn told(
    section: Section,
    changes: &[Change],
    author: &dyn Fn(&IdentityKey) -> String,
) -> Vec<String> {
    let mut before: BTreeMap<Field, String> = BTreeMap::new();
    let mut lines = Vec::new();
    for change in changes {
        let by = change.notes.first().map_or(String::new(), |note| signed(note, author));
        lines.push(by);
        match change.kind {
            Kind::Set => {}
            Kind::Retract => {
                let reason = change.values.first().and_then(|(_, reason)| reason.as_deref());
                lines.push(ledger_words::retracted(reason));
            }
            Kind::Restore => lines.push(ledger_words::RESTORED.to_owned()),
        }
        for (field, value) in change.values.iter().filter(|_| change.kind == Kind::Set) {
            let (name, new) = (column(section, *field), ledger_words::value(value.as_deref()));
            let old = before.insert(*field, new.clone());
            lines.push(ledger_words::changed(name, old.as_deref(), &new));
        }
        let others: Vec<_> = change.notes.iter().skip(1).map(|note| signed(note, author)).collect();
        lines.extend((!others.is_empty()).then(|| ledger_words::also(&others)));
    }
    lines
}

/// Who signed, and when by its clock.
pub fn signed(note: &Note, author: &dyn Fn(&IdentityKey) -> String) -> String {
    ledger_words::signed(&author(&note.name.author), note.wall)
}

/// The name of a column.
pub fn column(section: Section, field: Field) -> &'static str {
    section.columns().get(usize::from(field)).copied().unwrap_or("?")
}
