//! What tier 2 is not told: long numbers wherever they stand, and counts that are so small that they tell who.

use crate::model::record::{GROUPS, count};
use crate::model::row::Row;
use crate::model::section::CAMPS;

/// Digits in a run from which on it could be an Id that somebody typed into the wrong column.
const LONG_NUMBER: usize = 12;
/// What stands in the place of a number that is withheld.
pub const WITHHELD: &str = "(number withheld)";
/// So many people, and no more, could be known by their number alone.
const FEW: u32 = 4;
/// What stands for 1 to `FEW` people.
const HIDDEN: &str = "<5";
/// What stands for the count of a group that is not told: in statistics, "not available".
const UNTOLD: &str = "..";
/// Camp, date and source.
const TEXTS: usize = 3;

/// Whether nothing would be withheld of this line, which has no Id of its own.
pub fn is_public(line: &str) -> bool {
    line.as_bytes().split(|byte| !byte.is_ascii_digit()).all(|run| run.len() < LONG_NUMBER)
}

/// The field without its long numbers.
pub fn withhold(field: &str) -> String {
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

/// The public row of a census: where, when and by whom was counted, households, individuals, and the groups.
///
/// Counts of 1 to 4 are shown as `<5`. If a group has so few, no group is told: it could be computed, or its bounds,
/// from the individuals and the other groups, and whatever is withheld besides says by its choice how few they are.
/// `None` for what is no census.
pub fn census(row: &Row) -> Option<Row> {
    let fields: Vec<_> = row.fields().collect();
    let (texts, counts) = fields.split_at_checked(TEXTS)?;
    let counts: Option<Vec<u32>> = counts.iter().map(|field| count(field)).collect();
    let counts = counts.filter(|counts| counts.len() == CAMPS.len() - TEXTS)?;
    let (totals, groups) = counts.split_at_checked(2)?;
    let mut open: Vec<_> = texts.iter().map(|text| withhold(text)).collect();
    let told = |count: &u32| if is_few(*count) { HIDDEN.into() } else { count.to_string() };
    open.extend(totals.iter().map(told));
    match groups.iter().any(|count| is_few(*count)) {
        true => open.extend(groups.iter().map(|_| UNTOLD.to_owned())),
        false => open.extend(groups.iter().map(u32::to_string)),
    }
    Some(Row::new(&open))
}

/// Whether these fields are a public row of a census.
pub fn is_census<S: AsRef<str>>(fields: &[S]) -> bool {
    let fields: Vec<_> = fields.iter().map(AsRef::as_ref).collect();
    let Some(([texts @ .., households, individuals], groups)) = fields.split_at_checked(TEXTS + 2)
    else {
        return false;
    };
    let told = |field: &str| {
        field.parse::<u32>().ok().filter(|count| !is_few(*count) && count.to_string() == field)
    };
    let is_total = |field: &str| field == HIDDEN || told(field).is_some();
    if texts.len() != TEXTS || groups.len() != GROUPS || !texts.iter().all(|text| is_public(text)) {
        return false;
    }
    if groups.iter().all(|group| *group == UNTOLD) {
        return is_total(households) && is_total(individuals) && told(individuals) != Some(0);
    }
    let sum = groups.iter().try_fold(0, |sum: u64, group| Some(sum + u64::from(told(group)?)));
    is_total(households) && sum.is_some() && told(individuals).map(u64::from) == sum
}

fn is_few(count: u32) -> bool {
    (1..=FEW).contains(&count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> String {
        let row = census(&Row::new(&text.split("; ").collect::<Vec<_>>())).expect("a census");
        assert!(is_census(&row.fields().collect::<Vec<_>>()), "{}", row.line());
        row.line().to_owned()
    }

    #[test]
    fn a_census_tells_its_groups_only_if_none_of_them_is_so_small_that_it_tells_who() {
        for (all, open) in [
            (
                "Camp 4; 2024; UNHCR; 1,200; 60; 5; 6; 7; 0; 0; 10; 10; 10; 12; 0",
                "Camp 4, 2024, UNHCR, 1200, 60, 5, 6, 7, 0, 0, 10, 10, 10, 12, 0",
            ),
            (
                "Camp 4; 2024; by 482915736620; 4; 54; 5; 6; 7; 1; 0; 10; 10; 10; 5; 0",
                "Camp 4, 2024, by (number withheld), <5, 54, .., .., .., .., .., .., .., .., .., ..",
            ),
            (
                "C; d; s; 1; 4; 4; 0; 0; 0; 0; 0; 0; 0; 0; 0",
                "C, d, s, <5, <5, .., .., .., .., .., .., .., .., .., ..",
            ),
            (
                "C; d; s; 0; 0; 0; 0; 0; 0; 0; 0; 0; 0; 0; 0",
                "C, d, s, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0",
            ),
        ] {
            assert_eq!(counted(all), open);
        }
    }

    #[test]
    fn what_tells_too_much_is_no_public_census() {
        let right = "C; d; s; 5; 10; 10; 0; 0; 0; 0; 0; 0; 0; 0; 0";
        let is_one = |text: &str| is_census(&text.split("; ").collect::<Vec<_>>());
        assert!(is_one(right));
        for wrong in [
            right.replace("; 5;", "; 4;"),
            right.replace("; 10; 10;", "; 10; 9;"),
            right.replace("; 10; 10; 0;", "; 10; 9; 1;"),
            right.replace("; 10; 10; 0;", "; 10; ..; 0;"),
            right.replace("; 10; 10;", "; 010; 10;"),
            right.replace("C;", "482915736620;"),
            right.replace("; 10; 10;", "; <5; 10;"),
            right.replace("; 0; 0", "; 0"),
            right.replace("C; d", "C"),
            String::new(),
        ] {
            assert!(!is_one(&wrong), "{wrong}");
        }
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
