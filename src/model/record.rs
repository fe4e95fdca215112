//! What a person enters: a person, a vaccination, a camp census. Checked once, here, then only rows.

use crate::base::error::Error;
use crate::model::ids::PersonId;
use crate::model::row::Row;
use crate::model::section::CAMPS;

/// What is known of a missing, found or deceased person. An empty field is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Name, or names.
    pub name: String,
    /// What they look like.
    pub appearance: String,
    /// When and where they were last seen.
    pub last_seen: String,
    /// missing, found, deceased, or any other text.
    pub status: String,
    /// The sensitive number; rows from paper lists have none.
    pub id: Option<PersonId>,
}

impl Person {
    /// The row for this person.
    pub fn row(&self) -> Row {
        let id = self.id.as_ref().map_or("", PersonId::as_str);
        let known = [&self.name, &self.appearance, &self.last_seen, &self.status];
        let fields = known.into_iter().map(String::as_str).chain([id]);
        Row::new(&fields.collect::<Vec<_>>())
    }
}

/// One dose that one person got: the core data of WHO's vaccination certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vaccination {
    /// Whose.
    pub person: Option<PersonId>,
    /// Vaccine, brand, lot, date, dose, country, centre, in the order of the section's columns.
    pub details: [String; 7],
}

impl Vaccination {
    /// The row for this dose.
    pub fn row(&self) -> Row {
        let id = self.person.as_ref().map_or("", PersonId::as_str);
        let details = self.details.iter().map(String::as_str);
        Row::new(&std::iter::once(id).chain(details).collect::<Vec<_>>())
    }
}

/// Sex and age groups of a census: five of women and girls, then five of men and boys.
pub const GROUPS: usize = 10;

/// The count of the people of one camp on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    row: Row,
}

impl Census {
    /// A census from its fields as typed, in the order of the section's columns.
    pub fn new(fields: &[String]) -> Result<Self, Error> {
        Self::check(fields)
            .map_err(|wrong| Error::input("census", wrong, "count again; nothing was saved"))?;
        Ok(Self { row: Row::new(fields) })
    }

    /// What is wrong with these fields, if anything: counts that are no numbers, or do not add up.
    pub fn check<S: AsRef<str>>(fields: &[S]) -> Result<(), &'static str> {
        if fields.len() != CAMPS.len() {
            return Err("a census has fifteen fields");
        }
        let mut counts = fields.iter().skip(3).map(|field| count(field.as_ref()));
        let (Some(Some(_)), Some(Some(individuals))) = (counts.next(), counts.next()) else {
            return Err("households and individuals must be whole numbers");
        };
        let mut sum = 0;
        for group in counts {
            sum += u64::from(group.ok_or("the count of a group must be a whole number")?);
        }
        if sum != u64::from(individuals) {
            return Err("the groups do not add up to the individuals");
        }
        Ok(())
    }

    /// The row for this census.
    pub fn row(&self) -> Row {
        self.row.clone()
    }
}

/// A count as people write it: digits, perhaps with commas or spaces between thousands.
pub fn count(text: &str) -> Option<u32> {
    let digits: String = text.chars().filter(|letter| !matches!(letter, ',' | ' ')).collect();
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(text: &str) -> Result<Census, Error> {
        Census::new(&text.split(", ").map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_person_is_written_as_a_row() {
        let person = Person {
            name: "Nur, called Nuru".into(),
            status: "missing".into(),
            id: "482915736620194857".parse().ok(),
            ..Person::default()
        };
        assert_eq!(person.row().line(), "\"Nur, called Nuru\", , , missing, 482915736620194857");
    }

    #[test]
    fn a_census_that_does_not_add_up_is_refused_with_the_reason() {
        let right = "Camp 4, 2024, count, 3, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1";
        assert!(census(right).is_ok());
        assert!(census(&right.replace(", 3, 10", ", 1 000, 10")).is_ok());
        for (wrong, why) in [
            (right.replace("10", "12"), "add up"),
            (right.replace(", 3, 10", ", 3, ten"), "whole numbers"),
            (right.replace(", 1, 1", ", -1, 3"), "whole number"),
            (right.replace(", 3, 10", ", , 10"), "whole numbers"),
            ("Camp 4, 2024".into(), "fifteen"),
        ] {
            let error = census(&wrong).expect_err(&wrong).to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }
}
