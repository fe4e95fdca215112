//! Made-up people, as many as are wanted: rows of about 70 bytes, one in five with a comma in a field, one
//! in ten in Bengali. They follow from their number, so every run measures the same.

use crate::support::HEAD;

const NAMES: [&str; 10] = [
    "Nur Begum",
    "Mohammed Alam",
    "Rashida Khatun",
    "Abdul Karim",
    "Senowara",
    "Md. Yunus",
    "Hasina Akter",
    "Jahid Hossain",
    "Fatema",
    "নূর বেগম",
];
const LOOKS: [&str; 5] = [
    "thin and dark hair",
    "scar on the left hand",
    "\"tall, grey beard\"",
    "green scarf",
    "about six years old",
];
const PLACES: [&str; 6] =
    ["Balukhali", "Kutupalong", "Camp 4", "Maungdaw", "Buthidaung", "Cox's Bazar"];
const STATUSES: [&str; 4] = ["missing", "missing", "found", "deceased"];

/// The row of person `number`.
pub fn row(number: usize) -> String {
    // Odd, so that it is a permutation: no two people have one Id.
    let id =
        100_000_000_000_000_000 + (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % (1 << 59);
    let (name, looks) = (NAMES[number % NAMES.len()], LOOKS[number / 10 % LOOKS.len()]);
    let (place, day) = (PLACES[number / 50 % PLACES.len()], 1 + number % 28);
    let status = STATUSES[number / 7 % STATUSES.len()];
    format!("{name}, {looks}, {place} {day}/8/24, {status}, {id}")
}

/// A database file with `count` people.
pub fn file(count: usize) -> String {
    of_rows((0..count).map(row))
}

/// The same, but no two of them are equal to who sees no Id.
pub fn distinct_file(count: usize) -> String {
    of_rows((0..count).map(|number| format!("{number} {}", row(number))))
}

fn of_rows(rows: impl Iterator<Item = String>) -> String {
    rows.fold(HEAD.to_owned(), |text, row| text + &row + "\n")
}
