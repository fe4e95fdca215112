//! The sections of a database file: their titles and columns.

use crate::model::fields;

/// A section that this version understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// Missing, found and deceased people.
    People,
    /// Vaccination records.
    Vaccinations,
    /// Camp censuses.
    Camps,
    /// Rows of people that a person here replaced by newer ones. They are kept so that a stale copy from a
    /// peer does not bring them back, and they never leave the node.
    Replaced,
}

/// Columns of `People`, and of `Replaced`.
pub const PEOPLE: [&str; 5] = ["Name", "Appearance", "Last Seen", "Status", "Id"];
/// Columns of a tier-2 copy: `People` without the Id.
pub const PUBLIC: [&str; 4] = ["Name", "Appearance", "Last Seen", "Status"];
/// Columns of `Vaccinations`: the core data of WHO's vaccination certificate.
pub const VACCINATIONS: [&str; 8] =
    ["Person Id", "Vaccine", "Brand", "Lot", "Date", "Dose", "Country", "Centre"];
/// Columns of `Camps`: sexes and age groups as UNHCR counts them.
pub const CAMPS: [&str; 15] = [
    "Camp",
    "Date",
    "Source",
    "Households",
    "Individuals",
    "F 0-4",
    "F 5-11",
    "F 12-17",
    "F 18-59",
    "F 60+",
    "M 0-4",
    "M 5-11",
    "M 12-17",
    "M 18-59",
    "M 60+",
];

impl Section {
    /// All sections, in the order in which a file holds them.
    pub const ALL: [Self; 4] = [Self::People, Self::Vaccinations, Self::Camps, Self::Replaced];

    /// Those whose records people look at, in the same order.
    pub const SHOWN: [Self; 3] = [Self::People, Self::Vaccinations, Self::Camps];

    /// The title line, without its colon.
    pub fn title(self) -> &'static str {
        match self {
            Self::People => "People",
            Self::Vaccinations => "Vaccinations",
            Self::Camps => "Camps",
            Self::Replaced => "Replaced",
        }
    }

    /// The names of its columns.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::People | Self::Replaced => &PEOPLE,
            Self::Vaccinations => &VACCINATIONS,
            Self::Camps => &CAMPS,
        }
    }

    /// The section whose title `line` is.
    pub fn titled(line: &str) -> Option<Self> {
        let title = unpadded(line).strip_suffix(':')?.trim_end();
        Self::ALL.into_iter().find(|section| section.title().eq_ignore_ascii_case(title))
    }

    /// Whether `line` names columns of this section, and if so how many.
    pub fn header(self, line: &str) -> Option<Header> {
        let known = |name: &str| {
            self.columns().iter().any(|column| column.eq_ignore_ascii_case(name))
                || name.eq_ignore_ascii_case("Apperance")
        };
        // Nearly every line is a row, and is known for one by its first field.
        if !fields::split(unpadded(line)).next().is_some_and(|first| known(&first)) {
            return None;
        }
        let names: Vec<_> = fields::split(unpadded(line)).collect();
        // One name alone could be a person's only field; a header names at least two columns.
        if names.len() < 2 || !names.iter().all(|name| known(name)) {
            return None;
        }
        let in_order = names.iter().zip(self.columns()).all(|(name, column)| {
            name.eq_ignore_ascii_case(column)
                || (*column == "Appearance" && name.eq_ignore_ascii_case("Apperance"))
        });
        Some(if in_order && names.len() <= self.columns().len() {
            Header::Columns(names.len())
        } else {
            Header::OtherOrder
        })
    }
}

/// `line` without what a spreadsheet pads it with: commas up to the widest row, and quotes.
pub fn unpadded(line: &str) -> &str {
    line.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, ',' | '"'))
}

/// Whether `line` is a title of a section that a later version may write: short, one field. It counts only
/// behind an empty line.
pub fn is_unknown_title(line: &str) -> bool {
    let title = line.trim();
    title.len() <= 40
        && title.starts_with(|letter: char| letter.is_ascii_uppercase())
        && title.strip_suffix(':').is_some_and(|title| {
            title.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == ' ')
        })
}

/// What a line of column names says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The first so many columns, in their order.
    Columns(usize),
    /// Columns of this section in an order that this version does not know.
    OtherOrder,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_known_in_any_case() {
        assert_eq!(Section::titled(" people: "), Some(Section::People));
        assert_eq!(Section::titled("Camps:"), Some(Section::Camps));
        assert_eq!(Section::titled("Mother of three:"), None);
    }

    #[test]
    fn headers_of_every_age_of_the_original_are_known() {
        let people = Section::People;
        let header = |line| people.header(line);
        assert_eq!(header("Name, Appearance, Last Seen, Status, Id"), Some(Header::Columns(5)));
        assert_eq!(header("Name, Apperance, Last Seen"), Some(Header::Columns(3)));
        assert_eq!(header("Id, Name, Appearance"), Some(Header::OtherOrder));
        assert_eq!(header("William, dark hair, 15/5/23, missing, 1"), None);
        assert_eq!(header("Name"), None);
    }
}
