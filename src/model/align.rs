//! Fits the fields of a line as people typed it to the columns of its section.
//!
//! The original did not quote: a comma inside a field looks like a further column, older files have fewer
//! columns, and rows and column names disagree. Here it is decided what such a line means. A line that
//! could mean two things is not guessed at: the caller keeps it as it is and shows it.

use crate::model::fields;
use crate::model::ids::PersonId;
use crate::model::record::Census;
use crate::model::row::Row;
use crate::model::section::{CAMPS, PEOPLE, Section, VACCINATIONS};
use crate::model::withheld::is_census;
use std::borrow::Cow;

/// Why a line cannot be a row of its section; shown to people as it stands.
pub type Misfit = &'static str;

/// Statuses that everybody writes. Any other text is a status too, but tells less about where it stands.
const USUAL: [&str; 3] = ["missing", "found", "deceased"];

/// The row that `line` is in `section`, whose column names named `columns` columns.
pub fn row(section: Section, columns: usize, line: &str) -> Result<Row, Misfit> {
    match section {
        Section::People | Section::Replaced => person(columns, line),
        Section::Vaccinations => vaccination(line),
        Section::Camps => camp(line),
    }
}

/// The row that `line` is among the censuses of a tier-2 copy.
pub fn public_census(line: &str) -> Result<Row, Misfit> {
    let found = split(line, CAMPS.len());
    match is_census(&found) {
        true => Ok(Row::new(&found)),
        false => Err("it is no census as tier 2 may see it"),
    }
}

fn person(columns: usize, line: &str) -> Result<Row, Misfit> {
    if columns == PEOPLE.len() && is_canonical(line) {
        return Ok(Row::canonical(line));
    }
    let found = split(line, PEOPLE.len());
    if found.iter().all(|field| field.is_empty()) {
        return Err("no field says anything");
    }
    if let [name, looks, seen, status, id] = found.as_slice() {
        // Five fields are the five columns, also under fewer names, where status or date say so.
        let certain = columns == PEOPLE.len() || is_usual(status) || is_date(seen);
        if certain && (id.is_empty() || PersonId::is_one(id)) {
            return Ok(Row::new(&[name, looks, seen, status, id]));
        }
    }
    let (body, id) = match found.split_last() {
        Some((id, body)) if body.len() >= 2 && is_long_id(id) => (body, id.as_ref()),
        Some((last, body)) if last.is_empty() && body.len() >= 4 => (body, ""),
        _ => (found.as_slice(), ""),
    };
    let wide = if id.is_empty() { wide_commas(columns, line) } else { None };
    let [name, looks, seen, status] = body_columns(columns, wide, body)?;
    Ok(Row::new(&[&name, &looks, &seen, &status, &Cow::Borrowed(id)]))
}

/// The fields of `line`, without the empty ones with which a spreadsheet pads it beyond its columns.
fn split(line: &str, columns: usize) -> Vec<Cow<'_, str>> {
    let mut found: Vec<_> = fields::split(line).collect();
    while found.len() > columns && found.last().is_some_and(|last| last.is_empty()) {
        found.pop();
    }
    found
}

/// Whether `line` is a row with an Id, as this program writes it and without quotes: nearly every line is,
/// and need not be taken apart.
fn is_canonical(line: &str) -> bool {
    let mut fields = line.split(", ");
    let plain =
        |field: &str| !field.contains([',', '"', '\r', '\n']) && field.trim().len() == field.len();
    let four = fields.by_ref().take(PEOPLE.len() - 1).filter(|field| plain(field)).count();
    four == PEOPLE.len() - 1
        && fields.next().is_some_and(PersonId::is_one)
        && fields.next().is_none()
}

type Four<'a> = [Cow<'a, str>; 4];

/// Name, appearance, last seen and status out of the fields before the Id.
fn body_columns<'a>(
    columns: usize,
    wide: Option<Four<'a>>,
    body: &[Cow<'a, str>],
) -> Result<Four<'a>, Misfit> {
    let at = |index: usize| body.get(index).cloned().unwrap_or_default();
    let status = body.iter().skip(3).position(|field| is_usual(field)).map(|found| found + 3);
    match (body.len(), status) {
        (..=3, _) => Ok([at(0), at(1), at(2), at(3)]),
        // A comma in the appearance of a row of three columns: the date says so.
        (4, None) if columns == 3 && is_date(&at(3)) && !is_date(&at(2)) => {
            Ok([at(0), between(body, 1, 3), at(3), Cow::default()])
        }
        (4, _) => Ok([at(0), at(1), at(2), at(3)]),
        // More fields than columns: the appearance is where people write commas.
        (count, Some(at_status)) if at_status + 1 == count => {
            Ok([at(0), between(body, 1, at_status - 1), at(at_status - 1), at(at_status)])
        }
        (_, Some(_)) => Err("there is text behind the status, and it is no Id"),
        (count, None) => wide.map_or_else(
            || match columns {
                3 => Ok([at(0), between(body, 1, count - 1), at(count - 1), Cow::default()]),
                _ if is_date(&at(2)) => Err("it has more fields than there are columns"),
                _ => Ok([at(0), between(body, 1, count - 2), at(count - 2), at(count - 1)]),
            },
            Ok,
        ),
    }
}

