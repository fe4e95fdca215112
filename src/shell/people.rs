//! Menu items 1 to 6: show and search all records, add a person, a vaccination or a census, update a person.

use crate::base::error::Error;
use crate::model::ids::PersonId;
use crate::model::ledger::import::{enter, meant};
use crate::model::ledger::listing::Spot;
use crate::model::ledger::operation::Field;
use crate::model::ledger::replica::Replica;
use crate::model::ledger::view::View;
use crate::model::limits::{MAX_ROW, SHOWN_BATCH};
use crate::model::record::{Census, Person, Vaccination};
use crate::model::records::Part;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::shell::desk::{Chosen, Desk, Done, MOST_CHOICES};
use crate::shell::ledger_words;
use crate::shell::pages;
use crate::shell::review::Instead;
use crate::shell::words;
use std::collections::BTreeMap;

/// The column of a person's Id.
const ID: Field = 4;

/// Rows that are to be shown.
struct Found {
    rows: Vec<Row>,
    /// Of each whether there are several versions.
    several: Vec<bool>,
}

impl Desk<'_> {
    /// Menu 1: shows all sections.
    pub fn view(&mut self) -> Done {
        for section in Section::SHOWN {
            let found = self.rows_with(section, &Part::new(""));
            if section != Section::People && found.rows.is_empty() {
                continue;
            }
            if !self.show(section, &found) {
                return Ok(());
            }
        }
        let kept = self.context.database.kept();
        let more = kept.len().saturating_sub(MOST_CHOICES);
        for kept in kept.iter().take(MOST_CHOICES) {
            self.screen.say(words::kept_line(kept.line, &kept.bytes, kept.why));
        }
        if more > 0 {
            self.screen.say(words::more_kept(more));
        }
        Ok(())
    }

    /// Menu 2: finds rows by part of any field.
    pub fn search(&mut self) -> Done {
        let part = Part::new(&self.input.line(words::SEARCH)?);
        let mut count = 0;
        for section in Section::SHOWN {
            let found = self.rows_with(section, &part);
            if found.rows.is_empty() {
                continue;
            }
            count += found.rows.len();
            if !self.show(section, &found) {
                break;
            }
        }
        self.screen.say(words::matches(count));
        Ok(())
    }

    /// The rows of a section with this in some field.
    fn rows_with(&self, section: Section, part: &Part) -> Found {
        let (mut rows, mut spots) = (Vec::new(), Vec::new());
        self.context.database.each_row(section, |spot, row| {
            if part.is_empty() || part.is_in(&row) {
                rows.push(row);
                spots.push(spot);
            }
        });
        let mut several = Vec::with_capacity(spots.len());
        for spots in spots.chunks(SHOWN_BATCH) {
            self.context.database.with(|replica| {
                let state = replica.state();
                let about = |spot: &Spot| state.about(*spot);
                let is_several = |spot| about(spot).is_some_and(|about| state.is_contested(about));
                several.extend(spots.iter().map(is_several));
            });
        }
        Found { rows, several }
    }

    fn show(&mut self, section: Section, found: &Found) -> bool {
        self.screen.say(words::section_title(section.title(), found.rows.len()));
        let mark = |at: usize| if found.several.get(at) == Some(&true) { "*" } else { "" };
        let seen = pages::show(self.screen, &mut self.input, section.columns(), &found.rows, mark);
        let count = found.several.iter().filter(|several| **several).count();
        if count > 0 {
            self.screen.say(words::versions_marked(count));
        }
        seen
    }

    /// Menu 3: adds a person, and sends the change to all.
    pub fn add_person(&mut self) -> Done {
        self.screen.say(words::ADDING);
        let mut person = Person::default();
        for (field, question) in fields_of(&mut person).into_iter().zip(words::PERSON) {
            *field = self.input.line(&words::asked(question))?;
        }
        let added = self.change(|replica| {
            let id = new_id(replica);
            person.id = Some(id.clone());
            let (state, namer, row) = (replica.state(), replica.namer(), fitting(person.row())?);
            let made = enter(state, namer, Section::People, &row, &mut rand::rng())?;
            Ok((made, words::added(&id)))
        });
        if added {
            self.tell_all();
        }
        Ok(())
    }

    /// Menu 4: changes a person, and sends the change to all. What is typed settles several versions.
    pub fn update_person(&mut self) -> Done {
        let Some(view) = self.find(words::WHICH_PERSON, &[Section::People])? else { return Ok(()) };
        self.list(Section::People, &[&view.row()]);
        self.screen.say(words::UPDATING);
        let mut values = BTreeMap::new();
        for (field, question) in (0..).zip(words::PERSON) {
            let new = match view.column(field).len() > 1 {
                true => self.settle(&view, field, Instead::Typed)?,
                false => self.ask_again(&view, field, question)?,
            };
            values.extend(new.map(|new| (field, new)));
        }
        let has_id = view.column(ID).first().is_some_and(|one| one.value.as_deref() != Some(""));
        if values.is_empty() && has_id {
            self.screen.say(ledger_words::UNCHANGED);
            return Ok(());
        }
        let changed = self.change(|replica| {
            // A row from a paper list gets an Id, so that its later versions are known to be of one person.
            if !has_id {
                values.insert(ID, new_id(replica).as_str().to_owned());
            }
            let mut fields: Vec<_> = view.row().fields().map(|field| field.into_owned()).collect();
            for (field, value) in &values {
                if let Some(place) = fields.get_mut(usize::from(*field)) {
                    place.clone_from(value);
                }
            }
            // As a row gives the values back.
            let row = fitting(Row::new(&fields))?;
            let written = (0..).zip(row.fields().map(|field| field.into_owned()));
            let written = written.filter(|(field, _)| values.contains_key(field)).collect();
            let made = view.edit(written, &mut rand::rng())?;
            Ok((made, words::UPDATED.to_owned()))
        });
        if changed {
            self.tell_all();
        }
        Ok(())
    }

    /// Asks for a field of which there is one version. `None` keeps it.
    fn ask_again(&mut self, view: &View, field: Field, question: &str) -> Chosen<String> {
        let old = view.column(field).first().and_then(|one| one.value.clone()).unwrap_or_default();
        Ok(match self.input.line(&words::asked_again(question, &old))?.as_str() {
            "" => None,
            words::CLEAR => Some(String::new()),
            same if same == old => None,
            new => Some(new.to_owned()),
        })
    }

    /// Menu 5: adds a vaccination record.
    pub fn add_vaccination(&mut self) -> Done {
        let id = self.input.line(words::WHOSE_VACCINATION)?;
        let mut dose = Vaccination::default();
        for (field, question) in dose.details.iter_mut().zip(words::VACCINATION) {
            *field = self.input.line(&words::asked(question))?;
        }
        match id.parse::<PersonId>() {
            Ok(id) => {
                if !self.context.database.with(|replica| has(replica, &id)) {
                    self.screen.say(words::NOBODYS_ID);
                }
                dose.person = Some(id);
                self.add_row(Section::Vaccinations, dose.row(), words::VACCINATED);
            }
            Err(error) => self.screen.say(words::failure(&error)),
        }
        Ok(())
    }

    /// Menu 6: adds a camp census.
    pub fn add_census(&mut self) -> Done {
        let mut fields = Vec::new();
        for question in words::CENSUS {
            fields.push(self.input.line(&words::asked(question))?);
        }
        match Census::new(&fields) {
            Ok(census) => self.add_row(Section::Camps, census.row(), words::COUNTED),
            Err(error) => self.screen.say(words::failure(&error)),
        }
        Ok(())
    }

    fn add_row(&mut self, section: Section, row: Row, done: &str) {
        let added = self.change(|replica| {
            let (state, namer, row) = (replica.state(), replica.namer(), fitting(row)?);
            let made = enter(state, namer, section, &row, &mut rand::rng())?;
            Ok((made, done.to_owned()))
        });
        if added {
            match self.context.sealed {
                Some(_) => self.tell_all(),
                None => self.screen.say(words::STAYS_HERE),
            }
        }
    }
}

fn fields_of(person: &mut Person) -> [&mut String; 4] {
    [&mut person.name, &mut person.appearance, &mut person.last_seen, &mut person.status]
}

/// A row longer than this is not read again, so it is not taken in the first place.
fn fitting(row: Row) -> Result<Row, Error> {
    if row.line().len() <= MAX_ROW {
        return Ok(row);
    }
    Err(Error::input("this record", "it is longer than 4096 bytes", "write less in its fields"))
}

/// Whether there is a person with this Id.
fn has(replica: &Replica, id: &PersonId) -> bool {
    let row = Row::new(&["", "", "", "", id.as_str()]);
    let state = replica.state();
    state.has_record(meant(state, replica.namer(), Section::People, &row))
}

/// An Id that nobody has.
fn new_id(replica: &Replica) -> PersonId {
    let mut rng = rand::rng();
    loop {
        let id = PersonId::random(&mut rng);
        if !has(replica, &id) {
            return id;
        }
    }
}
