//! What tier 2 may see: chosen column by column, so that a new column is withheld until it is named here.

use crate::model::records::id_of;
use crate::model::row::Row;
use crate::model::section::PUBLIC;

/// Digits in a run from which on it could be an Id that somebody typed into the wrong column.
const LONG_NUMBER: usize = 12;
/// A shorter Id could be a day or an age where it stands in another column.
const SHORT_ID: usize = 5;
/// What stands in the place of a number that is withheld.
const WITHHELD: &str = "(number withheld)";

/// The public row of a row of `People`: name, appearance, last seen and status; never the Id, also not
/// where it was typed into one of these.
pub fn public(person: &Row) -> Row {
    let id = id_of(person).filter(|id| id.len() >= SHORT_ID);
    let open = person.fields().take(PUBLIC.len()).map(|field| match id {
        Some(id) => withhold(&field.replace(id, WITHHELD)),
        None => withhold(&field),
    });
    Row::new(&open.collect::<Vec<_>>())
}

/// Whether nothing would be withheld of this line, which has no Id of its own.
pub fn is_public(line: &str) -> bool {
    line.as_bytes().split(|byte| !byte.is_ascii_digit()).all(|run| run.len() < LONG_NUMBER)
}

fn withhold(field: &str) -> String {
    let mut open = String::with_capacity(field.len());
    let mut rest = field;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let length = from.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = from.split_at(length);
        open.push_str(before);
        open.push_str(if length < LONG_NUMBER { digits } else { WITHHELD });
        rest = after;
    }
    open.push_str(rest);
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_never_leaves_also_from_a_wrong_column() {
        let row = Row::new(&[
            "Nur",
            "scar, Id 482915736620194857",
            "12/8/24",
            "missing",
            "482915736620194857",
        ]);
        assert_eq!(public(&row).line(), "Nur, \"scar, Id (number withheld)\", 12/8/24, missing");
        let row = Row::new(&["Nur 1600909", "", "", "", "1600909"]);
        assert_eq!(public(&row).line(), "Nur (number withheld), , ,");
        assert_eq!(public(&Row::new(&["a", "", "", "", "12"])).line(), "a, , ,");
    }

    #[test]
    fn a_line_is_public_if_nothing_in_it_would_be_withheld() {
        for line in
            ["Nur, scar, 12/8/24, missing", "12345678901, , , 12345678901", "١٢٣٤٥٦٧٨٩٠١٢, , ,"]
        {
            assert!(is_public(line), "{line}");
            assert_eq!(withhold(line), line);
        }
        for line in ["Nur, scar 482915736620, , ", "x123456789012y, , ,"] {
            assert!(!is_public(line), "{line}");
            assert_ne!(withhold(line), line);
        }
    }
}
