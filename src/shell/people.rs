//! Menu items on the records: view, search, add, update.

use crate::base::error::Result;
use crate::model::ids::PersonId;
use crate::model::record::{Census, Person, Vaccination};
use crate::model::records::{Records, contested, id_of, meant, search};
use crate::model::row::Row;
use crate::model::section::Section;
use crate::net::context::{Context, Order};
use crate::shell::input::{Gone, Input};
use crate::shell::pages;
use crate::shell::screen::Screen;
use crate::shell::table::Table;
use crate::shell::terminal;
use crate::shell::words;
use crate::store::database::Ticket;
use std::collections::HashSet;
use std::time::Duration;

/// How long the person waits for the disk before being told that it takes long.
const SAVE_PATIENCE: Duration = Duration::from_secs(20);
/// Most people to choose from.
const MOST_CHOICES: usize = 30;
/// What clears a field in an update.
const CLEAR: &str = "-";

/// The menu's hands: what it shows on, asks with, and works on.
pub struct Desk<'a> {
    /// The node.
    pub context: &'a Context,
    /// Where it shows.
    pub screen: &'a Screen,
    /// Where it asks.
    pub input: Input,
}

/// What a menu item comes to: `Err` when the input ended in the middle of it, and nothing was done.
pub type Done = std::result::Result<(), Gone>;