/// The original joined typed fields with ` , ` and people type `, `: where that tells them apart, use it.
fn wide_commas(columns: usize, line: &str) -> Option<Four<'_>> {
    if line.contains('"') {
        return None;
    }
    let mut parts = line.split(" , ").map(str::trim).map(Cow::Borrowed);
    let four = [parts.next()?, parts.next()?, parts.next()?, parts.next().unwrap_or_default()];
    let wanted = if four[3].is_empty() { 3 } else { 4 };
    (parts.next().is_none() && wanted == columns.min(4)).then_some(four)
}

fn between<'a>(body: &[Cow<'a, str>], from: usize, to: usize) -> Cow<'a, str> {
    body.get(from..to).unwrap_or_default().join(", ").into()
}

/// An Id that cannot be a date or a telephone number: used where its column is not certain.
fn is_long_id(field: &str) -> bool {
    PersonId::is_one(field) && field.len() >= 13
}

fn is_usual(field: &str) -> bool {
    USUAL.iter().any(|usual| usual.eq_ignore_ascii_case(field))
}

/// Whether a field looks like `15/5/23`, `2024-08-05` or `9/2`.
fn is_date(field: &str) -> bool {
    let separators = field.matches(['/', '-', '.']).count();
    (1..=2).contains(&separators)
        && field.chars().all(|letter| letter.is_ascii_digit() || "/-.".contains(letter))
}

fn vaccination(line: &str) -> Result<Row, Misfit> {
    let found = split(line, VACCINATIONS.len());
    if found.len() != VACCINATIONS.len() {
        return Err("a vaccination has eight fields");
    }
    match found.first() {
        Some(id) if id.is_empty() || PersonId::is_one(id) => Ok(Row::new(&found)),
        _ => Err("the person Id is not a number of 1 to 19 digits"),
    }
}

fn camp(line: &str) -> Result<Row, Misfit> {
    let found = split(line, CAMPS.len());
    if found.len() != CAMPS.len() {
        return Err("a census has fifteen fields");
    }
    Census::check(&found)?;
    Ok(Row::new(&found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(columns: usize, line: &str) -> String {
        row(Section::People, columns, line).expect(line).line().to_owned()
    }

    #[test]
    fn rows_of_every_age_of_the_original_find_their_columns() {
        let cases = [
            (
                5,
                "jay , brown hair tall , 01/01/22 , missing , 233",
                "jay, brown hair tall, 01/01/22, missing, 233",
            ),
            (4, "gg , gg , gg , gg ", "gg, gg, gg, gg,"),
            (3, "Tom , fair hair green eyes , 24/1 ", "Tom, fair hair green eyes, 24/1, ,"),
            (3, "e , d , b ,  ", "e, d, b, ,"),
            (3, "e , e , aaaaaa , gggggg ", "e, e, aaaaaa, gggggg,"),
            (
                3,
                "mic , short, blonde, blue eyes, horns , 04/04/2022 ",
                "mic, \"short, blonde, blue eyes, horns\", 04/04/2022, ,",
            ),
            (3, "Colm\t, dark hair, blue eyes, 27/2 ", "Colm, \"dark hair, blue eyes\", 27/2, ,"),
            (
                5,
                "Ana, tall, thin, 4/4/23, missing, 1600909831762",
                "Ana, \"tall, thin\", 4/4/23, missing, 1600909831762",
            ),
            (5, "Ana, tall, thin, 4/4/23, missing", "Ana, \"tall, thin\", 4/4/23, missing,"),
            (5, "Ana, tall, 4/4/23, missing, -5", "Ana, tall, 4/4/23, missing, -5"),
            (5, "Ana", "Ana, , , ,"),
            (
                4,
                "Ana, tall, 4/4/23, missing, 1600909831762",
                "Ana, tall, 4/4/23, missing, 1600909831762",
            ),
        ];
        for (columns, line, wanted) in cases {
            assert_eq!(people(columns, line), wanted, "{line}");
        }
    }

    #[test]
    fn a_line_that_could_mean_two_things_is_not_guessed_at() {
        for line in [
            "Ana, tall, 4/4/23, missing, call me",
            "Ana, tall, 4/4/23, in hospital, room 3, bed 9",
            " , , , , ",
        ] {
            assert!(row(Section::People, 5, line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_canonical_row_is_read_as_itself() {
        for line in ["a, \"b, c\", , x,", ", , , , 12", "a, , , ,", "\"a\nb\", c, d, e, -9"] {
            assert_eq!(people(5, line), line);
        }
    }

    #[test]
    fn a_census_must_add_up() {
        let line = "Camp 4, 2024-06-30, count, 3, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1";
        assert!(row(Section::Camps, 15, line).is_ok());
        assert!(row(Section::Camps, 15, &line.replace("10", "11")).is_err());
    }
}
