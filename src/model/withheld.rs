//! What tier 2 is not told: long numbers wherever they stand, and counts that are so small that they tell who.

use crate::model::record::{GROUPS, count};
use crate::model::row::Row;
use crate::model::section::CAMPS;
use std::ops::{Range, RangeInclusive};

/// Digits from which on a number could be an Id that somebody typed into the wrong column, in any script, in one piece
/// or in groups. Telephone numbers may be withheld with them.
const LONG_NUMBER: usize = 12;
/// One of these between groups of digits makes them one number: spaces, also those that no line is broken at, dots and
/// dashes.
const JOINERS: [char; 8] =
    [' ', '\u{a0}', '\u{202f}', '.', '-', '\u{2010}', '\u{2011}', '\u{2013}'];
/// What stands between the parts of a date, twice the same.
const DATE_MARKS: [char; 3] = ['.', '-', '/'];
/// Day, month and year.
const DATE_GROUPS: usize = 3;
/// Years of the calendars in use, from the Burmese to the Buddhist one.
const YEARS: RangeInclusive<u16> = 1300..=2700;
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
    long_numbers(line).is_empty()
}

/// The field without its long numbers.
pub fn withhold(field: &str) -> String {
    let mut open = String::with_capacity(field.len());
    let mut begin = 0;
    for number in long_numbers(field) {
        open.push_str(field.get(begin..number.start).unwrap_or_default());
        open.push_str(WITHHELD);
        begin = number.end;
    }
    open.push_str(field.get(begin..).unwrap_or_default());
    open
}

/// Where long numbers stand in a text: in whatever digits, in one piece or in groups. Whole dates are no part of them.
fn long_numbers(text: &str) -> Vec<Range<usize>> {
    if text.chars().filter(|letter| letter.is_numeric()).count() < LONG_NUMBER {
        return Vec::new();
    }
    let (groups, mut found, mut at) = (groups(text), Vec::new(), 0);
    while let Some(first) = groups.get(at) {
        if is_date(text, &groups, at) {
            at += DATE_GROUPS;
            continue;
        }
        let (mut end, mut digits) = (first.end, length(text, first));
        at += 1;
        while let Some(next) = groups.get(at) {
            let joins = between(text, end, next.start).is_some_and(|gap| JOINERS.contains(&gap));
            if !joins || is_date(text, &groups, at) {
                break;
            }
            (end, digits, at) = (next.end, digits + length(text, next), at + 1);
        }
        if digits >= LONG_NUMBER {
            found.push(first.start..end);
        }
    }
    found
}

/// Where digits stand, one behind the other.
fn groups(text: &str) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, letter) in text.char_indices().filter(|(_, letter)| letter.is_numeric()) {
        let end = at + letter.len_utf8();
        match groups.last_mut().filter(|group| group.end == at) {
            Some(group) => group.end = end,
            None => groups.push(at..end),
        }
    }
    groups
}

/// The only letter between two places.
fn between(text: &str, from: usize, to: usize) -> Option<char> {
    let mut letters = text.get(from..to)?.chars();
    letters.next().filter(|_| letters.next().is_none())
}

fn length(text: &str, group: &Range<usize>) -> usize {
    text.get(group.clone()).map_or(0, |group| group.chars().count())
}

/// Whether the groups from here on are a day, a month and a year, or the other way, and nothing is joined to them but
/// by spaces.
fn is_date(text: &str, groups: &[Range<usize>], at: usize) -> bool {
    let Some([one, two, three]) = groups.get(at..at + DATE_GROUPS) else { return false };
    let mark = |from: usize, to: usize| {
        between(text, from, to).filter(|mark| DATE_MARKS.contains(mark)).filter(|_| from < to)
    };
    let before = at.checked_sub(1).and_then(|before| mark(groups.get(before)?.end, one.start));
    let after = groups.get(at + DATE_GROUPS).and_then(|after| mark(three.end, after.start));
    let inside = mark(one.end, two.start);
    let number = |group: &Range<usize>| text.get(group.clone()).unwrap_or_default();
    // Of digits that are not ASCII only the shape is known.
    let is_short = |group| {
        length(text, group) <= 2
            && number(group).parse().map_or(true, |day: u8| (1..=31).contains(&day))
    };
    let is_year = |group| match length(text, group) {
        2 => true,
        4 => number(group).parse().map_or(true, |year: u16| YEARS.contains(&year)),
        _ => false,
    };
    let long = |group| length(text, group) == 4;
    before.is_none()
        && after.is_none()
        && inside.is_some()
        && inside == mark(two.end, three.start)
        && is_short(two)
        && (is_short(one) && is_year(three) || long(one) && is_year(one) && is_short(three))
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
    use proptest::prelude::*;

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
        for line in [
            "Nur, scar, 12/8/24, missing",
            "12345678901, , , 12345678901",
            "১২৩৪৫৬৭৮৯০১, , ,",
            "2024-06-30 2024-07-15 12.8.24 14.8.24, , ,",
            "from 12/8/2024 13/8/2024 to ၁၂.၀၈.၂၀၂၄ ၁၃.၀၈.၂၀၂၄, , ,",
            "482915 736  620194, , ,",
            "482915, 736620, 194857",
        ] {
            assert!(is_public(line), "{line}");
            assert_eq!(withhold(line), line);
        }
        for (line, open) in [
            ("Nur, scar 482915736620, , ", "Nur, scar (number withheld), , "),
            ("x123456789012y, , ,", "x(number withheld)y, , ,"),
            ("١٢٣٤٥٦٧٨٩٠١٢, , ,", "(number withheld), , ,"),
            ("Id ৪৮২৯১৫৭৩৬৬২০১৯৪৮৫৭, , ,", "Id (number withheld), , ,"),
            ("Id ၄၈၂၉၁၅၇၃၆၆၂၀ ၁၉၄၈၅၇", "Id (number withheld)"),
            ("Id 482 915-736.620\u{a0}194 857.", "Id (number withheld)."),
            ("4829-15-73-6620-19", "(number withheld)"),
            ("12-08-2024-123456", "(number withheld)"),
            ("2024-06-30 482915 736620", "2024-06-30 (number withheld)"),
            ("+880 1712 345678, 12.8.24", "+(number withheld), 12.8.24"),
            ("4829-15-73 6620-19-48", "(number withheld)"),
        ] {
            assert!(!is_public(line), "{line}");
            assert_eq!(withhold(line), open);
            assert!(is_public(open), "{open}");
        }
    }

    proptest! {
        #[test]
        fn what_is_left_of_any_text_is_public(text in "([0-9]{1,5}[ ./-]|[০-৯]{1,6}|[a, ] ?){0,12}") {
            let open = withhold(&text);
            prop_assert!(is_public(&open), "{}", open);
            prop_assert_eq!(withhold(&open), open);
        }
    }
}