impl Desk<'_> {
    /// Menu 1: shows all sections.
    pub fn view(&mut self) -> Done {
        let snapshot = self.context.database.with(Records::snapshot);
        for (section, rows) in Section::ALL.into_iter().zip(&snapshot.rows) {
            if section == Section::Replaced || (section != Section::People && rows.is_empty()) {
                continue;
            }
            self.screen.say(words::section_title(section.title(), rows.len()));
            if !self.rows(section, rows, rows) {
                return Ok(());
            }
        }
        let more = snapshot.kept.len().saturating_sub(MOST_CHOICES);
        for kept in snapshot.kept.iter().take(MOST_CHOICES) {
            self.screen.say(words::kept_line(kept.line, &kept.bytes, kept.why));
        }
        if more > 0 {
            self.screen.say(words::more_kept(more));
        }
        Ok(())
    }

    /// Menu 2: finds rows by part of any field.
    pub fn search(&mut self) -> Done {
        let part = self.input.line("Search for: ")?;
        let snapshot = self.context.database.with(Records::snapshot);
        let mut count = 0;
        for (section, rows) in Section::ALL.into_iter().zip(&snapshot.rows) {
            let found: Vec<_> = search(rows, &part).into_iter().cloned().collect();
            if section == Section::Replaced || found.is_empty() {
                continue;
            }
            count += found.len();
            self.screen.say(words::section_title(section.title(), found.len()));
            if !self.rows(section, &found, rows) {
                break;
            }
        }
        self.screen.say(words::matches(count));
        Ok(())
    }

    /// Shows `rows`, which are some of `all` rows of the section.
    fn rows(&mut self, section: Section, rows: &[Row], all: &[Row]) -> bool {
        let mut several = HashSet::new();
        if section == Section::People {
            several = contested(all);
            let here: HashSet<_> = rows.iter().filter_map(id_of).collect();
            several.retain(|id| here.contains(id));
        }
        let mark = |row: &Row| match id_of(row) {
            Some(id) if several.contains(id) => "*".to_owned(),
            _ => String::new(),
        };
        let seen = pages::show(self.screen, &mut self.input, section.columns(), rows, mark);
        if !several.is_empty() {
            self.screen.say(words::versions_marked(several.len()));
        }
        seen
    }

    /// Menu 3: adds a person, and sends the database to all.
    pub fn add_person(&mut self) -> Done {
        self.screen.say("An empty line means unknown.");
        let mut person = Person::default();
        for (field, question) in fields_of(&mut person).into_iter().zip(words::PERSON) {
            *field = self.input.line(&format!("{question}: "))?;
        }
        let (saved, ticket) = self.context.database.change(|records| {
            let id = new_id(records);
            person.id = Some(id.clone());
            let added = records.add(Section::People, person.row());
            (added.is_ok(), added.map(|()| id))
        });
        let done = saved.map(|id| format!("The person has the Id {}.", id.as_str()));
        if self.saved(done, ticket) {
            self.tell_all();
        }
        Ok(())
    }

    /// Menu 4: changes a person, or settles several versions of one, and sends the database to all.
    pub fn update_person(&mut self) -> Done {
        let Some(versions) = self.choose_person()? else { return Ok(()) };
        let Some(shown) = self.choose_version(&versions)? else { return Ok(()) };
        self.screen.say("An empty line keeps what is in brackets; - means unknown.");
        let mut person = Person::from_row(&shown);
        for (field, question) in fields_of(&mut person).into_iter().zip(words::PERSON) {
            let old = crate::model::shown::shown(field).into_owned();
            match self.input.line(&format!("{question} [{old}]: "))?.as_str() {
                "" => {}
                CLEAR => field.clear(),
                new => *field = new.to_owned(),
            }
        }
        let (saved, ticket) = self.context.database.change(|records| {
            // A row from a paper list gets an Id, so that its later versions are known to be of one person.
            let id = person.id.take().unwrap_or_else(|| new_id(records));
            person.id = Some(id);
            let settled = records.settle(&versions, &person.row());
            (settled.is_ok(), settled)
        });
        if self.saved(saved.map(|()| "The person is up to date.".to_owned()), ticket) {
            self.tell_all();
        }
        Ok(())
    }

    /// Asks for a person; returns all versions of it.
    fn choose_person(&mut self) -> std::result::Result<Option<Vec<Row>>, Gone> {
        let words = self.input.line("Id, or part of the name or of any field: ")?;
        let people = self.context.database.with(Records::people);
        let mut persons: Vec<&Row> = Vec::new();
        for row in meant(&people, &words) {
            if !persons.iter().any(|other| id_of(row).is_some() && id_of(other) == id_of(row)) {
                persons.push(row);
            }
            if persons.len() > MOST_CHOICES {
                self.screen.say("More than 30 people match. Give more letters, or the Id.");
                return Ok(None);
            }
        }
        let chosen = match persons.as_slice() {
            [] => {
                self.screen.say(words::matches(0));
                None
            }
            [one] => Some(*one),
            several => {
                let at = self.choose("Which person", several)?;
                at.and_then(|at| several.get(at).copied())
            }
        };
        Ok(chosen.map(|row| self.context.database.with(|records| records.versions(row))))
    }

    fn choose_version(&mut self, versions: &[Row]) -> std::result::Result<Option<Row>, Gone> {
        if let [one] = versions {
            self.list(&[one]);
            return Ok(Some(one.clone()));
        }
        self.screen
            .say("There are several versions. The one you choose and edit replaces the others.");
        let rows: Vec<_> = versions.iter().collect();
        let at = self.choose("Which version is right", &rows)?;
        Ok(at.and_then(|at| versions.get(at).cloned()))
    }

    /// Lists rows with numbers and asks for one; `None` when the answer is none of them.
    fn choose(
        &mut self,
        question: &str,
        rows: &[&Row],
    ) -> std::result::Result<Option<usize>, Gone> {
        self.list(rows);
        let answer = self.input.line(&format!("{question} (1-{}, Enter: none): ", rows.len()))?;
        match answer.parse::<usize>() {
            Ok(number) if (1..=rows.len()).contains(&number) => Ok(Some(number - 1)),
            _ => {
                self.screen.say("Nothing was changed.");
                Ok(None)
            }
        }
    }

    fn list(&self, rows: &[&Row]) {
        let rows: Vec<_> = rows.iter().map(|row| (*row).clone()).collect();
        // The number before each row takes two columns more than a margin does.
        let room = self.screen.is_interactive().then(|| terminal::size().0.saturating_sub(2));
        let table = Table::new(Section::People.columns(), &rows, room);
        self.screen.say(format!("  {}", table.header(Section::People.columns())));
        for (at, row) in rows.iter().enumerate() {
            self.screen.say(table.row(&format!("{:>3} ", at + 1), row));
        }
    }

    /// Menu 5: adds a vaccination record.
    pub fn add_vaccination(&mut self) -> Done {
        let id = self.input.line("Person Id: ")?;
        let mut dose = Vaccination::default();
        for (field, question) in dose.details.iter_mut().zip(words::VACCINATION) {
            *field = self.input.line(&format!("{question}: "))?;
        }
        match id.parse::<PersonId>() {
            Ok(id) => {
                if !self.context.database.with(|records| records.has(&id)) {
                    self.screen
                        .say("Nobody here has this Id yet. The record is kept all the same.");
                }
                dose.person = Some(id);
                self.add_row(Section::Vaccinations, dose.row(), "The vaccination is recorded.");
            }
            Err(error) => self.screen.say(words::failure(&error)),
        }
        Ok(())
    }

    /// Menu 6: adds a camp census.
    pub fn add_census(&mut self) -> Done {
        let mut fields = Vec::new();
        for question in words::CENSUS {
            fields.push(self.input.line(&format!("{question}: "))?);
        }
        match Census::new(&fields) {
            Ok(census) => self.add_row(Section::Camps, census.row(), "The census is recorded."),
            Err(error) => self.screen.say(words::failure(&error)),
        }
        Ok(())
    }

    fn add_row(&mut self, section: Section, row: Row, done: &str) {
        let (added, ticket) = self.context.database.change(|records| {
            let added = records.add(section, row);
            (added.is_ok(), added)
        });
        if self.saved(added.map(|()| done.to_owned()), ticket) {
            match self.context.sealed {
                Some(_) => self.tell_all(),
                None => self.screen.say(words::STAYS_HERE),
            }
        }
    }

    /// Waits for the disk and says how it went. Returns whether there is a change.
    fn saved(&self, done: Result<String>, ticket: Ticket) -> bool {
        match done {
            Err(error) => {
                self.screen.say(words::failure(&error));
                return false;
            }
            Ok(done) => {
                match self.context.database.wait_saved(ticket, SAVE_PATIENCE, &self.context.stop) {
                    Ok(()) => self.screen.say(format!("Saved. {done}")),
                    Err(error) => {
                        let why = words::failure(&error);
                        self.screen.say(format!(
                            "{done}\nNOT on the disk yet: {why}. The node goes on trying."
                        ));
                    }
                }
            }
        }
        true
    }

    /// Lets all peers have the change.
    fn tell_all(&self) {
        self.context.order(Order::ToAll(self.context.work.clone()));
    }
}

fn fields_of(person: &mut Person) -> [&mut String; 4] {
    [&mut person.name, &mut person.appearance, &mut person.last_seen, &mut person.status]
}

/// An Id that nobody has.
fn new_id(records: &Records) -> PersonId {
    let mut rng = rand::rng();
    loop {
        let id = PersonId::random(&mut rng);
        if !records.has(&id) {
            return id;
        }
    }
}
