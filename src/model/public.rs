//! What tier 2 may see of people: chosen column by column, so that a new column is withheld until it is named here.

use crate::model::records::id_of;
use crate::model::row::Row;
use crate::model::section::PUBLIC;
use crate::model::withheld::{WITHHELD, withhold};

/// A shorter Id could be a day or an age where it stands in another column.
const SHORT_ID: usize = 5;

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
}
